"""Speakers stay on one side, whatever else is in the manifest."""

from pathlib import Path

import pytest

from wakegate_train import corpus

HEAD = (
    "path\tdataset\tkind\tlabel\tspeaker\tsplit\tseconds\tsample_rate\tlicence\tcontext\tkeyword_position\tstart_s\tend_s\ttext\n"
)


def manifest(folder: Path, rows: list[tuple[str, str, str, str, str, str]]) -> Path:
    lines = [
        f"{path}\t{dataset}\t{kind}\t{label}\t{speaker}\t{split}\t1\t16000\tx\t\t\t\t\t\n"
        for path, dataset, kind, label, speaker, split in rows
    ]
    (folder / "manifest.tsv").write_text(HEAD + "".join(lines))
    return folder


def test_held_out_groups_are_never_trained_on(tmp_path):
    rows = [
        (f"{g}.wav", "picovoice_wakeword", "wakeword", "alexa", g, "train") for groups in corpus.HELD_OUT.values() for g in groups
    ]
    assert {r.split for r in corpus.load(manifest(tmp_path, rows))} == {"dev", "test"}


def test_a_speaker_has_one_split(tmp_path):
    rows = [(f"{s}_{k}.wav", "an4", "speech", "an4", f"speaker{s}", "dev") for s in range(40) for k in range(3)]
    splits: dict[str, set[str]] = {}
    for r in corpus.load(manifest(tmp_path, rows)):
        splits.setdefault(r.speaker, set()).add(r.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"dev", "test"}


def test_a_missing_manifest_says_what_is_expected(tmp_path):
    with pytest.raises(SystemExit, match="expected manifest.tsv"):
        corpus.load(tmp_path)
