#!/usr/bin/env python3
"""Makes the committed parity fixtures of the model and the tokenizer. CI runs no Python.

Requirements (Python 3.11, CPU only):
    torch==2.15.0  transformers==5.23.0  tokenizers==0.23.3  safetensors==0.8.0  numpy==2.4.6

Usage, from the repository root:
    python tests/reference/make_model_fixtures.py [OUTPUT_DIR]      (default: tests/fixtures)

Everything is seeded, single-threaded and float32, so a second run on the same machine writes the same bytes.
All words, sentences and weights are made here; nothing is downloaded. Shapes: batch 3, seq 24, d_model 32.

bert/config.json, bert/model.safetensors, bert/vocab.txt
    A random BertForPreTraining in Hugging Face's own layout (prefix `bert.`, heads `cls.`; the tied decoder
    weight and decoder bias are left out of the file, as `save_pretrained` does).
bert/expected.safetensors
    input_ids, token_type_ids, attention_mask (1 = real) i64 [batch, seq]; mlm_labels i64 [batch, seq] (-100 = none);
    nsp_labels i64 [batch]; hidden_states.0 (embeddings) to hidden_states.2 [batch, seq, d_model];
    pooled_output [batch, d_model]; mlm_logits [batch, seq, vocab]; nsp_logits [batch, 2];
    loss, mlm_loss, nsp_loss [1] (means; loss is their sum); grad.NAME of `loss` for every parameter NAME.
    The tied matrix has one gradient, embedding and decoder uses together. Its row 0 gets the decoder's share only
    (padding_idx 0). Key biases have a true gradient of 0 (a softmax ignores a shift), so theirs is rounding of about
    1e-8: compare with an absolute tolerance. Hidden states at padding positions are what the model computes there, attending real tokens.
bert_tokenizer.json
    The same uncased tokenizer as a Hugging Face tokenizer.json.
xml_head.safetensors
    Equations 2-4 of BERT-XML: hidden [batch, seq, d_model], mask u8 [batch, seq] (1 = a real word piece: no [CLS],
    [SEP] or padding), label_embeddings [labels, d_model], w_b [d_hidden, d_model], w_a [1, d_hidden],
    targets [batch, labels]; scores [batch, labels, seq] (before the mask), attention [batch, labels, seq], context
    [batch, labels, d_model], logits, probabilities [batch, labels], loss [1] (mean over batch and labels), and
    grad.hidden, grad.label_embeddings, grad.w_a, grad.w_b.
    Equation 1: cls.x [batch, d_model] (hidden at position 0), cls.weight [labels, d_model], cls.bias [labels],
    cls.logits, cls.probabilities, cls.loss, cls.grad.x, cls.grad.weight, cls.grad.bias, against the same targets.
tokenization.json, tokenization_cased.json
    {"do_lower_case", "vocab_size", "cases": [{"kind", "text", "ids", "offsets", "legacy_ids"?}]} without special
    tokens; offsets are [start, end) in Unicode code points of `text`. `legacy_ids` is present only where the pure
    Python BertTokenizerLegacy disagrees: it drops unassigned code points, and composes to NFC first, which shows
    only where accents are kept. The fast tokenizer is the reference. Kind "special" holds texts that spell a special token: Hugging Face maps
    these to the special id, which a tokenizer of clinical notes may refuse on purpose.
"""

import copy
import json
import sys
import unicodedata
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForPreTraining, BertTokenizerFast
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

BATCH, SEQ, D_MODEL, LABELS, D_HIDDEN = 3, 24, 32, 11, 16
LENGTHS = (24, 17, 9)
FIRST_SEP = (11, 8, 4)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """
the a an of and or to in on at with without for from by is was are were be been has had have no not any denies
reports patient man woman child year old years days weeks months hours ago today history physical exam plan
assessment admitted discharged seen clinic hospital emergency room home care nurse doctor surgery daily twice
chest abdominal back head knee hip left right upper lower pain ache fever cough cold chills nausea vomiting
shortness breath heart lung liver kidney brain skin bone blood pressure sugar urine stool throat ear eye
acute chronic mild moderate severe stable worse better normal abnormal high low positive negative family
diabetes mellitus type hypertension asthma pneumonia stroke cancer fracture sepsis anemia migraine angina
arthritis gout obesity depression anxiety infection failure disease syndrome injury fall bleeding edema
insulin aspirin metformin statin antibiotic tablet dose mg ml mmol unit oral x ray scan ct mri ecg lab result
cafe naive resume facade uber fiance mother father son daughter smoker alcohol allergy
creme angstrom per os kg cm bp hr cardio gastro neuro nephro hyper hypo pre post anti sub
""".split()
SUFFIXES = """
##s ##es ##ed ##ing ##er ##ly ##al ##ic ##ia ##y ##itis ##osis ##emia ##oma ##ectomy ##pathy ##ation ##tension
##glycemia ##logy ##logist ##ment ##ness ##able ##kalemia ##vascular ##enter ##operative ##biotic ##st ##th ##nd
""".split()
CAPITALISED = "The Patient Denies Pain Mother Cafe Café Dr Mr MRI CT ECG BP mmHg".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
WIDE_PUNCTUATION = "–—‘’“”…•°±×÷≥≤→½²µ®€£。、「」！？"
LATIN = "éèêëáàâäíïóôöúùüñçåßøłœæ"
GREEK_CYRILLIC = "αβγμδабвгеинорст"
CJK = "病心痛医院人大中国日本高血压糖尿热"
KANA = "カルテあいんが"
ARABIC_HEBREW_DEVANAGARI = "المريضשלוםदर"
HANGUL_SYLLABLES = "환자병"
EMOJI = ["😀", "❤", "💊", "👩"]


def make_vocabulary():
    """The WordPiece vocabulary: special tokens, characters, continuations, words, suffixes."""
    entries = list(SPECIAL)
    entries += list(PUNCTUATION) + list(WIDE_PUNCTUATION)
    for chars in ("0123456789", LETTERS, LETTERS.upper(), LATIN, GREEK_CYRILLIC, KANA, ARABIC_HEBREW_DEVANAGARI):
        entries += list(chars) + ["##" + c for c in chars]
    jamo = sorted(set(unicodedata.normalize("NFD", HANGUL_SYLLABLES)))
    entries += jamo + ["##" + c for c in jamo] + list(HANGUL_SYLLABLES) + ["##" + c for c in HANGUL_SYLLABLES]
    entries += list(CJK) + EMOJI + WORDS + SUFFIXES + CAPITALISED
    return list(dict.fromkeys(entries))


def make_texts():
    """The (kind, text) pairs whose tokenization is recorded, without repetition."""
    cases = []

    def add(kind, *texts):
        cases.extend((kind, text) for text in texts)

    findings = ["chest pain", "Shortness of Breath", "hyperglycemia", "hypokalemia", "gastroenteritis",
                "nephropathy", "cardiovascular disease", "post-operative bleeding", "pneumonia", "migraine",
                "osteoarthritis", "appendectomy", "TYPE 2 DIABETES MELLITUS", "hypertension"]
    templates = ["Patient reports {} for 3 days.", "Denies {}; plan: stable.", "Family history of {} (mother).",
                 "ASSESSMENT: {}, acute on chronic, worse today", "{}?", "No {} or fever/chills...",
                 "58 year old man admitted with {}.", "r/o {} vs. sepsis", "PMH:\t{}\r\nMeds: aspirin 81mg",
                 "\"{}\" -- seen in clinic, 12/05/2019 @ 07:45", "s/p {}&{{acute}}"]
    for template in templates:
        add("sentence", *(template.format(finding) for finding in findings))
    add("number", "1", "0.5", "1,000", "-3.25", "1e-12", "120/80", "98.6°F", "37,5 °C", "10^9/L", "2019-05-12", "I10",
        "E11.65", "Z79.4", "S72.001A", "5mg/5ml", "#3", "100%", "+2.0", "3½ years", "x10²", "½", "Ⅳ", "٣٤", "１２３", "१२",
        "q6h", "T3N0M0", "0123456789", "HbA1c 7.2", "INR=2.1", "1st 2nd 3rd 4th", "12345678901234567890")
    for mark in PUNCTUATION + WIDE_PUNCTUATION:
        add("punctuation", mark, f"pain{mark}fever", f"{mark} cough {mark}{mark}")
    accented = ["café", "naïve", "résumé", "façade", "über", "fiancé", "crème brûlée", "ÅNGSTRÖM", "São Paulo",
                "Ménière's disease", "Sjögren syndrome", "Guillain–Barré", "Köhler", "Ñandú", "Łódź", "smørrebrød",
                "straße", "STRASSE ß ẞ", "œdème", "æther", "İstanbul ıI", "Đặng Việt", "Χανς αβγ", "ΣΊΣΥΦΟΣ",
                "Ёлка й", "боль в груди", "Škoda žluťoučký", "coöperate", "é", "É", "ﬁne ﬂow", "Ǆ ǆ", "Dž"]
    for form in ("NFC", "NFD"):
        add("accent", *(unicodedata.normalize(form, text) for text in accented))
    add("accent", "e\u0301\u0301\u0301", "\u0301", "\u0301pain", "pa\u0301\u0300in", " \u0308 ", "a\u0328\u0301b", "x\u20dd",
        "Z\u0351\u036b\u0343a\u0322l\u0321go", "o\u0338", "q\u0307\u0323", "q\u0323\u0307")
    add("cjk", "心痛", "病人高血压", "大人心痛3天", "chest心痛pain", "糖尿病 type 2", "日本語カルテ", "カルテ", "ガギグ", "ｶﾙﾃ", "あいんがく",
        "が", "か\u3099", "患者有发热。", "医院、病院！", "「心」", "中国 中國", "㐀㐁", "𠀀𠀁", "豈更", "丽", "〇", "々", "ー", "全角ＡＢＣ",
        "ｆｅｖｅｒ", "心\u3000痛", "⼼", "㊙", "㎎", "ㄅㄆ", "台北", "热热热", "a病b", "病.病", "１０mg")
    add("hangul", "환자", "환자 병", "병원", "환", unicodedata.normalize("NFD", "환자"), "환자pain", "두통이 있습니다", "ㅎㅏㄴ", "한국어 텍스트.", "병병병",
        "하", "자\u0301")
    add("rtl", "المريض", "المَرِيض", "السلام عليكم", "שלום", "שָׁלוֹם", "مريض pain 5mg", "؟", "،", "\u200fالمريض\u200e",
        "لا", "ﻻ", "ﷺ", "آ أ إ", "\u202bשלום\u202c fever", "ם ש ל")
    add("indic", "दर्द", "दर", "हिन्दी", "தமிழ்", "ไทย", "ปวดหัว", "བོད", "ខ្មែរ", "ქართული", "Հայերեն", "አማርኛ", "বাংলা", "क़", "क\u093c")
    add("emoji", "😀", "😀😀", "pain 😀", "pain😀fever", "❤", "❤️", "💊 daily", "👩‍⚕️", "👩🏽‍⚕️", "🇩🇪", "1️⃣", "🫀🫁", "😀.", "☺︎", "👨‍👩‍👧‍👦 family",
        "👍🏿", "✓ stable", "★", "♀", "𝒜𝓃𝓃𝒶", "𝟏𝟐", "🀄", "😀\u200d", "x😀x")
    controls = [*range(0x00, 0x20), 0x7F, 0x80, 0x85, 0x9F, 0xA0, 0xAD]
    for code in controls:
        add("control", f"chest{chr(code)}pain")
    add("control", "\x00", "\x00\x00fever", "fever\x00", "\x07 cough", "a\x1b[31mred\x1b[0m", "\x7f", "\ufffd", "pa\ufffdin",
        "\ufffd fever \ufffd", "\ue000", "pa\ue000in", "\U000f0000", "\uffff", "a\ufdd0b", "\U0010ffff", "\u0378 x")
    hidden = [0x1680, 0x180E, *range(0x2000, 0x2010), 0x2028, 0x2029, 0x202A, 0x202F, 0x205F, 0x2060, 0x2063, 0x2069,
              0x3000, 0xFEFF, 0xFE0F, 0xFFF9, 0xFFFC, 0xE0041, 0x034F, 0x061C, 0x115F, 0x3164, 0x1D173]
    for code in hidden:
        add("zero-width", f"knee{chr(code)}ache")
    add("zero-width", "\u200b", "\ufeff", "\ufeffchest pain", "k\u200bn\u200be\u200be", "\u200d\u200d", "fever\u200b.", " \u200b ")
    add("whitespace", "", " ", "   ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2003 ", "\v\f", " \t\n ", " pain", "pain ",
        "  chest   pain  ", "chest\tpain", "chest\npain", "chest\r\npain\r\n", "chest\rpain", "\n\nfever\n\n", "a\u00a0b",
        "line one\r\n\r\nline two\n\tline three", "no\u2028yes", "no\u2029yes", "no\x85yes")
    for count in (99, 100, 101, 150):
        add("long", "a" * count, "é" * count, "pain " + "x" * count + " fever", "e\u0301" * count)
    add("long", "hyper" * 20, "hyper" * 20 + "s", "1" * 101, "病" * 101, "😀" * 101, "." * 101, "a\u200b" * 60, "\x00a" * 101,
        "A" * 100, "A" * 101, "pain-" * 30, "\u0301" * 120, "a" + "\u0301" * 120, "환" * 33, "환" * 34, "ß" * 101,
        "İ" * 100, "http://example.org/" + "path/" * 25, "a" * 1000, "chest pain " * 40)
    add("unknown", "þorn", "ʃəˈdɪŋk", "ꙮ", "ﬀ", "ﷲ", "ᚠᚢᚦ", "paiþn", "𐍈", "‰", "∑∫√", "⌘", "↯ pain", "§ 12", "¿qué?", "¡ay!",
        "№ 5", "™ © ®", "ºª", "↑BP ↓HR", "Δ ψ", "×3", "a∞b", "฿", "₹5", "␀", "¼ ¾", "ƒ", "ŋ", "␍␊")
    add("mixed", "Pt c/o CP x3d, SOB; h/o DM2/HTN.", "pain#fever@home", "don't can't won't", "o'clock", "rock'n'roll",
        "U.S.A.", "e.g. aspirin", "C++", "a_b_c", "foo--bar", "===", "##ing", "## ing", "#", "##", "[pain]", "[[x]]", "<b>pain</b>",
        "&amp;", "\\n", "C:\\temp", "a/b/c", "user@example.org", "50% (n=3)", "BP 120/80mmHg HR 72", "T38.5℃", "[**Name 12**]",
        "___", "pain,fever,cough", "Dr. Köhler: 心痛 😀\r\n\tplan\u200b?", "Café\u00a0au\u00a0lait №5", "PaIn FEVER cOuGh",
        "unaffable", "xyz", "zzzzz", "hypertensions", "nephrologists", "cardiology cardiologist", "painfully", "preoperatively",
        "antibiotics", "subacute", "hyperhyper", "MixedCASEWord", "I", "Å", "K", "Ω", "ﬃ", "ŉ", "ǰ", "ΐ", "ᾳ",
        "[UNK", "CLS]", "[ CLS ]", "[cls", "chest [ ] pain", "µg μg", "±2", "≥90 ≤10", "→ home", "… and • more")
    add("special", "[CLS]", "[SEP] pain", "chest [MASK] pain", "[PAD][PAD]", "[UNK]", "[cls]", "pain[SEP]fever", " [MASK] ",
        "[CLS] chest pain [SEP] fever [SEP]")
    return list(dict.fromkeys(cases))


def write_tokenization(out, vocabulary):
    vocabulary_ids = {token: index for index, token in enumerate(vocabulary)}
    for lower, name in ((True, "tokenization.json"), (False, "tokenization_cased.json")):
        fast = BertTokenizerFast(vocab=vocabulary_ids, do_lower_case=lower)
        from_file = BertTokenizerFast.from_pretrained(str(out / "bert"), do_lower_case=lower)
        legacy = BertTokenizerLegacy(vocab_file=str(out / "bert" / "vocab.txt"), do_lower_case=lower)
        assert fast.is_fast and not legacy.is_fast and fast.get_vocab() == vocabulary_ids == legacy.get_vocab()
        lines, different = [], []
        for kind, text in make_texts():
            encoded = fast(text, add_special_tokens=False, return_offsets_mapping=True)
            ids = [int(i) for i in encoded["input_ids"]]
            case = {"kind": kind, "text": text, "ids": ids, "offsets": [list(o) for o in encoded["offset_mapping"]]}
            assert from_file(text, add_special_tokens=False)["input_ids"] == ids, repr(text)
            legacy_ids = [int(i) for i in legacy(text, add_special_tokens=False)["input_ids"]]
            if legacy_ids != ids:
                case["legacy_ids"] = legacy_ids
                different.append((kind, text[:40]))
            assert all(0 <= start < end <= len(text) for start, end in case["offsets"]), repr(text)
            lines.append(json.dumps(case))
        header = f'"do_lower_case": {json.dumps(lower)}, "vocab_size": {len(vocabulary)}'
        (out / name).write_text("{" + header + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")
        print(f"{name}: {len(lines)} cases, legacy differs in {len(different)}: {different}")
        if lower:
            fast.backend_tokenizer.save(str(out / "bert_tokenizer.json"))


def randomise(model, generator):
    """Normal weights, LayerNorm gains around 1 and biases of their own, so that nothing is trivial."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("LayerNorm.weight"):
                parameter.copy_(1.0 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            else:
                parameter.copy_(0.15 * noise)


def make_pretraining_batch(vocab_size, rng):
    input_ids = np.zeros((BATCH, SEQ), dtype=np.int64)
    token_type_ids = np.zeros_like(input_ids)
    attention_mask = np.zeros_like(input_ids)
    mlm_labels = np.full_like(input_ids, -100)
    for row, (length, first_sep) in enumerate(zip(LENGTHS, FIRST_SEP)):
        input_ids[row, :length] = rng.integers(len(SPECIAL), vocab_size, length)
        input_ids[row, 0], input_ids[row, first_sep], input_ids[row, length - 1] = 2, 3, 3
        token_type_ids[row, first_sep + 1 : length] = 1
        attention_mask[row, :length] = 1
        ordinary = [i for i in range(1, length) if input_ids[row, i] >= len(SPECIAL)]
        chosen = rng.choice(ordinary, 3, replace=False)
        mlm_labels[row, chosen] = input_ids[row, chosen]
        input_ids[row, chosen[0]] = 4
        input_ids[row, chosen[1]] = rng.integers(len(SPECIAL), vocab_size)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "token_type_ids": torch.from_numpy(token_type_ids),
        "attention_mask": torch.from_numpy(attention_mask),
        "mlm_labels": torch.from_numpy(mlm_labels),
        "nsp_labels": torch.tensor([0, 1, 1]),
    }


def run_bert(model, batch):
    """Every recorded output and gradient of one forward and backward pass."""
    model.eval()
    model.zero_grad(set_to_none=True)
    inputs = {key: batch[key] for key in ("input_ids", "token_type_ids", "attention_mask")}
    labels = {"labels": batch["mlm_labels"], "next_sentence_label": batch["nsp_labels"]}
    output = model(**inputs, **labels, output_hidden_states=True)
    with torch.no_grad():
        pooled = model.bert(**inputs).pooler_output
    mlm_logits, nsp_logits = output.prediction_logits, output.seq_relationship_logits
    mlm_loss = F.cross_entropy(mlm_logits.flatten(0, 1), batch["mlm_labels"].flatten(), ignore_index=-100)
    nsp_loss = F.cross_entropy(nsp_logits, batch["nsp_labels"])
    assert torch.equal(output.loss, mlm_loss + nsp_loss)
    assert torch.equal(model.cls.seq_relationship(pooled), nsp_logits)
    output.loss.backward()
    result = {f"hidden_states.{i}": hidden for i, hidden in enumerate(output.hidden_states)}
    result |= {"pooled_output": pooled, "mlm_logits": mlm_logits, "nsp_logits": nsp_logits}
    result |= {"loss": output.loss, "mlm_loss": mlm_loss, "nsp_loss": nsp_loss}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # Equal key biases shift every score of a query alike: that gradient is zero but for rounding.
        assert name.endswith("key.bias") or parameter.grad.abs().max() > 1e-6, name
        result[f"grad.{name}"] = parameter.grad
    return {name: tensor.detach().reshape(tensor.shape or (1,)).clone() for name, tensor in result.items()}


def write_bert(out, vocabulary):
    generator = torch.Generator().manual_seed(20200601)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=D_MODEL, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64, type_vocab_size=2, layer_norm_eps=1e-12,
        hidden_act="gelu", attn_implementation="eager",
    )
    model = BertForPreTraining(config).float().eval()
    randomise(model, generator)
    model.save_pretrained(out / "bert")
    assert model.config._attn_implementation == "eager"
    batch = make_pretraining_batch(len(vocabulary), np.random.default_rng(1))
    expected = run_bert(model, batch)
    assert len(expected["hidden_states.0"].shape) == 3 and "hidden_states.2" in expected
    again, loading = BertForPreTraining.from_pretrained(
        out / "bert", attn_implementation="eager", output_loading_info=True
    )
    assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
    for name, tensor in run_bert(again, batch).items():
        assert torch.equal(tensor, expected[name]), f"save and load changed {name}"
    report_precision("bert", expected, run_bert(copy.deepcopy(model).double(), batch))
    save_file({**batch, **expected}, out / "bert" / "expected.safetensors")
    for name in ("expected.safetensors", "model.safetensors"):
        (out / "bert" / name).chmod(0o644)
    print("bert tensors in the checkpoint:", *load_file(out / "bert" / "model.safetensors"))


def report_precision(title, single, double):
    """Asserts that float32 itself is well inside the tolerances the Rust tests use (1e-4; gradients 1e-3 relative)."""
    outputs = gradients = 0.0
    for name, tensor in single.items():
        error = (tensor.double() - double[name]).abs().max().item()
        if "grad." in name:
            scale = double[name].abs().max().item()
            gradients = max(gradients, error / scale if scale > 1e-9 else 0.0)
        else:
            outputs = max(outputs, error)
    print(f"{title}: float32 against float64: outputs {outputs:.1e}, gradients {gradients:.1e} of the largest entry")
    assert outputs < 1e-5 and gradients < 1e-4


def run_xml_head(inputs, mask, targets):
    """Equations 2-4, and equation 1 on the first position, in plain PyTorch."""
    leaf = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}
    scores = torch.einsum("bsd,ld->bls", leaf["hidden"], leaf["label_embeddings"])
    attention = scores.masked_fill(~mask[:, None, :], float("-inf")).softmax(dim=-1)
    context = torch.einsum("bls,bsd->bld", attention, leaf["hidden"])
    logits = (torch.relu(context @ leaf["w_b"].T) @ leaf["w_a"].T).squeeze(-1)
    loss = F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
    cls_logits = leaf["cls.x"] @ leaf["cls.weight"].T + leaf["cls.bias"]
    cls_loss = F.binary_cross_entropy_with_logits(cls_logits, targets.to(logits.dtype))
    (loss + cls_loss).backward()  # the two share no leaf
    result = {
        "scores": scores, "attention": attention, "context": context, "logits": logits,
        "probabilities": logits.sigmoid(), "loss": loss.reshape(1),
        "cls.logits": cls_logits, "cls.probabilities": cls_logits.sigmoid(), "cls.loss": cls_loss.reshape(1),
    }
    for name, tensor in leaf.items():
        result[f"cls.grad.{name[4:]}" if name.startswith("cls.") else f"grad.{name}"] = tensor.grad
    return {name: tensor.detach().contiguous() for name, tensor in result.items()}


def write_xml_head(out):
    generator = torch.Generator().manual_seed(20200602)

    def normal(*shape, std):
        return std * torch.randn(*shape, generator=generator)

    inputs = {
        "hidden": normal(BATCH, SEQ, D_MODEL, std=1.0),
        "label_embeddings": normal(LABELS, D_MODEL, std=0.3),
        "w_b": normal(D_HIDDEN, D_MODEL, std=0.4),
        "w_a": normal(1, D_HIDDEN, std=0.4),
        "cls.weight": normal(LABELS, D_MODEL, std=0.2),
        "cls.bias": normal(LABELS, std=0.5),
    }
    inputs["cls.x"] = inputs["hidden"][:, 0].clone()
    mask = torch.zeros(BATCH, SEQ, dtype=torch.bool)
    for row, (length, first_sep) in enumerate(zip(LENGTHS, FIRST_SEP)):
        mask[row, 1 : length - 1] = True
        mask[row, first_sep] = False
    targets = (torch.rand(BATCH, LABELS, generator=generator) < 0.3).float()
    assert 0 < targets.sum() < targets.numel()
    expected = run_xml_head(inputs, mask, targets)
    assert expected["attention"].masked_select(~mask[:, None, :].expand_as(expected["attention"])).eq(0).all()
    assert torch.allclose(expected["attention"].sum(-1), torch.ones(BATCH, LABELS), atol=1e-6)
    report_precision("xml_head", expected, run_xml_head({k: v.double() for k, v in inputs.items()}, mask, targets))
    save_file({**inputs, "mask": mask.to(torch.uint8), "targets": targets, **expected}, out / "xml_head.safetensors")
    (out / "xml_head.safetensors").chmod(0o644)


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "fixtures")
    (out / "bert").mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    vocabulary = make_vocabulary()
    (out / "bert" / "vocab.txt").write_text("".join(token + "\n" for token in vocabulary), encoding="utf-8")
    print("vocabulary:", len(vocabulary))
    write_bert(out, vocabulary)
    write_xml_head(out)
    write_tokenization(out, vocabulary)


if __name__ == "__main__":
    main()
