"""The recordings: which there are, who speaks, what may be trained on and what is kept apart.

A recordings folder holds `manifest.tsv` with a line for each file: path, dataset, kind
(`wakeword`, `confusable`, `speech`, `noise`, `rir`), label, speaker, split, start_s, end_s, text.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

RATE = 16_000

WORDS = ("alexa", "alexa", "computer", "jarvis")
"""The wake words that are shipped; one listed twice has twice the share of what is drawn."""

# Speakers of alexa that training never sees. The groups are microphones and sessions as
# much as voices, so a group is never divided. `dev` chooses thresholds, `test` is only reported.
# Other words have speakers in the manifest's `dev`.
HELD_OUT = {
    "dev": {"alexa_g009", "alexa_g002", "alexa_g020", "alexa_g033"},
    "test": {"alexa_g014", "alexa_g003", "alexa_g017", "alexa_g023"},
}

TEST_SHARE = 0.7
"""Share of the other held-out speakers (the manifest's `dev`) that is only reported, never tuned on."""

# Precise's labels are wake words of one contributor each; the words as they are spoken.
SPOKEN = {
    "smart_mirror": "smart mirror",
    "view_glass": "view glass",
    "hey_k9": "hey kay nine",
}


@dataclass
class Recording:
    """One line of the manifest."""

    path: str
    dataset: str
    kind: str
    label: str
    speaker: str
    split: str
    text: str
    context: str = ""
    span: tuple[float, float] | None = None
    """The keyword's start and end in seconds, where the source gives them."""
    licence: str = ""


def share(key: str) -> float:
    """A fixed number in [0, 1) for a key: the same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48


def split_of(row: dict) -> str:
    """train, dev or test, by speaker; files without a speaker go by their own name.

    Somebody's own recordings (`custom_word.py`) say which they are.
    """
    if row["dataset"] == "own":
        return row["split"]
    for split, groups in HELD_OUT.items():
        if row["speaker"] in groups:
            return split
    if row["split"] == "train":
        return "train"
    return "test" if share(row["speaker"] or row["path"]) < TEST_SHARE else "dev"


def spoken_text(row: dict) -> str:
    """What is said, from the transcript or from a label that is itself the word; '' if unknown."""
    if row["text"]:
        return row["text"]
    label = row["label"]
    if row["dataset"] == "picovoice_wakeword":
        return SPOKEN.get(label, label)
    if row["dataset"] in ("precise_community", "ovos_ww", "own") and row["kind"] == "wakeword" and label != "ey_ordenador":
        return SPOKEN.get(label, label.replace("_", " "))
    if label.startswith("gsc_"):
        return label.removeprefix("gsc_")
    return ""


def load(folder: Path) -> list[Recording]:
    """Every recording of the folder, in the manifest's order."""
    manifest = folder / "manifest.tsv"
    if not manifest.is_file():
        raise SystemExit(
            f"no manifest in {folder}: expected manifest.tsv with the columns path, dataset, kind, label, "
            "speaker, split (hint: see models/train/README.md for its form)"
        )
    recordings = []
    with manifest.open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            span = None
            if row.get("end_s") and float(row["end_s"]) > 0:
                span = (float(row["start_s"]), float(row["end_s"]))
            recordings.append(
                Recording(
                    path=row["path"],
                    dataset=row["dataset"],
                    kind=row["kind"],
                    label=row["label"],
                    speaker=row["speaker"],
                    split=split_of(row),
                    text=spoken_text(row),
                    context=row.get("context", ""),
                    span=span,
                    licence=row.get("licence", ""),
                )
            )
    return recordings


def to_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mono float32 at 16 kHz from mono samples at any rate."""
    if rate == RATE:
        return samples.astype(np.float32)
    divisor = np.gcd(rate, RATE)
    return resample_poly(samples, RATE // divisor, rate // divisor).astype(np.float32)


def read(path: Path) -> np.ndarray:
    """A file as mono float32 at 16 kHz, in [-1, 1]."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return to_rate(samples.mean(axis=1), rate)
