"""Numbers in a text, in any notation, with the units behind them."""

# ruff: noqa: RUF001 (the patterns hold the signs that answers hold)

import math
import re
import unicodedata
from dataclasses import dataclass

from edgecascade.grading.text import LETTER

CLOSE = 1e-9
"""Two numbers closer than this share of the larger are equal: whole ones of nine digits differ."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text: its value, the unit's name behind it ("" for none), and where it starts and ends."""

    value: float
    unit: str
    start: int
    end: int


_TABLE: dict[str, dict[str, tuple[float, float]]] = {
    dimension: {name: (factor, offset) for names, factor, offset in rows for name in names.split()}
    for dimension, rows in {
        "length": [
            ("mm millimeter millimeters millimetre millimetres", 1e-3, 0.0),
            ("cm centimeter centimeters centimetre centimetres", 1e-2, 0.0),
            ("m meter meters metre metres", 1.0, 0.0),
            ("km kilometer kilometers kilometre kilometres", 1e3, 0.0),
            ("inch inches", 0.0254, 0.0),
            ("ft foot feet", 0.3048, 0.0),
            ("yd yard yards", 0.9144, 0.0),
            ("mi mile miles", 1609.344, 0.0),
        ],
        "mass": [
            ("mg milligram milligrams", 1e-6, 0.0),
            ("g gram grams", 1e-3, 0.0),
            ("kg kilogram kilograms", 1.0, 0.0),
            ("t tonne tonnes", 1e3, 0.0),
            ("oz ounce ounces", 0.028349523125, 0.0),
            ("lb lbs pound pounds", 0.45359237, 0.0),
        ],
        "time": [
            ("ms millisecond milliseconds", 1e-3, 0.0),
            ("s sec second seconds", 1.0, 0.0),
            ("min mins minute minutes", 60.0, 0.0),
            ("h hr hrs hour hours", 3600.0, 0.0),
            ("day days", 86_400.0, 0.0),
            ("week weeks", 604_800.0, 0.0),
        ],
        "temperature": [
            ("K kelvin", 1.0, 0.0),
            ("C °C celsius", 1.0, 273.15),
            ("F °F fahrenheit", 5 / 9, 273.15 - 32 * 5 / 9),
        ],
        "volume": [
            ("ml mL milliliter milliliters millilitre millilitres", 1e-6, 0.0),
            ("cl cL centiliter centiliters", 1e-5, 0.0),
            ("l L liter liters litre litres", 1e-3, 0.0),
            ("cm^3", 1e-6, 0.0),
            ("m^3", 1.0, 0.0),
        ],
        "area": [("cm^2", 1e-4, 0.0), ("m^2", 1.0, 0.0), ("ha hectare hectares", 1e4, 0.0), ("km^2", 1e6, 0.0)],
        "speed": [("m/s", 1.0, 0.0), ("km/h kmh kph", 1 / 3.6, 0.0), ("mph", 0.44704, 0.0)],
        "energy": [
            ("J joule joules", 1.0, 0.0),
            ("kJ kilojoule kilojoules", 1e3, 0.0),
            ("MJ megajoule megajoules", 1e6, 0.0),
            ("kWh", 3.6e6, 0.0),
            ("cal calorie calories", 4.184, 0.0),
            ("kcal", 4184.0, 0.0),
        ],
        "power": [("W watt watts", 1.0, 0.0), ("kW kilowatt kilowatts", 1e3, 0.0), ("MW megawatt megawatts", 1e6, 0.0)],
        "pressure": [("Pa pascal pascals", 1.0, 0.0), ("kPa", 1e3, 0.0), ("bar", 1e5, 0.0), ("atm", 101_325.0, 0.0)],
    }.items()
}
"""Units by dimension: value in the base unit = factor * value + offset."""
_UNITS = {name: (dimension, *scale) for dimension, names in _TABLE.items() for name, scale in names.items()}
_UNITS_FOLDED = {name.casefold(): row for name, row in reversed(_UNITS.items())}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_IN_DIGITS = re.compile(
    rf"""
    (?<!{LETTER})(?<![.^])                                          # not inside a word, a version or an exponent
    (?:(?<![)\]\w])(?P<sign>[-+]))?[$€£¥₹]?[ ]?(?P<inner>(?<=[$€£¥₹])-)?
    (?:
      (?P<mixed>\d+[ ]\d/\d{{1,2}}(?![\d/]))
    | (?P<dotted>\d{{1,3}}(?:\.\d{{3}})+,\d+|\d{{1,3}}(?:\.\d{{3}}){{2,}})(?![\d.]\d|\d)         # 1.234,5
    | (?P<spaced>[1-9]\d{{0,2}}(?:[\ '’_]\d{{3}})+(?:[.,]\d+)?(?![\d]|[.,]\d))                     # 1 234,5
    | (?P<grouped>(?<!\d,)(?:[1-9]\d{{0,2}}(?:,\d{{3}})+|[1-9]\d?(?:,\d{{2}})+,\d{{3}})(?:\.\d+)?(?!\d|[.,]\d))
    | (?P<comma>(?<!\d,)(?<![(\[{{])(?:0,\d+|\d+,(?!\d{{3}}(?!\d))\d+)(?!\d|[,.]\d))              # 3,5
    | (?P<plain>\d+(?:\.\d+)?|\.\d+)
    )
    (?:[eE](?P<exponent>[-+]?\d{{1,3}})(?!\w)|\s*(?:[x×*·]|\\times|\\cdot)\s*10\^[{{(]?(?P<ten>[-+]?\d{{1,3}})[)}}]?)?
    (?:\^[{{(]?(?P<power>[-+]?\d{{1,3}})[)}}]?)?
    (?:\s?/\s?(?P<over>\d+(?:\.\d+)?)(?![\d/]))?
    """,
    re.VERBOSE,
)
_IN_WORDS = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[- ](?P<ones>{'|'.join(_SMALL[1:10])}))?"
    rf"|(?P<small>{'|'.join(_SMALL)}))\b",
    re.IGNORECASE,
)
_SCALE = re.compile(rf"\s*({'|'.join(_SCALES)})\b", re.IGNORECASE)
_UNIT = re.compile(r"[\s~-]?\s?(?:degrees?\s+)?(°?[^\W\d_]+(?:/[^\W\d_]+)?(?:\^[23])?|°|%)")
_SIGNS = str.maketrans({"\u2212": "-", "\ufe63": "-", "\uff0d": "-", "\u2011": "-", "\u2010": "-", "\u066b": ".",
                        "\u066c": ",", "\uff0c": ",", "\uff0e": ".", "\u2044": "/", "\u00a0": " ", "\u202f": " ",
                        "\u2009": " ", "\uff05": "%", "\uff1d": "="})  # fmt: skip
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")


def ascii_digits(text: str) -> str:
    r"""Return the text with digits, signs, fractions and exponents of any script as ASCII, and LaTeX fractions plain.

    >>> ascii_digits("\u2212٣ m²"), ascii_digits("1½")
    ('-3 m^2', '1 1/2')
    """
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda match: "^" + match[0].translate(_SUPERSCRIPT), text.translate(_SIGNS))
    kept: list[str] = []
    for char in text:
        if unicodedata.decimal(char, None) is not None:
            kept.append(str(unicodedata.decimal(char)))
        elif unicodedata.decomposition(char).startswith("<fraction>"):
            space = " " if kept and kept[-1].isdigit() else ""
            kept.append(space + unicodedata.normalize("NFKD", char).replace("\u2044", "/"))
        else:
            kept.append(char)
    found = re.sub(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2", "".join(kept))
    found = re.sub(r"\\[!,;: ]|\*\*|`", "", found.replace("{,}", ","))
    return found.replace("\\$", "$").replace("\\%", "%").replace("^\\circ", "°").replace("^{\\circ}", "°")


def numbers_in(text: str) -> list[Number]:
    """Return the numbers in the text, in order; small ones in words only where there is no digit.

    >>> [number.value for number in numbers_in("1,234.5; -3; 3/4; 1e5; 2 1/2; 1.234,5; 5 %; $5; 3,5; 10^3; 2 million")]
    [1234.5, -3.0, 0.75, 100000.0, 2.5, 1234.5, 5.0, 5.0, 3.5, 1000.0, 2000000.0]
    >>> [number.value for number in numbers_in("twenty-one or two thousand")]
    [21.0, 2000.0]
    """
    text = ascii_digits(text)
    marks = list(re.finditer(r"(?m)^[ \t]*\d{1,2}[.)][ \t]+(?=\S)", text))
    if len(marks) > 1:  # a numbered list: its numbers are no answers
        text = re.sub(r"(?m)^([ \t]*)\d{1,2}[.)]([ \t]+)(?=\S)", r"\1\2", text)
    matches = list(_IN_DIGITS.finditer(text))
    read = _value_in_digits if matches else _value_in_words
    found = []
    for match in matches or _IN_WORDS.finditer(text):
        value, end = read(match), match.end()
        if scale := _SCALE.match(text, end):
            value, end = value * _SCALES[scale[1].lower()], scale.end()
        if math.isfinite(value):
            unit = _UNIT.match(text, end)
            found.append(Number(value, unit[1] if unit else "", match.start(), end))
    return found


def _value_in_digits(match: re.Match[str]) -> float:
    """Return the number that was found, infinite where it is too large."""
    part = match.groupdict()
    if part["mixed"]:
        whole, above, below = map(float, re.split("[ /]", part["mixed"]))
        value = whole + (above / below if below else math.inf)
    elif part["dotted"]:
        value = float(part["dotted"].replace(".", "").replace(",", "."))
    elif part["spaced"]:
        value = float(re.sub("[ '’_]", "", part["spaced"]).replace(",", "."))
    elif part["grouped"]:
        value = float(part["grouped"].replace(",", ""))
    else:
        value = float((part["comma"] or part["plain"]).replace(",", "."))
    try:
        if part["power"]:
            value **= int(part["power"])
        if exponent := part["exponent"] or part["ten"]:
            value *= 10.0 ** int(exponent)
        if part["over"]:
            value /= float(part["over"])
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return -value if "-" in ((part["sign"] or "") + (part["inner"] or "")) else value


def _value_in_words(match: re.Match[str]) -> float:
    if match["small"]:
        return float(_SMALL.index(match["small"].lower()))
    return 10.0 * (_TENS.index(match["tens"].lower()) + 2) + _SMALL.index((match["ones"] or "zero").lower())


def converted(number: Number, unit: str) -> float | None:
    """Return the value in the wanted unit, or None where the number's own unit is another or cannot be converted.

    >>> converted(Number(98.6, "°F", 0, 4), "C"), converted(Number(5.0, "apples", 0, 1), "apple")
    (37.0, 5.0)
    """
    found, wanted = unit_named(number.unit), unit_named(unit)
    if found and wanted and found[0] == wanted[0]:
        return round((number.value * found[1] + found[2] - wanted[2]) / wanted[1], 12)
    same = number.unit.casefold().rstrip("s") == unit.strip().casefold().rstrip("s") != ""
    return number.value if same else None


def unit_named(name: str) -> tuple[str, float, float] | None:
    """Return the dimension, factor and offset of a unit's name, or None."""
    return _UNITS.get(name.strip()) or _UNITS_FOLDED.get(name.strip().casefold())


_EQUALS = re.compile(r"[=≈]\s*")
_GOES_ON = re.compile(r"\s*[-+*/x×÷·^]\s*[\d(]")


def after_equals(text: str) -> list[Number]:
    """Return the numbers after the last "=" that is followed by a result rather than by a calculation."""
    text = ascii_digits(text)
    for sign in reversed(list(_EQUALS.finditer(text))[-20:]):
        rest = text[sign.end() : sign.end() + 200]
        found = numbers_in(rest)
        if found and not re.search(r"[^\W\d_]{2}", rest[: found[0].start]) and not _GOES_ON.match(rest, found[0].end):
            return found
    return []


def near(a: float, b: float) -> bool:
    """Return whether two numbers are equal but for rounding."""
    return math.isclose(a, b, rel_tol=CLOSE, abs_tol=1e-12)
