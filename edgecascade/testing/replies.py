"""What a loopback cloud is asked, and what its script says."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal

from edgecascade.records import ToolCall
from edgecascade.testing.pieces import pieces_of

Stop = Literal["hang", "close", "end", "error"]

BREAK, FILL = "\ue000", "\ue001"
"""Characters of private use: the JSON around the first lacks a brace, the second grows to ``Reply.fill`` bytes."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in.

    path     with its query              body  parsed; None where it is no JSON
    headers  names in lower case         size  of the body as it came, in bytes; ``sha256`` likewise
    """

    path: str
    headers: Mapping[str, str]
    body: Any
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a ``LoopbackCloud`` says to one question; ``fault`` has a name for each way to go wrong.

    usage       False: untold; or (prompt tokens, completion tokens) instead of the true ones
    logprobs    of every token, or of each; told only to who asks for them
    pieces      how many pieces the text is streamed in; None: its words. A piece is a token
    model       who is said to have answered; None: who was asked
    finish      "stop", "length", "filter", or a provider's own word
    status      other than 200: ``text`` is the error's message
    headers     besides the usual ones; a timedelta is sent as the HTTP date so long after now. "{address}" in a text
                stands for this server, "{elsewhere}" for the same under another host name, "{path}" for what was asked
    body        these bytes instead of the JSON
    stops       what happens after ``after`` pieces, or half of a whole body; None: before the headers. "hang": wait for
                release(), "close": the line, "end": as if all were said, "error": an error instead of the rest
    endless     say the text again and again
    empty       no choice, no content, no candidate
    drip        seconds between two bytes of the body
    length_over bytes that Content-Length promises too much
    fill        bytes that FILL grows to
    """

    text: str = ""
    _: KW_ONLY
    usage: bool | tuple[int, int] = True
    logprobs: float | Sequence[float] | None = None
    tool_calls: Sequence[ToolCall] = ()
    pieces: int | None = None
    model: str | None = None
    finish: str = "stop"
    status: int = 200
    headers: Mapping[str, str | timedelta] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes | None = None
    stops: Stop | None = None
    after: int | None = None
    endless: bool = False
    empty: bool = False
    drip: float = 0.0
    length_over: int = 0
    fill: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.logprobs, Sequence) and len(self.logprobs) != len(self.told()):
            raise ValueError(f"{len(self.logprobs)} logprobs for {len(self.told())} pieces; give one for each")

    def told(self) -> list[str]:
        """Return the text in its pieces."""
        return pieces_of(self.text, self.pieces)
