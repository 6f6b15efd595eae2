"""Sentences from given words: the share of the wanted concepts that occur (Lin et al., "CommonGen")."""

import re

from edgecascade.grading.text import UNPARSED, visible, words_of
from edgecascade.labelled import Grade, LabelledQuestion

_IRREGULAR = {
    first: set(forms.split())
    for first, forms in {
        "be": "is are was were been being", "bite": "bit bitten", "blow": "blew blown", "break": "broke broken",
        "bring": "brought", "build": "built", "buy": "bought", "catch": "caught", "child": "children",
        "choose": "chose chosen", "come": "came", "draw": "drew drawn", "drink": "drank drunk",
        "drive": "drove driven", "eat": "ate eaten", "fall": "fell fallen", "feed": "fed", "find": "found",
        "fly": "flew flown", "foot": "feet", "get": "got gotten", "give": "gave given", "go": "went gone goes",
        "goose": "geese", "hang": "hung", "have": "had has", "hold": "held", "keep": "kept", "lead": "led",
        "leave": "left", "lie": "lay lain lying", "light": "lit", "make": "made", "man": "men", "mouse": "mice",
        "pay": "paid", "person": "people persons", "ride": "rode ridden", "ring": "rang rung", "rise": "rose risen",
        "run": "ran", "say": "said", "see": "saw seen", "sell": "sold", "send": "sent", "shake": "shook shaken",
        "shine": "shone", "shoot": "shot", "sing": "sang sung", "sit": "sat", "sleep": "slept", "slide": "slid",
        "speak": "spoke spoken", "spin": "spun", "stand": "stood", "steal": "stole stolen", "stick": "stuck",
        "sweep": "swept", "swim": "swam swum", "swing": "swung", "take": "took taken", "teach": "taught",
        "tell": "told", "think": "thought", "throw": "threw thrown", "tooth": "teeth", "wear": "wore worn",
        "win": "won", "woman": "women", "write": "wrote written",
    }.items()
}  # fmt: skip


def _inflected(word: str) -> set[str]:
    """Return the word and its common English forms.

    >>> {"jogging", "jogged"} <= _inflected("jog"), "carries" in _inflected("carry"), "knives" in _inflected("knife")
    (True, True, True)
    """
    stems = {word, word.removesuffix("e"), word + word[-1:]}
    if word.endswith("y"):
        stems.add(word[:-1] + "i")
    if word.endswith("ie"):
        stems.add(word[:-2] + "y")
    forms = {stem + ending for stem in stems for ending in ("ed", "ing", "es", "s")}
    forms |= {re.sub("fe?$", "ves", word)} if re.search("fe?$", word) else set()
    return (forms | {word, word + "s", word + "d"} | _IRREGULAR.get(word, set())) - {""}


def commongen_coverage(answer: str, question: LabelledQuestion) -> Grade:
    """Grade by the share of the gold's concepts, listed with commas, that occur in the answer in any common form."""
    found = words_of(visible(answer), articles=True)
    if not found:
        return UNPARSED
    seen, text = set(found), f" {' '.join(found)} "

    def occurs(concept: str) -> bool:
        *first, last = words_of(concept, articles=True)
        if not first:
            return not seen.isdisjoint(_inflected(last))
        return any(f" {' '.join([*first, form])} " in text for form in _inflected(last))

    def share(gold: str) -> float:
        concepts = [concept for concept in gold.split(",") if words_of(concept, articles=True)]
        return sum(map(occurs, concepts)) / max(len(concepts), 1)

    return Grade(max(map(share, question.gold), default=0.0))
