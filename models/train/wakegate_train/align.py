"""Forced alignment of transcribed speech: when each word and each phone was said.

pocketsphinx (BSD licence) brings its acoustic model and CMUdict in the package. Words that CMUdict
lacks get a pronunciation from espeak-ng's phonemes.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from . import corpus, neighbours
from .intent import words_of
from .ipa import pronounce

PHONE_NAMES = [
    "SIL",
    "AA",
    "AE",
    "AH",
    "AO",
    "AW",
    "AY",
    "B",
    "CH",
    "D",
    "DH",
    "EH",
    "ER",
    "EY",
    "F",
    "G",
    "HH",
    "IH",
    "IY",
    "JH",
    "K",
    "L",
    "M",
    "N",
    "NG",
    "OW",
    "OY",
    "P",
    "R",
    "S",
    "SH",
    "T",
    "TH",
    "UH",
    "UW",
    "V",
    "W",
    "Y",
    "Z",
    "ZH",
]
ROOM_S = 0.3
"""Seconds of faint noise put around a clip that would not align as it is."""

PHONE_INDEX = {name: index for index, name in enumerate(PHONE_NAMES)}


class Aligner:
    """One pocketsphinx decoder with a dictionary that grows as words come."""

    def __init__(self) -> None:
        # Here, so that what only reads alignments does without it.
        from pocketsphinx import Decoder

        # The text is known: the passes that choose between words only cost time, and lose alignments.
        self.decoder = Decoder(lm=None, samprate=corpus.RATE, loglevel="FATAL", fwdflat=False, bestpath=False)

    def align(self, samples: np.ndarray, text: str) -> list[dict] | None:
        """Words with start and end in seconds and their phones; None where the alignment failed."""
        given = neighbours.spelled(text)
        words = words_of(neighbours.SPELLED.sub(neighbours.token, text))
        if not words or len(samples) < corpus.RATE // 5:
            return None
        for word in words:
            if self.decoder.lookup_word(word) is None:
                phones = given.get(word) or pronounce(word)
                if not phones:
                    return None
                self.decoder.add_word(word, phones, True)
        peak = float(np.abs(samples).max())
        if peak == 0:
            return None
        found = self._search(samples / peak * 0.7, words)
        if found is None:
            # Clips cut close, and the digital zeros of synthetic ones, upset the acoustic model.
            rng = np.random.default_rng(0)
            room = np.pad(samples / peak * 0.7, int(ROOM_S * corpus.RATE))
            found = self._search(room + 7e-4 * rng.standard_normal(len(room)), words, ROOM_S)
        return found

    def _search(self, samples: np.ndarray, words: list[str], late: float = 0.0) -> list[dict] | None:
        pcm = (samples * 32767).astype(np.int16).tobytes()
        try:
            self.decoder.set_align_text(" ".join(words))
            self._decode(pcm)
            if self.decoder.hyp() is None:
                return None
            self.decoder.set_alignment()
            self._decode(pcm)
            alignment = self.decoder.get_alignment()
        except RuntimeError:
            return None
        out = []
        for word in alignment or ():
            name = re.sub(r"\(\d+\)$", "", word.name)
            if name.startswith(("<", "[")):
                continue
            start, end = (place * 0.01 - late for place in (word.start, word.start + word.duration))
            phones = [(p.name, p.start * 0.01 - late, (p.start + p.duration) * 0.01 - late) for p in word]
            out.append({"word": name, "start": start, "end": end, "phones": phones})
        return out if [item["word"] for item in out] == words else None

    def _decode(self, pcm: bytes) -> None:
        self.decoder.start_utt()
        self.decoder.process_raw(pcm, full_utt=True)
        self.decoder.end_utt()


_aligner: Aligner | None = None


def _job(job: tuple[str, str, str]) -> dict:
    global _aligner
    if _aligner is None:
        _aligner = Aligner()
    key, path, text = job
    return {"path": key, "words": _aligner.align(corpus.read(Path(path)), text)}


def align_all(jobs: list[tuple[str, str, str]], out: Path, processes: int) -> tuple[int, int]:
    """Aligns (key, file, text) jobs into a JSON-lines file, skipping what it already holds."""
    done = set()
    if out.exists():
        done = {json.loads(line)["path"] for line in out.open()}
    # Short ones first: the work grows with the square of the length, so a run cut off has aligned most.
    todo = sorted((job for job in jobs if job[0] not in done), key=lambda job: Path(job[1]).stat().st_size)
    failed = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as sink, Pool(processes) as pool:
        for result in pool.imap_unordered(_job, todo, chunksize=16):
            failed += result["words"] is None
            sink.write(json.dumps(result) + "\n")
    return len(todo), failed


def synthetic_rows(folder: Path) -> list[dict]:
    """The lines of a synthetic corpus (see synth.py)."""
    with (folder / "synth.tsv").open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def main() -> None:
    """Aligns the recordings and, if given, the synthetic corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for alignments")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    jobs = [(r.path, str(args.recordings / r.path), r.text) for r in corpus.load(args.recordings) if r.text]
    if args.recordings:
        total, failed = align_all(jobs, args.work / "align_real.jsonl", args.processes)
        print(f"recordings: {total} aligned, {failed} failed")
    if args.synthetic:
        jobs = [(r["path"], str(args.synthetic / r["path"]), r["text"]) for r in synthetic_rows(args.synthetic)]
        total, failed = align_all(jobs, args.work / "align_synthetic.jsonl", args.processes)
        print(f"synthetic: {total} aligned, {failed} failed")


if __name__ == "__main__":
    main()
