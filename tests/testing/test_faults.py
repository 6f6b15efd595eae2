"""Every fault does what its name says, streamed and whole, on every wire, and leaves nothing behind."""

import email.utils
import gc
import http.client
import json
import re
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecascade.testing import FAULTS, LoopbackCloud, fault
from edgecascade.testing.cloud_server import FAILED

Post = Callable[..., Any]
WIRES = ("openai", "anthropic", "gemini")
LAST = {"openai": b"[DONE]", "anthropic": b"message_stop", "gemini": b"finishReason"}
"""What a complete stream says in the end."""

both_ways = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
every_wire = pytest.mark.parametrize("wire", WIRES)

STATUSES = [name for name in FAULTS if name.startswith("status_")]
HANGS = [name for name in FAULTS if name.startswith("hangs_")]
DOORS = ["refuses", "self_signed", "plain_behind_https"]
TESTED = {
    *STATUSES, *HANGS, *DOORS, "closes_before_headers", "closes_in_the_middle", "ends_early", "turns_into_an_error",
    "wrong_length", "invalid_json", "invalid_utf8", "endless", "drips", "huge", "wrong_model", "empty",
    "redirects_to_itself", "redirects_elsewhere",
}  # fmt: skip


def test_no_fault_is_left_out() -> None:
    """The tests below cover the whole table."""
    assert set(FAULTS) == TESTED


def test_the_page_lists_every_fault() -> None:
    """The table in the documentation names exactly the faults that there are."""
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|([^|]*)\|", page.split("| Fault |")[1].split("\n\n")[0], re.MULTILINE)

    assert {name for row in rows for name in re.findall("`([^`]+)`", row)} == set(FAULTS)


@every_wire
@pytest.mark.parametrize("name", STATUSES)
def test_a_status_comes_in_the_providers_words(post: Post, wire: str, name: str) -> None:
    """The status of the name, a message where the provider has it, and then what else was scripted."""
    with FAULTS[name]("Paris.") as cloud:
        first, second = post(cloud, wire), post(cloud, wire)

    assert first.status == int(name.split("_")[1]) and first.json["error"]["message"] == "not now"
    assert second.status == 200


def test_retry_after_in_seconds_and_as_a_date(post: Post) -> None:
    """The header is there only where it was asked for; the date is as far behind the answer's own as it says."""
    headers = {}
    for name in ("status_429", "status_429_with_seconds", "status_429_for_an_hour", "status_429_with_a_date"):
        with FAULTS[name]() as cloud:
            headers[name] = post(cloud).headers

    assert [found.get("retry-after") for found in headers.values()][:3] == [None, "1", "3600"]
    date, until = (headers["status_429_with_a_date"][key] for key in ("date", "retry-after"))
    wait = email.utils.parsedate_to_datetime(until) - email.utils.parsedate_to_datetime(date)
    assert 0 <= wait.total_seconds() <= 2


@every_wire
@both_ways
@pytest.mark.parametrize("name", HANGS)
def test_a_reply_hangs_where_it_says(wire: str, stream: bool, name: str, ask_for: Any) -> None:
    """Nothing, only the headers, or a part of the body comes, and no more."""
    path, body = ask_for(wire, stream)
    with FAULTS[name]() as cloud:
        line = http.client.HTTPConnection(cloud.address.removeprefix("http://"), timeout=10)
        line.request("POST", path, json.dumps(body), {"anthropic-version": "2023-06-01"})
        held = cloud.wait_until_held(10)
        heard = line.sock.recv(65536) if name != "hangs_before_headers" else b""
        line.close()
        closed = cloud.wait_closed(10)

    assert held and closed and cloud.hung_up == 1 and LAST[wire] not in heard.partition(b"\r\n\r\n")[2][-20:]
    assert (b"200 OK" in heard) == (name != "hangs_before_headers")


@both_ways
def test_a_line_closed_before_the_headers(post: Post, stream: bool) -> None:
    """The client hears nothing at all."""
    with FAULTS["closes_before_headers"]() as cloud, pytest.raises(http.client.RemoteDisconnected):
        post(cloud, stream=stream)

    assert len(cloud.requests) == 1


@every_wire
@both_ways
@pytest.mark.parametrize("name", ["closes_in_the_middle", "wrong_length"])
def test_a_line_that_breaks(post: Post, wire: str, stream: bool, name: str) -> None:
    """Less arrives than was announced."""
    with FAULTS[name]() as cloud:
        heard = post(cloud, wire, stream=stream)

    assert heard.error and heard.status == 200
    assert (LAST[wire] in heard.body) == (name == "wrong_length") or not stream
    assert b"The" in heard.body or not stream


@every_wire
@both_ways
def test_an_answer_that_ends_early(post: Post, wire: str, stream: bool) -> None:
    """HTTP is in order, the answer is not: no last event, no valid JSON."""
    with FAULTS["ends_early"]() as cloud:
        heard = post(cloud, wire, stream=stream)

    assert heard.error is None and (b"capital" in heard.body or not stream)
    if stream:
        assert LAST[wire] not in heard.body
    else:
        with pytest.raises(json.JSONDecodeError):
            _ = heard.json


@every_wire
@both_ways
def test_an_answer_that_turns_into_an_error(post: Post, wire: str, stream: bool) -> None:
    """The status was 200; the error stands in the last event, or in the body."""
    with FAULTS["turns_into_an_error"]() as cloud:
        heard = post(cloud, wire, stream=stream)

    assert heard.status == 200 and (heard.events[-1][1] if stream else heard.json)["error"]["message"] == FAILED
    assert not stream or b"capital" in heard.body


@every_wire
@both_ways
@pytest.mark.parametrize(
    ("name", "error"), [("invalid_json", json.JSONDecodeError), ("invalid_utf8", UnicodeDecodeError)]
)
def test_bytes_that_are_no_answer(post: Post, wire: str, stream: bool, name: str, error: type[Exception]) -> None:
    """The body cannot be read; in a stream, the events before the last piece can."""
    with FAULTS[name]() as cloud:
        body = post(cloud, wire, stream=stream, limit=1_000_000).body
        pieces = [line[6:] for line in body.splitlines() if line.startswith(b"data: ") and b"[DONE]" not in line]

    with pytest.raises(error):
        [json.loads(piece.decode()) for piece in (pieces if stream else [body])]
    assert not stream or json.loads(pieces[0])


@every_wire
@both_ways
@pytest.mark.parametrize("name", ["endless", "huge"])
def test_more_than_anyone_wants(post: Post, wire: str, stream: bool, name: str) -> None:
    """Two megabytes are only the beginning, and the server notes that the client has had enough."""
    with FAULTS[name]() as cloud:
        heard = post(cloud, wire, stream=stream, limit=2_000_000)
        closed = cloud.wait_closed(10)

    assert len(heard.body) == 2_000_000 and closed and cloud.hung_up == 1
    assert (int(heard.headers.get("content-length", 0)) > 64 * 2**20) == (name == "huge" and not stream)


def test_the_huge_body_is_as_long_as_it_says(post: Post) -> None:
    """Its blocks make up the announced length exactly."""
    with LoopbackCloud(fault.huge(1_000_000)) as cloud:
        heard = post(cloud)

    assert heard.error is None and heard.json["choices"][0]["message"]["content"] == "x" * 1_000_000


@every_wire
@both_ways
def test_a_slow_drip_is_a_good_answer(post: Post, wire: str, stream: bool) -> None:
    """Byte by byte the whole answer comes."""
    with LoopbackCloud(fault.drips(1e-6)) as cloud:
        heard = post(cloud, wire, stream=stream)

    assert b"Paris." in heard.body and (LAST[wire] in heard.body or not stream)


@every_wire
@both_ways
def test_another_model_answers(post: Post, wire: str, stream: bool) -> None:
    """It says so itself."""
    with FAULTS["wrong_model"]() as cloud:
        heard = post(cloud, wire, stream=stream)

    assert b'"someone-else"' in heard.body and b'"m"' not in heard.body


@every_wire
@both_ways
def test_an_empty_answer(post: Post, wire: str, stream: bool) -> None:
    """There is no choice, no content and no candidate, in an answer that is in order otherwise."""
    with FAULTS["empty"]() as cloud:
        heard = post(cloud, wire, stream=stream)

    bodies = [body for _, body in heard.events if body != "[DONE]"] if stream else [heard.json]
    assert bodies and not any(body.get("choices") or body.get("content") or body.get("candidates") for body in bodies)
    assert b"text_delta" not in heard.body


@both_ways
@pytest.mark.parametrize(("name", "host"), [("redirects_to_itself", "127.0.0.1"), ("redirects_elsewhere", "localhost")])
def test_a_redirect(post: Post, stream: bool, name: str, host: str) -> None:
    """Whoever follows comes back to the same server, under the same name or another."""
    with FAULTS[name]() as cloud:
        heard = post(cloud, stream=stream)

    port = cloud.address.rsplit(":")[-1]
    assert (heard.status, heard.headers["location"]) == (307, f"http://{host}:{port}/v1/chat/completions")


def test_nothing_listens(post: Post) -> None:
    """The line is refused at once."""
    with FAULTS["refuses"]() as cloud, pytest.raises(ConnectionRefusedError):
        post(cloud)


@pytest.mark.parametrize("name", ["self_signed", "plain_behind_https"])
def test_tls_fails(name: str) -> None:
    """The address is https, and no handshake succeeds; no question gets through."""
    with FAULTS[name]() as cloud:
        line = http.client.HTTPSConnection(
            cloud.address.removeprefix("https://"), context=ssl.create_default_context(), timeout=10
        )
        with pytest.raises(ssl.SSLError):
            line.request("POST", "/v1/chat/completions", "{}")
        line.close()
        closed = cloud.wait_closed(10)

    assert closed and cloud.requests == []


@pytest.mark.parametrize("name", sorted(set(FAULTS) - set(DOORS) - set(HANGS) - {"closes_before_headers", "drips"}))
def test_nothing_is_left_behind(post: Post, name: str) -> None:
    """After the block every thread has ended and every line is closed, whatever went wrong in it."""
    before = threading.active_count()
    with FAULTS[name]() as cloud:
        post(cloud, stream=True, limit=1000)
    gc.collect()

    assert threading.active_count() == before and cloud.open_connections == 0
