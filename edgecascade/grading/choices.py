"""Multiple choice: a letter, or the text of one choice, whatever stands around it.

A letter counts where it is closed by a sign, named as an option, or followed by its reason; a choice's text where it is
the only one that the answer holds and does not refuse. Two choices stated alike are no answer.
"""

# ruff: noqa: RUF001 (the patterns hold the signs that answers hold)

import re
import string
from collections.abc import Iterable, Iterator, Sequence

from edgecascade.errors import QuestionFileError
from edgecascade.grading.text import (
    LETTER,
    UNPARSED,
    announcements,
    boxed_in,
    mentions,
    unwrapped,
    visible,
    words_of,
)
from edgecascade.labelled import Grade, LabelledQuestion

_DENIED_LETTER = re.compile(
    rf"(?<!{LETTER})\(?[A-Z]\)?\s+(?:(?:is|was|cannot be|can['’]t be)\s+(?:not|wrong|incorrect|false)|isn['’]t)"
    rf"\b[^.;,\n]*|\b[Nn]ot\s+(?:option\s+)?\(?[A-Z]\)?(?!{LETTER})"
)
_FIRST_LETTER = re.compile(
    r"\W*+(?P<named>(?:the\s+)?(?:correct\s+)?(?:option|choice|letter|answer)\s+)?[(\[{\"'“‘]{0,4}"
    rf"(?P<letter>[A-Z])(?!{LETTER})(?!['’]{LETTER})",
    re.IGNORECASE,
)
_SECOND_LETTER = re.compile(rf"[)\]]?\s*(?:or|and|/|,|&)\s*\(?[A-Z](?!{LETTER})(?!\s+[a-z])", re.IGNORECASE)
_CLOSED = re.compile(r"\s*(?:$|\n|[)\]}:,;\"”!?|]|\.(?!\w(?!\w))|['’](?!\w)|[-–—](?=\s|$))")
_REASON = re.compile(r"\s+(?:because|since|is|due|given|based|which|makes?|would|\()")
_NAMED_LETTER = re.compile(
    rf"\b(?:option|choice|letter|choose|pick|select|go(?:ing)?\s+with)\s+[(\"'“]*([A-Z])(?!{LETTER})(?!['’]{LETTER})"
    r"(?!\s+[a-z]+\s+(?:one|two))",
)
_LONE_LETTER = re.compile(rf"(?<!{LETTER})(?<!['’-])([A-Z])(?!{LETTER})(?!['’-]{LETTER})")
_REVIEW = re.compile(r"\b(?:each|every|both)\b[^.\n:]{0,60}:[ \t]*\n", re.IGNORECASE)
_ITEM = re.compile(r"(?m)^[^\w\n]*([A-Z]|\d{1,2})[.):].*$")


def choice(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by the letter of the choice; two choices stated alike, or a letter without a choice, are not parsed."""
    letter = letter_of(answer, question.choices)
    if letter is None:
        return UNPARSED
    texts = dict(zip(string.ascii_uppercase, map(unwrapped, question.choices), strict=False))
    return Grade(float(any(letter == gold or texts.get(letter, "") == texts.get(gold) for gold in question.gold)))


def letter_of(answer: str, texts: Sequence[str]) -> str | None:
    """Return the letter of the choice that the answer states, or None.

    In this order: what is boxed, what the last announcement says ("the answer is B"), then the whole text without a
    list in which the choices are only gone through.
    """
    shown = visible(answer)
    choices = _choice_words(texts)
    count = len(choices) or 26
    listed = _without_list(unwrapped(shown), list(map(unwrapped, texts)))
    text = _DENIED_LETTER.sub(" ", listed).strip()
    for part in (unwrapped(boxed_in(shown) or ""), *announcements(text), _without_review(text)):
        if letter := _whole_choice(part, texts) or _pick(part, choices, count):
            return letter
    return None


def _without_review(text: str) -> str:
    """Return the text without the first item of each letter or number after "let us look at each option:".

    Such an item is looked at, not chosen; the same letter again is the conclusion.
    """
    start = _REVIEW.search(text)
    if start is None:
        return text
    seen: set[str] = set()

    def kept(item: re.Match[str]) -> str:
        again = item[1] in seen
        seen.add(item[1])
        return item[0] if again else ""

    return text[: start.end()] + _ITEM.sub(kept, text[start.end() :])


def _whole_choice(text: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the one choice that the text is, to the last sign ("B. F. Skinner")."""
    same = [place for place, choice in enumerate(choices) if unwrapped(choice).rstrip(" .") == text.rstrip(" .")]
    letters = string.ascii_uppercase
    return letters[same[0]] if len(same) == 1 and len(text) > 1 and same[0] < len(letters) else None


def _choice_words(choices: Sequence[str]) -> list[list[str]]:
    """Return the words of each choice; where two would be the same, with their signs, or even as written.

    A choice that is itself a letter of a choice has none: such a letter in an answer is a letter.
    """
    plain = [unwrapped(text) for text in choices]
    readings = (
        [words_of(text) for text in plain],
        [text.casefold().split() for text in plain],
        list(map(str.split, plain)),
    )
    distinct = (found for found in readings if all(found) and len({tuple(words) for words in found}) == len(found))
    letters = string.ascii_uppercase[: len(choices)]
    return [[] if text in letters else words for text, words in zip(plain, next(distinct, readings[0]), strict=True)]


def _without_list(text: str, choices: Sequence[str]) -> str:
    """Return the text without a list of all the choices, which states none of them."""
    items = (rf"\(?{letter}\W+{re.escape(text)}" for letter, text in zip(string.ascii_uppercase, choices, strict=False))
    return re.sub(r"\W+".join(items), " ", text) if len(choices) > 1 else text


def _pick(text: str, choices: list[list[str]], count: int) -> str | None:
    """Return the letter of the choice that the text states: a letter first, a choice's text, or a lone letter."""
    if letter := _letter_first(text, count, reason=False):
        return letter
    letters = string.ascii_uppercase
    whole = [words_of(text), text.casefold().split(), text.split()]
    begun = [place for place, words in enumerate(choices) if any(_begins(part, words) for part in whole)]
    if begun:
        return letters[max(begun, key=lambda place: len(choices[place]))]
    if letter := _letter_first(text, count, reason=True):
        return letter
    if letter := _only(_NAMED_LETTER.findall(text), count):
        return letter
    held = [
        place for place, words in enumerate(choices) if any(mentions(words, part, refused=_refused) for part in whole)
    ]
    largest = [
        place for place in held if not any(place != other and _within(choices[place], choices[other]) for other in held)
    ]
    if len(largest) == 1:
        return letters[largest[0]]
    return _only(_lone_letters(text), count)


def _letter_first(text: str, count: int, *, reason: bool) -> str | None:
    """Return the letter that the text begins with: closed by a sign, named, or (``reason``) followed by its reason."""
    match = _FIRST_LETTER.match(text)
    if match is None or ord(match["letter"].upper()) - ord("A") >= count:
        return None
    rest = text[match.end() :]
    if _SECOND_LETTER.match(rest):
        return None
    if reason:
        follows = match["letter"].isupper() and _REASON.match(rest)
    else:
        follows = _CLOSED.match(rest) or (match["named"] and match["letter"].isupper())
    return match["letter"].upper() if follows else None


def _begins(whole: list[str], part: list[str]) -> bool:
    """Return whether the words stand at the beginning, not denied, and not as the first of several."""
    rest = whole[len(part) : len(part) + 2]
    return bool(part) and whole[: len(part)] == part and rest[:1] not in (["or"], ["and"]) and not _refused(rest)


def _refused(after: list[str]) -> bool:
    """Return whether the words directly behind a choice refuse it ("is wrong")."""
    return after in (["isn", "t"], *([verb, word] for verb in ("is", "was") for word in ("not", "wrong", "incorrect")))


def _within(part: list[str], whole: list[str]) -> bool:
    return len(part) < len(whole) and any(whole[i : i + len(part)] == part for i in range(len(whole)))


def _lone_letters(text: str) -> Iterator[str]:
    """Yield capitals that stand alone and are neither an article nor a pronoun."""
    for match in _LONE_LETTER.finditer(text):
        rest = text[match.end() :]
        if match[1] not in "AI" or not re.match(r"\s+\w", rest) or _REASON.match(rest) or _SECOND_LETTER.match(rest):
            yield match[1]


def _only(letters: Iterable[str], count: int) -> str | None:
    """Return the one letter that all of them are, or None."""
    found = {letter for letter in letters if ord(letter) - ord("A") < count}
    return found.pop() if len(found) == 1 else None


def check_choices(question: LabelledQuestion) -> None:
    """Raise QuestionFileError where there are too few or too many choices, or the gold is the letter of none."""
    count = len(question.choices)
    if not 2 <= count <= 26:
        raise QuestionFileError(f"metric {question.metric!r} needs 2 to 26 choices: found {count}")
    letters = string.ascii_uppercase[:count]
    for letter in question.gold:
        if len(letter) != 1 or letter not in letters:
            raise QuestionFileError(f"gold {letter!r} is no choice: wanted one letter, {letters[0]} to {letters[-1]}")
