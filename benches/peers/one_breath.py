#!/usr/bin/env python3
"""How much of a command said in one breath an assistant loses that wakes by microWakeWord or openWakeWord.

    pip install -r benches/peers/requirements.txt && python3 benches/peers/one_breath.py

Each engine hears a recording of data/ from its own start, at its model's own cutoff, in a satellite's chunks of 64 ms, and the
assistant what comes after the chunk that woke it: the share of what is said between the word's end (data/words.tsv)
and the last loud 10 ms that it missed. The same client measures wakegate in tests/wyoming_servers/wyoming_word.rs.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

DATA = Path(__file__).resolve().parents[2] / "data"
RATE, CHUNK, LOUD = 16_000, 1024, 1_000
COMMANDS = ["alexa_lights", "alexa_timer", "alexa_weather_room", "alexa_volume_chords"]


def microwakeword() -> Callable[[bytes], bool]:
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    features, spotter = MicroWakeWordFeatures(), MicroWakeWord.from_builtin(Model("alexa"))
    return lambda chunk: any([spotter.process_streaming(frame) for frame in features.process_streaming(chunk)])


def openwakeword() -> Callable[[bytes], bool]:
    from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

    features, spotter = OpenWakeWordFeatures.from_builtin(), OpenWakeWord.from_builtin(Model("alexa"))

    def hear(chunk: bytes) -> bool:
        scores = [s for e in features.process_streaming(chunk) for s in spotter.process_streaming(e)]
        return max(scores, default=0.0) > 0.5

    return hear


def lost(hear: Callable[[bytes], bool], name: str, end: int) -> float | None:
    """The share that is missed; None where the engine does not wake."""
    pcm, rate = soundfile.read(DATA / f"{name}.flac", dtype="int16")
    assert rate == RATE and pcm.ndim == 1, name
    loud = [at for at in range(0, len(pcm), 160) if np.abs(pcm[at : at + 160].astype(int)).max() > LOUD]
    heard = np.concatenate([pcm, np.zeros(RATE, np.int16)])
    for at in range(0, len(heard), CHUNK):
        chunk = heard[at : at + CHUNK]
        if hear(chunk.tobytes()):
            return max(at + len(chunk) - end, 0) / (loud[-1] - end)
    return None


def main() -> None:
    with (DATA / "words.tsv").open(newline="") as lines:
        ends = {row["file"]: round(float(row["end_s"]) * RATE) for row in csv.DictReader(lines, delimiter="\t")}
    for engine, make in (("openWakeWord", openwakeword), ("microWakeWord", microwakeword)):
        for name in COMMANDS:
            share = lost(make(), name, ends[f"{name}.flac"])
            print(f"{engine:14} {name:22} {'sleeps' if share is None else f'{share:.0%} lost'}")


if __name__ == "__main__":
    main()
