"""Makes the recordings that `wakegate demo` and the tests use, and their manifest.

    cd models/train && python ../../data/generate.py --kokoro DIR

The speech is synthetic: Kokoro-82M (Apache-2.0; see wakegate_train/kokoro.py for its packages) with
voices that the training recipe keeps apart for testing, so the shipped models never heard them. The
noises are computed. `expected` says what a careful listener would say, not what a model says.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, resample_poly, sosfilt

from wakegate_train import augment, kokoro, trials

RATE = 16_000


@dataclass(frozen=True)
class Item:
    """One recording: its file, what is expected, of which kind, what is said by whom and in what noise."""

    file: str
    expected: str
    kind: str
    text: str
    voice: str = ""
    speed: float = 1.0
    noise: str = "pink"
    snr_db: float | None = None
    room: bool = False


ITEMS = [
    Item("alexa_alone", "intended", "address", "Alexa!", "am_fenrir"),
    Item("alexa_question", "intended", "address", "Alexa?", "bf_emma"),
    Item("alexa_lights", "intended", "address", "Alexa, turn on the lights.", "af_river", 1.05),
    Item("alexa_timer", "intended", "address", "Alexa, set a timer for ten minutes.", "bm_lewis"),
    Item("alexa_weather_room", "intended", "address", "Alexa, what's the weather today?", "af_river", 0.95, room=True),
    Item("alexa_music_hum", "intended", "address", "Alexa, play some music.", "am_fenrir", 1.1, "hum", 8),
    Item("alexa_stop_pink", "intended", "address", "Alexa, stop!", "bf_emma", 1.0, "pink", 10),
    Item("alexa_volume_chords", "intended", "address", "Alexa, turn the volume down.", "bm_daniel", 1.0, "chords", 8),
    Item("mention_told", "accidental", "mention", "I told Alexa to turn on the lights yesterday.", "af_river"),
    Item("mention_sister", "accidental", "mention", "My sister has an Alexa in the kitchen.", "am_fenrir"),
    Item("mention_daughter", "accidental", "mention", "They named their daughter Alexa.", "am_michael"),
    Item("mention_said", "accidental", "mention", "Yesterday Alexa said it would rain.", "bm_daniel", 1.05),
    Item("mention_ask_room", "accidental", "mention", "Did you ask Alexa about it last night?", "am_fenrir", 1.0, room=True),
    Item("alike_lexus", "accidental", "soundalike", "He drives a Lexus.", "bm_daniel"),
    Item("alike_election", "accidental", "soundalike", "Election day is in November.", "af_river"),
    Item("alike_lesson", "accidental", "soundalike", "That was a lesson.", "bf_emma"),
    Item("alike_unacceptable", "accidental", "soundalike", "Unacceptable!", "am_michael"),
    Item("alike_alexis", "accidental", "soundalike", "Alexis, come here.", "af_river", 1.1),
    Item("alike_letter_pink", "accidental", "soundalike", "A letter came for you.", "bf_emma", 1.0, "pink", 10),
    Item("other_word", "accidental", "other_address", "Computer, turn on the lights.", "bm_daniel"),
    Item("talk", "accidental", "speech", "We should leave before it gets dark.", "am_fenrir"),
    Item("noise_hum", "accidental", "noise", "(a machine hums)", noise="hum"),
    Item("noise_chords", "accidental", "noise", "(music)", noise="chords"),
    Item("noise_clatter", "accidental", "noise", "(clatter)", noise="clatter"),
]  # fmt: skip


def hum(n: int, rng: np.random.Generator) -> np.ndarray:
    """A motor: harmonics of a mains tone that wavers, and the air it moves."""
    phase = np.cumsum(2 * np.pi * (50 + 1.5 * np.sin(np.arange(n) / RATE * 2)) / RATE)
    tones = sum(np.sin(k * phase) / k for k in range(1, 16))
    air = sosfilt(butter(2, [300, 3000], "band", fs=RATE, output="sos"), rng.standard_normal(n))
    return tones + 1.5 * air


def chords(n: int, rng: np.random.Generator) -> np.ndarray:
    """Plucked chords that change every half second."""
    out = np.zeros(n)
    for start in range(0, n, RATE // 2):
        time = np.arange(min(RATE, n - start)) / RATE
        root = 110 * 2 ** (rng.integers(0, 12) / 12)
        for ratio in (1, 5 / 4, 3 / 2, 2, 3):
            out[start : start + len(time)] += np.sin(2 * np.pi * root * ratio * time) * np.exp(-3 * time) / ratio
    return out


def clatter(n: int, rng: np.random.Generator) -> np.ndarray:
    """Dishes: short ringing bursts at random moments."""
    out = 0.01 * rng.standard_normal(n)
    for start in rng.integers(0, n, 14):
        time = np.arange(min(RATE // 3, n - start)) / RATE
        for _ in range(4):
            out[start : start + len(time)] += np.sin(2 * np.pi * rng.uniform(700, 5500) * time) * np.exp(-rng.uniform(12, 40) * time)
    return out


NOISES = {"pink": trials.pink, "hum": hum, "chords": chords, "clatter": clatter}


def unit(noise: np.ndarray) -> np.ndarray:
    """The noise at an RMS of 1."""
    return noise / np.sqrt((noise**2).mean())


def render(item: Item, voices: kokoro.Kokoro) -> np.ndarray:
    """The samples of one recording, about a second of room before and after the speech."""
    rng = np.random.default_rng(sum(map(ord, item.file)))
    if not item.text or item.text.startswith("("):
        return 0.05 * unit(NOISES[item.noise](4 * RATE, rng))
    speech = resample_poly(voices.say(item.text, item.voice, item.speed), 2, 3)
    if item.room:
        speech = augment.reverberate(speech, augment.made_room(rng))
    speech = augment.level(augment.trim_zeros(speech), 0.4)
    whole = np.concatenate([np.zeros(RATE), speech, np.zeros(RATE * 12 // 10)])
    noise = unit(NOISES[item.noise](len(whole), rng))
    if item.snr_db is None:
        return whole + 3e-4 * noise
    loud = np.sqrt((speech**2).mean())
    return whole + noise * loud * 10 ** (-item.snr_db / 20)


def main() -> None:
    """Writes the FLAC files and manifest.tsv beside this script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kokoro", type=Path, required=True, help="folder of the Kokoro files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    voices = kokoro.Kokoro(args.kokoro)
    with (args.out / "manifest.tsv").open("w", newline="") as lines:
        table = csv.writer(lines, delimiter="\t", lineterminator="\n")
        table.writerow(["file", "expected", "kind", "text"])
        for item in ITEMS:
            samples = np.clip(render(item, voices), -1, 1)
            soundfile.write(args.out / f"{item.file}.flac", samples, RATE, subtype="PCM_16")
            table.writerow([f"{item.file}.flac", item.expected, item.kind, item.text])


if __name__ == "__main__":
    main()
