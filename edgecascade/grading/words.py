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


def _yes_or_no(text: str) -> bool | None:
    """Return what the first word of that kind says, or None.

    >>> _yes_or_no("Yes, no doubt."), _yes_or_no("That is not true."), _yes_or_no("I have no idea.")
    (True, False, None)
    """
    plain = re.sub(r"\b(?:yes or no|true or false|true/false|yes/no|no idea|no information)\b", " ", folded(text))
    match = re.search(r"\b(not\s+|n['’]t\s+)?(yes|true|yeah|yep|no|false|nope)\b", plain)
    return None if match is None else YES_NO[match[2]] != bool(match[1])


def normalised(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by whole words: right when an alias occurs and is not denied directly before ("not Paris").

    Where every gold text is yes, no, true or false, the first such word of the answer decides.
    """
    text = visible(answer)
    verdicts = [YES_NO.get(alias.strip().casefold()) for alias in question.gold]
    if verdicts and None not in verdicts:
        found = _yes_or_no(text)
        return UNPARSED if found is None else Grade(float(found in verdicts))
    if not words_of(text) and not any(alias.strip() in text for alias in question.gold):
        return UNPARSED
    return Grade(float(any(says(text, alias) for alias in question.gold)))


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
