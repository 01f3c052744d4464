//! What the rows that are done say to a claim.

use bert_xml_core::metrics::{Estimate, Interval};

use super::claims::{Ask, Claim, Judgement, Over, Verdict};
use super::figures::Figures;
use super::markdown::figure;
use super::outcome::{Influences, Outcome};
use super::rows::{ROWS, RowId};
use super::suite::{Scale, Suite};

/// What is known when claims are judged.
pub(super) struct Known<'a> {
    pub(super) suite: Suite,
    pub(super) scale: Scale,
    /// Rows that are done.
    pub(super) rows: Vec<(&'a Outcome, Option<Influences>)>,
    /// Bands of rare codes.
    pub(super) rare: Vec<usize>,
    pub(super) figures: Option<&'a Figures>,
}

/// What came of one claim.
struct Found {
    ours: String,
    difference: Option<Interval>,
    verdict: Verdict,
    why: String,
}

impl Found {
    fn new(verdict: Verdict, ours: impl Into<String>, why: impl Into<String>) -> Self {
        Self { ours: ours.into(), difference: None, verdict, why: why.into() }
    }

    fn open(why: impl Into<String>) -> Self {
        Self::new(Verdict::Open, "—", why)
    }
}

impl Known<'_> {
    pub(super) fn judge(&self, claim: &Claim) -> Judgement {
        let long = claim.long && !self.suite.has_long_notes();
        let mut found = if long {
            Found::new(Verdict::NotApplicable, "—", "its notes are short: one window holds them")
        } else {
            self.ask(claim.ask)
        };
        if let (Some(why), Suite::Cohort, true) =
            (claim.constructed, self.suite, found.verdict != Verdict::Open)
        {
            found.verdict = Verdict::ByConstruction;
            why.clone_into(&mut found.why);
        }
        Judgement {
            id: claim.id.into(),
            claim: claim.text.into(),
            paper: claim.paper.into(),
            ours: found.ours,
            difference: found.difference,
            verdict: found.verdict,
            why: found.why,
        }
    }

    fn row(&self, id: &str) -> Option<&(&Outcome, Option<Influences>)> {
        self.rows.iter().find(|(outcome, _)| outcome.row == id)
    }

    fn estimate(&self, id: &str, over: Over) -> Option<Estimate> {
        let influences = self.row(id)?.1.as_ref()?;
        match over {
            Over::All => influences.macro_mean(),
            Over::Rare => influences.over(&self.rare),
        }
    }

    /// The row of greatest macro AUC among some.
    fn best(&self, of: impl Fn(RowId) -> bool) -> Option<RowId> {
        let macro_auc = |id: RowId| Some((id, self.row(id)?.0.auc_macro?.value));
        let found = ROWS.iter().filter(|row| of(row.id)).filter_map(|row| macro_auc(row.id));
        found.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(id, _)| id)
    }

    fn ask(&self, ask: Ask) -> Found {
        match ask {
            Ask::Above(pairs, over) => self.above(pairs, over),
            Ask::EveryBert => self.every_bert(),
            Ask::RareCodes => match self.best(|id| ["1", "1-l1", "2"].contains(&id)) {
                Some(other) if self.row("14").is_some() => self.above(&[("14", other)], Over::Rare),
                _ => Found::open("rows 1, 2 and 14 decide it"),
            },
            Ask::RareTrend => self.rare_trend(),
            Ask::NoMore(a, b) => self.no_more(a, b),
            Ask::Words => match self.figures.and_then(|figures| figures.unknown_words) {
                Some([other, own]) => Found::new(
                    if own < other { Verdict::Confirmed } else { Verdict::NotConfirmed },
                    format!("{other:.1} → {own:.2}"),
                    "",
                ),
                None => Found::new(Verdict::NotApplicable, "—", "no other vocabulary was given (--bert)"),
            },
            Ask::Cost => self.cost(),
            Ask::WellFound => self.well_found(),
            Ask::Siblings => self.siblings(),
            Ask::Heads => self.heads(),
            Ask::Start => self.start(),
            Ask::Evidence => self.evidence(),
            Ask::Width => self.width(),
        }
    }

    /// All pairs; the one that stands worst decides: one that is refuted, else the one whose interval reaches lowest. Where
    /// a pair is not done, nothing is confirmed.
    fn above(&self, pairs: &[(RowId, RowId)], over: Over) -> Found {
        let mut worst: Option<(Interval, String)> = None;
        let (mut done, mut lacking) = (0, Vec::new());
        for &(a, b) in pairs {
            let (Some(of_a), Some(of_b)) = (self.estimate(a, over), self.estimate(b, over)) else {
                lacking.push(format!("{a} against {b}"));
                continue;
            };
            let Some(interval) = of_a.minus(&of_b).plain_interval() else { continue };
            done += 1;
            let stands = |interval: &Interval| (interval.high >= 0.0, interval.low);
            if worst.as_ref().is_none_or(|(found, _)| stands(&interval) < stands(found)) {
                let ours = format!("row {b} {} → row {a} {}", figure(of_b.value), figure(of_a.value));
                worst = Some((interval, ours));
            }
        }
        let Some((interval, mut ours)) = worst else {
            let none_rare = over == Over::Rare
                && pairs.iter().all(|(a, b)| self.row(a).is_some() && self.row(b).is_some());
            return match none_rare {
                true => {
                    Found::new(Verdict::NotApplicable, "—", "no rare code is present in the notes judged")
                }
                false => Found::open(format!("rows {} are not done", lacking.join(", "))),
            };
        };
        if done > 1 {
            ours += &format!(" (the worst of {done})");
        }
        let verdict = match () {
            () if interval.high < 0.0 => Verdict::NotConfirmed,
            () if interval.low <= 0.0 => Verdict::Inconclusive,
            () if !lacking.is_empty() => Verdict::Open,
            () => Verdict::Confirmed,
        };
        let why = match lacking.is_empty() {
            true => String::new(),
            false => format!("without {}", lacking.join(", ")),
        };
        Found { ours, difference: Some(interval), verdict, why }
    }

    fn every_bert(&self) -> Found {
        let pairs: Vec<(RowId, RowId)> = ROWS
            .iter()
            .filter(|row| row.is_the_papers() && row.bert().is_some())
            .flat_map(|row| ["1", "2"].map(|other| (row.id, other)))
            .collect();
        self.above(&pairs, Over::All)
    }

    fn rare_trend(&self) -> Found {
        let other = self.best(|id| ["1", "1-l1", "2"].contains(&id));
        let best = self
            .best(|id| super::rows::find(id).is_some_and(|row| row.is_the_papers() && row.bert().is_some()));
        let change = |id: RowId| -> Option<(f64, f64, Interval)> {
            let (all, rare) = (self.estimate(id, Over::All)?, self.estimate(id, Over::Rare)?);
            Some((all.value, rare.value, rare.minus(&all).plain_interval()?))
        };
        let (Some(other), Some(best)) = (other, best) else {
            return Found::open("a row of each kind decides it");
        };
        let (Some(of_other), Some(of_best)) = (change(other), change(best)) else {
            return Found::new(Verdict::NotApplicable, "—", "no rare code is present in the notes judged");
        };
        let shown = |id: RowId, (all, rare, _): &(f64, f64, Interval)| {
            format!("row {id} {} → {}", figure(*all), figure(*rare))
        };
        let verdict = match (&of_other.2, &of_best.2) {
            (other, best) if other.high < 0.0 && best.low > 0.0 => Verdict::Confirmed,
            (other, best) if other.low > 0.0 || best.high < 0.0 => Verdict::NotConfirmed,
            _ => Verdict::Inconclusive,
        };
        Found {
            ours: format!("{}; {}", shown(other, &of_other), shown(best, &of_best)),
            difference: Some(of_best.2),
            verdict,
            why: "the interval is that of the best BERT's change".into(),
        }
    }

    fn no_more(&self, a: RowId, b: RowId) -> Found {
        let (Some(of_a), Some(of_b)) = (self.estimate(a, Over::All), self.estimate(b, Over::All)) else {
            return Found::open(format!("rows {a} and {b} decide it"));
        };
        let Some(interval) = of_a.minus(&of_b).plain_interval() else {
            return Found::open("one patient has no interval");
        };
        let verdict = match () {
            () if interval.high <= 0.005 => Verdict::Confirmed,
            () if interval.low > 0.005 => Verdict::NotConfirmed,
            () => Verdict::Inconclusive,
        };
        Found {
            ours: format!("{} → {}", figure(of_b.value), figure(of_a.value)),
            difference: Some(interval),
            verdict,
            why: "nothing: no more than .005".into(),
        }
    }

    fn cost(&self) -> Found {
        let a_step = |id| {
            let outcome = self.row(id)?.0;
            let (tokens, speed) = outcome.tokens?;
            let steps = outcome.dev_curve.last()?.0;
            (speed > 0.0 && steps > 0).then(|| tokens as f64 / speed / steps as f64)
        };
        let (Some(long), Some(short)) = (a_step("12"), a_step("11")) else {
            return Found::open("rows 11 and 12 decide it");
        };
        let ratio = long / short;
        let ours = format!("{ratio:.1} (a step of as many windows)");
        match self.scale {
            Scale::Server if (2.5..=4.5).contains(&ratio) => Found::new(Verdict::Confirmed, ours, "within 1"),
            Scale::Server => Found::new(Verdict::NotConfirmed, ours, "not within 1"),
            _ => Found::new(
                Verdict::NotApplicable,
                ours,
                "windows are shorter here, and attention is a smaller part",
            ),
        }
    }

    fn well_found(&self) -> Found {
        let Some((outcome, _)) = self.row("14") else { return Found::open("row 14 decides it") };
        let present: Vec<f64> = outcome.per_code.iter().flatten().copied().collect();
        let well = present.iter().filter(|&&auc| auc >= 0.98).count();
        let enough = well * 5 >= present.len() && well > 0;
        let verdict = if enough { Verdict::Confirmed } else { Verdict::NotConfirmed };
        Found::new(verdict, format!("{well} of {}", present.len()), "")
    }

    fn siblings(&self) -> Found {
        let Some((outcome, _)) = self.row("14") else { return Found::open("row 14 decides it") };
        let Some(siblings) = outcome.siblings else {
            return Found::new(Verdict::NotApplicable, "—", "no two labels of a category, or no ICD codes");
        };
        let less = siblings.auc < siblings.auc_among_all;
        let verdict = if less { Verdict::Confirmed } else { Verdict::NotConfirmed };
        let ours = format!(
            "{} among notes of the category, {} among all ({} codes)",
            figure(siblings.auc),
            figure(siblings.auc_among_all),
            siblings.codes
        );
        Found::new(verdict, ours, "by the means, without an interval")
    }

    fn heads(&self) -> Found {
        let Some(figures) = self.figures.filter(|figures| !figures.heads.is_empty()) else {
            return Found::open("Figure 4 decides it");
        };
        let count = |kind: &str| figures.heads.iter().filter(|head| head.kind == kind).count();
        let (local, global) = (count("local"), count("global"));
        let verdict = if local > 0 && global > 0 { Verdict::Confirmed } else { Verdict::NotConfirmed };
        let ours = format!("{local} local, {global} global of {}", figures.heads.len());
        Found::new(verdict, ours, "by the measure of Figure 4, on one note")
    }

    fn start(&self) -> Found {
        let (Some((described, _)), Some((random, _))) = (self.row("10"), self.row("10-random")) else {
            return Found::open("rows 10 and 10-random decide it");
        };
        let best = random.dev_curve.iter().map(|&(_, auc)| auc).fold(0.0, f64::max);
        let Some(end) = random.dev_curve.iter().find(|(_, auc)| *auc >= best).map(|(step, _)| *step) else {
            return Found::open("no dev note has a code");
        };
        let reached = described.dev_curve.iter().find(|(_, auc)| *auc >= best).map(|(step, _)| *step);
        let (ours, verdict) = match reached {
            Some(step) => {
                let share = 100.0 * step as f64 / end as f64;
                let verdict = if share <= 50.0 { Verdict::Confirmed } else { Verdict::Inconclusive };
                (
                    format!("dev AUC {} after {step} steps instead of {end} ({share:.0} %)", figure(best)),
                    verdict,
                )
            }
            None => (
                format!("dev AUC {} not reached ({end} steps at random)", figure(best)),
                Verdict::NotConfirmed,
            ),
        };
        Found::new(verdict, ours, "dev is looked at after each pass; target: half of the steps")
    }

    fn evidence(&self) -> Found {
        match self.figures.and_then(|figures| figures.evidence) {
            Some(quality) => Found::new(
                if quality.hits * 2 > quality.codes { Verdict::Confirmed } else { Verdict::NotConfirmed },
                format!(
                    "the first words lie on a mention for {} of {} codes; F1 {}, intersection over union {} of characters; without it a \
                     probability falls by {}, with nothing else by {}",
                    quality.hits,
                    quality.codes,
                    figure(quality.f1),
                    figure(quality.intersection_over_union),
                    figure(quality.comprehensiveness),
                    figure(quality.sufficiency)
                ),
                "",
            ),
            None if self.suite != Suite::Cohort => {
                Found::new(Verdict::NotApplicable, "—", "these data have no gold evidence that is read here")
            }
            None => Found::open("Figure 3 decides it"),
        }
    }

    fn width(&self) -> Found {
        let half = |interval: &Option<Interval>| interval.map_or(0.0, |i| (i.high - i.low) / 2.0);
        let widths =
            self.rows.iter().flat_map(|(outcome, _)| [half(&outcome.auc_micro), half(&outcome.auc_macro)]);
        let widest = widths.fold(0.0, f64::max);
        let notes = self.rows.first().map_or(0, |(outcome, _)| outcome.report.notes);
        if self.rows.is_empty() {
            return Found::open("no row is done");
        }
        Found::new(
            Verdict::NotApplicable,
            format!("± {widest:.1e}"),
            format!(
                "it is that of the number of notes ({notes} here), and the paper's is not clustered by patient"
            ),
        )
    }
}
