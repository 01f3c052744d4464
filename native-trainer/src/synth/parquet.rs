//! Notes as Parquet: the columns that records have, zstd, one group of rows after the other.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow::array::{ArrayRef, LargeStringBuilder, ListBuilder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bert_xml_core::text::Note;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Notes that are held until they are written.
const ROWS: usize = 4096;

/// A Parquet file of notes in the making.
pub(super) struct ParquetNotes {
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    patients: StringBuilder,
    ids: StringBuilder,
    dates: StringBuilder,
    types: StringBuilder,
    texts: LargeStringBuilder,
    codes: ListBuilder<StringBuilder>,
    rows: usize,
}

impl ParquetNotes {
    /// Begins the file.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let text = |name: &str, optional: bool| Field::new(name, DataType::Utf8, optional);
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            text("patient_id", false),
            text("note_id", false),
            text("date", true),
            text("note_type", true),
            Field::new("text", DataType::LargeUtf8, false),
            Field::new("codes", DataType::List(item), false),
        ]));
        let level = ZstdLevel::try_new(3).map_err(io::Error::other)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer =
            ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(io::Error::other)?;
        Ok(Self {
            writer,
            schema,
            patients: StringBuilder::new(),
            ids: StringBuilder::new(),
            dates: StringBuilder::new(),
            types: StringBuilder::new(),
            texts: LargeStringBuilder::new(),
            codes: ListBuilder::new(StringBuilder::new()),
            rows: 0,
        })
    }

    /// Adds a note.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn write(&mut self, note: &Note) -> io::Result<()> {
        self.patients.append_value(&note.patient_id);
        self.ids.append_value(&note.note_id);
        self.dates.append_option(note.date.as_deref());
        self.types.append_option(note.note_type.as_deref());
        self.texts.append_value(&note.text);
        for code in &note.codes {
            self.codes.values().append_value(code);
        }
        self.codes.append(true);
        self.rows += 1;
        if self.rows == ROWS { self.write_rows() } else { Ok(()) }
    }

    fn write_rows(&mut self) -> io::Result<()> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.patients.finish()),
            Arc::new(self.ids.finish()),
            Arc::new(self.dates.finish()),
            Arc::new(self.types.finish()),
            Arc::new(self.texts.finish()),
            Arc::new(self.codes.finish()),
        ];
        self.rows = 0;
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io::Error::other)?;
        // A group of rows holds what is written until now; memory does not grow with the file.
        if self.writer.in_progress_size() > 64 << 20 {
            self.writer.flush().map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.write_rows()?;
        self.writer.close().map_err(io::Error::other)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Columns, read_records};

    #[test]
    fn notes_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.parquet");
        let mut notes = ParquetNotes::new(File::create(&path).unwrap()).unwrap();
        let wanted: Vec<Note> = (0..ROWS + 3)
            .map(|at| Note {
                patient_id: "p".into(),
                note_id: at.to_string(),
                date: (at % 2 == 0).then(|| "2019-03-01".into()),
                note_type: Some("progress note".into()),
                text: format!("Ménière, visit {at}"),
                codes: ["H81.09", "I10"][..at % 3].iter().map(|code| (*code).to_owned()).collect(),
            })
            .collect();
        wanted.iter().for_each(|note| notes.write(note).unwrap());
        notes.finish().unwrap();
        let columns = Columns::default();
        let read: Vec<Note> =
            read_records(&path, &columns).unwrap().map(|record| record.unwrap().note).collect();
        assert!(read == wanted, "the notes differ");
    }
}
