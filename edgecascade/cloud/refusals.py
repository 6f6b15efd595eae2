"""What a reply that is no answer means, and whether to ask again.

A server's own words are quoted on one line, at most 300 characters, without control characters and without the key,
also where the server repeats it.
"""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from edgecascade.cloud.specs import CloudSpec, key_names
from edgecascade.cloud.wire import Mends
from edgecascade.errors import CloudError

CUT = 300
_UNKNOWN = re.compile(
    r"support|deprecat|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|forbidden|cannot both|not enabled"
    r"|invalid schema",
    re.IGNORECASE,
)


class PassingError(CloudError):
    """A failure that may pass; ``wait`` is how many seconds the server wants to be left alone."""

    def __init__(self, message: str, *, code: str, wait: float = 0.0) -> None:
        super().__init__(message, code=code)
        self.wait = wait


class UnsuitedError(CloudError):
    """A refusal of one field that can be left out or sent otherwise; ``field`` is its name in ``Codec.MENDS``."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, code="refused")
        self.field = field


def refusal(spec: CloudSpec, status: int, headers: Mapping[str, str], body: bytes, mends: Mends) -> CloudError:
    """Return what a status other than 200 means; header names are in lower case."""
    text = body.decode("utf-8", "replace")
    reason = f"{status} {plain(words(text), spec.key)}".strip()
    where, wait = spec.base_url, retry_after(headers)
    again = f"in {wait:.0f} s" if wait else "later"
    field = misfit(text, mends) if status in (400, 422) else None
    if field is not None:
        return UnsuitedError(f"{where} does not know {field}: found {reason}, wanted 200; leave it out", field=field)
    if status in (401, 403):
        return CloudError(
            f"{where} refused {'the key' if spec.key else 'a question without a key'}: it answered {reason}, wanted "
            f"200; check {' or '.join(key_names(spec))} and what that key may use",
            code="key",
        )
    if 300 <= status < 400:
        to = plain(headers.get("location", "nowhere"), spec.key)
        return CloudError(
            f"{where} leads elsewhere: found {status} to {to}, wanted an answer; if you trust that address, ask it "
            "instead",
            code="protocol",
        )
    if status in (408, 425, 429) or status >= 500:
        code = {408: "timeout", 429: "rate_limit"}.get(status, "server")
        return PassingError(
            f"{where} gave no answer: found {reason}, wanted a completion; check the service's status and your limits "
            f"there, and ask again {again}",
            code=code,
            wait=wait,
        )
    return CloudError(
        f"{where} refused model {spec.model!r}: it answered {reason}, wanted 200; check the address, the model's name "
        "and what the question asks for",
        code="refused",
    )


def misfit(text: str, mends: Mends) -> str | None:
    """Return the field that a server says it does not know, if one of ours is meant."""
    low = text.casefold()
    return next((name for name in mends if name in low), None) if _UNKNOWN.search(low) else None


def words(text: str) -> str:
    """Return the server's own words, wherever in the JSON they stand.

    >>> words('{"error": {"message": "no such model"}}')
    'no such model'
    """
    try:
        said: Any = json.loads(text)
        said = said[0] if isinstance(said, list) and said else said
        for name in ("error", "message", "detail"):
            said = said[name] if isinstance(said, dict) and name in said else said
    except (ValueError, RecursionError):
        said = text
    return said if isinstance(said, str) else text


def plain(text: str, key: str | None) -> str:
    """Return it on one line, without the key and without control characters, cut."""
    hidden = text.replace(key, "***") if key else text
    return "".join(letter for letter in " ".join(hidden.split()) if letter.isprintable())[:CUT]


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait, 0 where it does not; a date is counted from its own clock.

    >>> retry_after({"retry-after": "7"})
    7.0
    """
    given = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", given):
        return float(given)
    try:
        until, now = (parsedate_to_datetime(text) for text in (given, headers.get("date", "")))
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0
