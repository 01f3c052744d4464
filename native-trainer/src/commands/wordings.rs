//! `bert-xml wordings`: a list of conditions for `synth --conditions`.

use std::collections::HashMap;
use std::fs;
use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::corpus::billable::billable;
use crate::corpus::builtin;
use crate::error::hinted;
use crate::files::{STANDARD, check_file_place, write_atomic};
use crate::ingest::{Columns, RecordError, read_records};
use crate::synth::{ConditionList, Synonyms, with_wordings};

/// Options of `wordings`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Conditions in own words, the commonest first: lines of code, wordings, medicines, signs (`a|b`), tabs between
    #[arg(long, value_name = "TSV")]
    pub own: Option<PathBuf>,
    /// Records whose codes follow, the most frequent first
    #[arg(long, value_name = "FILE")]
    pub codes_of: Option<PathBuf>,
    /// Synonyms: columns `term`, `code` and, if there is one, `lang`, of which `en` is taken
    #[arg(long, value_name = "CSV")]
    pub synonyms: Option<PathBuf>,
    /// The list to write
    #[arg(long, value_name = "TSV")]
    pub out: PathBuf,
    /// Names of the fields of --codes-of
    #[command(flatten)]
    pub columns: Columns,
    /// Leave out records with these words in the split field
    #[arg(long, value_delimiter = ',', value_name = "WORD,…", requires = "split_field")]
    pub skip_split: Vec<String>,
}

/// Runs the step.
///
/// # Errors
/// A file that cannot be read or breaks a rule; a code in --own that no claim may carry.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.out.as_os_str() != STANDARD, "--out -: the counts go to standard output; name a file");
    check_file_place(&options.out)?;
    let table = builtin::icd10cm()?;
    let own = match &options.own {
        None => ConditionList::built_in(),
        Some(path) => read_list(path)?,
    };
    let mut counts: HashMap<String, u64> = HashMap::new();
    if let Some(path) = &options.codes_of {
        let columns = Columns { without_text: true, ..options.columns.clone() };
        for record in read_records(path, &columns).map_err(RecordError::hinted)? {
            let record = record.map_err(RecordError::hinted)?;
            if record.split.is_some_and(|word| options.skip_split.contains(&word)) {
                continue;
            }
            for code in record.note.codes.iter().filter_map(|code| billable(&table, code)) {
                *counts.entry(code.dotted()).or_default() += 1;
            }
        }
    }
    let mut further: Vec<(String, u64)> = counts.into_iter().collect();
    further.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let further: Vec<String> = further.into_iter().map(|(code, _)| code).collect();
    let mut synonyms = Synonyms::new();
    if let Some(path) = &options.synonyms {
        let word = |text: &str| Some(text.to_owned());
        let columns = Columns {
            text_field: vec!["term".into()],
            codes_field: word("code"),
            type_field: word("lang"),
            ..Columns::default()
        };
        for record in read_records(path, &columns).map_err(RecordError::hinted)? {
            let note = record.map_err(RecordError::hinted)?.note;
            if note.note_type.is_none_or(|language| language == "en") {
                for code in note.codes {
                    synonyms.entry(code).or_default().push(note.text.clone());
                }
            }
        }
    }
    let list = with_wordings(&table, &own, &further, &synonyms);
    let head = "# code, wordings, medicines, signs; made by `bert-xml wordings`\n";
    write_atomic(&options.out, (head.to_owned() + &list.to_tsv()).as_bytes())?;
    let wordings: usize = list.0.iter().map(|listed| listed.wordings.len()).sum();
    writeln!(stdout(), "{}: {} codes, {wordings} wordings", options.out.display(), list.0.len())?;
    Ok(())
}

/// Reads a list and checks its codes.
///
/// # Errors
/// A file that cannot be read, a line that breaks a rule, a code that no claim may carry.
pub fn read_list(path: &std::path::Path) -> Result<ConditionList> {
    let told = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let list = ConditionList::from_tsv(&text).with_context(told)?;
    let table = builtin::icd10cm()?;
    match list.not_billable(&table).as_slice() {
        [] => Ok(list),
        wrong => Err(hinted(
            format!("{}: not billable in the release of {}: {}", told(), table.release(), wrong.join(" ")),
            "name the codes below them, to the last character",
        )),
    }
}
