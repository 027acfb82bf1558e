"""Scores equal the command line's, bit for bit: files, arrays, rates, channels, threads."""

import io
import math
import tarfile
import wave
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, lines, same

import wakegate


@pytest.fixture(scope="module")
def printed(recordings):
    return lines("score", *recordings)


def samples_of(path: Path) -> tuple[np.ndarray, int]:
    """The int16 samples of a WAV file, shape [n] or [n, channels], and their rate."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        if file.getnchannels() > 1:
            samples = samples.reshape(-1, file.getnchannels())
        return samples, file.getframerate()


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def speech(gate, recordings) -> np.ndarray:
    """16 kHz int16 samples of speech with the wake word in it: a FLAC file, decoded by hand."""
    soundfile = pytest.importorskip("soundfile")
    samples, rate = soundfile.read(recordings[1], dtype="int16")
    assert rate == 16_000
    return samples


def test_files_and_bytes(gate, recordings, printed):
    assert {line["verdict"] for line in printed} >= {"intended", "accidental"}
    same([gate.score_file(path).as_dict() for path in recordings], printed)
    same([gate.score_bytes(p.read_bytes(), path=str(p)).as_dict() for p in recordings], printed)


@pytest.mark.parametrize("form", ["tone.mp3", "tone.m4a", "tone.aac", "tone.ogg"])
def test_compressed_formats(gate, form):
    path = ROOT / "tests" / "data" / "audio" / form
    same([gate.score_file(path).as_dict()], lines("score", path))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_arrays(gate, recordings, tmp_path, rate, channels):
    mono = speech(gate, recordings)
    place = np.arange(0, len(mono) - 1, 16_000 / rate)
    mono = np.interp(place, np.arange(len(mono)), mono).astype(np.int16)
    samples = mono if channels == 1 else np.stack([mono // (k + 1) for k in range(channels)], 1)
    path = write_wav(tmp_path / "a.wav", samples, rate)
    expected = lines("score", path)
    again, found_rate = samples_of(path)
    assert found_rate == rate
    floats = again.astype(np.float32) / np.float32(32_768)
    for array in (again, floats, np.asfortranarray(floats), np.repeat(floats, 2, axis=0)[::2]):
        same([gate.score(array, rate, path=str(path)).as_dict()], expected)


def test_batches(gate, recordings, printed, tmp_path):
    for threads in (1, 2, 5, None):
        scores = gate.score_batch((path for path in recordings), threads=threads)
        same([score.as_dict() for score in scores], printed)
    whole = speech(gate, recordings)
    path = write_wav(tmp_path / "a.wav", whole, 16_000)
    mixed = [str(path), path.read_bytes(), (whole, 16_000)]
    scores = gate.score_batch(mixed * 3, threads=2)
    expected = gate.score_file(path).p_intended
    assert [score.p_intended for score in scores] == [expected] * 9
    assert [score.path for score in scores] == [str(path), "", ""] * 3


def test_one_bad_item_fails_no_batch(gate, recordings, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF nothing")
    bad = [
        tmp_path / "missing.wav",
        broken,
        b"no audio",
        None,
        (np.zeros(10, dtype=np.float64), 16_000),
        (np.zeros(16_000, dtype=np.float32), 100),
        (np.full(16_000, np.nan, dtype=np.float32), 16_000),
        (np.zeros(0, dtype=np.int16), 16_000),
        ("text", -1),
    ]
    items = [item for one in bad for item in (one, recordings[0])]
    scores = gate.score_batch(items, threads=3)
    assert len(scores) == len(items)
    good = gate.score_file(recordings[0])
    for failed, scored in zip(scores[::2], scores[1::2]):
        assert failed.error and failed.verdict is None and failed.p_intended is None
        assert scored == good
    expected = lines("score", bad[0], bad[1], code=1)
    assert scores[2].error == expected[1]["error"]
    texts = [score.error for score in scores[::2]]
    assert texts[3].startswith("cannot score this: expected a path, the bytes")
    assert "found float64 [10] (hint: samples.astype" in texts[4]
    assert texts[5] == "unusable sample rate: expected 2000 to 384000 Hz, found 100 Hz"
    assert texts[6].startswith("unusable sample: expected finite samples")
    assert texts[7].startswith("nothing to score")


def test_what_the_iterable_raises_is_raised(gate, recordings):
    def items():
        yield recordings[0]
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        gate.score_batch(items())
    with pytest.raises(TypeError):
        gate.score_batch(7)


def test_triggers(gate, recordings):
    expected = lines("score", "--trigger-at", 1.5, recordings[0])
    score = gate.score_file(recordings[0], trigger_s=1.5)
    same([score.as_dict()], expected)
    for bad in (-1.0, math.nan, 1e9, 1e5):
        with pytest.raises(wakegate.SettingsError, match="trigger"):
            gate.score_file(recordings[0], trigger_s=bad)


def test_activations_of_a_long_recording(gate, recordings, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    whole = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in recordings])
    path = write_wav(tmp_path / "long.wav", whole, 16_000)
    expected = lines("score", "--activations", path)
    assert len(expected) > 5
    score = gate.score_file(path)
    same([activation.as_dict() for activation in score.activations], expected)
    assert score.p_intended == max(a.p_intended for a in score.activations)


def corpus(tmp_path: Path, recordings: list[Path]) -> tuple[Path, Path]:
    """A tar shard with columns beside its recordings, and a manifest, of the same recordings."""
    shard, manifest = tmp_path / "shard.tar", tmp_path / "rows.csv"
    with tarfile.open(shard, "w") as tar:
        for index, path in enumerate(recordings):
            tar.add(path, f"{path.stem}.flac")
            beside = f'{{"label": "l{index}", "room": {index}}}'.encode()
            info = tarfile.TarInfo(f"{path.stem}.json")
            info.size = len(beside)
            tar.addfile(info, io.BytesIO(beside))
    rows = [f"{path},{path.stem},l{index},{index}" for index, path in enumerate(recordings)]
    manifest.write_text("\n".join(["file,id,label,room", *rows, ",lost,,"]) + "\n")
    return shard, manifest


def test_a_folder_a_shard_and_a_manifest(gate, recordings, printed, tmp_path):
    shard, manifest = corpus(tmp_path, recordings)
    folder = recordings[0].parent
    same([score.as_dict() for score in gate.score_corpus(folder, threads=2)], lines("score", folder))
    expected = lines("score", shard, "--carry", "room")
    scores = list(gate.score_corpus(shard, carry=["room"]))
    same([score.as_dict() for score in scores], expected)
    assert scores[3].label == "l3" and scores[3].carried == {"room": 3}
    expected = lines("score", "--manifest", manifest, "--column", "path=file", "--carry", "room", code=1)
    found = gate.score_corpus(manifests=[manifest], columns={"path": "file"}, carry=["room"])
    same([score.as_dict() for score in found], expected)
    for key in ("verdict", "p_intended", "start_s"):
        assert [line[key] for line in expected[:-1]] == [line[key] for line in printed]


def test_rows_are_a_manifest(gate, recordings, tmp_path):
    folder = recordings[0].parent
    rows = [{"file": path.name, "id": n, "extra": n / 4} for n, path in enumerate(recordings)]
    rows += [{"file": None, "id": "none"}, {"file": "gone.flac", "trigger_s": "soon"}]
    options = {"columns": {"path": "file"}, "carry": ["extra"]}
    local = list(gate.score_rows(iter(rows), root=folder, **options))
    assert [score.id for score in local] == [*map(str, range(24)), "none", None]
    assert [score.carried["extra"] for score in local[:24]] == [n / 4 for n in range(24)]
    assert "expected a path in the column" in local[24].error
    assert local[25].error.startswith("the trigger is refused")

    def fetch(path: str) -> bytes:
        if path.endswith("3"):
            raise OSError("the network is  away")
        return (folder / path).read_bytes()

    rows[5]["file"] = "shard-3"
    fetched = list(gate.score_rows(rows, fetch=fetch, threads=2, **options))
    assert fetched[5].error == "cannot read shard-3: the network is away"
    for at in set(range(24)) - {5}:
        assert fetched[at].p_intended == local[at].p_intended
    with pytest.raises(wakegate.SettingsError, match="MEANING=NAME"):
        gate.score_rows([], columns={"speaker": "a"})


def test_an_iterator_that_is_dropped_stops_the_work(gate, recordings):
    asked = 0

    def rows():
        nonlocal asked
        for n in range(100_000):
            asked = n
            yield {"path": str(recordings[n % 24])}

    scores = gate.score_rows(rows(), threads=1)
    assert next(scores).verdict
    del scores
    import time

    time.sleep(0.5)
    before = asked
    time.sleep(0.5)
    assert before == asked < 1_000


def test_parquet_columns_are_the_command_lines(gate, recordings, tmp_path):
    """The jobs' tables have the columns, types and metadata of `wakegate score --output`."""
    parquet = pytest.importorskip("pyarrow.parquet")
    from conftest import run

    from wakegate.jobs import _table

    shard, _ = corpus(tmp_path, recordings)
    run("score", shard, "--carry", "room", "--output", tmp_path / "cli.parquet")
    expected = parquet.read_table(tmp_path / "cli.parquet")
    found = _table.of_scores(list(gate.score_corpus(shard, carry=["room"])), ["room"])
    assert found.equals(expected.replace_schema_metadata(found.schema.metadata))
    assert found.schema.metadata.items() <= expected.schema.metadata.items()
