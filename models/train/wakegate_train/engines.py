"""Speech engines behind one face: each says a batch of texts and gives samples with their rate.

espeak-ng (formants), flite and festival (diphones and statistical voices) are the distribution's
programs; Kokoro (neural) is in kokoro.py. Voices of one speaker share a split across engines.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import soundfile

from .kokoro import RATE as KOKORO_RATE
from .kokoro import Kokoro
from .neighbours import SPELLED, parse, token

Audio = tuple[np.ndarray, int]
"""Mono samples in [-1, 1] and their rate in Hz."""

Order = tuple[str, str, Random]
"""What to say: the voice's name, the text, and the utterance's own generator for pitch and speed."""

TEST_SHARE, DEV_SHARE = 0.15, 0.12
"""Shares of the voices, and of the utterances, that only the test and dev splits have."""

ESPEAK_LANGUAGES = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc",
)  # fmt: skip
ESPEAK_VARIANTS = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "croak", "whisper", "whisperf",
    "klatt", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "adam", "Alex", "Alicia", "Andrea", "Andy", "Annie",
    "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "Denis", "Diogo", "ed", "edward", "Gene",
    "grandma", "grandpa", "gustave", "Henrique", "Hugo", "iven", "john", "kaukovalta", "Lee", "linda", "marcelo",
    "Marco", "Mario", "Michael", "Mike", "Nguyen", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "sandro", "shelby", "steph", "travis", "victor", "zac", "anika",
)  # fmt: skip
ESPEAK_VOICES = 160
"""How many of the language and variant pairs are used: enough utterances fall on each then."""

SPEAKER_SPLIT = {"kal": "train", "slt": "train", "rms": "train", "awb": "test", "ked": "dev"}
"""flite and festival have the same few speakers; one must not be in two splits by two engines."""
FLITE_VOICES = {"kal": 95, "kal16": 95, "awb": 130, "rms": 100, "slt": 170}
"""flite voice to its usual mean pitch in Hz."""
FESTIVAL_VOICES = {"kal_diphone": "kal", "ked_diphone": "ked", "cmu_us_slt_arctic_hts": "slt"}
"""festival voice to its speaker."""

KOKORO_BLENDS = {"train": 52, "dev": 10, "test": 12}
"""Blended voices per split, drawn within the split so that none holds a voice of another one."""

FAR_FROM = 8
"""Other voices that a training voice is moved away from, to make far ones."""
MIXED = 600
"""Training voices with the timbre of one voice and the prosody of another."""
OTHER_ACCENT = 0.35
"""Share of a training voice's utterances that it says in the other English accent."""


@dataclass(frozen=True)
class Voice:
    """One voice of one engine."""

    name: str
    split: str


def hashed_split(name: str) -> str:
    """A split fixed by the name: test 15 %, dev 12 %, the rest train."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return "test" if share < TEST_SHARE else "dev" if share < TEST_SHARE + DEV_SHARE else "train"


def ranked_split(names: list[str]) -> dict[str, str]:
    """Splits by the rank of the names' hashes: exact shares where the voices are few."""
    ranked = sorted(names, key=lambda n: hashlib.sha256(n.encode()).digest())
    tests, devs = round(len(ranked) * TEST_SHARE), round(len(ranked) * DEV_SHARE)
    return {n: "test" if i < tests else "dev" if i < tests + devs else "train" for i, n in enumerate(ranked)}


def read_audio(path: Path) -> Audio:
    """A file's first channel."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples[:, 0], rate


class Espeak:
    """espeak-ng; `spells` says that texts may hold phones. A voice is `language+variant`."""

    name, batch, longest, planned = "espeak", 1, 70, 2000
    spells = True

    def voices(self) -> list[Voice]:
        """A fixed choice of the language and variant pairs."""
        names = [f"{language}+{variant}" for language in ESPEAK_LANGUAGES for variant in ESPEAK_VARIANTS]
        chosen = sorted(names, key=lambda n: hashlib.sha256(f"espeak {n}".encode()).digest())[:ESPEAK_VOICES]
        return [Voice(n, hashed_split(n)) for n in sorted(chosen)]

    def say(self, items: list[Order]) -> list[Audio]:
        """Each text at its own pitch and speed."""
        out = []
        with tempfile.TemporaryDirectory() as temp:
            path = Path(temp) / "said.wav"
            for voice, spelled, rng in items:
                text = SPELLED.sub(lambda phones: parse(phones[0]).espeak(), spelled)
                pitch, speed, gap = rng.randrange(25, 80), rng.randrange(120, 215), rng.choice((0, 0, 0, 1, 2))
                command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-g", str(gap)]
                subprocess.run([*command, "-w", str(path), text], check=True, stderr=subprocess.DEVNULL)
                out.append(read_audio(path))
        return out


class Flite:
    """flite with its built-in voices."""

    name, batch, longest, planned = "flite", 1, 70, 1500
    spells = False

    def voices(self) -> list[Voice]:
        """The built-in voices but the talking clock."""
        return [Voice(n, SPEAKER_SPLIT[n.removesuffix("16")]) for n in FLITE_VOICES]

    def say(self, items: list[Order]) -> list[Audio]:
        """Each text at its own pitch and tempo."""
        out = []
        with tempfile.TemporaryDirectory() as temp:
            path = Path(temp) / "said.wav"
            for voice, text, rng in items:
                pitch = FLITE_VOICES[voice] * rng.uniform(0.82, 1.25)
                features = (f"duration_stretch={rng.uniform(0.8, 1.3):.3f}", f"int_f0_target_mean={pitch:.1f}")
                command = ["flite", "-voice", voice, "--setf", features[0], "--setf", features[1]]
                subprocess.run([*command, "-t", text, "-o", str(path)], check=True, stderr=subprocess.DEVNULL)
                out.append(read_audio(path))
        return out


class Festival:
    """festival; a batch shares one process, since loading the voices takes longer than speaking."""

    name, batch, longest, planned = "festival", 25, 70, 800
    spells = True

    def voices(self) -> list[Voice]:
        """The installed English voices."""
        return [Voice(n, SPEAKER_SPLIT[speaker]) for n, speaker in FESTIVAL_VOICES.items()]

    def say(self, items: list[Order]) -> list[Audio]:
        """Each text at its own tempo."""
        with tempfile.TemporaryDirectory() as temp:
            script = []
            for i, (voice, text, rng) in enumerate(items):
                quoted = SPELLED.sub(token, text).replace("\\", "").replace('"', "")
                entries = [f"(lex.add.entry '(\"{token(one)}\" nil {parse(one[0]).festival()}))" for one in SPELLED.finditer(text)]
                script += [
                    f"(voice_{voice})",
                    *entries,
                    f"(Parameter.set 'Duration_Stretch {rng.uniform(0.8, 1.3):.3f})",
                    f'(set! said (utt.synth (Utterance Text "{quoted}")))',
                    f'(utt.save.wave said "{temp}/{i}.wav" \'riff)',
                ]
            batch = Path(temp) / "batch.scm"
            batch.write_text("\n".join(script), encoding="utf-8")
            subprocess.run(["festival", "-b", str(batch)], check=True, stderr=subprocess.DEVNULL)
            return [read_audio(Path(temp) / f"{i}.wav") for i in range(len(items))]


class KokoroEngine:
    """Kokoro-82M with its voices and blends of two or three of them."""

    # Short texts: it runs at about half of real time on one core, so length is what it costs.
    name, batch, longest, planned = "kokoro", 1, 40, 6000
    # Its neighbours are an engine of their own: KokoroEdits.
    spells = False

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise SystemExit("expected --kokoro DIR for the kokoro engine, got none; hint: --fetch-kokoro DIR first")
        self.model = Kokoro(folder)
        self.folder = folder
        self.split = {voice.name: voice.split for voice in self.voices()}

    def voices(self) -> list[Voice]:
        """Plain voices split by rank, English and foreign apart, then the blends of each split."""
        plain = Kokoro.voice_names(self.folder)
        english = [n for n in plain if n[0] in "ab"]
        split = ranked_split(english) | ranked_split([n for n in plain if n[0] not in "ab"])
        rng = Random("kokoro blends")
        blends: dict[str, str] = {}
        for name, count in KOKORO_BLENDS.items():
            # An English voice leads the blend: a blend of foreign ones only drifts from English.
            lead = [n for n in english if split[n] == name]
            rest = [n for n in plain if split[n] == name]
            while count:
                first = rng.choice(lead)
                others = rng.sample([n for n in rest if n != first], rng.choice((1, 1, 2)))
                blend = "+".join([first, *sorted(others)])
                if blend not in blends:
                    blends[blend] = name
                    count -= 1
        return [Voice(n, s) for n, s in (split | blends).items()]

    def say(self, items: list[Order]) -> list[Audio]:
        """Each text at its own speed, 0.8 to 1.3, and in the accent that `accent` gives it."""
        return [
            (self.model.say(text, voice, rng.uniform(0.8, 1.3), self.accent(voice, rng)), KOKORO_RATE)
            for voice, text, rng in items
        ]

    def accent(self, voice: str, rng: Random) -> str:
        """British phonemes for British voices and American for others; training voices have both.

        The style table gives the timbre and the phonemes the accent, so the few British voices are not
        the only ones to learn that accent from.
        """
        british = voice.startswith("b")
        if self.split[voice] == "train" and rng.random() < OTHER_ACCENT:
            british = not british
        return "en-gb" if british else "en-us"


class KokoroFar(KokoroEngine):
    """More training voices, beyond the plain ones: away from another, as blends lie between them."""

    name, planned = "kokoro-far", 3000

    def voices(self) -> list[Voice]:
        """Each plain English training voice away from FAR_FROM others."""
        plain = [voice.name for voice in super().voices() if voice.split == "train" and "+" not in voice.name]
        rng = Random("kokoro far")
        pairs = [(near, away) for near in plain if near[0] in "ab" for away in rng.sample(plain, FAR_FROM) if away != near]
        return [Voice(f"{near}~{away}", "train") for near, away in pairs]


class KokoroMix(KokoroFar):
    """Yet more training voices: the timbre of a plain, blended or far one, the prosody of a plain one."""

    name, planned = "kokoro-mix", 6000

    def voices(self) -> list[Voice]:
        """MIXED draws; English speakers give two in three of the prosodies."""
        given = [voice.name for voice in KokoroEngine.voices(self) if voice.split == "train"]
        english = [name for name in given if name[0] in "ab" and "+" not in name]
        foreign = [name for name in given if name[0] not in "ab" and "+" not in name]
        timbres = given + [voice.name for voice in super().voices()]
        rng = Random(self.name)
        names: dict[str, None] = {}
        while len(names) < MIXED:
            names[f"{rng.choice(timbres)}@{rng.choice(rng.choice((english, english, foreign)))}"] = None
        return [Voice(name, "train") for name in names]


class KokoroNear(KokoroMix):
    """Voices of the same sort that say nothing but the phrases nearest to the wake words.

    Drawn like any other sound-alike, each of those would be said by one voice in a corpus or by none.
    """

    name, planned = "kokoro-near", 1500


class KokoroEdits(KokoroMix):
    """Voices of every split that say the wake words and, in the same sentence, what is a phoneme away from them."""

    name, planned = "kokoro-edits", 4000

    def voices(self) -> list[Voice]:
        """The mixed training voices, and the dev and test voices of Kokoro itself."""
        return super().voices() + [voice for voice in KokoroEngine.voices(self) if voice.split != "train"]


Engine = Espeak | Flite | Festival | KokoroEngine


def make_engine(name: str, kokoro: Path | None) -> Engine:
    """The engine of that name."""
    neural = {engine.name: engine for engine in (KokoroEngine, KokoroFar, KokoroMix, KokoroNear, KokoroEdits)}
    if name in neural:
        return neural[name](kokoro)
    plain = {"espeak": Espeak, "flite": Flite, "festival": Festival}
    if name not in plain:
        raise SystemExit(f"expected an engine of {', '.join([*plain, *neural])}, got {name!r}")
    return plain[name]()
