//! Ages and sexes: who can have what, and how much more often.

use super::prefixes::Prefixes;

/// Bands of age.
pub(super) const BANDS: usize = 8;
/// First year of each band, and the year behind the last.
const YEARS: [u32; BANDS + 1] = [0, 1, 13, 18, 35, 50, 65, 80, 96];
/// Bands times sexes.
pub(super) const GROUPS: usize = BANDS * 2;

/// Sex of a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sex {
    Female,
    Male,
}

/// A band of age and a sex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) band: usize,
    pub(super) sex: Sex,
}

impl Group {
    /// All of them, by place.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..BANDS).flat_map(|band| [Self { band, sex: Sex::Female }, Self { band, sex: Sex::Male }])
    }

    pub(super) fn place(self) -> usize {
        self.band * 2 + usize::from(self.sex == Sex::Male)
    }

    /// First year of the band, and the year behind it.
    pub(super) fn years(self) -> std::ops::Range<u32> {
        YEARS[self.band]..YEARS[self.band + 1]
    }
}

/// How much more often than others a group has a code; 0 where it cannot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    sex: Option<Sex>,
    bands: [f64; BANDS],
}

impl Profile {
    /// Reads `F<TAB>0 1 2 3 4 5 6 7`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (sex, bands) = text.split_once('\t')?;
        let sex = match sex {
            "F" => Some(Sex::Female),
            "M" => Some(Sex::Male),
            "-" => None,
            _ => return None,
        };
        let bands: Vec<f64> = bands.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { sex, bands: bands.try_into().ok()? })
    }

    pub(super) fn of(&self, group: Group) -> f64 {
        if self.sex.is_none_or(|sex| sex == group.sex) { self.bands[group.band] } else { 0.0 }
    }
}

/// The profiles of all codes.
pub(super) fn profiles() -> Prefixes<Profile> {
    Prefixes::parse("ages.tsv", include_str!("words/ages.tsv"), Profile::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_somebody_who_can_have_it() {
        let profiles = profiles();
        let of = |code: &str, place: usize| profiles.get(code).unwrap().of(Group::all().nth(place).unwrap());
        for code in ["A09", "O80", "C61", "P599", "Z7901", "I10", "U071"] {
            assert!((0..GROUPS).any(|place| of(code, place) > 0.0), "{code}");
        }
        for (place, group) in Group::all().enumerate() {
            assert_eq!(group.place(), place);
            assert_eq!(of("C61", place) > 0.0, group.sex == Sex::Male && group.band > 3, "{group:?}");
        }
    }
}
