"""E-mail addresses and phone numbers.

An e-mail address is one by its form (the common part of RFC 5321, letters of all scripts). A phone number is one by the
numbering plans in phonenumbers, or by its form where a word before it says so.

Different from the RFC: quoted names before the @ and addresses at bare hosts are not read.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumberMatch

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{0,63}[\w+-]@(?:\w[\w-]{0,62}\.){1,8}(?:[^\W\d_]{2,63}|xn--[\w-]{2,59})")

_PHONE = re.compile(r"(?<![\w+])(?<![0-9][.,\-/])(?:\+|00)?\(?[0-9](?:[ ().\-/\xa0]{0,3}[0-9]){6,16}(?!\w)")
_SAID = re.compile(
    r"(?<![^\W_])(?:phone|telephone|tel|mobile|cell|fax|whats ?app|sms|text me|call|dial|ring|reach (?:me|us)|"
    r"telefon|t[ée]l[ée]phone|handy|portable|tel[ée]fono|celular|m[óo]vil|telefoon|телефон|电话|手机|電話)s?"
    r"(?![^\W\d_])[^0-9\n]{0,16}\+?\(?$",
    re.IGNORECASE,
)
_NORTH_AMERICAN = re.compile(r"(?:\([2-9]\d\d\) ?|[2-9]\d\d([-.]))[2-9]\d\d(?(1)\1|[-. ])\d{4}", re.ASCII)
_DATE = re.compile(
    r"[12]\d{3} ?[-/] ?[12]\d{3}|\d{4}([-/.])\d\d?\1\d\d?(?: .*)?|\d\d?([-/.])\d\d?\2\d{4}(?: .*)?", re.ASCII
)


def emails(text: str) -> Iterator[tuple[int, int]]:
    """Yield where e-mail addresses stand."""
    if "@" in text:
        yield from (match.span() for match in _EMAIL.finditer(text))


def phones(text: str, start: int, end: int, region: str | None) -> Iterator[tuple[int, int]]:
    """Yield where phone numbers stand; those without a + or 00 need the region, a word before them, or a usual form."""
    for match in _PHONE.finditer(text, start, end):
        said = _SAID.search(text, max(0, match.start() - 32), match.start())
        if (said and not _DATE.fullmatch(match[0])) or _NORTH_AMERICAN.fullmatch(match[0]):
            yield match.span()
        elif found := _in_a_plan(match[0], region):
            yield match.start() + found[0], match.start() + found[1]


def _in_a_plan(written: str, region: str | None) -> tuple[int, int] | None:
    """Return which part of it the numbering plans know as a phone number."""
    from phonenumbers import Leniency

    if written.startswith("+"):
        match = _first(written, None, Leniency.VALID) or _first(written, None, Leniency.POSSIBLE)
        return (match.start, match.end) if match else None
    if written.startswith("00") and (match := _first("+" + written[2:], None, Leniency.VALID)):
        return 0, match.end + 1
    # Ten digits in one piece are more often something else; a leading 0 is a trunk prefix.
    if region and (written[0] == "0" or not written.isdigit()) and not _DATE.fullmatch(written):
        match = _first(written, region, Leniency.STRICT_GROUPING)
        return (match.start, match.end) if match else None
    return None


def _first(written: str, region: str | None, leniency: int) -> "PhoneNumberMatch | None":
    from phonenumbers import PhoneNumberMatcher

    return next(iter(PhoneNumberMatcher(written, region, leniency)), None)
