"""What the cascade itself costs an answer: privacy, policy, stream, estimate, ledger, around an instant tier."""

import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

from edgecascade.bench.rows import Row
from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.gating import Gate
from edgecascade.llama.engine import WhenRead
from edgecascade.records import Draft, Ending, Estimate, Place, Question, Token
from edgecascade.store.ledger import Ledger

ASKS, WARM_UPS = 200, 50
TEST = "own cost an answer"
WORDS = tuple(f"word{number} " for number in range(20))
QUESTION = Question.of("Why does the sea look blue on a clear day although the water in a glass has no colour? " * 2)


class Instant:
    """A tier of the device that says its words at once, and is sure of them."""

    name, load_seconds = "instant", 0.0
    place: Place = "device"

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        when_read: WhenRead | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the words."""
        for number, word in enumerate(WORDS):
            yield Token(number, word, -0.1, -0.1, 2.0, 0.3, 0.99, 10.0, 0.0)
        return Ending("end", len(WORDS), len(WORDS), 0, 0.0)

    def stream_samples(
        self, question: Question, samples: int, *, cancel: threading.Event | None = None
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield nothing: no further samples are asked for."""
        yield from ()
        return ()

    def estimate(self, question: Question, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return an estimate that is kept."""
        return Estimate(0.9, 0.6, "instant", None)

    def gates(self, question: Question) -> Sequence[Gate]:
        """Return no gate."""
        return ()

    def wants_hidden(self, question: Question) -> bool:
        """Return that no hidden state is needed."""
        return False

    def judge(self, question: Question) -> None:
        """Return that nothing was fitted."""

    def run_of(self, question: Question) -> None:
        """Return that nothing is recorded of how it runs."""

    def close(self) -> None:
        """Hold nothing."""


def own_cost(*, asks: int = ASKS, warm_ups: int = WARM_UPS, clock: Callable[[], float] = time.perf_counter) -> Row:
    """Return the milliseconds of each answer, its ledger in a folder of its own, after some to warm up."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.db", clock=time.time)
        with Cascade([Instant()], ledger=ledger) as cascade:
            for _ in range(warm_ups):
                cascade.ask(QUESTION)
            for _ in range(asks):
                started = clock()
                cascade.ask(QUESTION)
                taken.append((clock() - started) * 1e3)
    return Row(test=TEST, unit="ms", samples=tuple(taken))
