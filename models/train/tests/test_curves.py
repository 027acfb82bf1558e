"""Curves and detections from scores whose answers are known."""

import numpy as np
import pytest

from wakegate_train import curves, peers


def test_det_ends_at_no_accepts_and_at_no_misses():
    miss, false = curves.det(np.array([0.9, 0.8, 0.4]), np.array([0.5, 0.1]))
    assert (miss[0], false[0]) == (1.0, 0.0)
    assert (miss[-1], false[-1]) == (0.0, 1.0)
    assert (1 / 3, 0.0) in [pytest.approx(point) for point in zip(miss, false, strict=True)]


def test_a_clip_that_nothing_was_proposed_on_is_missed_at_every_threshold():
    told = [{"p_intended": 0.7, "end_s": None}, {"p_intended": 0.6, "end_s": 1.2}]
    miss, _ = curves.det(curves.clip_scores(told), np.array([0.3]))
    assert miss.min() == 0.5


def test_corners_keep_the_curve():
    miss, false = curves.corners(np.array([3, 3, 3, 2, 1, 1]), np.array([0, 1, 2, 2, 2, 3]))
    assert list(zip(miss, false, strict=True)) == [(3, 0), (3, 2), (1, 2), (1, 3)]


def test_more_false_accepts_at_lower_thresholds():
    activations = [{"p_intended": p} for p in (0.9, 0.5, 0.5)]
    counts = dict(curves.activation_counts(activations, np.array([0.7])))
    assert counts == {1.0: 0, 0.9: 1, 0.7: 1, 0.5: 3}
    traces = [[[1.0, 0.6], [3.0, 0.9]], [[2.0, 0.9]]]
    assert curves.event_counts(traces, np.array([]))[-1] == (0.6, 3)


def test_reliability_counts_each_bin():
    bins = curves.reliability(np.array([0.05, 0.95, 0.97, 1.0]), np.array([False, True, True, False]))
    assert [(hits, n) for _, hits, n in bins] == [(0, 1), (2, 3)]
    assert bins[1][0] == pytest.approx((0.95 + 0.97 + 1.0) / 3)


def test_brier_of_a_coin():
    assert curves.brier(np.full(4, 0.5), np.array([True, False, True, True])) == 0.25


def test_a_score_that_stays_up_is_one_detection():
    up = [[round(1 + 0.08 * k, 2), 0.95] for k in range(20)]
    assert peers.events(up, 0.9) == [1.0]
    assert peers.events([*up, [4.0, 0.95]], 0.9) == [1.0, 4.0]
    assert peers.events(up, 0.95) == []


def test_traces_are_made_once_and_a_cut_line_is_dropped(tmp_path):
    kept = tmp_path / "peer.jsonl"
    kept.write_text('["a", [[1.0, 0.5]]]\n["b", [[2.0')
    assert peers.traces("microWakeWord", "alexa", {"a": tmp_path / "a.wav"}, kept) == {"a": [[1.0, 0.5]]}
    assert kept.read_text() == '["a", [[1.0, 0.5]]]\n'


def test_what_is_heard_is_scored_in_chunks_of_80_ms():
    scores = iter([0.0, 0.3, 0.9])
    heard = []
    assert peers.listen(np.zeros(4000, np.float32), lambda chunk: heard.append(len(chunk)) or next(scores)) == [
        [0.16, 0.3],
        [0.24, 0.9],
    ]
    assert heard == [2560, 2560, 2560]


def test_no_running_audio_is_no_curve_and_no_error():
    miss, rate = curves.det_streams(np.array([0.7]), [(1.0, 0), (0.7, 0)], 0.0)
    assert len(miss) == len(rate) == 0
