"""What docs/privacy.md says of the gate is so."""

import re
import tomllib
from pathlib import Path

from edgecascade.privacy import KINDS, Pattern, Rules, findings
from edgecascade.privacy.national_ids import _IDS

PAGE = (Path(__file__).parent.parent.parent / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_the_kinds_are_listed() -> None:
    """The table of kinds has every kind, and no other."""
    table = PAGE.split("\n## Kinds\n")[1].split("\n## ")[0]

    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(KINDS)


def test_the_countries_are_counted() -> None:
    """As many countries are named as there are validators for."""
    countries = {kind.stdnum[:2] or "gb" for kind in _IDS}

    assert f"in {len(countries)} countries" in PAGE
    assert all(re.search(rf"\b{country.upper()}\b", PAGE) for country in countries)


def test_the_rules_shown_are_rules() -> None:
    """The example is read as it stands, and finds what it says."""
    (example,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    told = tomllib.loads(example)["privacy"]
    rules = Rules(**told | {"patterns": tuple(Pattern(**each) for each in told["patterns"])})

    assert [each.kind for each in findings("ping 10.0.0.1, call 030 901820", rules)] == ["address", "phone"]
