"""Payment cards and IBANs.

A card number has its issuer's first digits and length and a right Luhn digit (ISO/IEC 7812-1). An IBAN has its
country's structure and check digits (ISO 13616).

Different from the standards: nothing tells a card from numbers in a table that happen to look like one.
"""

import re
from collections.abc import Iterator

MOST_GROUPS = 5
"""19 digits in groups of four."""

_ISSUED = re.compile(
    r"""4(?:\d{12}|\d{15}|\d{18})                                               # Visa
    | (?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720|9792)\d{12}     # Mastercard, Troy
    | 3[47]\d{13}                                                               # American Express
    | 3(?:0[0-5]|[689]\d)\d{11,16}                                              # Diners Club
    | (?:35(?:2[89]|[3-8]\d)|220[0-4])\d{12,15}                                 # JCB, Mir
    | (?:6[0245]|8[12])\d{14,17}                                                # Discover, UnionPay, RuPay
    | (?:5[06-8]|6\d)\d{11,17}                                                  # Maestro""",
    re.VERBOSE | re.ASCII,
)
_RUN = re.compile(r"(?<!\w)(?<![0-9][.,])[0-9](?:[ \-.\n\r]{0,2}[0-9]){12,}(?!\w)")
_GROUP = re.compile(r"[0-9]+")
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{2}(?:[ \-\n\t]?[A-Z0-9]){11,30}(?![A-Z0-9])", re.IGNORECASE)
_IBAN_END = re.compile(r"[A-Z0-9](?![A-Z0-9])", re.IGNORECASE)
SHORTEST_IBAN = 15


def cards(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand: in one piece, in groups, or broken over lines."""
    for run in _RUN.finditer(text, start, end):
        if _is_card(run[0]):
            yield run.span()
            continue
        for line in re.finditer(r"[^\n\r]+", run[0]):
            for first, last in _cards_in_line(line[0]):
                offset = run.start() + line.start()
                yield offset + first, offset + last


def _cards_in_line(line: str) -> Iterator[tuple[int, int]]:
    groups = [match.span() for match in _GROUP.finditer(line)]
    for place, (first, last) in enumerate(groups):
        ends = [end for _, end in groups[place : place + MOST_GROUPS] if _is_card(line[first:end])]
        # The fraction of a decimal is no card.
        if ends and not (ends[-1] == last and line[first - 1 : first] == "." and first > 1):
            yield first, ends[-1]


def _is_card(written: str) -> bool:
    """Return whether it is a card: in one piece, or in groups as cards have them, the first of 4 or 6 digits."""
    from stdnum import luhn

    groups = _GROUP.findall(written)
    if len(groups) > 1 and (len(groups[0]) not in (4, 6) or any(not 3 <= len(group) <= 13 for group in groups[1:-1])):
        return False
    digits = "".join(groups)
    return bool(_ISSUED.fullmatch(digits)) and luhn.is_valid(digits)


def ibans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where IBANs stand; words behind one are left out."""
    for match in _IBAN.finditer(text, start, end):
        ends = [end.end() for end in _IBAN_END.finditer(text, match.start(), match.end())]
        yield from ((match.start(), end) for end in reversed(ends) if _is_iban(text[match.start() : end]))


def _is_iban(written: str) -> bool:
    from stdnum import iban

    compact = "".join(written.split()).upper()
    return len(compact) >= SHORTEST_IBAN and iban.is_valid(compact, check_country=False)
