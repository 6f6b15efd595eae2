"""The turns of a chat: how long until the first token, with what was read before still in memory, and without."""

from collections.abc import Callable
from dataclasses import replace

from edgecascade import evidence
from edgecascade.bench.rows import Row
from edgecascade.bench.tasks import forget
from edgecascade.records import Message, Question, Sampling

TURNS = (
    "I want to plant a small garden behind my house. It has two hours of sun a day. What should I plant?",
    "And which of these can I eat?",
    "My soil is heavy clay. What should I mix into it, and how deep, before I plant?",
    "When should I water, in the morning or in the evening, and how much?",
    "There are snails. What can I do against them without poison?",
    "Write me a list of what to buy, in the order in which I will need it.",
)
SYSTEM = "You are a helpful gardener. Answer in two or three short sentences."
SHORT = Sampling(max_tokens=48)


def prefix(engine: evidence.Tier, *, rounds: int, say: Callable[[str], None] = lambda line: None) -> list[Row]:
    """Return milliseconds to the first token of each turn, reused and read anew; the first round warms up."""
    rows = []
    for number, turn in enumerate(chat(engine), 1):
        say(f"prefix: turn {number} of {len(TURNS)}")
        reused, anew = [], []
        for _ in range(rounds + 1):
            anew.append(_first_token(engine, turn, before=()))
            reused.append(_first_token(engine, turn, before=turn.messages[:-2]))
        length = evidence.draft(engine, turn).usage.prompt_tokens
        kept = (("reused", reused), ("read anew", anew)) if number > 1 else (("read anew", anew),)
        rows += [
            Row(test=f"turn {number}, first token, {what}", unit="ms", samples=tuple(found[1:]), n_prompt=length)
            for what, found in kept
        ]
    return rows


def chat(engine: evidence.Tier) -> list[Question]:
    """Return each turn as it is asked, with the model's own answers to those before it."""
    said: tuple[Message, ...] = (Message("system", SYSTEM),)
    turns = []
    for text in TURNS:
        said = (*said, Message("user", text))
        turns.append(Question(said, replace(SHORT, max_tokens=1)))
        said = (*said, Message("assistant", evidence.draft(engine, Question(said, SHORT)).text or "Yes."))
    return turns


def _first_token(engine: evidence.Tier, turn: Question, *, before: tuple[Message, ...]) -> float:
    """Return the milliseconds to a turn's first token, the earlier turns in memory or nothing."""
    forget(engine)
    if len(before) > 1:  # the first turn has nothing before it but the system message
        evidence.draft(engine, Question(before, turn.sampling))
    return evidence.draft(engine, turn).timings.ttft_s * 1e3
