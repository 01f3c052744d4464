//! The `bert-xml` command.
fn main() {}
