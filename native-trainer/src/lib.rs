//! The steps of the `bert-xml` command.
