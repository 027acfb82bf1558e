"""The same clips through microWakeWord and openWakeWord, for comparison.

    pip install pymicro-wakeword==2.5.0 pyopen-wakeword==1.1.0

Their packages bring their models (openWakeWord's under CC BY-NC-SA: compared with, never shipped, never a
teacher). A peer is only compared on a word that it has a model of: "hey jarvis" is not "jarvis". Each hears
80 ms chunks and its score after each is kept, so that a clip is run once for any threshold.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from . import corpus

CHUNK = 1280
REFRACTORY_S = 1.0
"""A detection this soon after the one before it is the same one."""
FLOOR = 0.01
"""Scores up to this are not kept."""

Trace = list[list[float]]
"""[seconds of audio heard, score after them] of each chunk whose score is above FLOOR."""


def model_name(word: str) -> str:
    """A word as the peers name its model: okay_nabu."""
    return word.replace(" ", "_")


class MicroWakeWord:
    """microWakeWord v2 by its Python package: the mean of five posteriors against the model's own cutoff."""

    package = "pymicro-wakeword"

    def __init__(self, word: str) -> None:
        from pymicro_wakeword import MicroWakeWord as Spotter
        from pymicro_wakeword import Model

        self.spotter = Spotter.from_builtin(Model(model_name(word)))
        self.threshold = self.spotter.probability_cutoff

    def start(self) -> Callable[[bytes], float]:
        """A function that hears the next chunk of a new recording and returns its highest score."""
        from pymicro_wakeword import MicroWakeWordFeatures

        self.spotter.reset()
        features = MicroWakeWordFeatures()
        hear = self.spotter.process_streaming_prob
        return lambda chunk: max((hear(f) for f in features.process_streaming(chunk)), default=0.0)


class OpenWakeWord:
    """openWakeWord by its Python package, at its default threshold."""

    package = "pyopen-wakeword"
    threshold = 0.5

    def __init__(self, word: str) -> None:
        from pyopen_wakeword import Model, OpenWakeWordFeatures
        from pyopen_wakeword import OpenWakeWord as Spotter

        self.parts = (OpenWakeWordFeatures.from_builtin(), Spotter.from_builtin(Model(model_name(word))))
        # It begins by hearing eight seconds of silence, which take longer than most clips: once is enough.
        self.hear(bytes(2 * CHUNK))
        self.began = [{k: v for k, v in vars(part).items() if isinstance(v, np.ndarray | int)} for part in self.parts]
        self.began = [{k: v.copy() if isinstance(v, np.ndarray) else v for k, v in kept.items()} for kept in self.began]

    def hear(self, chunk: bytes) -> float:
        """The highest score after one more chunk."""
        features, spotter = self.parts
        return max((s for e in features.process_streaming(chunk) for s in spotter.process_streaming(e)), default=0.0)

    def start(self) -> Callable[[bytes], float]:
        """A function that hears the next chunk of a new recording and returns its highest score."""
        for part, kept in zip(self.parts, self.began, strict=True):
            vars(part).update({k: v.copy() if isinstance(v, np.ndarray) else v for k, v in kept.items()})
        return self.hear


PEERS = {"microWakeWord": MicroWakeWord, "openWakeWord": OpenWakeWord}


def available(word: str) -> dict[str, str]:
    """The installed peers that have a model of exactly this word, each with its package and version."""
    found = {}
    for name, peer in PEERS.items():
        module = peer.package.replace("-", "_")
        if importlib.util.find_spec(module) and model_name(word) in {m.value for m in importlib.import_module(module).Model}:
            found[name] = f"{peer.package} {version(peer.package)}"
    return found


def listen(samples: np.ndarray, hear: Callable[[bytes], float]) -> Trace:
    """The scores while `hear` is given 16 kHz samples chunk by chunk."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    trace = []
    for start in range(0, len(pcm) - CHUNK + 1, CHUNK):
        score = hear(pcm[start : start + CHUNK].tobytes())
        if score > FLOOR:
            trace.append([round((start + CHUNK) / corpus.RATE, 2), round(float(score), 6)])
    return trace


def events(trace: Trace, threshold: float) -> list[float]:
    """Seconds at which the score rises above the threshold, REFRACTORY_S or more after the last time it was above.

    A score that stays above is one detection: microWakeWord's does for over a second after the word.
    """
    found, last = [], -np.inf
    for at, score in trace:
        if score > threshold:
            if at - last >= REFRACTORY_S:
                found.append(at)
            last = at
    return found


def highest(trace: Trace) -> float:
    """The highest score of a clip; 0 where none was above FLOOR."""
    return max((score for _, score in trace), default=0.0)


engine: MicroWakeWord | OpenWakeWord | None = None
"""The peer of this worker process."""


def begin(name: str, word: str) -> None:
    """Sets up a worker process."""
    global engine
    engine = PEERS[name](word)


def trace_file(path: str) -> tuple[str, Trace]:
    """A file's path and its trace by this worker's peer."""
    return path, listen(corpus.read(Path(path)), engine.start())


def kept_lines(kept: Path) -> dict[str, Trace]:
    """The traces made so far; a last line that was cut off is dropped."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch()
    text = kept.read_text()
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        kept.write_text(text)
    return dict(json.loads(line) for line in text.splitlines())


def traces(name: str, word: str, files: dict[str, Path], kept: Path) -> dict[str, Trace]:
    """The trace of each file by its key, from `kept` (a JSON line for each) or made now and added there."""
    known = kept_lines(kept)
    todo = {str(path): key for key, path in files.items() if key not in known}
    if todo:
        with kept.open("a") as lines, Pool(os.cpu_count(), begin, (name, word)) as pool:
            for number, (path, trace) in enumerate(pool.imap_unordered(trace_file, todo), 1):
                known[todo[path]] = trace
                lines.write(json.dumps([todo[path], trace]) + "\n")
                lines.flush()
                if number % 200 == 0:
                    print(f"{name}: {number} of {len(todo)} files", flush=True)
    return {key: known[key] for key in files}
