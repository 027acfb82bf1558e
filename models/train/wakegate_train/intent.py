"""Was a name in a sentence said to a device, or in passing? Labels from the text alone.

The WUW-II corpus asks people to use a word "in a sentence", but some of those sentences end in a real
invocation ("hold on a second, Operator") and some begin with one ("Wildfire, get me directions").
What the text does not settle stays unlabelled: a wrong label costs more than a missing one.
"""

from __future__ import annotations

import re

# Before a name, these make it part of the sentence: "to the Operator", "called Voyager".
LINKS = frozenset(
    """
    the a an my his her our their your this that these any another some to at in for with of by from on about
    into onto upon over like than as called named is was are were be been and or not no but if use used using
    get call need dial buy watch say said says saying see saw tell told ask asked know meet move drive love
    speak via through near behind between called company name word visit visited want wants
    """.split()
)
# After a name, these make it the subject of the sentence: "Wildfire is the name of a horse".
SUBJECT = frozenset(
    """
    is was are were has had means said says will would does did can't isn't and or in of the a networks
    """.split()
)
REQUESTS = frozenset(
    """
    get find call show play tell turn what what's can could please help dial set open read send give
    """.split()
)
INVOKES = re.compile(r"\b(invoke|assistant|assistance|hold on|wait|a second|a moment|a minute|get help|barge in)\b")


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation; noise marks such as `<as>` and `%um` are dropped."""
    text = re.sub(r"<[^>]*>|%\w+", " ", text.lower())
    return re.findall(r"[a-z][a-z'-]*", text)


def addressed(text: str, name: str) -> bool | None:
    """True: said to the device; False: in passing; None: the text does not settle it.

    `name` is the word in question, in lower case without spaces.
    """
    words = words_of(text)
    places = [i for i, word in enumerate(words) if word == name]
    if not places:
        return None
    if all(word == name for word in words):
        return True
    if len(places) > 1:
        return None
    at = places[0]
    before, after = words[:at], words[at + 1 :]
    if before and (before[-1] in LINKS or before[-1].endswith("'s")):
        return False
    if before and after:
        return False if len(after) >= 2 else None
    if after:
        if after[0] in SUBJECT:
            return False
        return True if after[0] in REQUESTS or after[:2] in (["i", "need"], ["i", "want"], ["i'm", "gonna"]) else None
    return True if INVOKES.search(" ".join(before)) else None
