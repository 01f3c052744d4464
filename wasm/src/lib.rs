//! Bindings of `bert-xml-core` for JavaScript.
