"""Measures a model package with the wakegate binary itself: what a user runs is what is measured.

Writes figures as JSON and as the tables of a model card. Speakers of the chosen split only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from . import corpus, intervals, trials
from .align import synthetic_rows
from .intent import addressed


def score(binary: Path, model: Path | None, paths: list[Path], *flags: str) -> list[dict]:
    """`wakegate score` over `paths`, as parsed lines."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
        names.write("\n".join(map(str, paths)))
        names.flush()
        chosen = ["--model", str(model)] if model else []
        run = subprocess.run(
            [binary, "score", "--list", names.name, *chosen, *flags], capture_output=True, text=True, check=False
        )
    if run.returncode == 2:
        raise SystemExit(f"wakegate score could not run: {run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def passed(lines: list[dict]) -> int:
    """How many lines are judged intended."""
    return sum(line["verdict"] == "intended" for line in lines)


def equal_error(positive: np.ndarray, negative: np.ndarray) -> float:
    """Equal error rate of scores where higher means positive."""
    if not len(positive) or not len(negative):
        return float("nan")
    cuts = np.unique(np.concatenate([positive, negative]))
    miss = np.array([(positive < cut).mean() for cut in cuts])
    false = np.array([(negative >= cut).mean() for cut in cuts])
    at = np.abs(miss - false).argmin()
    return float((miss[at] + false[at]) / 2)


class Bench:
    """A binary, a model, the recordings, and the split of speakers to measure on."""

    def __init__(self, binary: Path, model: Path | None, recordings: Path, synthetic: Path | None, splits: set[str]) -> None:
        self.binary, self.model, self.folder, self.synthetic, self.splits = binary, model, recordings, synthetic, splits
        self.rows = [r for r in corpus.load(recordings) if r.split in splits]

    def wake_words(self, word: str, folder: Path) -> dict:
        """Real recordings of the word alone, clean and in pink noise."""
        clips = [(r.path, corpus.read(self.folder / r.path)) for r in self.rows if r.label == word and r.kind == "wakeword"]
        found = {}
        for snr in trials.SNRS:
            name = "clean" if snr is None else f"{snr} dB"
            lines = score(self.binary, self.model, trials.write(clips, snr, folder / name.replace(" ", "_"), 11))
            found[name] = [
                passed(lines),
                len(lines),
                [
                    [x["path"].split("/")[-1], x["p_intended"], x["p_wake_word"], x["p_addressed"]]
                    for x in lines
                    if x["verdict"] != "intended"
                ],
            ]
        lines = score(self.binary, self.model, [self.folder / name for name, _ in clips])
        found["as recorded"] = [passed(lines), len(lines), []]
        return found

    def false_accepts(self) -> dict:
        """Activations judged intended, and all activations, an hour of running audio without the word."""
        groups: dict[str, list] = defaultdict(list)
        for r in self.rows:
            if r.kind == "speech":
                groups["read speech and commands"].append(r)
            elif r.kind == "noise":
                groups["noise and music"].append(r)
        found = {}
        for name, rows in groups.items():
            paths = [self.folder / r.path for r in rows]
            lines = score(self.binary, self.model, paths, "--activations")
            hours = sum(line["audio_s"] for line in score(self.binary, self.model, paths)) / 3600
            found[name] = [
                passed(lines),
                len(lines),
                hours,
                [[x["path"].split("/")[-1], x["end_s"], x["p_intended"]] for x in lines if x["verdict"] != "accidental"],
            ]
        return found

    def other_words(self, word: str) -> list[int]:
        """Real recordings of other wake words, said alone: how many pass."""
        paths = [self.folder / r.path for r in self.rows if r.kind == "wakeword" and r.label != word]
        lines = score(self.binary, self.model, paths)
        return [passed(lines), len(lines)]

    def synthetic_kinds(self, word: str) -> dict:
        """Synthetic voices never trained on: addresses, mentions, sound-alikes of seen and unseen phrases."""
        if self.synthetic is None:
            return {}
        groups: dict[str, list] = defaultdict(list)
        for row in synthetic_rows(self.synthetic):
            if row["split"] in self.splits:
                modern = "neural" if row["engine"] in ("kokoro", "piper") else "formant or diphone"
                kind = row["kind"] + (f" ({row['phrase_split']} phrases)" if row["kind"] == "soundalike" else "")
                groups[f"{kind}, {modern}"].append(row)
        found = {}
        for name, rows in sorted(groups.items()):
            lines = score(self.binary, self.model, [self.synthetic / r["path"] for r in rows])
            texts = [[r["text"], x["p_intended"]] for r, x in zip(rows, lines, strict=True) if x["verdict"] == "intended"]
            found[name] = [passed(lines), len(lines), texts if "address" not in name else []]
        return found

    def intent(self) -> dict:
        """p_addressed of real people saying a word alone or to a device against in passing (WUW-II)."""
        scores: dict[bool, list[float]] = {True: [], False: []}
        by_end: dict[float, list] = defaultdict(list)
        for r in self.rows:
            if r.dataset == "wuw_corpus_ii" and r.span:
                said = True if r.context == "alone" else addressed(r.text, r.label.split("_")[0])
                if said is not None:
                    by_end[r.span[1]].append((r, said))
        for end, rows in by_end.items():
            lines = score(self.binary, self.model, [self.folder / r.path for r, _ in rows], "--trigger-at", str(end))
            for (_, said), line in zip(rows, lines, strict=True):
                if line["error"] is None:
                    scores[said].append(line["p_addressed"])
        positive, negative = np.array(scores[True]), np.array(scores[False])
        return {"eer": equal_error(positive, negative), "addressed": len(positive), "in_passing": len(negative)}

    def everything(self, word: str, folder: Path) -> dict:
        """All of it."""
        return {
            "wake_words": self.wake_words(word, folder),
            "false_accepts": self.false_accepts(),
            "other_words": self.other_words(word),
            "synthetic": self.synthetic_kinds(word),
            "intent": self.intent(),
        }


def table(found: dict) -> str:
    """The figures as Markdown tables with exact 95 % intervals."""
    lines = ["| real recordings of the word, unseen speakers | found |", "| --- | --- |"]
    lines += [f"| {name} | {intervals.shown(hits, n)} |" for name, (hits, n, _) in found["wake_words"].items()]
    lines += [
        "",
        "| audio without the word, unseen speakers | hours | candidates | false accepts | an hour |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, (hits, candidates, hours, _) in found["false_accepts"].items():
        low, high = intervals.per_hour(hits, hours)
        lines.append(f"| {name} | {hours:.2f} | {candidates} | {hits} | {hits / hours:.2f} [{low:.2f}, {high:.2f}] |")
    lines += ["", "| must not pass (addresses: must) | passed |", "| --- | --- |"]
    lines.append(f"| other wake words, real recordings | {intervals.shown(*found['other_words'])} |")
    lines += [f"| synthetic {name} | {intervals.shown(hits, n)} |" for name, (hits, n, _) in found["synthetic"].items()]
    intent = found["intent"]
    lines += [
        "",
        f"`p_addressed` on WUW-II, other words, unseen speakers: EER {100 * intent['eer']:.1f} % "
        f"({intent['addressed']} addressed, {intent['in_passing']} in passing).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True, help="the wakegate binary")
    parser.add_argument("--model", type=Path, help="model directory (default: the embedded one)")
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--word", default="alexa")
    parser.add_argument("--split", choices=["dev", "test", "both"], default="dev")
    parser.add_argument("--out", type=Path, required=True, help="folder for figures.json, tables.md and the mixed clips")
    args = parser.parse_args()
    splits = {"dev", "test"} if args.split == "both" else {args.split}
    bench = Bench(args.binary, args.model, args.recordings, args.synthetic, splits)
    found = bench.everything(args.word, args.out / "clips")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "figures.json").write_text(json.dumps(found, indent=1))
    (args.out / "tables.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()
