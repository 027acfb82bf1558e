#!/usr/bin/env python3
"""The figures in the pages, taken from the report of the model that is shipped: one place, so that they agree.

    python docs/figures.py --write                     # puts them between the marks in the pages
    python docs/figures.py --write --program WAKEGATE  # and what this build of the program prints
    python docs/figures.py                             # says whether they are there

The model is the one in the library, which may not be the newest of its word in models/; its figures are the table "Every set of
clips" of its REPORT.md. A set here may be several there. Shares have exact 95 % intervals (Clopper-Pearson). A figure is bold where
it is better than each of the others by Fisher's exact test (two-sided, p < 0.05); where none is, chance explains the differences.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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
    ("one or two phonemes beside the word, neural synthetic voices", FEWER, ["one or two phonemes away, neural voices"]),
    ("other wake words, real", FEWER, ["other wake words, real"]),
]
ACCEPTS = [
    (
        "speech",
        ["speech", "sentences with other wake words", "children and adults with an accent, reading", "acted dialogue"],
    ),
    (
        "noise, music, kitchens and babies",
        ["noise and music", "kitchens", "babies", "what fired another engine, and taps"],
    ),
]
"""Kinds of running audio. A report need not have each; one that it has and this list lacks is refused."""
EVERYTHING = "all of it"
SAID_A_DAY = 20
"""How often a household says the word in passing, in the sentence that turns a share into clips."""
SHOWN = ("alexa_lights", "alexa_music_hum", "mention_told", "mention_daughter", "alike_lexus", "noise_clatter")
"""The recordings of the demo that the README shows."""
EXAMPLE = "data/alexa_lights.flac"
PHASES = 16
"""Beginnings of each recording within a step of the spotter."""


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


def accepts(rows: dict[str, Row]) -> list[tuple[str, Row]]:
    """False accepts in each kind of running audio, and in all of it."""
    prefix = "false accepts: "
    there = {name.removeprefix(prefix) for name in rows if name.startswith(prefix)} - {EVERYTHING}
    if left := there - {name for _, names in ACCEPTS for name in names}:
        sys.exit(f"expected kinds of audio that ACCEPTS has, found {', '.join(sorted(left))} (hint: add each to one of its rows)")
    found = [(kind, together(rows, [prefix + name for name in names if name in there])) for kind, names in ACCEPTS]
    everything = rows[prefix + EVERYTHING]
    if everything.counts != [sum(counts) for counts in zip(*(row.counts for _, row in found))]:
        sys.exit(f"expected the false accepts of each kind to come to {everything.counts} (hint: is the report whole?)")
    return [*found, (EVERYTHING, everything)]


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
    for name, row in accepts(rows):
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


def networks() -> str:
    """How large the networks are, and what they learned from."""
    package = ROOT / "models" / model()
    spotter, verifier = (round((package / f"{network}.onnx").stat().st_size / 1000) for network in ("spotter", "verifier"))
    sources = (package / "MODEL_CARD.md").read_text().split("\n## Trained on\n")[1]
    hours = sum(float(found) for found in re.findall(r"^\|[^|]*\| \d+ \| ([\d.]+) \|", sources, re.M))
    return (
        f"Of `{model()}` the spotter has {spotter:,} KB and the verifier {verifier:,} KB (ONNX), trained on {hours:.0f} h of public "
        "recordings and on synthetic speech."
    )


def moments(run: Callable[..., str]) -> dict[str, str]:
    """When words and verdicts are decided in data/, and whether verdicts hang on where a recording begins."""
    with (ROOT / "data" / "words.tsv").open(newline="") as lines:
        ends = {f"data/{row['file']}": float(row["end_s"]) for row in csv.DictReader(lines, delimiter="\t")}
    lines = run("score", "data", "--activations")
    rows = [row for row in map(json.loads, lines.splitlines()) if row["path"] in ends]
    words = [row["word_decided_s"] - ends[row["path"]] for row in rows if row["word_decided_s"] is not None]
    verdicts = [row["decided_s"] - ends[row["path"]] for row in rows]
    word = tomllib.loads((ROOT / "models" / model() / "manifest.toml").read_text())["verifier"]["word"]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as scores:
        scores.write(lines)
        scores.flush()
        labels = ("--labels", "data/labels.tsv", "--phases", str(PHASES))
        phases = json.loads(run("eval", "--scores", scores.name, *labels, "--json"))["phases"]
    flips, names = phases["flips"], ", ".join(f"`{Path(name).stem}`" for name in phases["flipping"])
    low, high = flips["interval"]["low"], flips["interval"]["high"]
    return {
        "word": f"The word is decided {word['after_s']} s after its end as the verifier hears it, at p_wake_word {word['at']}, both the "
        f"model's (`[verifier.word]` in the manifest of `{model()}`): on {len(words)} of `data/`'s {len(ends)} words "
        f"{statistics.median(words):.3f} s after the labelled end at the median and {max(words):.3f} s at most, where the verdict took "
        f"{min(verdicts):.2f} to {max(verdicts):.2f} s (`wakegate score data --activations`).",
        "flips": f"Of the {flips['n']} recordings in `data/` with an activation {flips['k']} {'is' if flips['k'] == 1 else 'are'} accepted "
        f"from some of {PHASES} beginnings within a step and not from others ({100 * flips['value']:.0f} %, 95 % interval "
        f"{100 * low:.0f} to {100 * high:.0f}{'; ' + names if names else ''}; `{model()}`, `wakegate eval --phases {PHASES}`).",
    }


def printed(program: Path) -> dict[str, str]:
    """What the program says of the recordings in data/, as the pages show it."""

    def run(*arguments: str) -> str:
        return subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    head, *lines = run("demo").splitlines()
    demo = [head, *(line for line in lines if line.startswith(tuple(f"{name}.flac " for name in SHOWN)))]
    line = run("score", EXAMPLE).strip()
    # JSON has the shortest decimals of 32-bit scores, Python the same values as 64-bit ones.
    score = {key: float(np.float32(value)) if key.startswith("p_") else value for key, value in json.loads(line).items()}
    session = [
        ">>> import wakegate",
        '>>> gate = wakegate.Gate.load()                 # or Gate.load("models/jarvis-2", intended_at=0.9)',
        ">>> gate",
        f"Gate(model={score['model']!r}, wake_word={score['wake_word']!r})",
        f'>>> score = gate.score_file("{EXAMPLE}")',
        ">>> score.verdict, score.p_intended, score.start_s, score.end_s",
        repr(tuple(score[key] for key in ("verdict", "p_intended", "start_s", "end_s"))),
        ">>> score.as_dict()",
        repr(score),
    ]
    return moments(run) | {
        "demo": "\n".join(["```console", "$ make demo", *demo, "```"]),
        "example": f"```json\n{line}\n```",
        "session": "\n".join(["```pycon", *session, "```"]),
    }


def pages(program: Path | None = None) -> dict[Path, str]:
    """Each page with its figures put in; with what the program prints, if there is one."""
    rows, found = read(), {}
    made = {"table": table(rows), "in-clips": in_clips(rows), "measured": measured(), "networks": networks()}
    if program:
        made |= printed(program)
    for path in [ROOT / "README.md", ROOT / "python" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text()
        for name, new in made.items():
            begin, end = f"<!-- figures: {name} -->\n", "<!-- end -->"
            pieces = text.split(begin)
            text = begin.join([pieces[0], *(new + "\n" + end + piece.split(end, 1)[1] for piece in pieces[1:])])
        found[path] = text
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put them in")
    parser.add_argument("--program", type=Path, metavar="WAKEGATE", help="a build of wakegate, for what it prints")
    asked = parser.parse_args()
    program = asked.program and asked.program.resolve()
    stale = {path: text for path, text in pages(program).items() if path.read_text() != text}
    if asked.write:
        for path, text in stale.items():
            path.write_text(text)
            print(path.relative_to(ROOT))
    elif stale:
        sys.exit(f"stale figures in {', '.join(str(path.relative_to(ROOT)) for path in stale)} (hint: --write)")


if __name__ == "__main__":
    main()
