"""The report's pictures: error trade-off beside the peers, and how far p_intended can be believed."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import matplotlib.axis
import matplotlib.ticker
import numpy as np
from PIL import Image

from . import curves, intervals

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

STYLES = (("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", "-.", "^"))
"""Colour (Okabe and Ito's, told apart by all eyes), line and marker of each system, wakegate first."""
SERIES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""Percentages with a tick."""
LARGEST = 60_000
"""Bytes that a picture may have as SVG."""
LOOK = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "wakegate",
    "figure.facecolor": "white",
}


def saved(figure: pyplot.Figure, stem: Path) -> str:
    """Writes the picture as SVG, or as PNG where that would be large; its file name."""
    for old in (stem.with_suffix(".svg"), stem.with_suffix(".png")):
        old.unlink(missing_ok=True)
    path = stem.with_suffix(".svg")
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    # A hundredth of a point is finer than any screen; the other digits are a third of the file.
    path.write_text(re.sub(r"\n\s*", "\n", re.sub(r"(\.\d\d)\d+", r"\1", path.read_text())))
    if path.stat().st_size > LARGEST:
        path.unlink()
        path = stem.with_suffix(".png")
        figure.savefig(path, dpi=120, bbox_inches="tight")
        with Image.open(path) as drawn:
            few = drawn.convert("RGB").quantize(32)
        few.save(path, optimize=True)
    pyplot.close(figure)
    return path.name


def ticked(axis: matplotlib.axis.Axis, smallest: float, above: tuple[float, ...]) -> None:
    """The ticks of an axis that is logarithmic above `smallest` and linear below, so that zero has a place."""
    ticks = [0] + [t for t in above if t >= smallest]
    axis.set_ticks(ticks, [f"{t:g}" for t in ticks])
    axis.set_minor_locator(matplotlib.ticker.NullLocator())


def finest(n: int) -> float:
    """The smallest percentage that n clips can show, of the series."""
    return next(t for t in SERIES if t >= 100 / max(n, 1))


def det(systems: dict[str, dict], snrs: dict[str, int], negatives: int, hours: float, stem: Path) -> str:
    """Miss rate against accepted sound-alikes and mentions (above) and false accepts an hour (below), by noise.

    `systems`: for each, for each of `snrs` (its name and n): `clips` and `streams`, each (misses, false), and
    `default`, (miss, share, rate) at its own threshold. Without running audio (no `hours`) there is no lower part.
    """
    words, finest_negative = next(iter(snrs.values())), finest(negatives)
    labels = {
        "clips": f"sound-alikes and mentions accepted, % (n = {negatives})",
        "streams": f"false accepts an hour, in {hours:.2f} h without the word",
    }
    if not hours:
        del labels["streams"]
    with pyplot.rc_context(LOOK):
        figure = pyplot.figure(figsize=(2.4 * len(snrs), 2.8 * len(labels)), layout="constrained")
        parts = figure.subfigures(len(labels), 1, hspace=0.04, squeeze=False)[:, 0]
        for part, (kind, label) in zip(parts, labels.items(), strict=True):
            axes = part.subplots(1, len(snrs), sharey=True, squeeze=False)[0]
            for axis, name in zip(axes, snrs, strict=True):
                for (system, shown), (colour, line, marker) in zip(systems.items(), STYLES, strict=False):
                    miss, false = shown[name][kind]
                    at = shown[name]["default"]
                    default = (at[1] * 100 if kind == "clips" else at[2], 100 * at[0])
                    scale = 100 if kind == "clips" else 1
                    look = {"color": colour, "clip_on": False}
                    axis.step(scale * false, 100 * miss, where="post", linestyle=line, lw=1.6, label=system, **look)
                    axis.plot(*default, marker, ms=7, mec="white", mew=0.8, zorder=5, **look)
                axis.set_yscale("symlog", linthresh=finest(words), linscale=0.4)
                axis.set_ylim(0, 100)
                ticked(axis.yaxis, finest(words), SERIES)
                if kind == "clips":
                    axis.set_xscale("symlog", linthresh=finest_negative, linscale=0.4)
                    axis.set_xlim(0, 100)
                    axis.set_title(name)
                    ticked(axis.xaxis, finest_negative, (0.1, 0.3, 1, 3, 10, 30, 100))
                else:
                    axis.set_xscale("symlog", linthresh=1 / hours, linscale=0.4)
                    axis.set_xlim(0, 1000)
                    ticked(axis.xaxis, 1 / hours, (0.1, 1, 10, 100, 1000))
            axes[0].set_ylabel(f"word missed, % (n = {words})")
            part.supxlabel(label, fontsize=9)
            if kind == "clips":
                part.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
        return saved(figure, stem)


def reliability(probability: np.ndarray, truth: np.ndarray, stem: Path) -> str:
    """Share that is really intended against p_intended, with exact intervals; below, how many there are."""
    bins = curves.reliability(probability, truth)
    colour = STYLES[0][0]
    with pyplot.rc_context(LOOK):
        figure, (above, below) = pyplot.subplots(
            2, 1, figsize=(4.2, 4.9), height_ratios=(3.2, 1), sharex=True, layout="constrained"
        )
        above.plot([0, 1], [0, 1], color="#777777", lw=1, ls=":", label="perfect")
        at = np.array([mean for mean, _, _ in bins])
        share = np.array([hits / n for _, hits, n in bins])
        around = np.array([intervals.rate(hits, n) for _, hits, n in bins]).T
        spread = np.maximum(np.abs(around - share), 0)
        above.errorbar(at, share, yerr=spread, fmt="o", color=colour, ms=5, lw=1.2, capsize=2.5, label="measured, 95 % interval")
        above.set_ylabel("share that is intended")
        above.set_ylim(-0.03, 1.03)
        above.legend(loc="upper left", frameon=False)
        above.set_title(f"Brier score {curves.brier(probability, truth):.3f}, n = {len(truth)}")
        edges = np.linspace(0, 1, 11)
        for chosen, hatch, face, name in ((truth, "", colour, "intended"), (~truth, "////", "white", "not")):
            counts = np.histogram(probability[chosen], edges)[0]
            left = edges[:-1] + (0.05 if name == "not" else 0.01)
            below.bar(left, counts, 0.04, align="edge", color=face, edgecolor=colour, hatch=hatch, lw=0.8, label=name)
        below.set_yscale("symlog", linthresh=1, linscale=0.5)
        below.set_ylim(0)
        below.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        below.set_ylabel("activations")
        below.set_xlabel("p_intended")
        below.legend(loc="upper center", frameon=False, ncols=2, fontsize=8)
        return saved(figure, stem)
