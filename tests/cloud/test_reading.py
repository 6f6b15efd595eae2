"""Bytes of a reply to tokens and an ending, at any split, in each format."""

import json
import math
from typing import Any

import pytest

from edgecascade.cloud.client import CODECS
from edgecascade.cloud.reading import Reading, entropy, token_of
from edgecascade.cloud.specs import Wire
from edgecascade.cloud.wire import Told
from edgecascade.records import Alternative, Ending, Token, ToolCall


def sse(*events: Any) -> bytes:
    """Return a stream of events."""
    texts = [event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


def chunk(delta: Any, finish: str | None = None) -> Any:
    """Return one of OpenAI's chunks."""
    return {"model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def calling(index: int, arguments: str, **more: str) -> Any:
    """Return a chunk with a part of a tool call."""
    name = {"name": more["name"]} if "name" in more else {}
    own = {"id": more["id"]} if "id" in more else {}
    return chunk({"tool_calls": [{"index": index, **own, "function": {**name, "arguments": arguments}}]})


CALLS = (ToolCall("a", "weather", '{"city": "Zürich"}'), ToolCall("b", "time", "{}"))
STREAMS: dict[Wire, bytes] = {
    "openai": sse(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Zür"}),
        chunk({"content": "ich 🙂"}),
        calling(0, "", id="a", name="weather"),
        calling(0, '{"city": '),
        calling(0, '"Zürich"}'),
        calling(1, "{}", id="b", name="time"),
        chunk({}, "tool_calls"),
        {"model": "m-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}},
        "[DONE]",
    ),
    "anthropic": sse(
        {
            "type": "message_start",
            "message": {"model": "m-1", "usage": {"input_tokens": 3, "output_tokens": 1}, "content": []},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Zür"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ich 🙂"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "a", "name": "weather", "input": {}},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city": '}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"Zürich"}'}},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "b", "name": "time", "input": {}},
        },
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ),
    "gemini": sse(
        {"modelVersion": "m-1", "candidates": [{"content": {"parts": [{"text": "Zür"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "ich 🙂"}]}}], "usageMetadata": {"promptTokenCount": 3}},
        {
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {"functionCall": {"id": "a", "name": "weather", "args": {"city": "Zürich"}}},
                            {"functionCall": {"id": "b", "name": "time", "args": {}}},
                        ]
                    },
                    "finishReason": "STOP",
                }
            ],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 9},
        },
    ),
}


def reading_of(wire: Wire, *, stream: bool = True, max_tokens: int = 50, alternatives: int = 0) -> Reading:
    """Return a reading whose clock counts its looks."""
    return Reading(
        CODECS[wire],
        sse=stream,
        prompt_bytes=10,
        max_tokens=max_tokens,
        alternatives=alternatives,
        started=0.0,
        clock=iter(range(1, 10_000)).__next__,
    )


def read(reading: Reading, *parts: bytes) -> tuple[list[Token], Ending]:
    """Return all tokens and the ending."""
    tokens = [token for part in parts for token in reading.feed(part)]
    return tokens + reading.close(), reading.ending()


@pytest.mark.parametrize("wire", STREAMS)
def test_any_split_gives_the_same_answer(wire: Wire) -> None:
    """At every byte: the text, the joined tool calls, the usage and who served it do not depend on the network."""
    sent = STREAMS[wire]

    for at in range(0, len(sent) + 1):
        tokens, ending = read(reading_of(wire), sent[:at], sent[at:])
        assert [token.text for token in tokens] == ["Zür", "ich 🙂"]
        assert (ending.finish_reason, ending.tool_calls) == ("tool_calls", CALLS)
        assert (ending.prompt_tokens, ending.completion_tokens, ending.usage_told) == (3, 9, True)
        assert ending.served_by == "m-1"


@pytest.mark.parametrize("wire", STREAMS)
def test_a_stream_that_ends_early_is_no_answer(wire: Wire) -> None:
    """After any event but the last ones, a clean end of the bytes is still a break."""
    events = STREAMS[wire].split(b"\n\n")[:-1]
    early = next(number for number, event in enumerate(events) if b"ich" in event) + 1
    reading = reading_of(wire)

    reading.feed(b"".join(event + b"\n\n" for event in events[:early]))

    with pytest.raises(EOFError):
        reading.close()


@pytest.mark.parametrize("wire", STREAMS)
def test_untold_usage_is_estimated(wire: Wire) -> None:
    """A quarter of the bytes, rounded up, and marked as such."""
    sent = STREAMS[wire]
    for name in (b"prompt_tokens", b"completion_tokens", b"put_tokens", b"TokenCount"):
        sent = sent.replace(name, b"other")

    _, ending = read(reading_of(wire), sent)

    written = len("Zürich 🙂".encode()) + sum(len(call.arguments.encode()) for call in CALLS)
    assert not ending.usage_told and ending.prompt_tokens == 3 and ending.completion_tokens == math.ceil(written / 4)


def test_ids_are_made_where_there_are_none() -> None:
    """Two calls of one function can be told apart."""
    call = {"functionCall": {"name": "time", "args": {}}}
    sent = sse({"candidates": [{"content": {"parts": [call, call]}, "finishReason": "STOP"}]})

    _, ending = read(reading_of("gemini"), sent)

    assert [call.id for call in ending.tool_calls] == ["call_0", "call_1"] and ending.finish_reason == "tool_calls"


@pytest.mark.parametrize("sent", [b"", b"[", b"null", b"\xff\xfe", b"[" * 100_000, b"<html>please log in</html>"])
@pytest.mark.parametrize("stream", [True, False])
def test_what_is_no_completion_is_an_error(sent: bytes, stream: bool) -> None:
    """Never an empty answer, whatever the bytes are."""
    reading = reading_of("openai", stream=stream)

    with pytest.raises(ValueError, match=r"."):
        read(reading, b"data: " + sent + b"\n\n" if stream else sent)


def test_an_answer_is_bounded() -> None:
    """More text than was asked for, with room to spare, ends it, streamed or whole."""
    long = "x" * (50 * 64 + (64 << 10) + 1)

    with pytest.raises(ValueError, match="more text"):
        read(reading_of("openai"), sse(chunk({"content": long})))
    with pytest.raises(ValueError, match="more text"):
        read(reading_of("openai", stream=False), json.dumps({"choices": [{"message": {"content": long}}]}).encode())


def test_half_a_character_becomes_a_question_mark() -> None:
    """What no file can hold does not come in."""
    tokens, _ = read(reading_of("openai", stream=False), b'{"choices": [{"message": {"content": "a\\ud800b"}}]}')

    assert tokens[0].text == "a?b"


# Log-probabilities


def rowed(text: str, logprob: float, *others: tuple[str, float]) -> Any:
    """Return one of OpenAI's rows."""
    return {
        "token": text,
        "logprob": logprob,
        "top_logprobs": [{"token": other, "logprob": value} for other, value in ((text, logprob), *others)],
    }


def test_told_probabilities_become_tokens() -> None:
    """Each row is a token with its own text and as many alternatives as were asked for, likeliest first."""
    half = math.log(0.5)
    rows = [rowed("Zür", half, ("Bern", math.log(0.25))), rowed("ich", math.log(0.1), ("i", math.log(0.8)))]
    sent = chunk({"content": "Zürich"}, "stop")
    sent["choices"][0]["logprobs"] = {"content": rows}

    tokens, ending = read(reading_of("openai", alternatives=1), sse(sent, "[DONE]"))

    first, second = tokens
    assert (first.text, second.text, first.told, ending.completion_tokens) == ("Zür", "ich", True, 2)
    assert first.margin == pytest.approx(math.log(2)) and second.margin == pytest.approx(math.log(8))
    assert first.top5_mass == pytest.approx(0.75) and second.top_logprob == pytest.approx(math.log(0.8))
    assert [other.text for other in second.alternatives] == ["i"]


def test_parts_of_a_character_have_no_text_of_their_own() -> None:
    """Rows that do not join to the text leave it whole, with the last of them."""
    sent = chunk({"content": "🙂"}, "stop")
    sent["choices"][0]["logprobs"] = {"content": [rowed("\\xf0\\x9f", -0.1), rowed("\\x99\\x82", -0.2)]}

    tokens, _ = read(reading_of("openai"), sse(sent))

    assert [token.text for token in tokens] == ["", "🙂"] and [token.logprob for token in tokens] == [-0.1, -0.2]


def test_gemini_tells_probabilities_too() -> None:
    """The chosen tokens and, beside each, the likeliest."""
    chosen = {"token": "Paris", "tokenId": 7, "logProbability": -0.5}
    top = {"candidates": [{"token": "Lyon", "tokenId": 8, "logProbability": -1.5}, chosen]}
    result = {"chosenCandidates": [chosen], "topCandidates": [top]}
    candidate = {"content": {"parts": [{"text": "Paris"}]}, "finishReason": "STOP", "logprobsResult": result}

    (token,), _ = read(reading_of("gemini", alternatives=5), sse({"candidates": [candidate]}))

    assert (token.id, token.logprob, token.margin) == (7, -0.5, 1.0)
    assert [other.id for other in token.alternatives] == [7, 8]


@pytest.mark.parametrize("value", ["0", None, True, "NaN"])
def test_a_log_probability_must_be_a_number(value: Any) -> None:
    """What is none makes no token."""
    sent = chunk({"content": "a"}, "stop")
    sent["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": float("nan") if value == "NaN" else value}]}

    with pytest.raises(ValueError, match="log-probability"):
        read(reading_of("openai"), sse(sent))


@pytest.mark.parametrize("known", [(0.5,), (0.6, 0.3), (0.2, 0.2, 0.2, 0.2, 0.2), (1.0,), (0.9, 0.2)])
def test_the_entropy_is_that_of_the_told_outcomes_and_the_rest(known: tuple[float, ...]) -> None:
    """It equals the literal sum over the outcomes and the remaining mass, and is never negative."""
    rest = max(1 - sum(known), 0.0)
    told = Told("a", math.log(known[0]), 1, tuple(Alternative(n, "a", math.log(p)) for n, p in enumerate(known)))

    token = token_of(told, "a", 0.1, 5)

    literal = -sum(p * math.log(p) for p in (*known, rest) if p > 0)
    assert token.entropy == pytest.approx(max(literal, 0)) == entropy([math.log(p) for p in known], rest)
    assert 0 < token.top5_mass <= 1 and token.margin >= 0 and token.top_logprob >= token.logprob


def test_a_chosen_token_may_be_unlikely() -> None:
    """One that is not among the likeliest counts as an outcome, and keeps its own probability."""
    told = Told("z", math.log(0.01), alternatives=(Alternative(1, "a", math.log(0.9)),))

    token = token_of(told, "z", 0.1, 0)

    assert token.logprob == math.log(0.01) and token.top_logprob == math.log(0.9)
    assert token.margin == pytest.approx(math.log(90)) and token.top5_mass == pytest.approx(0.91)
