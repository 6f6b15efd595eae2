"""Several answers to one question: written side by side in one batch, against one after another."""

from collections.abc import Callable, Sequence

from edgecascade import evidence
from edgecascade.bench.rows import Row
from edgecascade.bench.tasks import Answering, check_written, story
from edgecascade.records import Draft

COUNTS = (1, 2, 4, 8)
TEMPERATURE = 0.7


def samples(
    engine: Answering,
    *,
    tokens: int,
    rounds: int,
    most: int = COUNTS[-1],
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """Return tokens/s over all k answers, the prompt left out, for both ways; ``most``: what the engine can at once.

    Every sample is a story of its own way, the worst case for a batch: answers that begin alike cost less.
    """
    counts = [count for count in COUNTS if count <= most]
    together: dict[int, list[float]] = {count: [] for count in counts}
    apart: dict[int, list[float]] = {count: [] for count in counts}
    question = story(tokens, temperature=TEMPERATURE)
    evidence.draft(engine, question)
    for number in range(1, rounds + 1):
        say(f"samples: round {number} of {rounds}")
        for count in counts:
            batch = evidence.samples(engine, question, count)
            alone = [evidence.draft(engine, question) for _ in range(count)]
            together[count].append(_written(batch) / max(map(_seconds, batch)))
            apart[count].append(_written(alone) / sum(map(_seconds, alone)))
    return [
        Row(test=f"{count} x tg{tokens}, {way}", unit="tokens/s", samples=tuple(found[count]), n_gen=tokens * count)
        for count in counts
        for way, found in (("one batch", together), ("one after another", apart))
    ]


def _written(drafts: Sequence[Draft]) -> int:
    """Return the tokens behind the first of each."""
    check_written(max(len(draft.tokens) for draft in drafts))
    return sum(len(draft.tokens) - 1 for draft in drafts if draft.tokens)


def _seconds(draft: Draft) -> float:
    """Return what a draft's tokens behind the first took."""
    return sum(token.seconds for token in draft.tokens[1:])
