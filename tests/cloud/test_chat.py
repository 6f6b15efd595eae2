"""What the chat client asks, whom it tells the key, and what it makes of answers."""

import logging
import socket

import httpx
import pytest

from edgecascade.cloud.chat import LONGEST_PAUSE, OPENAI, TRIES, ChatCloud, CloudSpec, cloud_spec
from edgecascade.errors import DeviceError, InputError
from edgecascade.records import Message, Question, Sampling
from edgecascade.testing import ChatReply, LoopbackChat

KEY = "sk-secret"
WHY = Question.of("Why?", system="Be brief.", sampling=Sampling(max_tokens=7, temperature=0.5))
BUSY = ChatReply(status=503, text="busy")


def no_pause(seconds: float) -> None:
    """A sleep that must not be needed."""
    raise AssertionError(f"slept {seconds} s")


def test_a_question_becomes_one_request() -> None:
    """The messages, the limit and the temperature are sent to the model at the address, and its text is returned."""
    with LoopbackChat("Because.") as server, ChatCloud(CloudSpec(server.base_url, "small")) as cloud:
        text = cloud.answer(WHY)

    (request,) = server.requests
    assert text == "Because." and request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "max_tokens": 7,
        "temperature": 0.5,
    }
    assert "authorization" not in request.headers


def test_the_key_is_sent_as_bearer() -> None:
    """A server that has a right to it gets the key with each question."""
    with LoopbackChat("yes") as server, ChatCloud(CloudSpec(server.base_url, "small", KEY)) as cloud:
        cloud.answer(WHY)

    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("spec", "environment", "wanted"),
    [
        ("openai:small", {"OPENAI_API_KEY": f" {KEY}\n"}, CloudSpec(OPENAI, "small", KEY)),
        (
            "openai:org/small:1",
            {"OPENAI_BASE_URL": "https://host/v1/"},
            CloudSpec("https://host/v1", "org/small:1", None),
        ),
        (
            "openai:small",
            {"OPENAI_BASE_URL": "https://host/v1", "OPENAI_API_KEY": KEY},
            CloudSpec("https://host/v1", "small", KEY),
        ),
        ("http://127.0.0.1:81/v1#a/b", {"OPENAI_API_KEY": KEY}, CloudSpec("http://127.0.0.1:81/v1", "a/b", None)),
        ("http://[::1]:81/v1#small", {}, CloudSpec("http://[::1]:81/v1", "small", None)),
        ("http://localhost/v1/#small", {}, CloudSpec("http://localhost/v1", "small", None)),
        (f"{OPENAI}#small", {"OPENAI_API_KEY": KEY}, CloudSpec(OPENAI, "small", KEY)),
        (
            "https://api.openai.com:443/v1#small",
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://host/v1"},
            CloudSpec("https://api.openai.com:443/v1", "small", KEY),
        ),
        ("https://api.openai.com.evil/v1#m", {"OPENAI_API_KEY": KEY}, CloudSpec("https://api.openai.com.evil/v1", "m")),
        (
            "http://127.0.0.1:82/v1#m",
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:81/v1"},
            CloudSpec("http://127.0.0.1:82/v1", "m"),
        ),
        (
            "http://127.0.0.1:81/other#m",
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:81/v1"},
            CloudSpec("http://127.0.0.1:81/other", "m", KEY),
        ),
    ],
)
def test_a_spec_names_a_model_and_who_may_have_the_key(
    spec: str, environment: dict[str, str], wanted: CloudSpec
) -> None:
    """Only OpenAI and the origin of OPENAI_BASE_URL get the key; a neighbour port or a longer name does not."""
    found = cloud_spec(spec, environment)

    assert found == wanted and found.key == wanted.key


@pytest.mark.parametrize(
    ("spec", "environment", "message"),
    [
        ("", {}, "no address"),
        ("small", {}, "found 'small', wanted https://HOST/v1"),
        ("openai:", {"OPENAI_API_KEY": KEY}, "without a model"),
        ("https://host/v1", {}, "without a model"),
        ("https://host/v1# ", {}, "without a model"),
        ("http://host/v1#m", {}, "no address"),
        ("http://127.0.0.1.host/v1#m", {}, "no address"),
        ("ftp://127.0.0.1/v1#m", {}, "no address"),
        ("https:///v1#m", {}, "no address"),
        ("https://[::/v1#m", {}, "no address"),
        ("https://host/v1?a=1#m", {}, "no address"),
        ("https://me:sk-secret@host/v1#m", {}, "name or password in it"),
        ("openai:m", {"OPENAI_BASE_URL": "http://host/v1"}, "found 'http://host/v1'"),
        ("openai:m", {}, "no OPENAI_API_KEY"),
        ("openai:m", {"OPENAI_API_KEY": "sk-secret\nsk-secret"}, "OPENAI_API_KEY is no key"),
        ("openai:m", {"OPENAI_API_KEY": "sk-secret…"}, "OPENAI_API_KEY is no key"),
    ],
)
def test_a_bad_spec_is_refused(spec: str, environment: dict[str, str], message: str) -> None:
    """It is refused before anything is sent, and what is secret in it is not repeated."""
    with pytest.raises(InputError, match=message) as refusal:
        cloud_spec(spec, environment)

    assert KEY not in str(refusal.value)


def test_the_key_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a record, nor the log at its most talkative, nor an error that quotes the server repeats it."""
    caplog.set_level(logging.DEBUG)
    echo = ChatReply(status=401, text=f"Incorrect API key provided: {KEY}")

    with (
        LoopbackChat(echo) as server,
        ChatCloud(CloudSpec(server.base_url, "small", KEY), sleep=no_pause) as cloud,
        pytest.raises(InputError) as refusal,
    ):
        cloud.answer(WHY)

    assert "Incorrect API key provided: ***" in str(refusal.value)
    assert KEY not in f"{cloud.spec!r} {refusal.value!r} {caplog.text}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 307])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    """What the server will not do is told at once, in its own words, at most 300 characters of them."""
    refusal = ChatReply(status=status, text="\x1b[31mno such\nmodel " + "x" * 400)

    with (
        LoopbackChat(refusal) as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=no_pause) as cloud,
        pytest.raises(InputError, match=rf"{status} \[31mno such model x{{282}},") as found,
    ):
        cloud.answer(WHY)

    assert len(server.requests) == 1 and "\x1b" not in str(found.value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"error": "plain"}', "plain"),
        (b'{"message": "outer"}', "outer"),
        (b'{"detail": "fast"}', "fast"),
        (b"<html>no</html>", "<html>no</html>"),
        (b'{"error": null}', '{"error": null}'),
        (b"[1]", r"\[1\]"),
        (b"\xff", "400 .*, wanted"),
        (b"[" * 5000, r"\[\[\["),
    ],
)
def test_the_servers_words_are_found(raw: bytes, words: str) -> None:
    """Whatever form an error has, it is quoted."""
    with (
        LoopbackChat(ChatReply(status=400, raw=raw)) as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=no_pause) as cloud,
        pytest.raises(InputError, match=words),
    ):
        cloud.answer(WHY)


@pytest.mark.parametrize(
    "failure",
    [*(ChatReply(status=status) for status in (429, 500, 502, 503, 504, 529)), ChatReply(hang_up=True)],
    ids=lambda reply: str(reply.status),
)
def test_what_may_pass_is_asked_again(failure: ChatReply) -> None:
    """A busy server or a broken line costs a pause, not the answer."""
    pauses: list[float] = []
    with (
        LoopbackChat(failure, failure, "yes") as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=pauses.append, draw=lambda: 1.0) as cloud,
    ):
        text = cloud.answer(WHY)

    assert (text, len(server.requests), pauses) == ("yes", 3, [1.0, 2.0])
    assert server.requests[2].body == server.requests[0].body


def test_the_tries_are_counted() -> None:
    """After five tries the last reason is told; pauses double, with full jitter."""
    pauses: list[float] = []
    with (
        LoopbackChat(BUSY) as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=pauses.append, draw=lambda: 0.5) as cloud,
        pytest.raises(DeviceError, match="503 busy at try 5, wanted a completion"),
    ):
        cloud.answer(WHY)

    assert len(server.requests) == TRIES and pauses == [0.5, 1.0, 2.0, 4.0]


def test_each_question_has_its_own_tries() -> None:
    """One that was answered late leaves the next one five tries too."""
    pauses: list[float] = []
    with (
        LoopbackChat(BUSY, BUSY, BUSY, BUSY, "one", BUSY, BUSY, BUSY, BUSY, "two") as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=pauses.append) as cloud,
    ):
        texts = [cloud.answer(WHY), cloud.answer(WHY)]

    assert texts == ["one", "two"] and len(pauses) == 8


def test_no_server_is_a_device_error() -> None:
    """A closed port is asked five times, then named."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    pauses: list[float] = []

    with (
        ChatCloud(CloudSpec(f"http://127.0.0.1:{port}/v1", "small"), sleep=pauses.append) as cloud,
        pytest.raises(DeviceError, match=f"127.0.0.1:{port}/v1 gave no answer"),
    ):
        cloud.answer(WHY)

    assert len(pauses) == TRIES - 1


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:10 GMT"}, 20.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:10 GMT"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.25),
        ({"Retry-After": "0"}, 0.25),
        ({"Retry-After": "soon"}, 0.25),
        ({"Retry-After": "-5"}, 0.25),
    ],
)
def test_the_server_says_how_long_to_wait(headers: dict[str, str], pause: float) -> None:
    """Retry-After in seconds or as a date is the shortest pause; what is neither is passed over."""
    pauses: list[float] = []
    with (
        LoopbackChat(ChatReply(status=429, headers=headers), "yes") as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=pauses.append, draw=lambda: 0.25) as cloud,
    ):
        cloud.answer(WHY)

    assert pauses == [pause]


def test_who_must_wait_for_long_is_told() -> None:
    """A pause longer than two minutes is the caller's to make."""
    hours = ChatReply(status=429, text="quota", headers={"Retry-After": str(int(LONGEST_PAUSE) + 1)})

    with (
        LoopbackChat(hours) as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=no_pause) as cloud,
        pytest.raises(DeviceError, match=r"429 quota at try 1.*again in 121 s"),
    ):
        cloud.answer(WHY)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>please log in</html>",
        b"{}",
        b"null",
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [{"text": "old"}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"role": "assistant"}}]}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_completion_is_told(raw: bytes) -> None:
    """A reply of another form is an error that quotes it, not an empty answer."""
    with (
        LoopbackChat(ChatReply(raw=raw)) as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=no_pause) as cloud,
        pytest.raises(DeviceError, match=r"gave no completion: found .*, wanted JSON with choices\[0\]") as found,
    ):
        cloud.answer(WHY)

    assert len(str(found.value)) < 700


@pytest.mark.parametrize(
    "choice",
    [
        b'{"message": {"content": null}}',
        b'{"message": {"content": null, "refusal": "I cannot help with that."}, "finish_reason": "stop"}',
        b'{"message": {"refusal": "I cannot help with that."}}',
        b'{"message": {"content": null}, "finish_reason": "content_filter"}',
        b'{"message": {"role": "assistant"}, "finish_reason": "content_filter"}',
        b'{"finish_reason": "content_filter"}',
    ],
)
def test_a_refusal_to_answer_is_an_empty_answer(choice: bytes) -> None:
    """The question was answered with nothing: it is asked once, and does not end a long collection."""
    with (
        LoopbackChat(ChatReply(raw=b'{"choices": [' + choice + b"]}")) as server,
        ChatCloud(CloudSpec(server.base_url, "small"), sleep=no_pause) as cloud,
    ):
        text = cloud.answer(WHY)

    assert text == "" and len(server.requests) == 1


def test_what_a_filter_left_is_kept() -> None:
    """A text that was cut by a filter is the answer as far as it goes."""
    raw = b'{"choices": [{"message": {"content": "Half"}, "finish_reason": "content_filter"}]}'
    with LoopbackChat(ChatReply(raw=raw)) as server, ChatCloud(CloudSpec(server.base_url, "small")) as cloud:
        text = cloud.answer(WHY)

    assert text == "Half"


@pytest.mark.parametrize(("said", "kept"), [("", ""), ("Zürich 東京 🙂", "Zürich 東京 🙂"), ("a\ud800b", "a?b")])
def test_any_text_comes_through(said: str, kept: str) -> None:
    """All of Unicode arrives as it was said, but for half characters, which no file can hold."""
    with LoopbackChat(said) as server, ChatCloud(CloudSpec(server.base_url, "small")) as cloud:
        text = cloud.answer(Question((Message("user", "東京 🙂?"),)))

    assert text == kept and server.requests[0].body["messages"][0]["content"] == "東京 🙂?"


def test_a_redirect_does_not_carry_the_key_away() -> None:
    """An address that leads elsewhere is refused rather than followed."""
    with LoopbackChat("stolen") as other:
        away = ChatReply(status=307, headers={"Location": f"{other.base_url}/chat/completions"})
        with (
            LoopbackChat(away) as server,
            ChatCloud(CloudSpec(server.base_url, "small", KEY), sleep=no_pause) as cloud,
            pytest.raises(InputError, match="307"),
        ):
            cloud.answer(WHY)

    assert other.requests == []


def test_closing_closes_the_client() -> None:
    """A client that is handed over is closed with the rest."""
    client = httpx.Client()
    with ChatCloud(CloudSpec("https://host/v1", "small"), client):
        pass

    assert client.is_closed
