"""Writing one or several answers to a prompt, side by side, as a tree.

Samples that have said the same so far are one sequence in the memory, one row in the batch and one reading; they split
where they choose differently. So samples of an answer that the model is sure of cost little more than one.
"""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgecascade.llama.context import Context
from edgecascade.llama.sampling import Sampler
from edgecascade.llama.text import TextAssembler
from edgecascade.llama.vocabulary import Vocabulary
from edgecascade.numerics import LogitMeter, Reading, Row
from edgecascade.records import Alternative, FinishReason, Token


@dataclass(slots=True)
class Writer:
    """One answer while it is written.

    sequence  its past, in the context's memory; shared while others have said the same
    row       where its next token's logits stand
    """

    sampler: Sampler
    text: TextAssembler
    limit: int
    sequence: int
    row: int
    token: int = -1
    written: int = 0
    finish: FinishReason = "cancelled"
    done: bool = False
    hidden: list[Row] = field(default_factory=list)

    @property
    def mean_hidden(self) -> Row | None:
        """The mean over the answer's decoded tokens, shape (width,); None before the first."""
        return np.mean(self.hidden, axis=0, dtype=np.float32) if self.hidden else None


@dataclass(frozen=True, slots=True)
class Desk:
    """What writing needs of its engine. ``held`` is told each token that joins the main sequence, number ``main``."""

    context: Context
    vocabulary: Vocabulary
    meter: LogitMeter
    main: int
    held: list[int]

    def write(
        self,
        writers: Sequence[Writer],
        *,
        position: int,
        spare: Sequence[int],
        started: float,
        stop: Callable[[], bool],
        alternatives: int = 0,
        hidden: bool = False,
    ) -> Generator[tuple[int, Token]]:
        """Yield (number of the writer, token) until all are done or ``stop()`` is true.

        position  of the next token     spare    sequences for writers that split off; forgotten at the end
        started   when the question came, on the clock of time.perf_counter()
        """
        self.context.show_hidden(hidden)
        active = list(enumerate(writers))
        try:
            while active and not stop():
                decoding, readings = time.perf_counter() - started, dict[int, Reading]()
                for number, writer in active:
                    yield number, self._next_token(writer, readings, alternatives, decoding)
                started = time.perf_counter()  # what the caller did with the tokens is not the engine's time
                active = [(number, writer) for number, writer in active if not writer.done]
                if active:
                    self._step(self._branches((writer for _, writer in active), spare), position, hidden)
                    position += 1
        finally:
            self.context.show_hidden(False)
            for sequence in spare:
                self.context.forget(sequence)
            for writer in writers:
                writer.sampler.close()

    def _next_token(self, writer: Writer, readings: dict[int, Reading], alternatives: int, decoding: float) -> Token:
        """Choose a writer's next token, and note it when that ends the answer."""
        started = time.perf_counter()
        logits = self.context.logits(writer.row)
        reading = readings.get(writer.row) or readings.setdefault(writer.row, self.meter.read(logits))
        writer.token = chosen = writer.sampler.choose(logits, reading)
        end = self.vocabulary.is_end(chosen)
        text = "" if end else writer.text.feed(self.vocabulary.piece(chosen))
        writer.written += not end
        writer.done = end or writer.text.stopped or writer.written >= writer.limit
        if writer.done:
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

    def _branches(self, active: Iterable[Writer], spare: Sequence[int]) -> list[list[Writer]]:
        """Return the writers grouped by all they have said, each group on a sequence of its own."""
        groups: dict[tuple[int, int], list[Writer]] = {}
        for writer in active:
            groups.setdefault((writer.sequence, writer.token), []).append(writer)
        busy, free = {sequence for sequence, _ in groups}, iter(spare)
        gone_on: set[int] = set()
        for (sequence, _), group in groups.items():
            if sequence in gone_on:
                split = next(other for other in free if other not in busy)
                self.context.forget(split)
                self.context.copy(sequence, split)
                for writer in group:
                    writer.sequence = split
            gone_on.add(sequence)
        return list(groups.values())

    def _step(self, branches: Sequence[Sequence[Writer]], position: int, hidden: bool) -> None:
        """Decode the last token of each branch, all in one batch."""
        self.context.decode_step([(branch[0].token, position, branch[0].sequence) for branch in branches])
        for row, branch in enumerate(branches):
            if branch[0].sequence == self.main:
                self.held.append(branch[0].token)
            state = self.context.hidden_state(row) if hidden else None
            for writer in branch:
                writer.row = row
                if state is not None:
                    writer.hidden.append(state)

    def _alternatives(self, reading: Reading, count: int) -> tuple[Alternative, ...]:
        pairs = zip(reading.top_ids[:count], reading.top_logprobs[:count], strict=True)
        return tuple(
            Alternative(token, self.vocabulary.piece(token).decode("utf-8", "replace"), logprob)
            for token, logprob in pairs
        )
