"""One question to a loopback cloud, asked without the client that it is to test, and what was heard."""

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from edgecascade.testing import LoopbackCloud

HEADERS = {"anthropic": {"anthropic-version": "2023-06-01"}}


def question(wire: str, stream: bool) -> tuple[str, dict[str, Any]]:
    """Path and body of a valid request: two words of a system prompt, two of a user."""
    turns = [{"role": "user", "content": "Hi there"}]
    if wire == "openai":
        messages = [{"role": "system", "content": "Be brief"}, *turns]
        usage = {"stream_options": {"include_usage": True}} if stream else {}
        return "/v1/chat/completions", {"model": "m", "messages": messages, "stream": stream, **usage}
    if wire == "anthropic":
        return "/v1/messages", {
            "model": "m", "max_tokens": 9, "system": "Be brief", "messages": turns, "stream": stream,
        }  # fmt: skip
    how = "streamGenerateContent?alt=sse" if stream else "generateContent"
    body = {
        "systemInstruction": {"parts": [{"text": "Be brief"}]},
        "contents": [{"role": "user", "parts": [{"text": "Hi there"}]}],
    }
    return f"/v1beta/models/m:{how}", body


@dataclass
class Heard:
    """An answer as it came: ``error`` where the line broke, with the bytes until then."""

    status: int
    headers: dict[str, str]
    body: bytes
    error: Exception | None = None
    events: list[Any] = field(default_factory=list)

    @property
    def json(self) -> Any:
        """The whole body."""
        return json.loads(self.body)

    def read_events(self) -> "Heard":
        """Read the events of a stream by hand: name and JSON of each."""
        for block in self.body.decode().replace("\r\n", "\n").split("\n\n")[:-1]:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            payload = lines["data"]
            self.events.append((lines.get("event"), payload if payload == "[DONE]" else json.loads(payload)))
        return self


@pytest.fixture
def post() -> Callable[..., Heard]:
    """Ask a cloud in a provider's words; ``limit`` cuts the reading off after so many bytes."""

    def asking(
        cloud: LoopbackCloud, wire: str = "openai", *, stream: bool = False, limit: int | None = None, **more: Any
    ) -> Heard:
        path, body = question(wire, stream)
        line = http.client.HTTPConnection(cloud.address.split("//")[1], timeout=10)
        try:
            line.request("POST", path, json.dumps({**body, **more}), HEADERS.get(wire, {}))
            answer = line.getresponse()
            heard = Heard(answer.status, {name.lower(): value for name, value in answer.headers.items()}, b"")
            try:
                heard.body = answer.read(limit)
            except http.client.IncompleteRead as error:
                heard.body, heard.error = error.partial, error
            finally:
                answer.close()
        finally:
            line.close()
        return heard.read_events() if stream and limit is None and heard.status == 200 and not heard.error else heard

    return asking


@pytest.fixture
def ask_for() -> Callable[[str, bool], tuple[str, dict[str, Any]]]:
    """Path and body of a valid request on a wire."""
    return question
