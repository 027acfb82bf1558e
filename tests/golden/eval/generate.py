"""Writes cases.jsonl with scikit-learn and SciPy: `python generate.py` in this folder.

Scores are multiples of 1/64, so that ties are many and every library reads the same numbers. The
equal error rate is where scikit-learn's ROC, its points joined by straight lines, meets the
diagonal. Tango's interval is found without his formula: the likelihood is maximised numerically
under each supposed difference.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.interpolate import interp1d
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binomtest, norm
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, confusion_matrix, roc_auc_score, roc_curve

QUANTILES = [0.5, 0.95, 0.99]
PAIRS = [(0, 0, 50), (3, 1, 30), (9, 0, 40), (12, 5, 41), (50, 50, 200), (1, 0, 1), (0, 6, 300), (170, 120, 2000)]


def scores(rng, positive, negative, shift):
    """Scores from 1/64 to 63/64 and the truth about each."""
    truth = np.r_[np.ones(positive, int), np.zeros(negative, int)]
    raw = rng.normal(truth * shift, 1.0)
    return np.clip(np.round(64 / (1 + np.exp(-raw))), 1, 63) / 64, truth


def ranks(rng, positive, negative, shift, silent):
    """Metrics of scores, the first `silent` of either truth without a detection."""
    score, truth = scores(rng, positive, negative, shift)
    for value in (0, 1):
        score[np.flatnonzero(truth == value)[:silent]] = -1.0
    false, true, cuts = roc_curve(truth, score, drop_intermediate=False)
    equal = brentq(lambda x: 1.0 - x - interp1d(false, true)(x), 0.0, 1.0, xtol=1e-14)
    needed = next(i for i in range(len(cuts)) if true[i] >= 0.9 - 1e-12)
    heard = score >= 0
    counts, means = calibration_curve(truth[heard], score[heard], n_bins=7)
    at = confusion_matrix(truth, score >= 0.5)
    return {
        "kind": "ranks",
        "scores": [None if s < 0 else s for s in score.tolist()],
        "truth": truth.tolist(),
        "auc": roc_auc_score(truth, score),
        "equal_error": equal,
        "at_90_kept": [float(cuts[needed]), float(true[needed]), float(1 - false[needed])],
        "brier": brier_score_loss(truth[heard], score[heard]),
        "reliability": [means.tolist(), counts.tolist()],
        "accepted_at_half": [int(at[1, 1]), int(at[0, 1])],
    }


def tango(b, c, n, confidence):
    """The differences at which the score statistic is the normal quantile."""

    def score(difference):
        # P(only the second) = q, P(only the first) = q + difference.
        likelihood = lambda q: -(
            (b * np.log(q + difference) if b else 0.0)
            + (c * np.log(q) if c else 0.0)
            + ((n - b - c) * np.log(1 - 2 * q - difference) if n - b - c else 0.0)
        )
        ends = max(0.0, -difference) + 1e-14, (1 - difference) / 2 - 1e-14
        q = minimize_scalar(likelihood, bounds=ends, method="bounded", options={"xatol": 1e-14}).x
        return (b - c - n * difference) / np.sqrt(n * (2 * q + difference * (1 - difference)))

    z, estimate = norm.ppf(0.5 + confidence / 2), (b - c) / n
    low = -1.0 if estimate == -1 else brentq(lambda d: score(d) - z, -1 + 1e-9, estimate - 1e-9)
    high = 1.0 if estimate == 1 else brentq(lambda d: score(d) + z, estimate + 1e-9, 1 - 1e-9)
    return [float(low), float(high)]


def pairs(b, c, n):
    p = 1.0 if b + c == 0 else binomtest(b, b + c, 0.5).pvalue
    return {"kind": "pairs", "b": b, "c": c, "n": n, "p_value": float(p), "tango": tango(b, c, n, 0.95)}


def quantiles(rng, n):
    values = np.sort(rng.gamma(2.0, 0.3, n).round(4))
    return {"kind": "quantiles", "values": values.tolist(), "quantiles": np.quantile(values, QUANTILES).tolist()}


rng = np.random.default_rng(20)
cases = [{"kind": "versions", "numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}]
cases += [ranks(rng, *sizes) for sizes in [(41, 120, 2.0, 0), (41, 120, 2.0, 3), (7, 5, 0.0, 0), (150, 60, 3.5, 1), (60, 90, -1.0, 4)]]
cases += [pairs(*counts) for counts in PAIRS]
cases += [quantiles(rng, n) for n in (1, 2, 41, 100)]
Path("cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
