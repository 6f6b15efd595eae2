"""What an answer to a labelled question was worth: one pure function a metric, from any text to a grade.

    words        exact, normalised, f1, f1_score, regex     numbers      number, GSM8K
    choices      choice, em_mc                              mathematics  MATH
    concepts     commongen_coverage                         json_schema  json_schema
    judge        judge: another model decides               here         agreement with a recorded answer

No text makes a grader raise. A text without an answer in it is wrong, and marked as not parsed. Markdown, LaTeX and a
leading ``<think>`` block are looked through. Of a very long answer the beginning and the end are read.
"""

import difflib
from collections.abc import Callable
from dataclasses import replace

from edgecascade.errors import QuestionFileError
from edgecascade.grading.choices import check_choices, choice, letter_of
from edgecascade.grading.concepts import commongen_coverage
from edgecascade.grading.json_schema import check_schema, json_of, json_schema, same_json
from edgecascade.grading.judge import JUDGE, judge_question, verdict_of
from edgecascade.grading.mathematics import final_expression, math_answer
from edgecascade.grading.numbers import check_numbers, final_number, gsm8k, number, number_of
from edgecascade.grading.text import UNPARSED, compiled_pattern, final_statement, says
from edgecascade.grading.words import YES_NO, best_f1, exact, f1, normalised, regex
from edgecascade.labelled import Grade, LabelledQuestion

__all__ = [
    "GRADERS",
    "JUDGE",
    "UNGRADED",
    "agrees",
    "check",
    "check_schema",
    "grade",
    "judge_question",
    "letter_of",
    "verdict_of",
]

Grader = Callable[[str, LabelledQuestion], Grade]

UNGRADED = {"code_eval": "grading it would run code that a model wrote"}
"""Metrics that are known but not graded, and why."""


def grade(answer: str, question: LabelledQuestion) -> Grade:
    """Return what the answer was worth by the question's own metric.

    Raises QuestionFileError where the metric is unknown, not graded, or decided by a judge.

    >>> from edgecascade.records import Message
    >>> asked = (Message("user", "How far is it to the harbour?"),)
    >>> question = LabelledQuestion(
    ...     id="1", task="t", messages=asked, metric="number", gold=("12",), grading={"unit": "km", "tolerance": 0.01}
    ... )
    >>> grade("About **12,000 m** by road.", question)
    Grade(score=1.0, parsed=True)
    """
    grader = GRADERS.get(question.metric)
    if grader is None:
        raise QuestionFileError(_no_grader(question.metric))
    return grader(answer, question)


def agrees(answer: str, other: str, question: LabelledQuestion) -> Grade:
    """Return whether ``answer`` says what ``other`` says, read by the question's own metric; its gold is not used.

    Not parsed where either says nothing that can be compared. Texts agree when one holds the other as whole words, or
    by their F1 where that is the metric.
    """
    metric = question.metric
    if metric == "agreement":
        metric = question.grading.get("by", "choice" if question.choices else "normalised")
    if metric == "json_schema":
        found, wanted = json_of(answer), json_of(other)
        return UNPARSED if found is None or wanted is None else Grade(float(same_json(found[0], wanted[0])))
    if metric not in _READERS:
        return _same_words(final_statement(answer), final_statement(other), metric, question)
    said = _READERS[metric](other, question)
    return UNPARSED if said is None else GRADERS[metric](answer, replace(question, metric=metric, gold=(said,)))


def _same_words(mine: str, theirs: str, metric: str, question: LabelledQuestion) -> Grade:
    """Return whether two statements agree as texts."""
    if not mine or not theirs:
        return UNPARSED
    if metric in ("f1", "f1_score", "commongen_coverage"):
        return Grade(best_f1(mine, (theirs,)))
    bare = theirs.strip(" .!")
    if bare.casefold() in YES_NO:
        return normalised(mine, replace(question, gold=(bare,)))
    return Grade(float(says(mine, theirs) or says(theirs, mine)))


def agreement(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by agreement with the recorded answer in ``gold``, read by the metric ``grading["by"]``."""
    grades = [agrees(answer, other, question) for other in question.gold]
    return max(grades, key=lambda grade: (grade.score, grade.parsed), default=UNPARSED)


GRADERS: dict[str, Grader] = {
    "exact": exact,
    "normalised": normalised,
    "choice": choice,
    "em_mc": choice,
    "number": number,
    "GSM8K": gsm8k,
    "MATH": math_answer,
    "f1": f1,
    "f1_score": f1,
    "json_schema": json_schema,
    "regex": regex,
    "commongen_coverage": commongen_coverage,
    "agreement": agreement,
}
"""Every metric that a function decides, by its name in question files."""


def _gsm8k_of(answer: str, question: LabelledQuestion) -> str | None:
    value = final_number(answer)
    return None if value is None else repr(value)


def _letter_in(answer: str, question: LabelledQuestion) -> str | None:
    return letter_of(answer, question.choices)


_READERS: dict[str, Callable[[str, LabelledQuestion], str | None]] = {
    "choice": _letter_in,
    "em_mc": _letter_in,
    "number": number_of,
    "GSM8K": _gsm8k_of,
    "MATH": lambda answer, question: final_expression(answer) or None,
}
"""How ``agrees`` reads what the other model said, as a gold text; None where nothing can be read."""

_WITHOUT_GOLD = frozenset({"regex", "json_schema", JUDGE})
_OPTIONS = {
    "number": ("unit", "tolerance"),
    "regex": ("pattern",),
    "json_schema": ("schema", "equals"),
    "agreement": ("by", "unit", "tolerance"),
    JUDGE: ("rubric",),
}
"""What ``grading`` may hold."""


def check(question: LabelledQuestion) -> None:
    """Raise QuestionFileError where the question cannot be graded as it says: unknown metric, no gold, a broken schema.

    >>> from edgecascade.records import Message
    >>> check(LabelledQuestion(id="1", task="t", messages=(Message("user", "?"),), metric="f2", gold=("x",)))
    Traceback (most recent call last):
    ...
    edgecascade.errors.QuestionFileError: metric 'f2' is unknown: wanted one of ...; did you mean 'f1'?
    """
    metric, gold, grading = question.metric, question.gold, question.grading
    if metric in UNGRADED:
        return
    if metric not in GRADERS and metric != JUDGE:
        raise QuestionFileError(_no_grader(metric))
    allowed = _OPTIONS.get(metric, ())
    if strange := sorted(set(grading) - set(allowed)):
        raise QuestionFileError(
            f"grading {strange[0]!r} means nothing to metric {metric!r}: wanted {', '.join(allowed) or 'none'}; "
            "remove it"
        )
    if metric not in _WITHOUT_GOLD and not any(text.strip() for text in gold):
        raise QuestionFileError(f"metric {metric!r} needs a gold answer: found none; give at least one")
    if metric in ("choice", "em_mc"):
        check_choices(question)
    elif metric in ("number", "GSM8K"):
        check_numbers(question)
    elif metric == "regex":
        compiled_pattern(grading.get("pattern"))
    elif metric == "json_schema":
        check_schema(grading.get("schema"))
    elif metric == "agreement" and grading.get("by", "choice") not in GRADERS:
        raise QuestionFileError(f"grading 'by' is {grading['by']!r}: wanted one of {', '.join(GRADERS)}")


def _no_grader(metric: str) -> str:
    """Return why no function grades by the metric."""
    if metric in UNGRADED:
        return f"metric {metric!r} is not graded: {UNGRADED[metric]}; leave such questions out"
    if metric == JUDGE:
        return "metric 'judge' is decided by a model: ask it judge_question(), and read its reply with verdict_of()"
    near = difflib.get_close_matches(metric, [*GRADERS, JUDGE], n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"metric {metric!r} is unknown: wanted one of {', '.join([*GRADERS, JUDGE, *UNGRADED])}{hint}"
