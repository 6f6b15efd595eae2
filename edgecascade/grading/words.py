"""Answers in words.

    exact       the text itself, apart from spaces at its ends
    normalised  an alias occurs in it as whole words; case, accents, articles and punctuation do not count
    f1          shared words (Rajpurkar et al., "SQuAD"), the best alias counts
    regex       the whole answer matches a pattern

Different from SQuAD: punctuation is read both as nothing and as a space (published gold texts have either form), and
scripts without spaces count by character.
"""

# ruff: noqa: RUF001 (the patterns hold the signs that answers hold)

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from edgecascade.grading.text import (
    LONGEST,
    UNPARSED,
    compiled_pattern,
    folded,
    says,
    visible,
    words_of,
)
from edgecascade.labelled import Grade, LabelledQuestion


def exact(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by equality, spaces at the ends and the way accents are stored apart."""
    found = unicodedata.normalize("NFC", answer).strip()
    right = found in {unicodedata.normalize("NFC", text).strip() for text in question.gold}
    return Grade(float(right), parsed=bool(found))


YES_NO = {"yes": True, "true": True, "yeah": True, "yep": True, "no": False, "false": False, "nope": False}


_NEITHER = re.compile(
    r"\b(?:yes or no|true or false|true/false|yes/no|no (?:idea|information|doubts?|problem|question|wonder|matter))\b"
)
"""Words in a row that hold a yes or a no and say neither."""


def _yes_or_no(text: str) -> bool | None:
    """Return what the first word of that kind says, or None.

    >>> _yes_or_no("No doubt: yes."), _yes_or_no("That is not true."), _yes_or_no("I have no idea.")
    (True, False, None)
    """
    plain = _NEITHER.sub(" ", folded(text))
    match = re.search(r"\b(not\s+|n['’]t\s+)?(yes|true|yeah|yep|no|false|nope)\b", plain)
    return None if match is None else YES_NO[match[2]] != bool(match[1])


def normalised(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by whole words: right when an alias occurs, neither denied nor as one of several alternatives.

    Where every gold text is yes, no, true or false, the first such word of the answer decides.
    """
    text = visible(answer)
    verdicts = [YES_NO.get(alias.strip().casefold()) for alias in question.gold]
    if verdicts and None not in verdicts:
        found = _yes_or_no(text)
        return UNPARSED if found is None else Grade(float(found in verdicts))
    if not words_of(text) and not any(alias.strip() in text for alias in question.gold):
        return UNPARSED
    meant = _committed(text, question.messages[-1].content if question.messages else "", question.gold)
    return Grade(float(any(says(meant, alias) for alias in question.gold)))


_NO_ITEM = r"(?:is|are|was|were|has|have|had|can|which|who|that|where|it|they|and|but|so|because|or|not)\b"
_WORD = rf"(?!{_NO_ITEM})[\w'’-]+"
_ITEM = rf"{_WORD}(?: {_WORD}){{0,3}}"
_ALTERNATIVES = re.compile(
    rf"\b(?:could be|might be|may be|either|perhaps|maybe|possibly) {_ITEM}(?:, {_ITEM}){{0,9}},? or {_ITEM}"
    rf"|(?<![\w'’-])[\w'’-]+(?: [\w'’-]+){{0,3}}(?:, {_ITEM}){{1,9}},? or {_ITEM}",
    re.IGNORECASE,
)
"""Two alternatives that are named as such, or a list of three and more."""
_REFUSED = (
    r"\s+(?:(?:(?:is|was|are|were)(?:\s+not|n['’]t)|can(?:not|['’]t)\s+be)\s+"
    r"(?:(?:the|our|my)\b(?!\s+only\b)|it\b|correct\b|right\b|true\b)|(?:is|was)\s+(?:wrong|incorrect|false)\b)"
)
_ASKS_FOR_NOT = re.compile(r"\b(?:not|never|cannot|wrong|incorrect|false|odd one)\b|n['’]t\b", re.IGNORECASE)
_ASKS_FOR_PAST = re.compile(
    r"\b(?:was|were|did|had|former(?:ly)?|old|older|once|before|earlier|previous(?:ly)?|original(?:ly)?|used)\b",
    re.IGNORECASE,
)


def _committed(text: str, asked: str, aliases: Iterable[str]) -> str:
    """Return the text without the aliases that it names and does not mean.

    Not meant is what is refused directly after, what is only a former answer, and one of several alternatives unless
    most of them are right; the first two count only where the question does not ask for just that.

    >>> _committed("Paris is not the capital, Lyon is, formerly Paris.", "What is the capital?", ["Paris"])
    '  capital, Lyon is, .'
    """
    names = [re.escape(alias.strip()) for alias in aliases if alias.strip()]
    plain = re.sub("[*`]", "", text)
    if names:
        alias = rf"(?<!\w)(?:{'|'.join(sorted(names, key=len, reverse=True))})(?!\w)"
        if not _ASKS_FOR_NOT.search(asked):
            plain = re.sub(rf"{alias}[\"'”’)]*{_REFUSED}", " ", plain, flags=re.IGNORECASE)
        if not _ASKS_FOR_PAST.search(asked):
            plain = re.sub(rf"(?<=[,(])\s*(?:formerly|once|previously)\s+{alias}", " ", plain, flags=re.IGNORECASE)

    def kept(match: re.Match[str]) -> str:
        items = re.split(r",? or |, ", match[0])
        right = sum(any(says(item, alias) for alias in aliases) for item in items)
        return match[0] if right > len(items) / 2 else " "  # synonyms, of which the gold may lack one

    return _ALTERNATIVES.sub(kept, plain)


def best_f1(answer: str, aliases: Iterable[str]) -> float:
    """Return 2 shared / (words of both) with the alias that shares most."""
    best = 0.0
    for alias in aliases:
        for joined in (False, True):
            found, wanted = Counter(words_of(answer, joined=joined)), Counter(words_of(alias, joined=joined))
            shared = (found & wanted).total()
            best = max(best, 2 * shared / max(found.total() + wanted.total(), 1))
    return best


def f1(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by 2 shared / (words of the answer + words of the gold), the best alias counts."""
    text = visible(answer)
    return Grade(best_f1(text, question.gold)) if words_of(text) else UNPARSED


def regex(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by a match of the whole stripped answer; above 20,000 characters nothing matches.

    Nothing guards against a pattern that takes exponential time: patterns come from the question file's author.
    """
    text = answer.strip()
    pattern = compiled_pattern(question.grading.get("pattern"))
    return Grade(float(len(text) <= LONGEST and pattern.fullmatch(text) is not None), parsed=bool(text))
