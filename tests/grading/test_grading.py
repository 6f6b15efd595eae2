"""Graders find the answer in whatever a model wraps around it, agree with themselves, and never raise."""

import json
import random
from typing import Any

import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.grading import GRADERS, UNGRADED, agrees, check, grade, verdict_of
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message

RIGHT, WRONG, NOTHING = Grade(1.0), Grade(0.0), Grade(0.0, parsed=False)


def ask(metric: str, *gold: str, text: str = "?", choices: tuple[str, ...] = (), **grading: Any) -> LabelledQuestion:
    """Return a question with this metric."""
    return LabelledQuestion(
        id="1", task="t", messages=(Message("user", text),), metric=metric, gold=gold, choices=choices, grading=grading
    )


DECAY = ("slowing the spread", "speeding up the process of decay.", "a dog", "A hot dog")

AGREEMENT = [
    (ask("choice", "A", choices=DECAY), "(B)", "The answer is B.", RIGHT),
    (ask("choice", "A", choices=DECAY), "A", "B", WRONG),
    (ask("choice", "A", choices=DECAY), "B", "I cannot answer", NOTHING),
    (ask("choice", "A", choices=DECAY), "I cannot answer", "B", NOTHING),
    (ask("number", "1", unit="km"), "5 km", "It is 5000 m.", RIGHT),
    (ask("number", "1"), "5", "2 + 4 = 6", WRONG),
    (ask("GSM8K", "#### 1"), "#### 6", "so 6", RIGHT),
    (ask("MATH", "1"), r"\boxed{\frac12}", "The answer is $0.5$.", RIGHT),
    (ask("normalised", "x"), "Paris", "The capital of France is Paris.", RIGHT),
    (ask("normalised", "x"), "The capital of France is Paris.", "Paris", RIGHT),
    (ask("normalised", "x"), "Lyon", "Paris", WRONG),
    (ask("normalised", "x"), "Yes, it is.", "Yes.", RIGHT),
    (ask("normalised", "x"), "No.", "Yes.", WRONG),
    (ask("f1", "x"), "Ben", "The answer is Ben Gibbard", Grade(2 / 3)),
    (ask("json_schema", schema={}), '{"a": 1, "b": 2}', '```{"a": 1.0}```', RIGHT),
    (ask("json_schema", schema={}), '{"a": 2}', '{"a": 1}', WRONG),
    (ask("json_schema", schema={}), "null", "null", RIGHT),
    (ask("json_schema", schema={}), "null", "nothing", NOTHING),
    (ask("exact", "x"), "", "x", NOTHING),
]


@pytest.mark.parametrize(("question", "answer", "other", "wanted"), AGREEMENT)
def test_agreement_is_read_by_the_questions_metric(
    question: LabelledQuestion, answer: str, other: str, wanted: Grade
) -> None:
    """Wording does not matter, and the question's own gold does not either."""
    found = agrees(answer, other, question)

    assert (found.score, found.parsed) == (pytest.approx(wanted.score), wanted.parsed)


def test_agreement_as_a_metric_takes_the_gold_as_the_other_answer() -> None:
    """``by`` says how the recorded answer is read; with choices it is a choice."""
    assert grade("5.0", ask("agreement", "so 2 + 3 = 5", by="number")) == RIGHT
    assert grade("B", ask("agreement", "The answer is (B).", choices=DECAY)) == RIGHT


SCHEMA = {"type": "object", "properties": {"age": {"type": "integer", "maximum": 150}}, "required": ["age"]}


def fuzz(source: random.Random) -> str:
    """Return a text of random pieces: signs that graders look for, and any code point."""
    pieces = ["\\boxed{", "}", "{", "[", "\\frac", "####", "answer is", "=", "1", "-", "/", "^", "B", "(", ")", ".",
              ",", " ", "\n", "not ", "```", "<think>", "</think>", "e9", "sqrt", "\\sqrt", "\\begin{pmatrix}", "&",
              "\\\\", "½", "²", "٣", "km", "°", "yes", "\x00", "\ud800", "\\text{", "10^", "|", "9" * 400]  # fmt: skip
    return "".join(
        source.choice(pieces) if source.random() < 0.8 else chr(source.randrange(0x110000))
        for _ in range(source.randrange(60))
    )


def test_no_text_makes_a_grader_raise() -> None:
    """Any text gets a grade from 0 to 1, and one that is not parsed gets 0."""
    source = random.Random(7)
    questions = [
        ask("exact", "x"), ask("normalised", "x", "½"), ask("normalised", "yes"), ask("choice", "B", choices=DECAY),
        ask("number", "5", unit="km"), ask("number", "5"), ask("GSM8K", "#### 5"), ask("MATH", r"\boxed{\frac12}"),
        ask("MATH", r"\boxed{(1,2)}"), ask("f1", "x y"), ask("json_schema", schema=SCHEMA, equals={"age": 1}),
        ask("number", "1", text="How many times does it ring?"), ask("number", "1969", text="In which year?"),
        ask("number", "600", text="How many cm are 6 m?", unit="cm"),
        ask("regex", pattern="a+"), ask("commongen_coverage", "dog, run"), ask("agreement", "5", by="number"),
    ]  # fmt: skip
    assert {question.metric for question in questions} | {"em_mc", "f1_score"} == set(GRADERS)
    for _ in range(400):
        text = fuzz(source)
        found = [grade(text, question) for question in questions]
        found += [agrees(text, text, question) for question in questions]
        found.append(verdict_of(text))

        assert all(0 <= one.score <= 1 and (one.parsed or one.score == 0) for one in found)


LOOKED_FOR = ["(", "{", "1,", "1 ", "a ", "\\frac{", "answer is ", "=1", "-", "\\boxed{", "B or C or ", "[{", "not A ",
              "a-", "a, ", "y is not ", "either a, ", "not 1,"]  # fmt: skip


@pytest.mark.parametrize("piece", LOOKED_FOR)
def test_long_texts_take_no_longer_than_their_length(piece: str) -> None:
    """A hundred thousand characters of what a grader looks for are graded, whatever the metric."""
    text = piece * (100_000 // len(piece))
    questions = [ask("choice", "B", choices=DECAY), ask("number", "5"), ask("GSM8K", "5"), ask("MATH", "5"),
                 ask("normalised", "x"), ask("f1", "x"), ask("json_schema", schema={})]  # fmt: skip

    assert not any(grade(text, question).correct for question in questions)


def test_a_metric_without_a_grader_says_why() -> None:
    """Unknown with a suggestion, not graded with its reason, judged with what to call."""
    for metric, reason in {"f2": "did you mean 'f1'", "judge": "verdict_of", **UNGRADED}.items():
        with pytest.raises(QuestionFileError, match=reason.replace("(", ".")):
            grade("x", ask(metric, "x"))


BROKEN = [
    ask("choice", "E", choices=DECAY),
    ask("choice", "B"),
    ask("number", "many"),
    ask("number", "5", tolerance=-1),
    ask("number", "5", unit=3),
    ask("number", "5", tolerence=0.1),
    ask("GSM8K", "none"),
    ask("regex", pattern="("),
    ask("regex"),
    ask("json_schema"),
    ask("exact"),
    ask("normalised", " "),
    ask("agreement", "x", by="nothing"),
]


@pytest.mark.parametrize("question", BROKEN, ids=lambda question: json.dumps([question.metric, *question.gold]))
def test_a_question_that_cannot_be_graded_is_refused(question: LabelledQuestion) -> None:
    """Before any model is asked, and with what was wanted."""
    with pytest.raises(QuestionFileError, match=r"want|needs"):
        check(question)
