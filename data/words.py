"""Finds when the wake word is said in the recordings, for `wakegate bench --data data`.

    cd models/train && PYTHONPATH=. python ../../data/words.py

Forced alignment by pocketsphinx, which knows nothing of wakegate's models; good to about 0.05 s.
"""

from __future__ import annotations

import csv
from pathlib import Path

import soundfile

from wakegate_train.align import Aligner

WORD = "alexa"


def main() -> None:
    """Writes words.tsv beside this script."""
    folder, aligner = Path(__file__).parent, Aligner()
    with (folder / "manifest.tsv").open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    with (folder / "words.tsv").open("w", newline="") as lines:
        table = csv.writer(lines, delimiter="\t", lineterminator="\n")
        table.writerow(["file", "start_s", "end_s"])
        for row in rows:
            samples, _ = soundfile.read(folder / row["file"], dtype="float32")
            for word in aligner.align(samples, row["text"]) or []:
                if word["word"] == WORD:
                    table.writerow([row["file"], f"{word['start']:.2f}", f"{word['end']:.2f}"])


if __name__ == "__main__":
    main()
