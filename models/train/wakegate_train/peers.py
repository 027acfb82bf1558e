"""The same clips through microWakeWord and openWakeWord, for comparison.

    pip install pymicro-wakeword pyopen-wakeword

Their packages bring their "alexa" models (openWakeWord's under CC BY-NC-SA: compared with, never shipped, never
a teacher). Each runs at its default threshold on 80 ms chunks; an event is a detection at least one second after
the one before it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import corpus, intervals
from .evaluate import Bench

CHUNK = 1280
REFRACTORY_S = 1.0
THRESHOLD = 0.5
"""openWakeWord's default; microWakeWord's lies in its model's configuration."""


def micro() -> Callable[[np.ndarray], list[float]]:
    """microWakeWord: seconds of each detection in 16 kHz samples."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    def run(samples: np.ndarray) -> list[float]:
        spotter, features = MicroWakeWord.from_builtin(Model.ALEXA), MicroWakeWordFeatures()
        fired = lambda chunk: any(spotter.process_streaming(f) for f in features.process_streaming(chunk))
        return events(samples, fired)

    return run


def openwakeword() -> Callable[[np.ndarray], list[float]]:
    """openWakeWord: seconds of each detection in 16 kHz samples."""
    from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

    def run(samples: np.ndarray) -> list[float]:
        spotter, features = OpenWakeWord.from_builtin(Model.ALEXA), OpenWakeWordFeatures.from_builtin()
        scores = lambda chunk: (s for e in features.process_streaming(chunk) for s in spotter.process_streaming(e))
        return events(samples, lambda chunk: max(scores(chunk), default=0.0) >= THRESHOLD)

    return run


PEERS = {"microWakeWord": micro, "openWakeWord": openwakeword}


def events(samples: np.ndarray, fired: Callable[[bytes], bool]) -> list[float]:
    """Seconds at which `fired` says yes to a chunk, with the refractory time between them."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    found: list[float] = []
    for start in range(0, len(pcm) - CHUNK + 1, CHUNK):
        at = (start + CHUNK) / corpus.RATE
        if fired(pcm[start : start + CHUNK].tobytes()) and (not found or at - found[-1] >= REFRACTORY_S):
            found.append(at)
    return found


def measure(bench: Bench, word: str, folder: Path, run: Callable[[np.ndarray], list[float]]) -> dict:
    """Clips with a detection, and detections an hour in audio without the word."""
    clips = {}
    for name, items in bench.clips(word, folder).items():
        clips[name] = [sum(bool(run(corpus.read(path))) for path, _ in items), len(items)]
    streams = {}
    for name, paths in bench.streams().items():
        count, seconds = 0, 0.0
        for path in paths:
            samples = corpus.read(path)
            count, seconds = count + len(run(samples)), seconds + len(samples) / corpus.RATE
        streams[name] = [count, seconds / 3600]
    return {"clips": clips, "streams": streams}


def table(ours: dict, peers: dict) -> str:
    """One Markdown table: shares of clips that pass, and false accepts, ours first."""
    lines = ["| | n | wakegate | " + " | ".join(peers) + " |", "| --- | --- | --- |" + " --- |" * len(peers)]
    percent = lambda hits, n: "{:.1f} % [{:.1f}, {:.1f}]".format(100 * hits / n, *(100 * x for x in intervals.rate(hits, n)))
    for name, (hits, n, _) in ours["clips"].items():
        theirs = [percent(*found["clips"][name]) for found in peers.values()]
        lines.append(f"| {name} | {n} | " + " | ".join([percent(hits, n), *theirs]) + " |")
    for name, (hits, _, hours, _) in ours["streams"].items():
        theirs = [str(found["streams"][name][0]) for found in peers.values()]
        lines.append(f"| false accepts, {name} | {hours:.2f} h | " + " | ".join([str(hits), *theirs]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures the peers and prints them beside our figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, required=True, help="figures.json of evaluate.py for the same split")
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--word", default="alexa")
    parser.add_argument("--split", choices=["dev", "test"], default="dev")
    parser.add_argument("--peers", default=",".join(PEERS), help="which, with commas between")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    bench = Bench(Path(), None, args.recordings, args.synthetic, {args.split})
    chosen = {name: PEERS[name] for name in args.peers.split(",")}
    found = {name: measure(bench, args.word, args.out / "clips", start()) for name, start in chosen.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "peers.json").write_text(json.dumps(found, indent=1))
    text = table(json.loads(args.figures.read_text()), found)
    (args.out / "peers.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
