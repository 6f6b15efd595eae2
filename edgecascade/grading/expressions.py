"""LaTeX in one plain notation, and the value of what is written so."""

# ruff: noqa: RUF001 (the patterns hold the signs that answers hold)

import cmath
import math
import re
from collections.abc import Callable

from edgecascade.grading.text import inside

_SPACING = re.compile(r"\\(?:[!,;: ]|quad\b|qquad\b|left\b|right\b|displaystyle\b|limits\b|big\b|Big\b)|[$\s~]")
_COMMANDS = {"pi": "π", "infty": "∞", "cdot": "*", "times": "*", "div": "/", "cup": "∪", "cap": "∩", "pm": "±",
             "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "lt": "<", "gt": ">", "circ": "°",
             "degree": "°", "ldots": "...", "dots": "..."}  # fmt: skip
_SYMBOLS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-", "∙": "*", "√": "sqrt"})


def tidy(latex: str) -> str:
    r"""Return the expression in one plain notation.

    >>> tidy(r"\dfrac{1}{2}"), tidy(r"2 \text{ pieces}"), tidy(r"125,\!000"), tidy(r"\frac 59"), tidy(r"10^\circ")
    ('((1)/(2))', '2', '125000', '((5)/(9))', '10')
    """
    text = latex.translate(_SYMBOLS)
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf|mbox|operatorname)\s*\{\s*(?:or|and|,)\s*\}", ",", text)
    text = re.sub(r"(?<=[\d}\w)$])\s*\\(?:text|mathrm|mbox)\s*\{[^{}]*\}(?:\^\{?[23]\}?)?", "", text)
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf|mbox|operatorname|mathbb)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\p?mod\s*\{[^{}]*\}|\\pmod\s*\S+|\(mod\s*\d+\)", "", text)
    text = re.sub(r"\\begin\{[pbv]?matrix\}|\\begin\{array\}(?:\{[^{}]*\})?", "matrix(", text)
    text = re.sub(r"\\end\{(?:[pbv]?matrix|array)\}", ")", text).replace("\\\\", ";").replace("&", ",")
    text = text.replace("\\%", "").replace("\\$", "").replace("%", "").replace("\\{", "{:").replace("\\}", ":}")
    text = _SPACING.sub(" ", text)
    text = re.sub(r"(?<=\d)\s*,\s{2,}(?=\d{3})", ",", text) if "\\!" in latex else text
    text = re.sub(r"(\\sqrt)\s*(\w)", r"\1{\2}", re.sub(r"\\[dtc]frac", r"\\frac", text))
    text = re.sub(r"\s+", "", re.sub(r"(\\frac)\s*([^\s{\\])\s*([^\s{\\])", r"\1{\2}{\3}", text))
    text = re.sub(r"(\\frac)(\d)(?=\{)", r"\1{\2}", re.sub(r"(\\frac\{[^{}]*\})(\w)", r"\1{\2}", text))
    text = re.sub(r"\\([A-Za-z]+)", lambda match: _COMMANDS.get(str(match[1]), f"\\{match[1]}"), text)
    text = re.sub(
        r"\^?\{?°\}?|degrees?$|(?<=\d)dollars?$", "", _without_braces(text, 0).replace("{:", "{").replace(":}", "}")
    )
    text = re.sub(r"(?<![\d(\[{,])(\d{1,3}(?:,\d{3})+)(?![\d,)\]}])", lambda match: match[1].replace(",", ""), text)
    text = re.sub(r"^[A-Za-z]{1,2}(?:\([a-z]\))?=(?=.)", "", text.rstrip(".,;:"))
    return text.replace("\\", "").strip().casefold()


def _without_braces(text: str, depth: int) -> str:
    r"""Return the text with ``\frac{a}{b}``, ``\sqrt[n]{a}`` and other groups in parentheses."""
    kept, place = [], 0
    while place < len(text):
        if depth < 20 and text.startswith("\\frac{", place):
            above, place = inside(text, place + 6)
            below, place = inside(text, place + 1) if text[place : place + 1] == "{" else ("1", place)
            kept.append(f"(({_without_braces(above, depth + 1)})/({_without_braces(below, depth + 1)}))")
        elif text[place] == "{" and text[place : place + 2] != "{:":
            group, place = inside(text, place + 1)
            inner = _without_braces(group, depth + 1) if depth < 20 else group
            kept.append(inner if len(inner) == 1 and kept and kept[-1] in ("_", "^") else f"({inner})")
        else:
            kept.append(text[place])
            place += 1
    return "".join(kept)


_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sqrt": cmath.sqrt, "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "ln": cmath.log, "log": cmath.log,
    "arcsin": cmath.asin, "arccos": cmath.acos, "arctan": cmath.atan,
    "sec": lambda x: 1 / cmath.cos(x), "csc": lambda x: 1 / cmath.sin(x), "cot": lambda x: 1 / cmath.tan(x),
}  # fmt: skip


class _Expression:
    """Reads one plain expression and computes it; letters stand for fixed values.

    sum = product {+- product};  product = power {[*/] power};  power = [-] atom [^ power]
    """

    def __init__(self, text: str) -> None:
        self._parts: list[str] = re.findall(
            r"\d+(?:\.\d+)?|\.\d+|sqrt|arc(?:sin|cos|tan)|sin|cos|tan|sec|csc|cot|ln|log|[a-zπ]|\S", text
        )
        self._place = 0

    def value(self) -> complex:
        found = self._sum(0)
        if self._place != len(self._parts):
            raise ValueError(self._parts[self._place])
        return found

    def _next(self) -> str:
        return self._parts[self._place] if self._place < len(self._parts) else ""

    def _take(self) -> str:
        self._place += 1
        return self._parts[self._place - 1]

    def _sum(self, depth: int) -> complex:
        if depth > 40:
            raise ValueError("too deep")
        total = self._product(depth)
        while self._next() in ("+", "-"):
            total += self._product(depth) if self._take() == "+" else -self._product(depth)
        return total

    def _product(self, depth: int) -> complex:
        total = self._power(depth)
        while (sign := self._next()) and sign not in "+-)":
            if sign in "*/":
                self._take()
            other = self._power(depth)
            total = total / other if sign == "/" else total * other
        return total

    def _power(self, depth: int) -> complex:
        if depth > 40:
            raise ValueError("too deep")
        if self._next() in ("+", "-"):
            return self._power(depth + 1) if self._take() == "+" else -self._power(depth + 1)
        base = self._atom(depth)
        if self._next() != "^":
            return base
        self._take()
        exponent = self._power(depth + 1)
        if abs(exponent) > 1000:
            raise ValueError("too large")
        return base**exponent

    def _atom(self, depth: int) -> complex:
        part = self._take() if self._next() else ""
        if part == "(":
            inner = self._sum(depth + 1)
            if self._next() != ")":
                raise ValueError("not closed")
            self._take()
            return inner
        if part in _FUNCTIONS:
            return _FUNCTIONS[part](self._power(depth + 1))
        if part == "π":
            return math.pi
        if len(part) == 1 and "a" <= part <= "z":
            return 1j if part == "i" else math.sqrt(2 + ord(part)) - 9.3
        return float(part)


def computed(text: str) -> complex | None:
    """Return the value of a plain expression, None where it is none.

    >>> computed("2(3+4)^2/7"), computed("sunday,") is None
    ((14+0j), True)
    """
    if not text or len(text) > 500:
        return None
    try:
        value = complex(_Expression(text).value())
    except (ValueError, ArithmeticError):
        return None
    return value if cmath.isfinite(value) else None
