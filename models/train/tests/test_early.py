"""Early verdicts: the rule as the pipeline applies it, its choice, and the manifest's section."""

import numpy as np
import pytest

from wakegate_train import early
from wakegate_train.early import Candidate, Networks, Rule, Table

RULE = Rule(intended_at=0.95, moved_at=0.5, quiet_within=1.5, accidental_below=0.1)


def candidate(held, wanted=True, final=0.9, moved=0.9, loud=0.2, found=20):
    """A candidate that scores `held` at each moment, one value for all or a list."""
    listed = lambda value: list(value) if isinstance(value, (list, tuple)) else [value] * len(early.MOMENTS)
    return Candidate("set", wanted, "a.flac", "", found, final, listed(held), listed(moved), listed(loud))


def applied(*candidates, rule=RULE):
    """Verdicts and times of the candidates."""
    verdict, when = Table(list(candidates), 80, 0.8).apply(rule)
    return verdict.tolist(), when.tolist()


def test_two_sure_moments_in_a_row_give_the_verdict():
    assert applied(candidate(0.96), candidate(0.94), candidate(0.05)) == ([1, 0, -1], [40, 80, 40])
    broken = candidate([0.96, 0.9, 0.96, 0.96])
    turned = candidate([0.96, 0.05, 0.96, 0.05])
    assert applied(broken, turned) == ([1, 0], [60, 80])


def test_an_intended_verdict_needs_the_moved_window_and_a_pause():
    assert applied(candidate(0.96, moved=0.4), candidate(0.96, loud=1.6))[0] == [0, 0]
    assert applied(candidate(0.05, moved=0.0, loud=9.0))[0] == [-1]


def test_no_verdict_comes_before_the_candidate_is_found():
    assert applied(candidate(0.96, found=47))[1] == [47]


def test_the_rule_is_chosen_with_a_step_to_spare():
    wanted = [candidate(0.97) for _ in range(200)]
    unwanted = [candidate(0.02, wanted=False, final=0.1) for _ in range(400)]
    rule = Table(wanted + unwanted, 80, 0.8).choose()
    assert rule is not None and rule.accidental_below > 0.02
    # One story about the word that sounds like a call for long: nothing at or just above it is chosen.
    story = candidate(0.945, wanted=False, final=0.2)
    rule = Table(wanted + unwanted + [story], 80, 0.8).choose()
    assert rule is not None and 0.955 <= rule.intended_at <= 0.97
    # Unless it is told by something else.
    story = candidate(0.945, wanted=False, final=0.2, moved=0.3)
    assert Table(wanted + unwanted + [story], 80, 0.8).choose().intended_at < 0.955


def test_what_passes_at_the_end_too_is_no_leak():
    table = Table([candidate(0.96, wanted=False, final=0.9), candidate(0.96, wanted=False, final=0.7)], 80, 0.8)
    assert table.leaked(table.apply(RULE)[0]).tolist() == [False, True]


@pytest.mark.parametrize(("wanted", "unwanted"), [(99, 400), (200, 299)])
def test_too_few_candidates_give_no_rule(wanted, unwanted):
    some = [candidate(0.97)] * wanted + [candidate(0.02, wanted=False, final=0.1)] * unwanted
    assert Table(some, 80, 0.8).choose() is None


def test_no_rule_where_every_one_leaks():
    some = [candidate(0.97)] * 200 + [candidate(0.02, wanted=False, final=0.1)] * 400
    assert Table([*some, candidate(0.999, wanted=False, final=0.1)], 80, 0.8).choose() is None


def test_the_section_goes_in_and_out_of_a_manifest():
    bare = '[verifier]\nlabels = ["intended"]\n\n[decision]\nintended_at = 0.8\n'
    once = early.with_section(bare, RULE)
    assert "[verifier.early]\nafter_s = [0.3, 0.4, 0.5, 0.6]\nintended_at = 0.95\n" in once
    assert once.endswith("consecutive = 2\n\n[decision]\nintended_at = 0.8\n")
    assert early.with_section(once, RULE) == once
    assert early.with_section(once, None) == bare


def test_the_pause_is_held_against_the_quiet_of_the_window():
    levels = np.array([-9.0] * 40 + [-2.0] * 60 + [-8.0] * early.PAUSE)
    assert early.loudness(levels[:, None] + np.array([-0.5, 0.5])) == pytest.approx(1.0)


def test_candidates_are_found_as_the_detector_finds_them():
    networks = Networks.__new__(Networks)
    networks.manifest = {
        "spotter": {"frames_per_step": 8, "peak_search_s": 0.32, "refractory_s": 1.0, "end_offset_s": 0.12}
        | {"patience_steps": 1}
    }
    posteriors = [0.0, 0.2, 0.5, 0.9, 0.4, 0.95, 0.95, *[0.99] * 6, *[0.0] * 8, 0.3, *[0.0] * 5]
    networks.posteriors = lambda frames: posteriors
    # Steps end at sample 1,280 (k + 1) + 240. Step 1 triggers; its search ends with step 5, the highest of it.
    # Steps 6 to 12 lie within a second of that peak, step 21 does not.
    ends = [1280 * (step + 1) + 240 for step in (5, 21)]
    expected = [(round((end - 1920 + 80) // 160), (found + 1) * 8) for end, found in zip(ends, (5, 25), strict=True)]
    assert list(networks.candidates(np.zeros((8, 40)), 0.15)) == expected
