"""A folder of somebody's recordings becomes a manifest that keeps people apart."""

import csv
import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("scipy")

from wakegate_train import corpus, custom_word  # noqa: E402


def record(folder, speakers, each):
    for speaker in speakers:
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        for k in range(each):
            soundfile.write(folder / speaker / f"{k}.wav", np.full(8000, 0.1), corpus.RATE)


def test_speakers_are_never_divided_between_splits(tmp_path):
    record(tmp_path, ["ann", "ben", "cem", "dot", "eve", "fay"], 5)
    rows, told = custom_word.listed("marvin", tmp_path)
    by_speaker = {row["speaker"]: {r["split"] for r in rows if r["speaker"] == row["speaker"]} for row in rows}
    assert all(len(splits) == 1 for splits in by_speaker.values())
    assert {split for splits in by_speaker.values() for split in splits} == {"train", "dev", "test"}
    assert "30 recordings of 'marvin'" in told and "by other people" in told


def test_few_speakers_are_said_to_be_the_same(tmp_path):
    record(tmp_path, ["ann", "ben"], 12)
    rows, told = custom_word.listed("marvin", tmp_path)
    assert {row["split"] for row in rows} == {"train", "dev", "test"}
    assert "by the same people" in told


def test_too_few_recordings_are_refused_with_a_way_out(tmp_path):
    record(tmp_path, ["ann"], 3)
    with pytest.raises(SystemExit, match=r"expected at least 20 recordings of 'marvin'.*found 3; hint"):
        custom_word.listed("marvin", tmp_path)


def test_an_unreadable_file_is_left_out_by_name(tmp_path, capsys):
    record(tmp_path, ["ann"], 25)
    (tmp_path / "ann" / "broken.wav").write_bytes(b"no audio")
    rows, _ = custom_word.listed("marvin", tmp_path)
    assert len(rows) == 25
    assert "broken.wav" in capsys.readouterr().err


def test_public_recordings_join_and_keep_their_own_splits(tmp_path):
    record(tmp_path / "mine", ["ann"], 25)
    public = tmp_path / "public"
    public.mkdir()
    with (public / "manifest.tsv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, custom_word.COLUMNS, delimiter="\t", restval="")
        writer.writeheader()
        writer.writerow({"path": "talk.wav", "dataset": "librispeech_mini_train5", "kind": "speech", "speaker": "7", "split": "train"})
    rows, _ = custom_word.listed("marvin", tmp_path / "mine")
    custom_word.manifest("marvin", rows, public, tmp_path / "out")
    loaded = corpus.load(tmp_path / "out")
    assert len(loaded) == 26
    assert loaded[-1].path == str(public / "talk.wav") and loaded[-1].split == "train"
    assert {r.split for r in loaded[:-1]} == {row["split"] for row in rows[:-1]}
    assert {r.text for r in loaded[:-1]} == {"marvin"}


def test_what_was_trained_is_trained_again_only_with_other_recordings_or_options(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(custom_word, "run", lambda step, *options: ran.append(options))
    (tmp_path / "nets").mkdir()
    listed = tmp_path / "manifest.tsv"
    listed.write_text("a.wav")
    custom_word.train_once(tmp_path, [listed], "--steps", 5)
    custom_word.train_once(tmp_path, [listed], "--steps", 5)
    assert len(ran) == 1
    custom_word.train_once(tmp_path, [listed], "--steps", 6)
    listed.write_text("a.wav b.wav")
    custom_word.train_once(tmp_path, [listed], "--steps", 6)
    assert len(ran) == 3


def test_a_step_that_was_cut_off_is_not_taken_for_finished(tmp_path, monkeypatch):
    (tmp_path / "nets").mkdir()

    def fail(*_):
        raise SystemExit("the step train failed")

    monkeypatch.setattr(custom_word, "run", fail)
    for _ in range(2):
        with pytest.raises(SystemExit, match="train failed"):
            custom_word.train_once(tmp_path, [], "--steps", 5)


def steps_of(monkeypatch, *options):
    """The steps that a run takes, with their options, and what it says at last."""
    ran = []
    monkeypatch.setattr(custom_word, "run", lambda step, *given: ran.append((step, list(map(str, given)))))
    monkeypatch.setattr(custom_word, "synthesise", lambda args, synth: (synth.mkdir(parents=True), (synth / "synth.tsv").touch()))
    monkeypatch.setattr("sys.argv", ["custom_word", "--binary", "wakegate", *map(str, options)])
    monkeypatch.setattr(custom_word, "train_once", lambda work, inputs, *given: ran.append(("train", list(map(str, given)))))
    custom_word.main()
    return ran


def test_a_word_without_a_single_recording_is_learned_from_voices_and_the_report_says_so(tmp_path, monkeypatch, capsys):
    figures = tmp_path / "report" / "okay-nabu-1" / "figures.json"
    figures.parent.mkdir(parents=True)
    told = [{"verdict": "intended"}] * 12
    figures.write_text(json.dumps({"clips": {"okay nabu, clean": {"role": "word", "snr_db": None, "neural": True, "told": told}}}))
    ran = steps_of(monkeypatch, "--word", "okay nabu", "--work", tmp_path, "--out", tmp_path / "okay-nabu-1")
    assert [step for step, _ in ran] == ["align", "pack", "pack", "train", "release", "early", "report"]
    assert corpus.load(tmp_path / "recordings") == []
    said = capsys.readouterr().out
    assert "'okay nabu': no person was heard or measured" in said
    assert "of 12 requests by held-out voices" in said and "RECORDINGS=DIR" in said


@pytest.mark.parametrize("name", ["smart_mirror-1", "marvin", "-1", "Marvin-1"])
def test_a_package_with_a_name_that_wakegate_refuses_is_not_begun(tmp_path, monkeypatch, name):
    asked = ["custom_word", "--word", "marvin", "--recordings", str(tmp_path), "--work", str(tmp_path), "--binary", "wakegate"]
    monkeypatch.setattr("sys.argv", [*asked, "--out", str(tmp_path / name)])
    with pytest.raises(SystemExit, match="expected --out .../NAME-VERSION"):
        custom_word.main()
