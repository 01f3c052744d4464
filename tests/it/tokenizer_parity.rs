//! BERT tokenization, identical to Hugging Face's on the committed strings (`tests/reference/`).

use bert_xml_core::text::{OffsetMap, TokenIds, Tokenizer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    do_lower_case: bool,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    text: String,
    ids: Vec<u32>,
    offsets: Vec<(usize, usize)>,
}

#[test]
fn ids_and_offsets_equal_hugging_faces() {
    let vocab = include_str!("../fixtures/bert/vocab.txt");
    for json in
        [include_str!("../fixtures/tokenization.json"), include_str!("../fixtures/tokenization_cased.json")]
    {
        let fixture: Fixture = serde_json::from_str(json).unwrap();
        assert!(fixture.cases.len() >= 500);
        let plain = Tokenizer::from_vocab(vocab, fixture.do_lower_case).unwrap();
        let special = Tokenizer::from_vocab(vocab, fixture.do_lower_case).unwrap().reading_special_tokens();
        for case in &fixture.cases {
            let tokenizer = if case.kind == "special" { &special } else { &plain };
            let note = tokenizer.encode(&case.text);
            assert_eq!(TokenIds::new(tokenizer).encode(&case.text), case.ids, "{:?}", case.text);
            let map = OffsetMap::new(&case.text);
            let offsets: Vec<(usize, usize)> = note
                .spans
                .iter()
                .map(|span| map.byte_to_char(*span).unwrap())
                .map(|span| (span.start, span.end))
                .collect();
            assert_eq!((&note.ids, &offsets), (&case.ids, &case.offsets), "{:?}", case.text);
        }
    }
}

#[test]
fn a_note_cannot_spell_a_special_token() {
    let tokenizer = Tokenizer::from_vocab(include_str!("../fixtures/bert/vocab.txt"), true).unwrap();
    let note = tokenizer.encode("pain [MASK] and [SEP] fever");
    let special = tokenizer.special();
    assert!(note.ids.iter().all(|id| ![special.mask, special.sep, special.cls, special.pad].contains(id)));
}
