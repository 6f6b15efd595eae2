"""Rules are refused when they are made, not when they are used."""

import re
import subprocess
import sys

import phonenumbers
import pytest

from edgecascade.errors import ConfigError
from edgecascade.privacy import KINDS, Pattern, Rules
from edgecascade.privacy.rules import REGIONS, strictest
from edgecascade.records import PRIVACY

BAD_PATTERNS = [
    ("project", "(", "no regular expression"),
    ("project", "a{99999999999}", "no regular expression"),
    ("project", "x*", "matches the empty text"),
    ("project", "a|", "matches the empty text"),
    ("project", "a" * 501, "found 501 characters"),
    ("Project", "a", "wanted a small letter"),
    ("a b", "a", "wanted a small letter"),
    ("", "a", "wanted a small letter"),
    ("email", "a", "choose another name"),
]


@pytest.mark.parametrize(("name", "regex", "says"), BAD_PATTERNS)
def test_a_bad_pattern_is_refused(name: str, regex: str, says: str) -> None:
    """A pattern that cannot be used says why."""
    with pytest.raises(ConfigError, match=re.escape(says)):
        Pattern(name, regex)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"default": "deny"}, "'deny', wanted one of allow, redact, never"),
        ({"kinds": {"email": "hide"}}, "the privacy of email is unknown"),
        ({"kinds": {"e-mail": "never"}}, ", ".join(KINDS)),
        ({"patterns": (Pattern("a", "a"), Pattern("a", "b"))}, "two privacy patterns are called 'a'"),
        ({"region": "UK"}, "unknown privacy.region 'UK'"),
        ({"region": "de"}, "unknown privacy.region 'de'"),
    ],
)
def test_bad_rules_are_refused(wrong: dict[str, object], says: str) -> None:
    """An unknown action, kind or region is named, beside what is known."""
    with pytest.raises(ConfigError, match=re.escape(says)):
        Rules(**wrong)


def test_a_pattern_may_have_an_action() -> None:
    """A pattern's name is a kind like any other, and rules do not change with the mapping they were made of."""
    actions = {"project": "never"}
    rules = Rules(kinds=actions, patterns=(Pattern("project", r"PRJ-\d+"),))
    actions.clear()

    assert rules.kinds == {"project": "never"}


def test_every_region_is_known_to_phonenumbers() -> None:
    """The regions written down are those whose numbering plans there are."""
    assert set(REGIONS.split()) <= set(phonenumbers.SUPPORTED_REGIONS)


def test_the_strictest_wins() -> None:
    """The strictest of any actions is the one that stands last among them, and nothing is looser than one of them."""
    for one in PRIVACY:
        for other in (*PRIVACY, None):
            assert strictest(one, other) == strictest(other, one) == max(one, other or one, key=PRIVACY.index)


def test_a_question_without_digits_loads_no_numbers() -> None:
    """Importing the room, and clearing a question without digits, loads neither phonenumbers nor stdnum."""
    code = (
        "import sys\nfrom edgecascade.privacy import Rules, clear\nfrom edgecascade.records import Question\n"
        "clear(Question.of('Call ada@example.org, password: swordfish'), Rules(region='GB'))\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"phonenumbers", "stdnum", "numpy", "pydantic"} & set(done.stdout.split())
