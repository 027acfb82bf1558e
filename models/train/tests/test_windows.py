"""The figures by which checkpoints are compared."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="only training needs it")

from wakegate_train.windows import area  # noqa: E402


def test_area_is_the_chance_that_a_positive_scores_higher() -> None:
    assert area(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert area(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 0.0
    assert area(np.array([1.0]), np.array([1.0, 1.0])) == 0.5
    assert area(np.array([0.0, 2.0]), np.array([1.0])) == 0.5
