"""Worked mathematics: the boxed expression (Hendrycks et al., "Measuring Mathematical Problem Solving").

Different from the paper: two expressions are also equal where their values are, at fixed values for the variables.
"""

# ruff: noqa: RUF001 (the sign of a union)

import cmath
import re

from edgecascade.grading.expressions import computed, tidy
from edgecascade.grading.quantities import CLOSE, after_equals, near, numbers_in
from edgecascade.grading.text import UNPARSED, announcements, boxed_in, visible
from edgecascade.labelled import Grade, LabelledQuestion


def math_answer(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by the final expression, equal to the gold's as text, in value, or part by part.

    Where the gold is a plain number, a number with words around it will do ("350 dollars").
    """
    found = final_expression(answer)[:1000]
    if not found.strip():
        return UNPARSED
    plain = tidy(found)
    for text in question.gold:
        wanted = tidy(final_expression(text)[:1000])
        sides = [wanted, *(wanted.split("=") if wanted.count("=") == 1 else ())]
        if any(_equal(plain, side) for side in sides if side):
            return Grade(1.0)
        if (value := computed(wanted)) is not None and value.imag == 0 and _near_in_words(found, value.real):
            return Grade(1.0)
    return Grade(0.0)


def final_expression(text: str) -> str:
    """Return the expression that a worked solution ends with, "" for none."""
    shown = visible(text)
    if boxed := boxed_in(shown):
        return boxed
    lines = list(announcements(re.sub(r"\*\*", "", shown)))
    for line in lines:
        if formulas := re.findall(r"\$([^$]+)\$|\\\((.+?)\\\)", line):
            return "".join(formulas[0]).rpartition("=")[2] or "".join(formulas[0])
        if stated := re.split(r"[.!](?:\s|$)", line)[0].strip():
            return stated
    if formulas := re.findall(r"\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", shown, re.DOTALL):
        return "".join(formulas[-1]).strip().rpartition("=")[2] or "".join(formulas[-1])
    if "\n" not in shown and len(shown) <= 80:
        return shown
    return shown[last.start : last.end] if (last := next(reversed(numbers_in(shown)), None)) else ""


def _near_in_words(text: str, value: float) -> bool:
    """Return whether a phrase (not a formula) holds one number, or ends in "= number", and it is this one."""
    numbers = after_equals(text) or numbers_in(text)
    phrase = re.search(r"[^\W\d_]{3}", re.sub(r"\\[a-z]+", "", text)) is not None
    return phrase and len(numbers) == 1 and near(numbers[0].value, value)


def _equal(a: str, b: str, depth: int = 0) -> bool:
    """Return whether two tidy expressions mean the same: text, value, or part by part; lists and sets in any order."""
    if a == b:
        return True
    if depth > 6 or not a or not b:
        return False
    x, y = computed(a), computed(b)
    if x is not None and y is not None:
        return cmath.isclose(x, y, rel_tol=CLOSE, abs_tol=1e-12)
    for sign in ("∪", ";"):
        if len(_split(a, sign)) > 1:
            return _all_equal(_split(a, sign), _split(b, sign), depth, ordered=sign == ";")
    if len(_split(a, ",")) > 1:
        return _all_equal(_split(a, ","), _split(b, ","), depth, ordered=False)
    if a.startswith("matrix(") and b.startswith("matrix("):
        rows, others = _split(a[7:-1], ";"), _split(b[7:-1], ";")
        return len(rows) == len(others) and all(
            _all_equal(_split(p, ","), _split(q, ","), depth, ordered=True) for p, q in zip(rows, others, strict=True)
        )
    if a[0] == b[0] and a[-1] == b[-1] and a[0] in "([{" and a[-1] in ")]}":
        return _all_equal(_split(a[1:-1], ","), _split(b[1:-1], ","), depth, ordered=a[0] != "{")
    if a.count("=") == 1 == b.count("="):
        return _all_equal(a.split("="), b.split("="), depth, ordered=True)
    return False


def _all_equal(parts: list[str], others: list[str], depth: int, *, ordered: bool) -> bool:
    if len(parts) != len(others) or len(parts) > 50:
        return False
    if ordered:
        return all(_equal(p, q, depth + 1) for p, q in zip(parts, others, strict=True))
    left = list(others)
    for part in parts:
        match = next((other for other in left if _equal(part, other, depth + 1)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _split(text: str, signs: str) -> list[str]:
    """Return the parts of the text between the signs that stand outside every bracket."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char in signs and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts
