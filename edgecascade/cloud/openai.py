"""OpenAI chat completions, as OpenAI, OpenRouter, Groq, vLLM, llama-server, ollama and LM Studio speak them.

https://platform.openai.com/docs/api-reference/chat. Left out: ``n``, images and sound, and ``top_k``, ``min_p`` and
``repeat_penalty`` except to servers on this machine, which know them; elsewhere they would be refused or passed over.
"""

from typing import Any

from edgecascade.cloud.specs import CloudSpec, is_local
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
    count_of,
    entry,
    logprob_of,
    name_of,
    parsed,
    refuse_grammar,
    rows,
    text_of,
    without,
)
from edgecascade.records import Alternative, FinishReason, Message, Question

OWN = "https://api.openai.com/"
_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filter",
}


def request(question: Question, spec: CloudSpec, *, stream: bool, alternatives: int) -> Posted:
    """Return the POST of a question."""
    refuse_grammar(question)
    sampling = question.sampling
    own, local = spec.base_url.startswith(OWN), is_local(spec.base_url)
    optional = {
        "top_p": sampling.top_p if sampling.top_p < 1 else None,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "top_k": sampling.top_k if local else None,
        "min_p": sampling.min_p if local else None,
        "repeat_penalty": sampling.repeat_penalty if local else None,
        "logprobs": True if alternatives else None,
        "top_logprobs": min(max(alternatives, TOP), MOST) if alternatives else None,
        "stream": True if stream else None,
        "stream_options": {"include_usage": True} if stream else None,
        "response_format": _format(question),
        "tools": [_tool(tool.name, tool.description, tool.parameters) for tool in question.tools] or None,
    }
    body: Json = {
        "model": spec.model,
        "messages": [_message(message) for message in question.messages],
        "max_completion_tokens" if own else "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        **{name: value for name, value in optional.items() if value is not None},
    }
    return Posted("/chat/completions", {"Authorization": f"Bearer {spec.key}"} if spec.key else {}, body)


def event(payload: Any) -> Piece:
    """Return what one chunk adds."""
    return _piece(payload, "delta")


def whole(payload: Any) -> Piece:
    """Return what a completion says."""
    choice = entry((rows(entry(payload).get("choices")) or [None])[0])
    message = entry(choice.get("message"))
    if "error" not in entry(payload) and not (
        message.keys() & {"content", "refusal", "tool_calls"} or choice.get("finish_reason") == "content_filter"
    ):
        raise ValueError("no choices[0].message.content")
    return _piece(payload, "message")


def _piece(payload: Any, where: str) -> Piece:
    if not isinstance(payload, dict):
        raise ValueError(f"{type(payload).__name__} where an object belongs")
    if payload.get("error"):
        raise ServerError(_words(payload["error"]))
    choice = entry((rows(payload.get("choices")) or [None])[0])
    said, usage = entry(choice.get(where)), entry(payload.get("usage"))
    finish = choice.get("finish_reason")
    return Piece(
        text=text_of(said.get("content")),
        told=tuple(_told(row) for row in rows(entry(choice.get("logprobs")).get("content"))),
        calls=tuple(_call(call, number) for number, call in enumerate(rows(said.get("tool_calls")))),
        finish="filter" if said.get("refusal") else _FINISH.get(finish, "end") if isinstance(finish, str) else None,
        prompt_tokens=count_of(usage.get("prompt_tokens")),
        completion_tokens=count_of(usage.get("completion_tokens")),
        served_by=name_of(payload.get("model")),
    )


def _words(error: Any) -> str:
    return str(entry(error).get("message") or error)


def _told(row: Any) -> Told:
    found = entry(row)
    return Told(
        text_of(found.get("token")),
        logprob_of(found.get("logprob")),
        _id(found.get("id")),
        tuple(
            Alternative(_id(other.get("id")), text_of(other.get("token")), logprob_of(other.get("logprob")))
            for other in map(entry, rows(found.get("top_logprobs")))
        ),
    )


def _id(value: Any) -> int:
    """Return the token's number, which llama-server tells and others do not."""
    return value if isinstance(value, int) else -1


def _call(call: Any, number: int) -> CallPart:
    found = entry(call)
    function, index = entry(found.get("function")), count_of(found.get("index"))
    return CallPart(
        number if index is None else index,
        text_of(found.get("id")),
        text_of(function.get("name")),
        text_of(function.get("arguments")),
    )


def _message(message: Message) -> Json:
    sent: Json = {"role": message.role, "content": message.content}
    if message.tool_calls:
        sent["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        sent["tool_call_id"] = message.tool_call_id
    return sent


def _tool(name: str, description: str, parameters: str) -> Json:
    schema = parsed(parameters, f"the parameters of {name}")
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _format(question: Question) -> Json | None:
    if question.schema is None:
        return None
    schema = parsed(question.schema, "the schema")
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def _renamed(body: Json) -> Json:
    """Return it with the other of the two names for the longest answer."""
    names = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
    return {names.get(name, name): value for name, value in body.items()}


def _loose(body: Json) -> Json:
    """Return it with a schema that is followed as far as can be: OpenAI's strict mode knows only a part of them."""
    form = entry(body.get("response_format"))
    if not form:
        return body
    return {**body, "response_format": {**form, "json_schema": {**form["json_schema"], "strict": False}}}


MENDS: Mends = {
    "max_tokens": _renamed,
    "max_completion_tokens": _renamed,
    "top_p": without("top_p"),
    "temperature": without("temperature"),
    "logprobs": without("logprobs", "top_logprobs"),
    "stream_options": without("stream_options"),
    "seed": without("seed"),
    "response_format": _loose,
}
