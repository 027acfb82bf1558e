"""Writes intervals.tsv with SciPy: `python generate.py` in this folder."""

from pathlib import Path

import scipy
from scipy.stats import beta, binom, chi2

SHARES = [(0, 1), (1, 1), (0, 0), (0, 41), (1, 41), (40, 41), (41, 41), (2, 263), (0, 370), (7, 22), (3, 3000),
          (0, 2995), (500, 1000), (12, 100_000), (99_990, 100_000), (123_456, 1_000_000)]
COUNTS = [0, 1, 2, 5, 17, 100, 1234, 1_000_000]
TAILS = [(0, 2995, 0.001), (0, 2994, 0.001), (3, 1000, 0.001), (500, 1000, 0.5), (1, 30, 0.2), (29, 30, 0.5),
         (950, 1_000_000, 0.001), (99, 1000, 0.1), (3, 100_000, 0.0005)]


def share(k, n, confidence):
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else beta.ppf(tail, k, n - k + 1)
    high = 1.0 if k == n else beta.isf(tail, k + 1, n - k)
    upper = 1.0 if k == n else beta.isf(1 - confidence, k + 1, n - k)
    return low, high, upper


def rate(k, confidence):
    tail = (1 - confidence) / 2
    return (0.0 if k == 0 else chi2.ppf(tail, 2 * k) / 2), chi2.isf(tail, 2 * k + 2) / 2


rows = [f"# scipy {scipy.__version__}"]
for confidence in (0.9, 0.95, 0.999):
    for k, n in SHARES:
        rows.append("share\t" + "\t".join(map(repr, (k, n, confidence, *map(float, share(k, n, confidence))))))
    for k in COUNTS:
        rows.append("rate\t" + "\t".join(map(repr, (k, 0, confidence, *map(float, rate(k, confidence)), 0.0))))
for k, n, p in TAILS:
    rows.append("tail\t" + "\t".join(map(repr, (k, n, p, float(binom.cdf(k, n, p)), 0.0, 0.0))))
Path("intervals.tsv").write_text("\n".join(rows) + "\n")
