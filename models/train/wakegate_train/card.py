"""Writes MODEL_CARD.md of a package from what was measured and what was trained on."""

from __future__ import annotations

import argparse
import csv
import json
import tomllib
from collections import defaultdict
from pathlib import Path

from . import corpus, evaluate, intervals, sections, targets
from .align import synthetic_rows

SOURCES = {
    "picovoice_wakeword": "Picovoice wake-word-benchmark: wake words said alone",
    "wuw_corpus_ii": "WUW-II corpus: a word alone and in a sentence, by the same people, telephone",
    "precise_community": "Mycroft Precise Community Data: wake words and near-misses",
    "librispeech_mini_train5": "LibriSpeech (Mini LibriSpeech): read speech",
    "librispeech_deepspk": "LibriSpeech (deep-speaker samples): read speech",
    "resemblyzer": "LibriSpeech (Resemblyzer samples): read speech",
    "an4": "CMU AN4: spelled and spoken items",
    "picovoice_speech2intent": "Picovoice speech-to-intent-benchmark: spoken commands, kitchen noise",
    "sarang_hey_siri": "Google Speech Commands excerpts: short words",
    "fsdd": "Free Spoken Digit Dataset: digits",
    "esc10": "ESC-10: environmental sounds",
    "household_timgrau": "household noises (timgrau)",
    "noise_felix": "background noises (felix)",
    "ms_snsd_subset": "MS-SNSD subset: noise and speech",
    "librosa_data": "librosa example tracks: music",
    "speechocean762": "speechocean762: children and adults with an accent, reading",
    "bass": "Beneath a Steel Sky: acted dialogue",
    "kitchen20": "kitchen20: sounds of kitchens",
    "donateacry": "donateacry-corpus: babies",
    "ovos_ww": "OpenVoiceOS community wake words: false activations of another engine, taps, wake words",
    "kathleen": "Rhasspy Kathleen: one voice reading",
    "blanket": "rain, waves, wind, trains, cafes (Blanket)",
    "amb_jtg": "ambiences (jtg)",
    "opsound": "Opsound: music",
    "rir_webaudio": "impulse responses of the Chromium web audio samples",
    "rir_reverbjs": "Reverb.js impulse responses (OpenAIR and others)",
    "rir_misc": "assorted impulse responses",
}

HEADER = """\
---
license: {licence}
language: en
library_name: wakegate
pipeline_tag: audio-classification
tags:
- wake-word
- keyword-spotting
- onnx
- privacy
---
"""
"""What model hubs read at the head of a card: YAML, with the licence as they spell it."""

TEXT = """\
# {name}-{version}

Two networks that judge, on the device, whether "{word}" was said and whether it was said to the device.
The spotter ({spotter_kb:.0f} KB) listens all the time; the verifier ({verifier_kb:.0f} KB) judges each of its candidates
from {before} s before to {after} s after the word's end{early}. Together {total_kb:.0f} KB.

**For**: deciding before anything is stored whether an activation may be kept. **Not for**: telling who
speaks, other languages than English, or a loudspeaker from a person (no recordings of either were trained on).

Licence of the weights: {licence}. Some recordings are CC-BY-SA, credited below.

## Figures

Measured {measured}, by `wakegate_train.report`.

Verdict `intended` from p_intended {intended_at}, `accidental` below {accidental_below}, `unsure` between; the gate
treats `unsure` as accidental, so only `intended` counts as passed. Intervals are exact, 95 %: Clopper-Pearson for
shares, Poisson for rates. Speakers below were in neither training nor tuning ({split} split of
`wakegate_train/corpus.py`). Clips have 2 s of quiet noise before and 1 s after; noisy ones are in pink noise at
Picovoice's peak-frame SNR. Synthetic wake words by espeak-ng and by five heavily accented voices are left out: a
keyphrase search hears the word in hardly any of them, and no listener would.

{tables}
Each target, every set of clips with microWakeWord and openWakeWord beside, wakegate behind them, curves, the worst
misses, hashes and the command: [REPORT.md](REPORT.md).

{notes}

## Trained on

| source | files | hours | licence |
| --- | --- | --- | --- |
{sources}
{synthetic}

The recipe, with seeds and commands: `models/train/README.md`.
"""


def source_rows(recordings: list[corpus.Recording], seconds: dict[str, float]) -> str:
    """A table row for each source that training used."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for r in recordings:
        if r.split == "train":
            groups[r.dataset, r.licence].append(r.path)
    return "\n".join(
        f"| {SOURCES.get(dataset, dataset)} | {len(paths)} | {sum(seconds[p] for p in paths) / 3600:.2f} | {licence} |"
        for (dataset, licence), paths in sorted(groups.items())
    )


def synthetic_text(folder: Path | None) -> str:
    """What synthetic speech there was, by engine."""
    if folder is None:
        return ""
    engines: dict[str, list[float]] = defaultdict(list)
    for row in synthetic_rows(folder):
        if row["split"] == "train":
            engines[row["engine"]].append(float(row["seconds"]))
    parts = [f"{engine} {len(found)} utterances, {sum(found) / 3600:.2f} h" for engine, found in sorted(engines.items())]
    return "\nSynthetic speech, training voices: " + "; ".join(parts) + " (Kokoro-82M is Apache-2.0)."


def summary(found: dict) -> str:
    """The figures in short: synthetic clips by role, all running audio as one."""
    lines = ["| | judged intended |", "| --- | --- |"]
    for name, group in found["clips"].items():
        if group["role"] == "word":
            who = f"{name}, to the device, neural voices" if group["neural"] else f"real {name}"
            lines.append(f"| {who} | {intervals.shown(evaluate.passed(group['told']), len(group['told']))} |")
    roles = {
        "address": "to the device, synthetic voices",
        "mention": "in passing, synthetic voices",
        "soundalike": "sound-alikes, synthetic voices",
        "neighbour": "one or two phonemes away from the word, synthetic voices",
        "other": "other words, names and sentences",
    }
    for role, name in roles.items():
        told = targets.told(found, role)
        if not told:
            continue
        lines.append(f"| {name} | {intervals.shown(evaluate.passed(told), len(told))} |")
    accepts = f"| false accepts in running audio without the word | {targets.false_accepts(found['streams']).measured} |"
    first = f"{sections.UNRECORDED}\n\n" if sections.unrecorded(found) else ""
    return first + "\n".join([*lines, accepts]) + "\n"


def main() -> None:
    """Writes the card beside the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the package directory")
    parser.add_argument("--figures", type=Path, required=True, help="figures.json of report.py or evaluate.py")
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--measured", required=True, help='when and where the figures were: "on 2026-11-26 on a ..."')
    parser.add_argument("--notes", type=Path, help="Markdown with what was tried and what is left")
    args = parser.parse_args()
    manifest = tomllib.loads((args.model / "manifest.toml").read_text())
    found = json.loads(args.figures.read_text())
    recordings = corpus.load(args.recordings)
    with (args.recordings / "manifest.tsv").open(newline="") as lines:
        seconds = {row["path"]: float(row["seconds"] or 0) for row in csv.DictReader(lines, delimiter="\t")}
    sizes = [(args.model / manifest[part]["file"]).stat().st_size / 1000 for part in ("spotter", "verifier")]
    card = HEADER.format(licence=manifest["licence"].lower()) + TEXT.format(
        name=manifest["name"],
        version=manifest["version"],
        word=manifest["wake_word"],
        licence=manifest["licence"],
        spotter_kb=sizes[0],
        verifier_kb=sizes[1],
        total_kb=sum(sizes),
        before=manifest["verifier"]["before_s"],
        after=manifest["verifier"]["after_s"],
        early=", less where it is sure before that" if "early" in manifest["verifier"] else "",
        measured=args.measured,
        intended_at=manifest["decision"]["intended_at"],
        accidental_below=manifest["decision"]["accidental_below"],
        split=args.split,
        tables=summary(found),
        notes=args.notes.read_text() if args.notes else "",
        sources=source_rows(recordings, seconds),
        synthetic=synthetic_text(args.synthetic),
    )
    (args.model / "MODEL_CARD.md").write_text(card)


if __name__ == "__main__":
    main()
