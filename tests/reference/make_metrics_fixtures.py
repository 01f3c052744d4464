"""Makes tests/fixtures/metrics.json: small multi-label problems and what scikit-learn says of them.

Versions: Python 3.11.7, numpy 2.4.6, scikit-learn 1.9.1, scipy 1.17.1.
    pip install numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1
    python tests/reference/make_metrics_fixtures.py

From scikit-learn: AUC, average precision, F1, the threshold (precision_recall_curve), MAP (average
precision of each note's ranks, which have no ties any more), exact match (accuracy_score). P@k,
R-precision and ECE, which it lacks, are written out below in their plainest form.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
)


def ece(p, y, bins=15):
    """Equal mass; a cell's bin depends on how many cells are smaller, so that ties share a bin."""
    p, y = p.ravel(), y.ravel()
    smaller = np.array([(p < value).sum() for value in p])
    bin_of = smaller * bins // p.size
    total = 0.0
    for b in range(bins):
        cells = bin_of == b
        if cells.any():
            total += cells.sum() / p.size * abs(p[cells].mean() - y[cells].mean())
    return total


def precision_at(order, y, k):
    return float(np.mean([y[n, order[n, :k]].sum() / k for n in range(len(y))]))


def judge(name, p, y, threshold):
    notes, labels = p.shape
    support = y.sum(0)
    present = (support > 0) & (support < notes)
    order = np.argsort(-p, axis=1, kind="stable")
    rank = np.argsort(order, axis=1)
    with_gold = [n for n in range(notes) if y[n].any()]
    assigned = (p >= threshold).astype(int)

    precision, recall, thresholds = precision_recall_curve(y.ravel(), p.ravel())
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = max(i for i in range(len(thresholds)) if f1[i] >= f1[:-1].max() - 1e-12)

    def area(metric, columns, average):
        return float(metric(y[:, columns], p[:, columns], average=average))

    everything = np.ones(labels, bool)
    report = {
        "auc_micro": area(roc_auc_score, present, "micro"),
        "auc_macro": area(roc_auc_score, present, "macro"),
        "auc_micro_all": area(roc_auc_score, everything, "micro"),
        "auprc_micro": area(average_precision_score, present, "micro"),
        "auprc_macro": area(average_precision_score, present, "macro"),
        "f1_micro": float(f1_score(y, assigned, average="micro", zero_division=0)),
        "f1_macro": float(
            f1_score(y[:, support > 0], assigned[:, support > 0], average="macro", zero_division=0)
        ),
        "p_at_5": precision_at(order, y, 5),
        "p_at_8": precision_at(order, y, 8),
        "p_at_15": precision_at(order, y, 15),
        "r_precision": float(np.mean([y[n, order[n, : y[n].sum()]].mean() for n in with_gold])),
        "map": float(np.mean([average_precision_score(y[n], -rank[n]) for n in with_gold])),
        "exact_match": float(accuracy_score(y, assigned)),
        "ece": float(ece(p, y)),
        "threshold": threshold,
        "notes": notes,
        "codes": labels,
        "codes_undefined": int((~present).sum()),
    }
    return {
        "name": name,
        "labels": labels,
        "probabilities": [float(value) for value in p.ravel()],
        "gold": [[int(label) for label in np.flatnonzero(row)] for row in y],
        "tuned_threshold": float(thresholds[best]),
        "tuned_f1_micro": float(f1[best]),
        "report": report,
    }


def problem(rng, notes, labels, prevalence, decimals, noise=1.0):
    y = (rng.random((notes, labels)) < prevalence).astype(int)
    logits = 2.0 * y - 1.5 + noise * rng.standard_normal((notes, labels))
    return np.round(1 / (1 + np.exp(-logits)), decimals), y


def main():
    rng = np.random.default_rng(20)
    problems = []
    p, y = problem(rng, 40, 20, 0.2, 6)
    problems.append(judge("fine scores", p, y, 0.5))
    p, y = problem(rng, 60, 18, 0.15, 1)
    problems.append(judge("coarse ties", p, y, 0.3))
    p, y = problem(rng, 50, 16, 0.1, 2)
    y[:, 3], y[:, 7] = 0, 1  # a label that nobody has, one that all have
    problems.append(judge("undefined labels", p, y, 0.4))
    p, y = problem(rng, 30, 4, 0.3, 1)
    y[5] = 0
    problems.append(judge("fewer labels than k, a note without gold", p, y, 0.5))
    p, y = problem(rng, 25, 17, 0.2, 2)
    problems.append(judge("constant scores", np.full_like(p, 0.25), y, 0.25))
    p, y = problem(rng, 40, 20, 0.03, 1, noise=2.0)
    problems.append(judge("rare labels", p, y, 0.9))

    path = Path(__file__).parent.parent / "fixtures" / "metrics.json"
    path.write_text("[\n" + ",\n".join(json.dumps(p, separators=(",", ":")) for p in problems) + "\n]\n")
    print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
