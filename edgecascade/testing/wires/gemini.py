"""Gemini generateContent and streamGenerateContent; a stream only as server-sent events, ended by CR LF.

https://ai.google.dev/api/generate-content
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edgecascade.testing.wires.spoken import Asked, RefusedRequestError, Said, alternatives, encoded, text_of, wanted

PATH = re.compile(r"/v1beta/models/([^/:]+):(generateContent|streamGenerateContent)")
FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "filter": "SAFETY"}
_KINDS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip

Token = tuple[str, float | None]


def asked(path: str, headers: Mapping[str, str], body: object) -> Asked:
    """Return what is asked."""
    fields, address = wanted(body, contents=list), urlsplit(path)
    named = PATH.fullmatch(address.path)
    assert named, "the path was matched before"
    stream = named[2] == "streamGenerateContent"
    if stream and parse_qs(address.query).get("alt") != ["sse"]:
        raise RefusedRequestError("streamGenerateContent: this server streams with alt=sse only")
    for message in fields["contents"]:
        if message.get("role", "user") not in ("user", "model"):
            raise RefusedRequestError(f"contents: please use a valid role: user, model; found {message['role']!r}")
    system = fields.get("systemInstruction", fields.get("system_instruction"))
    turns = [{"role": "system", "content": text_of(system.get("parts"))}] if system else []
    turns += [{"role": _role(each), "content": text_of(each.get("parts"))} for each in fields["contents"]]
    options = fields.get("generationConfig") or {}
    tops = options.get("logprobs", 0) if options.get("responseLogprobs") else None
    return Asked(named[1], tuple(turns), stream, True, tops)


def whole(said: Said) -> bytes:
    """Return the answer in one piece."""
    tokens = list(said.tokens)
    parts = [{"text": "".join(text for text, _ in tokens)}] if tokens else []
    return encoded(_body(said, [*parts, *_calls(said)], tokens, len(tokens), last=True))


def events(said: Said) -> Iterator[bytes]:
    """Yield the events of a stream; the last one tells why it ends."""
    written = 0
    for token in said.tokens:
        written += 1
        yield _event(_body(said, [{"text": token[0]}], [token], written))
    yield _event(_body(said, _calls(said) or [{"text": ""}], [], written, last=True))


def failure(status: int, message: str) -> bytes:
    """Return the body of an error."""
    return encoded({"error": {"code": status, "message": message, "status": _KINDS.get(status, "INTERNAL")}})


def failure_event(status: int, message: str) -> bytes:
    """Return an error in the middle of a stream."""
    return b"data: " + failure(status, message) + b"\r\n\r\n"


def _event(fields: object) -> bytes:
    return b"data: " + encoded(fields) + b"\r\n\r\n"


def _role(message: Mapping[str, Any]) -> str:
    return "assistant" if message.get("role") == "model" else "user"


def _calls(said: Said) -> list[dict[str, Any]]:
    return [
        {"functionCall": {**({"id": call.id} if call.id else {}), "name": call.name, "args": _object(call.arguments)}}
        for call in said.tool_calls
    ]


def _object(arguments: str) -> Any:
    return json.loads(arguments or "{}")


def _body(
    said: Said, parts: list[dict[str, Any]], tokens: list[Token], written: int, *, last: bool = False
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = FINISHES.get(said.finish, said.finish)
    candidate |= _logprobs(said, tokens)
    counts = said.counts(written)
    usage = dict(zip(("promptTokenCount", "candidatesTokenCount"), counts, strict=True)) if counts else {}
    total = {"usageMetadata": {**usage, "totalTokenCount": sum(counts)}} if counts else {}
    head = {} if said.empty else {"candidates": [candidate]}
    return {**head, **total, "modelVersion": said.model, "responseId": "loopback"}


def _logprobs(said: Said, tokens: list[Token]) -> dict[str, Any]:
    tops, told = said.asked.tops, [(text, logprob) for text, logprob in tokens if logprob is not None]
    if tops is None or not told:
        return {}
    result = {
        "chosenCandidates": [_token(*token) for token in told],
        "topCandidates": [{"candidates": [_token(*top) for top in alternatives(*token, tops)]} for token in told],
    }
    return {"avgLogprobs": sum(logprob for _, logprob in told) / len(told), "logprobsResult": result}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "tokenId": len(text), "logProbability": logprob}
