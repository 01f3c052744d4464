//! What the table says of one chapter, block or code.

use std::borrow::Cow;

use super::{IcdTable, Kind, NONE, Node, SeventhCharacter};
use crate::codes::chronic::Indicator;
use crate::codes::icd::Code;

/// Place of each field in a row.
mod field {
    pub const NAME: usize = 2;
    pub const DESCRIPTION: usize = 3;
    pub const INCLUSION: usize = 6;
    pub const INCLUDES: usize = 7;
    pub const EXCLUDES1: usize = 8;
    pub const EXCLUDES2: usize = 9;
}

/// One chapter, block or code of a table.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub(super) table: &'a IcdTable,
    pub(super) at: u32,
}

impl<'a> Entry<'a> {
    fn node(&self) -> &'a Node {
        &self.table.nodes[self.at as usize]
    }

    fn field(&self, field: usize) -> &'a str {
        let (start, end) = self.node().row;
        self.table.text[start as usize..end as usize].split('\t').nth(field).unwrap_or("")
    }

    /// The terms of a list field; empty for a code made by its seventh character, whose parent has them.
    fn list(&self, field: usize) -> Vec<&'a str> {
        if self.seventh().is_some() {
            return Vec::new();
        }
        self.field(field).split('|').filter(|term| !term.is_empty()).collect()
    }

    fn seventh(&self) -> Option<&'a SeventhCharacter> {
        let node = self.node();
        (node.seventh != u8::MAX)
            .then(|| &self.table.rules[usize::from(node.rule)][usize::from(node.seventh)])
    }

    /// Place of the entry in [`IcdTable::entries`].
    pub fn index(&self) -> usize {
        self.at as usize
    }

    /// What the entry is.
    pub fn kind(&self) -> Kind {
        self.node().kind
    }

    /// The code, none for chapters and blocks.
    pub fn code(&self) -> Option<Code> {
        self.node().code
    }

    /// The dotted code, or the name of the chapter (`1`) or block (`A00-A09`).
    pub fn name(&self) -> Cow<'a, str> {
        match self.node().code {
            Some(code) if self.seventh().is_some() => code.dotted().into(),
            _ => self.field(field::NAME).into(),
        }
    }

    /// The official description.
    pub fn description(&self) -> Cow<'a, str> {
        let stored = self.field(field::DESCRIPTION);
        match self.seventh() {
            Some(seventh) => format!("{stored}, {}", seventh.meaning).into(),
            None => stored.into(),
        }
    }

    /// Whether a claim may carry this code: a code with no code below it.
    pub fn is_billable(&self) -> bool {
        self.kind() == Kind::Code && self.node().end == self.at + 1
    }

    /// The entry one level up, none for a chapter.
    pub fn parent(&self) -> Option<Self> {
        let parent = self.node().parent;
        (parent != NONE).then_some(Self { table: self.table, at: parent })
    }

    /// The entries above, nearest first, ending with the chapter.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<'a> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// The entries one level down, in order.
    pub fn children(&self) -> impl Iterator<Item = Self> + use<'a> {
        self.table.siblings(self.at + 1, self.node().end)
    }

    /// All entries below, in order.
    pub fn descendants(&self) -> impl ExactSizeIterator<Item = Self> + use<'a> {
        let table = self.table;
        (self.at + 1..self.node().end).map(move |at| Self { table, at })
    }

    /// The innermost block that holds this entry, or the entry itself if it is a block.
    pub fn block(&self) -> Option<Self> {
        std::iter::once(*self).chain(self.ancestors()).find(|entry| entry.kind() == Kind::Block)
    }

    /// The chapter that holds this entry, or the entry itself if it is one.
    pub fn chapter(&self) -> Self {
        self.ancestors().last().unwrap_or(*self)
    }

    /// Terms that this entry stands for beside its description. Not inherited.
    pub fn inclusion_terms(&self) -> Vec<&'a str> {
        match self.seventh() {
            Some(seventh) => seventh.inclusion_terms.iter().map(String::as_str).collect(),
            None => self.list(field::INCLUSION),
        }
    }

    /// The "Includes" notes at this entry; they hold for all below. Not inherited here.
    pub fn includes(&self) -> Vec<&'a str> {
        self.list(field::INCLUDES)
    }

    /// The Excludes1 notes at this entry: never coded together. They hold for all below; not inherited here.
    pub fn excludes1(&self) -> Vec<&'a str> {
        self.list(field::EXCLUDES1)
    }

    /// The Excludes2 notes at this entry: not part of it, may be coded together. Not inherited here.
    pub fn excludes2(&self) -> Vec<&'a str> {
        self.list(field::EXCLUDES2)
    }

    /// The seventh characters that the tabular list defines for this entry or above it, none if no rule
    /// holds. Which of them exist below a code is said by its [`Entry::children`].
    pub fn seventh_characters(&self) -> Option<&'a [SeventhCharacter]> {
        self.table.rules.get(usize::from(self.node().rule)).map(Vec::as_slice)
    }

    /// AHRQ's refined chronic condition indicator (CCIR); none where it does not list the code.
    pub fn chronic(&self) -> Option<Indicator> {
        match self.node().chronic {
            b'0' => Some(Indicator::NotChronic),
            b'1' => Some(Indicator::Chronic),
            b'9' => Some(Indicator::Undetermined),
            _ => None,
        }
    }
}
