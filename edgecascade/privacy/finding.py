"""Which parts of a text are private.

A text is read as it stands, then with the digits, letters, spaces and dashes of all scripts' widths folded into plain
ones, then without invisible characters: what a person reads as an address is found as one.

Only digits that stand close together are looked at as cards, accounts, national ids and phone numbers.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from edgecascade.privacy.contacts import emails, phones
from edgecascade.privacy.keys import keys, secrets
from edgecascade.privacy.national_ids import national_ids
from edgecascade.privacy.payments import cards, ibans
from edgecascade.privacy.rules import KINDS, Rules
from edgecascade.records import PRIVACY

AROUND = 24
"""Characters around close digits that belong to the same number at most: letters of an IBAN, a + or a bracket."""

_CLOSE_DIGITS = re.compile(r"[0-9](?:[\W_]{0,3}[A-Za-z]?[0-9]){5,}")
_INVISIBLE = "\u200b"

Rank = tuple[int, int, int]
"""How strict its rule is, how long it is, how early its kind comes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A private part: ``text[start:end]``. Its repr does not show it."""

    kind: str
    start: int
    end: int
    text: str = field(repr=False)


def findings(text: str, rules: Rules) -> list[Finding]:
    """Return the private parts of a text, left to right; where some overlap, what they cover together is one.

    It is named for the kind with the strictest rule, then the longest, then the first in ``KINDS``.

    >>> findings("Mail ada@example.org.", Rules())
    [Finding(kind='email', start=5, end=20)]
    """
    order = (*(pattern.name for pattern in rules.patterns), *KINDS)
    strictness = {kind: PRIVACY.index(rules.kinds.get(kind, "allow")) for kind in order}

    def rank(kind: str, length: int) -> Rank:
        return strictness[kind], length, -order.index(kind)

    spans = {
        (offsets(start, end), kind) for read, offsets in _readings(text) for kind, start, end in _found(read, rules)
    }
    ranked = [(start, end, rank(kind, end - start), kind) for (start, end), kind in spans]
    return [Finding(kind, start, end, text[start:end]) for start, end, kind in joined(ranked)]


def joined(spans: Iterable[tuple[int, int, Rank, str]]) -> list[tuple[int, int, str]]:
    """Return start, end and kind of what overlapping spans cover together, named for the highest rank among them."""
    whole: list[tuple[int, int, Rank, str]] = []
    for start, end, rank, kind in sorted(spans):
        if whole and start < whole[-1][1]:
            first, last, highest, name = whole.pop()
            highest, name = max((highest, name), (rank, kind))
            whole.append((first, max(last, end), highest, name))
        else:
            whole.append((start, end, rank, kind))
    return [(start, end, kind) for start, end, _, kind in whole]


class _Folds(dict[int, str]):
    """A plain character for each that only looks different; one for one, so that places stay where they are."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        self[code] = folded = _folded(sign)
        return folded


def _folded(sign: str) -> str:
    match unicodedata.category(sign):
        case "Cf":
            return _INVISIBLE
        case "Nd":
            return str(unicodedata.decimal(sign))
        case "Zs":
            return " "
        case "Pd":
            return "-"
    how, *_ = unicodedata.decomposition(sign).split() or [""]
    plain = unicodedata.normalize("NFKC", sign) if how in ("<wide>", "<narrow>", "<font>") else sign
    return plain if len(plain) == 1 else sign


_FOLDS = _Folds()


def _readings(text: str) -> Iterator[tuple[str, Callable[[int, int], tuple[int, int]]]]:
    """Yield the text as it can be read, each with the way from a span in the reading to the span in the text."""
    yield text, lambda start, end: (start, end)
    if text.isascii():
        return
    folded = text.translate(_FOLDS)
    if folded != text:
        yield folded, lambda start, end: (start, end)
    if _INVISIBLE in folded:
        places = [place for place, sign in enumerate(folded) if sign != _INVISIBLE]
        yield folded.replace(_INVISIBLE, ""), lambda start, end: (places[start], places[end - 1] + 1)


def _found(text: str, rules: Rules) -> Iterator[tuple[str, int, int]]:
    """Yield kind, start and end of all that is found in one reading."""
    for pattern in rules.patterns:
        yield from ((pattern.name, *match.span()) for match in pattern.compiled.finditer(text) if match[0])
    yield from (("key", *span) for span in keys(text))
    yield from (("secret", *span) for span in secrets(text))
    yield from (("email", *span) for span in emails(text))
    for start, end in _close_digits(text):
        yield from (("iban", *span) for span in ibans(text, start, end))
        yield from (("card", *span) for span in cards(text, start, end))
        yield from (("national_id", *span) for span in national_ids(text, start, end))
        yield from (("phone", *span) for span in phones(text, start, end, rules.region))


def _close_digits(text: str) -> list[tuple[int, int]]:
    """Return where digits stand close together, with what may belong to them; no two parts overlap."""
    parts: list[tuple[int, int]] = []
    for match in _CLOSE_DIGITS.finditer(text):
        start, end = max(0, match.start() - AROUND), min(len(text), match.end() + AROUND)
        if parts and start <= parts[-1][1]:
            start = parts.pop()[0]
        parts.append((start, end))
    return parts
