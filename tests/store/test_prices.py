"""What a cloud costs is known with its source, or unknown; never guessed."""

from datetime import date
from itertools import product

import pytest

from edgecascade.store.manifests import manifest_names, read_manifest
from edgecascade.store.paths import Folders, shipped
from edgecascade.store.prices import Price, Prices, upper_bound, usd

TODAY = date(2026, 11, 22)


@pytest.fixture
def prices() -> Prices:
    """The shipped prices of a day."""
    return Prices.of({}, TODAY)


def test_every_shipped_price_says_where_it_was_read_and_when(prices: Prices) -> None:
    """Each has an address and a day that is not after the table's own."""
    for name, price in prices.by_name.items():
        assert price.source.startswith("https://") and price.date and price.date <= TODAY, name
        assert 0 < price.input <= price.output, name


def test_the_big_providers_are_there(prices: Prices) -> None:
    """At least one model of each can be priced."""
    assert {"openai", "anthropic", "gemini", "groq"} <= {name.split(":")[0] for name in prices.by_name}


def test_prices_are_no_manifests() -> None:
    """The models' list does not see the table that lies below their folder."""
    folders = Folders.of({"EDGECASCADE_HOME": "/nowhere"})

    assert all(read_manifest(shipped("models") / f"{name}.toml") for name in manifest_names(folders))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("openai:gpt-4o-mini-2024-07-18", "openai:gpt-4o-mini"),
        ("anthropic:claude-haiku-4-5-20251001", "anthropic:claude-haiku-4-5"),
        ("openai:gpt-4o-mini-audio", None),
        ("openai:gpt-4o-mini-2024", None),
        ("openai:", None),
        ("azure:gpt-4o-mini", None),
        ("https://api.openai.example/v1#gpt-4o-mini", None),
    ],
)
def test_only_a_dated_snapshot_is_priced_as_its_family(prices: Prices, name: str, family: str | None) -> None:
    """A longer name may be a dearer model, and another host another shop."""
    assert prices.price(name) == (prices.price(family) if family else None)
    assert family is None or prices.price(family) is not None


def test_a_snapshots_own_price_comes_first() -> None:
    """Where the user names it, it is not taken for its family."""
    own = {"openai:gpt-4o-mini-2024-07-18": Price(9.0, 9.0)}

    assert Prices.of(own, TODAY).price("openai:gpt-4o-mini-2024-07-18") == Price(9.0, 9.0)


@pytest.mark.parametrize("asked", ["http://127.0.0.1:8081/v1#m", "127.0.0.1:8081#m", "http://127.0.0.1:8081#m"])
def test_a_server_of_ones_own_has_the_price_that_its_owner_states(asked: str) -> None:
    """It may be 0, under the address as well as under the short name; nobody else's is."""
    prices = Prices.of({"http://127.0.0.1:8081/v1#m": Price(0.0, 0.0)}, TODAY)

    assert usd(prices.price(asked), 10, 10) == 0.0
    assert prices.price("http://127.0.0.1:8082/v1#m") is prices.price("http://127.0.0.1:8081/v1#n") is None


def test_a_price_that_has_run_out_is_unknown() -> None:
    """After its last day nobody knows what is charged."""
    names = [set(Prices.of({}, day).by_name) for day in (TODAY, date(2027, 1, 1))]

    assert names[0] - names[1] == {"gemini:gemini-3.8-flash"}


def test_unknown_stays_unknown() -> None:
    """It is never 0, not even of no tokens."""
    assert usd(None, 0, 0) is None
    assert upper_bound(None, 0, 0) is None


def test_beyond_its_prompt_length_a_price_is_unknown() -> None:
    """Providers charge more for long prompts."""
    price = Price(1.0, 1.0, up_to=100)

    assert usd(price, 100, 1) is not None and usd(price, 101, 1) is None
    assert upper_bound(price, 100, 1) is not None and upper_bound(price, 101, 1) is None


def test_no_call_costs_more_than_its_bound() -> None:
    """Whatever the tokenizer makes of the bytes, and however short the answer."""
    sizes = (0, 1, 17, 4000)
    for price, size, most in product(
        (Price(0.0, 0.0), Price(3.0, 15.0), Price(1.0, 2.0, cache_write=1.25)), sizes, sizes
    ):
        bound = upper_bound(price, size, most)
        for prompt_tokens, completion_tokens in product(range(0, size + 1, 400), range(0, most + 1, 400)):
            cost = usd(price, prompt_tokens, completion_tokens)
            assert bound is not None and cost is not None and cost <= bound
