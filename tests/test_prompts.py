"""How a labelled question is put: its own words, what its metric needs, and no more."""

from string import ascii_uppercase

import pytest

from edgecascade.errors import QuestionError, SamplingError
from edgecascade.labelled import LabelledQuestion
from edgecascade.prompts import CHOOSE, INSTRUCTIONS, MAX_TOKENS, USUAL_TOKENS, asked, choose
from edgecascade.records import Message, Sampling

OURS = ("exact", "normalised", "number", "regex", "json_schema", "f1")


def labelled(
    metric: str, *, messages: tuple[Message, ...] = (Message("user", "Why?"),), choices: tuple[str, ...] = ()
) -> LabelledQuestion:
    """A question of that metric."""
    return LabelledQuestion(id="1", task="t", messages=messages, metric=metric, gold=("a",), choices=choices)


@pytest.mark.parametrize("metric", OURS)
def test_our_own_metrics_add_nothing(metric: str) -> None:
    """The question is sent as it was written."""
    assert asked(labelled(metric)).messages == (Message("user", "Why?"),)


@pytest.mark.parametrize("metric", INSTRUCTIONS)
def test_published_metrics_say_what_they_need(metric: str) -> None:
    """The instruction stands behind the question, a blank line between."""
    assert asked(labelled(metric)).messages[-1].content == f"Why?\n\n{INSTRUCTIONS[metric]}"


def test_choices_are_lettered_in_order() -> None:
    """They stand between the question and the instruction, one a line."""
    question = asked(labelled("choice", choices=("Lima", "Cusco", "Ica")))

    assert question.messages[-1].content == f"Why?\n\nA. Lima\nB. Cusco\nC. Ica\n\n{CHOOSE}"


def test_turned_choices_are_the_same_in_reverse() -> None:
    """A question to choose from brings its turned form; an open one does not."""
    question = asked(labelled("choice", choices=("Lima", "Cusco")), system="Be brief.")

    assert question.choices == ("Lima", "Cusco")
    assert question.turned == (
        Message("system", "Be brief."),
        Message("user", f"Why?\n\nA. Cusco\nB. Lima\n\n{CHOOSE}"),
    )
    assert asked(labelled("normalised")).turned == asked(labelled("normalised")).choices == ()


def test_only_the_last_message_is_added_to() -> None:
    """Earlier turns of a conversation stay as they were."""
    turns = (Message("user", "Hello"), Message("assistant", "Yes?"), Message("user", "Why?"))
    question = asked(labelled("GSM8K", messages=turns))

    assert question.messages[:2] == turns[:2] and question.messages[2].content.startswith("Why?\n\n")


@pytest.mark.parametrize(
    ("own", "given", "wanted"),
    [(None, "given", ["given"]), ("own", "given", ["own"]), ("own", None, ["own"]), (None, None, []), (None, "", [])],
)
def test_a_questions_own_system_message_wins(own: str | None, given: str | None, wanted: list[str]) -> None:
    """There is one system message at most, the question's own where it has one, and it stands first."""
    turns = (*([Message("system", own)] if own else []), Message("user", "Why?"))
    messages = asked(labelled("exact", messages=turns), system=given).messages

    assert [message.content for message in messages if message.role == "system"] == wanted
    assert messages[-1] == Message("user", "Why?") and len(messages) == 1 + len(wanted)


@pytest.mark.parametrize("metric", [*OURS, *INSTRUCTIONS])
def test_the_longest_answer_is_the_metrics(metric: str) -> None:
    """Unless another is given; and it is greedy."""
    usual, given = asked(labelled(metric)).sampling, asked(labelled(metric), max_tokens=5).sampling

    assert usual == Sampling(max_tokens=MAX_TOKENS.get(metric, USUAL_TOKENS))
    assert given == Sampling(max_tokens=5)


def test_an_answer_of_no_tokens_is_refused() -> None:
    """A given 0 is not taken for nothing given."""
    with pytest.raises(SamplingError, match="max_tokens = 0"):
        asked(labelled("exact"), max_tokens=0)


def test_choose_asks_as_calibration_does() -> None:
    """What is served is what was calibrated: the same words for the same choices."""
    served = choose("Why?", ["Lima", "Cusco"], system="Be brief.", sampling=Sampling(max_tokens=32))

    assert served == asked(labelled("choice", choices=("Lima", "Cusco")), system="Be brief.")


@pytest.mark.parametrize(
    "choices", [[], ["one"], ["a", "a"], ["a", " a "], ["a", " "], [f"choice {number}" for number in range(27)]]
)
def test_what_cannot_be_chosen_from_is_refused(choices: list[str]) -> None:
    """Too few, too many, empty or equal texts."""
    with pytest.raises(QuestionError, match="wanted 2 to 26 different texts"):
        choose("Why?", choices)


def test_there_is_a_letter_for_each_of_26_choices() -> None:
    """A to Z."""
    listed = choose("Why?", [f"choice {number}" for number in range(26)]).messages[-1].content

    assert all(f"\n{letter}. choice {number}\n" in listed for number, letter in enumerate(ascii_uppercase))
