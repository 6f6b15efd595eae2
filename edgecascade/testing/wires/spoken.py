"""What is asked and what is said, in no provider's words."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecascade.records import ToolCall


class RefusedRequestError(Exception):
    """The provider would not take this request."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as understood.

    messages  role and content (text) of each, the system prompt first
    usage     whether a stream is to end with the usage
    tops      alternatives wanted for each token; None: no log-probabilities at all
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    stream: bool
    usage: bool
    tops: int | None

    @property
    def words(self) -> int:
        """How long the prompt is; a word is a token here."""
        return sum(len(message["content"].split()) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Said:
    """A reply on its way: the tokens can be drawn once.

    usage   True: counted; False: untold; or (prompt tokens, completion tokens)
    empty   whether the list that holds the answers is sent without one
    """

    asked: Asked
    model: str
    tokens: Iterator[tuple[str, float | None]]
    finish: str
    usage: bool | tuple[int, int]
    tool_calls: Sequence[ToolCall]
    empty: bool

    def counts(self, written: int) -> tuple[int, int] | None:
        """Return the tokens read and written, or None where they are not told."""
        if isinstance(self.usage, tuple):
            return self.usage
        return (self.asked.words, written) if self.usage else None


def wanted(body: object, **kinds: type) -> dict[str, Any]:
    """Return the body if its fields are there and of these types; raise RefusedRequestError where not."""
    if not isinstance(body, dict):
        raise RefusedRequestError("the body is not a JSON object")
    for name, kind in kinds.items():
        if not isinstance(body.get(name), kind) or body[name] in ("", []):
            raise RefusedRequestError(f"{name}: field required")
    return body


def text_of(content: object) -> str:
    """Return the text of a message's content, which may come as a list of parts."""
    if isinstance(content, list):
        return "".join(text_of(part.get("text", part.get("content"))) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def alternatives(text: str, logprob: float, count: int) -> list[tuple[str, float]]:
    """Return a token among made-up ones that share the rest of the probability, likeliest first.

    >>> alternatives("a", -0.5, 1)
    [('a', -0.5)]
    """
    rest = -math.expm1(logprob)
    others = [(f"~{number}", math.log(rest / 2**number)) for number in range(1, count)] if rest > 0 else []
    return sorted([(text, logprob), *others], key=lambda pair: -pair[1])


def encoded(value: object) -> bytes:
    r"""Return JSON in UTF-8; a lone surrogate becomes the bad byte that it stands for.

    >>> encoded("\udcff")
    b'"\xff"'
    """
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
