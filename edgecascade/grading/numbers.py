"""Answers that are one number.

number  the number that is announced, or has the unit, or is new; right within a tolerance, after conversion
GSM8K   the final number (Cobbe et al., "Training Verifiers to Solve Math Word Problems")
"""

# ruff: noqa: RUF001 (the patterns hold the signs that answers hold)

import re

from edgecascade.errors import QuestionFileError
from edgecascade.grading.quantities import CLOSE, Number, after_equals, converted, near, numbers_in, unit_named
from edgecascade.grading.text import UNPARSED, announcements, boxed_in, visible
from edgecascade.labelled import Grade, LabelledQuestion

_DENIED = re.compile(
    r"(?:(?<!\bor )\bnot|n['’]t|\b(?:rather than|instead of|never))\s+(?:be\s+)?(?:equal to\s+)?"
    r"[$€£]?[-\u2212]?\d(?:[\d.,/]*\d)?",
    re.IGNORECASE,
)
"""A number that the text says it is not."""


def _read(answer: str) -> str:
    """Return what is read of an answer: after its thinking, without the numbers that it denies.

    >>> _read("It is 391, not 12.")
    'It is 391,  .'
    """
    return _DENIED.sub(" ", visible(answer))


def number(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by one number, at most ``tolerance`` (a share of the gold number) away from it."""
    value = _chosen(answer, question, _wanted_unit(question))
    if value is None:
        return UNPARSED
    tolerance = max(float(question.grading.get("tolerance", 0.0)), CLOSE)
    gold = [numbers[0].value for text in question.gold if (numbers := numbers_in(text))]
    return Grade(float(any(abs(value - wanted) <= max(tolerance * abs(wanted), 1e-12) for wanted in gold)))


def number_of(answer: str, question: LabelledQuestion) -> str | None:
    """Return the number that the answer gives, in the wanted unit and as text, or None."""
    value = _chosen(answer, question, _wanted_unit(question))
    return None if value is None else repr(value)


def _chosen(answer: str, question: LabelledQuestion, unit: str) -> float | None:
    """Return the number that answers, in ``unit`` where one is wanted, or None.

    What is announced comes first, then what has the unit, then the only number that the question does not hold, then
    the only one of the thing that it asks for, then the last.
    """
    text, asked = _read(answer), question.messages[-1].content if question.messages else ""
    found, announced = _pool(text, equals=True)
    if unit and (given := _given_otherwise(asked, unit)):
        fresh = [number for number in found if (number.value, unit_named(number.unit)) not in given]
        announced = announced and bool(fresh)
        found = fresh or [number for number in numbers_in(text) if (number.value, unit_named(number.unit)) not in given]
    values = [value for number in found if unit and (value := converted(number, unit)) is not None]
    values = values or [number.value for number in found if not (unit and unit_named(number.unit))]
    if not values:
        return _counted_in_words(text, asked)
    if announced:
        return values[0]
    stated = {number.value for number in numbers_in(asked)}
    for likely in ({value for value in values if value not in stated}, set() if stated else _of_thing(found, asked)):
        if len(likely) == 1:
            return likely.pop()
    return values[-1]


def _given_otherwise(asked: str, unit: str) -> set[tuple[float, tuple[str, float, float] | None]]:
    """Return the quantities that the question gives in other units: repeated and converted, they would answer it.

    >>> sorted(value for value, unit in _given_otherwise("How many cm are 6 km, and how many are in a mile?", "cm"))
    [1.0, 6.0]
    """
    given = {(number.value, unit_named(number.unit)) for number in numbers_in(asked)}
    given |= {(1.0, unit_named(name)) for name in re.findall(r"\b(?:an?|one)\s+([^\W\d_]+)", asked)}
    return {(value, named) for value, named in given if named not in (None, unit_named(unit))}


_THING = re.compile(r"\bhow many ([^\W\d_]+)|\b(?:which|what) year\b", re.IGNORECASE)
_OFTEN = re.compile(r"\bhow (?:many times|often)\b", re.IGNORECASE)
_TIMES = {"never": 0.0, "once": 1.0, "twice": 2.0, "thrice": 3.0}


def _of_thing(found: list[Number], asked: str) -> set[float]:
    """Return the numbers directly before what the question asks for ("30 days"), or those that are years."""
    thing = _THING.search(asked)
    if thing is None:
        return set()
    if thing[1] is None:
        return {number.value for number in found if number.value.is_integer() and 1000 <= number.value < 2100}
    return {number.value for number in found if number.unit.casefold() == thing[1].casefold()}


def _counted_in_words(text: str, asked: str) -> float | None:
    """Return the count that a text without a number states, or None.

    >>> _counted_in_words("It has no legs.", "How many legs has it?"), _counted_in_words("Twice.", "How often?")
    (0.0, 2.0)
    """
    if _OFTEN.search(asked):
        said = {_TIMES[word] for word in re.findall(rf"\b({'|'.join(_TIMES)})\b", text.casefold())}
        return said.pop() if len(said) == 1 else None
    thing = _THING.search(asked)
    none = thing and thing[1] and re.search(rf"\bno\s+{thing[1]}\b", text, re.IGNORECASE)
    return 0.0 if none else None


def _wanted_unit(question: LabelledQuestion) -> str:
    """Return the wanted unit: as the question says, or the one behind its gold number."""
    if unit := question.grading.get("unit"):
        return str(unit)
    gold = [number for text in question.gold for number in numbers_in(text)[:1]]
    return gold[0].unit if gold and unit_named(gold[0].unit) else ""


def gsm8k(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by the final number: after "####", boxed, after "answer is", or else the last of the text."""
    value = final_number(answer)
    if value is None:
        return UNPARSED
    gold = [final_number(text) for text in question.gold]
    return Grade(float(any(near(value, wanted) for wanted in gold if wanted is not None)))


def final_number(text: str) -> float | None:
    r"""Return the number that a worked solution ends with.

    >>> final_number("3 pens at $2 make $6.\n#### 1,006"), final_number("So 2 + 2 = 4 apples.")
    (1006.0, 4.0)
    """
    found, announced = _pool(_read(text), equals=False)
    return (found[0] if announced else found[-1]).value if found else None


def _pool(text: str, *, equals: bool) -> tuple[list[Number], bool]:
    """Return the numbers among which the answer is, likeliest first, and whether the text announces them as such."""
    if (boxed := boxed_in(text)) and (found := numbers_in(boxed)):
        return found, True
    if (last := text.rpartition("####"))[1] and (found := numbers_in(last[2])):
        return found, True
    for line in announcements(text.replace("**", "")):
        if found := after_equals(line) or numbers_in(line):
            return found, True
    if equals and (found := after_equals(text)):
        return found, True
    return numbers_in(text), False


def check_numbers(question: LabelledQuestion) -> None:
    """Raise QuestionFileError where a gold text holds no number, or the tolerance or the unit is none."""
    for text in question.gold:
        if question.metric == "GSM8K" and final_number(text) is None:
            raise QuestionFileError(f"gold {text[-40:]!r} holds no number: metric 'GSM8K' wants '... #### 6'")
        if question.metric == "number" and not numbers_in(text):
            raise QuestionFileError(f"gold {text[:40]!r} is no number: metric 'number' wants one, such as '12.5'")
    tolerance = question.grading.get("tolerance", 0.0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < 1:
        raise QuestionFileError(f"grading 'tolerance' is {tolerance!r}: wanted a share of the gold, 0 up to 1")
    if not isinstance(question.grading.get("unit", ""), str):
        raise QuestionFileError(f"grading 'unit' is {question.grading['unit']!r}: wanted a text such as 'km'")
