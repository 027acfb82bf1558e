"""Operating points: the lowest thresholds that keep to so many false accepts an hour."""

import tomllib

from wakegate_train import points

FOUND = {
    "clips": {"alexa, clean": {"role": "word", "scores": [0.99, 0.95, 0.7, -1.0]}},
    "streams": {"speech": {"hours": 8.0, "scores": [0.93, 0.6, 0.6, 0.55]}, "kitchens": {"hours": 2.0, "scores": [0.965]}},
}


def test_each_point_is_the_lowest_that_keeps_to_its_rate():
    assert points.choose(FOUND) == {"low": 0.97, "default": 0.61, "high": 0.5}
    assert points.accepts(FOUND, 0.6) == (4, 10.0)
    table = points.shown(FOUND, points.choose(FOUND))
    assert "| false accepts: all of it | 0 in 10.00 h, 0.00 an hour | 2 in 10.00 h, 0.20 an hour |" in table


def test_the_manifest_names_the_points_once():
    manifest = '[verifier]\nfile = "v"\n\n[decision]\nintended_at = 0.8\naccidental_below = 0.4\n'
    once = points.with_points(manifest, {"low": 0.97, "default": 0.93, "high": 0.3})
    assert points.with_points(once, {"low": 0.97, "default": 0.93, "high": 0.3}) == once
    assert tomllib.loads(once)["decision"] == {
        "intended_at": 0.93, "accidental_below": 0.4, "sensitivity": {"low": 0.97, "high": 0.4},
    }  # fmt: skip
