"""Everything to train on, as log-mel frames in one file: made once, then trained from memory.

Features come from `wakegate features`, the front end that runs on the device, so that training and
running cannot drift apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import soundfile

from . import augment, corpus
from . import utterances as utt
from .align import synthetic_rows
from .frontend import features

HOP = 160
WINDOW = 400
GAP = 3 * HOP
"""Zeros between two utterances of a shard, so that no window spans both."""

SHARD_SECONDS = 1200

JOINS = 2
"""Joins of each synthetic sentence with another name by the same voice."""

PORTION = 1000
"""Utterances whose versions are made at a time."""


def extract(binary: Path, settings: Path, batch: list[np.ndarray]) -> list[np.ndarray]:
    """Log-mel frames, float32 [frames, bands], of each array of samples at 16 kHz."""
    starts, position = [], 0
    for samples in batch:
        starts.append(position)
        position += -(-(len(samples) + GAP) // HOP) * HOP
    whole = np.zeros(position + WINDOW, dtype=np.float32)
    for start, samples in zip(starts, batch, strict=True):
        whole[start : start + len(samples)] = samples
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "shard.wav"
        soundfile.write(wav, np.clip(whole, -1, 1), corpus.RATE, subtype="PCM_16")
        (frames,) = features(binary, [wav], "--settings", settings).values()
    spans = [(start // HOP, max(1, (len(samples) - WINDOW) // HOP + 1)) for start, samples in zip(starts, batch, strict=True)]
    return [frames[first : first + count] for first, count in spans]


class Packer:
    """Collects utterances, extracts shards of features, keeps the table."""

    def __init__(self, binary: Path, settings: Path) -> None:
        self.binary, self.settings = binary, settings
        self.waiting: list[utt.Utterance] = []
        self.seconds = 0.0
        self.frames: list[np.ndarray] = []
        self.phones: list[np.ndarray] = []
        self.table: list[dict] = []
        self.position = 0

    def add(self, utterance: utt.Utterance) -> None:
        """Takes one utterance; features are computed shard by shard."""
        if len(utterance.samples) < WINDOW:
            return
        self.waiting.append(utterance)
        self.seconds += len(utterance.samples) / corpus.RATE
        if self.seconds > SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Computes the features of what waits."""
        for utterance, frames in zip(
            self.waiting, extract(self.binary, self.settings, [u.samples for u in self.waiting]), strict=True
        ):
            self.frames.append(frames.astype(np.float16))
            self.phones.append(utt.phone_track(utterance, len(frames)))
            self.table.append(
                {
                    "first": self.position,
                    "count": len(frames),
                    "group": utterance.group,
                    "split": utterance.split,
                    "speaker": utterance.speaker,
                    "source": utterance.source,
                    "in_passing": utterance.in_passing,
                    "events": [[e.start, e.end, e.name, e.addressed] for e in utterance.events],
                }
            )
            self.position += len(frames)
        self.waiting, self.seconds = [], 0.0

    def write(self, out: Path) -> None:
        """Writes frames.npy [N, bands] float16, phones.npy [N] int8 and table.json."""
        self.flush()
        out.mkdir(parents=True, exist_ok=True)
        np.save(out / "frames.npy", np.concatenate(self.frames))
        np.save(out / "phones.npy", np.concatenate(self.phones))
        (out / "table.json").write_text(json.dumps(self.table))


_rooms: list[np.ndarray] = []


def _start(rooms: list[np.ndarray]) -> None:
    _rooms.extend(rooms)


def _versions(job: tuple[utt.Utterance, int, int]) -> list[utt.Utterance]:
    """The plain version and `count` augmented ones of an utterance."""
    utterance, count, seed = job
    rng = np.random.default_rng([seed, int(corpus.share(utterance.source) * 2**31)])
    made = [utterance.stretched(augment.level(utterance.samples), 1.0)]
    for _ in range(count):
        made.append(utterance.stretched(*augment.variant(utterance.samples, _rooms, rng)))
    return made


def noises(recordings: list[corpus.Recording], folder: Path) -> list[utt.Utterance]:
    """Recorded noise and music, and synthetic coloured noise."""
    made = []
    for r in recordings:
        if r.kind == "noise":
            samples = augment.level(augment.trim_zeros(corpus.read(folder / r.path)))
            made.append(utt.Utterance(samples, r.path, f"noise_{r.label}", r.split, r.path))
    rng = np.random.default_rng(7)
    for name, slope in (("white", 0.0), ("pink", 0.5), ("brown", 1.0), ("blue", -0.3)):
        for k in range(4):
            spectrum = np.fft.rfft(rng.standard_normal(60 * corpus.RATE))
            spectrum /= np.maximum(np.arange(len(spectrum)), 30.0 * 60) ** slope
            samples = augment.level(np.fft.irfft(spectrum).astype(np.float32))
            made.append(utt.Utterance(samples, f"{name}_{k}", f"noise_{name}", "train", name))
    return made


def gather(args: argparse.Namespace) -> tuple[list[utt.Utterance], list[utt.Utterance], list[np.ndarray]]:
    """Every utterance, every noise and the rooms."""
    recordings = corpus.load(args.recordings)
    rooms = utt.rooms(recordings, args.recordings)
    speech = []
    if args.synthetic is not None:
        aligned = utt.alignments(args.work / "align_synthetic.jsonl")
        for row in synthetic_rows(args.synthetic):
            made = utt.synthetic(row, corpus.read(args.synthetic / row["path"]), aligned.get(row["path"]), args.words)
            if made is not None:
                speech.append(made)
        return speech + utt.joins(speech, JOINS, np.random.default_rng(args.seed)), [], rooms
    aligned = utt.alignments(args.work / "align_real.jsonl")
    for r in recordings:
        if r.kind in ("wakeword", "confusable", "speech"):
            samples = corpus.read(args.recordings / r.path)
            kept = augment.trim_zeros(samples) if r.path not in aligned and r.span is None else samples
            speech.append(utt.real(r, kept, aligned.get(r.path), args.words))
    return speech, noises(recordings, args.recordings), rooms


def counted(speech: list[utt.Utterance]) -> Counter[str]:
    """How many recordings of each wake word there are to train on."""
    return Counter(u.events[0].name for u in speech if u.group == "wake" and u.split == "train")


def splices(speech: list[utt.Utterance], seed: int) -> list[utt.Utterance]:
    """Real words in made-up sentences, train speakers with train speech only, dev with dev."""
    wake = counted(speech)
    rng = np.random.default_rng(seed)
    made = []
    for split in ("train", "dev", "test"):
        here = [u for u in speech if u.split == split]
        read = [u for u in here if u.group.startswith("librispeech") and len(u.samples) > 2 * corpus.RATE]
        commands = [u for u in here if u.group == "picovoice_speech2intent"]
        for u in here:
            times = 2 if u.group == "picovoice_wakeword" else 0
            if u.group == "wake":
                times = utt.WAKE_SPLICES // max(utt.MOST_REPEATED, wake[u.events[0].name])
            for k in range(times if read and commands and u.events else 0):
                made.append(utt.spliced(u, read, commands, k % 2 == 0, rng))
    return made


def main() -> None:
    """Packs recordings and synthetic speech."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path, help="pack this synthetic corpus instead of the recordings")
    parser.add_argument("--words", type=lambda text: set(text.split(",")), default=set(corpus.WORDS), help="the wake words")
    parser.add_argument("--binary", type=Path, required=True, help="the wakegate binary")
    parser.add_argument("--settings", type=Path, default=Path(__file__).parent.parent / "frontend.toml")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder of the alignments; the pack goes to WORK/pack/{real,synthetic}"
    )
    parser.add_argument("--versions", type=float, default=1.0, help="share of the augmented versions that are made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    began = time.monotonic()
    speech, noise, rooms = gather(args)
    print(f"{len(speech)} utterances, {len(noise)} noises, {len(rooms)} rooms, {time.monotonic() - began:.0f} s")
    packer = Packer(args.binary, args.settings)
    wake = counted(speech)
    jobs = [(u, utt.versions(u, wake, args.versions) if u.split == "train" else 0, args.seed) for u in speech]
    if args.synthetic is None:
        spliced = splices(speech, args.seed)
        jobs += [(u, 1 if u.split == "train" else 0, args.seed + 1) for i, u in enumerate(spliced) if corpus.share(f"{i} {u.source}") < args.versions]
    jobs += [(u, round(utt.NOISE_VERSIONS * args.versions) if u.split == "train" else 0, args.seed) for u in noise]
    # In portions: the features are computed here while the versions are made there, and neither
    # side may run ahead by more than a portion of samples.
    np.random.default_rng(args.seed).shuffle(jobs)
    with Pool(args.processes, _start, (rooms,)) as pool:
        for first in range(0, len(jobs), PORTION):
            for made in pool.imap_unordered(_versions, jobs[first : first + PORTION], chunksize=4):
                for utterance in made:
                    packer.add(utterance)
            jobs[first : first + PORTION] = [None] * len(jobs[first : first + PORTION])
            print(f"{min(first + PORTION, len(jobs))}/{len(jobs)}, {time.monotonic() - began:.0f} s", flush=True)
    packer.write(args.work / "pack" / ("real" if args.synthetic is None else "synthetic"))
    hours = packer.position / 360_000
    print(f"{len(packer.table)} utterances, {hours:.1f} h of features, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
