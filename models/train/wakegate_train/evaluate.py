"""Measures a model package with the wakegate binary itself: what a user runs is what is measured.

Clips and running audio of the chosen split's speakers only, as JSON and as tables.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from . import corpus, intervals, trials
from .align import synthetic_rows
from .intent import addressed, words_of
from .utterances import HEAVY_ACCENTS

STREAMS = {"speech": "speech", "confusable": "sentences with other wake words", "noise": "noise and music"}
"""Running audio by the manifest's kinds."""
SORTS = {
    "speechocean762": "children and adults with an accent, reading",
    "bass": "acted dialogue",
    "kitchen20": "kitchens",
    "donateacry": "babies",
    "ovos_ww": "what fired another engine, and taps",
}
"""Datasets that are told of by themselves."""
SHIFTS_MS = tuple(range(0, 80, 10))
"""Cuts off the front of a clip, over one step of the spotter: what a verdict must not hang on."""
SEED = 11
"""Of the noise in the test clips."""


@dataclass
class Clip:
    """A test clip as written for the engines, and what is in it."""

    path: Path
    source: str
    """The recording it was made from, relative to its corpus."""
    text: str
    voice: str = ""
    """Engine and voice of a synthetic one."""


@dataclass
class Group:
    """Test clips of one sort. `role`: word (people saying the wake word, or `neural` voices where nobody has recorded it),
    address, mention, soundalike, neighbour or other."""

    role: str
    snr_db: float | None = None
    """Peak-frame SNR in pink noise; None is clean."""
    neural: bool = False
    clips: list[Clip] = field(default_factory=list)

    @property
    def wanted(self) -> bool:
        """Whether these clips are to be accepted."""
        return self.role in ("word", "address")


def score(binary: Path, model: Path | None, paths: list[Path], *flags: str) -> list[dict]:
    """`wakegate score` over `paths`, as parsed lines."""
    if not paths:
        return []
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


def path_in_manifest(path: Path, folder: Path) -> str:
    """A recording as its manifest in `folder` has it: beneath that, or anywhere."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def says(text: str, word: str) -> bool:
    """Whether `word` is in the text: itself, or several of them."""
    return not {word, f"{word}s", f"{word}'s"}.isdisjoint(words_of(text))


def equal_error(positive: np.ndarray, negative: np.ndarray) -> tuple[float, int, int]:
    """Equal error rate of scores where higher means positive, with the misses and false alarms at that point."""
    if not len(positive) or not len(negative):
        return float("nan"), 0, 0
    cuts = np.unique(np.concatenate([positive, negative]))
    miss = np.array([(positive < cut).sum() for cut in cuts])
    false = np.array([(negative >= cut).sum() for cut in cuts])
    at = np.abs(miss / len(positive) - false / len(negative)).argmin()
    rate = (miss[at] / len(positive) + false[at] / len(negative)) / 2
    return float(rate), int(miss[at]), int(false[at])


def without_early(model: Path | None, folder: Path) -> Path | None:
    """The package without early verdicts, in `folder`; the embedded one has to be measured as it is."""
    if model is None:
        return None
    shutil.copytree(model, folder, dirs_exist_ok=True)
    manifest = (model / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(re.sub(r"(?ms)^\[verifier\.early\]\n.*?(?=^\[|\Z)", "", manifest))
    return folder


class Bench:
    """A binary, a model, the recordings, and the split of speakers to measure on."""

    def __init__(self, binary: Path, model: Path | None, recordings: Path, synthetic: Path | None, splits: set[str]) -> None:
        self.binary, self.model, self.folder, self.synthetic, self.splits = binary, model, recordings, synthetic, splits
        self.recordings = corpus.load(recordings)
        self.rows = [r for r in self.recordings if r.split in splits]

    def written(self, group: Group, rows: list[tuple[str, Path, str, str]], folder: Path) -> Group:
        """The group with a clip for each (source, its folder, text, voice), with room before and after."""
        spoken = [(source, corpus.read(root / source)) for source, root, _, _ in rows]
        paths = trials.write(spoken, group.snr_db, folder, SEED)
        group.clips = [Clip(path, source, text, voice) for path, (source, _, text, voice) in zip(paths, rows, strict=True)]
        return group

    def word_clips(self, word: str, folder: Path, snrs: Iterable[float | None] = trials.SNRS) -> dict[str, Group]:
        """People saying the wake word, clean and in noise; of a word without any recording, neural voices saying it to a device."""
        recorded = self.recorded(word)
        rows = [(r.path, self.folder, word, "") for r in self.rows if r.kind == "wakeword" and r.label == word]
        if not recorded:
            said = [r for (_, role, neural), found in self.synthetic_groups(word).items() if neural and role == "address" for r in found]
            rows = [(r["path"], self.synthetic, r["text"], f"{r['engine']}/{r['voice']}") for r in said]
        names = {snr: f"{word}, " + ("clean" if snr is None else f"{snr} dB") for snr in snrs}
        return {
            name: self.written(Group("word", snr, not recorded), rows, folder / name.replace(", ", "_").replace(" ", "_"))
            for snr, name in names.items()
        }

    def recorded(self, word: str) -> bool:
        """Whether anybody has recorded the word, in any split."""
        return any(r.kind == "wakeword" and r.label == word for r in self.recordings)

    def clips(self, word: str, folder: Path) -> dict[str, Group]:
        """Test clips by what they are, written to `folder`."""
        made = self.word_clips(word, folder)
        # "hey computer" is neither the word alone nor another word.
        other = [r for r in self.rows if r.kind == "wakeword" and r.label != word and not says(r.text or r.label, word)]
        rows = [(r.path, self.folder, r.text, "") for r in other]
        made["other wake words, real"] = self.written(Group("other"), rows, folder / "other_real")
        for (name, role, neural), found in self.synthetic_groups(word).items():
            if role == "address" and neural and not self.recorded(word):
                continue
            rows = [(r["path"], self.synthetic, r["text"], f"{r['engine']}/{r['voice']}") for r in found]
            made[name] = self.written(Group(role, None, neural), rows, folder / name.replace(", ", "_").replace(" ", "_"))
        return {name: group for name, group in made.items() if group.clips}

    def synthetic_groups(self, word: str) -> dict[tuple[str, str, bool], list[dict]]:
        """Rows of the split's synthetic voices by (name, role, neural); phrases seen in training apart from unseen."""
        groups: dict[tuple[str, str, bool], list[dict]] = defaultdict(list)
        for row in synthetic_rows(self.synthetic) if self.synthetic else []:
            own = row["wake_word"] == word
            if row["split"] not in self.splits or (own and is_weak(row)) or (not own and says(row["text"], word)):
                continue
            if row["kind"] == "neighbour" and not own:
                continue
            seen = {"train": "seen", "test": "unseen"}[row["phrase_split"]]
            what, role = {
                ("address", True): ("to the device", "address"),
                ("mention", True): ("in passing", "mention"),
                ("soundalike", True): (f"sound-alikes, {seen} phrases", "soundalike"),
                ("neighbour", True): ("one or two phonemes away", "neighbour"),
                ("address", False): ("other names, to a device", "other"),
                ("mention", False): ("other names, in passing", "other"),
                ("soundalike", False): ("sound-alikes of other words", "other"),
                ("speech", False): ("other sentences", "other"),
            }[row["kind"], own]
            neural = row["engine"].startswith("kokoro")
            groups[f"{what}, {'neural' if neural else 'older synthetic'} voices", role, neural].append(row)
        order = ("address", "mention", "soundalike", "neighbour", "other")
        return dict(sorted(groups.items(), key=lambda item: (not item[0][2], order.index(item[0][1]), item[0][0])))

    def streams(self, word: str) -> dict[str, list[Path]]:
        """Running audio without the word, by kind; a file without a transcript is taken to be without it."""
        made: dict[str, list[Path]] = defaultdict(list)
        for r in self.rows:
            if r.kind in STREAMS and not says(r.text, word):
                made[SORTS.get(r.dataset, STREAMS[r.kind])].append(self.folder / r.path)
        return {name: made[name] for name in (*STREAMS.values(), *SORTS.values()) if name in made}

    def judged(self, group: Group) -> list[dict]:
        """What wakegate says about each clip of the group."""
        lines = score(self.binary, self.model, [clip.path for clip in group.clips])
        keys = ("verdict", "p_intended", "p_wake_word", "p_addressed", "end_s", "decided_s")
        return [
            {"file": clip.source, "text": clip.text, "voice": clip.voice} | {key: line[key] for key in keys}
            for clip, line in zip(group.clips, lines, strict=True)
        ]

    def activations(self, paths: list[Path]) -> dict:
        """The activations in running audio without the word, and how long it is."""
        lines = score(self.binary, self.model, paths, "--activations")
        keys = ("verdict", "p_intended", "p_wake_word", "p_addressed", "end_s")
        found = [{"file": Path(line["path"]).name} | {key: line[key] for key in keys} for line in lines if not line["error"]]
        return {"files": len(paths), "hours": sum(map(seconds, paths)) / 3600, "activations": found}

    def intent(self) -> dict:
        """p_addressed, at the window's end and as an early verdict gives it, of real people (WUW-II).

        They say a word alone or to a device, or in passing.
        """
        with tempfile.TemporaryDirectory() as folder:
            return self.intent_by(without_early(self.model, Path(folder))) | {"early": self.intent_by(self.model)}

    def intent_by(self, model: Path | None) -> dict[str, list[float]]:
        """`intent` by one package: the scores of those to the device and of those in passing."""
        scores: dict[bool, list[float]] = {True: [], False: []}
        by_end: dict[float, list] = defaultdict(list)
        for r in self.rows:
            if r.dataset == "wuw_corpus_ii" and r.span:
                said = True if r.context == "alone" else addressed(r.text, r.label.split("_")[0])
                if said is not None:
                    by_end[r.span[1]].append((r, said))
        for end, rows in by_end.items():
            lines = score(self.binary, model, [self.folder / r.path for r, _ in rows], "--trigger-at", str(end))
            for (_, said), line in zip(rows, lines, strict=True):
                if line["error"] is None:
                    scores[said].append(line["p_addressed"])
        return {"addressed": scores[True], "in_passing": scores[False]}

    def flips(self, group: Group) -> dict:
        """How many of the group's clips get another answer where up to 70 ms are cut off their front."""
        if not group.clips:
            return {"n": 0, "flip": 0}
        answers = []
        with tempfile.TemporaryDirectory() as folder:
            for shift in SHIFTS_MS:
                paths = []
                for number, clip in enumerate(group.clips):
                    samples, rate = soundfile.read(clip.path, dtype="int16")
                    paths.append(Path(folder) / f"{number}.wav")
                    soundfile.write(paths[-1], samples[shift * rate // 1000 :], rate, subtype="PCM_16")
                answers.append([line["verdict"] == "intended" for line in score(self.binary, self.model, paths)])
        return {"n": len(group.clips), "flip": sum(len(set(of_one)) > 1 for of_one in zip(*answers, strict=True))}

    def everything(self, word: str, groups: dict[str, Group]) -> dict:
        """All of it, as JSON can hold it."""
        clips = {
            name: {"role": group.role, "snr_db": group.snr_db, "neural": group.neural, "told": self.judged(group)}
            for name, group in groups.items()
        }
        streams = {name: self.activations(paths) for name, paths in self.streams(word).items()}
        steady = {name: self.flips(group) for name, group in groups.items() if group.role != "other" and group.snr_db is None}
        return {"word": word, "clips": clips, "streams": streams, "intent": self.intent(), "flips": steady}


def seconds(path: Path) -> float:
    """Length of a recording."""
    return soundfile.info(path).duration


def passed(told: list[dict]) -> int:
    """How many are judged intended."""
    return sum(line["verdict"] == "intended" for line in told)


def intent_text(intent: dict) -> str:
    """The equal error rate of p_addressed, with n and with the interval of each side of it."""
    positive, negative = np.array(intent["addressed"]), np.array(intent["in_passing"])
    rate, miss, false = equal_error(positive, negative)
    sides = f"{intervals.shown(miss, len(positive))} of those to the device below the threshold, "
    sides += f"{intervals.shown(false, len(negative))} of those in passing above it"
    return f"EER {100 * rate:.1f} % ({sides})"


def table(found: dict) -> str:
    """The figures as Markdown tables with exact 95 % intervals."""
    lines = ["| clips of unseen speakers | judged intended |", "| --- | --- |"]
    for name, group in found["clips"].items():
        lines.append(f"| {name} | {intervals.shown(passed(group['told']), len(group['told']))} |")
    lines += ["", "| audio without the word | hours | candidates | false accepts | an hour |", "| --- | --- | --- | --- | --- |"]
    for name, stream in found["streams"].items():
        hits, hours = passed(stream["activations"]), stream["hours"]
        low, high = intervals.per_hour(hits, hours)
        rate = f"{hits / hours:.2f} [{low:.2f}, {high:.2f}]"
        lines.append(f"| {name} | {hours:.2f} | {len(stream['activations'])} | {hits} | {rate} |")
    lines += ["", f"`p_addressed` on WUW-II, other words, unseen speakers: {intent_text(found['intent'])}"]
    lines[-1] += f"; with early verdicts {intent_text(found['intent']['early'])}."
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
    found = bench.everything(args.word, bench.clips(args.word, args.out / "clips"))
    (args.out / "figures.json").write_text(json.dumps(found, indent=1))
    (args.out / "tables.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()
