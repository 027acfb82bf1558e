#!/usr/bin/env python3
"""How fast recordings are scored, beside microWakeWord, openWakeWord and Porcupine: the same clips, core and run.

    cargo build --release && python3 benches/peers/scoring.py --cpu 1 [--input FOLDER]

The clips are 16 kHz mono WAV files: those of FOLDER, or the recordings of data/ written as such. wakegate's figure is
`wakegate score --threads 1` from its start to its end, so with start-up, decoding, the verifier on every clip, and the
writing of the records. A peer's is reading the file and its networks alone, in 80 ms chunks, by the loop that its own
bulk functions run; it starts before the clock does and is not reset between clips. Rounds take turns; a figure is
the median over them. Peers and their virtual environment are those of compare.py.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import compare


def score_peer(name: str, files: list[Path]) -> float:
    """Seconds that a peer takes for the files."""
    import soundfile

    hear = {"microWakeWord": compare.microwakeword, "openWakeWord": compare.openwakeword, "Porcupine": compare.porcupine}[name]()
    hear(bytes(2 * compare.CHUNK))
    began = time.perf_counter()
    for file in files:
        pcm = soundfile.read(file, dtype="int16")[0]
        for at in range(0, len(pcm) - compare.CHUNK + 1, compare.CHUNK):
            hear(pcm[at : at + compare.CHUNK].tobytes())
    return time.perf_counter() - began


def score_wakegate(binary: Path, names: Path, out: Path) -> float:
    """Seconds that `wakegate score` takes for the files that `names` lists."""
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DYLIB_PATH"}
    command = [binary, "score", "--list", names, "--threads", "1", "--output", out]
    out.unlink(missing_ok=True)
    began = time.perf_counter()
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr)
    return took


def clips(folder: Path | None, made: Path) -> tuple[list[Path], float]:
    """The WAV files, and their seconds together."""
    import soundfile

    if folder is None:
        for file in sorted((compare.ROOT / "data").glob("*.flac")):
            pcm, rate = soundfile.read(file, dtype="int16")
            soundfile.write(made / f"{file.stem}.wav", pcm, rate, subtype="PCM_16")
        folder = made
    files = sorted(folder.rglob("*.wav"))
    about = [soundfile.info(file) for file in files]
    if not files or any(one.samplerate != compare.RATE or one.channels != 1 for one in about):
        sys.exit(f"expected WAV files of 16 kHz mono in {folder}, found {len(files)} files (hint: sox IN -r 16000 -c 1 OUT)")
    return files, sum(one.duration for one in about)


def main() -> None:
    """Runs the rounds and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--binary", type=Path, default=compare.ROOT / "target/release/wakegate")
    parser.add_argument("--input", type=Path, help="folder of 16 kHz mono WAV files [default: the recordings in data/]")
    parser.add_argument("--cpu", type=int, help="the processor that all are kept on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=",".join(compare.PEERS), help="which, parted by commas")
    parser.add_argument("--venv", type=Path, default=compare.ROOT / "target/peers-venv")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(score_peer(args.one, [Path(line) for line in args.files.read_text().splitlines()])))
        return
    peers = [peer for peer in args.peers.split(",") if peer]
    if unknown := [peer for peer in peers if peer not in compare.PEERS]:
        sys.exit(f"expected peers out of {', '.join(compare.PEERS)}, found {', '.join(unknown)}")
    if not args.binary.exists():
        sys.exit(f"expected the program {args.binary}, found nothing there (hint: cargo build --release)")
    if not args.inside:
        compare.enter(args.venv.absolute(), Path(__file__))
    if args.cpu is not None:
        os.sched_setaffinity(0, {args.cpu})
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        files, seconds = clips(args.input, folder)
        names = folder / "files.txt"
        names.write_text("".join(f"{file.absolute()}\n" for file in files))
        taken: dict[str, list[float]] = {name: [] for name in ("wakegate", *peers)}
        for number in range(1, args.rounds + 1):
            print(f"round {number} of {args.rounds}", file=sys.stderr)
            taken["wakegate"].append(score_wakegate(args.binary, names, folder / "scores.jsonl"))
            for peer in peers:
                command = [sys.executable, __file__, "--one", peer, "--files", str(names)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.exit(f"{peer} failed:\n{done.stderr}")
                taken[peer].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{len(files)} clips, {seconds / 3600:.2f} h, {args.rounds} rounds, processor {args.cpu}\n")
    print("| engine | times real time | wakegate is faster by |\n| --- | --- | --- |")
    base = statistics.median(taken["wakegate"])
    for name, times in taken.items():
        middle = statistics.median(times)
        print(f"| {name} | {seconds / middle:.0f} | {middle / base:.1f} |")


if __name__ == "__main__":
    main()
