"""Questions to a real server on loopback: every wire, every fault, cancelled at every phase, metered exactly once."""

import logging
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from edgecascade.cloud.breaker import Breaker
from edgecascade.cloud.client import CloudClient, CloudPool, Outgoing, Retries, Settled, Timeouts
from edgecascade.cloud.specs import CloudSpec, cloud_spec
from edgecascade.errors import BudgetError, ClosedError, CloudError, ConfigError, SchemaError
from edgecascade.records import Ending, Message, Question, Sampling, Token, Tool, ToolCall
from edgecascade.testing import FAULTS, LoopbackCloud, Reply, fault

KEY = "sk-secret"
TEXT = "The capital of France is Paris."
WIRES = ("openai", "anthropic", "gemini")
WHY = Question.of("Why?", system="Be brief.", sampling=Sampling(max_tokens=50))
SHORT = Timeouts(connect=0.2, first_byte=0.2, between=0.2)
AT_ONCE = Retries(pace=lambda seconds: 0.0)
LONG = 30.0
"""Seconds in which what a test waits for has long happened."""

SOON = 5.0
"""Seconds that are far below every time-out."""


@pytest.fixture
def pool() -> Iterator[CloudPool]:
    """A pool with the product's own time-outs, which does not pause between tries; no thread of it is left behind."""
    before = threading.enumerate()
    with CloudPool(retries=AT_ONCE) as opened:
        yield opened
    assert threading.enumerate() == before


def client_of(cloud: LoopbackCloud, pool: CloudPool, wire: str = "openai", **more: Any) -> CloudClient:
    """Return a client of the server."""
    return CloudClient(cloud_spec(cloud.spec(wire), cloud.environment), pool, **more)


def drained(stream: Generator[Token, None, Ending]) -> tuple[str, Ending]:
    """Return the whole text and the ending."""
    text = ""
    while True:
        try:
            text += next(stream).text
        except StopIteration as stop:
            return text, stop.value


def closed(line: socket.socket) -> bool:
    """Return whether the other side closes the line, after whatever it had said."""
    try:
        while line.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


class Bills:
    """A meter that keeps what it was told; with a limit it refuses further requests."""

    def __init__(self, most: int = 99) -> None:
        self.pairs: list[tuple[Outgoing, list[Settled]]] = []
        self.begun = threading.Event()
        self._most = most

    def __call__(self, outgoing: Outgoing) -> Callable[[Settled], None]:
        """Note a request."""
        if len(self.pairs) == self._most:
            raise BudgetError("the budget is gone")
        settled: list[Settled] = []
        self.pairs.append((outgoing, settled))
        self.begun.set()
        return settled.append

    @property
    def outcomes(self) -> list[str]:
        """How the requests ended; each must have ended once."""
        assert all(len(settled) == 1 for _, settled in self.pairs)
        return [settled[0].outcome for _, settled in self.pairs]


# An answer


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("streaming", [True, False])
def test_an_answer_comes_through(pool: CloudPool, wire: str, streaming: bool) -> None:
    """Text, usage and who served it are the same in each format, streamed or whole."""
    with LoopbackCloud(Reply(TEXT, usage=(7, 8))) as cloud:
        text, ending = drained(client_of(cloud, pool, wire, streaming=streaming).stream(WHY))

    assert text == TEXT and len(cloud.requests) == 1
    assert (ending.finish_reason, ending.prompt_tokens, ending.completion_tokens) == ("end", 7, 8)
    assert ending.usage_told and ending.served_by == "loopback" and ending.prefill_seconds > 0


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("streaming", [True, False])
def test_tool_calls_come_through(pool: CloudPool, wire: str, streaming: bool) -> None:
    """A call arrives whole with its arguments, and the ending says that one was asked for."""
    call = ToolCall("call_0", "weather", '{"city": "Zürich"}')
    question = Question(WHY.messages, tools=(Tool("weather", "", '{"type": "object"}'),))

    with LoopbackCloud(Reply("", tool_calls=(call,), finish="tool_calls")) as cloud:
        _, ending = drained(client_of(cloud, pool, wire, streaming=streaming).stream(question))

    (found,) = ending.tool_calls
    assert (found.name, found.arguments, ending.finish_reason) == (call.name, call.arguments, "tool_calls")


@pytest.mark.parametrize("wire", ["openai", "gemini"])
def test_probabilities_are_told_to_who_asks(pool: CloudPool, wire: str) -> None:
    """Only where alternatives are wanted, or always with ``logprobs=True``; else the pieces are untold."""
    with LoopbackCloud(Reply("a b", logprobs=-0.5)) as cloud:
        plain, always = (client_of(cloud, pool, wire, logprobs=asked) for asked in (False, True))
        streams = plain.stream(WHY), plain.stream(WHY, alternatives=2), always.stream(WHY)
        told = [[token.logprob for token in stream if token.told] for stream in streams]

    assert told == [[], [-0.5, -0.5], [-0.5, -0.5]]


def test_further_messages_follow_the_question(pool: CloudPool) -> None:
    """What is added for this call alone stands behind the question's own messages."""
    with LoopbackCloud("yes") as cloud:
        drained(client_of(cloud, pool).stream(WHY, extra_messages=(Message("assistant", "Because"),)))

    assert [row["content"] for row in cloud.requests[0].body["messages"]] == ["Be brief.", "Why?", "Because"]


@pytest.mark.parametrize("said", ["", "Zürich 東京 🙂"])
def test_answer_returns_the_text(pool: CloudPool, said: str) -> None:
    """One text, as it was said."""
    with LoopbackCloud(said) as cloud:
        assert client_of(cloud, pool).answer(WHY) == said


def test_a_refusal_to_answer_is_an_empty_answer(pool: CloudPool) -> None:
    """The question was answered with nothing: it is asked once, and does not end a long collection."""
    body = b'{"choices": [{"message": {"content": null, "refusal": "I cannot."}, "finish_reason": "stop"}]}'

    with LoopbackCloud(Reply(body=body)) as cloud:
        text, ending = drained(client_of(cloud, pool).stream(WHY))

    assert (text, ending.finish_reason, len(cloud.requests)) == ("", "filter", 1)


def test_answer_tells_a_refused_request_from_a_failure(pool: CloudPool) -> None:
    """What the server would refuse again is the caller's to mend; the rest is the network's."""
    with LoopbackCloud(fault.status(404)) as cloud, pytest.raises(ConfigError, match="404"):
        client_of(cloud, pool).answer(WHY)
    with LoopbackCloud(fault.status(500)) as cloud, pytest.raises(CloudError, match="500"):
        client_of(cloud, pool).answer(WHY)


def test_a_loaded_model_is_asked_for_once(pool: CloudPool) -> None:
    """Without a name the first model that the server lists answers; the look carries no content, and is not metered."""
    bills = Bills()
    with LoopbackCloud("yes", models=("loaded", "other")) as cloud:
        client = CloudClient(cloud_spec(cloud.base_url(), {}), pool)
        for _ in range(2):
            drained(client.stream(WHY, meter=bills))

    assert [request.path for request in cloud.requests] == ["/v1/models", *["/v1/chat/completions"] * 2]
    assert [outgoing.model for outgoing, _ in bills.pairs] == ["loaded", "loaded"]


def test_a_server_without_a_model_is_told(pool: CloudPool) -> None:
    """Nothing is asked of a server that has loaded nothing."""
    with LoopbackCloud("yes", models=()) as cloud, pytest.raises(CloudError, match="lists no model"):
        drained(CloudClient(cloud_spec(cloud.base_url(), {}), pool).stream(WHY))

    assert len(cloud.requests) == 1


def test_a_question_that_cannot_be_sent_is_not(pool: CloudPool) -> None:
    """A grammar is refused before anything leaves."""
    with LoopbackCloud("yes") as cloud, pytest.raises(SchemaError, match="grammar"):
        drained(client_of(cloud, pool).stream(Question.of("Why?", sampling=Sampling(grammar="root ::= [a]"))))

    assert cloud.requests == []


@pytest.mark.parametrize(
    ("said", "gone", "come"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", "max_tokens", "max_completion_tokens"),
        ("'temperature' does not support 0 with this model", "temperature", None),
        ("stream_options is not supported", "stream_options", None),
    ],
)
def test_a_field_that_is_refused_is_left_out_from_then_on(
    pool: CloudPool, said: str, gone: str, come: str | None
) -> None:
    """It is asked again once without it, and the next question does not try it again."""
    with LoopbackCloud(fault.status(400, said), "one", "two") as cloud:
        client = client_of(cloud, pool)
        texts = [client.answer(WHY), client.answer(WHY)]

    bodies = [request.body for request in cloud.requests]
    assert texts == ["one", "two"] and [gone in body for body in bodies] == [True, False, False]
    assert come is None or bodies[1][come] == 50


def test_a_server_that_stands_for_the_device_is_never_asked_with_other_sampling(pool: CloudPool) -> None:
    """Its promise holds for one sampling alone: the refusal is the error."""
    unknown = fault.status(400, "'temperature' does not support 0 with this model")
    with LoopbackCloud(unknown, "one") as cloud, pytest.raises(CloudError, match="temperature"):
        drained(client_of(cloud, pool, place="device").stream(WHY))

    assert len(cloud.requests) == 1


def test_a_field_is_refused_only_once(pool: CloudPool) -> None:
    """A server that says the same again is told to the caller."""
    bills = Bills()

    with LoopbackCloud(fault.status(400, "max_tokens is not supported")) as cloud, pytest.raises(CloudError):
        drained(client_of(cloud, pool).stream(WHY, meter=bills))

    assert bills.outcomes == ["refused", "refused"]


# Faults

STREAMED = {
    "refuses": "offline", "self_signed": "offline", "plain_behind_https": "offline",
    "status_400": "refused", "status_401": "key", "status_403": "key", "status_404": "refused",
    "status_429": "rate_limit", "status_429_with_seconds": "rate_limit", "status_429_with_a_date": "rate_limit",
    "status_429_for_an_hour": "rate_limit", "status_500": "server", "status_503_then_fine": "ok",
    "hangs_before_headers": "timeout", "hangs_after_headers": "timeout", "hangs_in_the_middle": "timeout",
    "closes_before_headers": "broken_off", "closes_in_the_middle": "broken_off", "ends_early": "broken_off",
    "turns_into_an_error": "broken_off", "wrong_length": "ok", "invalid_json": "protocol", "invalid_utf8": "protocol",
    "endless": "protocol", "drips": "ok", "huge": "protocol", "wrong_model": "ok", "empty": "protocol",
    "redirects_to_itself": "protocol", "redirects_elsewhere": "protocol",
}  # fmt: skip
WHOLE = STREAMED | {"turns_into_an_error": "server", "wrong_length": "broken_off", "ends_early": "protocol"}
"""What each fault ends in; a whole body of a wrong length is not known to be whole."""

PASSING = {"offline", "rate_limit", "server", "broken_off"}
ONCE = {"self_signed", "plain_behind_https", "status_429_for_an_hour"}
"""Asking these again would not help, though their code may pass."""


WAYS: list[tuple[str, bool, dict[str, str]]] = [
    ("openai", True, STREAMED),
    ("gemini", True, STREAMED),
    ("anthropic", False, WHOLE | {"empty": "ok"}),  # a message without content is an answer there
]


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize(("wire", "streaming", "outcomes"), WAYS, ids=[wire for wire, _, _ in WAYS])
def test_every_fault_has_one_outcome(name: str, wire: str, streaming: bool, outcomes: dict[str, str]) -> None:
    """It ends in time, in its stated way; each request is metered and settled once, and nothing stays open."""
    bills, shown, code = Bills(), "", "ok"
    timeouts = SHORT if "hangs" in name else None
    with FAULTS[name]() as cloud:
        with CloudPool(timeouts=timeouts, retries=AT_ONCE) as pool:
            try:
                for token in client_of(cloud, pool, wire, streaming=streaming).stream(WHY, meter=bills):
                    shown += token.text
            except CloudError as error:
                code = error.code
        assert cloud.wait_closed(LONG)

    tries = 3 if code in PASSING and not shown and name not in ONCE else 2 if name == "status_503_then_fine" else 1
    assert code == outcomes[name] == bills.outcomes[-1]
    assert len(bills.outcomes) == tries and len(cloud.requests) == (0 if code == "offline" else tries)


def test_every_fault_is_in_the_table() -> None:
    """A fault that is added must be given an outcome."""
    assert set(STREAMED) == set(FAULTS)


def test_who_sent_what(pool: CloudPool) -> None:
    """The meter knows host, size, sum, prompt and limit of each request before it leaves, and what came of it."""
    bills = Bills()
    with LoopbackCloud(fault.status(503), Reply(TEXT, usage=(7, 8))) as cloud:
        drained(client_of(cloud, pool).stream(WHY, meter=bills))

    for number, (request, (outgoing, _)) in enumerate(zip(cloud.requests, bills.pairs, strict=True), 1):
        assert (outgoing.host, outgoing.model) == (cloud.address.removeprefix("http://"), "loopback")
        assert (outgoing.size, outgoing.sha256, outgoing.attempt) == (request.size, request.sha256, number)
        assert (outgoing.prompt_bytes, outgoing.max_tokens) == (len("Be brief.Why?"), 50)
    (failed,), (good,) = (settled for _, settled in bills.pairs)
    assert (failed.outcome, failed.status, failed.prompt_tokens, failed.completion_tokens) == (
        "server",
        503,
        None,
        None,
    )
    assert (good.outcome, good.status, good.prompt_tokens, good.completion_tokens, good.told) == ("ok", 200, 7, 8, True)


@pytest.mark.parametrize("most", [0, 1])
def test_a_meter_that_refuses_keeps_the_request_here(pool: CloudPool, most: int) -> None:
    """Nothing is sent, a retry neither, and its own error reaches the caller."""
    bills = Bills(most)

    with LoopbackCloud(fault.status(503)) as cloud, pytest.raises(BudgetError, match="gone"):
        drained(client_of(cloud, pool).stream(WHY, meter=bills))

    assert len(cloud.requests) == most == len(bills.outcomes)


def test_the_tokens_before_a_break_are_kept(pool: CloudPool) -> None:
    """They were yielded; what was written is settled by its length, and no second request is made."""
    bills, shown = Bills(), ""

    with LoopbackCloud(fault.closes(2)) as cloud, pytest.raises(CloudError, match="whole answer") as broken:
        for token in client_of(cloud, pool).stream(WHY, meter=bills):
            shown += token.text

    assert (shown, broken.value.code, bills.outcomes) == ("The capital", "broken_off", ["broken_off"])
    ((_, (settled,)),) = bills.pairs
    assert (settled.completion_tokens, settled.told) == (3, False)


@pytest.mark.parametrize("echo", [f"Incorrect API key provided: {KEY}", f'{{"{KEY}": "{KEY}"}}'])
@pytest.mark.parametrize("wire", WIRES)
def test_the_key_is_not_shown(caplog: pytest.LogCaptureFixture, pool: CloudPool, wire: str, echo: str) -> None:
    """Neither a record, nor the log at its most talkative, nor an error that quotes the server repeats it."""
    caplog.set_level(logging.DEBUG)
    names = {f"{name}_API_KEY": KEY for name in ("OPENAI", "ANTHROPIC", "GEMINI")}
    with LoopbackCloud(fault.status(401, echo)) as cloud:
        client = CloudClient(cloud_spec(f"{wire}:m", cloud.environment | names), pool)
        with pytest.raises(CloudError) as refusal:
            drained(client.stream(WHY))

    assert KEY in str(cloud.requests[0].headers) and "***" in str(refusal.value)
    assert KEY not in f"{client!r} {client.name} {refusal.value!r} {caplog.text}"


def test_a_key_that_http_does_not_allow_is_not_quoted(pool: CloudPool) -> None:
    """A key with a line break in it is refused without a word of it."""
    with LoopbackCloud("yes") as cloud, pytest.raises(ConfigError) as refusal:
        drained(CloudClient(CloudSpec("openai", cloud.base_url(), "m", f"{KEY}\n{KEY}"), pool).stream(WHY))

    assert KEY not in repr(refusal.value) and cloud.requests == []


def test_a_redirect_does_not_carry_the_key_away(pool: CloudPool) -> None:
    """An address that leads elsewhere is told rather than followed."""
    with LoopbackCloud("stolen") as other, LoopbackCloud(fault.redirects(other.address)) as cloud:
        client = CloudClient(CloudSpec("openai", cloud.base_url(), "m", KEY), pool)
        with pytest.raises(CloudError, match="leads elsewhere"):
            drained(client.stream(WHY))

    assert other.requests == []


def asked_elsewhere(address: str, **environment: str) -> str:
    """Return what a process of its own prints that asks the server in another environment."""
    code = (
        "import sys\nfrom edgecascade.cloud.client import CloudClient\nfrom edgecascade.cloud.specs import CloudSpec\n"
        "from edgecascade.errors import EdgeCascadeError\nfrom edgecascade.records import Question\n"
        "with CloudClient(CloudSpec('openai', sys.argv[1], 'm')) as client:\n"
        "    try:\n        print(client.answer(Question.of('Why?')))\n"
        "    except EdgeCascadeError as error:\n        print(error)\n"
    )
    run = [sys.executable, "-c", code, address]
    return subprocess.run(run, env=os.environ | environment, capture_output=True, text=True, check=True).stdout


def test_a_proxy_does_not_read_what_stays_here() -> None:
    """A server on this machine is asked directly, whatever proxy the environment names."""
    with LoopbackCloud("yes") as cloud, LoopbackCloud("proxied") as proxy:
        said = asked_elsewhere(cloud.base_url(), HTTP_PROXY=proxy.address, ALL_PROXY=proxy.address)

    assert said == "yes\n" and proxy.requests == []


def test_bad_network_settings_are_told() -> None:
    """A proxy that is no address is our error, in the thread that asks."""
    assert "network settings" in asked_elsewhere("https://host/v1", ALL_PROXY="nonsense://host")


# Time


def test_the_server_says_when_to_ask_again() -> None:
    """The pause is Retry-After's, and the jitter's where nothing is said."""
    pauses: list[float] = []
    retries = Retries(draw=lambda: 1.0, pace=lambda seconds: pauses.append(seconds) or 0.0)  # type: ignore[func-returns-value]

    with (
        LoopbackCloud(fault.status(429, retry_after=7), fault.status(503), "yes") as cloud,
        CloudPool(retries=retries) as pool,
    ):
        text = client_of(cloud, pool).answer(WHY)

    assert (text, pauses) == ("yes", [7.0, 1.0])


def test_a_pause_is_real() -> None:
    """What the server asks for is waited for."""
    with LoopbackCloud(fault.status(429, retry_after=0.05), "yes") as cloud, CloudPool() as pool:
        bills, started = Bills(), time.perf_counter()
        drained(client_of(cloud, pool).stream(WHY, meter=bills))

    assert bills.outcomes == ["rate_limit", "ok"] and time.perf_counter() - started >= 0.05


def test_no_pause_goes_past_the_deadline(pool: CloudPool) -> None:
    """Where the next try would come too late, the last reason is told at once."""
    with LoopbackCloud(fault.status(429, retry_after=50)) as cloud, pytest.raises(CloudError) as late:
        drained(client_of(cloud, pool).stream(WHY, deadline=time.monotonic() + 40))

    assert late.value.code == "rate_limit" and len(cloud.requests) == 1


@pytest.mark.parametrize("after", [None, 0, 2])
def test_the_deadline_holds_in_every_phase(pool: CloudPool, after: int | None) -> None:
    """Before headers, before the first word and in the middle it ends the question, and closes its line."""
    with LoopbackCloud(fault.hangs(after)) as cloud:
        with pytest.raises(CloudError) as late:
            drained(client_of(cloud, pool).stream(WHY, deadline=time.monotonic() + 0.2))
        assert cloud.wait_closed(LONG)

    assert late.value.code == "deadline" and len(cloud.requests) == 1


def test_a_stream_of_nothing_ends() -> None:
    """A server that sends signs of life for ever, and never a word, is given up."""
    quiet = Reply("", body=b": ping\n\n" * 1000, headers={"Content-Type": "text/event-stream"}, drip=0.001)

    with (
        LoopbackCloud(quiet) as cloud,
        CloudPool(timeouts=Timeouts(silent=0.1), retries=Retries(tries=1)) as pool,
        pytest.raises(CloudError) as ended,
    ):
        drained(client_of(cloud, pool).stream(WHY))

    assert ended.value.code == "timeout"


def test_an_open_breaker_is_not_asked(pool: CloudPool) -> None:
    """After five failures in a row the host is left alone, and nothing is metered."""
    bills = Bills()
    with LoopbackCloud(fault.status(500)) as cloud:
        codes = []
        for _ in range(3):
            with pytest.raises(CloudError) as failed:
                drained(client_of(cloud, pool).stream(WHY, meter=bills))
            codes.append(failed.value.code)

    assert codes == ["server", "breaker", "breaker"] and len(cloud.requests) == 5 == len(bills.outcomes)


def test_a_breaker_that_is_shared_lets_one_probe_through() -> None:
    """A host that is back answers the probe, and then all."""
    now = [0.0]
    breaker = Breaker(lambda: now[0], failures=1)
    with LoopbackCloud(fault.status(500), "yes") as cloud, CloudPool(breaker=breaker, retries=Retries(tries=1)) as pool:
        with pytest.raises(CloudError, match="500"):
            client_of(cloud, pool).answer(WHY)
        now[0] = 30.0
        texts = [client_of(cloud, pool).answer(WHY) for _ in range(2)]

    assert texts == ["yes", "yes"]


# Cancelling


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("after", "kept"), [(None, ""), (0, ""), (2, "The capital")])
def test_cancel_closes_the_line(pool: CloudPool, wire: str, after: int | None, kept: str) -> None:
    """Before headers, before the first word and in the middle: at once, settled with what was sent, no error."""
    cancel, bills = threading.Event(), Bills()
    with LoopbackCloud(fault.hangs(after)) as cloud, ThreadPoolExecutor() as threads:
        running = threads.submit(drained, client_of(cloud, pool, wire).stream(WHY, cancel=cancel, meter=bills))
        assert cloud.wait_until_held(LONG)
        cancel.set()
        text, ending = running.result(LONG)
        assert cloud.wait_closed(SOON)

    assert kept.startswith(text) and ending.finish_reason == "cancelled" and bills.outcomes == ["cancelled"]
    ((_, (settled,)),) = bills.pairs
    assert settled.prompt_tokens and (ending.prompt_tokens, ending.completion_tokens) == (
        settled.prompt_tokens,
        settled.completion_tokens,
    )


def test_cancel_while_connecting(pool: CloudPool) -> None:
    """A server whose queue is full is left, and is owed nothing."""
    cancel, bills = threading.Event(), Bills()
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_connection(full.getsockname()),
        ThreadPoolExecutor() as threads,
    ):
        spec = CloudSpec("openai", f"http://127.0.0.1:{full.getsockname()[1]}/v1", "m")
        running = threads.submit(drained, CloudClient(spec, pool).stream(WHY, cancel=cancel, meter=bills))
        assert bills.begun.wait(LONG)
        cancel.set()
        _, ending = running.result(SOON)

    ((_, (settled,)),) = bills.pairs
    assert ending.finish_reason == "cancelled" and (settled.outcome, settled.prompt_tokens) == ("cancelled", None)


def test_cancel_during_the_tls_handshake(pool: CloudPool) -> None:
    """A server that never answers the greeting is left, and is owed nothing: the question had not been sent."""
    cancel, bills = threading.Event(), Bills()
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor() as threads:
        silent.settimeout(LONG)
        spec = CloudSpec("openai", f"https://127.0.0.1:{silent.getsockname()[1]}/v1", "m")
        running = threads.submit(drained, CloudClient(spec, pool).stream(WHY, cancel=cancel, meter=bills))
        line, _ = silent.accept()
        with line:
            line.settimeout(LONG)
            assert line.recv(1)
            cancel.set()
            _, ending = running.result(LONG)
            assert closed(line)

    ((_, (settled,)),) = bills.pairs
    assert ending.finish_reason == "cancelled" and (settled.outcome, settled.prompt_tokens) == ("cancelled", None)


def test_a_tls_handshake_that_takes_too_long_is_closed() -> None:
    """A server that accepts and says nothing was not reached, and no line to it stays open."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        CloudPool(timeouts=SHORT, retries=Retries(tries=1)) as pool,
    ):
        spec = CloudSpec("openai", f"https://127.0.0.1:{silent.getsockname()[1]}/v1", "m")
        with pytest.raises(CloudError) as late:
            drained(CloudClient(spec, pool).stream(WHY))
        line, _ = silent.accept()
        with line:
            line.settimeout(LONG)
            assert closed(line)

    assert late.value.code == "offline"


def test_cancel_during_a_pause() -> None:
    """No sleep before the next try outlives it."""
    cancel, bills = threading.Event(), Bills()
    retries = Retries(pace=lambda seconds: cancel.set() or LONG)  # type: ignore[func-returns-value]

    with LoopbackCloud(fault.status(503)) as cloud, CloudPool(retries=retries) as pool:
        _, ending = drained(client_of(cloud, pool).stream(WHY, cancel=cancel, meter=bills))

    assert ending.finish_reason == "cancelled" and bills.outcomes == ["server"]


def test_cancelled_before_it_began(pool: CloudPool) -> None:
    """Nothing is sent."""
    cancel = threading.Event()
    cancel.set()

    with LoopbackCloud("yes") as cloud:
        text, ending = drained(client_of(cloud, pool).stream(WHY, cancel=cancel))

    assert (text, ending.finish_reason, cloud.requests) == ("", "cancelled", [])


def test_closing_the_generator_closes_the_line(pool: CloudPool) -> None:
    """Who stops reading owes for what came, and no connection stays open."""
    bills = Bills()
    with LoopbackCloud(fault.hangs(2)) as cloud:
        stream = client_of(cloud, pool).stream(WHY, meter=bills)
        next(stream)
        stream.close()
        assert cloud.wait_closed(LONG)

    assert bills.outcomes == ["cancelled"]


def test_closing_the_pool_ends_a_question(pool: CloudPool) -> None:
    """A thread that waits is told, its request is settled, and the pool takes no further question."""
    bills = Bills()
    with LoopbackCloud(fault.hangs(2)) as cloud, ThreadPoolExecutor() as threads:
        client = client_of(cloud, pool)
        running = threads.submit(drained, client.stream(WHY, meter=bills))
        assert cloud.wait_until_held(LONG)
        pool.close()
        assert cloud.wait_closed(LONG)
        with pytest.raises(CloudError) as ended:
            running.result(LONG)
        with pytest.raises(ClosedError):
            client.answer(WHY)

    assert ended.value.code == "cancelled" and bills.outcomes == ["cancelled"]


def test_a_question_that_waits_in_its_reader_is_settled_after_the_pool(pool: CloudPool) -> None:
    """A generator that was left half-way and outlives the pool settles when it is closed."""
    bills = Bills()
    with LoopbackCloud(fault.hangs(2)) as cloud:
        stream = client_of(cloud, pool).stream(WHY, meter=bills)
        next(stream)
        pool.close()
        stream.close()

    assert bills.outcomes == ["cancelled"]


# Threads and connections


def test_two_questions_stream_at_once(pool: CloudPool) -> None:
    """Neither waits for the other: both have begun before either has ended."""
    with LoopbackCloud(fault.hangs(2)) as cloud, ThreadPoolExecutor() as threads:
        client, both, cancel = client_of(cloud, pool), threading.Barrier(2, timeout=LONG), threading.Event()

        def ask() -> str:
            stream = client.stream(WHY, cancel=cancel)
            next(stream)
            both.wait()
            cancel.set()
            return drained(stream)[1].finish_reason

        found = [running.result(LONG) for running in [threads.submit(ask) for _ in range(2)]]

    assert found == ["cancelled", "cancelled"]


def test_many_questions_of_many_threads(pool: CloudPool) -> None:
    """Each gets its own answer, and every request is settled."""
    bills = Bills()
    with LoopbackCloud(answer=lambda messages: messages[-1]["content"]) as cloud:
        client = client_of(cloud, pool)

        def ask(number: int) -> str:
            question = Question.of(f"question {number}")
            return drained(client.stream(question, meter=bills))[0]

        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(ask, range(64)))

    assert found == [f"question {number}" for number in range(64)] and bills.outcomes == ["ok"] * 64


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("streaming", [True, False])
def test_a_connection_is_used_again(pool: CloudPool, wire: str, streaming: bool) -> None:
    """Questions one after the other share a line, and it is closed with the pool."""
    with LoopbackCloud("yes") as cloud:
        client = client_of(cloud, pool, wire, streaming=streaming)
        for _ in range(3):
            drained(client.stream(WHY))
        assert cloud.open_connections == 1
        pool.close()
        assert cloud.wait_closed(LONG)


def test_a_client_with_its_own_pool_closes_it() -> None:
    """Neither a thread nor a connection is left; before the first question there is none."""
    before = threading.enumerate()
    with LoopbackCloud("yes") as cloud:
        serving = threading.enumerate()
        with CloudClient(cloud_spec(cloud.spec(), {})) as client:
            assert threading.enumerate() == serving
            client.answer(WHY)
        assert cloud.wait_closed(LONG)

    assert threading.enumerate() == before


def test_a_given_client_is_used_and_closed() -> None:
    """What the app set up, its transport and its headers, is what is asked with."""
    seen: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"choices": [{"message": {"content": "yes"}}]})

    given = httpx.AsyncClient(transport=httpx.MockTransport(reply), headers={"X-App": "mine"})
    with CloudPool(given) as pool:
        text = CloudClient(CloudSpec("openai", "https://host/v1", "m"), pool).answer(WHY)

    assert text == "yes" and seen[0].headers["x-app"] == "mine" and given.is_closed


def test_any_end_at_any_moment_is_settled_once(pool: CloudPool) -> None:
    """Closed after any number of tokens, or cancelled from another thread at any moment: one settlement a request."""
    draw, bills = random.Random(1), Bills()
    with LoopbackCloud(TEXT) as cloud:
        client = client_of(cloud, pool)
        for _ in range(100):
            cancel = threading.Event()
            stream = client.stream(WHY, meter=bills, cancel=cancel)
            for _ in range(draw.randrange(6)):
                next(stream)
            if draw.random() < 0.5:
                cancel.set()
                drained(stream)
            stream.close()

    assert set(bills.outcomes) <= {"ok", "cancelled"}
