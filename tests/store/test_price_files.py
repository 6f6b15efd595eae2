"""Prices as the user states them."""

from pathlib import Path

import pytest

from edgecascade.errors import ConfigError
from edgecascade.store.price_files import read_prices, stated_prices

SAME = [
    ("p.json", '{"small": 1, "large": {"input": 2.5, "output": 10}}'),
    ("p.toml", "small = 1\nlarge = {input = 2.5, output = 10.0}"),
    ("p.toml", "[prices]\nsmall = 1.0\n[prices.large]\ninput = 2.5\noutput = 10"),
]


@pytest.mark.parametrize(("name", "text"), SAME)
def test_every_form_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    """TOML or JSON, one number or two, whole ones or not: as one by one on the command line."""
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert read_prices(tmp_path / name) == stated_prices(["small=1", "large=2.5,10"])


WRONG = [
    "",
    "{",
    "[1]",
    "small = -1",
    'small = "cheap"',
    "small = nan",
    "small = true",
    "[small]\ninput = 1",
    "[prices]",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_price_is_refused(tmp_path: Path, text: str) -> None:
    """A price that is not said, not a number, or below 0."""
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"p\.toml.*wanted"):
        read_prices(tmp_path / "p.toml")


STATED = [
    ("small", "found 'small' behind"),
    ("small=", "found '' behind"),
    ("=1", "found '1' behind"),
    ("small=1,2,3", "found 3 numbers"),
    ("small=x", "found 'x' behind"),
    ("small=-1", "found '-1.0', wanted .* at least 0"),
]


@pytest.mark.parametrize(("given", "reason"), STATED)
def test_a_price_on_the_command_line_is_checked_too(given: str, reason: str) -> None:
    """MODEL=USD, and nothing else."""
    with pytest.raises(ConfigError, match=reason):
        stated_prices([given])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        read_prices(tmp_path / "none.toml")
