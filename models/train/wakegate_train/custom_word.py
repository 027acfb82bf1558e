"""A wake word of your own: from a folder of recordings, or from none, to a model package and an honest report.

    python -m wakegate_train.custom_word --word marvin --recordings DIR --work WORK --binary wakegate --out ../marvin-1

It lists the recordings (subfolders are speakers), keeps some apart, makes synthetic speech, and runs the steps of
README.md one after another, starting from the weights of a shipped package. A run that was cut off goes on.
Without recordings the speakers are the synthetic voices, of which some are kept apart, and the report says so.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import soundfile

from . import corpus

AUDIO = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff"}
"""What libsndfile reads."""
GOES_ON = "the lines above say why (hint: run the same command again, it goes on)"
"""What a failed step is told with."""
COLUMNS = ("path", "dataset", "kind", "label", "speaker", "split", "seconds", "licence", "context", "start_s", "end_s", "text")
TEST_SHARE, DEV_SHARE = 0.25, 0.15
"""Shares of the speakers (or of the recordings, where speakers are few) that are only reported, and that tune."""
LEAST_SPEAKERS = 5
"""With fewer speakers than this, recordings are kept apart and not people."""
FEWEST = 20
"""Fewer recordings than this leave nothing to train on once some are kept apart."""
VOICES_ALONE = "no person was heard or measured: synthetic voices say the word, and some of them are kept apart"
"""What is told of a word without recordings."""
ENGINES = "espeak,flite,festival,kokoro,kokoro-mix,kokoro-near,kokoro-edits"
"""kokoro-mix makes voices of the same speakers as kokoro-far, and more of them."""
SHOW_ONE_PERCENT = 368
"""Recordings of which none is missed whose exact 95 % interval (Clopper-Pearson) ends below an FRR of 1 %."""


def held_out(names: Iterable[str]) -> dict[str, str]:
    """A split for each name, by the rank of its hash: at least one for test and one for dev."""
    ranked = sorted(names, key=corpus.share)
    tests, devs = max(1, round(len(ranked) * TEST_SHARE)), max(1, round(len(ranked) * DEV_SHARE))
    return {n: "test" if i < tests else "dev" if i < tests + devs else "train" for i, n in enumerate(ranked)}


def listed(word: str, folder: Path) -> tuple[list[dict], str]:
    """A manifest line for each recording of the word, and in words what is kept apart."""
    rows, unreadable = [], []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO):
        try:
            seconds = soundfile.info(path).duration
        except soundfile.LibsndfileError as error:
            unreadable.append(f"{path}: {error}")
            continue
        speaker = path.relative_to(folder).parts[0] if path.parent != folder else ""
        rows.append({"path": str(path.resolve()), "speaker": speaker, "seconds": f"{seconds:.3f}"})
    for line in unreadable:
        print(f"left out {line}", file=sys.stderr)
    if len(rows) < FEWEST:
        raise SystemExit(
            f"expected at least {FEWEST} recordings of {word!r} in {folder}, found {len(rows)}; "
            f"hint: one word a file, 50 or more, as {', '.join(sorted(AUDIO))}; a subfolder for each speaker; "
            "without any recordings, leave them out: synthetic voices alone will say it"
        )
    speakers = {row["speaker"] for row in rows if row["speaker"]}
    by_speaker = len(speakers) >= LEAST_SPEAKERS and all(row["speaker"] for row in rows)
    split = held_out(speakers if by_speaker else [row["path"] for row in rows])
    for row in rows:
        row |= {"dataset": "own", "kind": "wakeword", "label": word, "text": word, "licence": "own"}
        row["split"] = split[row["speaker" if by_speaker else "path"]]
    count = Counter(row["split"] for row in rows)
    apart = "by other people than those of training"
    if not by_speaker:
        apart = f"by the same people as those of training (a subfolder for each of {LEAST_SPEAKERS} or more keeps people apart)"
    told = f"{len(rows)} recordings of {word!r}: {count['train']} to train, {count['dev']} to tune, {count['test']} held out, {apart}"
    return rows, told


def manifest(word: str, rows: list[dict], public: Path | None, out: Path) -> None:
    """Writes `out`/manifest.tsv: the word's rows and those of a folder of public recordings, if there is one."""
    out.mkdir(parents=True, exist_ok=True)
    if public is not None:
        with (public / "manifest.tsv").open(newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                row["path"] = str((public / row["path"]).resolve())
                # The same word in the public recordings keeps its own split.
                rows.append(row)
    with (out / "manifest.tsv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, delimiter="\t", restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} recordings in all for {word!r}", flush=True)


def run(step: str, *options: object) -> None:
    """One step of the recipe as its own process."""
    print(f"\n== {step}", flush=True)
    if subprocess.run([sys.executable, "-m", f"wakegate_train.{step}", *map(str, options)], check=False).returncode:
        raise SystemExit(f"the step {step} failed; {GOES_ON}")


def train_once(work: Path, inputs: Iterable[Path], *options: object) -> None:
    """The step `train`, unless it was finished with the same options and files before."""
    made_of = hashlib.sha256(" ".join(map(str, options)).encode())
    for path in inputs:
        made_of.update(path.read_bytes())
    finished = work / "nets" / "finished.txt"
    if finished.exists() and finished.read_text() == made_of.hexdigest():
        print("\n== train: finished before with the same recordings, speech and options", flush=True)
        return
    finished.unlink(missing_ok=True)
    run("train", *options)
    finished.write_text(made_of.hexdigest())


def synthesise(args: argparse.Namespace, synth: Path) -> None:
    """Synthetic speech, a process for each core."""
    kokoro = args.work / "kokoro"
    if not (kokoro / "model.onnx").exists():
        run("synth", "--fetch-kokoro", kokoro)
    parts = os.cpu_count() or 1
    options = ["--out", synth, "--kokoro", kokoro, "--words", args.word, "--limit", args.synthetic, "--engines", ENGINES]
    options += ["--phones", args.phones] if args.phones else []
    # The first part writes the list of sound-alikes that the others read.
    run("synth", *options, "--engines", "flite", "--limit", 1)
    print("\n== synth", flush=True)
    command = [sys.executable, "-m", "wakegate_train.synth", *map(str, options)]
    running = [subprocess.Popen([*command, "--share", f"{k}/{parts}"]) for k in range(1, parts + 1)]
    if any([process.wait() for process in running]):
        raise SystemExit(f"synthetic speech failed; {GOES_ON}")


def summary(args: argparse.Namespace, told: str, rows: list[dict]) -> str:
    """The last words: what was held out, and what so few recordings can show."""
    name = args.out.name
    figures = args.work / "report" / name / "figures.json"
    clean = next(g for g in json.loads(figures.read_text())["clips"].values() if g["role"] == "word" and g["snr_db"] is None)
    n = len(clean["told"])
    lines = [f"\n{told}."]
    if args.recordings is None:
        lines.append(
            f"The figures are of {n} requests by held-out voices. Record the word by some people before you rely on it "
            "(hint: RECORDINGS=DIR)."
        )
    elif n < SHOW_ONE_PERCENT:
        lines.append(
            f"With {n} held-out recordings even none missed would only show an FRR below "
            f"{100 * (1 - 0.025 ** (1 / n)):.0f} % (95 %); {SHOW_ONE_PERCENT} would show 1 %."
        )
    if not any(row["dataset"] != "own" for row in rows):
        lines.append("No recorded speech or noise was trained on or measured: false accepts an hour are unknown (hint: PUBLIC=DIR).")
    lines.append(f"Use it: wakegate listen --model {args.out}. All figures: {args.out / 'REPORT.md'}")
    return "\n".join(lines)


def main() -> None:
    """All steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--word", required=True, type=lambda text: " ".join(text.lower().split()), help="the wake word")
    parser.add_argument("--recordings", type=Path, help="folder of recordings of the word, one word a file; none: synthetic voices alone")
    parser.add_argument("--public", type=Path, help="folder of public recordings with a manifest (README.md): speech, noise, rooms")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is made on the way")
    parser.add_argument("--binary", type=Path, required=True, help="the wakegate binary")
    parser.add_argument("--out", type=Path, required=True, help="the package to write, models/NAME-VERSION")
    parser.add_argument("--start", type=Path, help="package to begin with")
    parser.add_argument("--phones", help="CMUdict phones of a word that the dictionary lacks, for its sound-alikes")
    parser.add_argument("--synthetic", type=int, default=1200, help="utterances of each speech engine")
    parser.add_argument("--steps", type=int, default=2400)
    args = parser.parse_args()
    named = re.fullmatch(r"([a-z0-9][a-z0-9-]*)-(\d+)", args.out.name)
    if named is None:
        raise SystemExit(
            f"expected --out .../NAME-VERSION, as marvin-1, found {args.out.name!r}; hint: lower-case letters, digits and hyphens"
        )
    rows, told = listed(args.word, args.recordings) if args.recordings else ([], f"{args.word!r}: {VOICES_ALONE}")
    print(told)
    recordings, synth = args.work / "recordings", args.work / "synth"
    manifest(args.word, rows, args.public, recordings)
    synthesise(args, synth)
    place = ["--work", args.work]
    run("align", "--recordings", recordings, "--synthetic", synth, *place)
    pack = ["--recordings", recordings, "--binary", args.binary, "--words", args.word, *place]
    run("pack", *pack)
    run("pack", *pack, "--synthetic", synth)
    start = ["--start", args.start] if args.start else []
    given = ["--phones", args.phones] if args.phones else []
    made_of = [recordings / "manifest.tsv", synth / "synth.tsv"]
    train_once(args.work, made_of, *place, "--words", args.word, "--steps", args.steps, *start, *given)
    name, version = named[1], named[2]
    run("release", *place, "--word", args.word, "--words", args.word, "--name", name, "--version", version, "--out", args.out)
    measured = ["--binary", args.binary, "--model", args.out, "--recordings", recordings, "--synthetic", synth]
    run("early", *measured, "--out", args.work / "early" / args.out.name, "--write")
    run("report", *measured, *place, "--out", args.out)
    print(summary(args, told, rows))


if __name__ == "__main__":
    main()
