"""Exact intervals for what is counted."""

from __future__ import annotations

from scipy.stats import beta, chi2


def rate(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a proportion (Clopper and Pearson, Biometrika 1934)."""
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, hits, n - hits + 1) if hits > 0 else 0.0
    high = beta.ppf(1 - tail, hits + 1, n - hits) if hits < n else 1.0
    return float(low), float(high)


def per_hour(events: int, hours: float, confidence: float = 0.95) -> tuple[float, float]:
    """Exact Poisson interval of a rate (Garwood, Biometrika 1936)."""
    tail = (1 - confidence) / 2
    low = chi2.ppf(tail, 2 * events) / 2 if events > 0 else 0.0
    return float(low / hours), float(chi2.ppf(1 - tail, 2 * events + 2) / 2 / hours)


def shown(hits: int, n: int) -> str:
    """'12/41, 29.3 % [16.1, 45.5]'."""
    if n == 0:
        return "no data"
    low, high = rate(hits, n)
    return f"{hits}/{n}, {100 * hits / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
