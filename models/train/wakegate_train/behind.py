"""wakegate behind another engine: what it makes of that engine's true and false triggers.

An engine reports a word some time after its end. That lag is measured once, as whoever puts wakegate behind an
engine would: the median on the real word by the speakers that tune thresholds (`dev`). Each trigger of the `test`
speakers is then handed to `wakegate score --trigger-at` at the moment it was fired less the lag.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from . import corpus, intervals
from .evaluate import Bench, Group, score
from .peers import Trace, events

FRAME = corpus.RATE // 100
"""Samples of the 10 ms frames in which the word's end is looked for."""
WITHIN_DB = 15.0
"""The word ends with its last frame this close to its loudest; what is fainter is breath and room."""
ROLES = {
    "soundalike": "sound-alikes",
    "mention": "the word in passing",
    "other": "other words, names and sentences",
    "stream": "running audio without the word",
}
"""What a false trigger can be on, in the order of the table."""


def word_end(samples: np.ndarray) -> float:
    """Seconds at which a word said alone in near silence ends, by its energy."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    energy = np.convolve((whole**2).mean(axis=1), np.ones(3) / 3, "same")
    return float(np.flatnonzero(energy > energy.max() * 10 ** (-WITHIN_DB / 10))[-1] + 1) * FRAME / corpus.RATE


def lags(clean: Group, traces: list[Trace], threshold: float) -> list[float]:
    """Seconds from the word's end to the engine's first trigger, for each clip that it fires on."""
    found = []
    for clip, trace in zip(clean.clips, traces, strict=True):
        if fired := events(trace, threshold):
            found.append(fired[0] - word_end(corpus.read(clip.path)))
    return found


def judged(bench: Bench, triggers: list[dict]) -> list[dict]:
    """Each trigger ({path, fired_s, trigger_s, ...}) with wakegate's verdict on it."""
    at_once: dict[float, list[dict]] = defaultdict(list)
    for trigger in triggers:
        at_once[trigger["trigger_s"]].append(trigger)
    keys = ("verdict", "p_intended", "p_wake_word", "p_addressed", "decided_s")
    for at, some in at_once.items():
        lines = score(bench.binary, bench.model, [trigger.pop("path") for trigger in some], "--trigger-at", str(at))
        for trigger, line in zip(some, lines, strict=True):
            trigger |= {key: line[key] for key in keys}
    return triggers


def measure(
    bench: Bench,
    groups: dict[str, Group],
    streams: dict[str, list[Path]],
    heard: dict[str, list[Trace]],
    threshold: float,
    lag: float,
) -> dict:
    """Every trigger of an engine by what it fired on, judged. `heard`: its traces of each group and stream, in order."""
    clean = next(group for group in groups.values() if group.role == "word" and group.snr_db is None)
    ends = {clip.source: word_end(corpus.read(clip.path)) for clip in clean.clips}
    told: dict[str, dict] = {}
    for name, group in groups.items():
        items = [
            {"path": c.path, "file": c.source, "text": c.text} | ({"word_end_s": ends[c.source]} if group.role == "word" else {})
            for c in group.clips
        ]
        told[name] = {"role": group.role, "snr_db": group.snr_db, "neural": group.neural, "items": items}
    for name, paths in streams.items():
        told[name] = {"role": "stream", "items": [{"path": path, "file": path.name, "text": ""} for path in paths]}
    every = []
    for name, part in told.items():
        items = part.pop("items")
        part |= {"files": len(items), "triggers": []}
        for item, trace in zip(items, heard[name], strict=True):
            for fired in events(trace, threshold):
                trigger = item | {"fired_s": fired, "trigger_s": round(max(0.0, fired - lag), 2)}
                part["triggers"].append(trigger)
                every.append(trigger)
    judged(bench, every)
    return told


def stopped(parts: list[dict]) -> tuple[int, int]:
    """Triggers that wakegate does not let pass, of how many."""
    triggers = [t for part in parts for t in part["triggers"]]
    return sum(t["verdict"] != "intended" for t in triggers), len(triggers)


def first(part: dict) -> dict[str, dict]:
    """For each file with a trigger, the first that wakegate lets pass, or else the first."""
    best: dict[str, dict] = {}
    for trigger in part["triggers"]:
        held = best.get(trigger["file"])
        if held is None or (held["verdict"] != "intended" and trigger["verdict"] == "intended"):
            best[trigger["file"]] = trigger
    return best


def kept(parts: list[dict]) -> tuple[int, int]:
    """Files with a trigger that wakegate lets pass, of those with any trigger."""
    best = [trigger for part in parts for trigger in first(part).values()]
    return sum(t["verdict"] == "intended" for t in best), len(best)


def delays(parts: list[dict]) -> np.ndarray:
    """Seconds from the word's end until both the trigger and wakegate's verdict on it are there."""
    best = [trigger for part in parts for trigger in first(part).values()]
    return np.array([max(t["fired_s"], t["decided_s"]) - t["word_end_s"] for t in best])


def of_role(found: dict, *roles: str) -> list[dict]:
    """The parts of what was found that have one of these roles."""
    return [part for part in found["groups"].values() if part["role"] in roles]


def delay_text(found: dict) -> str:
    """The delay of the decision on the real word."""
    waits = delays(of_role(found, "word"))
    if not len(waits):
        return "no triggers"
    middle, late = np.quantile(waits, [0.5, 0.95])
    return f"{middle:.2f} s median, {late:.2f} s at the 95th percentile, {waits.max():.2f} s at most (n = {len(waits)})"


def table(found: dict[str, dict]) -> str:
    """False triggers stopped and true ones kept, a column for each engine."""
    lines = ["| behind | " + " | ".join(found) + " |", "| --- |" + " --- |" * len(found)]
    row = lambda name, cells: lines.append(f"| {name} | " + " | ".join(cells) + " |")
    shown = lambda counted: intervals.shown(*counted) if counted[1] else "no trigger"
    for role, what in ROLES.items():
        row(f"false triggers stopped: {what}", [shown(stopped(of_role(f, role))) for f in found.values()])
    row("**all false triggers stopped**", [shown(stopped(of_role(f, *ROLES))) for f in found.values()])
    one = next(iter(found.values()))
    for name, part in one["groups"].items():
        if part["role"] in ("word", "address"):
            row(f"true triggers kept: {name}", [shown(kept([f["groups"][name]])) for f in found.values()])
    row("**true triggers kept, real word, all of the above**", [shown(kept(of_role(f, "word"))) for f in found.values()])
    row("verdict after the word's end, real word", [delay_text(f) for f in found.values()])
    row("lag taken off its triggers (dev speakers)", [f"{f['lag_s']:.2f} s (n = {f['lag_n']})" for f in found.values()])
    return "\n".join(lines) + "\n"
