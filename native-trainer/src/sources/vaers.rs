//! VAERS as CDC and FDA publish it: `…VAERSDATA.csv` with a report a line, `…VAERSSYMPTOMS.csv` beside it with up to five
//! MedDRA terms a line, several lines a report. `…VAERSVAX.csv` is not read.

use std::path::PathBuf;

use anyhow::Result;
use bert_xml_core::codes::CodeSystem;
use serde_json::Value;

use super::code_lists::CodeLists;
use super::files;
use super::notation::spelled;
use super::outlet::{Outlet, SourceRecord};
use super::table::{Reading, Table};
use crate::context::Context;
use crate::error::hinted;

const DATA: &str = "vaersdata.csv";
const SYMPTOMS: &str = "vaerssymptoms.csv";
/// Further columns, and the fields that they become; all but age and sex are free text.
const MORE: [(&str, &str); 7] = [
    ("lab_data?", "lab_data"),
    ("history?", "history"),
    ("cur_ill?", "current_illness"),
    ("other_meds?", "medications"),
    ("allergies?", "allergies"),
    ("age_yrs?", "age"),
    ("sex?", "sex"),
];

/// Reads all reports of the years in `folders`. A report is its own patient, and its date that of receipt.
///
/// # Errors
/// No data file, one without its symptoms, a table that lacks a column or is cut off; whatever the disk says.
pub fn read(context: &Context, folders: &[PathBuf], outlet: &mut Outlet<'_>) -> Result<()> {
    let found = files::all(folders, &[DATA, SYMPTOMS])?;
    let years = pairs(&found)?;
    let mut reading = Reading::start(context, found.iter());
    for [data, symptoms] in &years {
        let mut terms = CodeLists::default();
        let table = Table::open(
            symptoms,
            &["vaers_id", "symptom1", "symptom2", "symptom3", "symptom4", "symptom5"],
            &reading,
        )?;
        let mut rows: Vec<(u64, u64)> = Vec::new();
        reading.each(table, outlet, |place, row, outlet| {
            let Ok(id) = row.get(0).parse::<u64>() else {
                return outlet.ledger.list(place, "a row of symptoms without a report's number", row.get(0));
            };
            rows.push((id, place.line));
            for term in (1..=5).map(|column| row.get(column)).filter(|term| !term.is_empty()) {
                if let Ok(term) = spelled(&CodeSystem::Meddra, term) {
                    terms.add(id, 0, &term);
                }
            }
            Ok(())
        })?;
        let columns: Vec<&str> = ["vaers_id", "recvdate", "symptom_text"]
            .into_iter()
            .chain(MORE.map(|(column, _)| column))
            .collect();
        let mut reports = Vec::new();
        let table = Table::open(data, &columns, &reading)?;
        reading.each(table, outlet, |place, row, outlet| {
            let Ok(id) = row.get(0).parse::<u64>() else {
                return outlet.ledger.list(place, "a report without a number", row.get(0));
            };
            reports.push(id);
            let filled = MORE.iter().enumerate().filter(|(at, _)| !row.get(3 + at).is_empty());
            let more =
                filled.map(|(at, (_, field))| ((*field).to_owned(), Value::from(row.get(3 + at)))).collect();
            outlet.put(
                place,
                SourceRecord {
                    note_id: id.to_string(),
                    date: iso(row.get(1)),
                    text: row.raw(2).to_owned(),
                    codes: terms.of(id),
                    more,
                    ..SourceRecord::default()
                },
            )
        })?;
        outlet.ledger.count("reports", reports.len() as u64);
        reports.sort_unstable();
        let file = symptoms.display().to_string();
        for (id, line) in rows {
            if reports.binary_search(&id).is_err() {
                let place = super::ledger::Place { file: &file, line };
                outlet.ledger.list(place, "symptoms of a report that is not in the data", &id.to_string())?;
            }
        }
    }
    reading.finish();
    Ok(())
}

/// Data and symptoms of each year, by what stands before `VAERSDATA`.
fn pairs(found: &[PathBuf]) -> Result<Vec<[PathBuf; 2]>> {
    let year = |path: &PathBuf, ending: &str| {
        let name = files::file_name(path);
        Some((path.parent()?.to_owned(), name.strip_suffix(ending)?.to_owned()))
    };
    let mut pairs = Vec::new();
    for data in found {
        let Some(of) = year(data, DATA) else { continue };
        let Some(symptoms) = found.iter().find(|path| year(path, SYMPTOMS).as_ref() == Some(&of)) else {
            return Err(hinted(
                format!("{}: its VAERSSYMPTOMS.csv is not beside it", data.display()),
                "unpack both files of each year into one folder",
            ));
        };
        pairs.push([data.clone(), symptoms.clone()]);
    }
    if pairs.is_empty() {
        return Err(hinted(
            "no file whose name ends in VAERSDATA.csv",
            "name the folder that the published archives were unpacked in",
        ));
    }
    Ok(pairs)
}

/// `12/31/2005` as `2005-12-31`; other values as they are.
fn iso(date: &str) -> String {
    match date.split('/').collect::<Vec<_>>().as_slice() {
        [month, day, year] => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => date.to_owned(),
    }
}
