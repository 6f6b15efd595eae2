"""What a cloud's tokens cost: a dated table in the package, and the user's own prices before it.

USD per million tokens. An unknown price is None and stays None through every sum: it is never 0. A server of the
user's own has no price until the user states one, which may be 0.

Left out: cheaper cached prompts, batches and slower tiers, so a sum may be more than the bill, seldom less.
"""

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as checked

from edgecascade.errors import ConfigError
from edgecascade.store.paths import shipped

STALE_DAYS = 180

Usd = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]

_SNAPSHOT = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


@checked(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Price:
    """USD per million tokens.

    up_to        prompt tokens up to which it holds; beyond them what is charged is unknown; None: always
    cache_write  of prompt tokens that the provider chooses to cache, where it charges more for them
    date         the day that ``source`` states; None for the user's own
    until        the last day on which it holds
    """

    input: Usd
    output: Usd
    up_to: Annotated[int, Field(strict=True, gt=0)] | None = None
    cache_write: Usd | None = None
    date: datetime.date | None = None
    until: datetime.date | None = None
    source: str = "your config"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1]
    date: datetime.date
    models: dict[str, Price]


@dataclass(frozen=True, slots=True)
class Prices:
    """Every known price, by the name of a cloud."""

    by_name: dict[str, Price]

    @classmethod
    def of(cls, own: Mapping[str, Price], today: datetime.date) -> "Prices":
        """Return the user's own prices and, behind them, the shipped ones that hold today."""
        table = {name: price for name, price in _shipped().items() if price.until is None or today <= price.until}
        return cls(table | cls.own(own).by_name)

    @classmethod
    def own(cls, own: Mapping[str, Price]) -> "Prices":
        """Return the user's own prices alone: what a server behind another address charges, nobody else knows."""
        return cls({_place(name): price for name, price in own.items()})

    def price(self, name: str) -> Price | None:
        """Return the price of ``openai:MODEL`` or ``ADDRESS#MODEL``; None where it is unknown.

        A dated snapshot (``gpt-4o-mini-2024-07-18``) costs what its family costs, unless it has a price of its own.
        """
        place = _place(name)
        return self.by_name.get(place) or self.by_name.get(_SNAPSHOT.sub("", place))


def usd(price: Price | None, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what the tokens cost; None where that is unknown.

    >>> usd(Price(input=1.0, output=10.0), 1_000_000, 100_000), usd(None, 1, 1)
    (2.0, None)
    """
    if price is None or (price.up_to is not None and prompt_tokens > price.up_to):
        return None
    return (prompt_tokens * price.input + completion_tokens * price.output) / 1e6


def upper_bound(price: Price | None, prompt_bytes: int, max_tokens: int) -> float | None:
    """Return the most that a call can cost: a token is one byte at least; None where that is unknown.

    ``prompt_bytes`` is the size of the whole request, so that what its frame costs is covered as well.
    """
    if price is None or (price.up_to is not None and prompt_bytes > price.up_to):
        return None
    return (prompt_bytes * max(price.input, price.cache_write or 0.0) + max_tokens * price.output) / 1e6


def _shipped() -> dict[str, Price]:
    path = max(shipped("models/prices").glob("*.toml"))
    try:
        return _Table.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).models
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(f"{path} is no table of prices: {error}; wanted ours; install edgecascade again") from error


def _place(name: str) -> str:
    """Return the name as it is compared: of an address, host and port with the model.

    >>> _place("http://127.0.0.1:8081/v1#m"), _place("openai:m")
    ('127.0.0.1:8081#m', 'openai:m')
    """
    address = re.fullmatch(r"https?://([^/#]+)(?:/[^#]*)?(#.*)?", name.strip())
    return f"{address[1].lower()}{address[2] or ''}" if address else name.strip()
