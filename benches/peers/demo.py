#!/usr/bin/env python3
"""What microWakeWord passes of the recordings in data/: the demo's "without the gate".

    pip install pymicro-wakeword==2.5.0 numpy soundfile && python3 benches/peers/demo.py [--write]

The engine hears each recording from its own start, in chunks of 80 ms, at its model's own cutoff, with 2 s of quiet noise
before it and 1 s after (as `wakegate_train.trials` gives every engine). --write keeps the answers in data/peer.tsv.
"""

from __future__ import annotations

import argparse
import csv
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

DATA = Path(__file__).resolve().parents[2] / "data"
RATE, CHUNK = 16_000, 1280
NAME = f"microWakeWord {version('pymicro-wakeword')}"


def passes(path: Path) -> bool:
    """Whether the engine wakes anywhere in a recording."""
    pcm, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE and pcm.ndim == 1, path
    noise = np.random.default_rng(1)
    before, after = (noise.normal(0, 8, seconds * RATE).astype(np.int16) for seconds in (2, 1))
    heard = np.concatenate([before, pcm, after])
    spotter, features = MicroWakeWord.from_builtin(Model("alexa")), MicroWakeWordFeatures()
    pieces = (heard[at : at + CHUNK].tobytes() for at in range(0, len(heard) - CHUNK + 1, CHUNK))
    return any([spotter.process_streaming(frame) for piece in pieces for frame in features.process_streaming(piece)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the answers in data/peer.tsv")
    arguments = parser.parse_args()
    with (DATA / "manifest.tsv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    for row in rows:
        row["heard"] = "wakes" if passes(DATA / row["file"]) else "sleeps"
        print(f"{row['file']:26} {row['expected']:10} {row['heard']}")
    woke = [row for row in rows if row["heard"] == "wakes"]
    wanted = sum(row["expected"] == "intended" for row in woke)
    print(f"{NAME}: {len(woke)} of {len(rows)} wake it, {len(woke) - wanted} of them accidental")
    if arguments.write:
        lines = [f"file\t{NAME}", *(f"{row['file']}\t{row['heard']}" for row in rows)]
        (DATA / "peer.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
