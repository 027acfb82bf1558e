"""benches/peers/compare.py: its arithmetic, and that a real peer can be measured."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).resolve().parents[3] / "benches/peers/compare.py"


@pytest.fixture(scope="module")
def compare():
    spec = importlib.util.spec_from_file_location("compare", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_has_medians_over_the_rounds_and_ratios_of_them(compare):
    def rounds(*p50s, **more):
        return [{"n": 9, "p50_us": p50, "p99_us": 2 * p50, "max_us": 3 * p50, "mean_us": p50} | more for p50 in p50s]

    results = {"wakegate, listening": rounds(40, 900, 50), "peer": rounds(120, 150, 128, rss_mb=38.4, load_ms=70)}
    _, _, ours, peer = compare.table(results).splitlines()
    assert ours == "| wakegate, listening | 0.0500 | 1.00 | 0.0500 (0.00063) | 0.100 | 2.700 |  |  |"
    assert peer == "| peer | 0.1280 | 2.56 | 0.1280 (0.00160) | 0.256 | 0.450 | 38 | 70 |"


def test_a_real_peer_is_measured(compare, tmp_path):
    pytest.importorskip("pymicro_wakeword")
    path = tmp_path / "quiet.wav"
    soundfile.write(path, (np.sin(np.arange(32_000) * 0.1) * 3_000).astype(np.int16), 16_000)
    found = compare.run_peer("microWakeWord", path, 0.1, 0.0)
    assert found["n"] > 0
    assert 0 < found["p50_us"] <= found["p99_us"] <= found["max_us"]
    assert found["rss_mb"] > 5
    assert found["detections"] == 0


def test_another_form_of_audio_is_refused(compare, tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.zeros((16_000, 2)), 16_000)
    with pytest.raises(SystemExit, match="expected 16 kHz mono"):
        compare.run_peer("microWakeWord", path, 0.1, 0.0)
