//! Reads the rows of a table, one node each and one more for every seventh character.

use super::{IcdTable, Kind, NONE, Node, SeventhCharacter, TableError};
use crate::codes::icd::Code;

/// Reads the rows of a table.
///
/// # Errors
/// [`TableError::Row`] with the line for a row that breaks the format.
pub(super) fn read(text: String) -> Result<IcdTable, TableError> {
    let mut reader = Reader::default();
    let mut start = 0;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let row = line.trim_end_matches(['\n', '\r']);
        let wrong = |(value, rule): (&str, &str)| TableError::Row {
            line: at + 1,
            value: value.to_owned(),
            rule: rule.to_owned(),
        };
        if row.starts_with('#') {
            reader.head(row).map_err(wrong)?;
        } else if !row.is_empty() {
            reader.row(row, start).map_err(wrong)?;
        }
        start += line.len() as u32;
    }
    reader.close(0);
    let Reader { release, rules, nodes, .. } = reader;
    let mut sorted: Vec<u32> =
        (0..nodes.len() as u32).filter(|i| nodes[*i as usize].code.is_some()).collect();
    sorted.sort_unstable_by_key(|i| nodes[*i as usize].code);
    if let Some(pair) = sorted.windows(2).find(|p| nodes[p[0] as usize].code == nodes[p[1] as usize].code) {
        let value = nodes[pair[1] as usize].code.map(|code| code.dotted()).unwrap_or_default();
        let line = 1 + text[..nodes[pair[1] as usize].row.0 as usize].matches('\n').count();
        return Err(TableError::Row { line, value, rule: "each code stands once".into() });
    }
    Ok(IcdTable { text, release, rules, nodes, sorted })
}

/// The state between two rows of the file.
#[derive(Default)]
struct Reader {
    release: String,
    rules: Vec<Vec<SeventhCharacter>>,
    nodes: Vec<Node>,
    /// The open nodes, one a level.
    open: Vec<u32>,
}

/// The wrong value and the rule it breaks.
type Broken<'t> = (&'t str, &'static str);

impl Reader {
    fn head<'t>(&mut self, row: &'t str) -> Result<(), Broken<'t>> {
        let mut fields = row.split('\t');
        match fields.next() {
            Some("#release") => self.release = fields.next().unwrap_or_default().to_owned(),
            Some("#seventh") => {
                let number = fields.next().unwrap_or_default();
                if number.parse() != Ok(self.rules.len()) {
                    return Err((number, "rules of seventh characters are numbered from 0 in order"));
                }
                let mut rule: Vec<SeventhCharacter> = Vec::new();
                for part in fields {
                    let mut chars = part.chars();
                    let character = chars.next().filter(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
                    let new = rule.iter().all(|known| Some(known.character) != character);
                    match (character, chars.next(), rule.last_mut()) {
                        (Some(character), Some('='), _) if new => {
                            let meaning = chars.as_str().to_owned();
                            rule.push(SeventhCharacter { character, meaning, inclusion_terms: Vec::new() });
                        }
                        (Some(character), Some('+'), Some(last)) if last.character == character => {
                            last.inclusion_terms.push(chars.as_str().to_owned());
                        }
                        _ => {
                            return Err((
                                part,
                                "a seventh character is written `A=meaning`, each once, or `A+term`",
                            ));
                        }
                    }
                }
                self.rules.push(rule);
            }
            _ => {}
        }
        Ok(())
    }

    /// Closes the open nodes from this level down.
    fn close(&mut self, level: usize) {
        let end = self.nodes.len() as u32;
        for at in self.open.drain(level.min(self.open.len())..) {
            self.nodes[at as usize].end = end;
        }
    }

    fn row<'t>(&mut self, row: &'t str, start: u32) -> Result<(), Broken<'t>> {
        let mut fields = row.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (kind, depth, name, description, seventh, chronic) =
            (next(), next(), next(), next(), next(), next());
        let kind = match kind {
            "c" => Kind::Chapter,
            "b" => Kind::Block,
            "d" => Kind::Code,
            _ => return Err((kind, "the kind is c, b or d")),
        };
        let level = depth.parse::<usize>().ok().filter(|level| *level <= self.open.len());
        let level = level.ok_or((depth, "the depth is at most one more than that of the row before"))?;
        if (level == 0) != (kind == Kind::Chapter) {
            return Err((depth, "chapters, and only they, have depth 0"));
        }
        if name.is_empty() || description.is_empty() {
            return Err((name, "the name and the description must not be empty"));
        }
        let code = match kind {
            Kind::Code => Some(Code::parse(name).map_err(|_| (name, "not an ICD-10-CM code"))?),
            _ => None,
        };
        self.close(level);
        let parent = self.open.last().copied();
        let (number, characters) = seventh.split_once(':').unwrap_or((seventh, ""));
        let rule = match number {
            "" => parent.map_or(u16::MAX, |parent| self.nodes[parent as usize].rule),
            _ => number
                .parse()
                .ok()
                .filter(|rule| usize::from(*rule) < self.rules.len())
                .ok_or((number, "no such rule of seventh characters"))?,
        };
        if !chronic.bytes().all(|value| b"019-".contains(&value)) {
            return Err((chronic, "a chronic indicator is 0, 1, 9 or -"));
        }
        let at = self.nodes.len() as u32;
        let row = (start, start + row.len() as u32);
        let own = if characters.is_empty() { chronic.bytes().next().unwrap_or(b'-') } else { b'-' };
        let parent = parent.unwrap_or(NONE);
        self.nodes.push(Node { kind, code, row, parent, end: NONE, rule, seventh: u8::MAX, chronic: own });
        self.open.push(at);
        if characters.is_empty() {
            return Ok(());
        }
        let (Some(code), Some(defined)) =
            (code.filter(|code| code.len() < 7), self.rules.get(usize::from(rule)))
        else {
            return Err((
                seventh,
                "seventh characters need a code of at most 6 characters and a rule above it",
            ));
        };
        let wanted = |character: char| characters == "*" || characters.contains(character);
        let mut values = chronic.bytes();
        let made: Vec<_> = (0u8..).zip(defined).filter(|(_, seventh)| wanted(seventh.character)).collect();
        if characters != "*" && made.len() != characters.len() {
            return Err((characters, "a seventh character that its rule does not define"));
        }
        if chronic.len() > 1 && chronic.len() != made.len() {
            return Err((chronic, "one chronic indicator, or one for each seventh character"));
        }
        for (seventh, SeventhCharacter { character, .. }) in made {
            let value = if chronic.len() > 1 { values.next() } else { chronic.bytes().next() };
            let end = self.nodes.len() as u32 + 1;
            let (code, chronic) = (Some(code.with_seventh(*character as u8)), value.unwrap_or(b'-'));
            self.nodes.push(Node { kind, code, row, parent: at, end, rule, seventh, chronic });
        }
        Ok(())
    }
}
