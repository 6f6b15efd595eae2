"""Anthropic Messages; it tells no log-probabilities.

https://docs.anthropic.com/en/api/messages-streaming
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgecascade.testing.wires.spoken import Asked, RefusedRequestError, Said, encoded, text_of, wanted

PATH = re.compile(r"/v1/messages")
FINISHES = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "filter": "refusal"}
_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip


def asked(path: str, headers: Mapping[str, str], body: object) -> Asked:
    """Return what is asked."""
    if "anthropic-version" not in headers:
        raise RefusedRequestError("anthropic-version: header is required")
    fields = wanted(body, model=str, messages=list, max_tokens=int)
    for message in fields["messages"]:
        if message.get("role") not in ("user", "assistant"):
            raise RefusedRequestError(f"messages: unexpected role {message.get('role')!r}")
    system = [{"role": "system", "content": text_of(fields["system"])}] if fields.get("system") else []
    turns = [{"role": each["role"], "content": text_of(each.get("content"))} for each in fields["messages"]]
    return Asked(fields["model"], (*system, *turns), bool(fields.get("stream")), True, None)


def whole(said: Said) -> bytes:
    """Return the message in one piece."""
    tokens = list(said.tokens)
    content: list[dict[str, Any]] = [{"type": "text", "text": "".join(text for text, _ in tokens)}] if tokens else []
    content += [_call(call.id, call.name, json.loads(call.arguments or "{}")) for call in said.tool_calls]
    ending = {"stop_reason": _finish(said), "stop_sequence": None}
    return encoded({**_head(said, [] if said.empty else content), **ending, **_usage(said, len(tokens))})


def events(said: Said) -> Iterator[bytes]:
    """Yield the events of a stream."""
    start = {**_head(said, []), "stop_reason": None, "stop_sequence": None, **_usage(said, 1)}
    yield _event("message_start", message=start)
    written, block = 0, 0
    for text, _ in said.tokens:
        if not written:
            yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            yield _event("ping")
        written += 1
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
    if written:
        yield _event("content_block_stop", index=0)
        block = 1
    for number, call in enumerate(said.tool_calls, block):
        yield _event("content_block_start", index=number, content_block=_call(call.id, call.name, {}))
        half = len(call.arguments) // 2
        for part in (call.arguments[:half], call.arguments[half:]):
            yield _event("content_block_delta", index=number, delta={"type": "input_json_delta", "partial_json": part})
        yield _event("content_block_stop", index=number)
    counts = said.counts(written)
    told = {"usage": {"output_tokens": counts[1]}} if counts else {}
    yield _event("message_delta", delta={"stop_reason": _finish(said), "stop_sequence": None}, **told)
    yield _event("message_stop")


def failure(status: int, message: str) -> bytes:
    """Return the body of an error."""
    return encoded({"type": "error", "error": {"type": _KINDS.get(status, "api_error"), "message": message}})


def failure_event(status: int, message: str) -> bytes:
    """Return an error in the middle of a stream."""
    return b"event: error\ndata: " + failure(status, message) + b"\n\n"


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + encoded({"type": kind, **fields}) + b"\n\n"


def _head(said: Said, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "msg_loopback", "type": "message", "role": "assistant", "model": said.model, "content": content}


def _finish(said: Said) -> str:
    return "tool_use" if said.tool_calls and said.finish == "stop" else FINISHES.get(said.finish, said.finish)


def _call(id: str, name: str, arguments: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def _usage(said: Said, written: int) -> dict[str, Any]:
    counts = said.counts(written)
    if counts is None:
        return {}
    return {"usage": {"input_tokens": counts[0], "output_tokens": counts[1]}}
