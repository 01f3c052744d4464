//! Records in, notes out: JSON Lines, CSV and Parquet.
