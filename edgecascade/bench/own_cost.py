"""What the cascade itself costs an answer: privacy, policy, stream, estimate, ledger, around an instant tier."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edgecascade.bench.rows import Row
from edgecascade.cascade.cascade import Cascade
from edgecascade.records import Question
from edgecascade.store.ledger import Ledger
from edgecascade.testing import ScriptedReply, ScriptedTier

ASKS, WARM_UPS = 200, 50
TEST = "own cost an answer"
SURE = ScriptedReply(" ".join(f"word{number}" for number in range(20)), p_correct=0.9, threshold=0.6)
QUESTION = Question.of("Why does the sea look blue on a clear day although the water in a glass has no colour? " * 2)


def own_cost(*, asks: int = ASKS, warm_ups: int = WARM_UPS, clock: Callable[[], float] = time.perf_counter) -> Row:
    """Return the milliseconds of each answer, its ledger in a folder of its own, after some to warm up."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.db", clock=time.time)
        with Cascade([ScriptedTier(SURE)], ledger=ledger) as cascade:
            for _ in range(warm_ups):
                cascade.ask(QUESTION)
            for _ in range(asks):
                started = clock()
                cascade.ask(QUESTION)
                taken.append((clock() - started) * 1e3)
    return Row(test=TEST, unit="ms", samples=tuple(taken))
