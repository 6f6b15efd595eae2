"""The programs that come with the package: what their modules are asked, and what becomes of the replies."""

import pytest

from edgecascade.compound.program import Asked, replayed
from edgecascade.compound.shipped import PROGRAMS, choices_in, majority

CAPITAL = "Capital of Peru?\n\nA. Lima\nB. Cusco\n\nAnswer with the letter of the right choice only."


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_module_is_called_once_in_order_and_briefly(name: str) -> None:
    """A module that is never asked could not be improved; no reply may be long on a small device."""
    played = replayed(PROGRAMS[name], CAPITAL, lambda asked: "A")

    assert tuple(asked.module for asked, _ in played.calls) == PROGRAMS[name].modules
    assert played.answer == "A"
    assert all(8 <= asked.max_tokens <= 48 and "Capital of Peru?" in asked.prompt for asked, _ in played.calls)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_one_who_answers_reads_the_question_last(name: str) -> None:
    """Small models follow what they read last, and that is the form of the answer."""
    calls = replayed(PROGRAMS[name], CAPITAL, lambda asked: "A").calls

    assert calls[-1][0].prompt.endswith(CAPITAL)


def test_who_does_not_answer_is_not_told_how_to() -> None:
    """The critic reads the question and its choices, the locator the question alone; who answers reads the form too."""
    calls = [call for one in PROGRAMS.values() for call, _ in replayed(one, CAPITAL, lambda asked: "A").calls]
    untold, unlisted = (
        {call.module for call in calls if words not in call.prompt} for words in ("Answer with the", "B. Cusco")
    )

    assert untold == {"critic", "locator"}
    assert unlisted == {"locator"}


def test_who_answers_hears_what_was_said_before() -> None:
    """The refiner reads answer and review, the debaters each first answer, the solver what was located."""

    def said(asked: Asked) -> str:
        return f"<{asked.module}>"

    last = {name: replayed(one, "Why?", said).calls[-1][0].prompt for name, one in PROGRAMS.items()}

    assert "<generator>" in last["self-refine"] and "<critic>" in last["self-refine"]
    assert all(f"<initial_{number}>" in last["debate"] for number in (1, 2, 3))
    assert "<locator>" in last["locate-solve"]


def test_the_three_who_answer_first_are_asked_differently() -> None:
    """Nothing is sampled, so the same prompt would give the same answer thrice."""
    calls = replayed(PROGRAMS["debate"], CAPITAL, lambda asked: "A").calls

    assert len({asked.prompt for asked, _ in calls}) == 6


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        (["A", "B. Cusco", "The answer is B."], "B. Cusco"),
        (["hm", "B", "?"], "B"),
        (["C", "hm", "?"], "C"),
        (["B", "A", "hm"], "B"),
    ],
)
def test_the_majority_goes_by_what_is_said(answers: list[str], wanted: str) -> None:
    """Letters count where there are choices; who says nothing has no vote; of equals the first holds."""
    assert majority(answers, CAPITAL) == wanted


def test_the_last_list_is_the_choices() -> None:
    """A name or a list in the text before them is none: letters go by what the form of the answer means."""
    text = "A. Lincoln chose among\nA. war\nB. peace\nC. neither\n\n"

    assert choices_in(text + CAPITAL) == ["Lima", "Cusco"]
    assert choices_in("A. Lincoln was president when?") == []
