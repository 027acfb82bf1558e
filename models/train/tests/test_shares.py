"""Batches leave room for running speech, and kinds that there is little of are not learned by heart."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="only training needs it")
pytest.importorskip("onnx", reason="only training needs it")

from wakegate_train import sampling  # noqa: E402


def test_running_speech_has_a_twentieth_of_a_batch_or_more():
    assert sum(sampling.SHARES.values()) + sampling.ANY + sampling.NOISE + sampling.MINED <= 0.95 + 1e-9


def test_voices_say_a_word_that_nobody_recorded_as_often_as_people_would():
    pools = {kind: range(sampling.ENOUGH) for kind in ("neural_address", "neural_mention")}
    counts = dict(sampling.shares(SimpleNamespace(pools=pools), 1000))
    assert counts == {
        "neural_address": round(1000 * (sampling.SHARES["neural_address"] + sampling.SHARES["real_address"])),
        "neural_mention": round(1000 * (sampling.SHARES["neural_mention"] + sampling.SHARES["real_mention"])),
    }


def test_a_kind_with_few_candidates_gets_less_than_its_share():
    pools = {"real_address": range(sampling.ENOUGH), "neural_mention": range(sampling.ENOUGH // 4), "real_mention": range(0)}
    counts = dict(sampling.shares(SimpleNamespace(pools=pools), 1000))
    assert counts == {
        "real_address": round(sampling.SHARES["real_address"] * 1000),
        "neural_mention": round(sampling.SHARES["neural_mention"] / 4 * 1000),
        "real_mention": 0,
    }
    assert 0 < counts["neural_mention"] < counts["real_address"]
