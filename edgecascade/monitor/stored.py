"""What a monitor may be read from."""

import math
from collections.abc import Mapping
from typing import Any

from edgecascade.errors import FittedFileError


def stored_number(record: Mapping[str, Any], name: str, *, least: float, most: float = math.inf) -> float:
    """Return a finite number of a stored record, ``least`` to ``most``; FittedFileError for anything else."""
    value = record.get(name)
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not least <= value <= most:  # type: ignore[arg-type, operator]
        raise FittedFileError(
            f"a damaged monitor: found {name} = {value!r:.60}, wanted a finite number from {least:g} to {most:g}; "
            "delete it to start anew"
        )
    return float(value)  # type: ignore[arg-type]


def stored_count(record: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    """Return a whole number of a stored record, at least ``least``; FittedFileError for anything else."""
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise FittedFileError(
            f"a damaged monitor: found {name} = {value!r:.60}, wanted a whole number of at least {least}; delete it to "
            "start anew"
        )
    return value


def stored_numbers(
    record: Mapping[str, Any], name: str, *, least: float, length: int | None = None
) -> tuple[float, ...]:
    """Return the numbers of a list in a stored record, each at least ``least``; FittedFileError for anything else."""
    values = record.get(name)
    numbers = tuple(
        stored_number({name: value}, name, least=least)
        for value in (values if isinstance(values, list | tuple) else [])
    )
    if not numbers or (length is not None and len(numbers) != length):
        raise FittedFileError(
            f"a damaged monitor: found {name} = {values!r:.60}, wanted a list of "
            f"{'one or more' if length is None else length} numbers; delete it to start anew"
        )
    return numbers
