"""The test speakers' clips and running audio as a page by `wakegate eval`, in one command.

Clips, labels.tsv, scores.jsonl and the page stay in one folder: `wakegate eval` makes the page from them again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tomllib
from pathlib import Path

from . import corpus, trials
from .behind import word_end
from .evaluate import Bench, Group, path_in_manifest, score, seconds

COLUMNS = ("path", "start_s", "end_s", "label", "speaker", "audio_s", "group", "text")


def labels(bench: Bench, word: str, groups: dict[str, Group], streams: dict[str, list[Path]]) -> list[dict]:
    """A label for each clip and stream. Of the real word alone it is known where it ends: by its energy, without noise."""
    speakers = {row.path: row.speaker for row in bench.rows}
    clean = [group for group in groups.values() if group.role == "word" and group.snr_db is None]
    ends = {clip.source: word_end(corpus.read(clip.path)) for group in clean for clip in group.clips}
    rows = []
    for name, group in groups.items():
        for clip in group.clips:
            row = {"path": str(clip.path), "group": name, "text": clip.text, "label": word if group.wanted else ""}
            row |= {"speaker": clip.voice or speakers.get(clip.source, ""), "audio_s": f"{seconds(clip.path):.4f}"}
            if group.role == "word" and clip.source in ends:
                row |= {"start_s": f"{trials.BEFORE_S}", "end_s": f"{ends[clip.source]:.4f}"}
            rows.append(row)
    for name, paths in streams.items():
        for path in paths:
            speaker = speakers.get(path_in_manifest(path, bench.folder), "")
            rows.append({"path": str(path), "group": name, "speaker": speaker, "audio_s": f"{seconds(path):.4f}"})
    return rows


def write(rows: list[dict], path: Path) -> None:
    """Writes the labels as TSV, without quotes: there is no tab in what they hold."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Mixes, scores, and has the page made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True, help="the wakegate binary")
    parser.add_argument("--model", type=Path, required=True, help="the package directory")
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--out", type=Path, required=True, help="folder for clips, labels, scores and the page")
    parser.add_argument("--audio", action="store_true", help="put the audio of the worst mistakes into the page")
    args = parser.parse_args()
    word = tomllib.loads((args.model / "manifest.toml").read_text())["wake_word"]
    bench = Bench(args.binary, args.model, args.recordings, args.synthetic, {args.split})
    rows = labels(bench, word, bench.clips(word, args.out / "clips"), bench.streams(word))
    write(rows, args.out / "labels.tsv")
    lines = score(args.binary, args.model, [Path(row["path"]) for row in rows], "--activations")
    scores = args.out / "scores.jsonl"
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [args.binary, "eval", "--scores", scores, "--labels", args.out / "labels.tsv", "--word", word]
    command += ["--by", "group", "--by", "speaker", "--report", args.out, *(["--audio"] if args.audio else [])]
    raise SystemExit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
