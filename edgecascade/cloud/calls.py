"""What is known of one request before it leaves, and after it has ended."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that is about to leave.

    size, sha256   of the bytes of its body         max_tokens  the longest answer that it asks for
    prompt_bytes   of the texts in it: no text has more tokens than bytes
    attempt        1, and one more at each retry
    """

    host: str
    model: str
    size: int
    sha256: str
    prompt_bytes: int
    max_tokens: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Settled:
    """How a request ended.

    outcome  "ok", a ``CloudError.code``, or "cancelled"
    tokens   None where nothing was charged         told  whether the cloud counted them itself
    status   of HTTP; None where none came
    """

    outcome: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    status: int | None
    told: bool


Meter = Callable[[Outgoing], Callable[[Settled], None]]
"""Asked before each request; an error keeps it from being sent. What it returns is told once how the request ended."""
