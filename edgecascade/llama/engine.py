"""A loaded model that answers: one generator of tokens, with what the model thought of each.

The prompt is read in chunks that begin at fixed multiples of ``settings.chunk``, and only whole chunks are kept for the
next question. Logits depend on the shape of the batch that computed them, so this is what makes an answer bit-identical
with and without reuse: what was calibrated is what is served. The price is at most one chunk of re-reading, and the
re-reading of the previous answer, which was written token by token.

    sequence 0        the conversation: the prompt, then the answer being written
    sequences 1 ..    further samples of the same prompt, or a question asked aside; dropped afterwards
"""

import secrets
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np

from edgecascade.errors import ClosedError, ContextLengthError, EngineBusyError, SamplingError
from edgecascade.llama.chat_template import ChatTemplate, template_of
from edgecascade.llama.context import Context
from edgecascade.llama.sampling import Sampler
from edgecascade.llama.settings import EngineSettings
from edgecascade.llama.text import TextAssembler
from edgecascade.llama.vocabulary import Vocabulary
from edgecascade.numerics import LogitMeter, Reading, Row
from edgecascade.records import Alternative, Ending, FinishReason, HiddenStates, Message, Question, Sampling, Token

MAIN, ASIDE = 0, 1
ASIDE_TOKENS = 64
POLL_SECONDS = 0.05

Stop = Callable[[], bool]


@dataclass(slots=True)
class _Writer:
    """One sequence while it writes its answer."""

    sequence: int
    position: int
    limit: int
    row: int
    sampler: Sampler
    text: TextAssembler
    written: int = 0
    token: int = -1
    finish: FinishReason | None = None
    hidden: list[Row] = field(default_factory=list)


class Engine:
    """One model and one context. Threads wait their turn; ``close()`` it, or use it in ``with``."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        """Load the model file; raises NativeLibraryError, ChatTemplateError."""
        started = time.perf_counter()
        self.path, self.settings = path, settings
        self._turn, self._holder, self._closing = threading.Lock(), 0, False
        self._context: Context | None = Context(path, settings)
        try:
            self.vocabulary = Vocabulary(self._context.native, self._context.model)
            self.template = self._choose_template(self._context)
        except BaseException:
            self._context.close()
            raise
        self.context_length = self._context.length
        self._meter = LogitMeter(self.vocabulary.size)
        self._held: list[int] = []
        self._whole = 0
        self.load_seconds = time.perf_counter() - started

    # What a caller may ask.

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the answer's tokens as they are decoded, and return how it ended.

        hidden        also return the final hidden states, from the same decode
        alternatives  how many of the likeliest tokens to name beside each, at most 8
        cancel        ends the answer when it is set: between tokens and, on a CPU, in the middle of a chunk

        Raises QuestionError, ContextLengthError, ChatTemplateError, SchemaError, ClosedError, EngineBusyError.
        """
        samples = self.stream_samples(question, 1, hidden=hidden, alternatives=alternatives, cancel=cancel)
        try:
            while True:
                yield next(samples)[1]
        except StopIteration as stop:
            endings: tuple[Ending, ...] = stop.value
            return endings[0]
        finally:
            samples.close()

    def stream_samples(
        self,
        question: Question,
        samples: int,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield (number of the sample, token) of several answers to one prompt, written side by side in one batch.

        Greedy samples are all alike: give a temperature. The rest is as for ``stream``.
        """
        if not 1 <= samples <= self.settings.sequences:
            raise SamplingError(
                f"{samples} samples at once cannot be written; wanted 1 to {self.settings.sequences} "
                "(the engine setting `sequences`)"
            )
        stop = self._stop(cancel)
        with self._my_turn(stop) as context:
            started = time.perf_counter()
            prompt = self.tokens_of(question.messages)
            self._check_length(len(prompt))
            reused = self._read(context, prompt, hidden=hidden, stop=stop) if context else None
            prefill = time.perf_counter() - started
            if context is None or reused is None:
                return (Ending("cancelled", len(prompt), 0, 0, prefill),) * samples
            row = (len(prompt) - 1) % self.settings.chunk
            prompt_state = context.hidden_state(row) if hidden else None
            limit = min(question.sampling.max_tokens, (self.context_length - len(prompt)) // samples)
            writers = self._writers(context, question.sampling, prompt, range(samples), limit, row)
            with self._copies(context, range(1, samples)):
                yield from self._write(context, writers, alternatives, hidden, started, stop)
            return tuple(
                Ending(
                    writer.finish or "cancelled",
                    len(prompt),
                    writer.written,
                    reused,
                    prefill,
                    _states(prompt_state, writer),
                )
                for writer in writers
            )

    def aside(
        self, question: Question, answer: Sequence[Token], follow_up: str, *, cancel: threading.Event | None = None
    ) -> Generator[Token, None, Ending]:
        """Yield the greedy answer to a further question about an answer, and leave the context as it was.

        The follow-up is read behind the answer on a copy of its sequence: it costs only its own tokens. Asked right
        after ``stream``, its numbers are always the same to the bit; after anything else the answer is read again
        first, in chunks, and the last bits may differ.
        """
        stop = self._stop(cancel)
        with self._my_turn(stop) as context:
            started = time.perf_counter()
            before = self.tokens_of(question.messages) + [token.id for token in answer if not token.end]
            whole = before + self._follow_up(question.messages, follow_up)
            self._check_length(len(whole))
            if context is None or (
                before[: len(self._held)] != self._held and self._read(context, before, hidden=False, stop=stop) is None
            ):
                return Ending("cancelled", len(whole), 0, 0, time.perf_counter() - started)
            reused = len(self._held)
            with self._copies(context, [ASIDE]):
                read = self._read_chunks(context, whole, reused, ASIDE, hidden=False, stop=stop)
                prefill = time.perf_counter() - started
                if read < len(whole):
                    return Ending("cancelled", len(whole), 0, reused, prefill)
                row = (len(whole) - reused - 1) % self.settings.chunk
                limit = min(ASIDE_TOKENS, self.context_length - len(whole))
                writers = self._writers(context, Sampling(), whole, [ASIDE], limit, row)
                for _, token in self._write(context, writers, 0, False, started, stop):
                    yield token
            return Ending(writers[0].finish or "cancelled", len(whole), writers[0].written, reused, prefill)

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """Return the prompt's tokens, up to where the assistant begins to write."""
        guarded, guard = self.vocabulary.guard(messages)
        return self.vocabulary.tokens_of_prompt(self.template.render(guarded), guard)

    def close(self) -> None:
        """Stop what is being written and free the model; waits for other threads, and twice is once."""
        self._closing = True
        if self._holder == threading.get_ident():
            return  # our own unfinished stream holds the model; it is freed when that stream ends
        with self._turn:
            self._release()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # Whose turn it is.

    @contextmanager
    def _my_turn(self, stop: Stop) -> Generator[Context | None]:
        """Yield the context when no other thread uses it; None when stopped while waiting."""
        if self._holder == threading.get_ident():
            raise EngineBusyError(
                "this thread is still streaming an answer from this engine; exhaust or close() that stream first"
            )
        while not self._turn.acquire(timeout=POLL_SECONDS):
            if stop() and not self._closing:
                yield None
                return
        self._holder = threading.get_ident()
        try:
            if self._closing or self._context is None:
                raise ClosedError("this engine was closed and cannot answer; open a new one")
            yield self._context
        finally:
            if self._closing:
                self._release()
            self._holder = 0
            self._turn.release()

    def _stop(self, cancel: threading.Event | None) -> Stop:
        return lambda: self._closing or (cancel is not None and cancel.is_set())

    def _release(self) -> None:
        if self._context:
            self._context.close()
            self._context = None

    # Reading the prompt.

    def _read(self, context: Context, prompt: list[int], *, hidden: bool, stop: Stop) -> int | None:
        """Read a prompt into the main sequence; return how many of its tokens were reused, None when stopped."""
        reused = self._reusable(prompt)
        if not context.forget(MAIN, reused):
            context.clear()
            reused = 0
        self._held, self._whole = prompt[:reused], reused
        read = self._read_chunks(context, prompt, reused, MAIN, hidden=hidden, stop=stop)
        self._held, self._whole = prompt[:read], read - read % self.settings.chunk
        if read == len(prompt):
            return reused
        if not context.forget(MAIN, read):
            context.clear()
            self._held, self._whole = [], 0
        return None

    def _reusable(self, prompt: list[int]) -> int:
        """Return how many whole chunks' tokens the memory shares with the prompt, its last chunk left to be read."""
        chunk = self.settings.chunk
        end = min(self._whole, (len(prompt) - 1) // chunk * chunk)
        while prompt[:end] != self._held[:end]:
            end -= chunk
        return end

    def _read_chunks(
        self, context: Context, tokens: list[int], start: int, sequence: int, *, hidden: bool, stop: Stop
    ) -> int:
        """Read from a position to the end, chunk by chunk; return how far it came before it was stopped."""
        chunk = self.settings.chunk
        for at in range(start, len(tokens), chunk):
            part, last = tokens[at : at + chunk], at + chunk >= len(tokens)
            if stop() or not context.decode_chunk(part, at, sequence, last=last, hidden=hidden, stop=stop):
                return at
        return len(tokens)

    def _check_length(self, length: int) -> None:
        if length >= self.context_length:
            raise ContextLengthError(
                f"the prompt has {length} tokens and the context holds {self.context_length}, of which the answer "
                "needs some; shorten the prompt, or open the model with a longer context (--context)"
            )

    def _follow_up(self, messages: Sequence[Message], text: str) -> list[int]:
        """Return the tokens that end an answer, ask ``text`` and begin the next answer."""
        mark = "\N{OBJECT REPLACEMENT CHARACTER}"
        turns = [*messages, Message("assistant", mark), Message("user", text)]
        guarded, guard = self.vocabulary.guard(turns)
        after = self.template.render(guarded).split(mark)[-1]
        return self.vocabulary.tokens_of_prompt(after, guard, begin=False)

    # Writing the answer.

    def _writers(
        self, context: Context, sampling: Sampling, prompt: list[int], sequences: Sequence[int], limit: int, row: int
    ) -> list[_Writer]:
        seed = secrets.randbits(31) if sampling.seed is None else sampling.seed
        writers = []
        for number, sequence in enumerate(sequences):
            sampler = Sampler(context.native, self.vocabulary, sampling, seed=seed + number, prompt=prompt)
            writers.append(_Writer(sequence, len(prompt), limit, row, sampler, TextAssembler(sampling.stop)))
        return writers

    @contextmanager
    def _copies(self, context: Context, sequences: Sequence[int]) -> Generator[None]:
        """Let further sequences share the main one's past, and forget them afterwards."""
        for sequence in sequences:
            context.copy(MAIN, sequence)
        try:
            yield
        finally:
            for sequence in sequences:
                context.forget(sequence)

    def _write(
        self, context: Context, writers: list[_Writer], alternatives: int, hidden: bool, started: float, stop: Stop
    ) -> Generator[tuple[int, Token]]:
        """Yield the tokens of all writers in turn, decoding one step for all of them together."""
        context.show_hidden(hidden)
        try:
            active = list(enumerate(writers))
            while active and not stop():
                decoding = time.perf_counter() - started
                for number, writer in active:
                    yield number, self._next_token(context, writer, alternatives, decoding)
                active = [(number, writer) for number, writer in active if writer.finish is None]
                started = time.perf_counter()  # what the caller did with the tokens is not the engine's time
                self._step(context, [writer for _, writer in active], hidden)
        finally:
            context.show_hidden(False)
            for writer in writers:
                writer.sampler.close()

    def _next_token(self, context: Context, writer: _Writer, alternatives: int, decoding: float) -> Token:
        """Choose a writer's next token and note why the answer ends with it, if it does."""
        started = time.perf_counter()
        logits = context.logits(writer.row)
        reading = self._meter.read(logits)
        chosen = writer.sampler.choose(logits, reading)
        end = self.vocabulary.is_end(chosen)
        text = "" if end else writer.text.feed(self.vocabulary.piece(chosen))
        writer.token = chosen
        writer.written += not end
        if end or writer.text.stopped or writer.written >= writer.limit:
            writer.finish = "end" if end else "stop" if writer.text.stopped else "length"
            text += writer.text.finish()
        return Token(
            id=chosen,
            text=text,
            logprob=reading.logprob(logits[chosen]),
            top_logprob=reading.top_logprobs[0],
            margin=reading.margin,
            entropy=reading.entropy,
            top5_mass=reading.top5_mass,
            logsumexp=reading.logsumexp,
            seconds=decoding + time.perf_counter() - started,
            end=end,
            alternatives=self._alternatives(reading, alternatives) if alternatives else (),
        )

    def _step(self, context: Context, active: list[_Writer], hidden: bool) -> None:
        """Decode each active writer's last token in one batch."""
        if not active:
            return
        context.decode_step([(writer.token, writer.position, writer.sequence) for writer in active])
        for row, writer in enumerate(active):
            if writer.sequence == MAIN:
                self._held.append(writer.token)
            if hidden:
                writer.hidden.append(context.hidden_state(row))
            writer.position += 1
            writer.row = row

    def _alternatives(self, reading: Reading, count: int) -> tuple[Alternative, ...]:
        pairs = zip(reading.top_ids[:count], reading.top_logprobs[:count], strict=True)
        return tuple(
            Alternative(token, self.vocabulary.piece(token).decode("utf-8", "replace"), logprob)
            for token, logprob in pairs
        )

    def _choose_template(self, context: Context) -> ChatTemplate:
        own = context.native.llama_model_chat_template(context.model, None)
        return template_of(
            self.settings.template or (own.decode("utf-8", "replace") if own else None),
            has_token=self.vocabulary.has_control,
            bos=self.vocabulary.text_of(self.vocabulary.bos),
            eos=self.vocabulary.text_of(self.vocabulary.eos),
        )


def _states(prompt: Row | None, writer: _Writer) -> HiddenStates | None:
    """Return the states of an answer; one that ended before a token was decoded has only its prompt's."""
    if prompt is None:
        return None
    return HiddenStates(prompt, np.mean(writer.hidden, axis=0, dtype=np.float32) if writer.hidden else prompt)
