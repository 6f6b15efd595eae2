"""Calls and their replies: asked once, kept at once, one model after another."""

from pathlib import Path
from typing import Any

import pytest

from edgecascade.composing.asking import Asker, Wanted
from edgecascade.errors import BudgetError, DeviceError
from edgecascade.store.calls import CallsFile
from edgecascade.store.prices import Price


def pool(speaker: Any, **more: Any) -> dict[str, Any]:
    """Two models that say their name and what they heard."""
    return {name: speaker(name, lambda prompt, name=name: f"{name}: {prompt}", **more) for name in ("small", "large")}


def test_each_call_is_asked_once_by_model(speaker: Any, tmp_path: Path) -> None:
    """Repeated calls cost nothing; all calls of a model are asked before those of the next."""
    members, order = pool(speaker), []
    calls = [Wanted(model, prompt, 8) for prompt in ("a", "b", "a") for model in ("large", "small")]
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker(members, file, tell=lambda done, total, model: order.append((done, total, model)))
        asker.ask(calls)
        asker.ask(calls)
        reply = asker.reply(Wanted("large", "b", 8))

    assert [model for _, _, model in order] == ["small", "small", "large", "large"]
    assert order[-1][:2] == (4, 4)
    assert reply and reply.text == "large: b"
    assert (asker.counts.asked, asker.counts.kept, asker.counts.prompt_tokens) == (4, 0, 40)


def test_a_new_run_goes_on_from_the_file(speaker: Any, tmp_path: Path) -> None:
    """What was asked before a kill is on record; another length, prompt or model is another call."""
    call = Wanted("small", "a", 8)
    for number in range(2):
        members = pool(speaker)
        with CallsFile(tmp_path / "calls.db") as file:
            asker = Asker(members, file)
            asker.ask([call])

        assert (asker.counts.asked, asker.counts.kept) == ((1, 0), (0, 1))[number]
        assert len(members["small"].prompts) == 1 - number
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker(pool(speaker), file)
        others = Wanted("large", "a", 8), Wanted("small", "b", 8), Wanted("small", "a", 9)
        assert [asker.reply(other) for other in others] == [None, None, None]


def test_what_was_asked_before_an_interruption_is_kept(speaker: Any, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a reply loses that reply alone."""

    def says(prompt: str) -> str:
        if prompt == "c":
            raise KeyboardInterrupt
        return prompt

    with CallsFile(tmp_path / "calls.db") as file:
        with pytest.raises(KeyboardInterrupt):
            Asker({"small": speaker("small", says)}, file).ask([Wanted("small", prompt, 8) for prompt in "abcd"])

        assert len(file) == 2


def test_no_more_calls_than_allowed_are_made(speaker: Any, tmp_path: Path) -> None:
    """The third of two calls is refused, with what to do; what is on record is free."""
    members = pool(speaker)
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker(members, file, most=2)
        with pytest.raises(BudgetError, match=r"found 2.*--max-calls"):
            asker.ask(Wanted("small", prompt, 8) for prompt in "abc")
        asker.ask(Wanted("small", prompt, 8) for prompt in "ab")

    assert len(members["small"].prompts) == 2


def test_a_prompt_that_is_too_long_says_nothing(speaker: Any, tmp_path: Path) -> None:
    """Its module replies with nothing, it is counted, and a longer context may be tried another time."""
    call = Wanted("small", "x" * 2000, 8)
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker(pool(speaker), file)
        asker.ask([call])
        reply = asker.reply(call)

        assert reply and reply.text == ""
        assert (asker.counts.unread, asker.counts.asked, len(file)) == (1, 0, 0)


def test_an_empty_prompt_gets_no_reply(speaker: Any, tmp_path: Path) -> None:
    """A module may say nothing, and the next is asked by its words alone: nobody can be asked that, nor is."""
    call, members = Wanted("small", " \n", 8), pool(speaker)
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker(members, file)
        asker.ask([call, call])
        reply = asker.reply(call)

    assert reply and reply.text == "" and not members["small"].prompts
    assert (asker.counts.unread, asker.counts.asked) == (1, 0)


def test_the_reply_that_was_first_is_the_one(speaker: Any, tmp_path: Path) -> None:
    """Where another process has asked the same meanwhile, this one goes on with what stands in the file."""
    call = Wanted("cloud", "a", 8)
    with CallsFile(tmp_path / "calls.db") as file, CallsFile(tmp_path / "calls.db") as theirs:
        one, other = (Asker({"cloud": speaker("cloud", lambda p, s=s: s)}, f) for s, f in (("x", file), ("y", theirs)))
        assert one.reply(call) is None
        other.ask([call])
        one.ask([call])
        reply = one.reply(call)

    assert reply and reply.text == "y"


def test_models_take_turns_where_memory_holds_one(speaker: Any, tmp_path: Path) -> None:
    """What finds no room beside the others is opened once they are closed; a round opens each model once."""
    room: list[str] = []
    members = pool(speaker, room=room)
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker(members, file)
        asker.ask(Wanted(model, prompt, 8) for prompt in "abc" for model in members)

    assert [member.openings for member in members.values()] == [1, 1]
    assert asker.counts.asked == 6


def test_a_model_that_fits_nowhere_is_an_error(speaker: Any, tmp_path: Path) -> None:
    """Where closing the others does not help, or there are none, the device cannot do it."""
    with CallsFile(tmp_path / "calls.db") as file, pytest.raises(DeviceError, match="not enough free memory"):
        Asker(pool(speaker, room=["another program"]), file).ask([Wanted("small", "a", 8)])


def test_another_system_message_is_another_call(speaker: Any, tmp_path: Path) -> None:
    """It stands before every prompt, so the reply depends on it."""
    members, call = pool(speaker), Wanted("small", "a", 8)
    with CallsFile(tmp_path / "calls.db") as file:
        Asker(members, file).ask([call])
        members["small"].system = "Be brief."

        assert Asker(members, file).reply(call) is None


def test_an_unknown_price_stays_unknown(speaker: Any, tmp_path: Path) -> None:
    """It is never 0."""
    members = {"cloud": speaker("cloud", str, usd=None), "small": speaker("small", str)}
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker(members, file)
        asker.ask(Wanted(model, "a", 8) for model in members)

    assert asker.counts.usd is None


def test_a_price_that_is_set_later_counts_for_what_was_asked_before(speaker: Any, tmp_path: Path) -> None:
    """Nothing is asked twice for it; what had a price keeps that."""
    call = Wanted("small", "a", 8)
    found = []
    for paid, price in ((None, None), (None, Price(input=1.0, output=5.0))):
        members = pool(speaker, usd=paid)
        members["small"].price = price
        with CallsFile(tmp_path / "calls.db") as file:
            asker = Asker(members, file)
            asker.ask([call])
            found.append(asker.reply(call))

    assert [reply and reply.usd for reply in found] == [None, pytest.approx(20e-6)]
    assert (asker.counts.asked, asker.counts.usd) == (0, 0.0)
