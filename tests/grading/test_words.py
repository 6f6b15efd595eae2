"""Words are found whole, whatever stands around them."""

from dataclasses import replace
from typing import Any

import pytest

from edgecascade.grading import grade
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Message

RIGHT, WRONG, NOTHING = Grade(1.0), Grade(0.0), Grade(0.0, parsed=False)


def ask(metric: str, *gold: str, **grading: Any) -> LabelledQuestion:
    """Return a question with this metric."""
    return LabelledQuestion(
        id="1", task="t", messages=(Message("user", "?"),), metric=metric, gold=gold, grading=grading
    )


NORMALISED = [
    ("Paris", RIGHT),
    ("PARIS!", RIGHT),
    ("The capital is **Paris**.", RIGHT),
    ("Pâris", RIGHT),
    ("It's not London, it's Paris.", RIGHT),
    ("Is it London? I think not. Paris.", RIGHT),
    ("No, Paris.", RIGHT),
    ("the City of Light", RIGHT),
    ("巴黎是法国的首都", RIGHT),
    ("파리입니다", RIGHT),
    ("not Paris", WRONG),
    ("It isn't Paris", WRONG),
    ("Lyon rather than Paris", WRONG),
    ("Paris, France.", RIGHT),
    ("The capital is Paris, a city in France.", RIGHT),
    ("Paris, once Lutetia, lies on the Seine.", RIGHT),
    ("Paris is not only the capital, it is the largest city.", RIGHT),
    ("Paris is not a small city.", RIGHT),
    ("Lyon is not the capital; Paris is.", RIGHT),
    ("It could be Lyon, Nice or Lille, but it is Paris.", RIGHT),
    ("It might be Paris or the City of Light.", RIGHT),
    ("It is called Paris, the City of Light, or Paname.", RIGHT),
    ("Paris, where you can walk, ride or drive.", RIGHT),
    ("Paris is not the capital; Lyon is.", WRONG),
    ("**Paris** isn't the capital.", WRONG),
    ("Paris is wrong.", WRONG),
    ("It could be Paris, Lyon, Nice or Lille.", WRONG),
    ("Lyon, Nice, or **Paris**", WRONG),
    ("Either Paris or Lyon.", WRONG),
    ("Maybe Lyon or Paris?", WRONG),
    ("The capital is Lyon, formerly Paris.", WRONG),
    ("Lyon (once Paris)", WRONG),
    ("Lyon, unlike Paris, is the capital.", WRONG),
    ("Lyon, instead of Paris.", WRONG),
    ("Parisian", WRONG),
    ("I cannot answer", WRONG),
    ("Париж", WRONG),
    ("", NOTHING),
    ("...", NOTHING),
]


@pytest.mark.parametrize(("answer", "wanted"), NORMALISED)
def test_an_alias_counts_as_whole_words(answer: str, wanted: Grade) -> None:
    """Case, accents, articles, punctuation and script do not matter; a denial does."""
    assert grade(answer, ask("normalised", "Paris", "City of Light", "巴黎", "파리")) == wanted


ASKED_FOR = [
    ("Which city is not the capital?", "Paris is not the capital."),
    ("Which answer is wrong?", "Paris is wrong."),
    ("What was its old name?", "It is Lyon, formerly Paris."),
]


@pytest.mark.parametrize(("asked", "answer"), ASKED_FOR)
def test_what_the_question_asks_for_is_no_denial(asked: str, answer: str) -> None:
    """What is refused or former in one question answers another."""
    question = replace(ask("normalised", "Paris"), messages=(Message("user", asked),))

    assert grade(answer, question) == RIGHT
    assert grade(answer, ask("normalised", "Paris")) == WRONG


LETTERS = [
    ("The last letter is T.", RIGHT),
    ("'t'", RIGHT),
    ("It isn't clear.", WRONG),
    ("It isn't t.", WRONG),
    ("It's an s.", WRONG),
]


@pytest.mark.parametrize(("answer", "wanted"), LETTERS)
def test_the_end_of_a_contraction_is_no_letter(answer: str, wanted: Grade) -> None:
    """A single letter counts by itself, not as the t of "isn't"."""
    assert grade(answer, ask("normalised", "t")) == wanted


YES_NO = [
    ("Yes", True),
    ("yes.", True),
    ("**Yes**, it is.", True),
    ("True", True),
    ("Yeah, no doubt", True),
    ("No", False),
    ("no, but yes in part", False),
    ("False.", False),
    ("That is not true.", False),
    ("Is it true or false? It is false.", False),
    ("There is no doubt: yes.", True),
    ("No problem. Yes.", True),
    ("Yes, no question.", True),
    ("No. There is no doubt.", False),
    ("No question about it.", None),
    ("I have no idea", None),
    ("Maybe", None),
    ("Nothing", None),
    ("да", None),
    ("", None),
]


@pytest.mark.parametrize(("answer", "said"), YES_NO)
@pytest.mark.parametrize("gold", ["yes", "no", "True", "false"])
def test_the_first_yes_or_no_decides(answer: str, said: bool | None, gold: str) -> None:
    """Yes means true, and neither word is not parsed."""
    wanted = NOTHING if said is None else Grade(float(said == (gold in ("yes", "True"))))

    assert grade(answer, ask("normalised", gold)) == wanted


EXACT = [
    ("] }", RIGHT),
    (" ] }\n", RIGHT),
    ("]}", WRONG),
    ("] } ", RIGHT),
    ("**] }**", WRONG),
    ("The answer is ] }", WRONG),
    ("}", WRONG),
    ("I cannot answer", WRONG),
    ("да", WRONG),
    ("] } ]", WRONG),
    ("", NOTHING),
    ("  ", NOTHING),
]


@pytest.mark.parametrize(("answer", "wanted"), EXACT)
def test_exact_is_equality(answer: str, wanted: Grade) -> None:
    """Only spaces at the ends are forgiven."""
    assert grade(answer, ask("exact", "] }")) == wanted


F1 = [
    ("frederick north", "frederick north lord north", 2 * 2 / 6),
    ("Lord North", "frederick north lord north", 2 * 2 / 6),
    ("Frederick North, Lord North", "frederick north lord north", 1.0),
    ("The answer", "answer", 1.0),
    ("O'Brien", "obrien", 1.0),
    ("O'Brien", "o brien", 1.0),
    ("U.S.", "US", 1.0),
    ("🐟", "🐟", 1.0),
    ("東京都", "東京", 4 / 5),
    ("Ben", "Ben Gibbard", 2 / 3),
    ("**Ben Gibbard**", "Ben Gibbard", 1.0),
    ("London", "Paris", 0.0),
    ("I cannot answer", "Paris", 0.0),
]


@pytest.mark.parametrize(("answer", "gold", "share"), F1)
def test_f1_is_the_share_of_common_words(answer: str, gold: str, share: float) -> None:
    """2 shared / (both), and neither order nor which side is the answer matters."""
    assert grade(answer, ask("f1", gold)).score == pytest.approx(share)
    assert grade(gold, ask("f1_score", answer)).score == pytest.approx(share)
    assert grade(answer, ask("f1", "zzz", gold)).score == pytest.approx(share)


def test_f1_of_no_word_is_not_parsed() -> None:
    """Neither nothing nor punctuation is an answer."""
    assert [grade(text, ask("f1", "x")) for text in ("", " ", "?!")] == [NOTHING] * 3


REGEX = [
    ("2024-05-01", RIGHT),
    ("  2024-05-01\n", RIGHT),
    ("1999-12-31", RIGHT),
    ("2024-5-1", WRONG),
    ("on 2024-05-01", WRONG),
    ("2024-05-01.", WRONG),
    ("**2024-05-01**", WRONG),
    ("yesterday", WRONG),
    ("I cannot answer", WRONG),
    ("2" * 30_000, WRONG),
    ("昨日", WRONG),
    ("", NOTHING),
]


@pytest.mark.parametrize(("answer", "wanted"), REGEX)
def test_a_pattern_matches_the_whole_answer(answer: str, wanted: Grade) -> None:
    """Nothing may stand around the match but space."""
    assert grade(answer, ask("regex", pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}")) == wanted
