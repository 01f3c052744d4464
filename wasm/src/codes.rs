//! The codes of an ICD-10-CM release and their search: what a page needs to add a code by hand.

use bert_xml_core::codes::search::matching_term;
use bert_xml_core::codes::{Entry, Hit, IcdTable, Indicator, SearchIndex};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use crate::errors::{ErrorCode, thrown, thrown_for};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface CodeHit {
  /** With its dot. */
  code: string;
  description: string;
  /** Whether a claim may carry it: no code stands below it. */
  billable: boolean;
  /** The inclusion term in which words of the query stand that the description lacks; null where it has all. */
  matched: string | null;
}
export interface CodeEntry {
  code: string;
  description: string;
  billable: boolean;
  /** The code above, null for a category. */
  parent: string | null;
  /** The block's name, `A00-A09`. */
  block: string;
  /** The chapter's number. */
  chapter: string;
  /** The codes one level down. */
  children: string[];
  inclusionTerms: string[];
  /** Never coded together with it; inherited by the codes below, listed here where it stands. */
  excludes1: string[];
  /** Not part of it, may be coded together. */
  excludes2: string[];
  /** AHRQ's chronic condition indicator; null where it says nothing. */
  chronic: boolean | null;
}
"#;

#[derive(Serialize)]
struct CodeHit<'a> {
    code: String,
    description: std::borrow::Cow<'a, str>,
    billable: bool,
    matched: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeEntry<'a> {
    code: String,
    description: std::borrow::Cow<'a, str>,
    billable: bool,
    parent: Option<String>,
    block: Option<std::borrow::Cow<'a, str>>,
    chapter: std::borrow::Cow<'a, str>,
    children: Vec<String>,
    inclusion_terms: Vec<&'a str>,
    excludes1: Vec<&'a str>,
    excludes2: Vec<&'a str>,
    chronic: Option<bool>,
}

/// The codes of an ICD-10-CM release.
#[wasm_bindgen]
pub struct CodeTable {
    table: IcdTable,
    index: SearchIndex,
}

#[wasm_bindgen]
impl CodeTable {
    /// Reads the bytes of the table's file (gzip or plain) and indexes its words. Throws `integrity` for another or
    /// a damaged file.
    #[wasm_bindgen(constructor)]
    pub fn new(gz: &[u8]) -> Result<Self, JsValue> {
        let table = IcdTable::from_bytes(gz).map_err(|error| thrown_for(ErrorCode::Integrity, &error))?;
        let index = SearchIndex::new(&table);
        Ok(Self { table, index })
    }

    /// Year and month of the release, such as `2026-04`.
    #[wasm_bindgen(getter)]
    pub fn release(&self) -> String {
        self.table.release().to_owned()
    }

    /// Number of codes, billable or not.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> usize {
        self.table.codes().len()
    }

    /// The best codes for a query: a code or the beginning of one, or words in any order, beginnings of words
    /// included.
    #[wasm_bindgen(unchecked_return_type = "CodeHit[]")]
    pub fn search(&self, query: &str, limit: usize) -> JsValue {
        let hits = self.index.search(query, limit);
        let hits = hits.iter().filter_map(|hit: &Hit| {
            let entry = self.table.get(hit.code)?;
            Some(described(entry, matching_term(query, &entry)))
        });
        to_js(&hits.collect::<Vec<_>>())
    }

    /// What the release says of a code, in any spelling; undefined where it lacks it. Throws `bad-input` for what is
    /// no ICD-10-CM code at all.
    #[wasm_bindgen(unchecked_return_type = "CodeEntry | undefined")]
    pub fn get(&self, code: &str) -> Result<JsValue, JsValue> {
        let Some(entry) = self.lookup(code)? else { return Ok(JsValue::UNDEFINED) };
        let dotted = |entry: Entry<'_>| entry.code().map(|code| code.dotted());
        Ok(to_js(&CodeEntry {
            code: entry.name().into_owned(),
            description: entry.description(),
            billable: entry.is_billable(),
            parent: entry.parent().and_then(dotted),
            block: entry.block().map(|block| block.name()),
            chapter: entry.chapter().name(),
            children: entry.children().filter_map(dotted).collect(),
            inclusion_terms: entry.inclusion_terms(),
            excludes1: entry.excludes1(),
            excludes2: entry.excludes2(),
            chronic: match entry.chronic() {
                Some(Indicator::Chronic) => Some(true),
                Some(Indicator::NotChronic) => Some(false),
                Some(Indicator::Undetermined) | None => None,
            },
        }))
    }

    /// The billable codes below a code, in the order of the release; empty for a billable code or one that the
    /// release lacks. Throws `bad-input` for what is no ICD-10-CM code at all.
    #[wasm_bindgen(js_name = moreSpecific, unchecked_return_type = "CodeHit[]")]
    pub fn more_specific(&self, code: &str, limit: usize) -> Result<JsValue, JsValue> {
        let entry = self.lookup(code)?;
        let below = entry.iter().flat_map(Entry::descendants).filter(Entry::is_billable);
        Ok(to_js(&below.take(limit).map(|entry| described(entry, None)).collect::<Vec<_>>()))
    }
}

impl CodeTable {
    fn lookup(&self, code: &str) -> Result<Option<Entry<'_>>, JsValue> {
        self.table.lookup(code).map_err(|error| thrown(ErrorCode::BadInput, &error.to_string()))
    }
}

fn described<'a>(entry: Entry<'a>, matched: Option<&'a str>) -> CodeHit<'a> {
    CodeHit {
        code: entry.name().into_owned(),
        description: entry.description(),
        billable: entry.is_billable(),
        matched,
    }
}

fn to_js(value: &impl Serialize) -> JsValue {
    value.serialize(&Serializer::json_compatible()).expect("plain data")
}
