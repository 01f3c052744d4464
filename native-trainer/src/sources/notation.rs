//! Codes as sources write them, often without their dot, in the spelling that labels have.

use bert_xml_core::codes::{Code, CodeSystem};

/// The code in the spelling of its system's labels.
///
/// # Errors
/// The rule that it breaks.
pub(super) fn spelled(system: &CodeSystem, written: &str) -> Result<String, &'static str> {
    let written = written.trim();
    match system {
        CodeSystem::Icd10cm => {
            Code::parse(written).map(|code| code.dotted()).map_err(|_| "no code of ICD-10-CM")
        }
        CodeSystem::Icd9cm => icd9cm(written).ok_or("no diagnosis of ICD-9-CM"),
        _ if written.is_empty() => Err("an empty code"),
        _ => Ok(written.to_owned()),
    }
}

/// A diagnosis of ICD-9-CM with its dot: three digits, `V` and two digits or `E` and three, then at most two digits (one
/// for `E`).
fn icd9cm(written: &str) -> Option<String> {
    let dot = written.find('.');
    let bare: String = written.chars().filter(|c| *c != '.').collect::<String>().to_ascii_uppercase();
    let (category, most) = match bare.as_bytes().first()? {
        b'E' => (4, 1),
        b'V' | b'0'..=b'9' => (3, 2),
        _ => return None,
    };
    let digits = bare.bytes().skip(usize::from(!bare.as_bytes()[0].is_ascii_digit()));
    let well_formed = digits.clone().count() + 1 >= category
        && digits.clone().all(|digit| digit.is_ascii_digit())
        && (category..=category + most).contains(&bare.len());
    // A dot that is there stands behind the category.
    if !well_formed || dot.is_some_and(|dot| dot != category || written.matches('.').count() > 1) {
        return None;
    }
    let (category, rest) = bare.split_at(category);
    Some(if rest.is_empty() { category.to_owned() } else { format!("{category}.{rest}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_get_their_dot() {
        let nine = |code: &str| spelled(&CodeSystem::Icd9cm, code);
        for (written, code) in [
            ("4019", "401.9"),
            ("401.9", "401.9"),
            ("042", "042"),
            ("25000", "250.00"),
            ("V3001", "V30.01"),
            ("v270", "V27.0"),
            ("E8497", "E849.7"),
            (" E849.7 ", "E849.7"),
        ] {
            assert_eq!(nine(written).as_deref(), Ok(code), "{written}");
        }
        for wrong in ["", "42", "4019123", "E84", "E84977", "V3", "I10", "40.19", "401.9.1", "4O19"] {
            assert!(nine(wrong).is_err(), "{wrong}");
        }
        let ten = |code: &str| spelled(&CodeSystem::Icd10cm, code);
        assert_eq!((ten("E119").as_deref(), ten("e11.9").as_deref()), (Ok("E11.9"), Ok("E11.9")));
        assert_eq!(ten("4019"), Err("no code of ICD-10-CM"));
        assert_eq!(
            spelled(&CodeSystem::Meddra, " Injection site pain ").as_deref(),
            Ok("Injection site pain")
        );
    }
}
