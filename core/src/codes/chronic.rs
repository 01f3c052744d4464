//! Chronic condition indicators of AHRQ, read from the files as published.
//!
//! Two tools of the Healthcare Cost and Utilization Project are understood: the refined indicator for
//! ICD-10-CM (CCIR, values 0, 1 and 9) and the classic Chronic Condition Indicator (CCI, values 0 and 1
//! with a body system). Both come as CSV with a header row `'ICD-10-CM CODE',…,'CHRONIC INDICATOR',…`,
//! values in single quotes or none, and title rows above the header in some versions.

use std::collections::HashMap;

use super::icd::Code;

/// What AHRQ says of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Indicator {
    /// 0: not chronic.
    NotChronic,
    /// 1: chronic.
    Chronic,
    /// 9: no determination (CCIR only).
    Undetermined,
}

impl Indicator {
    /// The indicator that a published file writes as `value`.
    pub fn from_digit(value: &str) -> Option<Self> {
        match value {
            "0" => Some(Self::NotChronic),
            "1" => Some(Self::Chronic),
            "9" => Some(Self::Undetermined),
            _ => None,
        }
    }
}

/// Why a published indicator file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChronicError {
    /// No header row with the columns that are needed: not a CCI or CCIR file for ICD-10-CM.
    #[error(
        "no header row with `ICD-10-CM CODE` and `CHRONIC INDICATOR`: not a CCI or CCIR file for ICD-10-CM"
    )]
    Header,
    /// A row that breaks a rule.
    #[error("line {line}: `{value}`: {rule}")]
    Row {
        /// Line in the file, from 1.
        line: usize,
        /// The value that is wrong.
        value: String,
        /// The rule it breaks.
        rule: String,
    },
}

/// Chronic indicators by code.
#[derive(Debug, Clone, Default)]
pub struct Chronic {
    by_code: HashMap<Code, (Indicator, Option<u8>)>,
}

impl Chronic {
    /// Reads a CCIR or classic CCI file for ICD-10-CM as published, as text.
    ///
    /// # Errors
    /// [`ChronicError`] with the line, the value and the rule; two rows of one code that disagree are one.
    pub fn from_csv(text: &str) -> Result<Self, ChronicError> {
        let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        let column = |fields: &[String], name: &str| fields.iter().position(|field| field == name);
        let (code_at, indicator_at, system_at) = lines
            .by_ref()
            .find_map(|(_, line)| {
                let fields = split_row(&line.to_ascii_uppercase());
                let code = column(&fields, "ICD-10-CM CODE")?;
                Some((code, column(&fields, "CHRONIC INDICATOR")?, column(&fields, "BODY SYSTEM")))
            })
            .ok_or(ChronicError::Header)?;
        let mut by_code = HashMap::new();
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |value: &str, rule: &str| ChronicError::Row {
                line: at + 1,
                value: value.into(),
                rule: rule.into(),
            };
            let fields = split_row(line);
            let field = |index: usize| fields.get(index).map_or("", String::as_str);
            let code =
                Code::parse(field(code_at)).map_err(|error| wrong(field(code_at), &error.to_string()))?;
            let indicator = Indicator::from_digit(field(indicator_at))
                .ok_or_else(|| wrong(field(indicator_at), "the chronic indicator is 0, 1 or 9"))?;
            let system = match system_at.map(field) {
                // External causes have none, and version 2019.1 writes it so.
                None | Some("" | "None") => None,
                Some(value) => match value.parse() {
                    Ok(system @ 1..=18) => Some(system),
                    _ => return Err(wrong(value, "the body system is a number from 1 to 18")),
                },
            };
            if by_code.insert(code, (indicator, system)).is_some_and(|old| old != (indicator, system)) {
                return Err(wrong(field(code_at), "an earlier row says otherwise of this code"));
            }
        }
        Ok(Self { by_code })
    }

    /// The indicator of a code; none if the file does not list it.
    pub fn get(&self, code: Code) -> Option<Indicator> {
        self.by_code.get(&code).map(|(indicator, _)| *indicator)
    }

    /// The body system of a code, 1 to 18, where the file has that column (classic CCI).
    pub fn body_system(&self, code: Code) -> Option<u8> {
        self.by_code.get(&code).and_then(|(_, system)| *system)
    }

    /// Number of codes listed.
    pub fn len(&self) -> usize {
        self.by_code.len()
    }

    /// Whether no code is listed.
    pub fn is_empty(&self) -> bool {
        self.by_code.is_empty()
    }
}

/// Splits a CSV row at commas outside quotes; a field may stand in single or double quotes.
fn split_row(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quote = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        let field = fields.last_mut().expect("never empty");
        // A quote closes where the field does: `'Crohn's disease'` has one inside.
        let closes = || rest.as_str().trim_start().is_empty() || rest.as_str().trim_start().starts_with(',');
        match (quote, c) {
            (None, ',') => fields.push(String::new()),
            (None, '"' | '\'') if field.trim().is_empty() => quote = Some(c),
            (Some(open), _) if c == open && closes() => quote = None,
            _ => field.push(c),
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(value: &str) -> Code {
        Code::parse(value).unwrap()
    }

    #[test]
    fn refined_file_with_titles() {
        let file = "Chronic Condition Indicator Refined v2023.1,,\n(0=Not chronic),,\n\
            'ICD-10-CM CODE','ICD-10-CM CODE DESCRIPTION','CHRONIC INDICATOR'\n\
            'A000',\"Cholera due to Vibrio cholerae 01, biovar cholerae\",0\r\n'I10','Hypertension',1\n'Z66',DNR,9\n";
        let chronic = Chronic::from_csv(file).unwrap();
        assert_eq!(chronic.len(), 3);
        assert_eq!(chronic.get(code("A00.0")), Some(Indicator::NotChronic));
        assert_eq!(chronic.get(code("I10")), Some(Indicator::Chronic));
        assert_eq!(chronic.get(code("Z66")), Some(Indicator::Undetermined));
        assert_eq!(chronic.get(code("Z67")), None);
        assert_eq!(chronic.body_system(code("I10")), None);
    }

    #[test]
    fn classic_file_has_body_systems() {
        let head = "'ICD-10-CM CODE','ICD-10-CM CODE DESCRIPTION','CHRONIC INDICATOR','BODY SYSTEM'\n";
        let rows = "'E119',\"Type 2, without\",'1','3'\n'V0001XA',Pedestrian,'0','None'\n";
        let chronic = Chronic::from_csv(&format!("{head}{rows}")).unwrap();
        assert_eq!((chronic.len(), chronic.body_system(code("V00.01XA"))), (2, None));
        assert_eq!(
            (chronic.get(code("E11.9")), chronic.body_system(code("E11.9"))),
            (Some(Indicator::Chronic), Some(3))
        );
        let error = Chronic::from_csv(&format!("{head}'E119',x,'2','3'\n")).unwrap_err();
        assert_eq!(error.to_string(), "line 2: `2`: the chronic indicator is 0, 1 or 9");
        let error = Chronic::from_csv(&format!("{head}'I10',x,'1','3'\n'I10',x,'0','3'\n")).unwrap_err();
        assert_eq!(error.to_string(), "line 3: `I10`: an earlier row says otherwise of this code");
        assert_eq!(Chronic::from_csv("a,b\n").unwrap_err(), ChronicError::Header);
        let apostrophe = "'K50011','Crohn's disease, with bleeding','1','9'\n";
        let chronic = Chronic::from_csv(&format!("{head}{apostrophe}")).unwrap();
        assert_eq!(chronic.get(code("K50.011")), Some(Indicator::Chronic));
    }
}
