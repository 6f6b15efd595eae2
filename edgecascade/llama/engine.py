"""A loaded model that answers: one generator of tokens, with what the model thought of each.

The prompt is read in chunks that begin at fixed multiples of ``settings.chunk``, and only whole chunks are kept for the
next question. Logits depend on the shape of the batch that computed them, so this is what makes an answer bit-identical
with and without reuse, on as many threads: what was calibrated is what is served. The price is at most one chunk of
re-reading, and the re-reading of the previous answer, which was written token by token.

    sequence 0        the conversation: the prompt, then the answer being written
    sequences 1 ..    further samples of the same prompt, or a question asked aside; dropped afterwards
"""

import secrets
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType

from edgecascade.errors import ChatTemplateError, ClosedError, ContextLengthError, EngineBusyError, SamplingError
from edgecascade.llama.chat_template import FAMILIES, ChatTemplate, template_of
from edgecascade.llama.context import Context, ThreadsNow
from edgecascade.llama.sampling import Sampler
from edgecascade.llama.settings import EngineSettings
from edgecascade.llama.text import TextAssembler
from edgecascade.llama.vocabulary import Vocabulary
from edgecascade.llama.writing import Desk, Writer
from edgecascade.numerics import TOP, LogitMeter, Row
from edgecascade.records import Ending, HiddenStates, Message, Question, Sampling, Token

MAIN, ASIDE = 0, 1
ASIDE_TOKENS = 64
LETTERS_A_TOKEN = 100
"""No prompt of more letters than this for each token of the context can fit; it is not even tokenised."""
NEVER_BEGUN = Ending("cancelled", 0, 0, 0, 0.0)
"""How an answer ends whose cancel came while it waited for its turn."""
POLL_SECONDS = 0.05

Stop = Callable[[], bool]
WhenRead = Callable[[int, Row | None], None]
Sharing = Callable[[], AbstractContextManager[ThreadsNow]]
"""Entered while the engine decodes; yields what says with how many threads, asked before each answer and during it."""


class Engine:
    """One model and one context. Threads wait their turn; ``close()`` it, or use it in ``with``."""

    def __init__(self, path: Path, settings: EngineSettings, *, sharing: Sharing | None = None) -> None:
        """Load the model file; raises NativeLibraryError, ChatTemplateError.

        sharing  says how many of the cores are ours while we decode; None: always ``settings.threads``
        """
        started = time.perf_counter()
        self.path, self.settings = path, settings
        self._sharing: Sharing = sharing or (lambda: nullcontext(lambda: settings.threads or 1))
        self._turn, self._holder, self._closing = threading.Lock(), 0, False
        self._context: Context | None = Context(path, settings)
        try:
            self.vocabulary = Vocabulary(self._context.native, self._context.model)
            self.template = self._choose_template(self._context)
        except BaseException:
            self._context.close()
            raise
        self.context_length, self.width = self._context.length, self._context.width
        self._meter = LogitMeter(self.vocabulary.size)
        self._held: list[int] = []  # the tokens in the main sequence
        self._whole = 0  # how many of them were read in whole chunks
        self.load_seconds = time.perf_counter() - started

    # What a caller may ask.

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        when_read: WhenRead | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the answer's tokens as they are decoded, and return how it ended.

        hidden        also return the final hidden states, from the same decode
        alternatives  how many of the likeliest tokens to name beside each, at most 8
        cancel        ends the answer when it is set: between tokens and, on a CPU, in the middle of a chunk
        when_read     is told the prompt's tokens and, where asked for, its hidden state before the first token

        Raises QuestionError, ContextLengthError, ChatTemplateError, SchemaError, ClosedError, EngineBusyError.
        """
        samples = self.stream_samples(
            question, 1, hidden=hidden, alternatives=alternatives, cancel=cancel, when_read=when_read
        )
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
        when_read: WhenRead | None = None,
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield (number of the sample, token) of several answers to one prompt, written side by side in one batch.

        Greedy samples are all alike: give a temperature. The rest is as for ``stream``.
        """
        if not 1 <= samples <= self.settings.sequences:
            raise SamplingError(
                f"{samples} samples at once cannot be written; wanted 1 to {self.settings.sequences} "
                "(the engine setting `sequences`)"
            )
        if not 0 <= alternatives <= TOP:
            raise SamplingError(f"{alternatives} alternatives a token cannot be named; wanted 0 to {TOP}")
        stop = self._stop(cancel)
        with self._my_turn(stop) as context:
            if context is None:
                return (NEVER_BEGUN,) * samples
            started = time.perf_counter()
            prompt = self._tokens_of(question.messages)
            self._check_length(len(prompt))
            reused = self._read(context, prompt, hidden=hidden, stop=stop)
            prefill = time.perf_counter() - started
            if reused is None:
                return (Ending("cancelled", len(prompt), 0, 0, prefill),) * samples
            state = context.hidden_state(0) if hidden else None
            if when_read:
                when_read(len(prompt), state)
            writers = self._writers(context, question.sampling, prompt, samples, MAIN)
            yield from self._desk(context).write(
                writers,
                position=len(prompt),
                spare=range(1, samples),
                started=started,
                stop=stop,
                alternatives=alternatives,
                hidden=hidden,
            )
            return tuple(
                Ending(writer.finish, len(prompt), writer.written, reused, prefill, _states(state, writer))
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
            if context is None:
                return NEVER_BEGUN
            started = time.perf_counter()
            before = self._tokens_of(question.messages) + [token.id for token in answer if not token.end]
            whole = before + self._follow_up(question.messages, follow_up)
            self._check_length(len(whole))
            if not self._holds(context, before):
                read_again = self._read(context, before, hidden=False, stop=stop)
                if read_again is None:
                    return Ending("cancelled", len(whole), 0, 0, time.perf_counter() - started)
            reused = len(self._held)
            context.copy(MAIN, ASIDE)
            try:
                read = self._read_on(context, whole, reused, ASIDE, hidden=False, stop=stop)
                prefill = time.perf_counter() - started
                if read < len(whole):
                    return Ending("cancelled", len(whole), 0, reused, prefill)
                (writer,) = self._writers(context, Sampling(max_tokens=ASIDE_TOKENS), whole, 1, ASIDE)
                writing = self._desk(context).write([writer], position=len(whole), spare=(), started=started, stop=stop)
                for _, token in writing:
                    yield token
            finally:
                context.forget(ASIDE)
            return Ending(writer.finish, len(whole), writer.written, reused, prefill)

    def tokens_of(self, messages: Sequence[Message]) -> list[int]:
        """Return the prompt's tokens, up to where the assistant begins to write; waits for other threads."""
        with self._my_turn(lambda: False):
            return self._tokens_of(messages)

    def _tokens_of(self, messages: Sequence[Message]) -> list[int]:
        letters = sum(len(message.content) for message in messages)
        if letters > LETTERS_A_TOKEN * self.context_length:
            raise ContextLengthError(
                f"the prompt has {letters:,} letters and the context holds {self.context_length} tokens; shorten it"
            )
        guarded, guard = self.vocabulary.guard(messages)
        tokens = self.vocabulary.tokens_of_prompt(self.template.render(guarded), guard)
        if not tokens:
            raise ChatTemplateError(
                f"the chat template made nothing of the messages: found an empty prompt, wanted text; "
                f"choose a known format with --template ({', '.join(FAMILIES)})"
            )
        return tokens

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
            with self._sharing() as threads_now:
                self._context.ask_threads(threads_now)
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
            self.vocabulary.close()
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
        try:
            read = self._read_on(context, prompt, reused, MAIN, hidden=hidden, stop=stop)
        except BaseException:  # the memory holds more than is known: trust none of it
            self._forget_all(context)
            raise
        self._held = prompt[:read]
        self._whole = (read - 1 if read == len(prompt) else read) // self.settings.chunk * self.settings.chunk
        if read == len(prompt):
            return reused
        if not context.forget(MAIN, read):
            self._forget_all(context)
        return None

    def _forget_all(self, context: Context) -> None:
        context.clear()
        self._held, self._whole = [], 0

    def _holds(self, context: Context, tokens: list[int]) -> bool:
        """Return whether the main sequence holds a beginning of these tokens, and nothing else."""
        return tokens[: len(self._held)] == self._held and context.forget(MAIN, len(self._held))

    def _reusable(self, prompt: list[int]) -> int:
        """Return how many whole chunks' tokens the memory shares with the prompt, its last token left to be read."""
        chunk = self.settings.chunk
        end = min(self._whole, (len(prompt) - 1) // chunk * chunk)
        while prompt[:end] != self._held[:end]:
            end -= chunk
        return end

    def _read_on(
        self, context: Context, tokens: list[int], start: int, sequence: int, *, hidden: bool, stop: Stop
    ) -> int:
        """Read from a position to the end, chunk by chunk; return how far it came before it was stopped.

        The last token is decoded alone, as every later one is: asking for its hidden state then changes no bit.
        """
        chunk, last = self.settings.chunk, len(tokens) - 1
        for at in range(start, last, chunk):
            if stop() or not context.decode_chunk(tokens[at : min(at + chunk, last)], at, sequence, stop=stop):
                return at
        context.show_hidden(hidden)
        context.decode_step([(tokens[last], last, sequence)])
        return len(tokens)

    def _check_length(self, length: int) -> None:
        if length >= self.context_length:
            raise ContextLengthError(
                f"the prompt has {length} tokens and the context holds {self.context_length}, of which the answer "
                "needs some; shorten the prompt, or open the model with a longer context (--context)"
            )

    def _follow_up(self, messages: Sequence[Message], text: str) -> list[int]:
        """Return the tokens that end an answer, ask ``text`` and begin the next answer."""
        mark = secrets.token_hex(16)  # stands in for the answer, and in no text
        turns = [*messages, Message("assistant", mark), Message("user", text)]
        guarded, guard = self.vocabulary.guard(turns)
        after = self.template.render(guarded).split(mark)[-1]
        return self.vocabulary.tokens_of_prompt(after, guard, begin=False)

    # Writing the answer.

    def _desk(self, context: Context) -> Desk:
        return Desk(context, self.vocabulary, self._meter, MAIN, self._held)

    def _writers(
        self, context: Context, sampling: Sampling, prompt: list[int], count: int, sequence: int
    ) -> list[Writer]:
        """Return the writers of ``count`` answers to a prompt whose last token was the last one read."""
        seed = secrets.randbits(31) if sampling.seed is None else sampling.seed
        limit = min(sampling.max_tokens, (self.context_length - len(prompt)) // count)
        return [
            Writer(
                Sampler(context.native, self.vocabulary, sampling, seed=seed + number, prompt=prompt),
                TextAssembler(sampling.stop),
                limit,
                sequence,
                row=0,
            )
            for number in range(count)
        ]

    def _choose_template(self, context: Context) -> ChatTemplate:
        own = context.native.llama_model_chat_template(context.model, None)
        return template_of(
            self.settings.template or (own.decode("utf-8", "replace") if own else None),
            has_token=self.vocabulary.has_control,
            bos=self.vocabulary.text_of(self.vocabulary.bos),
            eos=self.vocabulary.text_of(self.vocabulary.eos),
        )


def _states(prompt: Row | None, writer: Writer) -> HiddenStates | None:
    return None if prompt is None else HiddenStates(prompt, writer.mean_hidden)
