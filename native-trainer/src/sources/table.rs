//! A published CSV table: named columns in any case, damaged rows listed and passed over.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use encoding_rs::WINDOWS_1252;

use super::ledger::{Ledger, Place};
use super::outlet::Outlet;
use super::packed::compression_of;
use crate::context::Context;
use crate::ingest::RecordError;
use crate::ingest::columns::Wanted;
use crate::ingest::csv::CsvRows;
use crate::ingest::record::{Cell, Row};
use crate::ingest::source::open;
use crate::progress::{Progress, Unit};

/// An open table.
pub(super) struct Table {
    file: Arc<str>,
    rows: CsvRows<BufReader<Box<dyn Read + Send>>>,
}

/// A row of the wanted columns.
pub(super) struct TableRow {
    row: Row,
}

impl TableRow {
    /// Line in the file.
    pub(super) fn line(&self) -> u64 {
        self.row.line
    }

    /// The value of a wanted column, trimmed; empty where the table has no such column.
    pub(super) fn get(&self, column: usize) -> &str {
        self.raw(column).trim()
    }

    /// The value as it is.
    pub(super) fn raw(&self, column: usize) -> &str {
        match &self.row.cells[column] {
            Cell::Text(text) => text,
            _ => "",
        }
    }
}

impl Table {
    /// Opens a table; `columns` are named, and all must be there but those that end in `?`. Values that are not UTF-8 are
    /// read as Windows-1252, which older exports are in.
    ///
    /// # Errors
    /// It cannot be read, or lacks a column.
    pub(super) fn open(path: &Path, columns: &[&str], reading: &Reading) -> Result<Self> {
        let wanted: Vec<Wanted> = columns
            .iter()
            .map(|column| Wanted {
                name: column.trim_end_matches('?').to_owned(),
                asked: !column.ends_with('?'),
                any_case: true,
            })
            .collect();
        let file: Arc<str> = path.display().to_string().into();
        let compression = compression_of(path);
        let input = open(path, compression, reading.read.clone()).map_err(RecordError::hinted)?;
        let rows = CsvRows::new(&file, input, compression, b',', &wanted).map_err(RecordError::hinted)?;
        Ok(Self { file, rows: rows.otherwise(WINDOWS_1252) })
    }

    /// The next row that is whole; damaged ones are listed.
    ///
    /// # Errors
    /// A file that cannot be read any further: cut off, or with a quote that is not closed.
    pub(super) fn next(&mut self, ledger: &mut Ledger) -> Result<Option<TableRow>> {
        loop {
            match self.rows.next() {
                None => return Ok(None),
                Some(Ok(row)) => return Ok(Some(TableRow { row })),
                Some(Err(error)) if self.rows.broken => return Err(error.hinted()),
                Some(Err(RecordError::Malformed { file, line, rule })) => {
                    ledger.list_detail(Place { file: &file, line }, "a damaged row", &rule)?;
                }
                Some(Err(error)) => return Err(error.hinted()),
            }
        }
    }

    /// The place of a line.
    pub(super) fn place(&self, line: u64) -> Place<'_> {
        Place { file: &self.file, line }
    }
}

/// How far the tables of a source are read.
pub(super) struct Reading {
    read: Arc<AtomicU64>,
    shown: u64,
    rows: u64,
    progress: Progress,
}

impl Reading {
    /// Starts to show the progress over these files.
    pub(super) fn start<'p>(context: &Context, files: impl Iterator<Item = &'p PathBuf>) -> Self {
        let bytes = files.map(|path| std::fs::metadata(path).map_or(0, |data| data.len())).sum();
        let progress = context.start("ingest", Some(bytes), Unit::Bytes);
        Self { read: Arc::default(), shown: 0, rows: 0, progress }
    }

    /// Hands every row of a table that is whole on.
    ///
    /// # Errors
    /// Those of the table and of `on`.
    pub(super) fn each(
        &mut self,
        mut table: Table,
        outlet: &mut Outlet<'_>,
        mut on: impl FnMut(Place<'_>, &TableRow, &mut Outlet<'_>) -> Result<()>,
    ) -> Result<()> {
        while let Some(row) = table.next(&mut outlet.ledger)? {
            on(table.place(row.line()), &row, outlet)?;
            self.rows += 1;
            if self.rows.is_multiple_of(1024) {
                let read = self.read.load(Ordering::Relaxed);
                self.progress.advance(read - std::mem::replace(&mut self.shown, read));
            }
        }
        if table.rows.legacy > 0 {
            outlet.ledger.count("values that are not UTF-8, read as Windows-1252", table.rows.legacy);
        }
        Ok(())
    }

    /// All is read.
    pub(super) fn finish(self) {
        self.progress.finish();
    }
}
