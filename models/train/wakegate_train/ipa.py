"""espeak-ng's pronunciation of what no dictionary has, as CMUdict's phones."""

from __future__ import annotations

import subprocess
from functools import cache

# IPA as espeak-ng writes it, longest first, to CMUdict's phones.
IPA_TO_ARPA = [
    ("tʃ", "CH"), ("dʒ", "JH"), ("aɪ", "AY"), ("aʊ", "AW"), ("ɔɪ", "OY"), ("eɪ", "EY"), ("oʊ", "OW"), ("əʊ", "OW"),
    ("əl", "AH L"), ("ɚ", "ER"), ("ɝ", "ER"), ("ɜ", "ER"), ("ɑ", "AA"), ("ɒ", "AA"), ("ɔ", "AO"), ("æ", "AE"),
    ("a", "AE"), ("ʌ", "AH"), ("ə", "AH"), ("ɐ", "AH"), ("ɛ", "EH"), ("e", "EH"), ("ɪ", "IH"), ("ᵻ", "IH"), ("i", "IY"),
    ("ʊ", "UH"), ("u", "UW"), ("o", "OW"), ("ʃ", "SH"), ("ʒ", "ZH"), ("θ", "TH"), ("ð", "DH"), ("ŋ", "NG"), ("ɹ", "R"),
    ("r", "R"), ("ɾ", "T"), ("ɡ", "G"), ("g", "G"), ("j", "Y"), ("x", "K"), ("h", "HH"), ("b", "B"), ("d", "D"),
    ("f", "F"), ("k", "K"), ("l", "L"), ("m", "M"), ("n", "N"), ("p", "P"), ("s", "S"), ("t", "T"), ("v", "V"),
    ("w", "W"), ("z", "Z"), ("ɬ", "L"), ("ɲ", "N"),
]  # fmt: skip



def ipa_of(text: str) -> str:
    """espeak-ng's American phonemes of a text, in IPA."""
    command = ["espeak-ng", "-q", "-v", "en-us", "--ipa", text]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def phones_of_ipa(ipa: str) -> list[str]:
    """CMUdict's phones of a piece of IPA; what maps to none is left out."""
    phones: list[str] = []
    while ipa:
        symbol, phone = next(((symbol, phone) for symbol, phone in IPA_TO_ARPA if ipa.startswith(symbol)), (ipa[0], ""))
        phones += phone.split()
        ipa = ipa[len(symbol) :]
    return phones


@cache
def pronounce(word: str) -> str:
    """Phones of a word that CMUdict lacks, or '' if espeak-ng gives none that map."""
    return " ".join(phones_of_ipa(ipa_of(word)))
