//! This package holds one integration binary, `it/`; the library is empty.
