"""What the tokens of a table's models cost, as the user states it: a TOML or JSON file, or MODEL=USD.

    {"small": 0.1, "large": {"input": 2.5, "output": 10.0}}

USD per million tokens; one number is for both. A file may hold prices of models that a table does not have. A table
``[prices]`` around it, as in the config, is fine.
"""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgecascade.errors import ConfigError
from edgecascade.store.prices import Price

_PRICE = TypeAdapter(Price)
WANTED = "wanted USD per million tokens: a number, at least 0, or {input = ..., output = ...} of such; mend it"


def read_prices(path: Path) -> dict[str, Price]:
    """Return the prices in a file by model; ConfigError for what is no table of prices."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" or text.lstrip()[:1] == "{" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; name a file of prices") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no file of prices: found {error}, wanted TOML or JSON; mend it") from error
    if isinstance(found, dict) and set(found) == {"prices"}:
        found = found["prices"]
    if not isinstance(found, dict) or not found:
        raise ConfigError(f"{path} holds no prices: found {str(found)[:40]!r}, wanted {{model: price}}; mend it")
    return {model: _price(price, f"{path}: {model!r}") for model, price in found.items()}


def stated_prices(given: Iterable[str]) -> dict[str, Price]:
    """Return prices that are stated one by one.

    >>> stated_prices(["small=0.1", "large=2.5,10"])["large"].output
    10.0

    Raises ConfigError for what is not MODEL=USD or MODEL=INPUT,OUTPUT.
    """
    prices = {}
    for one in given:
        model, _, stated = one.rpartition("=")
        numbers = [_number(part) for part in stated.split(",")]
        if not model or None in numbers or len(numbers) > 2:
            found = f"{len(numbers)} numbers" if model and None not in numbers else f"{stated!r} behind '='"
            raise ConfigError(
                f"the price {one!r} cannot be read: found {found}, wanted MODEL=USD or MODEL=INPUT,OUTPUT, per million "
                "tokens; mend it"
            )
        both = numbers[0] if len(numbers) == 1 else dict(zip(("input", "output"), numbers, strict=True))
        prices[model] = _price(both, f"the price of {model!r}")
    return prices


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _price(found: Any, place: str) -> Price:
    record = found if isinstance(found, dict) else {"input": found, "output": found}
    try:
        record = {name: float(one) if type(one) is int else one for name, one in record.items()}
        return _PRICE.validate_python(record)
    except ValidationError as error:
        raise ConfigError(f"{place}: found {str(found)[:60]!r}, {WANTED}") from error
