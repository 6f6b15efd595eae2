"""One cloud model as a tier: a question in, tokens out, whatever the wire format.

What may pass is asked again before the first token, never after it: the caller has the tokens, and decides.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Self

import httpx

from edgecascade.cloud import anthropic, gemini, openai
from edgecascade.cloud.calls import Meter, Outgoing, Settled
from edgecascade.cloud.exchange import Exchange, Timeouts, spent
from edgecascade.cloud.loaded import loaded_model
from edgecascade.cloud.pool import Call, CloudPool
from edgecascade.cloud.reading import Reading
from edgecascade.cloud.refusals import UnsuitedError
from edgecascade.cloud.retry import Retries, attempts
from edgecascade.cloud.specs import CloudSpec, Wire
from edgecascade.cloud.wire import TOP, Codec, Json, prompt_bytes
from edgecascade.errors import CloudError, ConfigError
from edgecascade.records import Ending, Message, Place, Question, Token

__all__ = ["CloudClient", "CloudPool", "Meter", "Outgoing", "Retries", "Settled", "Timeouts"]

SAMPLED = frozenset(("temperature", "top_p", "top_k", "topk", "seed"))
"""What changes which answer is written: a server that stands for the device must know it, or its promise is void."""

CODECS: dict[Wire, Codec] = {"openai": openai, "anthropic": anthropic, "gemini": gemini}


def unmetered(outgoing: Outgoing) -> Callable[[Settled], None]:
    """Stand for no meter at all."""
    return lambda settled: None


class CloudClient:
    """One model over a pool of connections; a pool of its own is closed with it. Safe to use from several threads.

    A field that the server says it does not know (``temperature`` of some models, log-probabilities) is left out, or
    sent under its other name, from then on.

    place      "device" for a server that stands for the local tier: sampling that it does not know is an error there
    logprobs   ask for log-probabilities always, not only where alternatives are wanted
    streaming  False: each answer comes in one piece
    retries    other rules than the pool's
    """

    load_seconds = 0.0

    def __init__(
        self,
        spec: CloudSpec,
        pool: CloudPool | None = None,
        *,
        place: Place = "cloud",
        logprobs: bool = False,
        streaming: bool = True,
        retries: Retries | None = None,
    ) -> None:
        self.spec, self.name, self.place = spec, spec.name or spec.model, place
        self.host = httpx.URL(spec.base_url).netloc.decode()
        self._pool, self._owned = pool or CloudPool(), pool is None
        self._logprobs, self._streaming = logprobs, streaming
        self._retries = retries or self._pool.retries
        self._codec = CODECS[spec.wire]
        # What was learned of the server; only the loop writes it.
        self._model, self._unknown = spec.model, frozenset[str]()

    def __repr__(self) -> str:
        return f"CloudClient({self.spec!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are its own."""
        if self._owned:
            self._pool.close()

    def down_for(self) -> float:
        """Return the seconds for which the server is left alone after its failures; 0 where it would be asked."""
        return self._pool.breaker.left_alone(self.host)

    def answer(self, question: Question, *, meter: Meter | None = None) -> str:
        """Return the answer's text, "" where the model or a filter refuses to give one: asked again, it would again.

        ConfigError: the server refuses the request, and would again. CloudError: no answer came, or none that is one.
        """
        try:
            return "".join(token.text for token in self.stream(question, meter=meter))
        except CloudError as error:
            if error.code in ("key", "refused"):
                raise ConfigError(str(error)) from error
            raise

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        meter: Meter | None = None,
        deadline: float | None = None,
        extra_messages: tuple[Message, ...] = (),
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended; "cancelled" once ``cancel`` is set.

        ``cancel`` is looked at while a token is waited for; ``deadline`` is a ``time.monotonic``; ``extra_messages``
        follow the question's own; ``hidden`` states no cloud tells. ``meter`` runs on the thread that reads, and what
        it raises comes through. CloudError: see its codes; "broken_off", "timeout" and "protocol" may come after
        tokens. SchemaError: the question has a grammar, or a schema that is none.
        """
        asked = replace(question, messages=(*question.messages, *extra_messages)) if extra_messages else question
        errand = _Errand(asked, alternatives, deadline, time.perf_counter(), prompt_bytes(asked))
        call = self._pool.call(lambda call: self._ask(call, errand))
        bill = _Bill(meter or unmetered)
        try:
            while (message := call.take(cancel)) is not None:
                if isinstance(message, Outgoing):
                    bill.open(message)
                    call.go()
                elif isinstance(message, Settled):
                    bill.settle(message)
                elif isinstance(message, Token):
                    yield message
                elif isinstance(message, Ending):
                    return message
        finally:
            for left in call.stop():
                if isinstance(left, Settled):
                    bill.settle(left)
            bill.settle(bill.last)  # for a loop that has ended without a word
        return bill.cancelled(time.perf_counter() - errand.started)

    # What follows runs on the loop.

    async def _ask(self, call: Call, errand: "_Errand") -> Ending:
        """Ask until there is an answer, or no sense in asking again."""
        number = 0
        async for attempt in attempts(self._retries, errand.deadline):
            with attempt:
                while True:
                    number, left_out = number + 1, self._unknown
                    try:
                        return await self._once(call, errand, number)
                    except UnsuitedError as error:
                        if error.field in left_out or (self.place == "device" and error.field in SAMPLED):
                            raise
                        self._unknown |= {error.field}  # each field once, so this ends
        raise AssertionError("stamina raises the last error")

    async def _once(self, call: Call, errand: "_Errand", number: int) -> Ending:
        """Send one request: the breaker lets it through, the meter notes it, and both learn how it ended."""
        self._pass_breaker()
        exchange = Exchange(self.spec, self._codec, self._pool.timeouts, deadline=errand.deadline, say=call.post)
        outcome, outgoing, sent_at = "cancelled", None, time.perf_counter()
        try:
            if not self._model:
                self._model = await loaded_model(self._pool.client, self.spec, seconds=self._patience(errand))
            request, outgoing = self._request(errand, number)
            await call.ask(outgoing)
            sent_at = time.perf_counter()
            ending = await exchange.run(self._pool.client, request, lambda sse: self._reading(errand, sse=sse))
            outcome = "ok"
            return ending
        except CloudError as error:
            outcome = error.code
            raise
        except ConfigError:
            outcome = "refused"
            raise
        finally:
            late = errand.deadline is not None and time.monotonic() >= errand.deadline
            self._pool.breaker.settle(self.host, "cancelled" if late else outcome)  # who is in a hurry proves nothing
            if outgoing is not None:
                read, written, told = spent(exchange, errand.prompt_bytes)
                seconds = time.perf_counter() - sent_at
                call.post(Settled(outcome, read, written, seconds, exchange.status, told))

    def _pass_breaker(self) -> None:
        wait = self._pool.breaker.wait(self.host)
        if wait > 0:
            raise CloudError(
                f"{self.spec.base_url} is not asked now: it failed too often just before, wanted an answer; it is "
                f"asked again in {wait:.0f} s",
                code="breaker",
            )

    def _patience(self, errand: "_Errand") -> float:
        """Return the seconds that a look at the server may take."""
        timeouts = self._pool.timeouts
        longest = timeouts.connect + timeouts.between
        return longest if errand.deadline is None else min(longest, errand.deadline - time.monotonic())

    def _request(self, errand: "_Errand", number: int) -> tuple[httpx.Request, Outgoing]:
        logprobs = max(errand.alternatives, TOP if self._logprobs else 0)
        spec = replace(self.spec, model=self._model)
        posted = self._codec.request(errand.question, spec, stream=self._streaming, alternatives=logprobs)
        body = posted.body
        for field in sorted(self._unknown):
            body = self._codec.MENDS[field](body)
        content = _bytes(body)
        request = self._pool.client.build_request(
            "POST",
            self.spec.base_url + posted.path,
            content=content,
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity", **posted.headers},
        )
        digest = hashlib.sha256(content).hexdigest()
        longest = errand.question.sampling.max_tokens
        return request, Outgoing(self.host, self._model, len(content), digest, errand.prompt_bytes, longest, number)

    def _reading(self, errand: "_Errand", *, sse: bool) -> Reading:
        return Reading(
            self._codec,
            sse=sse,
            prompt_bytes=errand.prompt_bytes,
            max_tokens=errand.question.sampling.max_tokens,
            alternatives=errand.alternatives,
            started=errand.started,
        )


@dataclass(frozen=True, slots=True)
class _Errand:
    """A question with what was asked for beside it; ``started`` is a ``time.perf_counter``."""

    question: Question
    alternatives: int
    deadline: float | None
    started: float
    prompt_bytes: int


class _Bill:
    """The meter's side of one question: what is open is settled once."""

    def __init__(self, meter: Meter) -> None:
        self.last = Settled("cancelled", None, None, 0.0, None, told=False)
        self._meter = meter
        self._settle: Callable[[Settled], None] | None = None

    def open(self, outgoing: Outgoing) -> None:
        self._settle = self._meter(outgoing)

    def settle(self, settled: Settled) -> None:
        settle, self._settle = self._settle, None
        if settle is not None:
            self.last = settled
            settle(settled)

    def cancelled(self, seconds: float) -> Ending:
        read, written = self.last.prompt_tokens or 0, self.last.completion_tokens or 0
        return Ending("cancelled", read, written, 0, seconds, usage_told=self.last.told)


def _bytes(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
