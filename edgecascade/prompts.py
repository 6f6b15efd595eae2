"""A labelled question as it is put to a model: its own words, plus what its metric needs to find the answer.

Questions of our own metrics are sent as they were written, for that is how people ask. The published sets name no form
for the answer, so their metrics bring one.
"""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from types import MappingProxyType

from edgecascade.errors import QuestionError
from edgecascade.labelled import LabelledQuestion
from edgecascade.records import Message, Question, Sampling

CHOOSE = "Answer with the letter of the right choice only."
BRIEF = "Answer with a name or a few words only."
STEPS = "Solve it step by step, briefly. End with the line: The answer is <number>."
BOXED = "Solve it step by step, briefly. Put the final answer in \\boxed{}."

INSTRUCTIONS: Mapping[str, str] = MappingProxyType(
    {"choice": CHOOSE, "em_mc": CHOOSE, "f1_score": BRIEF, "GSM8K": STEPS, "MATH": BOXED}
)
"""What is added behind a question, by metric."""

MAX_TOKENS: Mapping[str, int] = MappingProxyType(
    {"choice": 32, "em_mc": 32, "f1": 48, "f1_score": 48, "GSM8K": 320, "MATH": 400}
)
"""The longest answer, by metric; 96 for the rest."""
USUAL_TOKENS = 96


def asked(question: LabelledQuestion, *, system: str | None = None, max_tokens: int | None = None) -> Question:
    r"""Return the question as a model gets it, greedy; ``system`` stands first unless the question has its own.

    >>> ask = (Message("user", "Capital of Peru?"),)
    >>> capital = LabelledQuestion(id="1", task="t", messages=ask, metric="choice", choices=("Lima", "Cusco"))
    >>> asked(capital).messages[-1].content.split("\n\n")
    ['Capital of Peru?', 'A. Lima\nB. Cusco', 'Answer with the letter of the right choice only.']
    """
    usual = MAX_TOKENS.get(question.metric, USUAL_TOKENS)
    sampling = Sampling(max_tokens=usual if max_tokens is None else max_tokens)
    messages = question.messages
    if system and messages[0].role != "system":
        messages = (Message("system", system), *messages)
    instruction = INSTRUCTIONS.get(question.metric, "")
    if question.choices:
        return _choosing(messages, question.choices, instruction, sampling)
    return Question(_with(messages, instruction), sampling)


def choose(
    text: str, choices: Sequence[str], *, system: str | None = None, sampling: Sampling | None = None
) -> Question:
    """Return a question to be answered by one of the choices, with its turned form for a second look.

    Raises QuestionError for fewer than 2 or more than 26 choices, and for empty or equal ones.
    """
    if not 2 <= len(choices) <= len(ascii_uppercase) or len({choice.strip() for choice in choices} - {""}) < len(
        choices
    ):
        raise QuestionError(
            f"these cannot be chosen from: found {list(choices)!r:.200}, wanted 2 to 26 different texts"
        )
    asked = Question.of(text, system=system, sampling=sampling)
    return _choosing(asked.messages, tuple(choices), CHOOSE, asked.sampling)


def question_of(
    text: str, choices: Sequence[str] = (), *, system: str | None = None, sampling: Sampling | None = None
) -> Question:
    """Return an open question, or one to be answered by a choice where there are choices."""
    if choices:
        return choose(text, choices, system=system, sampling=sampling)
    return Question.of(text, system=system, sampling=sampling)


def _choosing(
    messages: tuple[Message, ...], choices: tuple[str, ...], instruction: str, sampling: Sampling
) -> Question:
    straight, turned = (_with(messages, _lettered(order), instruction) for order in (choices, choices[::-1]))
    return Question(straight, sampling, choices, turned)


def _lettered(choices: Sequence[str]) -> str:
    return "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, choices, strict=False))


def _with(messages: tuple[Message, ...], *parts: str) -> tuple[Message, ...]:
    """Return the messages with further paragraphs at the end of the last."""
    *before, last = messages
    return (*before, Message(last.role, "\n\n".join(part for part in (last.content, *parts) if part)))
