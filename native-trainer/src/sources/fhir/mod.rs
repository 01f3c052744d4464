//! FHIR R4 in JSON: Bundles, single resources and bulk NDJSON, packed or not.
//!
//! Notes are the attachments of a `DocumentReference` or a `DiagnosticReport` and the sections of a `Composition`. Their
//! codes are those of the `Condition`s of the same `Encounter`: the conditions that refer to it, and those that its
//! `diagnosis` names. Resources come in any order and in any file, so all files are read twice: what notes are joined
//! with goes to memory (16 bytes a code, about 60 an encounter), then the notes stream. Notes whose text is in a `Binary`
//! wait without it (some hundred bytes each) until the files were read a third time.

mod attachment;
mod documents;
mod index;
mod json;
mod resources;

use std::path::PathBuf;

use anyhow::Result;
use bert_xml_core::codes::CodeSystem;

use self::documents::Documents;
use self::index::Index;
use super::files;
use super::outlet::Outlet;
use crate::context::Context;
use crate::error::hinted;
use crate::progress::Unit;

/// What FHIR files are called.
const ENDINGS: [&str; 6] = [".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz"];

/// Reads all notes of files and of folders and what is below them.
///
/// # Errors
/// No file; one that cannot be read; whatever the disk says.
pub fn read(
    context: &Context,
    paths: &[PathBuf],
    system: &CodeSystem,
    outlet: &mut Outlet<'_>,
) -> Result<()> {
    let found = files::all(paths, &ENDINGS)?;
    if found.is_empty() {
        return Err(hinted(
            format!("no FHIR file: none ends in {}", ENDINGS.join(", ")),
            "C-CDA documents of their own (.xml) are read by `ingest ccda`",
        ));
    }
    let mut progress = context.start("ingest", Some(2 * found.len() as u64), Unit::Notes);
    let mut index = Index::new(system);
    for path in &found {
        resources::each(path, None, &mut |place, resource, _| {
            index.add(place, &resource, &mut outlet.ledger)
        })?;
        progress.advance(1);
    }
    index.close(&mut outlet.ledger);
    let mut documents = Documents::new(index);
    for path in &found {
        resources::each(path, Some(outlet), &mut |place, resource, outlet| match outlet {
            Some(outlet) => documents.add(path, place, &resource, outlet),
            None => Ok(()),
        })?;
        progress.advance(1);
    }
    if documents.wait() {
        for path in &found {
            // Damage is told of already.
            resources::each(path, None, &mut |_, resource, _| documents.binary(path, &resource, outlet))?;
        }
    }
    progress.finish();
    Ok(())
}
