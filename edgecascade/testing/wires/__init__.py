"""How each provider words the same reply: a module a wire format, all with the same functions."""

from collections.abc import Iterator, Mapping
from re import Pattern
from types import MappingProxyType
from typing import Protocol

from edgecascade.testing.wires import anthropic, gemini, openai
from edgecascade.testing.wires.spoken import Asked, Said


class Wire(Protocol):
    """What a module of this folder offers."""

    PATH: Pattern[str]

    def asked(self, path: str, headers: Mapping[str, str], body: object) -> Asked:
        """Return what is asked; raise RefusedRequestError where the provider would refuse."""

    def whole(self, said: Said) -> bytes:
        """Return the body of a reply in one piece."""

    def events(self, said: Said) -> Iterator[bytes]:
        """Yield the events of a stream."""

    def failure(self, status: int, message: str) -> bytes:
        """Return the body of an error."""

    def failure_event(self, status: int, message: str) -> bytes:
        """Return an error in the middle of a stream."""


WIRES: Mapping[str, Wire] = MappingProxyType({"openai": openai, "anthropic": anthropic, "gemini": gemini})
"""By the name that a cloud is specified with."""
