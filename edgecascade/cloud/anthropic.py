"""Anthropic Messages, https://docs.anthropic.com/en/api/messages, version 2023-06-01.

System messages stand apart, tool calls and results are blocks of content. There are no log-probabilities; ``seed``,
``min_p`` and ``repeat_penalty`` do not exist there and are left out.
"""

from itertools import groupby
from typing import Any

from edgecascade.cloud.specs import CloudSpec
from edgecascade.cloud.wire import (
    CallPart,
    Json,
    Mends,
    Piece,
    Posted,
    ServerError,
    arguments_of,
    as_json,
    count_of,
    entry,
    name_of,
    parsed,
    refuse_grammar,
    text_of,
    without,
)
from edgecascade.records import FinishReason, Message, Question

VERSION = "2023-06-01"
_FINISH: dict[str, FinishReason] = {
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "filter",
}


def request(question: Question, spec: CloudSpec, *, stream: bool, alternatives: int) -> Posted:
    """Return the POST of a question."""
    refuse_grammar(question)
    sampling = question.sampling
    spoken = [message for message in question.messages if message.role != "system"]
    optional = {
        "system": [_text(message) for message in question.messages if message.role == "system"] or None,
        "top_p": sampling.top_p if sampling.top_p < 1 else None,
        "top_k": sampling.top_k or None,
        "stop_sequences": list(sampling.stop) or None,
        "stream": True if stream else None,
        "output_config": _format(question),
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": parsed(tool.parameters, f"the parameters of {tool.name}"),
            }
            for tool in question.tools
        ]
        or None,
    }
    body: Json = {
        "model": spec.model,
        "messages": [
            {"role": role, "content": [block for message in turn for block in _blocks(message)]}
            for role, turn in groupby(spoken, lambda message: "assistant" if message.role == "assistant" else "user")
        ],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        **{name: value for name, value in optional.items() if value is not None},
    }
    key = {"x-api-key": spec.key} if spec.key else {}
    return Posted("/v1/messages", {"anthropic-version": VERSION, **key}, body)


def event(payload: Any) -> Piece:
    """Return what one event adds."""
    found = entry(payload)
    match found.get("type"):
        case "message_start":
            message = entry(found.get("message"))
            # its count of written tokens is only a beginning
            return Piece(prompt_tokens=_read(message), served_by=name_of(message.get("model")))
        case "content_block_start":
            return _block(entry(found.get("content_block")), count_of(found.get("index")), begun=True)
        case "content_block_delta":
            delta = entry(found.get("delta"))
            part = CallPart(count_of(found.get("index")) or 0, arguments=text_of(delta.get("partial_json")))
            return Piece(text=text_of(delta.get("text")), calls=(part,) if part.arguments else ())
        case "message_delta":
            return Piece(
                finish=_finish(entry(found.get("delta")).get("stop_reason")),
                prompt_tokens=_read(found),
                completion_tokens=count_of(entry(found.get("usage")).get("output_tokens")),
            )
        case "message_stop":
            return Piece(over=True)
        case "error":
            raise ServerError(text_of(entry(found.get("error")).get("message")) or "error")
        case str():
            return Piece()  # ping, content_block_stop, and what may be new
    raise ValueError("an event without a type")


def whole(payload: Any) -> Piece:
    """Return what a message says."""
    found = entry(payload)
    if found.get("type") == "error":
        return event(found)
    if not isinstance(found.get("content"), list):
        raise ValueError("no content")
    blocks = [_block(entry(block), number, begun=False) for number, block in enumerate(found["content"])]
    return Piece(
        text="".join(block.text for block in blocks),
        calls=tuple(call for block in blocks for call in block.calls),
        finish=_finish(found.get("stop_reason")),
        prompt_tokens=_read(found),
        completion_tokens=count_of(entry(found.get("usage")).get("output_tokens")),
        served_by=name_of(found.get("model")),
    )


def _read(found: Json) -> int | None:
    return count_of(entry(found.get("usage")).get("input_tokens"))


def _finish(reason: Any) -> FinishReason | None:
    return _FINISH.get(reason, "end") if isinstance(reason, str) else None


def _block(block: Json, index: int | None, *, begun: bool) -> Piece:
    """Return what a block says; the input of one that has only begun comes in later events."""
    if block.get("type") != "tool_use":
        return Piece(text=text_of(block.get("text")) if block.get("type") == "text" else "")
    arguments = "" if begun else as_json(block.get("input"))
    return Piece(calls=(CallPart(index, text_of(block.get("id")), text_of(block.get("name")), arguments),))


def _blocks(message: Message) -> list[Json]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id or "", "content": message.content}]
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call.arguments)}
        for call in message.tool_calls
    ]
    return [*([_text(message)] if message.content else []), *calls]  # an empty text is refused


def _text(message: Message) -> Json:
    return {"type": "text", "text": message.content}


def _format(question: Question) -> Json | None:
    if question.schema is None:
        return None
    return {"format": {"type": "json_schema", "schema": parsed(question.schema, "the schema")}}


MENDS: Mends = {"top_k": without("top_k"), "top_p": without("top_p"), "temperature": without("temperature")}
