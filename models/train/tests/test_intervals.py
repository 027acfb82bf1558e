"""Exact intervals against published values."""

import pytest

from wakegate_train import intervals


def test_clopper_pearson_of_zero_and_all_are_the_closed_forms():
    assert intervals.rate(0, 10) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))
    assert intervals.rate(10, 10) == pytest.approx((0.025 ** (1 / 10), 1.0))


def test_clopper_pearson_of_a_textbook_case():
    # 7 of 20, as in Newcombe, Statistics in Medicine 1998 style tables.
    assert intervals.rate(7, 20) == pytest.approx((0.1539, 0.5922), abs=1e-4)


def test_poisson_of_no_events_is_the_rule_of_3_69():
    low, high = intervals.per_hour(0, 2.0)
    assert low == 0.0
    assert high == pytest.approx(3.6889 / 2, abs=1e-4)


def test_poisson_of_ten_events():
    assert intervals.per_hour(10, 1.0) == pytest.approx((4.7954, 18.3904), abs=1e-4)
