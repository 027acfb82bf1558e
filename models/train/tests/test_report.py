"""The report's counts, verdicts on targets and hand-kept table."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="only the recipe needs it")

import soundfile  # noqa: E402

from wakegate_train import behind, card, evaluate, peers, report, sections, targets  # noqa: E402
from wakegate_train.synth import COLUMNS as synth_columns  # noqa: E402


def line(file, verdict="intended", voice="", p=0.9, end=1.0):
    scores = dict.fromkeys(("p_intended", "p_wake_word", "p_addressed"), p)
    return {"file": file, "text": "", "voice": voice, "verdict": verdict, "end_s": end} | scores


def trigger(file, fired, verdict, decided):
    return {"file": file, "fired_s": fired, "verdict": verdict, "decided_s": decided, "word_end_s": 3.0}


def test_the_word_is_in_the_text_or_not():
    assert evaluate.says("Two computers, please", "computer")
    assert not evaluate.says("Alexander is here", "alexa")


def test_equal_error_counts_both_sides():
    rate, miss, false = evaluate.equal_error(np.array([0.9, 0.8, 0.2, 0.7]), np.array([0.1, 0.3, 0.1, 0.75]))
    assert (rate, miss, false) == (0.25, 1, 1)


def test_the_end_of_a_tone_is_found():
    samples = np.full(48_000, 1e-4)
    samples[16_000:32_000] = 0.5 * np.sin(np.arange(16_000))
    assert behind.word_end(samples) == pytest.approx(2.0, abs=0.03)


def test_a_clip_is_kept_by_any_of_its_triggers_and_a_trigger_is_stopped_alone():
    first = [trigger("a", 3.1, "accidental", 3.9), trigger("a", 4.4, "intended", 3.8)]
    part = {"triggers": [*first, trigger("b", 3.2, "unsure", 3.9)]}
    assert behind.kept([part]) == (1, 2)
    assert behind.stopped([part]) == (2, 3)
    assert behind.delays([part]) == pytest.approx([1.4, 0.9])


def test_a_target_is_met_missed_or_not_shown():
    assert targets.at_most("", 0, 1000, 0.01).line().endswith("| met |")
    assert targets.at_most("", 0, 41, 0.01).line().endswith("| met, but n too small to show it |")
    assert targets.at_most("", 1, 41, 0.01).line().endswith("| **missed** |")
    assert targets.at_least("", 0, 0, 0.99).line() == "|  | no data |  |"


def test_only_mentions_by_voices_that_are_heard_count():
    group = lambda role, told, neural=False: {"role": role, "told": told, "neural": neural, "snr_db": None}
    clips = {
        "to": group("address", [line("1", voice="good"), line("2", "unsure", voice="bad"), line("3", voice="bad")]),
        "in": group("mention", [line("4", "accidental", voice="good"), line("5", voice="bad"), line("6", voice="unheard")]),
    }
    assert targets.mentions_by_good_voices({"clips": clips}) == (0, 1, 1, 1)
    clips["to"] |= {"role": "word", "neural": True}
    assert targets.mentions_by_good_voices({"clips": clips}) == (0, 1, 1, 1), "voices stand in where nobody recorded the word"


def synthetic(folder, *rows):
    """A folder as synth.py writes it, of (kind, split, voice) in a neural voice."""
    lines = ["\t".join(synth_columns)]
    for number, (kind, split, voice) in enumerate(rows):
        text = {"address": "okay nabu, stop", "mention": "I told okay nabu"}[kind]
        lines.append("\t".join([f"{number}.wav", "kokoro", voice, split, "train", kind, "okay nabu", text, "1.0", ""]))
        soundfile.write(folder / f"{number}.wav", np.full(8000, 0.1), 16000)
    (folder / "synth.tsv").write_text("\n".join(lines) + "\n")


def test_held_out_voices_stand_in_for_people_where_nobody_recorded_the_word(tmp_path):
    recordings, spoken = tmp_path / "rec", tmp_path / "synth"
    recordings.mkdir(), spoken.mkdir()
    columns = ["path", "dataset", "kind", "label", "speaker", "split", "text"]
    (recordings / "manifest.tsv").write_text("\t".join(columns) + "\n")
    synthetic(spoken, ("address", "test", "am_adam"), ("address", "train", "am_eric"), ("mention", "test", "am_adam"))
    bench = evaluate.Bench("wakegate", None, recordings, spoken, {"test"})
    groups = bench.clips("okay nabu", tmp_path / "clips")
    assert {name: (group.role, group.neural, len(group.clips)) for name, group in groups.items()} == {
        **{f"okay nabu, {noise}": ("word", True, 1) for noise in ("clean", "10 dB", "5 dB", "0 dB")},
        "in passing, neural voices": ("mention", True, 1),
    }
    # One recording of the word by anybody, and the figures are of people again.
    soundfile.write(recordings / "one.wav", np.full(8000, 0.1), 16000)
    row = ["one.wav", "own", "wakeword", "okay nabu", "ann", "train", "okay nabu"]
    (recordings / "manifest.tsv").write_text("\n".join(["\t".join(columns), "\t".join(row)]) + "\n")
    groups = evaluate.Bench("wakegate", None, recordings, spoken, {"test"}).clips("okay nabu", tmp_path / "clips")
    assert [group.role for group in groups.values()] == ["address", "mention"]


def test_a_card_says_first_that_no_person_was_measured():
    one = lambda neural: {"role": "word", "neural": neural, "snr_db": None, "told": [line("a")]}
    found = lambda neural: {"clips": {"okay nabu, clean": one(neural)}, "streams": {}}
    assert card.summary(found(True)).startswith("**No person has been measured**")
    assert "| okay nabu, clean, to the device, neural voices | 1/1," in card.summary(found(True))
    assert card.summary(found(False)).startswith("| | judged intended |"), "people were recorded"


def test_peers_name_a_word_of_two_parts_with_an_underscore():
    assert peers.model_name("okay nabu") == "okay_nabu"


def test_a_miss_is_listed_where_it_is_missed_first():
    group = lambda p: {"role": "word", "told": [line("a", "accidental", p=p)]}
    wrong = sections.misses({"clips": {"clean": group(0.3), "10 dB": group(0.1)}})
    assert [(name, told["p_intended"]) for name, told in wrong] == [("clean", 0.3)]


def test_the_ablation_table_is_left_out_or_read(tmp_path):
    path = tmp_path / "ablation.json"
    assert sections.ablation(path) == ""
    path.write_text(json.dumps({"figures": ["FRR"], "rows": [{"name": "a", "changed": "b", "figures": ["2 %"]}]}))
    assert "| a | b | 2 % |" in sections.ablation(path)
    path.write_text(json.dumps({"figures": ["FRR", "n"], "rows": [{"name": "a", "changed": "b", "figures": ["2 %"]}]}))
    with pytest.raises(SystemExit, match="expected 2 figures in the row 'a', got 1"):
        sections.ablation(path)


def test_what_was_measured_is_made_again_only_when_something_differs(tmp_path):
    made = []
    make = lambda: made.append(1) or {"n": len(made)}
    path = tmp_path / "x" / "figures.json"
    for key, n in (("a", 1), ("a", 1), ("b", 2)):
        assert report.cached(path, {"model": key}, make)["n"] == n


def test_recordings_may_lie_outside_the_folder_of_their_manifest(tmp_path):
    listed, public = tmp_path / "listed", tmp_path / "public"
    assert evaluate.path_in_manifest(listed / "talk" / "a.wav", listed) == "talk/a.wav"
    assert evaluate.path_in_manifest(public / "a.wav", listed) == str(public / "a.wav")
    here, there = ({"speech": [folder / "a.wav"]} for folder in (listed, public))
    assert report.digest({}, here, listed) != report.digest({}, there, listed)


def test_neighbours_are_told_by_edit_and_place():
    told = [
        {"text": "[[AH L EH1 K S IY]].", "verdict": "intended"},
        {"text": "hey [[AH L EH1 K S AY]], stop.", "verdict": "unsure"},
        {"text": "[[AH R EH1 K S AH]]", "verdict": "accidental"},
    ]
    found = {"word": "alexa", "clips": {"near": {"role": "neighbour", "told": told}}}
    table = sections.neighbours_table(found)
    replaced = next(row for row in table.splitlines() if row.startswith("| a phoneme replaced "))
    first, middle, last = replaced.split("|")[2:5]
    assert (first.split()[0], middle.strip(), last.split()[0]) == ("0.0", "none", "50.0")
    assert sections.neighbours_table({"word": "alexa", "clips": {}}) == ""


def test_clips_that_flip_are_told_where_they_were_measured():
    assert "| to the device | 40 | 2.5 % " in sections.flips_table({"flips": {"to the device": {"n": 40, "flip": 1}}})
    assert sections.flips_table({}) == ""
    row = next(row for row in targets.rows(FOUND | {"flips": {"clean": {"n": 40, "flip": 2}}}, {}, COSTS, {}) if "flip" in row.target)
    assert row.met is False


FOUND = {"word": "alexa", "clips": {}, "streams": {}, "intent": {"addressed": [], "in_passing": []}}
COSTS = {"step_ms": [0.02], "window_ms": [1.0]}
