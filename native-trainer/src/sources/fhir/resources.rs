//! The resources of a file, one at a time: entries of a Bundle of any size, lines of NDJSON, or a file that is one.

use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::super::files::file_name;
use super::super::ledger::Place;
use super::super::outlet::Outlet;
use super::super::packed::{DAMAGED, LONGEST, is_damage, unpacked};
use super::json::{referred, text};

/// A resource, and the id that others in its Bundle call it by where that is another than its own.
pub(super) struct Resource {
    pub(super) value: Value,
    pub(super) alias: Option<String>,
}

impl Resource {
    /// Its own id, and what its Bundle calls it otherwise.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        text(&self.value, "id").into_iter().chain(self.alias.as_deref())
    }
}

/// What takes resources, and where to put what comes of them.
pub(super) type On<'f, 'o> = dyn FnMut(Place<'_>, Resource, Option<&mut Outlet<'o>>) -> Result<()> + 'f;

/// Hands every resource on. Damage is listed where there is an outlet: files are read twice, and told of once.
///
/// # Errors
/// A file that cannot be read; those of `on`.
pub(super) fn each<'o>(path: &Path, mut outlet: Option<&mut Outlet<'o>>, on: &mut On<'_, 'o>) -> Result<()> {
    let file = path.display().to_string();
    let name = file_name(path);
    let mut input = unpacked(path)?;
    if !name.contains(".ndjson") && !name.contains(".jsonl") {
        let (mut failed, mut entry) = (None, 0);
        let parsed = {
            let mut hand = |value: Value, full_url: Option<String>| {
                entry += 1;
                let place = Place { file: &file, line: entry };
                let result = on(place, named(value, full_url), outlet.as_deref_mut());
                let ok = result.is_ok();
                failed = result.err();
                ok
            };
            let mut json = serde_json::Deserializer::from_reader(&mut input);
            File { hand: &mut hand }.deserialize(&mut json).and_then(|()| json.end())
        };
        if let Some(error) = failed {
            return Err(error);
        }
        let Err(error) = parsed else { return Ok(()) };
        let line = error.line() as u64;
        let rule = if error.is_io() {
            let error = std::io::Error::from(error);
            if !is_damage(&error) {
                return Err(error).with_context(|| format!("reading {file}"));
            }
            DAMAGED
        } else {
            "a file that is no FHIR in JSON from here on"
        };
        let place = Place { file: &file, line };
        return match outlet {
            Some(outlet) => outlet.ledger.list_detail(place, rule, &format!("entry {}", entry + 1)),
            None => Ok(()),
        };
    }
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let place = Place { file: &file, line: number };
        let count = match (&mut input).take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if is_damage(&error) => {
                return match outlet {
                    Some(outlet) => outlet.ledger.list(place, DAMAGED, ""),
                    None => Ok(()),
                };
            }
            Err(error) => return Err(error).with_context(|| format!("reading {file}")),
        };
        if count as u64 == LONGEST {
            // The rest of the line, piece by piece.
            while line.last() != Some(&b'\n') {
                line.clear();
                let more = (&mut input).take(LONGEST).read_until(b'\n', &mut line);
                if more.with_context(|| format!("reading {file}"))? == 0 {
                    break;
                }
            }
            if let Some(outlet) = outlet.as_deref_mut() {
                outlet.ledger.list(place, "a line of more than 64 MiB", "")?;
            }
            continue;
        }
        let trimmed = line.trim_ascii();
        let trimmed = trimmed.strip_prefix(b"\xef\xbb\xbf").unwrap_or(trimmed);
        if trimmed.is_empty() {
            continue;
        }
        match serde_json::from_slice(trimmed) {
            Ok(value) => on(place, named(value, None), outlet.as_deref_mut())?,
            Err(_) => {
                if let Some(outlet) = outlet.as_deref_mut() {
                    outlet.ledger.list(place, "a line that is not JSON", "")?;
                }
            }
        }
    }
    Ok(())
}

fn named(value: Value, full_url: Option<String>) -> Resource {
    let alias = full_url.as_deref().and_then(referred).filter(|alias| text(&value, "id") != Some(*alias));
    Resource { alias: alias.map(str::to_owned), value }
}

/// Takes a resource and its full URL; false stops.
type Hand<'h> = dyn FnMut(Value, Option<String>) -> bool + 'h;

/// A file that is a Bundle or another resource: entries are handed on as they come, so that a Bundle never is in memory.
struct File<'a, 'h> {
    hand: &'a mut Hand<'h>,
}

impl<'de> DeserializeSeed<'de> for File<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a FHIR resource")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut rest = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "entry" {
                map.next_value_seed(Entries { hand: self.hand })?;
            } else {
                rest.insert(key, map.next_value()?);
            }
        }
        let rest = Value::Object(rest);
        // A Bundle itself is nothing; neither is what names no type.
        if text(&rest, "resourceType").is_some_and(|kind| kind != "Bundle") && !(self.hand)(rest, None) {
            return Err(serde::de::Error::custom("stopped"));
        }
        Ok(())
    }
}

struct Entries<'a, 'h> {
    hand: &'a mut Hand<'h>,
}

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(mut entry) = list.next_element::<Value>()? {
            let full_url = text(&entry, "fullUrl").map(str::to_owned);
            let resource = entry.get_mut("resource").map(Value::take).unwrap_or_default();
            if !(self.hand)(resource, full_url) {
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
