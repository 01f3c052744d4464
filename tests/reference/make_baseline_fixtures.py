"""Makes tests/fixtures/baseline.json: TF-IDF rows and logistic regressions as scikit-learn computes them.

Versions: Python 3.11.7, numpy 2.4.6, scikit-learn 1.9.1, scipy 1.17.1.
    pip install numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1
    python tests/reference/make_baseline_fixtures.py

The notes are words of ours drawn at random; each code has a few words that speak for it.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

WORDS = (
    "Cough fever rash x3 pain, chest knee swelling. ödem Fieber naïve mg_dl 40C denies history of the and no "
    "patient reports nausea vomiting dizziness left right a I mother has had since week-end INJECTION site red"
).split()
CODES = {"R05": ["Cough", "fever"], "R21": ["rash", "red"], "R07.9": ["pain,", "chest"], "R11.2": ["nausea"]}
TRAIN, OTHERS = 60, 20

rng = np.random.default_rng(7)
notes, gold = [], []
for _ in range(TRAIN + OTHERS):
    note = list(rng.choice(WORDS, rng.integers(4, 16)))
    codes = []
    for at, words in enumerate(CODES.values()):
        if rng.random() < 0.3 - 0.05 * at:
            codes.append(at)
            note.insert(int(rng.integers(0, len(note) + 1)), " ".join(words))
    if rng.random() < 0.15:
        codes = sorted(set(codes) ^ {int(rng.integers(0, len(CODES)))})
    notes.append(" ".join(note))
    gold.append(codes)
train, others = notes[:TRAIN], notes[TRAIN:]

vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
x = vectorizer.fit_transform(train)
z = vectorizer.transform(others)
names = vectorizer.get_feature_names_out()

decisions = {}
for c in (1.0, 20.0):
    table = []
    for code in range(len(CODES)):
        y = np.array([code in codes for codes in gold[:TRAIN]])
        model = LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(x, y)
        table.append([round(float(value), 8) for value in model.decision_function(z)])
    decisions[str(c)] = table

fixture = {
    "train": train,
    "gold": gold[:TRAIN],
    "others": others,
    "features": len(names),
    "rows": [
        {names[column]: round(float(value), 9) for column, value in zip(row.indices, row.data)}
        for row in (z[at] for at in range(6))
    ],
    "decisions": decisions,
}
path = Path(__file__).parents[1] / "fixtures" / "baseline.json"
path.write_text(json.dumps(fixture, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
print(path, path.stat().st_size, "bytes,", len(names), "features,", np.bincount(sum(gold[:TRAIN], [])))
