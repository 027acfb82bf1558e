"""Makes the synthetic part of the training corpus: FLAC files of 16 kHz mono speech and one table.

    python -m wakegate_train.synth --fetch-kokoro DIR
    python -m wakegate_train.synth --out DIR --kokoro DIR

Each utterance is fixed by the seed, its engine and its place in that engine's plan, so a run that
was cut off goes on where it stopped. Everything is planned in decks of a set balance and then
shuffled, so a corpus that was cut off is still balanced.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import soundfile
from scipy.signal import resample_poly

from . import corpus, kokoro, phones
from .engines import DEV_SHARE, TEST_SHARE, Audio, Engine, KokoroEdits, KokoroNear, Voice, make_engine
from .texts import PHRASES, Said, Texts, soundalike_file

RATE = 16000
COLUMNS = (
    "path", "engine", "voice", "split", "phrase_split", "kind", "wake_word", "text", "seconds", "pair",
)  # fmt: skip
"""Columns of synth.tsv; `wake_word` is the name said or sounded like, `pair` is empty or shared by two."""

SILENCE_KEPT = 0.2
"""Seconds of digital silence that may stay at the head and the tail."""
DIGITAL_SILENCE = 2 / 32768
SHORTEST, LONGEST = 0.25, 12.0
"""Seconds that an utterance may last; outside of it the engine has failed."""
QUIETEST = 10 ** (-50 / 20)
"""Least root mean square of the samples (-50 dBFS); below it the engine has failed."""

NEURAL = ("kokoro", "kokoro-far", "kokoro-mix", "kokoro-near", "kokoro-edits")
ENGINES = ("espeak", "flite", "festival", *NEURAL)
REACH = dict.fromkeys(NEURAL, 1.0)
"""Where in the whole run (0..1) an engine's plan ends; the cheap engines' end after CHEAP_REACH of it."""
CHEAP_REACH = 0.125


@dataclass(frozen=True)
class Planned:
    """One utterance to make."""

    engine: str
    index: int
    voice: Voice
    said: Said
    pair: str

    @property
    def path(self) -> str:
        """Where the file goes, relative to the corpus."""
        return f"{self.engine}/{self.voice.name}/{self.engine}-{self.index:05d}.flac"


def plan(engine: Engine, texts: Texts, seed: int) -> list[Planned]:
    """An engine's utterances in the order of making: decks dealt to the voices, then shuffled.

    A voice of the test split draws its phrases from both phrase splits, any other from `train` alone.
    """
    rng = Random(f"{seed} {engine.name} {' '.join(texts.words)}")
    voices: dict[str, list[Voice]] = defaultdict(list)
    for voice in engine.voices():
        voices[voice.split].append(voice)
    shares = {"train": 1 - TEST_SHARE - DEV_SHARE, "dev": DEV_SHARE, "test": TEST_SHARE}
    splits = [s for s in shares if voices[s]]
    queues: dict[str, list[Voice]] = defaultdict(list)
    units: list[tuple[Voice, list[Said]]] = []
    while sum(len(said) for _, said in units) < engine.planned:
        split = rng.choices(splits, [shares[s] for s in splits])[0]
        if not queues[split]:
            queues[split] = rng.sample(voices[split], len(voices[split]))
        voice = queues[split].pop()
        if isinstance(engine, KokoroNear):
            units.append((voice, [texts.near(rng, engine.longest)]))
            continue
        phrase_splits = ["train", "test"] if split == "test" else ["train"]
        if isinstance(engine, KokoroEdits):
            units.append((voice, texts.edited(rng, rng.choice(phrase_splits), engine.longest)))
            continue
        units += [(voice, said) for said in texts.deck(rng, phrase_splits, engine.longest, engine.spells)]
    rng.shuffle(units)
    planned: list[Planned] = []
    for voice, unit in units:
        pair = f"{engine.name}-p{len(planned):05d}" if len(unit) == 2 else ""
        planned += [Planned(engine.name, len(planned) + i, voice, said, pair) for i, said in enumerate(unit)]
    return planned


def batches(plans: dict[str, list[Planned]], engines: dict[str, Engine]) -> Iterator[list[Planned]]:
    """All plans as batches of one engine each, interleaved by how far each plan is."""
    queue: list[tuple[float, str, list[Planned]]] = []
    for name, planned in plans.items():
        size = engines[name].batch
        for start in range(0, len(planned), size):
            reach = REACH.get(name, CHEAP_REACH) * start / len(planned)
            queue.append((reach, name, planned[start : start + size]))
    for _, _, batch in sorted(queue, key=lambda q: q[:2]):
        yield batch


def finished(audio: Audio) -> np.ndarray:
    """Samples at 16 kHz with long digital silence cut and the peak kept below full scale."""
    samples, rate = audio
    divisor = int(np.gcd(RATE, rate))
    if rate != RATE:
        samples = resample_poly(samples.astype(np.float64), RATE // divisor, rate // divisor)
    loud = np.flatnonzero(np.abs(samples) > DIGITAL_SILENCE)
    if loud.size == 0:
        return samples[:0]
    keep = int(SILENCE_KEPT * RATE)
    samples = samples[max(0, loud[0] - keep) : loud[-1] + 1 + keep]
    peak = float(np.abs(samples).max())
    return samples * (0.98 / peak) if peak > 0.98 else samples


def fault(samples: np.ndarray) -> str:
    """Why the audio cannot be speech, or an empty string."""
    seconds = len(samples) / RATE
    if not SHORTEST <= seconds <= LONGEST:
        return f"expected {SHORTEST} to {LONGEST} s, got {seconds:.2f} s"
    level = float(np.sqrt(np.mean(np.square(samples))))
    return "" if level >= QUIETEST else f"expected at least {QUIETEST:.4f} RMS, got {level:.5f}"


def made_already(table: Path) -> set[str]:
    """The paths that the table lists, so that a resumed run skips them."""
    if not table.exists():
        return set()
    with table.open(encoding="utf-8", newline="") as lines:
        return {row["path"] for row in csv.DictReader(lines, delimiter="\t")}


def make(
    out: Path, plans: dict[str, list[Planned]], engines: dict[str, Engine], seed: int, part: tuple[int, int] = (1, 1)
) -> Counter[str]:
    """Writes the planned files of the k-th of n parts and their rows; counts each engine, and the faults."""
    table = out / "synth.tsv"
    out.mkdir(parents=True, exist_ok=True)
    done = made_already(table)
    with contextlib.suppress(FileExistsError), table.open("x", encoding="utf-8") as lines:
        lines.write("\t".join(COLUMNS) + "\n")
    counts: Counter[str] = Counter()
    started, spoken = time.monotonic(), 0.0
    for number, batch in enumerate(batches(plans, engines)):
        if number % part[1] != part[0] - 1:
            continue
        todo = [p for p in batch if p.path not in done]
        if not todo:
            continue
        name = todo[0].engine
        said = engines[name].say([(p.voice.name, p.said.text, Random(f"{seed} {p.path}")) for p in todo])
        for item, audio in zip(todo, said, strict=True):
            samples = finished(audio)
            if problem := fault(samples):
                counts["faults"] += 1
                print(f"skipped {item.path} ({item.said.text!r}): {problem}", file=sys.stderr)
                continue
            path = out / item.path
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples, RATE, format="FLAC", subtype="PCM_16")
            seconds = len(samples) / RATE
            row = (
                item.path, name, item.voice.name, item.voice.split, item.said.phrase_split, item.said.kind,
                item.said.wake_word, item.said.text, f"{seconds:.3f}", item.pair,
            )  # fmt: skip
            # One write a row: a run that is cut off leaves no half row behind a finished file.
            with table.open("a", encoding="utf-8") as lines:
                lines.write("\t".join(row) + "\n")
            counts[name] += 1
            spoken += seconds
            if sum(counts.values()) % 100 == 0:
                wall = time.monotonic() - started
                print(f"{dict(counts)} {spoken / 60:.1f} min of speech in {wall / 60:.1f} min", flush=True)
    return counts


def list_soundalikes(word: str, given: str | None) -> None:
    """Writes the wake word's sound-alike phrases when nobody has yet; the list is worth a look by eye."""
    path = PHRASES / soundalike_file(word)
    dictionary = phones.dictionary_path()
    if path.exists() or dictionary is None:
        return
    words = phones.read_dict(dictionary)
    path.write_text(phones.listing(word, phones.word_phones(word, given, words), words, phones.COUNT), encoding="utf-8")
    print(f"wrote {path.name}: phrases near {word!r}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder of the corpus")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which, with commas between")
    parser.add_argument("--limit", type=int, help="at most this many utterances of each engine")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kokoro", type=Path, help="folder of the Kokoro files")
    parser.add_argument("--words", default=",".join(corpus.WORDS), help="the wake words; one listed twice is said twice as often")
    parser.add_argument("--phones", help="CMUdict phones of the words that the dictionary lacks")
    parser.add_argument("--splits", default="train,dev,test", help="make the utterances of these voices alone")
    parser.add_argument("--share", default="1/1", metavar="K/N", help="make the k-th of n parts: a process for each core")
    parser.add_argument("--fetch-kokoro", type=Path, metavar="DIR", help="download the Kokoro files there and stop")
    args = parser.parse_args()
    if args.fetch_kokoro:
        kokoro.fetch(args.fetch_kokoro)
        return
    if args.out is None:
        raise SystemExit("expected --out DIR, got none")
    words = tuple(args.words.split(","))
    for word in dict.fromkeys(words):
        list_soundalikes(word, args.phones)
    texts = Texts(words, args.phones)
    engines = {name: make_engine(name, args.kokoro) for name in args.engines.split(",")}
    plans = {name: plan(engine, texts, args.seed)[: args.limit] for name, engine in engines.items()}
    wanted = args.splits.split(",")
    plans = {name: [one for one in planned if one.voice.split in wanted] for name, planned in plans.items()}
    part, parts = map(int, args.share.split("/"))
    counts = make(args.out, plans, engines, args.seed, (part, parts))
    print(f"finished: {dict(counts)}")


if __name__ == "__main__":
    main()
