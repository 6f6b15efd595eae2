"""Programs that come with the package, three of them after the systems of LLMSelector (Chen et al., arXiv:2502.14815).

    ask            one call, what every other program must beat
    self-refine    Madaan et al., "Self-Refine", arXiv:2303.17651: answer, review, answer again
    debate         Du et al., "Multiagent Debate", arXiv:2305.14325: three answer, three decide, the majority holds
    locate-solve   find what matters in a long question, then answer by that alone

Different from the papers: prompts are short, and replies shorter, for models of some hundred million parameters; the
question stands last wherever its answer is wanted, because small models follow what they read last; who is not to
answer is not told how to, and who looks for what matters gets no choices, because they would choose one (a locator
that read them said "B"); nothing is sampled, so the three who answer first each get another hint to look from, and not
another seed.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from types import MappingProxyType

from edgecascade.compound.program import Call, Program
from edgecascade.grading import letter_of
from edgecascade.grading.text import final_statement, words_of
from edgecascade.prompts import INSTRUCTIONS

ANSWER, REVIEW = 24, 32
"""The longest answer, and the longest text about one, in tokens."""

VIEWS = ("", "Look closely at every word of the question.\n\n", "Rule out first what cannot be right.\n\n")
"""What each of the three who answer first reads before the question."""


def ask(question: str, call: Call) -> str:
    """Return the answer of one call."""
    return call("answerer", question, max_tokens=ANSWER)


def self_refine(question: str, call: Call) -> str:
    """Return the answer after one review of a first one."""
    first = call("generator", question, max_tokens=ANSWER)
    review = call(
        "critic",
        f"{without_form(question)}\n\nProposed answer: {first}\n\nIs it right? Say in one short sentence what is wrong "
        "with it, or that it is right.",
        max_tokens=REVIEW,
    )
    return call(
        "refiner",
        f"To the question below somebody answered: {first}\nA reviewer says: {review}\n\nAnswer it rightly.\n\n"
        f"{question}",
        max_tokens=ANSWER,
    )


def debate(question: str, call: Call) -> str:
    """Return what most of three say who have read three others' answers."""
    first = [
        call(f"initial_{number}", f"{view}{question}", max_tokens=ANSWER) for number, view in enumerate(VIEWS, start=1)
    ]
    heard = "\n".join(f"Person {number}: {answer}" for number, answer in enumerate(first, start=1))
    final = [
        call(
            f"debater_{number}",
            f"{view}Three people answered the question below.\n{heard}\n\nDecide for yourself who is right.\n\n"
            f"{question}",
            max_tokens=ANSWER,
        )
        for number, view in enumerate(VIEWS, start=1)
    ]
    return majority(final, question)


def locate_solve(question: str, call: Call) -> str:
    """Return the answer by what was found to matter."""
    facts = call(
        "locator",
        f"{without_choices(question)}\n\nDo not answer yet. Copy only the words and numbers from above that are needed "
        "for the answer.",
        max_tokens=REVIEW,
    )
    return call("solver", f"What matters: {facts}\n\n{question}", max_tokens=ANSWER)


def without_form(question: str) -> str:
    r"""Return the question without the paragraph that says what form its answer has.

    >>> without_form("Capital of Peru?\n\nA. Lima\nB. Cusco\n\nAnswer with the letter of the right choice only.")
    'Capital of Peru?\n\nA. Lima\nB. Cusco'
    """
    text, _, last = question.rpartition("\n\n")
    return text if text and last in INSTRUCTIONS.values() else question


def without_choices(question: str) -> str:
    r"""Return the question without its list of choices, and without the form of its answer.

    >>> without_choices("Capital of Peru?\n\nA. Lima\nB. Cusco\n\nAnswer with the letter of the right choice only.")
    'Capital of Peru?'
    """
    text, _, last = without_form(question).rpartition("\n\n")
    return text if text and choices_in(last) else without_form(question)


def majority(answers: Sequence[str], question: str) -> str:
    r"""Return the first of the answers that say what most of them say; the earliest where as many say another thing.

    >>> majority(["Lyon", "It is Paris.", "paris"], "Capital of France?")
    'Lyon'
    >>> majority(["B.", "The answer is A", "A. Lima"], "Capital of Peru?\n\nA. Lima\nB. Cusco")
    'The answer is A'
    """
    said = [_said(answer, choices_in(question)) for answer in answers]
    counted = Counter(words for words in said if words)
    return answers[said.index(max(counted, key=counted.__getitem__))] if counted else answers[0]


def choices_in(question: str) -> list[str]:
    r"""Return the choices that a question lists as A., B., C. ... on lines of their own; none where it lists none.

    >>> choices_in("Capital of Peru?\n\nA. Lima\nB. Cusco\n\nAnswer with the letter.")
    ['Lima', 'Cusco']
    """
    choices: list[str] = []
    for letter, text in re.findall(r"^([A-Z])\. (.+)$", question, re.MULTILINE):
        if letter == "A":  # what stood before was another list, or a name: A. Lincoln
            choices = []
        if letter == ascii_uppercase[len(choices) % 26]:
            choices.append(text)
    return choices if len(choices) > 1 else []


def _said(answer: str, choices: Sequence[str]) -> str:
    """Return what an answer says, as it can be compared; "" where a letter is wanted and none is said."""
    if choices:
        return letter_of(answer, choices) or ""
    return " ".join(words_of(final_statement(answer)))


PROGRAMS: Mapping[str, Program] = MappingProxyType(
    {
        one.name: one
        for one in (
            Program("ask", ("answerer",), ask, about="one call, what every other program must beat"),
            Program(
                "self-refine",
                ("generator", "critic", "refiner"),
                self_refine,
                "answer, review the answer, answer again",
            ),
            Program(
                "debate",
                ("initial_1", "initial_2", "initial_3", "debater_1", "debater_2", "debater_3"),
                debate,
                "three answer, three decide between them, the majority holds",
            ),
            Program(
                "locate-solve",
                ("locator", "solver"),
                locate_solve,
                "find what matters in the question, then answer by it",
            ),
        )
    }
)
"""By name."""
