#!/usr/bin/env python3
"""wakegate beside microWakeWord, openWakeWord and Porcupine: the same audio, the same processor, the same run.

    cargo build --release && python3 benches/peers/compare.py --cpu 1

Each engine hears 16 kHz audio in chunks of 80 ms in a process of its own, one after the other, in several rounds, so
that a change of the machine's speed touches all alike. Its figure is the median over the rounds of each round's
median. wakegate's is `wakegate bench --rate 16000`: `listening` is what the peers do (front end and spotter), `hop`
is all of it: ring, tape, and the verifier that the peers have not.

What a peer's Python costs is in its figure: it is how the package is used. Porcupine is called past its own
conversion of Python numbers, which would cost as much as its networks. The script makes a virtual environment for
the peers (--venv) and installs benches/peers/requirements.txt there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RATE = 16_000
CHUNK = 1280
"""Samples of 80 ms."""
PEERS = ("microWakeWord", "openWakeWord", "Porcupine")


def microwakeword():
    """microWakeWord v2: its front end in C++, its network in TensorFlow Lite, by ctypes."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    spotter, features = MicroWakeWord.from_builtin(Model("alexa")), MicroWakeWordFeatures()

    def hear(chunk: bytes) -> bool:
        # No any(): it would leave out the frames after a detection.
        return max([bool(spotter.process_streaming(f)) for f in features.process_streaming(chunk)], default=False)

    return hear


def openwakeword():
    """openWakeWord as wyoming-openwakeword runs it: three networks in TensorFlow Lite, by ctypes."""
    from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

    features, spotter = OpenWakeWordFeatures.from_builtin(), OpenWakeWord.from_builtin(Model("alexa"))

    def hear(chunk: bytes) -> bool:
        scores = [s for e in features.process_streaming(chunk) for s in spotter.process_streaming(e)]
        return max(scores, default=0.0) > 0.5

    return hear


def porcupine():
    """Porcupine 1.9.5, whose frames are 32 ms: 80 ms hold two or three of them."""
    from ctypes import byref, c_int, c_short

    import pvporcupine

    engine = pvporcupine.create(keywords=["alexa"])
    frame, waiting, result = 2 * engine.frame_length, bytearray(), c_int()
    form = c_short * engine.frame_length

    def hear(chunk: bytes) -> bool:
        waiting.extend(chunk)
        heard = False
        while len(waiting) >= frame:
            engine.process_func(engine._handle, form.from_buffer_copy(waiting), byref(result))
            heard |= result.value >= 0
            del waiting[:frame]
        return heard

    return hear


def run_peer(name: str, audio: Path, seconds: float, warmup: float) -> dict:
    """Chunks of `audio`, again and again, through one peer; times in microseconds."""
    import soundfile

    pcm, rate = soundfile.read(audio, dtype="int16")
    if rate != RATE or pcm.ndim != 1:
        sys.exit(f"expected 16 kHz mono in {audio}, found {rate} Hz, shape {pcm.shape}")
    chunks = [pcm[at : at + CHUNK].tobytes() for at in range(0, len(pcm) - CHUNK + 1, CHUNK)]
    start = time.perf_counter()
    hear = {"microWakeWord": microwakeword, "openWakeWord": openwakeword, "Porcupine": porcupine}[name]()
    hear(bytes(2 * CHUNK))
    loaded = time.perf_counter() - start
    times: list[int] = []
    detections, heard, clock = 0, False, time.perf_counter_ns
    begun = clock() + int(warmup * 1e9)
    end = begun + int(seconds * 1e9)
    while True:
        for chunk in chunks:
            before = clock()
            now = hear(chunk)
            after = clock()
            if before >= begun:
                times.append(after - before)
                detections += now and not heard
            heard = now
            if after >= end:
                times.sort()
                at = lambda share: times[min(int(share * len(times)), len(times) - 1)] / 1e3  # noqa: E731
                return {
                    "n": len(times),
                    "p50_us": at(0.5),
                    "p99_us": at(0.99),
                    "max_us": times[-1] / 1e3,
                    "mean_us": sum(times) / len(times) / 1e3,
                    "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
                    "load_ms": loaded * 1e3,
                    "detections": detections,
                }


def run_wakegate(binary: Path, audio: Path, args: argparse.Namespace, starts: int) -> list[dict]:
    """Two rows: what the peers do, and everything."""
    command = [binary, "bench", "--json", "--input", audio, "--rate", RATE, "--starts", starts]
    command += ["--seconds", args.seconds, "--warmup", args.warmup]
    command += [] if args.cpu is None else ["--cpu", args.cpu]
    command += ["--onnxruntime", args.onnxruntime] if args.onnxruntime else []
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DYLIB_PATH"}
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    report = json.loads(done.stdout)
    rows = {row["stage"]: row for row in report["stages"]}
    start = report["start_up"]
    shared = {"warnings": report["warnings"], "version": report["version"], "runtime": report["runtime"], "machine": report["machine"]}
    if start:
        shared |= {"rss_mb": start["memory"]["peak"] / 1e6, "load_ms": start["median_ms"]}
    return [{key: rows[stage][key] for key in ("n", "p50_us", "p99_us", "max_us", "mean_us")} | shared for stage in ("listening", "hop")]


def joined(folder: Path, out: Path) -> Path:
    """The demo's recordings one behind the other, as one WAV file."""
    import numpy as np
    import soundfile

    files = [line.split("\t")[0] for line in (folder / "manifest.tsv").read_text().splitlines()[1:]]
    parts = [soundfile.read(folder / file, dtype="int16")[0] for file in files]
    path = out / "peers.wav"
    soundfile.write(path, np.concatenate(parts), RATE, subtype="PCM_16")
    return path


def enter(folder: Path, script: Path = Path(__file__)) -> None:
    """Goes on with `script` inside the virtual environment of the peers, making it where it is missing."""
    python = folder / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text()
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        stamp.write_text(wanted)
    os.execv(python, [str(python), str(script.resolve()), *sys.argv[1:], "--inside"])


def median_of(rounds: list[dict], key: str) -> float | None:
    """The median over the rounds that have the figure."""
    values = [each[key] for each in rounds if key in each]
    return statistics.median(values) if values else None


def table(results: dict[str, list[dict]]) -> str:
    """One row an engine; ratios to wakegate's listening, above 1 where the engine needs more."""
    base = median_of(results["wakegate, listening"], "p50_us")
    lines = [
        "| engine | ms per 80 ms, p50 | ratio | mean (RTF) | p99 | max | resident MB, peak | ms to load |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, rounds in results.items():
        p50, mean = median_of(rounds, "p50_us"), median_of(rounds, "mean_us")
        p99, worst = median_of(rounds, "p99_us"), max(each["max_us"] for each in rounds)
        memory, load = median_of(rounds, "rss_mb"), median_of(rounds, "load_ms")
        shown = [f"{value:.0f}" if value is not None else "" for value in (memory, load)]
        lines.append(
            f"| {name} | {p50 / 1e3:.4f} | {p50 / base:.2f} | {mean / 1e3:.4f} ({mean / 80e3:.5f}) "
            f"| {p99 / 1e3:.3f} | {worst / 1e3:.3f} | {shown[0]} | {shown[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Runs the rounds and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/wakegate")
    parser.add_argument("--input", type=Path, help="16 kHz mono WAV or FLAC [default: the recordings in data/]")
    parser.add_argument("--cpu", type=int, help="the processor that all are kept on")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each engine in each round")
    parser.add_argument("--warmup", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--onnxruntime", type=Path, help="ONNX Runtime's library for wakegate")
    parser.add_argument("--peers", default=",".join(PEERS), help="which, parted by commas")
    parser.add_argument("--venv", type=Path, default=ROOT / "target/peers-venv")
    parser.add_argument("--json", type=Path, help="also write every round to this file")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run_peer(args.one, args.input, args.seconds, args.warmup)))
        return
    peers = [peer for peer in args.peers.split(",") if peer]
    if unknown := [peer for peer in peers if peer not in PEERS]:
        sys.exit(f"expected peers out of {', '.join(PEERS)}, found {', '.join(unknown)}")
    if not args.binary.exists():
        sys.exit(f"expected the program {args.binary}, found nothing there (hint: cargo build --release)")
    if not args.inside:
        enter(args.venv.absolute())
    if args.cpu is not None:
        os.sched_setaffinity(0, {args.cpu})
    audio = args.input or joined(ROOT / "data", args.venv)
    results: dict[str, list[dict]] = {name: [] for name in ("wakegate, listening", "wakegate, everything", *peers)}
    for number in range(1, args.rounds + 1):
        print(f"round {number} of {args.rounds}", file=sys.stderr)
        rows = run_wakegate(args.binary, audio, args, starts=3 if number == 1 else 0)
        for name, row in zip(results, rows, strict=False):
            results[name].append(row)
        for peer in peers:
            command = [sys.executable, __file__, "--one", peer, "--input", audio]
            command += ["--seconds", args.seconds, "--warmup", args.warmup]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{peer} failed:\n{done.stderr}")
            results[peer].append(json.loads(done.stdout.splitlines()[-1]))
    first = results["wakegate, listening"][0]
    machine = first["machine"]
    print(f"wakegate {first['version']}, {first['runtime']}; {machine['cpu']}, {machine['arch']}, {machine['kernel']}, processor {args.cpu};")
    print(f"{audio.name}, {args.rounds} rounds of {args.seconds:g} s each after {args.warmup:g} s of warm-up\n")
    print(table(results))
    doubts = {f"{w['what']} ({w['remedy']})" for row in results["wakegate, listening"] for w in row["warnings"]}
    for doubt in sorted(doubts):
        print(f"warning: {doubt}", file=sys.stderr)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
