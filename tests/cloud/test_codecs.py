"""The three wire formats as pure functions: records to JSON, JSON to pieces."""

import json
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from edgecascade.cloud import anthropic, gemini, openai
from edgecascade.cloud.specs import PROVIDERS, CloudSpec, Wire
from edgecascade.cloud.wire import Piece, ServerError
from edgecascade.errors import SchemaError
from edgecascade.records import Message, Question, Sampling, Tool, ToolCall

CODECS: dict[Wire, ModuleType] = {"openai": openai, "anthropic": anthropic, "gemini": gemini}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALL = ToolCall("id-1", "weather", '{"city": "Paris"}')
TALK = Question(
    (
        Message("system", "Be brief."),
        Message("user", "Paris?"),
        Message("assistant", "", (CALL,)),
        Message("tool", "rain", tool_call_id="id-1"),
        Message("system", "Be kind."),
        Message("user", "And now?"),
    ),
    Sampling(temperature=0.5, top_p=0.9, seed=3, stop=("END",), max_tokens=7),
    schema=json.dumps(SCHEMA),
    tools=(Tool("weather", "tells it", json.dumps(SCHEMA)),),
)


def spec_of(wire: Wire, key: str | None = "k") -> CloudSpec:
    """Return a spec of the provider's own address."""
    return CloudSpec(wire, PROVIDERS[wire].base_url, "m", key)


def asked(wire: Wire, question: Question = TALK, *, stream: bool = False, alternatives: int = 0) -> Any:
    """Return what is sent for a question."""
    return CODECS[wire].request(question, spec_of(wire), stream=stream, alternatives=alternatives)


def test_an_openai_request() -> None:
    """Each record has its place: roles, calls and results, schema, tools, sampling; the key is a bearer."""
    posted = asked("openai", stream=True, alternatives=8)

    assert posted.path == "/chat/completions" and posted.headers == {"Authorization": "Bearer k"}
    assert posted.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Paris?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "id-1", "type": "function", "function": {"name": "weather", "arguments": CALL.arguments}}
                ],
            },
            {"role": "tool", "content": "rain", "tool_call_id": "id-1"},
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "And now?"},
        ],
        "max_completion_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["END"],
        "logprobs": True,
        "top_logprobs": 8,
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        },
        "tools": [
            {"type": "function", "function": {"name": "weather", "description": "tells it", "parameters": SCHEMA}}
        ],
    }


def test_a_plain_question_sends_only_what_it_says() -> None:
    """What was not asked for is not in the body: no field that a server might not know."""
    posted = asked("openai", Question.of("Why?"))

    assert posted.body.keys() == {"model", "messages", "max_completion_tokens", "temperature"}


@pytest.mark.parametrize(("base", "own"), [("https://host/v1", set()), ("http://127.0.0.1:81/v1", {"top_k", "min_p"})])
def test_other_servers_know_the_old_name_and_a_local_one_more(base: str, own: set[str]) -> None:
    """Only OpenAI itself gets max_completion_tokens; only a server on this machine the samplers of llama.cpp."""
    body = openai.request(Question.of("Why?"), CloudSpec("openai", base, "m"), stream=False, alternatives=0).body

    assert body["max_tokens"] == 512 and body.keys() & {"top_k", "min_p", "max_completion_tokens"} == own


def test_an_anthropic_request() -> None:
    """System messages stand apart, a tool's result opens the user's turn, the input of a call is an object."""
    posted = asked("anthropic", stream=True)

    assert posted.headers == {"anthropic-version": "2023-06-01", "x-api-key": "k"}
    assert posted.body == {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Paris?"}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "id-1", "name": "weather", "input": {"city": "Paris"}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "id-1", "content": "rain"},
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
        "max_tokens": 7,
        "temperature": 0.5,
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "stream": True,
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "tools": [{"name": "weather", "description": "tells it", "input_schema": SCHEMA}],
    }


def test_a_gemini_request() -> None:
    """The model's name is in the path, the key in a header, a result names the function that it is of."""
    posted = asked("gemini", stream=True, alternatives=3)

    assert posted.path == "/v1beta/models/m:streamGenerateContent?alt=sse"
    assert posted.headers == {"x-goog-api-key": "k"}
    assert posted.body == {
        "contents": [
            {"role": "user", "parts": [{"text": "Paris?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "Paris"}}}]},
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"result": "rain"}}},
                    {"text": "And now?"},
                ],
            },
        ],
        "generationConfig": {
            "maxOutputTokens": 7,
            "temperature": 0.5,
            "topP": 0.9,
            "seed": 3,
            "stopSequences": ["END"],
            "responseLogprobs": True,
            "logprobs": 5,
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        "tools": [
            {"functionDeclarations": [{"name": "weather", "description": "tells it", "parametersJsonSchema": SCHEMA}]}
        ],
    }


@pytest.mark.parametrize("wire", CODECS)
def test_no_key_no_header(wire: Wire) -> None:
    """A server without a right to a key gets no trace of one, and no body ever holds it."""
    bare = CODECS[wire].request(TALK, spec_of(wire, None), stream=True, alternatives=0)
    keyed = CODECS[wire].request(TALK, spec_of(wire, "sk-secret"), stream=True, alternatives=0)

    assert bare.headers.keys() <= {"anthropic-version"} and "sk-secret" not in json.dumps(keyed.body) + keyed.path


@pytest.mark.parametrize("wire", CODECS)
@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question.of("Why?", sampling=Sampling(grammar="root ::= [a-z]")), "grammar"),
        (Question((Message("user", "Why?"),), schema="{"), "not JSON"),
        (Question((Message("user", "Why?"),), schema="[]"), "no JSON schema"),
        (Question((Message("user", "Why?"),), tools=(Tool("f", "", "no"),)), "parameters of f"),
    ],
)
def test_what_cannot_be_sent_is_refused(wire: Wire, question: Question, message: str) -> None:
    """A grammar is followed by no cloud, and none must seem to; a schema must be one."""
    with pytest.raises(SchemaError, match=message):
        asked(wire, question)


WHOLE: dict[Wire, Any] = {
    "openai": {
        "model": "m-1",
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "content": "Paris",
                    "tool_calls": [
                        {"id": "id-1", "type": "function", "function": {"name": "weather", "arguments": CALL.arguments}}
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5},
    },
    "anthropic": {
        "type": "message",
        "model": "m-1",
        "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "Paris"},
            {"type": "tool_use", "id": "id-1", "name": "weather", "input": {"city": "Paris"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 5},
    },
    "gemini": {
        "modelVersion": "m-1",
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "hm", "thought": True},
                        {"text": "Paris"},
                        {"functionCall": {"id": "id-1", "name": "weather", "args": {"city": "Paris"}}},
                    ]
                },
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "thoughtsTokenCount": 4},
    },
}


@pytest.mark.parametrize("wire", WHOLE)
def test_a_whole_reply_is_read(wire: Wire) -> None:
    """Text, tool call, usage with thoughts, and who served it are the same in each format; thoughts are no text."""
    piece = CODECS[wire].whole(WHOLE[wire])

    assert (piece.text, piece.prompt_tokens, piece.completion_tokens, piece.served_by) == ("Paris", 3, 5, "m-1")
    (call,) = piece.calls
    assert (call.id, call.name, json.loads(call.arguments)) == ("id-1", "weather", {"city": "Paris"})


def _openai(reason: str) -> Piece:
    return openai.whole({"choices": [{"message": {"content": ""}, "finish_reason": reason}]})


def _anthropic(reason: str) -> Piece:
    return anthropic.whole({"content": [], "stop_reason": reason})


def _gemini(reason: str) -> Piece:
    return gemini.whole({"candidates": [{"finishReason": reason}]})


@pytest.mark.parametrize(
    ("piece", "finish"),
    [
        (_openai("stop"), "end"),
        (_openai("length"), "length"),
        (_openai("tool_calls"), "tool_calls"),
        (_openai("content_filter"), "filter"),
        (_openai("something new"), "end"),
        (_anthropic("end_turn"), "end"),
        (_anthropic("stop_sequence"), "stop"),
        (_anthropic("max_tokens"), "length"),
        (_anthropic("tool_use"), "tool_calls"),
        (_anthropic("refusal"), "filter"),
        (_gemini("STOP"), "end"),
        (_gemini("MAX_TOKENS"), "length"),
        (_gemini("SAFETY"), "filter"),
        (gemini.whole({"promptFeedback": {"blockReason": "SAFETY"}}), "filter"),
        (openai.whole({"choices": [{"message": {"content": None, "refusal": "I cannot."}}]}), "filter"),
        (openai.whole({"choices": [{"finish_reason": "content_filter"}]}), "filter"),
    ],
)
def test_every_end_has_a_reason(piece: Piece, finish: str) -> None:
    """A provider's own word becomes one of ours; a refusal is a filter's, and its text is no answer."""
    assert piece.finish == finish and piece.text == ""


@pytest.mark.parametrize("wire", CODECS)
@pytest.mark.parametrize(
    "payload",
    [None, 5, "text", [], {}, {"choices": []}, {"choices": [{"text": "old"}]}, {"choices": [{"message": None}]},
     {"choices": [{"message": {"role": "assistant"}}]}, {"choices": [{"message": {"content": 5}}]},
     {"content": "text"}, {"content": [{"type": "text", "text": 5}]}, {"candidates": [{}]},
     {"candidates": [{"content": {"parts": [{"text": ["a"]}]}}]}],
)  # fmt: skip
def test_what_is_no_answer_is_told(wire: Wire, payload: Any) -> None:
    """JSON of another form is an error, never an empty answer."""
    with pytest.raises(ValueError, match=r"no |where"):
        CODECS[wire].whole(payload)


@pytest.mark.parametrize(
    ("wire", "payload"),
    [
        ("openai", {"error": {"message": "overloaded", "code": 502}}),
        ("anthropic", {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}),
        ("gemini", {"error": {"code": 503, "message": "overloaded"}}),
    ],
)
def test_an_error_inside_an_answer_is_heard(wire: Wire, payload: Any) -> None:
    """It may come under status 200, whole or as an event."""
    for read in (CODECS[wire].whole, CODECS[wire].event):
        with pytest.raises(ServerError, match="overloaded"):
            read(payload)


def test_a_signature_of_thoughts_travels_with_its_call() -> None:
    """Gemini gets back with a call what it sent with it, though a ToolCall has no place of its own for it."""
    part = {"functionCall": {"name": "weather", "args": {"city": "Paris"}}, "thoughtSignature": "c2lnbg=="}
    (call,) = gemini.whole({"candidates": [{"content": {"parts": [part]}}]}).calls
    asks = Message("assistant", "", (ToolCall(f"call_0{call.id}", call.name, call.arguments),))
    told = Message("tool", "rain", tool_call_id=f"call_0{call.id}")

    sent = asked("gemini", Question((Message("user", "Paris?"), asks, told))).body["contents"]

    assert sent[1]["parts"] == [part] and sent[2]["parts"][0]["functionResponse"]["name"] == "weather"


@pytest.mark.parametrize(("arguments", "sent"), [("", {}), ("[1]", {"arguments": [1]}), ("{", {"arguments": "{"})])
def test_arguments_that_are_no_object_are_passed_on(arguments: str, sent: Any) -> None:
    """What a model once wrote goes back as it is, under a name where the format wants an object."""
    talk = Question((Message("assistant", "", (ToolCall("i", "f", arguments),)), Message("user", "go on")))

    assert asked("anthropic", talk).body["messages"][0]["content"][0]["input"] == sent
    assert asked("gemini", talk).body["contents"][0]["parts"][0]["functionCall"]["args"] == sent


@pytest.mark.parametrize("wire", CODECS)
def test_a_mend_changes_its_own_field_alone(wire: Wire) -> None:
    """It takes a field out or sends it otherwise, and doing it again changes nothing further or takes it back."""
    question = replace(TALK, sampling=replace(TALK.sampling, top_k=5))
    body = CODECS[wire].request(question, spec_of(wire), stream=True, alternatives=5).body

    for mend in CODECS[wire].MENDS.values():
        mended = mend(body)
        assert mended != body and mend(mended) in (mended, body)
        assert all(mended[name] == body[name] for name in ("model", "messages", "contents", "tools") if name in body)
