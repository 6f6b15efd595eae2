"""What the three wire formats share: a request, a piece of an answer, and careful reading of JSON.

A codec is a module of pure functions from records to JSON and back (``openai``, ``anthropic``, ``gemini``). It raises
ValueError for JSON that is no answer, ``ServerError`` for an error told inside one, and SchemaError for a question that
the format cannot carry.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from edgecascade.cloud.specs import CloudSpec
from edgecascade.errors import SchemaError
from edgecascade.records import Alternative, FinishReason, Question

Json = dict[str, Any]
Mends = Mapping[str, Callable[[Json], Json]]
"""What to do where a server does not know a field of ours: its name, and the body without it or with another."""

TOP = 5
"""So many of the likeliest tokens the signals need."""

MOST = 20
"""More of the likeliest tokens no provider tells."""


class ServerError(Exception):
    """An error that a server tells in the middle of an answer, in its own words."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What is sent: the path behind the base address, the headers with the key, the body."""

    path: str
    headers: dict[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Told:
    """A token whose probability is told; ``alternatives`` are the likeliest, in any order."""

    text: str
    logprob: float
    id: int = -1
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class CallPart:
    """A part of a tool call; ``index`` says of which, None of a new one. Empty texts add nothing."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event, or a whole reply, adds to an answer."""

    text: str = ""
    told: tuple[Told, ...] = ()
    calls: tuple[CallPart, ...] = ()
    finish: FinishReason | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    served_by: str | None = None
    over: bool = False


class Codec(Protocol):
    """One wire format."""

    @property
    def MENDS(self) -> Mends:  # noqa: N802  (a module's constant)
        """The fields that a server may not know."""

    def request(self, question: Question, spec: CloudSpec, *, stream: bool, alternatives: int) -> Posted:
        """Return what is sent; ``alternatives`` above 0 asks for that many log-probabilities a token."""

    def event(self, payload: Any) -> Piece:
        """Return what one event of a stream adds."""

    def whole(self, payload: Any) -> Piece:
        """Return what a reply in one piece says."""


def entry(value: Any) -> Json:
    """Return a JSON object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """Return a JSON list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """Return a JSON text, "" for null; half a character, which no file can hold, becomes a question mark."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} where a text belongs")
    return value.encode("utf-8", "replace").decode()


def count_of(value: Any) -> int | None:
    """Return a number of tokens, None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def name_of(value: Any) -> str | None:
    """Return a model's name, None where there is none."""
    return text_of(value) or None if isinstance(value, str) else None


def logprob_of(value: Any) -> float:
    """Return a log-probability; raise ValueError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a log-probability that is no number")
    return min(float(value), 0.0)


def as_json(value: Any) -> str:
    """Return a tool call's arguments, given as an object, as text."""
    return json.dumps({} if value is None else value, ensure_ascii=False)


def parsed(text: str, what: str) -> Json:
    """Return a JSON schema given as text; raise SchemaError where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{what} is not JSON: {error}; wanted a JSON schema, an object") from error
    if not isinstance(value, dict):
        raise SchemaError(f"{what} is no JSON schema: found {type(value).__name__}, wanted an object")
    return value


def arguments_of(text: str) -> Json:
    """Return a tool call's arguments as an object; what a model wrote otherwise is passed on under one name."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = text
    return value if isinstance(value, dict) else {"arguments": value}


def refuse_grammar(question: Question) -> None:
    """Raise SchemaError where the question has a grammar: no cloud follows one, and none must seem to."""
    if question.sampling.grammar is not None:
        raise SchemaError(
            "a cloud cannot follow a grammar: found one in the sampling, wanted none; give a JSON schema instead, or "
            "ask on the device alone"
        )


def without(*names: str) -> Callable[[Json], Json]:
    """Return a mend that leaves fields out."""
    return lambda body: {name: value for name, value in body.items() if name not in names}


def prompt_bytes(question: Question) -> int:
    """Return the UTF-8 length of all that the model is given to read."""
    texts = [message.content for message in question.messages]
    texts += [call.name + call.arguments for message in question.messages for call in message.tool_calls]
    texts += [tool.name + tool.description + tool.parameters for tool in question.tools]
    return sum(len(text.encode("utf-8", "replace")) for text in (*texts, question.schema or ""))
