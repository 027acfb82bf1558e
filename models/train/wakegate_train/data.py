"""Batches from the packed features: windows and sequences with their labels, augmented afresh each time.

Noise, gain, tilt, vocal-tract warping and masking work on the mel power itself: cheap enough to be
drawn anew for each window, so that no two epochs are alike.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import neighbours, phones

FLOOR = float(np.log(1e-5))
"""Natural log of the front end's floor: what digital silence looks like."""

COLOURS = ("white", "pink", "brown", "blue")
"""Synthetic noises: what fans, streets and rain come close to, and what benchmarks mix in."""

STEP = 8
"""Frames of one spotter step."""

KNOT_FRAMES, KNOT_BANDS = 11, 7
"""Between the knots of noise that is shaped: syllables and formants."""

NEAR = ("synthetic_neighbour", "synthetic_soundalike")
"""Groups that are no wake word by a sound or two, which noise can hide."""

HARD, LIVING = 0.35, 0.7
"""Up to which draw of 0 to 1 a window is in hard noise, and up to which in a living room's; else it is nearly clean."""

OTHER = {1: "call", 0: "passing", -1: "other"}
"""Candidates of other words by whether they were said to a device, in passing, or nobody knows."""


@dataclass
class Pool:
    """Candidates to draw from, as parallel arrays; anchors and starts are frames in the utterance."""

    utterance: np.ndarray
    anchor: np.ndarray
    start: np.ndarray
    word: np.ndarray
    """Index of the wake word, or -1 for anything else."""
    addressed: np.ndarray

    def __len__(self) -> int:
        return len(self.utterance)


class Store:
    """The pack in memory, with pools of candidates by kind for one split.

    `words` are the wake words; one that is listed twice is drawn twice as often. `given` are the CMUdict phones of a
    word that the dictionary lacks.
    """

    def __init__(self, folder: Path, split: str, words: Sequence[str], given: str | None = None) -> None:
        self.words = list(dict.fromkeys(words))
        self.weights = np.array([words.count(word) for word in self.words], dtype=np.float64)
        frames, phones, table = [], [], []
        for part in sorted(path.parent for path in folder.glob("*/table.json")):
            shift = sum(map(len, frames))
            frames.append(np.load(part / "frames.npy"))
            phones.append(np.load(part / "phones.npy"))
            rows = json.loads((part / "table.json").read_text())
            table += [{**row, "first": row["first"] + shift} for row in rows]
        self.frames, self.phones = torch.from_numpy(np.concatenate(frames)), torch.from_numpy(np.concatenate(phones))
        self.first = np.array([row["first"] for row in table])
        self.count = np.array([row["count"] for row in table])
        self.table = table
        self.mine = [i for i, row in enumerate(table) if row["split"] == split]
        self.speech = np.array([i for i in self.mine if not table[i]["group"].startswith("noise")])
        running = [i for i in self.mine if table[i]["in_passing"] and not table[i]["events"]]
        # Without recorded speech of nobody to a device, any moment of speech that is no wake word has to do.
        self.running = np.array(running if running else self.speech)
        noise = [i for i in self.mine if table[i]["group"].startswith("noise")]
        self.noise = np.array(noise if noise else self.speech)
        hiss = [i for i in noise if table[i]["group"].removeprefix("noise_") in COLOURS]
        self.hiss = np.array(hiss if hiss else self.noise)
        self.is_noise = np.isin(np.arange(len(table)), noise)
        self.is_near = np.array([row["group"] in NEAR for row in table])
        self.pools = self._pools()
        self.pronounced = {word: neighbours.pronunciation(word, given) for word in self.words} if self._spells() else {}
        self.spelled = {word: said.phones for word, said in self.pronounced.items()}
        self.avoid = self._avoid()

    def _pools(self) -> dict[str, Pool]:
        """Candidates with a known event, by what they teach."""
        rows: dict[str, list] = defaultdict(list)
        for i in self.mine:
            row = self.table[i]
            for start, end, name, said in row["events"]:
                word = self.index(name)
                made = "real"
                if row["group"].startswith("synthetic"):
                    made = "neural" if row["speaker"].startswith("kokoro") else "formant"
                if row["group"] in ("synthetic_soundalike", "synthetic_neighbour"):
                    kind = f"{made}_{row['group'].removeprefix('synthetic_')}"
                elif word >= 0:
                    kind = f"{made}_{'address' if said else 'mention'}"
                else:
                    # Names that people say to a device, and in passing: what `addressed` means of any word.
                    kind = f"{made}_{OTHER[said]}"
                rows[kind].append((i, end * 100, start * 100, word, said))
        return {kind: _pool(found) for kind, found in rows.items()}

    def _spells(self) -> bool:
        return any(kind.endswith("_neighbour") for kind in self.pools)

    def slots(self, pool: Pool, slots: int) -> np.ndarray:
        """Which of the word's places are as they should be [n, W, slots]: 1, 0, or -1 where nobody knows.

        A wake word's places are all right; of a neighbour it is known which are not.
        """
        found = np.full((len(pool), len(self.words), slots), -1, dtype=np.float32)
        rows = np.flatnonzero(pool.word >= 0)
        found[rows, pool.word[rows]] = 1
        for row, utterance in enumerate(pool.utterance):
            if self.table[utterance]["group"] == "synthetic_neighbour":
                said = neighbours.parse(self.table[utterance]["events"][0][2]).phones
                word = min(self.spelled, key=lambda name: phones.distance(said, self.spelled[name]))
                found[row, self.index(word)] = places(neighbours.kept(self.spelled[word], said), slots)
        return found

    def _avoid(self) -> dict[int, list[tuple[float, float]]]:
        """Per utterance, the frames where an anchor would be neither the wake word nor clearly not it."""
        return {
            i: [(start * 100, end * 100 + 60) for start, end, name, _ in self.table[i]["events"] if self.index(name) >= 0]
            for i in self.mine
        }

    def index(self, name: str) -> int:
        """The wake word's index, or -1 for any other name."""
        return self.words.index(name) if name in self.words else -1

    def draw(self, pool: Pool, n: int, rng: np.random.Generator) -> Pool:
        """`n` candidates of a pool, the wake words by their weights however many recordings each has."""
        count = np.bincount(pool.word + 1, minlength=len(self.words) + 1)
        weight = np.concatenate([[1.0], self.weights]) / np.maximum(count, 1)
        chance = weight[pool.word + 1]
        return take(pool, rng.choice(len(pool), size=n, p=chance / chance.sum()))

    def anywhere(self, kinds: np.ndarray, n: int, rng: np.random.Generator, said: int) -> Pool:
        """`n` random moments of the utterances `kinds`, away from any wake word."""
        picked = kinds[rng.integers(len(kinds), size=n)]
        anchor = rng.uniform(0, 1, n) * (self.count[picked] + 30)
        for k in range(n):
            for low, high in self.avoid.get(picked[k], ()):
                if low <= anchor[k] <= high:
                    anchor[k] = high + 120
        return Pool(picked, anchor, anchor - 60, np.full(n, -1), np.full(n, said))

    def window(
        self, utterance: np.ndarray, begin: np.ndarray, length: int, pace: np.ndarray | None = None, about: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Frames [n, length, bands] float32 and phones [n, length] from `begin`; silence outside.

        With `pace` [n] each window is heard that many times as fast, about its frame `about`.
        """
        step = torch.arange(length)
        if pace is not None:
            step = about + ((step - about) * torch.from_numpy(pace)[:, None]).round().long()
        place = torch.from_numpy(begin.astype(np.int64))[:, None] + step
        count = torch.from_numpy(self.count[utterance])[:, None]
        inside = (place >= 0) & (place < count)
        index = torch.from_numpy(self.first[utterance])[:, None] + place.clamp_min(0).minimum(count - 1)
        frames = self.frames[index].float()
        frames[~inside] = FLOOR
        phones = self.phones[index].long()
        phones[~inside] = torch.where(self.phones[index[:, :1]].expand_as(phones) >= 0, 0, -1).long()[~inside]
        return frames, phones


def places(right: Sequence[bool | None], slots: int) -> list[int]:
    """Which of a word's `slots` places are as they should be, by which of its phones are: 1, 0, or -1 where nobody knows."""
    found = []
    for slot in range(slots):
        part = right[slot * len(right) // slots : max(slot * len(right) // slots + 1, (slot + 1) * len(right) // slots)]
        found.append(0 if False in part else -1 if None in part else 1)
    return found


def shaped(noise: Tensor, rng: np.random.Generator, centre: int) -> Tensor:
    """Noise log-mel [n, T, M] that comes and goes as syllables do, in bursts of a word's length about frame `centre`.

    Waves, gusts and knocks are such sounds; a few hundred recordings of noise hold too few of them.
    """
    n, length, bands = noise.shape
    uniform = lambda low, high: torch.from_numpy(rng.uniform(low, high, (n, 1, 1))).float()
    knots = torch.from_numpy(rng.standard_normal((n, 1, length // KNOT_FRAMES + 1, bands // KNOT_BANDS + 1))).float()
    field = F.interpolate(knots, (length, bands), mode="bicubic", align_corners=True)[:, 0]
    place = torch.arange(length)[None, :, None].float()
    begin, end = centre - uniform(30, 110), centre + uniform(-15, 25)
    # How far a frame lies outside of the burst, softly: sounds start faster than they end.
    outside = ((begin - place) / 4).clamp(0, 1) + ((place - end) / uniform(4, 30)).clamp(0, 1)
    return noise + uniform(0.3, 2.0) * field - uniform(0, 5) * outside


def _pool(rows: list) -> Pool:
    columns = np.array(rows, dtype=np.float64).T
    return Pool(columns[0].astype(np.int64), columns[1], columns[2], columns[3].astype(np.int64), columns[4])


def take(pool: Pool, index: np.ndarray) -> Pool:
    """The rows `index` of a pool."""
    return Pool(pool.utterance[index], pool.anchor[index], pool.start[index], pool.word[index], pool.addressed[index])


def join(pools: list[Pool]) -> Pool:
    """Several pools as one."""
    names = ("utterance", "anchor", "start", "word", "addressed")
    return Pool(*(np.concatenate([getattr(pool, name) for pool in pools]) for name in names))


def warps(bands: int = 40, count: int = 21, most: float = 0.15) -> Tensor:
    """Matrices [count, bands, bands] that stretch the mel axis (vocal-tract length perturbation)."""
    made = torch.zeros(count, bands, bands)
    for k, factor in enumerate(np.linspace(1 - most, 1 + most, count)):
        place = np.clip(np.arange(bands) * factor, 0, bands - 1.001)
        low = place.astype(int)
        for band in range(bands):
            made[k, band, low[band]] = 1 - (place[band] - low[band])
            made[k, band, low[band] + 1] = place[band] - low[band]
    return made


class Augment:
    """Random rooms' noise, gain, tilt, band limits, vocal-tract warps and masks on log-mel frames."""

    def __init__(self, store: Store, rng: np.random.Generator) -> None:
        self.store, self.rng = store, rng
        self.warps = warps()

    def noise(self, n: int, length: int) -> Tensor:
        """Noise log-mel [n, length, bands]: recorded, synthetic, or other people's speech."""
        sort = self.rng.random(n)
        any_of = lambda rows: rows[self.rng.integers(len(rows), size=n)]
        steady = np.where(sort < 0.55, any_of(self.store.hiss), any_of(self.store.noise))
        picked = np.where(sort < 0.25, any_of(self.store.speech), steady)
        # Noises shorter than the window are looped by starting inside them and reflecting the index.
        count = self.store.count[picked]
        place = torch.from_numpy((self.rng.random(n) * count).astype(np.int64))[:, None] + torch.arange(length)
        count = torch.from_numpy(count)[:, None]
        folded = place % (2 * count)
        folded = torch.where(folded < count, folded, 2 * count - 1 - folded)
        return self.store.frames[torch.from_numpy(self.store.first[picked])[:, None] + folded].float()

    def __call__(
        self, clean: Tensor, word: tuple[int, int] | None, strong: float = 1.0, least: np.ndarray | None = None
    ) -> Tensor:
        """Log-mel [n, T, M] to an augmented version; `word` are the frames whose power counts as speech.

        `least` [n] is where the draws of how much noise there is begin: HARD for none in hard noise, below 0 for more.
        """
        rng = self.rng
        n, length, bands = clean.shape
        uniform = lambda low, high, *shape: torch.from_numpy(rng.uniform(low, high, shape or (n, 1, 1))).float()
        warp = self.warps[torch.from_numpy(rng.integers(len(self.warps), size=n))]
        clean = torch.where(uniform(0, 1) < 0.85 * strong, torch.bmm(clean, warp.transpose(1, 2)), clean)
        power = clean.exp()
        part = power if word is None else power[:, word[0] : word[1]]
        # The loud half of the frames is the speech: a pause in the word must not raise the noise.
        speech = part.sum(2).topk(max(1, part.shape[1] // 2), dim=1).values.mean(1)[:, None, None]
        noise = self.noise(n, length).exp()
        sort = uniform(0, 1)
        if least is not None:
            sort = 1 - (1 - sort) * (1 - torch.from_numpy(least).float()[:, None, None])
        ratio = torch.where(sort < HARD, uniform(-7, 7), torch.where(sort < LIVING, uniform(5, 28), uniform(25, 60)))
        scale = speech / (noise.sum(2).mean(1)[:, None, None] + 1e-9) * 10 ** (-ratio / 10)
        noise = noise * scale
        # Powers of a mixture do not just add: the cross term, averaged over a band's bins, stays random.
        cross = 2 * (power * noise).sqrt() * torch.randn(n, length, bands) * 0.25
        power = (power + noise + cross).clamp_min(1e-9)
        tilt = uniform(-1.4, 1.4) * torch.linspace(-1, 1, bands) + uniform(-0.7, 0.7) * torch.cos(
            torch.linspace(0, 9.4, bands) * uniform(0.3, 1.0)
        )
        # Loudness of the speech over five decades of power, then the quiet hiss every device has.
        gain = uniform(-9, 3.5) - (speech + 1e-9).log() + 4.0
        loud = (speech + 1e-9).log() + gain
        hiss = uniform(-12.5, -4.5).minimum(loud - 5.0).exp() * (uniform(0, 1) < 0.9)
        power = power * (tilt + gain).exp() + hiss * torch.exp(torch.randn(n, length, bands) * 0.3)
        narrow = uniform(0, 1) < 0.12
        cut = (torch.arange(bands) >= 27)[None, None, :] & narrow
        power = torch.where(cut, power * 1e-4, power)
        out = power.clamp_min(1e-5).log()
        return self.mask(out) if strong > 0 else out

    def mask(self, x: Tensor) -> Tensor:
        """SpecAugment (Park et al. 2019): twice a short time mask and a band mask, each in half of the windows."""
        n, length, bands = x.shape
        fill = x.mean((1, 2), keepdim=True)
        span = lambda size, most: (
            torch.from_numpy(self.rng.integers(0, size, n))[:, None],
            torch.from_numpy(self.rng.integers(0, most, n) * (self.rng.random(n) < 0.5))[:, None],
        )
        hole = torch.zeros(n, length, bands, dtype=torch.bool)
        for _ in range(2):
            at, wide = span(length, 9)
            hole |= ((torch.arange(length) >= at) & (torch.arange(length) < at + wide))[:, :, None]
            at, wide = span(bands, 7)
            hole |= ((torch.arange(bands) >= at) & (torch.arange(bands) < at + wide))[:, None, :]
        return torch.where(hole, fill, x)
