"""What all graders share: a text without its wrapping, its words, and where it announces an answer."""

# ruff: noqa: RUF001 (the patterns hold the signs that answers hold)

import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from edgecascade.errors import QuestionFileError
from edgecascade.labelled import Grade

LONGEST = 20_000
"""Characters of an answer that are read: of a longer one the first and the last half of it."""
UNPARSED = Grade(0.0, parsed=False)
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
LETTER = rf"[^\W{UNSPACED}]"
"""A character that a word in a script with spaces goes on with."""


def visible(answer: str) -> str:
    """Return the answer after its thinking, shortened in the middle."""
    text = answer.rpartition("</think>")[2].strip()
    return text if len(text) <= LONGEST else text[: LONGEST // 2] + "\n" + text[-LONGEST // 2 :]


_MARKER = re.compile(
    r"(?:\b(?<!each )(?<!every )"
    r"(?:answer|option|choice|solution|result|antwort|respuesta|r[ée]ponse|risposta|resposta)\b"
    r"(?:[^.\n:=]{0,60}?\b(?:is|are|was|be|ist|lautet|est|es|è|é)\b\s*:?|\s*[:=])|答案(?:应该|應該)?(?:是|为|為)?\s*[::]?)"
    r"(?!\s*not\b)",
    re.IGNORECASE,
)
"""Where a text announces its answer."""


def announcements(text: str) -> Iterator[str]:
    """Yield the first line with text after each announcement, the last announcement first."""
    for marker in reversed(list(_MARKER.finditer(text))[-20:]):
        if lines := text[marker.end() :].strip(" \t*_:\n").splitlines():
            yield lines[0].strip()


def boxed_in(text: str) -> str | None:
    r"""Return what the last ``\boxed{...}`` holds.

    >>> boxed_in(r"so \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    starts = [match.end() for match in re.finditer(r"\\f?boxed\s*\{", text)]
    if not starts:
        bare = re.findall(r"\\boxed\s+([^\s$.]+)", text)
        return bare[-1] if bare else None
    return inside(text, starts[-1])[0].strip()


def inside(text: str, start: int) -> tuple[str, int]:
    """Return what stands from ``start`` to the brace that closes it, and where to go on; to the end if none does."""
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[start:place], place + 1
    return text[start:], len(text)


def unwrapped(text: str) -> str:
    """Return the text without markdown and LaTeX wrapping, full-width letters made ordinary."""
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1", unicodedata.normalize("NFKC", text))
    return re.sub(r"\\[()\[\]]|[*`$#~]|__", "", text).strip()


def folded(text: str) -> str:
    """Return the text in lower case without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", apart)).casefold()


def words_of(text: str, *, joined: bool = False, articles: bool = False) -> list[str]:
    """Return the words that count, in order; ``joined`` reads punctuation as nothing rather than as a space.

    >>> words_of("The Café, at 1,000 m!"), words_of("C++ isn't -2.5"), words_of("東京")
    (['cafe', 'at', '1000', 'm'], ['c++', 'isn', 't', '-2.5'], ['東', '京'])
    """
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", folded(text))
    kept = []
    for place, char in enumerate(text):
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        attached = (
            (char == "." and before.isdigit() and after.isdigit())
            or (char in "-–\u2212" and after.isdigit() and not before.isalnum())
            or (char in "+#" and (before.isalnum() or before == char == "+"))
        )
        if attached:
            kept.append("-" if char in "–\u2212" else char)
        elif char in string.punctuation or unicodedata.category(char)[0] == "P":
            kept.append("" if joined else " ")
        elif unicodedata.category(char)[0] in "ZC":
            kept.append(" ")
        else:
            kept.append(char)
    spaced = re.sub(rf"([{UNSPACED}])", r" \1 ", "".join(kept))
    found = spaced.split()
    return found if articles else [word for word in found if word not in ("a", "an", "the")] or found


_NOT = {"not", "never", "neither", "nor", "unlike"}


def _denied(before: Sequence[str]) -> bool:
    """Return whether the words directly before a mention deny it."""
    return bool(before) and (
        before[-1] in _NOT
        or (before[-1] == "t" and before[-2:-1] != [] and before[-2].endswith("n"))
        or tuple(before[-2:]) in {("instead", "of"), ("rather", "than")}
    )


def mentions(part: list[str], whole: list[str], *, refused: Callable[[list[str]], bool] = lambda after: False) -> bool:
    """Return whether the words occur in a row, at least once neither denied before nor ``refused`` after."""
    size = len(part)
    return any(
        whole[start : start + size] == part
        and not _denied(whole[max(start - 2, 0) : start])
        and not refused(whole[start + size : start + size + 2])
        for start in range(len(whole) - size + 1)
        if size and whole[start] == part[0]
    )


def says(answer: str, alias: str) -> bool:
    """Return whether the alias occurs in the answer as whole words."""
    answer = re.sub(r"\b(?:not|never)\s*[.,;:!?]", " ", answer, flags=re.IGNORECASE)
    wanted = words_of(alias)
    if not wanted:
        return bool(alias.strip()) and alias.strip() in answer
    if len(wanted) == 1 == len(wanted[0]):  # the t of "isn't" is no letter by itself
        answer = re.sub(r"(?<=\w)['’]\w+", " ", re.sub(r"n['’]t\b", " not", answer))
    bare = {"a", "an", "the"}.issuperset(wanted)
    return mentions(wanted, words_of(answer, articles=bare))


def final_statement(text: str) -> str:
    """Return what the text announces as its answer, or all of it."""
    shown = visible(text)
    return boxed_in(shown) or next((line for line in announcements(shown) if words_of(line)), shown)


def compiled_pattern(pattern: object) -> re.Pattern[str]:
    """Return the regular expression; QuestionFileError where it is none."""
    if not isinstance(pattern, str):
        raise QuestionFileError(f"grading 'pattern' is {pattern!r}: metric 'regex' wants a regular expression")
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise QuestionFileError(f"pattern {pattern!r} cannot be read: {error}; wanted Python's syntax") from error
