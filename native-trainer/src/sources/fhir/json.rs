//! Fields of a JSON object that may lack them, or have them in another type.

use serde_json::Value;

/// The text of a field; none where it is empty or no text.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// The items of a field that is a list; none otherwise.
pub(super) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The id that a reference points to: `Encounter/e1`, `https://…/Encounter/e1/_history/2`, `urn:uuid:e1`; none for a
/// contained resource, which has no notes of its own.
pub(super) fn referred(reference: &str) -> Option<&str> {
    let reference = reference.split("/_history/").next()?;
    let id = match reference.strip_prefix("urn:uuid:") {
        Some(id) => id,
        None => reference.rsplit('/').next()?,
    };
    Some(id).filter(|id| !id.is_empty() && !id.starts_with('#'))
}

/// The id in `value.field.reference`.
pub(super) fn reference<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    referred(text(value.get(field)?, "reference")?)
}

/// What people call a concept: its text, else the first display, else the first code.
pub(super) fn concept(value: Option<&Value>) -> Option<&str> {
    let value = value?;
    let coding = |field| list(value, "coding").iter().find_map(|coding| text(coding, field));
    text(value, "text").or_else(|| coding("display")).or_else(|| coding("code"))
}

/// Whether one of a concept's codes is `code`.
pub(super) fn is_coded(value: Option<&Value>, code: &str) -> bool {
    value.is_some_and(|value| list(value, "coding").iter().any(|coding| text(coding, "code") == Some(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reference_leads_to_its_id() {
        for (reference, id) in [
            ("Encounter/e1", Some("e1")),
            ("https://ehr.example/fhir/Encounter/e1/_history/2", Some("e1")),
            ("urn:uuid:0a-1b", Some("0a-1b")),
            ("#contained", None),
            ("", None),
        ] {
            assert_eq!(referred(reference), id, "{reference}");
        }
    }
}
