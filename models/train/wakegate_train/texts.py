"""What the synthetic voices say: texts by kind, drawn from the phrase files by a seeded generator.

Kinds: `address` (a name said to the device), `mention` (a name in passing), `soundalike` (a phrase
close to a wake word), `neighbour` (what is a phoneme or two away from it, spelled in phones) and `speech` (no name at all). The names are the wake words and others, so that
the judge of "addressed" does not hang on one word.
Phrases are split into train and test by a hash, besides the split of the voices, so that a test
can tell new words from new speakers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random

from . import neighbours

PHRASES = Path(__file__).resolve().parent.parent / "phrases"

OTHER_NAMES = (
    "computer", "jarvis", "operator", "wildfire", "voyager", "echo", "athena", "jenny", "robert", "google",
    "siri", "cortana", "samantha", "friday", "ziggy", "daniel", "olivia", "michael", "sarah", "thomas",
    "amelia", "victor", "isabel", "professor", "butler", "alfred", "galileo", "monica", "alexa",
)  # fmt: skip
"""Names beside the wake words."""

TEST_SHARE = 0.2
"""Share of the phrases that only test utterances may use."""

NEAREST = 6
"""Phrases of a list, which has the nearest to the word first, that some voices say again and again."""

ALONE = ("{w}.", "{w}?", "{w}!", "{w}...", "hey {w}.", "hey {w}!", "hey, {w}.", "okay {w}.", "um, {w}?", "{w}, {w}!")
ALONE_WEIGHTS = (6, 4, 5, 2, 3, 2, 1, 1, 1, 1)
BEFORE_COMMAND = ("{w}, {c}", "{w} {c}", "{w}. {c}", "hey {w}, {c}", "hey {w} {c}", "okay {w}, {c}", "{w}... {c}")
BEFORE_WEIGHTS = (6, 6, 2, 2, 1, 1, 1)
GREETINGS = ("hey", "okay", "ok", "hi")
"""What templates put before a name; a name that begins with one gets no second."""


@dataclass(frozen=True)
class Said:
    """One text with its labels."""

    kind: str
    phrase_split: str
    wake_word: str
    """The name that is said, or the wake word that a sound-alike is close to; empty where there is none."""
    text: str


def phrase_split(phrase: str) -> str:
    """`train` or `test`, fixed by the phrase's own letters: adding phrases moves no other one."""
    digest = hashlib.sha256(phrase.lower().encode()).digest()
    return "test" if digest[0] / 256 < TEST_SHARE else "train"


def read_phrases(name: str) -> dict[str, list[str]]:
    """The lines of one phrase file by their [section]; lines before any section are under ''."""
    path = PHRASES / name
    if not path.exists():
        raise SystemExit(
            f"expected the phrase file {name}, found none; "
            "hint: for a new wake word run python -m wakegate_train.phones --word WORD > phrases/soundalike_WORD.txt"
        )
    sections: dict[str, list[str]] = {}
    current = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if re.fullmatch(r"\[\w+\]", line):
            current = line[1:-1]
        elif line and not line.startswith("#"):
            sections.setdefault(current, []).append(line)
    return sections


def by_split(phrases: list[str]) -> dict[str, list[str]]:
    """The phrases of each phrase split."""
    return {s: [p for p in phrases if phrase_split(p) == s] for s in ("train", "test")}


def fill(template: str, **slots: str) -> str:
    """The template with its slots filled and "a"/"an" fitted to the name that follows."""
    text = template
    if name := slots.get("w"):
        article = "an" if name[0] in "aeiou" else "a"
        text = re.sub(r"\ban? \{w\}", f"{article} {{w}}", text)
    for slot, value in slots.items():
        text = text.replace(f"{{{slot}}}", value)
    return text


def greeted(templates: tuple[str, ...], weights: tuple[int, ...], name: str, rng: Random) -> str:
    """One of the templates by its weight; none that greets a name which is a greeting itself ("okay nabu")."""
    doubled = name.split()[0] in GREETINGS
    kept = [weight * (not doubled or template.startswith(("{w}", "um"))) for template, weight in zip(templates, weights, strict=True)]
    return fill(rng.choices(templates, kept)[0], w=name)


def closed(text: str, rng: Random, question: bool) -> str:
    """The text with a final mark: it sets the intonation, so statements vary a little."""
    if text[-1] in ".?!":
        return text
    return text + ("?" if question else rng.choices((".", "!", "?", ""), (7, 1, 1, 2))[0])


QUESTION = re.compile(r"^(is|are|was|does|do|did|has|have you|who|where|when|why|what|how|can|could|would|will|should we|am)\b")


@dataclass
class Texts:
    """Draws texts for some wake words; every draw is a function of the generator it is given.

    A word that is listed twice is drawn twice as often.
    """

    words: tuple[str, ...]
    phones: str | None = None
    """CMUdict phones of a wake word that the dictionary lacks."""
    commands: dict[str, dict[str, list[str]]] = field(init=False)
    mentions: dict[str, dict[str, list[str]]] = field(init=False)
    soundalikes: dict[str, dict[str, list[str]]] = field(init=False)
    nearest: dict[str, list[str]] = field(init=False)
    carriers: list[str] = field(init=False)
    speech: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.commands = {k: by_split(v) for k, v in read_phrases("commands.txt").items()}
        self.mentions = {k: by_split(v) for k, v in read_phrases("mentions.txt").items()}
        self.soundalikes = {word: by_split(near_phrases(word)) for word in self.words}
        self.nearest = {word: nearest_phrases(word) for word in self.words}
        self.carriers = read_phrases("carriers.txt")[""]
        self.speech = by_split(read_phrases("speech.txt")[""])

    def other_name(self, rng: Random) -> str:
        """A name that is no wake word."""
        return rng.choice([n for n in OTHER_NAMES if n not in self.words])

    def address(self, rng: Random, split: str, name: str, command: str | None = None) -> Said:
        """The name said to the device: alone (35 %) or before a command; a given command is always used."""
        if command is None and rng.random() < 0.35:
            text = greeted(ALONE, ALONE_WEIGHTS, name, rng)
            # The bare name is no phrase to hold out: it is the same in both splits.
            return Said("address", "train", name, text)
        pool = self.commands[rng.choice(("do", "do", "ask"))]
        command = command or rng.choice(pool[split])
        text = greeted(BEFORE_COMMAND, BEFORE_WEIGHTS, name, rng).replace("{c}", command)
        return Said("address", split, name, closed(text, rng, bool(QUESTION.match(command))))

    def mention(self, rng: Random, split: str, name: str, section: str) -> Said:
        """The name in passing, in a template of one section of mentions.txt."""
        template = rng.choice(self.mentions[section][split])
        command = rng.choice(self.commands["do"][split])
        text = fill(template, w=name, c=command)
        return Said("mention", split, name, closed(text, rng, bool(QUESTION.match(text))))

    def pair(self, rng: Random, split: str, name: str) -> list[Said]:
        """An address and a mention for one voice; a third of the pairs share one command text."""
        if rng.random() < 0.33:
            command = rng.choice(self.commands["do"][split])
            template = rng.choice(self.mentions["with"][split])
            text = closed(fill(template, w=name, c=command), rng, bool(QUESTION.match(template)))
            return [self.address(rng, split, name, command), Said("mention", split, name, text)]
        section = rng.choice(("without", "subject"))
        return [self.address(rng, split, name), self.mention(rng, split, name, section)]

    def soundalike(self, rng: Random, split: str) -> Said:
        """A phrase near a wake word, alone or in a carrier sentence; sometimes before a command."""
        word = rng.choice(self.words)
        phrase = rng.choice(self.soundalikes[word][split])
        if rng.random() < 0.15:
            text = f"{phrase}{rng.choice((', ', ' '))}{rng.choice(self.commands['do'][split])}"
        elif rng.random() < 0.4:
            text = phrase
        else:
            text = fill(rng.choice(self.carriers), p=phrase)
        return Said("soundalike", split, word, closed(text, rng, text.startswith(("did ", "was "))))

    def near(self, rng: Random, longest: int) -> Said:
        """One of the phrases nearest to a wake word, most often said as the word would be to a device."""
        word = rng.choice(self.words)
        phrase = rng.choice(self.nearest[word])
        while True:
            if rng.random() < 0.6:
                text = self.address(rng, "train", phrase).text
            else:
                text = closed(fill(rng.choice(self.carriers), p=phrase), rng, False)
            if len(text) <= longest:
                return Said("soundalike", "train", word, text)

    def edited(self, rng: Random, split: str, longest: int) -> list[Said]:
        """The wake word and one of its neighbours in the same words, for one voice; now and then a neighbour in a sentence.

        A quarter of the time it is one of the sound-alikes found by ear, which are names and words near the word.
        """
        word = rng.choice(self.words)
        near, kind = neighbours.draw(self.pronounced[word], rng).word.text(), "neighbour"
        by_ear = [p for p in self.by_ear[word] if phrase_split(p) == split]
        if by_ear and rng.random() < 0.25:
            near, kind = rng.choice(by_ear), "soundalike"
        elif phrase_split(near) != split:
            return self.edited(rng, split, longest)
        if rng.random() < 0.15:
            said = [Said(kind, split, word, closed(fill(rng.choice(self.carriers), p=near), rng, False))]
        else:
            # The same draws for both: what differs is the phoneme.
            seed = rng.random()
            address = lambda name: self.address(Random(seed), split, name).text
            said = [Said("address", split, word, address(word)), Said(kind, split, word, address(near))]
        return said if all(len(one.text) <= longest + len(near) for one in said) else self.edited(rng, split, longest)

    @cached_property
    def pronounced(self) -> dict[str, neighbours.Pronounced]:
        """The wake words' phones."""
        return {word: neighbours.pronunciation(word, self.phones) for word in self.words}

    @cached_property
    def by_ear(self) -> dict[str, list[str]]:
        """The wake words' sound-alikes that were found by ear."""
        return {word: found[0] if len(found := lists(word)) > 1 else [] for word in self.words}

    def plain(self, rng: Random, split: str) -> Said:
        """A sentence or a command without any name."""
        if rng.random() < 0.3:
            text = rng.choice(self.commands[rng.choice(("do", "ask"))][split])
        else:
            text = rng.choice(self.speech[split])
        return Said("speech", split, "", closed(text, rng, bool(QUESTION.match(text))))

    def deck(self, rng: Random, phrase_splits: list[str], longest: int, spells: bool = False) -> list[list[Said]]:
        """Fifteen utterances for one voice in the corpus's balance, pairs kept together; three neighbours more where it `spells`.

        2 pairs of address and mention, 2 requests and 2 mentions more, a pair with another name, 4
        sound-alikes and 1 of plain speech, none of more than `longest` characters. Each unit draws its
        phrase split from the ones given, so a test voice says known and new phrases alike.
        """
        word = lambda: rng.choice(self.words)
        command = lambda split: rng.choice(self.commands[rng.choice(("do", "ask"))][split])
        draws: list[Callable[[str], list[Said]]] = [
            *[lambda split: self.pair(rng, split, word())] * 2,
            *[lambda split: [self.address(rng, split, word(), command(split))]] * 2,
            lambda split: [self.mention(rng, split, word(), "subject")],
            lambda split: [self.mention(rng, split, word(), "without")],
            lambda split: self.pair(rng, split, self.other_name(rng)),
            *[lambda split: [self.soundalike(rng, split)]] * 4,
            lambda split: [self.plain(rng, split)],
        ]
        units = []
        for draw in draws:
            split = rng.choice(phrase_splits)
            unit = draw(split)
            while max(len(said.text) for said in unit) > longest:
                unit = draw(split)
            units.append(unit)
        if spells:
            units += [self.edited(rng, rng.choice(phrase_splits), longest)[-1:] for _ in range(3)]
        return units


def soundalike_file(word: str, found: str = "") -> str:
    """The name of the file of a wake word's sound-alikes, those `found` by hand or else by machine: without spaces."""
    return f"soundalike_{'_'.join(filter(None, [word.replace(' ', '-'), found]))}.txt"


def lists(word: str) -> list[list[str]]:
    """The sound-alikes of a wake word, nearest first: found by ear where anyone has, and mined from the dictionary."""
    names = (soundalike_file(word, "hand"), soundalike_file(word))
    found = [read_phrases(name)[""] for name in names if (PHRASES / name).exists() or name == names[1]]
    # A listed phrase that holds the word itself would be a mention, not a sound-alike.
    return [[p for p in near if not re.search(rf"\b{word}\b", p.lower())] for near in found]


def nearest_phrases(word: str) -> list[str]:
    """The first NEAREST of either list that are not kept for tests."""
    return [p for near in lists(word) for p in [p for p in near if phrase_split(p) == "train"][:NEAREST]]


def near_phrases(word: str) -> list[str]:
    """All of both lists, those of the dictionary first."""
    return list(dict.fromkeys(p for near in reversed(lists(word)) for p in near))
