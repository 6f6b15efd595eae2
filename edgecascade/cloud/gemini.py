"""Gemini generateContent, https://ai.google.dev/api/generate-content, v1beta.

A tool call has no number of its own there, and some models want the signature of their thoughts back with it: it
travels inside ``ToolCall.id``, behind a ``~``. Thoughts are not part of the text, but of the tokens that are paid for.
"""

from itertools import groupby
from typing import Any
from urllib.parse import quote

from edgecascade.cloud.specs import CloudSpec
from edgecascade.cloud.wire import (
    MOST,
    TOP,
    CallPart,
    Json,
    Mends,
    Piece,
    Posted,
    ServerError,
    Told,
    arguments_of,
    as_json,
    count_of,
    entry,
    logprob_of,
    name_of,
    parsed,
    refuse_grammar,
    rows,
    text_of,
)
from edgecascade.records import Alternative, FinishReason, Message, Question, ToolCall

_FILTERS = ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY")
_FINISH: dict[str, FinishReason] = {"MAX_TOKENS": "length", **dict.fromkeys(_FILTERS, "filter")}


def request(question: Question, spec: CloudSpec, *, stream: bool, alternatives: int) -> Posted:
    """Return the POST of a question."""
    refuse_grammar(question)
    system = [{"text": message.content} for message in question.messages if message.role == "system"]
    names = {call.id: call.name for message in question.messages for call in message.tool_calls}
    spoken = [message for message in question.messages if message.role != "system"]
    body: Json = {
        "contents": [
            {"role": role, "parts": [part for message in turn for part in _parts(message, names)]}
            for role, turn in groupby(spoken, lambda message: "model" if message.role == "assistant" else "user")
        ],
        "generationConfig": _config(question, alternatives),
        **({"systemInstruction": {"parts": system}} if system else {}),
        **({"tools": [{"functionDeclarations": _tools(question)}]} if question.tools else {}),
    }
    what = "streamGenerateContent?alt=sse" if stream else "generateContent"
    path = f"/v1beta/models/{quote(spec.model.removeprefix('models/'), safe='')}:{what}"
    return Posted(path, {"x-goog-api-key": spec.key} if spec.key else {}, body)


def event(payload: Any) -> Piece:
    """Return what one chunk adds; each has the form of a whole reply."""
    if not isinstance(payload, dict):
        raise ValueError(f"{type(payload).__name__} where an object belongs")
    if payload.get("error"):
        raise ServerError(text_of(entry(payload["error"]).get("message")) or "error")
    candidate = entry((rows(payload.get("candidates")) or [None])[0])
    parts = [entry(part) for part in rows(entry(candidate.get("content")).get("parts"))]
    usage, finish = entry(payload.get("usageMetadata")), candidate.get("finishReason")
    blocked = entry(payload.get("promptFeedback")).get("blockReason")
    written = [count_of(usage.get(name)) for name in ("candidatesTokenCount", "thoughtsTokenCount")]
    return Piece(
        text="".join(text_of(part.get("text")) for part in parts if not part.get("thought")),
        told=_told(entry(candidate.get("logprobsResult"))),
        calls=tuple(_call(part) for part in parts if "functionCall" in part),
        finish="filter" if blocked else _FINISH.get(finish, "end") if isinstance(finish, str) else None,
        prompt_tokens=count_of(usage.get("promptTokenCount")),
        completion_tokens=sum(number or 0 for number in written) if any(n is not None for n in written) else None,
        served_by=name_of(payload.get("modelVersion")),
    )


def whole(payload: Any) -> Piece:
    """Return what a reply says."""
    piece = event(payload)
    if piece.finish is None and not piece.text and not piece.calls:
        raise ValueError("no candidates[0].content")
    return piece


def _call(part: Json) -> CallPart:
    call, signature = entry(part.get("functionCall")), text_of(part.get("thoughtSignature"))
    own = text_of(call.get("id"))
    return CallPart(
        None, f"{own}~{signature}" if signature else own, text_of(call.get("name")), as_json(call.get("args"))
    )


def _told(found: Json) -> tuple[Told, ...]:
    chosen, tops = rows(found.get("chosenCandidates")), rows(found.get("topCandidates"))
    return tuple(
        Told(one.text, one.logprob, one.id, tuple(_alternative(row) for row in rows(entry(top).get("candidates"))))
        for one, top in zip(map(_alternative, chosen), [*tops, *[None] * len(chosen)], strict=False)
    )


def _alternative(row: Any) -> Alternative:
    found = entry(row)
    number = count_of(found.get("tokenId"))
    return Alternative(
        -1 if number is None else number, text_of(found.get("token")), logprob_of(found.get("logProbability"))
    )


def _parts(message: Message, names: dict[str, str]) -> list[Json]:
    if message.role == "tool":
        called = message.tool_call_id or ""
        answer = {"name": names.get(called, called), "response": {"result": message.content}}
        return [{"functionResponse": answer}]
    text = [{"text": message.content}] if message.content else []
    return [*text, *map(_asked, message.tool_calls)]


def _asked(call: ToolCall) -> Json:
    signature = call.id.partition("~")[2]
    part: Json = {"functionCall": {"name": call.name, "args": arguments_of(call.arguments)}}
    return part | ({"thoughtSignature": signature} if signature else {})


def _tools(question: Question) -> list[Json]:
    return [
        {
            "name": tool.name,
            "description": tool.description,
            "parametersJsonSchema": parsed(tool.parameters, f"the parameters of {tool.name}"),
        }
        for tool in question.tools
    ]


def _config(question: Question, alternatives: int) -> Json:
    sampling = question.sampling
    optional = {
        "topP": sampling.top_p if sampling.top_p < 1 else None,
        "topK": sampling.top_k or None,
        "seed": sampling.seed,
        "stopSequences": list(sampling.stop) or None,
        "responseLogprobs": True if alternatives else None,
        "logprobs": min(max(alternatives, TOP), MOST) if alternatives else None,
        "responseMimeType": "application/json" if question.schema is not None else None,
        "responseJsonSchema": parsed(question.schema, "the schema") if question.schema is not None else None,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    return {"maxOutputTokens": sampling.max_tokens, "temperature": sampling.temperature, **given}


def _without(*names: str) -> Any:
    """Return a mend that leaves settings out."""
    return lambda body: {
        **body,
        "generationConfig": {name: value for name, value in body["generationConfig"].items() if name not in names},
    }


MENDS: Mends = {
    "logprobs": _without("responseLogprobs", "logprobs"),
    "topk": _without("topK"),
    "temperature": _without("temperature"),
}
