"""Numbers are read in any notation and unit."""

# ruff: noqa: RUF001 (answers in other scripts)

from typing import Any

import pytest

from edgecascade.grading import agrees, grade
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message

RIGHT, WRONG, NOTHING = Grade(1.0), Grade(0.0), Grade(0.0, parsed=False)


def ask(metric: str, gold: str, *, text: str = "?", **grading: Any) -> LabelledQuestion:
    """Return a question whose answer is a number."""
    asked = (Message("user", text),)
    return LabelledQuestion(id="1", task="t", messages=asked, metric=metric, gold=(gold,), grading=grading)


NUMBERS = [
    ("1,234.5", 1234.5),
    ("1 234", 1234.0),
    ("1\u202f234,5", 1234.5),
    ("1.234,5", 1234.5),
    ("12,34,567", 1234567.0),
    ("3,5", 3.5),
    ("1,234", 1234.0),
    ("-3", -3.0),
    ("\u22123", -3.0),
    ("-$3", -3.0),
    ("3/4", 0.75),
    ("\u00be", 0.75),
    ("2 1/2", 2.5),
    (r"\frac{3}{4}", 0.75),
    ("1e5", 1e5),
    ("1.5 × 10^3", 1500.0),
    ("10⁶", 1e6),
    ("2 million", 2e6),
    ("5 %", 5.0),
    ("$5", 5.0),
    ("€5.50.", 5.5),
    ("two", 2.0),
    ("Twenty", 20.0),
    ("sixty-four", 64.0),
    ("٤٢", 42.0),
    ("４２", 42.0),
    ("答案是42。", 42.0),
    ("**42**", 42.0),
    (r"\boxed{42}", 42.0),
    ("The answer is 42, as 6 x 7 = 42 and 1 < 2.", 42.0),
    ("12 x 12 = 144.", 144.0),
    ("144 = 12 x 12", 144.0),
    ("144 is 12 times 12.", 144.0),
    ("The answer is 12 x 12 = 144.", 144.0),
    ("The answer is not 5 but 6", 6.0),
    ("The answer is 6, not 5.", 6.0),
    ("17 times 23 is 391, not 12", 391.0),
    ("It isn't 12, it's 144.", 144.0),
    ("144 rather than 12.5", 144.0),
    ("144, instead of $1,200.50", 144.0),
    ("The answer is not 12.", None),
    ("It is not equal to 3/4", None),
    ("Steps:\n1. Take twelve.\n2. Double it.\nThat makes 24.", 24.0),
    ("1/0", None),
    ("1e999", None),
    ("H2O", None),
    ("", None),
    ("I cannot answer", None),
]


@pytest.mark.parametrize(("answer", "value"), NUMBERS)
def test_a_number_is_read_in_any_notation(answer: str, value: float | None) -> None:
    """The number is right where it is the gold one, wrong where the gold is one more, and none is not parsed."""
    text = "What is 12 times 12?"
    grades = [grade(answer, ask("number", str((value or 0.0) + more), text=text)) for more in (0, 1)]

    if value is None and answer != "1/0":
        assert grades == [NOTHING, NOTHING]
    elif value is not None:
        assert grades == [RIGHT, WRONG]


UNITS = [
    ("5 km", RIGHT),
    ("5km", RIGHT),
    ("5000 m", RIGHT),
    ("5,000 metres", RIGHT),
    ("3.1 miles", RIGHT),
    ("3.1 mi, after 2 hours", RIGHT),
    ("After 2 hours it is 5.02 km away.", RIGHT),
    ("5", RIGHT),
    ("5 m", WRONG),
    ("6 km", WRONG),
    ("5 kilometers in 30 minutes", RIGHT),
    ("5 hours", NOTHING),
    ("a long way", NOTHING),
]


@pytest.mark.parametrize(("answer", "wanted"), UNITS)
def test_units_of_the_same_dimension_are_converted(answer: str, wanted: Grade) -> None:
    """A number with the unit comes before others, another unit of length is converted, a unit of time is none."""
    assert grade(answer, ask("number", "5", unit="km", tolerance=0.01)) == wanted


@pytest.mark.parametrize(("celsius", "fahrenheit"), [(0, 32), (100, 212), (-40, -40), (37, 98.6)])
def test_temperatures_have_an_offset(celsius: float, fahrenheit: float) -> None:
    """Celsius and Fahrenheit are the same temperature in both directions."""
    assert grade(f"It is {fahrenheit} °F.", ask("number", str(celsius), unit="C")) == RIGHT
    assert grade(f"{celsius} degrees Celsius", ask("number", str(fahrenheit), unit="F")) == RIGHT


GIVEN = [
    ("How many centimetres are in 6 kilometres?", "600000", "6 kilometres are 600,000 cm", RIGHT),
    ("How many centimetres are in 6 kilometres?", "600000", "6 kilometres are 6000 m", RIGHT),
    ("How many centimetres are in 6 kilometres?", "600000", "6 kilometres times 1.01 is approximately 6.06.", WRONG),
    ("How many centimetres are in 6 kilometres?", "600000", "100 centimetres = 6 kilometres", WRONG),
    ("How many centimetres are in 6 kilometres?", "600000", "That is 6 kilometres.", NOTHING),
    ("How many centimetres are in a metre?", "100", "A metre is 1 metre long.", NOTHING),
    ("How many centimetres are in a metre?", "100", "1 metre = 100 cm", RIGHT),
]


@pytest.mark.parametrize(("text", "gold", "answer", "wanted"), GIVEN)
def test_what_the_question_gives_is_no_answer_in_another_unit(text: str, gold: str, answer: str, wanted: Grade) -> None:
    """Repeating the given quantity converts nothing."""
    assert grade(answer, ask("number", gold, text=text, unit="cm", tolerance=0.01)) == wanted


FACTS = [
    ("In which year did people land on the moon?", "In 1969, by Apollo 11.", 1969),
    ("How many days does June have?", "June has 30 days in a 24-hour cycle.", 30),
    ("How many chambers has the heart?", "It has four chambers: two atria and two ventricles.", 4),
    ("How many days are in 3 weeks?", "7 days a week, so 21.", 21),
    ("How many apples are left of 9?", "He had 5 apples at noon and ate 2 then, leaving 3.", 3),
    ("How many legs does a snake have?", "A snake has no legs.", 0),
    ("How many legs does a snake have?", "I have no idea.", None),
    ('How many times does "a" occur in "cat"?', "It occurs only once.", 1),
    ('How many times does "a" occur in "banana"?', "It occurs once, or twice.", None),
    ("How often does it ring?", "Twice.", 2),
    ("What is 1 + 1?", "Once upon a time.", None),
]


@pytest.mark.parametrize(("text", "answer", "value"), FACTS)
def test_the_number_of_the_thing_asked_for_counts(text: str, answer: str, value: int | None) -> None:
    """A year, the number before the thing that is counted, none of it, once or twice; in a calculation the last."""
    grades = [grade(answer, ask("number", str((value or 0) + more), text=text)) for more in (0, 1)]

    assert grades == ([NOTHING, NOTHING] if value is None else [RIGHT, WRONG])


def test_the_tolerance_is_a_share_of_the_gold() -> None:
    """Just inside is right, just outside is wrong, on both sides."""
    question = ask("number", "200", tolerance=0.05)
    grades = [grade(str(value), question).score for value in (189.9, 190.1, 209.9, 210.1)]

    assert grades == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("answer", [answer for answer, value in NUMBERS if value is not None])
def test_every_number_agrees_with_itself(answer: str) -> None:
    """Wherever a text gives a number, it gives the same as itself."""
    assert agrees(answer, answer, ask("number", "1")) == RIGHT


GSM8K = [
    ("3 pens cost $6.\n#### 6", RIGHT),
    ("#### $6.00", RIGHT),
    ("So she pays 2 * 3 = <<2*3=6>>6 dollars", RIGHT),
    ("The answer is 6.", RIGHT),
    ("The answer is $6, which is less than 10.", RIGHT),
    (r"Thus \boxed{6} of 12.", RIGHT),
    ("first 12, then 6", RIGHT),
    ("6.0", RIGHT),
    ("**6**", RIGHT),
    ("six", RIGHT),
    ("\u0666", RIGHT),
    ("6, then 12", WRONG),
    ("#### 60", WRONG),
    ("", NOTHING),
    ("It is 6, not 12.", RIGHT),
    ("It is 12, not 6.", WRONG),
    ("It is not 6.", NOTHING),
    ("I cannot answer", NOTHING),
]


@pytest.mark.parametrize(("answer", "wanted"), GSM8K)
def test_a_worked_solution_ends_with_its_number(answer: str, wanted: Grade) -> None:
    """What is marked counts, otherwise the last number."""
    assert grade(answer, ask("GSM8K", "2 * 3 = <<2*3=6>>6\n#### 6")) == wanted
