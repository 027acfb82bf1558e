"""Labels from text: what is settled, and what must stay open."""

import pytest

from wakegate_train.intent import addressed


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("Operator", "operator", True),
        ("ThinkEngine ThinkEngine", "thinkengine", True),
        ("Hi John. Wait just a second while I invoke my personal assistant. Wildfire.", "wildfire", True),
        ("Wildfire get me directions", "wildfire", True),
        ("Operator I need some assistance", "operator", True),
        ("I have to go to work at ThinkEngine", "thinkengine", False),
        ("ten years ago i was caught in a Wildfire", "wildfire", False),
        ("Wildfire is the name of a horse", "wildfire", False),
        ("there is a Wildfire in the northeast sector", "wildfire", False),
        ("It's snowing outside Wildfire", "wildfire", None),
        ("what am I supposed to say", "wildfire", None),
        ("Voyager likes Voyager", "voyager", None),
    ],
)
def test_text_settles_what_it_can(text, name, said):
    assert addressed(text, name) is said
