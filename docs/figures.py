#!/usr/bin/env python3
"""The figures in the pages, taken from the report of the model that is shipped: one place, so that they agree.

    python docs/figures.py --write        # puts them between the marks in the pages
    python docs/figures.py                # says whether they are there

The model is the one in the library, which may not be the newest of its word in models/; its figures are the table "Every set of
clips" of its REPORT.md. A set here may be several there. Shares have exact 95 % intervals (Clopper-Pearson). A figure is bold where
it is better than each of the others by Fisher's exact test (two-sided, p < 0.05); where none is, chance explains the differences.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
ENGINES = ("wakegate", "microWakeWord", "openWakeWord")
MORE, FEWER = "↑", "↓"
SETS = [
    ('real "alexa", clean', MORE, ["alexa, clean"]),
    ("the same in pink noise, 10 dB peak-frame SNR", MORE, ["alexa, 10 dB"]),
    ("5 dB", MORE, ["alexa, 5 dB"]),
    ("0 dB", MORE, ["alexa, 0 dB"]),
    ('"alexa" to the device, neural synthetic voices', MORE, ["to the device, neural voices"]),
    ('"alexa" in passing, neural synthetic voices', FEWER, ["in passing, neural voices"]),
    (
        "sound-alike phrases, neural synthetic voices",
        FEWER,
        ["sound-alikes, seen phrases, neural voices", "sound-alikes, unseen phrases, neural voices"],
    ),
    (
        "sound-alike phrases, older synthetic voices",
        FEWER,
        ["sound-alikes, seen phrases, older synthetic voices", "sound-alikes, unseen phrases, older synthetic voices"],
    ),
    ("other wake words, real", FEWER, ["other wake words, real"]),
]
ACCEPTS = [
    ("speech", ["false accepts: speech", "false accepts: sentences with other wake words"]),
    ("noise and music", ["false accepts: noise and music"]),
]
SAID_A_DAY = 20
"""How often a household says the word in passing, in the sentence that turns a share into clips."""


@dataclass
class Row:
    """What each engine accepts of a set."""

    n: float
    counts: list[int]


def model() -> str:
    """The model that goes with the library."""
    included = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["include"]
    (found,) = {path.split("/")[2] for path in included if path.startswith("/models/")}
    return found


def read() -> dict[str, Row]:
    """The rows of the report's table."""
    text = (ROOT / "models" / model() / "REPORT.md").read_text()
    table = text.split("## Every set of clips\n")[1].strip().split("\n\n")[0]
    rows = {}
    for line in table.splitlines()[2:]:
        name, n, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if n.endswith(" h"):
            rows[name] = Row(float(n[:-2]), [int(cell.split()[0]) for cell in cells])
        else:
            shares = [float(re.match(r"([\d.]+) %", cell)[1]) for cell in cells]
            rows[name] = Row(int(n), [round(share * int(n) / 100) for share in shares])
    return rows


def together(rows: dict[str, Row], names: list[str]) -> Row:
    """Several rows of the report as one."""
    picked = [rows[name] for name in names]
    return Row(sum(row.n for row in picked), [sum(counts) for counts in zip(*(row.counts for row in picked))])


def share(count: int, n: int) -> str:
    """A share with its interval, in per cent."""
    low, high = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    return f"{100 * count / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def wins(row: Row, index: int, better: str) -> bool:
    """Whether one engine is better than each of the others, beyond chance."""
    n, counts = int(row.n), row.counts

    def beaten(other: int) -> bool:
        ahead = counts[index] > counts[other] if better == MORE else counts[index] < counts[other]
        sides = [[counts[index], n - counts[index]], [counts[other], n - counts[other]]]
        return ahead and stats.fisher_exact(sides).pvalue < 0.05

    return all(beaten(other) for other in range(len(counts)) if other != index)


def table(rows: dict[str, Row]) -> str:
    """The table of the engines."""
    lines = ["| accepted | n | " + " | ".join(ENGINES) + " |", "| --- | --- |" + " --- |" * len(ENGINES)]
    for name, better, names in SETS:
        row = together(rows, names)
        cells = [share(count, int(row.n)) for count in row.counts]
        cells = [f"**{cell}**" if wins(row, index, better) else cell for index, cell in enumerate(cells)]
        lines.append(f"| {name} {better} | {row.n} | " + " | ".join(cells) + " |")
    for name, names in ACCEPTS:
        row = together(rows, names)
        cells = " | ".join(map(str, row.counts))
        lines.append(f"| false accepts in {name} {FEWER} | {row.n:.2f} h | {cells} |")
    return "\n".join(lines)


def in_clips(rows: dict[str, Row]) -> str:
    """What the share of mentions means in clips a day."""
    row = rows["in passing, neural voices"]
    passed = row.counts[0] / row.n
    clips = SAID_A_DAY * passed
    often = f"{clips:.1f} clips a day" if clips >= 1 else f"one clip in {1 / clips:.1f} days" if clips else "none"
    return (
        f"{100 * passed:.1f} % of mentions pass (`{model()}`, synthetic voices, n = {row.n}): a household that says the word in "
        f"passing {SAID_A_DAY} times a day has {often} that it did not mean."
    )


def measured() -> str:
    """What was measured when, and with what beside."""
    name = model()
    card = (ROOT / "models" / name / "MODEL_CARD.md").read_text()
    when = re.search(r"^Measured (on .*?), by `wakegate_train.report`", card, re.M | re.S)[1].replace("\n", " ")
    report = (ROOT / "models" / name / "REPORT.md").read_text()
    peers = re.search(r"^(microWakeWord \([^)]*\) and openWakeWord \([^)]*\))", report, re.M)[1]
    return f"`{name}`, by `wakegate_train.report`, {when}. Beside: {peers}, at their default thresholds."


def pages() -> dict[Path, str]:
    """Each page with its figures put in."""
    rows, found = read(), {}
    made = {"table": table(rows), "in-clips": in_clips(rows), "measured": measured()}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text()
        for name, new in made.items():
            begin, end = f"<!-- figures: {name} -->\n", "<!-- end -->"
            pieces = text.split(begin)
            text = begin.join([pieces[0], *(new + "\n" + end + piece.split(end, 1)[1] for piece in pieces[1:])])
        found[path] = text
    return found


def main() -> None:
    stale = {path: text for path, text in pages().items() if path.read_text() != text}
    if "--write" in sys.argv:
        for path, text in stale.items():
            path.write_text(text)
            print(path.relative_to(ROOT))
    elif stale:
        sys.exit(f"stale figures in {', '.join(str(path.relative_to(ROOT)) for path in stale)} (hint: --write)")


if __name__ == "__main__":
    main()
