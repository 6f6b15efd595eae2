"""OpenAI chat completions, as OpenAI and the servers that imitate it send them.

https://platform.openai.com/docs/api-reference/chat
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgecascade.testing.wires.spoken import Asked, RefusedRequestError, Said, alternatives, encoded, text_of, wanted

PATH = re.compile(r"/v1/chat/completions")
FINISHES = {"filter": "content_filter"}
_ROLES = ("system", "developer", "user", "assistant", "tool")
_KINDS = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def asked(path: str, headers: Mapping[str, str], body: object) -> Asked:
    """Return what is asked."""
    fields = wanted(body, model=str, messages=list)
    stream, tops = bool(fields.get("stream")), fields.get("top_logprobs", 0)
    if "stream_options" in fields and not stream:
        raise RefusedRequestError("stream_options: only allowed when stream is enabled")
    if tops and not fields.get("logprobs"):
        raise RefusedRequestError("top_logprobs: only allowed when logprobs is enabled")
    if not 0 <= tops <= 20:
        raise RefusedRequestError("top_logprobs: must be at most 20")
    for message in fields["messages"]:
        if message.get("role") not in _ROLES:
            raise RefusedRequestError(f"messages: unknown role {message.get('role')!r}")
    messages = tuple({"role": each["role"], "content": text_of(each.get("content"))} for each in fields["messages"])
    usage = bool((fields.get("stream_options") or {}).get("include_usage"))
    return Asked(fields["model"], messages, stream, usage, tops if fields.get("logprobs") else None)


def whole(said: Said) -> bytes:
    """Return the completion in one piece."""
    tokens = list(said.tokens)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text for text, _ in tokens) or None}
    if said.tool_calls:
        message["tool_calls"] = [_call(call.id, call.name, call.arguments) for call in said.tool_calls]
    else:
        message["content"] = message["content"] or ""
    choice = {"index": 0, "message": message, "logprobs": _logprobs(said, tokens), "finish_reason": _finish(said)}
    body: dict[str, Any] = {
        **_head(said, "chat.completion"),
        "choices": [] if said.empty else [choice],
    }
    return encoded(body | _usage(said, len(tokens)))


def events(said: Said) -> Iterator[bytes]:
    """Yield the events of a stream."""
    yield _chunk(said, {"role": "assistant", "content": ""})
    written = 0
    for text, logprob in said.tokens:
        written += 1
        yield _chunk(said, {"content": text}, logprobs=_logprobs(said, [(text, logprob)]))
    for number, call in enumerate(said.tool_calls):
        yield _chunk(said, {"tool_calls": [{"index": number, **_call(call.id, call.name, "")}]})
        half = len(call.arguments) // 2
        for part in (call.arguments[:half], call.arguments[half:]):
            yield _chunk(said, {"tool_calls": [{"index": number, "function": {"arguments": part}}]})
    yield _chunk(said, {}, finish=_finish(said))
    if said.asked.usage and said.usage:
        yield _event({**_head(said, "chat.completion.chunk"), "choices": [], **_usage(said, written)})
    yield b"data: [DONE]\n\n"


def failure(status: int, message: str) -> bytes:
    """Return the body of an error."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return encoded({"error": {"message": message, "type": kind, "param": None, "code": _KINDS.get(status)}})


def failure_event(status: int, message: str) -> bytes:
    """Return an error in the middle of a stream."""
    return b"data: " + failure(status, message) + b"\n\n"


def _chunk(said: Said, delta: dict[str, Any], *, finish: str | None = None, logprobs: object = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    told = {"usage": None} if said.asked.usage else {}
    return _event({**_head(said, "chat.completion.chunk"), "choices": [] if said.empty else [choice], **told})


def _event(fields: object) -> bytes:
    return b"data: " + encoded(fields) + b"\n\n"


def _head(said: Said, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-loopback", "object": kind, "created": 0, "model": said.model}


def _finish(said: Said) -> str:
    return "tool_calls" if said.tool_calls and said.finish == "stop" else FINISHES.get(said.finish, said.finish)


def _call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _usage(said: Said, written: int) -> dict[str, Any]:
    counts = said.counts(written)
    if counts is None:
        return {}
    return {"usage": {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}}


def _logprobs(said: Said, tokens: list[tuple[str, float | None]]) -> dict[str, Any] | None:
    tops = said.asked.tops
    if tops is None or any(logprob is None for _, logprob in tokens):
        return None
    content = [
        {**_token(text, logprob or 0.0), "top_logprobs": [_token(*top) for top in _tops(text, logprob or 0.0, tops)]}
        for text, logprob in tokens
    ]
    return {"content": content, "refusal": None}


def _tops(text: str, logprob: float, count: int) -> list[tuple[str, float]]:
    return alternatives(text, logprob, count) if count else []


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "surrogateescape"))}
