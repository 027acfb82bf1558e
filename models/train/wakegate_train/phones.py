"""Which words and phrases sound like the wake word: a weighted phone edit distance.

Pronunciations are CMUdict's 39 phones without stress. The costs are hand-set from articulation
(vowel height and backness; consonant place, manner and voice): near phones are cheap to swap,
weak vowels are cheap to add or drop. A phrase of several words is scored by the best match of
the wake word across its word boundaries, since that is where accidental activations hide.

    python -m wakegate_train.phones --word alexa --dict cmudict-en-us.dict > phrases/soundalike_alexa.txt
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from itertools import product
from pathlib import Path

Phones = tuple[str, ...]

VOWELS: dict[str, tuple[float, float]] = {
    "IY": (1.0, 0.0), "IH": (0.8, 0.15), "EY": (0.65, 0.05), "EH": (0.45, 0.15), "AE": (0.15, 0.15),
    "AH": (0.4, 0.55), "ER": (0.5, 0.5), "AA": (0.0, 0.75), "AO": (0.25, 0.95), "OW": (0.55, 0.95),
    "UH": (0.8, 0.85), "UW": (1.0, 1.0), "AY": (0.3, 0.35), "AW": (0.3, 0.65), "OY": (0.5, 0.7),
}  # fmt: skip
"""Vowel to (height, backness), both 0..1; a diphthong sits at the middle of its glide."""

GLIDES = {"EY", "OW", "AY", "AW", "OY", "ER"}
"""Vowels whose colour changes (or is rhotic): a swap with a plain vowel costs a little more."""

CONSONANTS: dict[str, tuple[float, str, bool]] = {
    "P": (0.0, "stop", False), "B": (0.0, "stop", True), "T": (0.4, "stop", False), "D": (0.4, "stop", True),
    "K": (0.8, "stop", False), "G": (0.8, "stop", True), "CH": (0.55, "affricate", False),
    "JH": (0.55, "affricate", True), "F": (0.1, "fricative", False), "V": (0.1, "fricative", True),
    "TH": (0.25, "fricative", False), "DH": (0.25, "fricative", True), "S": (0.4, "fricative", False),
    "Z": (0.4, "fricative", True), "SH": (0.55, "fricative", False), "ZH": (0.55, "fricative", True),
    "HH": (1.0, "fricative", False), "M": (0.0, "nasal", True), "N": (0.4, "nasal", True),
    "NG": (0.8, "nasal", True), "L": (0.4, "liquid", True), "R": (0.5, "liquid", True),
    "Y": (0.65, "glide", True), "W": (0.1, "glide", True),
}  # fmt: skip
"""Consonant to (place from the lips 0 to the throat 1, manner, voiced)."""

NEAR_MANNERS = {frozenset(p) for p in (("stop", "affricate"), ("fricative", "affricate"), ("liquid", "glide"))}
GLIDE_PAIRS = {frozenset(p) for p in (("Y", "IY"), ("W", "UW"), ("R", "ER"), ("L", "OW"))}
WEAK = {"AH": 0.4, "IH": 0.5, "HH": 0.4, "T": 0.6, "D": 0.6, "Y": 0.6}
UNWANTED = {"boob", "boobs", "cocaine", "cum"}
"""Words left out of the joins: crude, and read out in more than one way."""
COUNT = 330
"""How many phrases a list has unless told."""
EDGE = 0.15
"""Cost of one phone too many at the rim of a phrase: context there hardly changes what is heard."""


@cache
def swap(a: str, b: str) -> float:
    """Cost of hearing phone `a` as phone `b`: 0 for the same, about 1 for unlike ones."""
    if a == b:
        return 0.0
    if a in VOWELS and b in VOWELS:
        (h1, k1), (h2, k2) = VOWELS[a], VOWELS[b]
        glide = 0.15 if (a in GLIDES) != (b in GLIDES) else 0.0
        return min(1.0, 0.1 + 0.7 * abs(h1 - h2) + 0.5 * abs(k1 - k2) + glide)
    if a in CONSONANTS and b in CONSONANTS:
        (p1, m1, v1), (p2, m2, v2) = CONSONANTS[a], CONSONANTS[b]
        manner = 0.0 if m1 == m2 else 0.3 if frozenset((m1, m2)) in NEAR_MANNERS else 0.6
        return min(1.1, 0.05 + 0.6 * abs(p1 - p2) + manner + (0.15 if v1 != v2 else 0.0))
    return 0.5 if frozenset((a, b)) in GLIDE_PAIRS else 1.2


def gap(phone: str) -> float:
    """Cost of adding or dropping `phone`."""
    return WEAK.get(phone, 0.8)


@lru_cache(maxsize=1 << 20)
def distance(heard: Phones, target: Phones, free_head: bool = False, free_tail: bool = False) -> float:
    """Weighted edit distance; a free head or tail lets `heard` begin or end beyond `target`."""
    row = [0.0]
    for t in target:
        row.append(row[-1] + gap(t))
    best = row[-1]
    for phone in heard:
        left = 0.0 if free_head else row[0] + gap(phone)
        new = [left]
        for j, t in enumerate(target, 1):
            new.append(min(row[j - 1] + swap(phone, t), row[j] + gap(phone), new[-1] + gap(t)))
        row = new
        best = min(best, row[-1])
    return best if free_tail else row[-1]


def read_dict(path: Path) -> dict[str, Phones]:
    """First pronunciation of each plain word in a CMUdict file (`word PH PH ...` a line)."""
    words: dict[str, Phones] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        word, *phones = line.split("#")[0].split()[:1] + [re.sub(r"\d", "", p) for p in line.split("#")[0].split()[1:]]
        if re.fullmatch(r"[a-z]+('[a-z]+)?", word.lower()) and phones:
            words.setdefault(word.lower(), tuple(phones))
    if len(words) < 1000:
        raise SystemExit(f"expected a CMUdict file with thousands of words, found {len(words)} in {path}")
    return words


def dictionary_path() -> Path | None:
    """The CMUdict that the pocketsphinx wheel carries, when that is installed."""
    try:
        import pocketsphinx
    except ImportError:
        return None
    path = Path(pocketsphinx.__file__).parent / "model" / "en-us" / "cmudict-en-us.dict"
    return path if path.exists() else None


def word_phones(word: str, given: str | None, words: dict[str, Phones]) -> Phones:
    """The wake word's phones: the ones `given`, else CMUdict's when it lists the word, or all of several words."""
    parts = [words.get(part, ()) for part in word.lower().split()]
    phones = tuple(given.split()) if given else tuple(p for part in parts for p in part) if all(parts) else ()
    unknown = [p for p in phones if p not in VOWELS and p not in CONSONANTS]
    if not phones or unknown:
        raise SystemExit(
            f'expected CMUdict phones for {word!r}, found {" ".join(unknown) or "none"}; hint: pass --phones "AH L EH K S AH"'
        )
    return phones


def language_model() -> Callable[[list[str]], float]:
    """Natural log probability of the last word after the ones before it, from pocketsphinx's model."""
    import pocketsphinx

    path = Path(pocketsphinx.__file__).parent / "model" / "en-us" / "en-us.lm.bin"
    pocketsphinx.LogMath()
    model = pocketsphinx.NGramModel.readfile(str(path))
    # Its log base is 1.0001, and it takes the words newest first.
    return lambda words: model.prob(words[::-1]) * 1e-4


def mine(word: str, phones: Phones, words: dict[str, Phones], count: int) -> list[tuple[float, str]]:
    """The `count` nearest phrases of one, two and three words as (cost, phrase), nearest first.

    Cost is the distance plus a small price for rare words and unlikely joins, so that things
    people really say come before dictionary curiosities.
    """
    lm = language_model()
    common = {w: p for w, p in words.items() if lm([w]) > -13.5 and w not in UNWANTED}
    known = {w: p for w, p in common.items() if not w.startswith(word) and (len(w) > 1 or w in "ai")}
    rarity = {w: 0.06 * max(0.0, -8.0 - lm([w])) for w in known}
    joined = word.replace(" ", "")
    stem = joined[:-1]
    found: dict[str, float] = {}

    def keep(parts: tuple[str, ...], cost: float) -> None:
        join = sum(0.05 * max(0.0, -6.0 - lm(list(parts[: i + 1]))) for i in range(1, len(parts)))
        text = " ".join(parts)
        if not text.replace(" ", "").startswith(joined):
            found[text] = min(found.get(text, 9.9), cost + join + max(rarity[p] for p in parts))

    for w, p in words.items():
        whole = distance(p, phones, True, True) + EDGE * max(0, len(p) - len(phones))
        if whole < 2.2 and lm([w]) > -16.0 and not w.startswith(stem):
            rarity.setdefault(w, 0.3)
            keep((w,), whole)
    for cut in range(1, len(phones)):
        heads = nearest(known, phones[:cut], rarity, 70, free_head=True)
        tails = nearest(known, phones[cut:], rarity, 70, free_tail=True)
        for (a, x), (b, y) in product(heads, tails):
            keep((a, b), x + y)
        for second in range(cut + 1, len(phones)):
            middles = nearest(known, phones[cut:second], rarity, 12)
            ends = nearest(known, phones[second:], rarity, 14, free_tail=True)
            for (a, x), (m, y), (b, z) in product(heads[:14], middles, ends):
                keep((a, m, b), x + y + z + 0.1)
    return spread(sorted((c, t) for t, c in found.items()), count)


def nearest(
    words: dict[str, Phones],
    part: Phones,
    rarity: dict[str, float],
    count: int,
    *,
    free_head: bool = False,
    free_tail: bool = False,
) -> list[tuple[str, float]]:
    """The `count` words nearest to a part of the wake word, with their cost without the rarity.

    Where a word may reach beyond the part, its length costs a little: context blurs the match.
    """
    length = EDGE / 4 if free_head or free_tail else 0.0
    cost = {w: distance(p, part, free_head, free_tail) + length * len(p) for w, p in words.items()}
    return [(w, cost[w]) for w in sorted(words, key=lambda w: (cost[w] + rarity[w], w))[:count]]


def spread(ranked: Iterable[tuple[float, str]], count: int, uses: int = 9) -> list[tuple[float, str]]:
    """The first `count` phrases in which no word takes part more than `uses` times.

    A third of the places goes to single words, the rest to joins, each by rank.
    """
    ranked = list(ranked)
    taken: dict[str, int] = {}
    chosen: list[tuple[float, str]] = []
    for single, room in ((True, count // 3), (False, count - count // 3)):
        left = room
        for cost, text in ranked:
            parts = text.split()
            if left and (len(parts) == 1) == single and all(taken.get(p, 0) < uses for p in parts):
                chosen.append((cost, text))
                left -= 1
                for p in parts:
                    taken[p] = taken.get(p, 0) + 1
    return sorted(chosen)


def listing(word: str, phones: Phones, words: dict[str, Phones], count: int) -> str:
    """A phrase file's text: how it was made, then the phrases, one a line."""
    head = [
        f"# Phrases near {word!r} ({' '.join(phones)}), nearest first. Made by:",
        f"# python -m wakegate_train.phones --word {shlex.quote(word)} --count {count}",
    ]
    return "\n".join([*head, *(text for _, text in mine(word, phones, words, count))]) + "\n"


def main() -> None:
    """Prints the sound-alike phrases of one wake word, one a line, with a header that says how."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--word", default="alexa", help="the wake word")
    parser.add_argument("--phones", help="its CMUdict phones, when the dictionary lacks it")
    parser.add_argument("--dict", type=Path, default=dictionary_path(), help="a CMUdict file")
    parser.add_argument("--count", type=int, default=COUNT, help="how many phrases")
    args = parser.parse_args()
    if args.dict is None:
        raise SystemExit("expected a CMUdict file, found none; hint: pass --dict or install pocketsphinx")
    words = read_dict(args.dict)
    phones = word_phones(args.word, args.phones, words)
    print(listing(args.word, phones, words, args.count), end="")


if __name__ == "__main__":
    main()
