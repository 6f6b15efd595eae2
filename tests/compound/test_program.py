"""Programs: what they may call, and how far they come by the replies on record."""

import pytest

from edgecascade.compound.program import Asked, Call, Program, check_allocation, check_program, program, replayed
from edgecascade.errors import ConfigError


@program("drafter", "checker")
def careful(question: str, call: Call) -> str:
    """Answer, then look again."""
    answer = call("drafter", question, max_tokens=8)
    return call("checker", f"{question} {answer}")


def test_a_program_stops_at_the_first_missing_reply_and_goes_on_with_it() -> None:
    """Each run comes one call further, until it has its answer; the calls before are on record."""
    replies: dict[Asked, str] = {}
    missing = []
    while (played := replayed(careful, "Why?", replies.get)).missing:
        missing.append(played.missing)
        replies[played.missing] = f"reply {len(replies)}"

    assert missing == [Asked("drafter", "Why?", 8), Asked("checker", "Why? reply 0", 32)]
    assert played.answer == "reply 1"
    assert [asked.module for asked, _ in played.calls] == ["drafter", "checker"]


def test_a_program_that_catches_everything_cannot_swallow_a_missing_reply() -> None:
    """Not even by a bare ``except``: otherwise it would answer without its model, and call others in its stead."""

    @program("one")
    def greedy(question: str, call: Call) -> str:
        try:
            return call("one", question)
        except:  # noqa: E722
            return call("one", "made up")

    played = replayed(greedy, "Why?", {Asked("one", "made up", 32): "an answer"}.get)

    assert played.answer is None and played.missing == Asked("one", "Why?", 32)


def test_a_module_that_is_not_named_is_refused() -> None:
    """A call outside the names could not be allocated."""
    wrong = Program("wrong", ("one",), lambda question, call: call("two", question))

    with pytest.raises(ConfigError, match=r"calls 'two'.*wanted one of one"):
        replayed(wrong, "Why?", lambda asked: "x")


def test_a_question_must_be_text() -> None:
    """A module is asked a text, and no number."""
    wrong = Program("wrong", ("one",), lambda question, call: call("one", 5))  # type: ignore[arg-type]

    with pytest.raises(ConfigError, match="asks 'one' no question: found int, wanted text"):
        replayed(wrong, "Why?", lambda asked: "x")


def test_a_loop_that_waits_for_another_reply_is_ended() -> None:
    """To the same prompt a module replies the same, for ever."""

    @program("critic")
    def stubborn(question: str, call: Call) -> str:
        while call("critic", question) != "yes":
            pass
        return "done"

    assert replayed(stubborn, "Why?", lambda asked: "yes").answer == "done"
    with pytest.raises(ConfigError, match="does not end: found more than 200 calls"):
        replayed(stubborn, "Why?", lambda asked: "no")


def test_an_answer_must_be_text() -> None:
    """A program that forgets to return is told so."""
    silent = Program("silent", ("one",), lambda question, call: None)  # type: ignore[arg-type,return-value]

    with pytest.raises(ConfigError, match="found NoneType, wanted text"):
        replayed(silent, "Why?", lambda asked: "x")


@pytest.mark.parametrize("modules", [(), ("a", "a"), ("",), (1,)])
def test_modules_have_names_of_their_own(modules: tuple[str, ...]) -> None:
    """None at all, one twice, or what is no name is refused when the program is to be used, not when it is made."""
    broken = Program("broken", modules, lambda question, call: "")

    with pytest.raises(ConfigError, match="one or more different names"):
        check_program(broken)


def test_every_module_wants_a_model() -> None:
    """A module without one is named, and so is a model for what is no module."""
    check_allocation(careful, {"drafter": "m", "checker": "m"})
    with pytest.raises(ConfigError, match=r"no model for checker.*--allocate checker=MODEL"):
        check_allocation(careful, {"drafter": "m"})
    with pytest.raises(ConfigError, match="has no module 'judge'"):
        check_allocation(careful, {"drafter": "m", "checker": "m", "judge": "m"})
