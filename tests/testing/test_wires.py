"""What is scripted comes over each wire as its provider documents it, streamed and whole."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from edgecascade.records import ToolCall
from edgecascade.testing import LoopbackCloud, Reply

WIRES = ("openai", "anthropic", "gemini")
CALLS = (ToolCall("1", "look_up", '{"town": "Zürich"}'), ToolCall("2", "wait", "{}"))
TEXT = "Zürich 🏔 liegt  am See.\n"
Post = Callable[..., Any]


def text_whole(wire: str, body: Any) -> str:
    """The text of a whole answer."""
    if wire == "openai":
        return str(body["choices"][0]["message"]["content"])
    if wire == "anthropic":
        return "".join(part["text"] for part in body["content"] if part["type"] == "text")
    return "".join(part.get("text", "") for part in body["candidates"][0]["content"]["parts"])


def texts_streamed(wire: str, events: list[Any]) -> list[str]:
    """The pieces of text of a stream, in order."""
    bodies = [body for _, body in events if body != "[DONE]"]
    if wire == "openai":
        found = [choice["delta"].get("content") for body in bodies for choice in body["choices"]]
    elif wire == "anthropic":
        found = [body["delta"].get("text") for body in bodies if body["type"] == "content_block_delta"]
    else:
        found = [part.get("text") for body in bodies for part in body["candidates"][0]["content"]["parts"]]
    return [text for text in found if text]


def ending(wire: str, body: Any) -> tuple[str, tuple[int, int] | None]:
    """Why a whole answer ended, and its usage."""
    names = {
        "openai": ("usage", "prompt_tokens", "completion_tokens"),
        "anthropic": ("usage", "input_tokens", "output_tokens"),
        "gemini": ("usageMetadata", "promptTokenCount", "candidatesTokenCount"),
    }[wire]
    usage = (body[names[0]][names[1]], body[names[0]][names[2]]) if names[0] in body else None
    if wire == "anthropic":
        return body["stop_reason"], usage
    (choice,) = body["choices" if wire == "openai" else "candidates"]
    return choice["finish_reason" if wire == "openai" else "finishReason"], usage


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("pieces", [None, 1, 7])
def test_the_text_arrives_as_scripted(post: Post, wire: str, pieces: int | None) -> None:
    """The pieces of a stream are those of the script, and together they are the whole answer."""
    reply = Reply(TEXT, pieces=pieces)
    with LoopbackCloud(reply) as cloud:
        streamed, whole = post(cloud, wire, stream=True), post(cloud, wire)

    assert texts_streamed(wire, streamed.events) == reply.told()
    assert text_whole(wire, whole.json) == TEXT == "".join(reply.told())


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("openai", {"stop": "stop", "length": "length", "filter": "content_filter", "odd": "odd"}),
        ("anthropic", {"stop": "end_turn", "length": "max_tokens", "filter": "refusal", "pause_turn": "pause_turn"}),
        ("gemini", {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY", "RECITATION": "RECITATION"}),
    ],
)
def test_the_end_is_in_the_providers_words(post: Post, wire: str, words: dict[str, str]) -> None:
    """Each reason to end has its name; one that is unknown goes out as it is."""
    with LoopbackCloud(*(Reply("Paris.", finish=finish) for finish in words)) as cloud:
        found = [ending(wire, post(cloud, wire).json)[0] for _ in words]

    assert found == list(words.values())


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("usage", "told"), [(True, (4, 3)), ((70, 5), (70, 5)), (False, None)])
def test_usage_is_told_as_scripted(post: Post, wire: str, usage: Any, told: tuple[int, int] | None) -> None:
    """Counted, made up or untold; a stream's last event that has it says the same as a whole answer."""
    with LoopbackCloud(Reply("It is Paris.", usage=usage)) as cloud:
        streamed, whole = post(cloud, wire, stream=True), post(cloud, wire)

    assert ending(wire, whole.json)[1] == told
    assert usage_streamed(wire, streamed.events) == told


def usage_streamed(wire: str, events: list[Any]) -> tuple[int, int] | None:
    """The usage that a stream tells in the end."""
    bodies = [body for _, body in events if body != "[DONE]"]
    if wire == "anthropic":
        (start, *_, end, _) = bodies
        return (start["message"]["usage"]["input_tokens"], end["usage"]["output_tokens"]) if "usage" in end else None
    name = "usage" if wire == "openai" else "usageMetadata"
    told = [tuple(body[name].values())[:2] for body in bodies if body.get(name)]
    return told[-1] if told else None


@pytest.mark.parametrize("wire", WIRES)
def test_tool_calls_come_whole_and_streamed(post: Post, wire: str) -> None:
    """Names and arguments arrive; where a provider streams the arguments, they come in parts to be joined."""
    with LoopbackCloud(Reply("One moment.", tool_calls=CALLS)) as cloud:
        streamed, whole = post(cloud, wire, stream=True), post(cloud, wire)

    expected = [(call.id, call.name, json.loads(call.arguments)) for call in CALLS]
    assert calls_whole(wire, whole.json) == expected
    assert calls_streamed(wire, streamed.events) == expected
    assert ending(wire, whole.json)[0] == {"openai": "tool_calls", "anthropic": "tool_use", "gemini": "STOP"}[wire]


def calls_whole(wire: str, body: Any) -> list[Any]:
    """The tool calls of a whole answer."""
    if wire == "openai":
        calls = [(call["id"], call["function"]) for call in body["choices"][0]["message"]["tool_calls"]]
        return [(id, function["name"], json.loads(function["arguments"])) for id, function in calls]
    if wire == "anthropic":
        return [(part["id"], part["name"], part["input"]) for part in body["content"] if part["type"] == "tool_use"]
    parts = [part.get("functionCall") for part in body["candidates"][0]["content"]["parts"]]
    return [(part["id"], part["name"], part["args"]) for part in parts if part]


def calls_streamed(wire: str, events: list[Any]) -> list[Any]:
    """The tool calls of a stream, their parts joined."""
    bodies = [body for _, body in events if body != "[DONE]"]
    if wire == "gemini":
        return [call for body in bodies for call in calls_whole(wire, body)]
    calls: dict[int, list[str]] = {}
    for body in bodies:
        if wire == "openai":
            for part in (part for choice in body["choices"] for part in choice["delta"].get("tool_calls", ())):
                call = calls.setdefault(part["index"], [part.get("id"), part["function"].get("name"), ""])
                call[2] += part["function"]["arguments"]
        elif body["type"] == "content_block_start" and body["content_block"]["type"] == "tool_use":
            calls[body["index"]] = [body["content_block"]["id"], body["content_block"]["name"], ""]
        elif body["type"] == "content_block_delta" and "partial_json" in body["delta"]:
            calls[body["index"]][2] += body["delta"]["partial_json"]
    return [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()]


def test_openai_logprobs(post: Post) -> None:
    """Asked for, each token comes with its log-probability, and with alternatives that leave no more than the rest."""
    reply = Reply("It is Paris.", logprobs=(-0.1, -2.0, 0.0))
    with LoopbackCloud(reply) as cloud:
        whole = post(cloud, logprobs=True, top_logprobs=3).json["choices"][0]["logprobs"]["content"]
        streamed = post(cloud, stream=True, logprobs=True, top_logprobs=3).events

    told = [body["choices"][0]["logprobs"] for _, body in streamed if body != "[DONE]" and body["choices"]]
    assert [token for one in told if one for token in one["content"]] == whole
    assert [(token["token"], token["logprob"]) for token in whole] == list(
        zip(reply.told(), reply.logprobs, strict=True)
    )
    for token in whole:
        tops = [top["logprob"] for top in token["top_logprobs"]]
        assert tops == sorted(tops, reverse=True) and token["logprob"] in tops
        assert math.fsum(map(math.exp, tops)) <= 1 + 1e-9


def test_gemini_logprobs(post: Post) -> None:
    """Chosen tokens and the likeliest come side by side, and their mean."""
    with LoopbackCloud(Reply("It is Paris.", logprobs=-0.5)) as cloud:
        (told,) = post(cloud, "gemini", generationConfig={"responseLogprobs": True, "logprobs": 2}).json["candidates"]

    chosen, tops = told["logprobsResult"]["chosenCandidates"], told["logprobsResult"]["topCandidates"]
    assert [token["logProbability"] for token in chosen] == [-0.5] * 3 and told["avgLogprobs"] == -0.5
    assert [top["candidates"][0]["token"] for top in tops] == [token["token"] for token in chosen]


@pytest.mark.parametrize("wire", WIRES)
def test_logprobs_are_told_only_to_who_asks(post: Post, wire: str) -> None:
    """Without the request's field there are none."""
    with LoopbackCloud(Reply("Paris.", logprobs=-0.5)) as cloud:
        heard = post(cloud, wire)

    assert b"-0.5" not in heard.body


def test_an_openai_stream_is_as_documented(post: Post) -> None:
    """A role, the text, a reason, the usage where it was asked for, and [DONE]."""
    with LoopbackCloud("It is Paris.") as cloud:
        told = post(cloud, stream=True).events
        untold = post(cloud, stream=True, stream_options=None).events

    assert told[0][1]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert told[-1][1] == untold[-1][1] == "[DONE]"
    assert told[-2][1]["choices"] == [] and all(body["usage"] is None for _, body in told[:-2])
    assert untold[-2][1]["choices"][0]["finish_reason"] == "stop" and "usage" not in untold[-2][1]


def test_an_anthropic_stream_is_as_documented(post: Post) -> None:
    """Each event is named as its type, and each block begins before and ends after its deltas."""
    with LoopbackCloud(Reply("It is", tool_calls=CALLS[:1])) as cloud:
        events = post(cloud, "anthropic", stream=True).events

    block = ["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"]
    names = [name for name, _ in events]
    assert names == ["message_start", block[0], "ping", *block[1:], *block, "message_delta", "message_stop"]
    assert names == [body["type"] for _, body in events]


def test_a_gemini_stream_is_as_documented(post: Post) -> None:
    """Every event is an answer of its own, only the last one tells why it ends; lines end in CR LF."""
    with LoopbackCloud("It is Paris.") as cloud:
        heard = post(cloud, "gemini", stream=True)

    reasons = [body["candidates"][0].get("finishReason") for _, body in heard.events]
    assert reasons == [None] * (len(reasons) - 1) + ["STOP"]
    assert heard.body.count(b"\r\n") == heard.body.count(b"\n")


@pytest.mark.parametrize("wire", WIRES)
def test_the_model_that_answers_is_named(post: Post, wire: str) -> None:
    """The one that was asked, or the one of the script."""
    with LoopbackCloud("Paris.", Reply("Paris.", model="other")) as cloud:
        found = [post(cloud, wire).json["modelVersion" if wire == "gemini" else "model"] for _ in range(2)]

    assert found == ["m", "other"]


@pytest.mark.parametrize(
    ("wire", "change"),
    [
        ("openai", {"messages": []}),
        ("openai", {"model": ""}),
        ("openai", {"messages": [{"role": "robot", "content": "Hi"}]}),
        ("openai", {"stream_options": {"include_usage": True}}),
        ("openai", {"top_logprobs": 2}),
        ("openai", {"logprobs": True, "top_logprobs": 21}),
        ("anthropic", {"max_tokens": None}),
        ("anthropic", {"messages": [{"role": "system", "content": "Be brief"}]}),
        ("gemini", {"contents": []}),
        ("gemini", {"contents": [{"role": "assistant", "parts": [{"text": "Hi"}]}]}),
    ],
)
def test_what_a_provider_refuses_is_refused(post: Post, wire: str, change: dict[str, Any]) -> None:
    """A malformed request gets 400 in the provider's words, and the script stays where it was."""
    with LoopbackCloud("Paris.", "Rome.") as cloud:
        refused, answered = post(cloud, wire, **change), post(cloud, wire)

    assert refused.status == 400 and refused.json["error"]["message"]
    assert text_whole(wire, answered.json) == "Paris."
