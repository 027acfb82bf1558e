"""Neighbours of a wake word: one or two phonemes away from it, and what an accent makes of it, which is no neighbour.

A network that was only ever shown other words learns the word's outline: a vowel, a gap, an s, a vowel. What teaches
it the phonemes between is the word with one of them replaced, dropped or added, said by the voice that says the word.

    python -m wakegate_train.neighbours --word alexa

lists them. In texts they stand in CMUdict's phones between brackets, a 1 after the stressed vowel, as in
"[[AH L EH1 K S IY]], turn on the lights": `kokoro`, `espeak` and `festival` say these.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from . import phones as near
from .ipa import ipa_of, phones_of_ipa, pronounce
from .phones import CONSONANTS, VOWELS, Phones

FIRST_VOWEL = ("AH", "IH", "EH", "AE", "AA", "IY")
"""What accents make of a weak vowel that begins the word."""
LAST_VOWEL = ("AH", "AA", "AE", "ER")
"""What accents make of a weak vowel that ends it."""
SWAPS = (("AH", "IH"), ("AA", "AO"), ("ER", "AH"))
"""Vowels that accents take for each other anywhere, where they are not stressed; the second of AA and AO also where they are."""
VOICED = {"S": "Z", "Z": "S"}
"""A final s or z that accents voice or don't."""
TWO = 0.3
"""Share of the neighbours that are two edits away."""
KOKORO = {
    "AA": "ɑ", "AE": "æ", "AH": "ə", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "EH": "ɛ",
    "ER": "ɜɹ", "EY": "A", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k", "L": "l", "M": "m",
    "N": "n", "NG": "ŋ", "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "UH": "ʊ",
    "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
"""CMUdict's phones as Kokoro's symbols."""
ESPEAK = {
    "AA": "A:", "AE": "a", "AH": "@", "AO": "O:", "AW": "aU", "AY": "aI", "CH": "tS", "DH": "D", "EH": "E", "ER": "3:",
    "EY": "eI", "HH": "h", "IH": "I", "IY": "i:", "JH": "dZ", "NG": "N", "OW": "oU", "OY": "OI", "SH": "S", "TH": "T",
    "UH": "U", "UW": "u:", "Y": "j", "ZH": "Z",
}  # fmt: skip
"""Those that are not their own small letter in espeak-ng's."""
SPELLED = re.compile(r"\[\[([A-Z0-9 ]+)\]\]")
"""Phones in a text."""
EDITS = ("replaced", "dropped", "added")
PLACES = ("start", "middle", "end")


@dataclass(frozen=True)
class Pronounced:
    """A word's phones and which of them is the stressed vowel."""

    phones: Phones
    stressed: int

    def text(self) -> str:
        """As texts have it."""
        return f"[[{' '.join(p + '1' * (i == self.stressed) for i, p in enumerate(self.phones))}]]"


    def symbols(self, table: dict[str, str], stress: str, plain: str) -> str:
        """The phones as an engine's symbols, `stress` before the stressed vowel; `plain` is a stressed AH."""
        said = [table.get(phone, phone.lower()) for phone in self.phones]
        if self.phones[self.stressed] == "AH":
            said[self.stressed] = plain
        return "".join(stress * (i == self.stressed) + one for i, one in enumerate(said))

    def kokoro(self) -> str:
        """In Kokoro's symbols."""
        return self.symbols(KOKORO, "ˈ", "ʌ")

    def espeak(self) -> str:
        """As espeak-ng reads phonemes in a text."""
        return f"[[{self.symbols(ESPEAK, chr(39), 'V')}]]"

    def festival(self) -> str:
        """The syllables of an entry in festival's lexicon: one that is stressed is enough."""
        return f"((({' '.join(phone.lower() for phone in self.phones)}) 1))"


@dataclass(frozen=True)
class Neighbour:
    """A word that is an edit away from another, and where."""

    word: Pronounced
    edit: str
    """One of EDITS."""
    place: str
    """One of PLACES: the third of the word where it was edited."""


def parse(text: str) -> Pronounced:
    """The phones between brackets, or by themselves, of a text."""
    marked = text.strip("[] ").split()
    stressed = [i for i, phone in enumerate(marked) if phone.endswith("1")]
    return Pronounced(tuple(phone.rstrip("1") for phone in marked), stressed[0] if stressed else 0)


def token(match: re.Match[str]) -> str:
    """Phones in a text as one word that the aligner can look up: no English word begins so."""
    return "qq" + "".join(match[1].split()).lower().replace("1", "")


def spelled(text: str) -> dict[str, str]:
    """The words that `token` makes of a text's phones, with their phones."""
    return {token(match): " ".join(parse(match[0]).phones) for match in SPELLED.finditer(text)}


def pronunciation(word: str, given: str | None = None) -> Pronounced:
    """The word as the dictionary has it, or by `given` phones, or by espeak-ng; the stress is espeak-ng's."""
    dictionary = near.dictionary_path()
    listed = near.read_dict(dictionary) if dictionary else {}
    found = given or " ".join(" ".join(listed.get(part, ())) or pronounce(part) for part in word.lower().split())
    phones = near.word_phones(word, found, {})
    # The main stress of several words is the last one's.
    before = ipa_of(word).rpartition("ˈ")[0]
    vowels = [i for i, phone in enumerate(phones) if phone in VOWELS]
    index = sum(phone in VOWELS for phone in phones_of_ipa(before))
    return Pronounced(phones, vowels[min(index, len(vowels) - 1)])


def accents(word: Pronounced) -> set[Phones]:
    """Every way in which accents may say the word, itself among them.

    A weak vowel at the beginning or end may have another colour, a weak one elsewhere, and "cot" for "caught", may
    be taken for its neighbour; r after a vowel may be silent, t between vowels a d, h at the beginning silent, and a
    final s voiced or not.
    """
    choices: list[list[Phones]] = []
    last = len(word.phones) - 1
    for i, phone in enumerate(word.phones):
        weak = phone in VOWELS and i != word.stressed
        some = {(phone,)}
        if i == 0 and weak and phone in FIRST_VOWEL:
            some |= {(p,) for p in FIRST_VOWEL}
        if i == last and weak and phone in LAST_VOWEL:
            some |= {(p,) for p in LAST_VOWEL}
        for a, b in SWAPS:
            if phone in (a, b) and (weak or a == "AA"):
                some |= {(a,), (b,)}
        before = word.phones[i - 1] if i else ""
        after = word.phones[i + 1] if i < last else ""
        if phone == "R" and before in VOWELS and after not in VOWELS:
            some.add(())
        if phone == "T" and before in VOWELS and after in VOWELS:
            some.add(("D",))
        if phone == "HH" and i == 0:
            some.add(())
        if i == last and phone in VOICED:
            some.add((VOICED[phone],))
        choices.append(sorted(some))
    said: set[Phones] = {()}
    for some in choices:
        said = {begun + piece for begun in said for piece in some}
    return said


def edits(word: Pronounced) -> Iterator[tuple[Neighbour, float]]:
    """Every word that is one edit away, with its cost by how alike the phones sound; accents are not among them."""
    left_out = accents(word)
    n = len(word.phones)
    place = lambda at: PLACES[min(2, 3 * min(at, n - 1) // n)]
    seen = set()
    for at in range(n + 1):
        head, tail = word.phones[:at], word.phones[at:]
        options: list[tuple[str, Phones, int, float]] = []
        if tail:
            kind = VOWELS if tail[0] in VOWELS else CONSONANTS
            options += [("replaced", (*head, p, *tail[1:]), 0, near.swap(tail[0], p)) for p in kind if p != tail[0]]
            if at != word.stressed and n > 2:
                options.append(("dropped", (*head, *tail[1:]), -(at < word.stressed), near.gap(tail[0])))
        options += [("added", (*head, p, *tail), int(at <= word.stressed), near.gap(p)) for p in CONSONANTS if audible(p, head, tail)]
        for kind, phones, moved, cost in options:
            doubled = any(a == b for a, b in zip(phones, phones[1:], strict=False))
            if phones not in left_out and phones not in seen and not doubled:
                seen.add(phones)
                yield Neighbour(Pronounced(phones, word.stressed + moved), kind, place(at)), cost


def audible(consonant: str, head: Phones, tail: Phones) -> bool:
    """Whether a listener would hear the consonant between `head` and `tail`: h only before vowels, ng only after them."""
    if consonant == "HH":
        return bool(tail) and tail[0] in VOWELS and (not head or head[-1] in VOWELS)
    return consonant != "NG" or bool(head) and head[-1] in VOWELS


@cache
def _listed(word: Pronounced) -> dict[tuple[str, str], tuple[list[Neighbour], list[float]]]:
    """The neighbours by edit and place, with how often each is drawn: near phones more often than far ones."""
    found: dict[tuple[str, str], tuple[list[Neighbour], list[float]]] = {}
    for neighbour, cost in edits(word):
        some, weights = found.setdefault((neighbour.edit, neighbour.place), ([], []))
        some.append(neighbour)
        weights.append(1 / (0.3 + cost))
    return found


def draw(word: Pronounced, rng: Random) -> Neighbour:
    """A neighbour: each kind of edit at each place equally often, TWO of them with a second edit."""
    kinds = _listed(word)
    some, weights = kinds[rng.choice(sorted(kinds))]
    found = rng.choices(some, weights)[0]
    if rng.random() < TWO:
        again = _listed(found.word)
        some, weights = again[rng.choice(sorted(again))]
        second = rng.choices(some, weights)[0]
        if second.word.phones not in accents(word):
            return Neighbour(second.word, found.edit, found.place)
    return found


def kept(word: Phones, said: Phones) -> list[bool | None]:
    """Which phones of the word are in `said`, by the shortest edits; None beside an added one, where it hangs on the ear."""
    n, m = len(word), len(said)
    cost = [[0.0] * (m + 1) for _ in range(n + 1)]
    for i in range(n + 1):
        for j in range(m + 1):
            if i or j:
                both = cost[i - 1][j - 1] + near.swap(word[i - 1], said[j - 1]) if i and j else 99.0
                cost[i][j] = min(both, cost[i - 1][j] + 1 if i else 99.0, cost[i][j - 1] + 1 if j else 99.0)
    found: list[bool | None] = [False] * n
    added: set[int] = set()
    i, j = n, m
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + near.swap(word[i - 1], said[j - 1]):
            i, j = i - 1, j - 1
            found[i] = word[i] == said[j]
        elif j and cost[i][j] == cost[i][j - 1] + 1:
            j -= 1
            added |= {i - 1, i}
        else:
            i -= 1
    return [None if found[k] and k in added else found[k] for k in range(n)]


def first_edit(word: Phones, said: Phones) -> tuple[str, str]:
    """The first edit that makes `said` of the word, and the third of the word where it is."""
    found = kept(word, said)
    wrong = next((i for i, right in enumerate(found) if not right), 0)
    edit = "added" if found[wrong] is None else "replaced" if len(said) >= len(word) else "dropped"
    return edit, PLACES[3 * wrong // len(word)]


def main() -> None:
    """Prints a word's pronunciation, what accents make of it, and its neighbours, nearest first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--word", default="alexa", help="the wake word")
    parser.add_argument("--phones", help="its CMUdict phones, when the dictionary lacks it")
    args = parser.parse_args()
    word = pronunciation(args.word, args.phones)
    print(f"{args.word}: {word.text()}")
    print("accents: " + ", ".join(" ".join(said) for said in sorted(accents(word))))
    for neighbour, cost in sorted(edits(word), key=lambda one: one[1]):
        print(f"{cost:.2f} {neighbour.edit} at the {neighbour.place}: {neighbour.word.text()}")


if __name__ == "__main__":
    main()
