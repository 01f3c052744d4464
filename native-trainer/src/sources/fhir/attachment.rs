//! The text of an attachment: its data, a `Binary` of the same files, or a file beside the one that names it. Nothing is
//! fetched.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::super::ccda::{Document, from_base64, oid, read_document};
use super::super::files::file_name;
use super::super::markup::{decoded, decoded_xml, html_text, one_line_end};
use super::super::packed::read_whole;
use super::index::Index;
use super::json::text;

/// What an attachment holds.
pub(super) enum Content {
    Text(String),
    /// A C-CDA document, which may have codes of its own.
    Document(Box<Document>),
    /// It is in the `Binary` with this hash of its id, whichever file that is in.
    Binary(u64),
}

/// Why an attachment gives no text: a rule to count by, and a name to look for.
pub(super) struct Without {
    pub(super) rule: String,
    pub(super) value: String,
}

fn without<T>(rule: &str, value: &str) -> Result<T, Without> {
    Err(Without { rule: rule.to_owned(), value: value.to_owned() })
}

/// Reads an attachment of a resource in `file`, or a `Binary`, which has the same fields.
pub(super) fn read(file: &Path, attachment: &Value, index: &Index) -> Result<Content, Without> {
    let (bytes, name) = match (text(attachment, "data"), text(attachment, "url")) {
        (Some(data), _) => match from_base64(data) {
            Some(bytes) => (bytes, String::new()),
            None => return without("an attachment whose data is not base64", ""),
        },
        (None, Some(url)) => match index.binary(url) {
            Some(binary) => return Ok(Content::Binary(binary)),
            None => beside(file, url)?,
        },
        (None, None) => return without("an attachment without data and address", ""),
    };
    let declared = text(attachment, "contentType").map(str::to_ascii_lowercase);
    let declared = declared.unwrap_or_else(|| guessed(&name).to_owned());
    let mut parts = declared.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let charset = parts.find_map(|part| part.strip_prefix("charset="));
    let plain = || match decoded(&bytes, charset) {
        Some(text) => Ok(text),
        None => without("an attachment in an encoding that is not known", charset.unwrap_or_default()),
    };
    match media {
        "text/plain" | "text/markdown" => plain().map(|text| Content::Text(one_line_end(&text))),
        "text/html" | "application/xhtml+xml" => plain().map(|html| Content::Text(html_text(&html))),
        "text/xml" | "application/xml" | "application/hl7-cda+xml" | "application/cda+xml" => {
            let Some(xml) = decoded_xml(&bytes) else {
                return without("an attachment in an encoding that is not known", "");
            };
            match read_document(&xml, oid(&index.system).unwrap_or_default()) {
                Ok(document) => Ok(Content::Document(Box::new(document))),
                Err(rule) => without(&format!("an attached document: {rule}"), ""),
            }
        }
        _ => without("an attachment of a type that is not read (text, HTML and C-CDA are)", media),
    }
}

/// The type of a file that does not say it.
fn guessed(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html" | "htm" | "xhtml") => "text/html",
        Some("xml" | "cda") => "text/xml",
        Some("pdf") => "application/pdf",
        Some("rtf") => "application/rtf",
        _ => "text/plain",
    }
}

/// The bytes of a file in the folder of `file` or below it, and its name.
fn beside(file: &Path, url: &str) -> Result<(Vec<u8>, String), Without> {
    let address = url.split(['?', '#']).next().unwrap_or_default();
    let shown: String = address.chars().filter(|c| !c.is_control()).take(200).collect();
    if address.contains(':') || address.starts_with("//") {
        return without("an attachment at an address: nothing is fetched", &shown);
    }
    let relative = PathBuf::from(percent_decode_str(address).decode_utf8_lossy().into_owned());
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return without("an attachment outside of its file's folder", &shown);
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let path = folder.join(&relative);
    // A link may lead out of the folder, too.
    let inside = match (folder_of(folder).canonicalize(), path.canonicalize()) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        _ => return without("an attachment that is not there", &shown),
    };
    if !inside {
        return without("an attachment outside of its file's folder", &shown);
    }
    match read_whole(&path) {
        Ok(Ok(bytes)) => Ok((bytes, file_name(&path))),
        Ok(Err(rule)) => without(&format!("an attachment: {rule}"), &shown),
        Err(_) => without("an attachment that cannot be read", &shown),
    }
}

fn folder_of(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
