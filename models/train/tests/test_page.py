"""The labels from which `wakegate eval` makes the page."""

import csv
from types import SimpleNamespace

import numpy as np
import soundfile

from wakegate_train import page, trials
from wakegate_train.evaluate import Clip, Group


def test_labels_say_what_is_where(tmp_path):
    tone = np.sin(np.arange(8_000) * 0.3).astype(np.float32)
    clips = {snr: trials.write([("a/one.wav", tone)], snr, tmp_path / f"clips{snr}", 1)[0] for snr in (None, 0)}
    (tmp_path / "talk").mkdir()
    soundfile.write(tmp_path / "talk/b.wav", np.zeros(32_000, np.float32), 16_000)
    bench = SimpleNamespace(
        folder=tmp_path, rows=[SimpleNamespace(path="a/one.wav", speaker="ann"), SimpleNamespace(path="talk/b.wav", speaker="bob")]
    )
    groups = {f"word {snr}": Group("word", snr, clips=[Clip(path, "a/one.wav", "alexa")]) for snr, path in clips.items()}
    groups["in passing"] = Group("mention", clips=[Clip(clips[None], "synthetic/x.wav", 'I told "Alexa"', "kokoro/af")])
    rows = page.labels(bench, "alexa", groups, {"speech": [tmp_path / "talk/b.wav"]})
    page.write(rows, tmp_path / "labels.tsv")
    with (tmp_path / "labels.tsv").open() as file:
        clean, noisy, mention, talk = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    # The word lies between the padding, and in noise where it lies without.
    assert clean["start_s"] == "2.0" and abs(float(clean["end_s"]) - 2.5) < 0.05
    assert (noisy["end_s"], noisy["label"], noisy["speaker"]) == (clean["end_s"], "alexa", "ann")
    assert (mention["label"], mention["end_s"], mention["speaker"], mention["text"]) == ("", "", "kokoro/af", 'I told "Alexa"')
    assert (talk["label"], talk["speaker"], talk["group"], talk["audio_s"]) == ("", "bob", "speech", "2.0000")
