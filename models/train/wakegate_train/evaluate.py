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
from .utterances import HEAVY_ACCENTS


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


def is_weak(row: dict) -> bool:
    """Whether no listener would recognise the wake word in this rendering (see utterances.HEAVY_ACCENTS)."""
    voices = set(row["voice"].split("+"))
    return row["kind"] in ("address", "mention") and (row["engine"] == "espeak" or bool(voices & HEAVY_ACCENTS))


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

    def clips(self, word: str, folder: Path) -> dict[str, list[tuple[Path, str]]]:
        """Test clips by what they are, each with its text: written to `folder`, with room before and after."""
        real = [r for r in self.rows if r.kind == "wakeword"]
        read = lambda rows: [(r.path, corpus.read(self.folder / r.path)) for r in rows]
        own, other = read([r for r in real if r.label == word]), read([r for r in real if r.label != word])
        made = {}
        for snr in trials.SNRS:
            name = f"{word}, clean" if snr is None else f"{word}, {snr} dB"
            made[name] = [(path, word) for path in trials.write(own, snr, folder / name.replace(", ", "_"), 11)]
        made["other wake words"] = [(path, "") for path in trials.write(other, None, folder / "other", 11)]
        for name, rows in self.synthetic_groups().items():
            spoken = [(row["path"], corpus.read(self.synthetic / row["path"])) for row in rows]
            paths = trials.write(spoken, None, folder / name.replace(", ", "_").replace(" ", "_"), 11)
            made[name] = [(path, row["text"]) for path, row in zip(paths, rows, strict=True)]
        return made

    def synthetic_groups(self) -> dict[str, list[dict]]:
        """Synthetic utterances of the split's voices by kind and engine; phrases seen in training apart from unseen."""
        groups: dict[str, list] = defaultdict(list)
        for row in synthetic_rows(self.synthetic) if self.synthetic else []:
            if row["split"] not in self.splits or is_weak(row):
                continue
            engine = "neural voices" if row["engine"] == "kokoro" else "formant and diphone voices"
            seen = {"train": ", seen phrases", "test": ", unseen phrases"}[row["phrase_split"]]
            groups[f"{row['kind']}{seen if row['kind'] == 'soundalike' else ''}, {engine}"].append(row)
        return dict(sorted(groups.items()))

    def streams(self) -> dict[str, list[Path]]:
        """Running audio without the word."""
        made: dict[str, list[Path]] = defaultdict(list)
        for r in self.rows:
            if r.kind in ("speech", "noise"):
                made["speech" if r.kind == "speech" else "noise and music"].append(self.folder / r.path)
        return dict(made)

    def passed(self, clips: dict[str, list[tuple[Path, str]]]) -> dict:
        """For each set: how many are judged intended, of how many, and the rest of the story of each clip."""
        found = {}
        for name, items in clips.items():
            lines = score(self.binary, self.model, [path for path, _ in items])
            told = [
                [path.name, text, line["verdict"], line["p_intended"], line["p_wake_word"], line["p_addressed"]]
                for (path, text), line in zip(items, lines, strict=True)
            ]
            found[name] = [passed(lines), len(lines), told]
        return found

    def false_accepts(self) -> dict:
        """Activations judged intended, all activations, and hours of running audio without the word."""
        found = {}
        for name, paths in self.streams().items():
            lines = score(self.binary, self.model, paths, "--activations")
            hours = sum(line["audio_s"] for line in score(self.binary, self.model, paths)) / 3600
            near = [[Path(x["path"]).name, x["end_s"], x["p_intended"]] for x in lines if x["verdict"] != "accidental"]
            found[name] = [passed(lines), len(lines), hours, near]
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
        return {"clips": self.passed(self.clips(word, folder)), "streams": self.false_accepts(), "intent": self.intent()}


def table(found: dict) -> str:
    """The figures as Markdown tables with exact 95 % intervals."""
    lines = ["| clips of unseen speakers | judged intended |", "| --- | --- |"]
    lines += [f"| {name} | {intervals.shown(hits, n)} |" for name, (hits, n, _) in found["clips"].items()]
    lines += ["", "| audio without the word | hours | candidates | false accepts | an hour |", "| --- | --- | --- | --- | --- |"]
    for name, (hits, candidates, hours, _) in found["streams"].items():
        low, high = intervals.per_hour(hits, hours)
        lines.append(f"| {name} | {hours:.2f} | {candidates} | {hits} | {hits / hours:.2f} [{low:.2f}, {high:.2f}] |")
    intent = found["intent"]
    told = f"{intent['addressed']} addressed, {intent['in_passing']} in passing"
    lines += ["", f"`p_addressed` on WUW-II, other words, unseen speakers: EER {100 * intent['eer']:.1f} % ({told})."]
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
