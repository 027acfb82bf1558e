"""Writes REPORT.md and its pictures beside a model package: every figure, from the recordings, by one command.

    python -m wakegate_train.report --binary ../../target/release/wakegate --model ../alexa-2 \\
        --recordings REC --synthetic WORK/synth --work WORK --out ../alexa-2

Figures are of the `test` speakers. What was measured is kept under WORK/report and made again only where the
model, the binary, the recordings or a peer's version differ; a peer's scores depend on the clips alone and are kept
for all models of the word. A file `ablation.json` in the package's folder adds a table (see `sections.ablation`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import behind, curves, evaluate, peers, pictures, sections, targets, trials
from .evaluate import Bench, Group, path_in_manifest

RUNS = 5
"""Of `wakegate model check`, for the cost."""


@dataclass
class Heard:
    """What a peer makes of the clips and the running audio: its traces by group, in order."""

    package: str
    threshold: float
    traces: dict[str, list[peers.Trace]]
    lags: list[float]
    """Seconds from the word's end to its trigger on the `dev` speakers' clean clips."""


def cached(path: Path, made_of: dict, make: Callable[[], dict]) -> dict:
    """What `path` keeps, if it was made of the same things; else what `make` returns, kept there."""
    if path.is_file():
        kept = json.loads(path.read_text())
        if kept.get("made_of") == made_of:
            return kept
    made = make() | {"made_of": made_of}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=1))
    return made


def digest(groups: dict[str, Group], streams: dict[str, list[Path]], folder: Path) -> str:
    """A hash over the names of all that is measured on; it changes when the corpora grow."""
    names = [[name, [[clip.source, clip.text] for clip in group.clips]] for name, group in groups.items()]
    names += [[name, [path_in_manifest(path, folder) for path in paths]] for name, paths in streams.items()]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def hear(name: str, word: str, benches: tuple[Bench, Bench], groups: dict[str, Group], root: Path) -> Heard:
    """Runs a peer over everything (`benches`: test and dev)."""
    bench, dev = benches
    # Where voices say the word before a request, nothing tells where it ends.
    clean = next(iter(dev.word_clips(word, root / "clips" / f"{word}-dev", [None]).values())) if dev.recorded(word) else Group("word")
    sets = {n: {f"{n}/{clip.source}": clip.path for clip in group.clips} for n, group in groups.items()}
    sets |= {n: {path_in_manifest(p, bench.folder): p for p in paths} for n, paths in bench.streams(word).items()}
    own = {f"dev/{clip.source}": clip.path for clip in clean.clips}
    files = {key: path for some in sets.values() for key, path in some.items()}
    traces = peers.traces(name, word, files | own, root / "peers" / f"{word}-{name}.jsonl")
    threshold = peers.PEERS[name](word).threshold
    lags = behind.lags(clean, [traces[key] for key in own], threshold)
    package = peers.available(word)[name]
    return Heard(package, threshold, {n: [traces[key] for key in some] for n, some in sets.items()}, lags)


def cost(binary: Path, model: Path) -> dict:
    """Milliseconds of a spotter step and of a verification, by several runs of `wakegate model check`."""
    found: dict[str, list[float]] = {"step_ms": [], "window_ms": []}
    for _ in range(RUNS):
        said = subprocess.run([binary, "model", "check", model], capture_output=True, text=True, check=True).stdout
        for key, what in (("step_ms", "step"), ("window_ms", "window")):
            found[key].append(float(re.search(rf"([\d.]+) ms a {what}", said)[1]))
    return found


def machine() -> str:
    """The processor and how many cores."""
    try:
        model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def commit() -> str:
    """The commit of the working tree that this runs from, '' outside of one."""
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return run.stdout.strip() if run.returncode == 0 else ""


def an_hour(events: int, hours: float) -> float:
    """How many an hour; nan where there was no audio to count in."""
    return events / hours if hours else float("nan")


def trade_off(found: dict, heard: dict[str, Heard], stem: Path) -> str:
    """The picture of misses against false accepts; its file name."""
    word = found["word"]
    negatives = [name for name, group in found["clips"].items() if group["role"] in ("soundalike", "mention")]
    hours = sum(stream["hours"] for stream in found["streams"].values())
    activations = [a for stream in found["streams"].values() for a in stream["activations"]]
    words = {name: group for name, group in found["clips"].items() if group["role"] == "word"}
    titles = {name: name.removeprefix(f"{word}, ") for name in words}
    systems: dict[str, dict] = {"wakegate": {}} | {name: {} for name in heard}
    told = [line for name in negatives for line in found["clips"][name]["told"]]
    for name, group in words.items():
        positive, negative = curves.clip_scores(group["told"]), curves.clip_scores(told)
        missed = 1 - evaluate.passed(group["told"]) / len(group["told"])
        systems["wakegate"][titles[name]] = {
            "clips": curves.det(positive, negative),
            "streams": curves.det_streams(positive, curves.activation_counts(activations, positive), hours),
            "default": (missed, evaluate.passed(told) / max(1, len(told)), an_hour(evaluate.passed(activations), hours)),
        }
        for system, peer in heard.items():
            highest = lambda some, peer=peer: np.array([peers.highest(trace) for n in some for trace in peer.traces[n]])
            positive, negative = highest([name]), highest(negatives)
            running = [trace for n in found["streams"] for trace in peer.traces[n]]
            accepts = sum(len(peers.events(trace, peer.threshold)) for trace in running)
            share = (negative > peer.threshold).mean() if len(negative) else 0.0
            systems[system][titles[name]] = {
                "clips": curves.det(positive, negative),
                "streams": curves.det_streams(positive, curves.event_counts(running, positive), hours),
                "default": ((positive <= peer.threshold).mean(), share, an_hour(accepts, hours)),
            }
    counts = {titles[name]: len(group["told"]) for name, group in words.items()}
    return pictures.det(systems, counts, len(told), hours, stem)


def believed(found: dict) -> tuple[np.ndarray, np.ndarray]:
    """p_intended of every activation on clips and running audio, and whether it was really intended."""
    scores, truth = [], []
    for group in found["clips"].values():
        some = [line["p_intended"] for line in group["told"] if line["end_s"] is not None]
        scores += some
        truth += [group["role"] in ("word", "address")] * len(some)
    for stream in found["streams"].values():
        scores += [a["p_intended"] for a in stream["activations"]]
        truth += [False] * len(stream["activations"])
    return np.array(scores), np.array(truth, dtype=bool)


def main() -> None:
    """Measures what is missing and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True, help="the wakegate binary")
    parser.add_argument("--model", type=Path, required=True, help="the package directory")
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path, help="folder of synth.py")
    parser.add_argument("--work", type=Path, required=True, help="folder for the mixed clips and what was measured")
    parser.add_argument("--out", type=Path, required=True, help="folder for REPORT.md and the pictures")
    parser.add_argument("--measured", default="", help="when, and what else the machine did: a line of the report")
    args = parser.parse_args()
    manifest = tomllib.loads((args.model / "manifest.toml").read_text())
    name, word = f"{manifest['name']}-{manifest['version']}", manifest["wake_word"]
    root = args.work / "report"
    bench, dev = (Bench(args.binary, args.model, args.recordings, args.synthetic, {split}) for split in ("test", "dev"))
    groups, streams = bench.clips(word, root / "clips" / word), bench.streams(word)
    version = subprocess.run([args.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    made_of = {
        "version": version,
        "manifest": hashlib.sha256((args.model / "manifest.toml").read_bytes()).hexdigest(),
        "measured_on": digest(groups, streams, args.recordings),
        "seed": evaluate.SEED,
        "snrs_db": list(trials.SNRS),
    }
    found = cached(root / name / "figures.json", made_of, lambda: bench.everything(word, groups))
    costs = cached(root / name / "latency.json", {**made_of, "machine": machine()}, lambda: cost(args.binary, args.model))
    heard, behinds = {}, {}
    for peer in peers.available(word):
        heard[peer] = it = hear(peer, word, (bench, dev), groups, root)
        if not bench.recorded(word):
            continue
        lag = float(np.median(it.lags)) if it.lags else 0.0
        behinds[peer] = cached(
            root / name / f"behind-{peer}.json",
            {**made_of, "peer": it.package, "lag_s": lag},
            lambda it=it, lag=lag: {
                "lag_s": lag,
                "lag_n": len(it.lags),
                "groups": behind.measure(bench, groups, streams, it.traces, it.threshold, lag),
            },
        )
    sizes = {manifest[part]["file"]: (args.model / manifest[part]["file"]).stat().st_size for part in ("spotter", "verifier")}
    args.out.mkdir(parents=True, exist_ok=True)
    drawn = {
        "det": trade_off(found, heard, args.out / "det"),
        "reliability": pictures.reliability(*believed(found), args.out / "reliability"),
    }
    text = sections.whole(
        manifest=manifest,
        found=found,
        rows=targets.rows(found, behinds, costs, sizes),
        heard=heard,
        behinds=behinds,
        drawn=drawn,
        parts=sections.ablation(args.out / "ablation.json"),
        made_with={"version": version.splitlines()[0], "commit": commit(), "machine": machine(), "measured": args.measured},
    )
    (args.out / "REPORT.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
