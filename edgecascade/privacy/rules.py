"""What the user wants kept on the device: an action for all that is found, stricter ones by kind, further patterns.

Different from full safety: a pattern that needs exponential time for some text is not recognised as one. Its length is
limited, and it is the user's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edgecascade.errors import ConfigError
from edgecascade.records import PRIVACY, Privacy

KINDS = ("key", "iban", "card", "national_id", "phone", "secret", "email")
"""What is found without a pattern of the user's; where two find the very same characters, the first names them."""

LONGEST_REGEX = 500

REGIONS = (
    "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA CC "
    "CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB "
    "GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH "
    "KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB "
    "SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY "
    "UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
"""Regions whose phone numbers are known, written here so that rules are checked without loading phonenumbers."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of the user's own: everything that ``regex`` matches.

    Raises ConfigError for a name that cannot stand in a placeholder, and for a regex that cannot be compiled, is too
    long, or matches the empty text.
    """

    name: str
    regex: str
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", self.name) or self.name in KINDS:
            raise ConfigError(
                f"a privacy pattern cannot be called {self.name!r}: wanted a small letter, then small letters, digits "
                f"or _, and none of {', '.join(KINDS)}; choose another name"
            )
        if len(self.regex) > LONGEST_REGEX:
            raise ConfigError(
                f"the privacy pattern {self.name!r} is too long: found {len(self.regex)} characters, wanted at most "
                f"{LONGEST_REGEX}; make two of it"
            )
        try:
            compiled = re.compile(self.regex)
        except (re.error, OverflowError, RecursionError) as error:
            raise ConfigError(
                f"the privacy pattern {self.name!r} is no regular expression: found {error}, wanted one of Python's re"
            ) from error
        if compiled.search(""):
            raise ConfigError(
                f"the privacy pattern {self.name!r} matches the empty text: it would be found everywhere; wanted one "
                "that needs at least one character"
            )
        object.__setattr__(self, "compiled", compiled)


@dataclass(frozen=True, slots=True)
class Rules:
    """What may leave the device where a question does not say so itself.

    default   for a question without a ``privacy`` of its own
    kinds     a kind's own action; it can make an action stricter, never looser
    patterns  further kinds
    region    two letters, as in "DE": where phone numbers without a + belong; None: such numbers are found only behind
              a word as "phone", or in the form 202-555-0143

    Raises ConfigError for an unknown action, kind or region.
    """

    default: Privacy = "redact"
    kinds: Mapping[str, Privacy] = field(default_factory=dict)
    patterns: tuple[Pattern, ...] = ()
    region: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", MappingProxyType(dict(self.kinds)))
        for name, action in (("default", self.default), *self.kinds.items()):
            _known(f"the privacy of {name}", action, PRIVACY)
        names = [pattern.name for pattern in self.patterns]
        for name in self.kinds:
            _known("the kind in privacy.kinds", name, (*names, *KINDS))
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(
                f"two privacy patterns are called {twice[0]!r}: wanted a name once; join them with | or rename"
            )
        if self.region is not None and self.region not in REGIONS.split():
            raise ConfigError(
                f"unknown privacy.region {self.region!r}: wanted two capital letters, as in DE, GB or US; see ISO 3166"
            )


def strictest(*actions: Privacy | None) -> Privacy:
    """Return the strictest of the actions, None being none.

    >>> strictest("allow", None, "redact")
    'redact'
    """
    return max((action for action in actions if action), key=PRIVACY.index)


def _known(what: str, found: str, wanted: tuple[str, ...]) -> None:
    if found not in wanted:
        raise ConfigError(f"{what} is unknown: found {found!r}, wanted one of {', '.join(wanted)}; correct it")
