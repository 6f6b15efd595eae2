"""The loopback cloud keeps its script, notes what it is asked, and leaves nothing behind."""

import gc
import hashlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from edgecascade.testing import CERTIFICATE, LoopbackCloud, Reply, fault

Post = Callable[..., Any]
AskFor = Callable[[str, bool], tuple[str, dict[str, Any]]]


def said(heard: Any) -> str:
    """The text of a whole OpenAI answer."""
    return str(heard.json["choices"][0]["message"]["content"])


def hanging(cloud: LoopbackCloud, ask_for: AskFor) -> socket.socket:
    """A line on which a streamed question was asked, that hangs."""
    path, body = ask_for("openai", True)
    sent = json.dumps(body).encode()
    host, port = cloud.address.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)), timeout=10)
    line.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent)
    assert cloud.wait_until_held(10)
    return line


def test_a_reply_a_question_and_the_last_for_ever(post: Post) -> None:
    """The script is followed in order."""
    with LoopbackCloud("one", Reply("two"), "three") as cloud:
        found = [said(post(cloud)) for _ in range(4)]

    assert found == ["one", "two", "three", "three"]


def test_a_cloud_needs_something_to_say() -> None:
    """An empty script is refused when it is made."""
    with pytest.raises(ValueError, match="nothing to say"):
        LoopbackCloud()


def test_logprobs_must_fit_the_pieces() -> None:
    """One for each token, or one for all."""
    with pytest.raises(ValueError, match="2 logprobs for 3 pieces"):
        Reply("It is Paris.", logprobs=(-0.1, -0.2))


def test_requests_are_noted_byte_for_byte(post: Post) -> None:
    """Path with query, headers in lower case, the parsed body, its size and its checksum."""
    with LoopbackCloud("Paris.") as cloud:
        post(cloud, "gemini", stream=True)
        (request,) = cloud.requests

    sent = json.dumps(request.body).encode()
    assert request.path == "/v1beta/models/m:streamGenerateContent?alt=sse"
    assert request.headers["content-length"] == str(request.size) == str(len(sent))
    assert request.sha256 == hashlib.sha256(sent).hexdigest()


def test_the_addresses_fit_each_provider() -> None:
    """The base addresses are those that the providers' own libraries take."""
    with LoopbackCloud("Paris.") as cloud:
        environment, address = cloud.environment, cloud.address
        specs = [cloud.spec(wire, "m") for wire in ("openai", "anthropic", "gemini")]

    assert environment["OPENAI_BASE_URL"] == f"{address}/v1" and environment["ANTHROPIC_BASE_URL"] == address
    assert environment["GEMINI_BASE_URL"] == environment["GOOGLE_GEMINI_BASE_URL"] == address
    assert specs == [f"{address}/v1#m", "anthropic:m", "gemini:m"]


def test_models_are_listed() -> None:
    """Under the address of each provider that has a list; any other address is 404."""
    with LoopbackCloud("Paris.", models=("small", "large")) as cloud:
        line = http.client.HTTPConnection(cloud.address.removeprefix("http://"))
        found = []
        for path in ("/v1/models", "/v1beta/models", "/v2"):
            line.request("GET", path)
            answer = line.getresponse()
            found.append((answer.status, json.loads(answer.read())))
        line.close()

    assert [each["id"] for each in found[0][1]["data"]] == ["small", "large"]
    assert found[1][1]["models"] == [{"name": "models/small"}, {"name": "models/large"}] and found[2][0] == 404


@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_model_behind_the_server(post: Post, wire: str, stream: bool) -> None:
    """It is given the messages alike from every wire, and may answer in pieces."""
    given: list[list[Mapping[str, str]]] = []

    def answer(messages: list[Mapping[str, str]]) -> Iterator[str]:
        given.append(messages)
        yield from ("It is", " Zürich.")

    with LoopbackCloud(answer=answer) as cloud:
        heard = post(cloud, wire, stream=stream)

    assert given == [[{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi there"}]]
    assert b"It is" in heard.body and " Zürich.".encode() in heard.body


def test_a_model_behind_the_server_stops_when_nobody_listens(post: Post) -> None:
    """Its pieces are closed when the client has left."""
    closed = threading.Event()

    def answer(messages: list[Mapping[str, str]]) -> Iterator[str]:
        try:
            while True:
                yield "again "
        finally:
            closed.set()

    with LoopbackCloud(answer=answer) as cloud:
        post(cloud, stream=True, limit=1000)
        found = closed.wait(10)

    assert found and cloud.hung_up == 1


def test_content_in_parts_is_read() -> None:
    """Texts of a list of parts are joined, and calls without a text are no text."""
    given: list[list[Mapping[str, str]]] = []
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "Hi "}, {"type": "text", "text": "there"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
    ]
    with LoopbackCloud(answer=lambda messages: given.append(messages) or "Paris.") as cloud:
        line = http.client.HTTPConnection(cloud.address.removeprefix("http://"))
        line.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "messages": turns}))
        line.getresponse().read()
        line.close()

    assert [message["content"] for message in given[0]] == ["Hi there", ""]


def test_many_clients_at_once(post: Post) -> None:
    """Each reply of the script is given exactly once."""
    texts = [str(number) for number in range(64)]
    with LoopbackCloud(*texts) as cloud, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: said(post(cloud)), texts))

    assert sorted(found) == sorted(texts) and len(cloud.requests) == 64


def test_a_line_serves_several_questions(ask_for: AskFor) -> None:
    """A connection is kept open after a reply, streamed or whole, and known to be."""
    with LoopbackCloud("Paris.") as cloud:
        line = http.client.HTTPConnection(cloud.address.removeprefix("http://"), timeout=10)
        for stream in (True, False, True):
            path, body = ask_for("openai", stream)
            line.request("POST", path, json.dumps(body))
            line.getresponse().read()
        kept = cloud.open_connections
        line.close()
        closed = cloud.wait_closed(10)

    assert (kept, closed, cloud.open_connections, cloud.hung_up) == (1, True, 0, 0)


@pytest.mark.parametrize("after", [None, 0, 2])
def test_who_leaves_in_the_middle_is_noted(ask_for: AskFor, after: int | None) -> None:
    """A client that closes its line while the reply hangs is counted, and its connection is closed at once."""
    with LoopbackCloud(fault.hangs(after)) as cloud:
        line = hanging(cloud, ask_for)
        open_before = cloud.open_connections
        line.close()
        closed = cloud.wait_closed(10)

    assert (open_before, closed, cloud.hung_up) == (1, True, 1)


def test_what_hangs_goes_on_when_released(ask_for: AskFor) -> None:
    """After release() the rest of the reply comes."""
    with LoopbackCloud(fault.hangs(2)) as cloud:
        line = hanging(cloud, ask_for)
        cloud.release()
        rest = b""
        while b"[DONE]" not in rest:
            rest += line.recv(65536)
        line.close()

    assert b"Paris." in rest and cloud.hung_up == 0


@pytest.mark.parametrize("after", [None, 0, 2])
def test_leaving_ends_what_hangs(ask_for: AskFor, after: int | None) -> None:
    """The server closes its lines and ends its threads, though nobody released it and no client left."""
    before = threading.active_count()
    with LoopbackCloud(fault.hangs(after)) as cloud:
        line = hanging(cloud, ask_for)
    line.settimeout(10)
    while line.recv(65536):
        pass
    line.close()
    gc.collect()

    assert threading.active_count() == before and (cloud.open_connections, cloud.hung_up) == (0, 0)


def test_an_idle_line_does_not_keep_the_server(ask_for: AskFor) -> None:
    """A line that is kept open for the next question is closed when the cloud is left."""
    path, body = ask_for("openai", False)
    with LoopbackCloud("Paris.") as cloud:
        line = http.client.HTTPConnection(cloud.address.removeprefix("http://"), timeout=10)
        line.request("POST", path, json.dumps(body))
        line.getresponse().read()

    assert line.sock.recv(1) == b""
    line.close()


def test_https_works_for_who_trusts_the_certificate(ask_for: AskFor) -> None:
    """Behind the self-signed door is the same server."""
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    path, body = ask_for("openai", True)
    with LoopbackCloud("Paris.", door="self_signed") as cloud:
        line = http.client.HTTPSConnection(cloud.address.removeprefix("https://"), context=trusting, timeout=10)
        line.request("POST", path, json.dumps(body))
        found = line.getresponse().read()
        line.close()
        closed = cloud.wait_closed(10)

    assert b"Paris." in found and closed
