"""Chooses a package's operating points on many kinds of audio: false accepts an hour first, then recall under them.

    python -m wakegate_train.points --binary ../../target/release/wakegate --model ../alexa-3 \\
        --recordings REC --synthetic WORK/synth --out WORK/points --write

Every recording without the word counts, the `test` speakers' left out; what is wanted is of the `dev` speakers alone.
`low`, `default` and `high` are the lowest thresholds that keep to LOW, DEFAULT and HIGH false accepts an hour.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import tomllib
from pathlib import Path

import numpy as np

from . import evaluate, intervals
from .evaluate import Bench

LOW, DEFAULT, HIGH = 0.05, 0.2, 1.0
"""False accepts an hour of all kinds of audio."""
GRID = tuple(round(0.5 + 0.01 * k, 2) for k in range(46)) + tuple(round(0.955 + 0.005 * k, 3) for k in range(9))
"""Thresholds that are tried."""


def scores(lines: list[dict]) -> np.ndarray:
    """p_intended of lines of `wakegate score`, -1 where there was no candidate."""
    return np.array([-1.0 if line["p_intended"] is None else line["p_intended"] for line in lines])


def measure(bench: Bench, quiet: Bench, word: str, folder: Path) -> dict:
    """Scores of the wanted and unwanted clips (`bench`: dev), and of all running audio (`quiet`), without early verdicts."""
    with tempfile.TemporaryDirectory() as bare:
        model = evaluate.without_early(bench.model, Path(bare))
        bench.model = quiet.model = model
        clips = {}
        for name, group in bench.clips(word, folder).items():
            lines = evaluate.score(bench.binary, model, [clip.path for clip in group.clips])
            clips[name] = {"role": group.role, "scores": scores(lines).tolist()}
        streams = {}
        for name, paths in quiet.streams(word).items():
            found = quiet.activations(paths)
            streams[name] = {"hours": found["hours"], "scores": scores(found["activations"]).tolist()}
    return {"clips": clips, "streams": streams}


def accepts(found: dict, threshold: float) -> tuple[int, float]:
    """False accepts in all running audio, and its hours."""
    hits = sum(int((np.array(one["scores"]) >= threshold).sum()) for one in found["streams"].values())
    return hits, sum(one["hours"] for one in found["streams"].values())


def lowest(found: dict, most: float) -> float:
    """The lowest threshold of the grid that keeps to `most` false accepts an hour."""
    rate = lambda threshold: np.divide(*accepts(found, threshold))
    return next((threshold for threshold in GRID if rate(threshold) <= most), GRID[-1])


def choose(found: dict) -> dict[str, float]:
    """The three points by name, low the strictest."""
    return {"low": lowest(found, LOW), "default": lowest(found, DEFAULT), "high": lowest(found, HIGH)}


def shown(found: dict, points: dict[str, float]) -> str:
    """What the points do, as Markdown."""
    lines = ["| | " + " | ".join(f"{name}, {at}" for name, at in points.items()) + " |", "| --- |" + " --- |" * len(points)]
    for name, group in found["clips"].items():
        scored = np.array(group["scores"])
        cells = [intervals.shown(int((scored >= at).sum()), len(scored)) for at in points.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, stream in found["streams"].items():
        cells = [f"{int((np.array(stream['scores']) >= at).sum())} in {stream['hours']:.2f} h" for at in points.values()]
        lines.append(f"| false accepts: {name} | " + " | ".join(cells) + " |")
    totals = [accepts(found, at) for at in points.values()]
    cells = [f"{hits} in {hours:.2f} h, {hits / hours:.2f} an hour" for hits, hours in totals]
    return "\n".join([*lines, "| false accepts: all of it | " + " | ".join(cells) + " |"]) + "\n"


def with_points(manifest: str, points: dict[str, float]) -> str:
    """The manifest at the default point, with the other two beside it."""
    bare = re.sub(r"\n?\[decision\.sensitivity\]\n(?:[^\[\n].*\n|\n)*", "", manifest)
    head, mark, tail = bare.partition("[decision]\n")
    tail = re.sub(r"(?m)^intended_at = .*$", f"intended_at = {points['default']:g}", tail, count=1)
    least = tomllib.loads(bare)["decision"]["accidental_below"]
    high = max(points["high"], least)
    return f"{head}{mark}{tail.rstrip()}\n\n[decision.sensitivity]\nlow = {points['low']:g}\nhigh = {high:g}\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--binary", type=Path, required=True, help="the wakegate binary")
    parser.add_argument("--model", type=Path, required=True, help="the package")
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for points.json, points.md and the clips")
    parser.add_argument("--write", action="store_true", help="put the points into the package's manifest")
    args = parser.parse_args()
    path = args.model / "manifest.toml"
    manifest = tomllib.loads(path.read_text())
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "points.json"
    of = [manifest[part]["sha256"] for part in ("spotter", "verifier")]
    found = json.loads(kept.read_text()) if kept.exists() else {}
    if found.get("networks") != of:
        benches = [Bench(args.binary, args.model, args.recordings, args.synthetic, splits) for splits in ({"dev"}, {"train", "dev"})]
        found = measure(*benches, manifest["wake_word"], args.out / "clips") | {"networks": of}
        kept.write_text(json.dumps(found))
    points = choose(found)
    (args.out / "points.md").write_text(shown(found, points))
    print(shown(found, points))
    if args.write:
        path.write_text(with_points(path.read_text(), points))


if __name__ == "__main__":
    main()
