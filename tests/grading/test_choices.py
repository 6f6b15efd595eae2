"""A choice is found by its letter or its text."""

# ruff: noqa: RUF001 (answers in other scripts)

import pytest

from edgecascade.grading import agrees, grade
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message

RIGHT, WRONG, NOTHING = Grade(1.0), Grade(0.0), Grade(0.0, parsed=False)


def ask(metric: str, gold: str, choices: tuple[str, ...]) -> LabelledQuestion:
    """Return a question with these choices."""
    asked = (Message("user", "?"),)
    return LabelledQuestion(id="1", task="t", messages=asked, metric=metric, gold=(gold,), choices=choices)


DECAY = ("slowing the spread", "speeding up the process of decay.", "a dog", "A hot dog")

CHOICE = [
    ("B", "B"),
    ("(B)", "B"),
    ("B.", "B"),
    ("b", "B"),
    ("b)", "B"),
    ("**B**", "B"),
    ("__B__", "B"),
    ("\uff22", "B"),
    ("The answer is B.", "B"),
    ("Answer: b", "B"),
    ("**Answer:** (B)", "B"),
    ("The correct option is B, since A is slower.", "B"),
    ("The correct answer is:\n\nB) speeding up the process of decay.", "B"),
    (r"So we get $\boxed{B}$.", "B"),
    (r"\boxed{\text{B}}", "B"),
    ("B. speeding up", "B"),
    ("B: speeding up the process of decay", "B"),
    ("speeding up the process of decay", "B"),
    ("Option B because A is wrong", "B"),
    ("B because A is wrong", "B"),
    ("A is wrong. B is right.", "B"),
    ("The answer is not A but B.", "B"),
    ("A first look says A. But the answer is B.", "B"),
    ("The answer is A. Wait, on reflection the answer is B.", "B"),
    ("They help by speeding up the process of decay, I think.", "B"),
    ("I would go with B here", "B"),
    ("It must be (B)", "B"),
    ("答案是B。", "B"),
    ("Die richtige Antwort ist B.", "B"),
    ("<think>A? No, C.</think>\nB", "B"),
    ("A dog", "C"),
    ("The answer is a dog", "C"),
    ("a dog", "C"),
    ("A hot dog", "D"),
    ("It is a hot dog.", "D"),
    ("A", "A"),
    ("A because of the spread", "A"),
    ("I cannot answer", None),
    ("A person would say that it depends.", None),
    ("Slowing the spread is wrong. Speeding up the process of decay is right.", "B"),
    ("A) slowing the spread\nB) speeding up the process of decay.\nC) a dog\nD) A hot dog\nB", "B"),
    ("A) slowing the spread B) speeding up the process of decay. C) a dog D) A hot dog", None),
    ("A or B", None),
    ("The answer is A or B", None),
    ("slowing the spread, or speeding up the process of decay", None),
    ("E", None),
    ("The answer is E.", None),
    ("", None),
    ("   \n", None),
    ("?!", None),
    ("Не знаю", None),
    ("It is not speeding up the process of decay.", None),
]


@pytest.mark.parametrize(("answer", "letter"), CHOICE)
def test_a_choice_is_found_in_any_wrapping(answer: str, letter: str | None) -> None:
    """The stated letter or text is right exactly where it is the gold one, and no statement is not parsed."""
    grades = [grade(answer, ask("choice", gold, choices=DECAY)) for gold in "ABCD"]

    assert grades == [NOTHING if letter is None else RIGHT if letter == gold else WRONG for gold in "ABCD"]


REVIEWS = [
    ("Let's analyze each option:\n\nA. slowing the spread: this would", None),
    ("We look at what each term means:\n1. **A dog**: an animal that", None),
    ("Let's analyze each option:\nA. slowing the spread: no.\nB. It is faster.\nThe answer is B.", "B"),
    ("Consider each one:\nA. slowing the spread is slow.\nB. Yes.\n\nB. speeding up the process of decay", "B"),
]


@pytest.mark.parametrize(("answer", "letter"), REVIEWS)
def test_a_choice_that_is_only_gone_through_is_not_chosen(answer: str, letter: str | None) -> None:
    """A list that looks at each option states none of them; what comes after it does."""
    grades = [grade(answer, ask("choice", gold, choices=DECAY)) for gold in "ABCD"]

    assert grades == [NOTHING if letter is None else RIGHT if letter == gold else WRONG for gold in "ABCD"]


def test_choices_that_look_like_something_else() -> None:
    """Names with initials, numbers, single letters, signs and equal texts are told apart."""
    people = ("William James", "B. F. Skinner", "Carl Rogers")
    digits = ("4", "3", "2")

    assert grade("B. F. Skinner", ask("em_mc", "B", choices=("x", *people))) == WRONG
    assert grade("B. F. Skinner", ask("em_mc", "C", choices=("x", *people))) == RIGHT
    assert grade("The answer is 2.", ask("em_mc", "C", choices=digits)) == RIGHT
    assert grade("B. 3", ask("em_mc", "B", choices=digits)) == RIGHT
    assert grade("C", ask("em_mc", "C", choices=("L", "C", "R"))) == RIGHT
    assert grade("-5", ask("em_mc", "B", choices=("5", "-5"))) == RIGHT
    assert grade("p > q", ask("em_mc", "B", choices=("p < q", "p > q"))) == RIGHT
    assert grade("I", ask("em_mc", "I", choices=tuple("qrstuvwxy"))) == RIGHT
    assert grade("I think so", ask("em_mc", "I", choices=tuple("qrstuvwxy"))) == NOTHING
    assert grade("B", ask("em_mc", "A", choices=("same", "same", "other"))) == RIGHT


def test_a_choice_keeps_its_meaning_under_relabelling() -> None:
    """Moving the right text to another letter moves the right letter with it."""
    texts = ["north", "east", "south", "west"]
    for turn in range(4):
        turned = (*texts[turn:], *texts[:turn])
        letter = "ABCD"[turned.index("south")]

        assert grade(f"{letter})", ask("choice", letter, choices=turned)) == RIGHT
        assert grade("It lies to the south.", ask("choice", letter, choices=turned)) == RIGHT


@pytest.mark.parametrize("answer", [answer for answer, letter in CHOICE if letter is not None])
def test_every_stated_choice_agrees_with_itself(answer: str) -> None:
    """Wherever a text states a choice, it states the same as itself."""
    assert agrees(answer, answer, ask("choice", "A", choices=DECAY)) == RIGHT
