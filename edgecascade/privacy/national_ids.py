"""Numbers that a state gives to a person, with the validators of python-stdnum.

A form that is rare in other text is found wherever its check digits are right. A bare string of digits is found only
near a word that names it, for one of ten or so has right check digits by chance.

Different from stdnum: numbers of companies, passports and driving licences are left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

BEFORE, AFTER = 40, 16
"""Characters before and behind a number in which its name is looked for."""

_ANY_NAME = (
    r"national (?:id|insurance|identi)|\b(?:id|identity|identification) (?:card|no\b|num)|tax(?:payer)? ?(?:id|num)"
    r"|personal (?:id|code|num)|social (?:security|insurance)|citizen|\btin\b"
)


def _digits(count: int) -> str:
    return rf"[0-9](?:[ .\-/]?[0-9]){{{count - 1}}}"


@dataclass(frozen=True, slots=True)
class _Id:
    """A kind of number.

    stdnum   its validator; "" where there are no check digits, and the form says all
    alone    the form that is found anywhere; "" for none
    named    the form that is found near one of the words
    """

    stdnum: str
    alone: str = ""
    named: str = ""
    words: str = ""


_IDS = (
    _Id("us.ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", _digits(9), r"\bssn\b"),
    _Id("us.itin", r"9[0-9]{2}-[0-9]{2}-[0-9]{4}", _digits(9), r"\bitin\b"),
    _Id("", r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"),
    _Id("gb.nhs", "", _digits(10), r"\bnhs\b"),
    _Id("fr.nir", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
    _Id("es.dni", r"[0-9]{8}[- ]?[A-Z]"),
    _Id("es.nie", r"[XYZ][- ]?[0-9]{7}[- ]?[A-Z]"),
    _Id("it.codicefiscale", r"[A-Z]{3} ?[A-Z]{3} ?[0-9]{2}[A-EHLMPR-T][0-9]{2} ?[A-Z][0-9]{3}[A-Z]"),
    _Id("nl.bsn", "", _digits(9), r"\bbsn\b|burgerservice|sofi"),
    _Id("de.idnr", "", _digits(11), r"steuer|\bidnr"),
    _Id("pl.pesel", "", _digits(11), r"pesel"),
    _Id("se.personnummer", r"(?:19|20)?[0-9]{6}[-+][0-9]{4}", r"(?:19|20)?[0-9]{10}", r"personn(?:umme)?r"),
    _Id("fi.hetu", r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]"),
    _Id("dk.cpr", "", r"[0-9]{6}[- ]?[0-9]{4}", r"\bcpr\b|personnummer"),
    _Id("no.fodselsnummer", r"[0-9]{6} ?[0-9]{5}"),
    _Id("is_.kennitala", "", r"[0-9]{6}-?[0-9]{4}", r"kennitala"),
    _Id("be.nn", r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}"),
    _Id("ch.ssn", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}"),
    _Id("pt.nif", "", _digits(9), r"\bnif\b|contribuinte"),
    _Id("ie.pps", r"[0-9]{7}[A-W][A-IW]?"),
    _Id("cz.rc", r"[0-9]{6}/[0-9]{4}", r"[0-9]{9,10}", r"rodn"),
    _Id("ro.cnp", "", _digits(13), r"\bcnp\b"),
    _Id("bg.egn", "", _digits(10), r"\begn\b|егн"),
    _Id("hr.oib", "", _digits(11), r"\boib\b"),
    _Id("si.emso", "", _digits(13), r"em[sš]o|jmbg"),
    _Id("ee.ik", "", _digits(11), r"isikukood"),
    _Id("lt.asmens", "", _digits(11), r"asmens"),
    _Id("gr.amka", "", _digits(11), r"\bamka\b|αμκα"),
    _Id("tr.tckimlik", "", _digits(11), r"kimlik|tckn|\btc\b"),
    _Id("il.idnr", "", _digits(9), r"teudat|זהות|ת[\"״]ז"),
    _Id("ca.sin", "", _digits(9), r"\bsin(?: ?:| no| num| is\b)"),
    _Id("mx.curp", r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]"),
    _Id("br.cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", _digits(11), r"\bcpf\b"),
    _Id("cl.rut", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9K]", r"[0-9]{7,8}-?[0-9K]", r"\bru[tn]\b"),
    _Id("ec.ci", "", _digits(10), r"c[ée]dula"),
    _Id("za.idnr", "", _digits(13), r"south africa"),
    _Id("in_.aadhaar", "", _digits(12), r"aadhaa?r|uidai"),
    _Id("cn.ric", r"[1-9][0-9]{16}[0-9X]"),
    _Id("kr.rrn", r"[0-9]{6}-[0-9]{7}"),
    _Id("jp.in_", "", _digits(12), r"my number|マイナンバー|個人番号"),
    _Id("th.pin", r"[0-9]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]", _digits(13), r"\bthai|บัตรประชาชน"),
    _Id("my.nric", r"[0-9]{6}-[0-9]{2}-[0-9]{4}", _digits(12), r"\bnric\b|mykad"),
    _Id("id.nik", "", _digits(16), r"\bnik\b|\bktp\b"),
    _Id("au.tfn", "", _digits(9), r"\btfn\b|tax file"),
)


@cache
def _form(regex: str) -> re.Pattern[str]:
    """Return the form as a word of its own: not inside a decimal, a date or a UUID."""
    return re.compile(rf"(?<!\w)(?<![0-9][.,\-/])(?<![0-9a-f]{{4}}-)(?:{regex})(?!\w|[.,\-/][0-9])", re.IGNORECASE)


@cache
def _named(words: str) -> re.Pattern[str]:
    return re.compile(f"{words}|{_ANY_NAME}", re.IGNORECASE)


def national_ids(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where such numbers stand."""
    around = text[max(0, start - BEFORE) : end + AFTER]
    for kind in _IDS:
        if kind.alone:
            yield from _valid(kind.stdnum, _form(kind.alone), text, start, end)
        if kind.named and _named(kind.words).search(around):
            yield from _near(kind, text, start, end)


def _near(kind: _Id, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for first, last in _valid(kind.stdnum, _form(kind.named), text, start, end):
        if _named(kind.words).search(text[max(0, first - BEFORE) : first] + " " + text[last : last + AFTER]):
            yield first, last


def _valid(stdnum: str, form: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in form.finditer(text, start, end):
        if not stdnum or _has_right_digits(stdnum, match[0].upper()):
            yield match.span()


def _has_right_digits(stdnum: str, written: str) -> bool:
    """Return whether the validator takes it as it is written, or without separators."""
    from stdnum.util import get_cc_module

    country, _, name = stdnum.partition(".")
    validator = get_cc_module(country, name)
    assert validator is not None, stdnum
    try:
        return any(map(validator.is_valid, (written, re.sub(r"[ .\-/]", "", written))))
    except LookupError:
        # The validator of China lacks some counties: a number with a right date that it stumbles over is kept here.
        return True
