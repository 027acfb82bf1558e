"""Recordings and synthetic speech as utterances with labelled events, and the augmented versions of them.

An event is a word of interest: when it starts and ends, which name it is, and whether it was said to
the device (1), in passing (0) or unknown (-1).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from . import augment, corpus, neighbours
from .align import PHONE_INDEX
from .intent import addressed, words_of
from .texts import near_phrases

# What is no word of anybody's to a device: read and acted speech.
READ = {
    "librispeech_mini_train5", "librispeech_deepspk", "resemblyzer", "librosa_data", "an4", "ms_snsd_subset",
    "speechocean762", "kathleen", "bass",
}  # fmt: skip
# Said alone to a microphone as one says a wake word.
CALLS = {"picovoice_wakeword", "precise_community", "ovos_ww", "own"}
# A keyphrase search finds the wake word in 1 of 60 of espeak-ng's renderings and in none of most of these
# voices': no listener would. They still teach what the wake word is not.
HEAVY_ACCENTS = {"jf_alpha", "jf_tebukuro", "zf_xiaobei", "zm_yunxia", "ff_siwis"}
VERSIONS = {"picovoice_wakeword": 3, "wuw_alone": 2, "wuw_sentence": 2, "precise_community": 2}
"""Augmented versions of an utterance beside the plain one, by its group; 1 for any other."""
WAKE_VERSIONS, WAKE_SPLICES = 2600, 900
"""Augmented versions, and sentences, that the recordings of one wake word are made into."""
NEURAL_VERSIONS = 3
"""Augmented versions of a neural voice's utterance: there are few such voices, and the networks learn them."""
NOISE_VERSIONS = 2
"""Augmented versions of a noise: barks and cries of other sizes, in other rooms."""
MOST_REPEATED = 50
"""Fewer recordings than this are not repeated more often than this many would be."""


@dataclass
class Event:
    """A word of interest, in seconds."""

    start: float
    end: float
    name: str
    addressed: int


@dataclass
class Utterance:
    """Samples at 16 kHz with what is known of them."""

    samples: np.ndarray
    source: str
    group: str
    """What it is: wake, wuw_alone, synthetic_mention, noise_rain, or the dataset."""
    split: str
    speaker: str
    events: list[Event] = field(default_factory=list)
    phones: list[tuple[str, float, float]] = field(default_factory=list)
    in_passing: bool = False
    """Any moment of it is speech that nobody said to a device."""

    def stretched(self, samples: np.ndarray, factor: float) -> Utterance:
        """The same utterance with other samples whose time axis is `factor` times as long."""
        events = [replace(e, start=e.start * factor, end=e.end * factor) for e in self.events]
        phones = [(p, a * factor, b * factor) for p, a, b in self.phones]
        return replace(self, samples=samples, events=events, phones=phones)


def endpoints(samples: np.ndarray) -> tuple[float, float]:
    """Start and end of the speech in an isolated word by its energy, in seconds."""
    hop = corpus.RATE // 100
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    power = 10 * np.log10((frames**2).mean(axis=1) + 1e-9)
    loud = np.flatnonzero(power > power.max() - 30)
    return (loud[0] * 0.01, (loud[-1] + 1) * 0.01) if len(loud) else (0.0, len(samples) / corpus.RATE)


def alignments(path: Path) -> dict[str, list[dict] | None]:
    """What align.py wrote: path to words."""
    if not path.exists():
        return {}
    return {row["path"]: row["words"] for row in map(json.loads, path.open())}


def phones_of(words: list[dict] | None) -> list[tuple[str, float, float]]:
    """Phones with start and end in seconds."""
    return [tuple(phone) for word in words or () for phone in word["phones"]]


def word_event(words: list[dict] | None, name: str) -> tuple[float, float] | None:
    """Start and end of the last `name` (one or two words, or its genitive) in an alignment."""
    parts = name.split()
    for i in reversed(range(len(words or ()))):
        if [w["word"].removesuffix("'s") for w in words[i : i + len(parts)]] == parts:
            return words[i]["start"], words[i + len(parts) - 1]["end"]
    return None


def as_name(text: str, wake_words: Collection[str]) -> str:
    """The wake word that `text` is or ends with ("hey computer"), else the text itself."""
    last = text.split()[-1] if text else ""
    return last if text not in wake_words and last in wake_words else text


def real(
    recording: corpus.Recording, samples: np.ndarray, words: list[dict] | None, wake_words: Collection[str]
) -> Utterance:
    """A recording with its events."""
    called = recording.dataset in CALLS and recording.kind == "wakeword"
    name = as_name(recording.text, wake_words) if called else ""
    utterance = Utterance(
        samples=samples,
        source=recording.path,
        group="wake" if name in wake_words else recording.dataset,
        split=recording.split,
        speaker=recording.speaker,
        phones=phones_of(words),
        in_passing=recording.dataset in READ,
    )
    if called and name:
        found = word_event(words, name)
        # One word that fills most of the clip: energy is the surer judge of its ends.
        start, end = endpoints(samples)
        if found and abs(found[1] - end) < 0.15:
            start, end = found
        utterance.events = [Event(start, end, name, 1)]
    elif recording.dataset == "wuw_corpus_ii" and recording.span:
        name = recording.label.split("_")[0]
        said = 1 if recording.context == "alone" else addressed(recording.text, name)
        utterance.events = [Event(*recording.span, name, -1 if said is None else int(said))]
        utterance.group = "wuw_alone" if recording.context == "alone" else "wuw_sentence"
    return utterance


@cache
def alike(word: str) -> list[str]:
    """The sound-alikes of a wake word as `word_event` compares words: in lower case, without a genitive's end."""
    return [" ".join(part.removesuffix("'s") for part in words_of(phrase)) for phrase in near_phrases(word)]


def synthetic(
    row: dict, samples: np.ndarray, words: list[dict] | None, wake_words: Collection[str]
) -> Utterance | None:
    """A synthetic utterance with its events; None where its word could not be placed."""
    kind, name = row["kind"], row["wake_word"]
    if kind in ("address", "mention") and name in wake_words and (row["engine"] == "espeak" or row["voice"] in HEAVY_ACCENTS):
        return None
    utterance = Utterance(
        samples=samples,
        source=row["path"],
        group=f"synthetic_{kind}",
        split=row["split"],
        speaker=f"{row['engine']}/{row['voice']}",
        phones=phones_of(words),
        in_passing=kind == "mention",
    )
    if kind in ("address", "mention"):
        place = word_event(words, name)
        if place is None and row["text"].lower().strip(" .,!?") == name:
            place = endpoints(samples)
        if place is None:
            return None
        # "Alexa's" is as near to "Alexis" as to "Alexa", and always in passing: another word for the networks.
        said = f"{name}'s" if f"{name}'s" in row["text"].lower() else name
        utterance.events = [Event(*place, said, int(kind == "address"))]
    elif kind == "neighbour":
        spelled = neighbours.SPELLED.search(row["text"])
        place = word_event(words, neighbours.token(spelled)) if spelled else None
        if place is None and spelled and row["text"].strip(" .,!?") == spelled[0]:
            place = endpoints(samples)
        if place is None:
            return None
        # Its phones are its name, so that training knows which of the word's are wrong.
        utterance.events = [Event(*place, spelled[0], -1)]
    elif kind == "soundalike" and words:
        # Where the phrase ends a false trigger comes, whatever is said after it.
        found = [place for phrase in alike(name) if (place := word_event(words, phrase)) is not None]
        longest = max(found, key=lambda place: place[1] - place[0], default=(words[0]["start"], words[-1]["end"]))
        utterance.events = [Event(*longest, "", -1)]
    return utterance


def fade(samples: np.ndarray, seconds: float = 0.01) -> np.ndarray:
    """Short ramps at both ends, so that a cut makes no click."""
    n = min(int(seconds * corpus.RATE), len(samples) // 2)
    samples = samples.copy()
    ramp = np.linspace(0, 1, n, dtype=np.float32)
    samples[:n] *= ramp
    samples[len(samples) - n :] *= ramp[::-1]
    return samples


def fragment(speech: Utterance, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Up to `seconds` of running speech, cut at word boundaries where they are known."""
    cuts = [round(p[1] * corpus.RATE) for p in speech.phones] or [0]
    start = int(rng.choice(cuts)) if len(cuts) > 2 else 0
    piece = speech.samples[start : start + int(seconds * corpus.RATE)]
    return fade(piece) if len(piece) > corpus.RATE // 4 else fade(speech.samples[: int(seconds * corpus.RATE)])


def spliced(
    word: Utterance, speech: list[Utterance], commands: list[Utterance], said: bool, rng: np.random.Generator
) -> Utterance:
    """A real word put to a device or into running speech.

    The source has real wake words only alone. Addressed: a pause before, a command after. In passing:
    running speech close before and after. Both are joined from other people's speech, so that a change
    of voice tells nothing.
    """
    event = word.events[0]
    start, end = int(event.start * corpus.RATE), int(event.end * corpus.RATE)
    core = fade(word.samples[max(0, start - 480) : end + 800])
    lead_in = min(start, 480)
    loudness = np.sqrt((core**2).mean()) + 1e-6

    def matched(piece: np.ndarray) -> np.ndarray:
        return piece * (loudness / (np.sqrt((piece**2).mean()) + 1e-6)) * 10 ** (rng.uniform(-4, 4) / 20)

    def pause(low: float, high: float) -> np.ndarray:
        return np.zeros(int(rng.uniform(low, high) * corpus.RATE), dtype=np.float32)

    pick = lambda some: some[rng.integers(len(some))]
    if said:
        before = (
            [matched(fragment(pick(speech), rng.uniform(0.6, 1.5), rng)), pause(0.35, 1.0)]
            if rng.random() < 0.4
            else [pause(0.3, 0.6)]
        )
        after = [pause(0.03, 0.6), matched(pick(commands).samples[: 2 * corpus.RATE])] if rng.random() < 0.75 else []
    else:
        before = [matched(fragment(pick(speech), rng.uniform(0.8, 2.0), rng)), pause(0.0, 0.05)]
        after = [pause(0.0, 0.05), matched(fragment(pick(speech), rng.uniform(0.6, 1.5), rng))] if rng.random() < 0.7 else []
        if rng.random() < 0.2 and after:
            before = [pause(0.3, 0.6)]
    at = sum(map(len, before)) + lead_in
    joined = np.concatenate([*before, core, *after]).astype(np.float32)
    place = Event(at / corpus.RATE, (at + end - start) / corpus.RATE, event.name, int(said))
    return Utterance(
        samples=joined,
        source=word.source,
        group="spliced_command" if said else "spliced_passing",
        split=word.split,
        speaker=word.speaker,
        events=[place],
        in_passing=not said,
    )


LEAD = 0.4
"""Seconds before the word from which on something else was said first."""
TAIL = 0.25
"""Seconds that what follows the word has to last."""


def rejoined(first: Utterance, second: Utterance) -> Utterance:
    """`first` up to its word's end, then `second` from its word's end on: the same voice with another sentence.

    Every name is so heard before every sentence, and a sentence in the breath of many.
    """
    head, tail = first.events[0], second.events[0]
    cut, start = int(head.end * corpus.RATE), int(tail.end * corpus.RATE)
    overlap = corpus.RATE // 100
    ramp = np.linspace(0, 1, overlap, dtype=np.float32)
    before, after = first.samples[:cut].copy(), second.samples[start - overlap :].copy()
    before[-overlap:] = before[-overlap:] * ramp[::-1] + after[:overlap] * ramp
    late = head.end - tail.end
    phones = [p for p in first.phones if p[2] <= head.end + 1e-6]
    phones += [(name, a + late, b + late) for name, a, b in second.phones if a >= tail.end - 1e-6]
    return replace(
        first,
        samples=np.concatenate([before, after[overlap:]]),
        source=f"{first.source} {second.source}",
        events=[replace(head)],
        phones=phones,
    )


def joins(speech: list[Utterance], times: int, rng: np.random.Generator) -> list[Utterance]:
    """`times` such joins for every sentence of a synthetic training voice that goes on after the name.

    Both parts are of one voice, of one label, and both begin with the name or neither: only what differs
    between the two parts' words is new.
    """
    alike: dict[tuple[str, int, bool], list[Utterance]] = defaultdict(list)
    for u in speech:
        if u.split == "train" and u.group in ("synthetic_address", "synthetic_mention"):
            alike[u.speaker, u.events[0].addressed, u.events[0].start > LEAD].append(u)
    made = []
    for some in alike.values():
        for second in some:
            end = second.events[0].end
            if 0.02 < end < len(second.samples) / corpus.RATE - TAIL and len(some) > 1:
                others = [u for u in some if u is not second and u.events[0].end > 0.02]
                picked = rng.permutation(len(others))[:times]
                made += [rejoined(others[k], second) for k in picked]
    return made


def versions(utterance: Utterance, wake: Counter[str], share: float = 1.0) -> int:
    """How many augmented versions of an utterance there are beside the plain one.

    `wake` counts the recordings of each wake word in training: the fewer they are, the more versions. With a
    `share` below 1 there are that many times as many, drawn by the utterance's own name where that is no whole number.
    """
    if share != 1.0:
        return int(versions(utterance, wake) * share + corpus.share(f"version {utterance.source}"))
    if utterance.group == "wake":
        return WAKE_VERSIONS // max(MOST_REPEATED, wake[utterance.events[0].name])
    if utterance.speaker.startswith("kokoro") and " " not in utterance.source:
        return NEURAL_VERSIONS
    return VERSIONS.get(utterance.group, 1)


def phone_track(utterance: Utterance, frames: int) -> np.ndarray:
    """Phone class of each 10 ms frame, int8 [frames]; -1 where unknown."""
    track = np.full(frames, -1, dtype=np.int8)
    if utterance.phones:
        track[:] = PHONE_INDEX["SIL"]
        for name, start, end in utterance.phones:
            # A frame's window is 25 ms long: its middle lies 12.5 ms after its start.
            track[max(0, round(start * 100 - 1)) : max(0, round(end * 100 - 1))] = PHONE_INDEX.get(name, 0)
    return track


def rooms(recordings: list[corpus.Recording], folder: Path) -> list[np.ndarray]:
    """Measured impulse responses of home-sized rooms from the train part."""
    found = [augment.usable_room(corpus.read(folder / r.path)) for r in recordings if r.kind == "rir" and r.split == "train"]
    return [room for room in found if room is not None]
