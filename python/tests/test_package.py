"""The package itself: errors, metadata, pickling, features, the interpreter let go, types."""

import copy
import dataclasses
import doctest
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, run

import wakegate


class Rounded(doctest.OutputChecker):
    """Scores of another processor may differ in the last digits."""

    def check_output(self, want, got, optionflags):
        want, got = (re.sub(r"\d\.\d{5,}", lambda found: f"{float(found[0]):.4f}", text) for text in (want, got))
        return super().check_output(want, got, optionflags)


def test_the_manuals_lines_print_what_it_says(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```pycon\n(.*?)```", (ROOT / "python" / "README.md").read_text(), re.S)
    session = doctest.DocTestParser().get_doctest("\n\n".join(blocks), {}, "README.md", None, 0)
    assert len(session.examples) > 5
    said = []
    doctest.DocTestRunner(checker=Rounded()).run(session, out=said.append)
    assert not said, "".join(said)


def test_errors_say_what_was_expected(tmp_path):
    with pytest.raises(wakegate.FileError) as caught:
        wakegate.Gate.load(tmp_path / "none")
    error = caught.value
    assert isinstance(error, OSError) and isinstance(error, wakegate.Error)
    assert error.message == f"cannot open the model {tmp_path / 'none'}"
    assert error.expected == "a directory with manifest.toml" and error.found == "nothing there"
    assert error.hint == "give the directory of a package, or leave --model out"
    assert str(error) == (
        f"{error.message}: expected {error.expected}, found {error.found} (hint: {error.hint})"
    )
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.hint) == (type(error), str(error), error.hint)


@pytest.mark.parametrize(
    ("call", "kind", "python"),
    [
        (lambda gate: gate.score_file("none.wav"), wakegate.FileError, OSError),
        (lambda gate: gate.score_bytes(b"none"), wakegate.AudioError, ValueError),
        (lambda gate: gate.score([0.0], 16_000), wakegate.SettingsError, ValueError),
        (lambda gate: gate.score(np.zeros((2, 2, 2), np.float32), 16_000), wakegate.SettingsError, ValueError),
        (lambda gate: gate.listener(5), wakegate.AudioError, ValueError),
        (lambda gate: gate.score_batch([], threads=0), wakegate.SettingsError, ValueError),
        (lambda _: wakegate.Gate.load(intended_at=2.0), wakegate.ModelError, ValueError),
        (lambda _: wakegate.Gate.load(onnxruntime="none.so"), wakegate.RuntimeFailure, RuntimeError),
    ],
)
def test_kinds_of_errors(gate, call, kind, python):
    with pytest.raises(kind) as caught:
        call(gate)
    assert isinstance(caught.value, python) and isinstance(caught.value, wakegate.Error)
    assert not isinstance(caught.value, AssertionError)


def test_the_model_speaks_for_itself(gate):
    model = gate.model
    assert (model.wake_word, model.origin) == ("alexa", "embedded")
    assert model.card == (ROOT / "models" / model.id / "MODEL_CARD.md").read_text()
    assert 0 < model.accidental_below <= model.intended_at <= 1
    assert f"sha256 {model.spotter_sha256[:12]}" in run("model", "show").decode()
    assert f"\n# {model.id}\n" in model.card and model.card.startswith("---\nlicense: ")
    other = wakegate.Gate.load(ROOT / "models" / "jarvis-2", intended_at=0.9)
    assert other.model.wake_word == "jarvis" and other.model.intended_at == float(np.float32(0.9))
    assert repr(other) == "Gate(model='jarvis-2', wake_word='jarvis')"
    assert wakegate.__version__ in run("--version").decode()


def test_results_are_frozen_and_travel(gate, recordings):
    score = gate.score_file(recordings[1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        score.verdict = "accidental"
    assert pickle.loads(pickle.dumps(score)) == score == copy.deepcopy(score)
    loaded = pickle.loads(pickle.dumps(wakegate.Gate.load(intended_at=0.9)))
    assert loaded.model.intended_at == float(np.float32(0.9))
    assert score.schema == wakegate.SCHEMA == 1


def test_features_are_the_command_lines(gate, recordings, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    run("features", recordings[0], "--output", tmp_path / "f.npz")
    samples, rate = soundfile.read(recordings[0], dtype="int16")
    expected = np.load(tmp_path / "f.npz")[str(recordings[0])]
    for found in (gate.features(samples, rate), wakegate.features(samples, rate)):
        assert found.dtype == np.float32 and np.array_equal(found, expected)
    assert gate.features(samples[:10], rate).shape == (0, gate.model.mel_bands)


def test_the_interpreter_is_let_go(gate):
    """A thread of Python goes on while another one's audio is judged."""
    silence = np.zeros(16_000 * 600, dtype=np.int16)
    ticks, done = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.monotonic()
    gate.score(silence, 16_000)
    spent = time.monotonic() - start
    counted = ticks
    done.set()
    thread.join()
    assert counted > 20 * spent, (counted, spent)


def test_many_threads_share_a_gate(gate, recordings):
    expected = [gate.score_file(path) for path in recordings]
    found: list[list[wakegate.Score]] = [[] for _ in range(4)]

    def work(scores: list[wakegate.Score]) -> None:
        scores.extend(gate.score_file(path) for path in recordings)

    threads = [threading.Thread(target=work, args=(scores,)) for scores in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_onnx_runtime_is_not_loaded_without_the_variable(recordings):
    onnxruntime = pytest.importorskip("onnxruntime")
    [library] = Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*")
    code = f"""
import wakegate
gate = wakegate.Gate.load(onnxruntime={str(library)!r})
print(gate.score_file({str(recordings[1])!r}).verdict)
try:
    wakegate.Gate.load()
except wakegate.RuntimeFailure as error:
    print(error.message)
"""
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": ""}
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "ORT_DISABLE_TELEMETRY=1" in refused.stderr
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout == "intended\nthe runtime cannot be changed\n", done.stderr


def test_every_public_name_says_what_it_is():
    for name in wakegate.__all__:
        thing = getattr(wakegate, name)
        if name in ("SCHEMA", "__version__", "Reason", "Verdict"):
            continue
        assert thing.__doc__, name
        for member in vars(thing) if isinstance(thing, type) else ():
            if not member.startswith("_") and callable(getattr(thing, member)):
                assert getattr(thing, member).__doc__, f"{name}.{member}"
    assert (Path(wakegate.__file__).parent / "py.typed").exists()


def test_the_stubs_are_true():
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "wakegate._wakegate"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--allow-untyped-calls", "--ignore-missing-imports", "-p", "wakegate"],
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stdout
