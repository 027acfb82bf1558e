"""Neighbours of a wake word made from recordings of it: one phone of the audio replaced, dropped or added.

Synthetic voices say neighbours as written, but they are few and no people. Here the frames of a phone in anybody's
recording of the word give way to frames of another phone from somebody's running speech. So that no network learns
to hear the seams instead of the phones, as many words are mended likewise with the same phone: those stay the word.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import neighbours
from .align import PHONE_INDEX, PHONE_NAMES
from .data import Store
from .phones import CONSONANTS, VOWELS, Phones

SHORTEST, LONGEST = 4, 20
"""Frames of a phone that is taken from running speech."""
AROUND = 40
"""Frames on both sides of a phone by which the loudness of its voice is judged."""
SILENCE = PHONE_INDEX["SIL"]


def runs(classes: np.ndarray) -> list[tuple[int, int, int]]:
    """Stretches of one phone class [n]: (class, begin, end)."""
    bounds = [0, *(np.flatnonzero(np.diff(classes)) + 1).tolist(), len(classes)]
    return [(int(classes[a]), a, b) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]


def loudness(frames: Tensor) -> Tensor:
    """Mean log-mel of the louder half of the frames [n, M]."""
    level = frames.mean(1)
    return level.topk(max(1, len(level) // 2)).values.mean()


class Editor:
    """Edits the wake words' windows by phones of the training speech."""

    def __init__(self, store: Store, rng: np.random.Generator) -> None:
        self.store, self.rng = store, rng
        self.donors = self._donors()
        self.said = {word: neighbours.accents(pronounced) for word, pronounced in store.pronounced.items()}

    def _donors(self) -> dict[str, np.ndarray]:
        """Where each phone is said in the training speech: rows of (utterance, begin, end), frames of the whole pack."""
        found: dict[str, list] = {name: [] for name in PHONE_NAMES}
        for utterance in self.store.speech:
            first = self.store.first[utterance]
            classes = self.store.phones[first : first + self.store.count[utterance]].numpy()
            for which, a, b in runs(classes):
                if which >= 0 and which != SILENCE and SHORTEST <= b - a <= LONGEST:
                    found[PHONE_NAMES[which]].append((utterance, first + a, first + b))
        return {name: np.array(rows) for name, rows in found.items() if rows}

    def sound(self, phone: str, level: Tensor, length: int | None = None) -> Tensor | None:
        """Somebody's `phone` as frames [length, M], as loud as a voice of that `level`."""
        if phone not in self.donors:
            return None
        utterance, a, b = self.donors[phone][self.rng.integers(len(self.donors[phone]))]
        first = self.store.first[utterance]
        around = self.store.frames[max(first, a - AROUND) : min(first + self.store.count[utterance], b + AROUND)].float()
        place = torch.linspace(a, b - 1, length or b - a).round().long()
        return self.store.frames[place].float() + (level - loudness(around))

    def phones_in(self, word: str, classes: np.ndarray) -> list[tuple[int, int]] | None:
        """Where the word's phones are in the frames [n], if they are said one by one as the dictionary or an accent has them."""
        found = [(PHONE_NAMES[which], a, b) for which, a, b in runs(classes) if which >= 0 and which != SILENCE]
        said = tuple(name for name, _, _ in found)
        if said not in self.said[word] or len(said) != len(self.store.spelled[word]):
            return None
        return [(a, b) for _, a, b in found]

    def change(self, word: str, frames: Tensor, phones: Tensor, begin: int, end: int, wrong: bool) -> list[bool | None] | None:
        """Edits the word between `begin` and `end` of the frames [F, M] and their phones [F] in place.

        With `wrong` it is a neighbour afterwards, else the word still. Says which of the word's phones are still there,
        or None where nothing could be done.
        """
        places = self.phones_in(word, phones[begin:end].numpy()) if word in self.said else None
        if places is None:
            return None
        spelled = self.store.spelled[word]
        level = loudness(frames[begin:end])
        at = int(self.rng.integers(len(spelled)))
        a, b = (begin + place for place in places[at])
        if not wrong:
            sound = self.sound(spelled[at], level, b - a)
            if sound is None:
                return None
            put(frames, phones, a, b, sound, spelled[at])
            return [True] * len(spelled)
        how = self.rng.choice(neighbours.EDITS)
        kind = VOWELS if spelled[at] in VOWELS else CONSONANTS
        if how == "replaced":
            other = str(self.rng.choice([phone for phone in sorted(kind) if phone != spelled[at]]))
            said, sound = (*spelled[:at], other, *spelled[at + 1 :]), self.sound(other, level)
        elif how == "dropped":
            other, said, sound = "SIL", (*spelled[:at], *spelled[at + 1 :]), frames[:0]
        else:
            other, b = str(self.rng.choice(sorted(CONSONANTS))), a
            said, sound = (*spelled[:at], other, *spelled[at:]), self.sound(other, level)
        if sound is None or self._is_word(word, said):
            return None
        put(frames, phones, a, b, sound, other)
        return neighbours.kept(spelled, said)

    def _is_word(self, word: str, said: Phones) -> bool:
        return said in self.said[word] or any(p == q for p, q in zip(said, said[1:], strict=False))


def put(frames: Tensor, phones: Tensor, a: int, b: int, sound: Tensor, phone: str) -> None:
    """Puts `sound` where frames `a` to `b` were, in place; what is before them moves, so that the word's end stays."""
    shift = len(sound) - (b - a)
    whole = torch.cat([frames[:a], sound, frames[b:]])
    named = torch.cat([phones[:a], torch.full((len(sound),), PHONE_INDEX[phone], dtype=phones.dtype), phones[b:]])
    if shift < 0:
        whole = torch.cat([frames[:1].expand(-shift, -1), whole])
        named = torch.cat([phones[:1].expand(-shift), named])
    frames.copy_(whole[len(whole) - len(frames) :])
    phones.copy_(named[len(named) - len(phones) :])
