"""Keys and tokens by their issuer's form, and secrets by what stands beside them or by their randomness.

A word of 24 or more characters is called random when small letters, capitals and digits alternate as they do by chance,
and few of the letters are vowels. Of two drawn from 62 characters the classes differ with probability 0.62, and 0.19 of
the letters are vowels; in names and paths both are near 0.4. Words of hexadecimal digits are left alone: nothing tells
a key from the hash of a commit but a name beside it (``SECRET_KEY=...``).
"""

import re
from collections.abc import Iterator
from itertools import pairwise

SHORTEST_RANDOM = 24
RANDOM = 0.2
"""Share of neighbours of different classes less the share of vowels: about 0.43 by chance, about 0 in names."""

_KEY = re.compile(
    r"""-----BEGIN\ [A-Z0-9 ]{0,30}PRIVATE\ KEY(?:\ BLOCK)?-----[\s\S]*?(?:-----END\ [A-Z0-9 ]{0,40}-----|\Z)
    | (?<![A-Za-z0-9])(?:
      [sr]k[-_](?:[A-Za-z]{2,12}[-_])*[A-Za-z0-9_-]{16,}                   # OpenAI, Anthropic, OpenRouter, Stripe
    | gh[pousr]_[A-Za-z0-9]{30,} | github_pat_\w{30,} | glpat-[\w-]{18,}   # GitHub, GitLab
    | A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}                                     # Amazon
    | AIza[\w-]{35} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{20,}                 # Google
    | xox[a-z]-[\w-]{10,} | xapp-[\w-]{10,}                                # Slack
    | hooks\.slack\.com/services/[\w/]{20,}
    | eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]*                                   # JSON Web Token
    | hf_[A-Za-z0-9]{30,} | gsk_[A-Za-z0-9]{30,} | xai-[A-Za-z0-9]{30,} | pplx-[A-Za-z0-9]{30,} | nvapi-[\w-]{30,}
    | r8_[A-Za-z0-9]{30,} | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{30,} | dckr_pat_[\w-]{20,} | dop_v1_[0-9a-f]{40,}
    | SG\.[\w-]{16,}\.[\w-]{16,} | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32} | whsec_[A-Za-z0-9+/=]{20,} | lin_api_\w{30,}
    | AGE-SECRET-KEY-1[0-9A-Z]{40,} | [0-9]{8,10}:AA[\w-]{30,}             # age, Telegram
    )""",
    re.VERBOSE | re.ASCII,
)

_ASSIGNED = re.compile(
    r"""(?P<name>(?:passw(?:or[dt]|d)|passphrase|passcode|(?<![a-z])pass|(?<![a-z])pwd
      |secret(?:[_ -]?(?:access[_ -]?)?key)?|(?:api|access|private|auth|account|signing|encryption)[_ -]?key
      |(?<![a-z])token|(?-i:[a-z]T)oken|credential|kennwort|contrase[ñn]a|mot\ de\ passe|wachtwoord|senha
      |пароль|密码|パスワード)s?(?![a-z]))
    ["'`*]{0,3}\s{0,2}(?P<sign>:=|=>|[:=]|\b(?:is|ist|est|es|é)\b)\s{0,3}
    (?:(?P<quote>["'`])(?P<quoted>[^"'`\n]{4,256})(?P=quote)|(?P<open>[^\s"'`;&,<>]{4,256}))""",
    re.VERBOSE | re.IGNORECASE,
)
_NAMES = (
    *("pass", "pwd", "secret", "key", "token", "credential", "kennwort", "contrase", "mot de", "wachtwoord", "senha"),
    *("пароль", "密码", "パスワード"),
)
"""One of them is in every name that ``_ASSIGNED`` knows: looking for them first is ten times as fast."""
_PLAIN = (
    "str string text int integer number float bool boolean bytes object unknown undefined none null true false "
    "required optional default hidden redacted empty varchar input value here there below above"
)
_STANDS_FOR = re.compile(r"[<\[{*]|\$[{(]|\$[A-Z_]+$|%[(sd]|\.\.|(.)\1*$")
_CODE = re.compile(r"[A-Za-z_][\w.]*[(\[]|(?:os|self|args|settings|config|process|env|this)\.")
_AT_END = re.compile(r"[ \t.]*(?:$|[\r\n;&])")
_BEARER = re.compile(r"\b(?:bearer|basic)\s{1,3}(?P<secret>(?=[^\s]*[0-9])[\w.~+/=-]{16,})", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,100}:(?P<secret>[^\s/\"'<>]{1,256}@[\w.-]*)")
_WORD = re.compile(rf"(?<![\w+/-])[\w+/-]{{{SHORTEST_RANDOM},}}={{0,2}}", re.ASCII)


def keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield where keys and tokens with an issuer's form stand."""
    yield from (match.span() for match in _KEY.finditer(text))


def secrets(text: str) -> Iterator[tuple[int, int]]:
    """Yield where passwords and tokens stand that something beside them, or their randomness, gives away."""
    yield from (match.span("secret") for match in _BEARER.finditer(text))
    if "://" in text:
        yield from (match.span("secret") for match in _IN_ADDRESS.finditer(text))
    yield from _assigned(text)
    for match in _WORD.finditer(text):
        yield from _random_parts(match[0], match.start())


def _assigned(text: str) -> Iterator[tuple[int, int]]:
    small = text.lower()
    if not any(name in small for name in _NAMES):
        return
    for match in _ASSIGNED.finditer(text):
        value = match["quoted"] or match["open"].rstrip(".:)]}*")
        start = match.start("quoted" if match["quote"] else "open")
        if _is_secret(match, value, text[start + len(value) : start + len(value) + 8]):
            yield start, start + len(value)


def _is_secret(match: re.Match[str], value: str, behind: str) -> bool:
    """Return whether what is assigned to a telling name is a value of its own, not a word of prose or of code."""
    name, value_small = match["name"].lower(), value.lower()
    if len(value) < 4 or _STANDS_FOR.match(value) or (not match["quote"] and _CODE.match(value)):
        return False
    if value.isdigit():
        return "token" not in name
    if any(sign.isdigit() or sign in "!@#$%^&*+~?" for sign in value):
        return True
    if value_small in _PLAIN.split() or "pass" in value_small or "token" in value_small or "key" in value_small:
        return False
    if " " in value or match["sign"][-1] not in ":=>":
        return False
    # A word of letters alone: a password where it is quoted, set in an environment, or all that the line assigns.
    return bool(match["quote"] or match["name"].isupper() or _AT_END.match(behind))


def _random_parts(word: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield the word where it is random, else those of its parts between slashes that are."""
    if _is_random(word):
        yield start, start + len(word)
        return
    for part in re.finditer(rf"[^/]{{{SHORTEST_RANDOM},}}", word):
        if _is_random(part[0]):
            yield start + part.start(), start + part.end()


def _is_random(word: str) -> bool:
    """Return whether characters of three classes alternate as by chance.

    >>> _is_random("q7Zt1LmX0vB4nRk9PcW2yHs6"), _is_random("getUserAccountById2FromDatabase")
    (True, False)
    """
    classes = [sign.isdigit() + 2 * sign.isupper() for sign in word if sign.isalnum()]
    if len(set(classes)) < 3:
        return False
    letters = [sign for sign in word.lower() if sign.isalpha()]
    changes = sum(one != other for one, other in pairwise(classes)) / len(classes)
    return changes - sum(sign in "aeiou" for sign in letters) / len(letters) > RANDOM
