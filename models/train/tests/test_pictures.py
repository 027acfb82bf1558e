"""The pictures are small, and the same for the same figures."""

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="only the recipe needs it")

from wakegate_train import curves, pictures  # noqa: E402


def systems(n: int) -> dict:
    rng = np.random.default_rng(5)
    made = {}
    for name in ("wakegate", "a peer"):
        positive, negative = rng.random(n) ** 0.2, rng.random(n) ** 4
        counts = [(cut, int((negative >= cut).sum())) for cut in (1.0, 0.5, 0.1)]
        at = {"clips": curves.det(positive, negative), "streams": curves.det_streams(positive, counts, 1.0)}
        made[name] = {"clean": at | {"default": (0.1, 0.05, 2.0)}, "0 dB": at | {"default": (0.2, 0.05, 2.0)}}
    return made


@pytest.mark.parametrize(("largest", "suffix"), [(60_000, ".svg"), (0, ".png")])
def test_the_trade_off_is_drawn_small(tmp_path, monkeypatch, largest, suffix):
    monkeypatch.setattr(pictures, "LARGEST", largest)
    name = pictures.det(systems(40), {"clean": 40, "0 dB": 40}, 40, 1.0, tmp_path / "det")
    assert name == f"det{suffix}"
    assert (tmp_path / name).stat().st_size < 60_000
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_without_running_audio_there_is_no_lower_part(tmp_path):
    nothing = (np.zeros(0), np.zeros(0))
    silent = {name: {snr: row | {"streams": nothing} for snr, row in rows.items()} for name, rows in systems(40).items()}
    heights = []
    for hours in (1.0, 0.0):
        text = (tmp_path / pictures.det(silent, {"clean": 40, "0 dB": 40}, 40, hours, tmp_path / f"det{hours}")).read_text()
        heights.append(float(text.split('viewBox="0 0 ')[1].split()[1].split('"')[0]))
    assert heights[1] == pytest.approx(heights[0] / 2, rel=0.05)


def test_reliability_is_the_same_twice(tmp_path):
    score = np.linspace(0, 1, 50)
    first, second = (tmp_path / pictures.reliability(score, score > 0.4, tmp_path / name) for name in ("a", "b"))
    assert first.read_text() == second.read_text()
