"""Programs tried on questions, and the allocation that is found: on models that are functions."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecascade.composing.asking import Asker
from edgecascade.composing.optimising import Gain, Plan, chance, figures_of, optimise, split
from edgecascade.composing.results import named, read_allocation, record_of, write_record
from edgecascade.composing.trying import Trials, Tried, text_of
from edgecascade.compound.allocation import AGGREGATES, drawn, uniform
from edgecascade.compound.program import Call, Program, program
from edgecascade.compound.shipped import PROGRAMS
from edgecascade.errors import BudgetError, ConfigError, QuestionFileError
from edgecascade.guarantees.binomial import p_value
from edgecascade.labelled import LabelledQuestion
from edgecascade.prompts import CHOOSE
from edgecascade.records import Message
from edgecascade.store.calls import CallsFile

ALL = range(12)


@program("reader", "adder")
def adding(question: str, call: Call) -> str:
    """Read the numbers, then add them."""
    return call("adder", "add " + call("reader", "read " + question))


def reads(prompt: str) -> str:
    """The reader's part alone: numbers are read, and added wrongly."""
    return prompt.removeprefix("read ").removesuffix(" + 1 =") if prompt.startswith("read") else "0"


def adds(prompt: str) -> str:
    """The adder's part alone: it adds what it is told, and reads nothing."""
    return str(int(prompt.split()[1]) + 1) if prompt.startswith("add") and prompt.split()[1].isdecimal() else "many"


@contextmanager
def trials(
    speaker: Any, questions: list[LabelledQuestion], folder: Path, *, most: int | None = None, **more: Any
) -> Iterator[Trials]:
    """Yield the program above on two models, each of which can do one half."""
    prices = {"reads": 0.0, "adds": 0.01}
    members = {one.__name__: speaker(one.__name__, one, usd=prices[one.__name__]) for one in (reads, adds)}
    members["doctor"] = speaker("doctor", lambda prompt: "Yes" if "module adder" in prompt else "No")
    with CallsFile(folder / "calls.db") as file:
        yield Trials(adding, ("reads", "adds"), questions, Asker(members, file, most=most), **more)


def test_the_mix_that_no_model_can_do_alone_is_found(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """Each model everywhere answers nothing, the right mix everything, and exhaustive search agrees."""
    with trials(speaker, sums, tmp_path) as tried:
        found = optimise(tried, Plan(exhaustive=True))

    assert found.chosen.allocation == (0, 1)
    assert found.chosen.held_out and found.chosen.held_out.quality.value == 1.0
    assert [one.training.quality.value for one in found.singles] == [0.0, 0.0]
    assert found.exhaustive and found.exhaustive.allocation == found.chosen.allocation
    assert found.gain and found.gain.low == found.gain.high == 1.0
    assert found.gain.p_value == pytest.approx(2 * 0.5**6) and found.gain.shown
    assert len(found.training) == len(found.held_out) == 6


def test_the_best_model_everywhere_is_what_a_mix_is_held_against(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """It is found wherever it stands in the pool, and the gain is over it, held out; the record says so too."""

    def guesses(prompt: str) -> str:
        number = next((int(word) for word in prompt.split() if word.isdecimal()), 0)
        return prompt if prompt.startswith("read") else str(number // 2 * 2 + 1)

    members = {one.__name__: speaker(one.__name__, one) for one in (reads, adds, guesses)}
    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(adding, tuple(members), sums, Asker(members, file))
        found = optimise(tried, Plan(start="random", seed=7))
    record = record_of(found, Plan(), tried, program="adding", questions="0" * 64)
    single = found.singles[2].held_out

    assert found.best_single == 2 and record["best_single"] == "guesses"
    assert found.chosen.held_out and single and found.gain and 0 < single.quality.value < 1
    assert found.gain.value == found.chosen.held_out.quality.value - single.quality.value > 0
    assert set(uniform(2, 3)) < set(found.search.known)
    assert found.search.trace[0] == drawn(2, 3, 7) != (2, 2)
    assert (record["n_train"], record["n_test"]) == (6, 6)


def test_the_plan_says_how_questions_decide(speaker: Any, tmp_path: Path) -> None:
    """Two graded answers gain a little, one loses much: votes move, means stay, and the best is the result."""
    golds = ("a b c d", "e f g h", "x")
    asked = [LabelledQuestion(id=g, task="t", messages=(Message("user", g),), metric="f1", gold=(g,)) for g in golds]
    members = {
        "steady": speaker("steady", lambda prompt: prompt[:3]),
        "bold": speaker("bold", lambda prompt: prompt[:5] if len(prompt) > 1 else "no idea"),
    }
    say = Program("say", ("one",), lambda question, call: call("one", question))
    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(say, ("steady", "bold"), asked, Asker(members, file))
        mean, vote = (optimise(tried, Plan(train=1.0, aggregate=one)).search for one in AGGREGATES)

    assert (mean.trace[-1], vote.trace[-1]) == ((0,), (1,))
    assert vote.allocation == (0,)


def test_a_diagnoser_speaks_for_every_training_question(speaker: Any, tmp_path: Path) -> None:
    """Two models are wrong alike; one is blamed once, the other twice, and the search goes to the first."""
    asked = [
        LabelledQuestion(id=g, task="t", messages=(Message("user", g),), metric="exact", gold=("right",)) for g in "abc"
    ]
    members = {name: speaker(name, lambda prompt, name=name: f"{name} {prompt}") for name in ("often", "once")}
    members["doctor"] = speaker(
        "doctor", lambda prompt: "Yes" if any(one in prompt for one in ("once a", "often b", "often c")) else "No"
    )
    say = Program("say", ("one",), lambda question, call: call("one", question))
    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(say, ("often", "once"), asked, Asker(members, file), diagnoser="doctor")
        plain, blamed = (optimise(tried, Plan(train=1.0, alpha=alpha)).search.trace[-1] for alpha in (0.0, 0.5))

    assert (plain, blamed) == ((0,), (1,))


def test_graded_answers_have_a_bootstrapped_interval() -> None:
    """Right and wrong ones an exact one, whose ends are not 0 and 1 of a handful."""
    ones = np.ones(8)
    exact, graded = (figures_of(Tried(quality, ones, ones, ones)).quality for quality in (ones, ones / 2))

    assert exact.value == exact.high == 1.0 and exact.low == pytest.approx(0.025 ** (1 / 8))
    assert graded.low == graded.value == graded.high == 0.5


@pytest.mark.parametrize(("low", "p_value", "shown"), [(0.1, 0.01, True), (-0.1, 0.01, False), (0.1, 0.2, False)])
def test_a_gain_is_shown_where_interval_and_test_agree(low: float, p_value: float, shown: bool) -> None:
    """Neither many small wins beside a great loss, nor a few wins that may be chance."""
    assert Gain(0.2, low, 0.3, p_value).shown == shown


def test_a_program_gets_a_question_whole() -> None:
    """Its turns, its choices, and how to answer, as paragraphs."""
    turns = Message("system", "Be brief."), Message("user", "Capital of Peru?")
    one = LabelledQuestion(id="1", task="t", messages=turns, metric="choice", gold=("A",), choices=("Lima", "Cusco"))

    assert text_of(one) == f"Be brief.\n\nCapital of Peru?\n\nA. Lima\nB. Cusco\n\n{CHOOSE}"


def test_allocations_share_the_replies_that_they_have_in_common(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """Four allocations of two modules ask far less than four runs each, and a second search asks nothing at all."""
    with trials(speaker, sums, tmp_path) as first:
        optimise(first, Plan(exhaustive=True))
    with trials(speaker, sums, tmp_path) as again:
        found = optimise(again, Plan(exhaustive=True))

    assert first.asker.counts.asked <= 2 * 12 + 2 * 13
    assert (again.asker.counts.asked, again.asker.counts.kept) == (0, first.asker.counts.asked)
    assert found.chosen.allocation == (0, 1)


def test_a_program_that_is_not_the_same_twice_is_found_out(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """What it was asked last time is on record, and it asks something else: it would never come to its end."""
    asked: list[str] = []

    @program("reader", "adder")
    def forgetful(question: str, call: Call) -> str:
        asked.append(call("reader", question))
        return call("adder", f"attempt {len(asked)}")

    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(forgetful, ("adds",), sums, Asker({"adds": speaker("adds", adds)}, file))
        with pytest.raises(ConfigError, match=r"not the same twice on question 'sum-0'"):
            tried.tried([(0, 0)], ALL)


def test_a_dear_model_is_left_out_where_it_is_not_worth_its_price(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """With answers of little value the cheap model does everything, as badly as it can."""
    with trials(speaker, sums, tmp_path) as tried:
        worthless, dear = (optimise(tried, Plan(value_usd=value)).chosen.allocation for value in (0.001, 1.0))

    assert worthless == (0, 0)
    assert dear == (0, 1)


def test_seconds_cost_where_they_have_a_price(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """Each call takes 0.1 s: two calls at a dollar a second are worth less than a right answer of 1 dollar."""
    with trials(speaker, sums, tmp_path) as tried:
        (one,) = tried.tried([(0, 1)], ALL)
        worth = optimise(tried, Plan(train=1.0, value_usd=1.0, usd_per_second=1.0)).search.worth

    assert one.calls.tolist() == [2.0] * 12 and one.seconds == pytest.approx(np.full(12, 0.2))
    assert worth == pytest.approx(1 - 0.2 - 0.01)


def test_an_unknown_price_cannot_be_weighed(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """Quality less an unknown cost is unknown: it is refused with where to set the price."""
    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(adding, ("cloud",), sums, Asker({"cloud": speaker("cloud", str, usd=None)}, file))
        with pytest.raises(ConfigError, match="cloud without a price"):
            optimise(tried, Plan(value_usd=1.0))

        assert tried.tried([(0, 0)], ALL)[0].usd.tolist() == pytest.approx([np.nan] * 12, nan_ok=True)


def test_calls_that_end_leave_the_best_so_far(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """The search stops where the calls do, and more calls go on from there; too few for the singles are refused."""
    said: list[str] = []
    with trials(speaker, sums, tmp_path, most=20) as tried:
        found = optimise(tried, Plan(), stage=said.append)
    with trials(speaker, sums, tmp_path, most=60) as tried:
        more = optimise(tried, Plan())
    with trials(speaker, sums, tmp_path / "new", most=3) as tried, pytest.raises(BudgetError):
        optimise(tried, Plan())

    assert said[-2:] == ["held out", said[-1]] and "left out: the calls allowed are made: found 20" in said[-1]
    assert found.search.ended == "budget" and found.chosen.held_out is None and found.gain is None
    assert more.chosen.allocation == (0, 1) and more.chosen.held_out


def test_the_diagnoser_is_asked_about_wrong_answers_only(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """It blames the adder: 1 where the answer is wrong, 0 where it is right, and right answers cost no call."""
    with trials(speaker, sums, tmp_path, diagnoser="doctor") as tried:
        wrong, right = (tried.blames([allocation], 1, ALL) for allocation in ((0, 0), (0, 1)))
        reader = tried.blames([(0, 0)], 0, ALL)
        found = optimise(tried, Plan(alpha=0.5))

    assert wrong.tolist() == [[1.0] * 12] and right.tolist() == [[0.0] * 12] and reader.tolist() == [[0.0] * 12]
    assert found.chosen.allocation == (0, 1)


def test_alpha_wants_a_diagnoser(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """A weight for what nobody says is refused."""
    with trials(speaker, sums, tmp_path) as tried, pytest.raises(ConfigError, match="--diagnoser MODEL"):
        optimise(tried, Plan(alpha=0.5))


def test_what_cannot_be_tried_is_refused(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """A program without modules, a judge's questions, and questions without gold before a diagnoser, are named."""
    judged = LabelledQuestion(id="j", task="t", messages=(Message("user", "Why?"),), metric="judge")
    regex = LabelledQuestion(id="r", task="t", messages=(Message("user", "Why?"),), metric="regex")
    with CallsFile(tmp_path / "calls.db") as file:
        asker = Asker({}, file)
        with pytest.raises(ConfigError, match="one or more different names"):
            Trials(Program("none", (), lambda question, call: ""), (), sums, asker)
        with pytest.raises(QuestionFileError, match="1 questions are graded by a judge, 'j' first"):
            Trials(adding, (), [*sums, judged], asker)
        with pytest.raises(QuestionFileError, match="no gold, 'r' first"):
            Trials(adding, (), [*sums, regex], asker, diagnoser="doctor")


def test_too_many_allocations_are_not_all_tried(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """Nobody waits for a million of them."""
    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(PROGRAMS["debate"], tuple("abcdefghij"), sums, Asker({}, file))
        with pytest.raises(ConfigError, match="1000000 allocations"):
            optimise(tried, Plan(exhaustive=True))


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("train", [0.01, 0.5, 0.99, 1.0])
def test_the_parts_are_disjoint_and_whole(count: int, train: float) -> None:
    """Every question is in one part, one in each part at least where there are two, and the seed decides which."""
    training, held_out = split(count, train, seed=3)

    assert sorted((*training, *held_out)) == list(range(count)) and training
    assert bool(held_out) == (train < 1 and count > 1)
    assert (training, held_out) == split(count, train, seed=3)


def test_no_questions_choose_nothing() -> None:
    """An empty file is refused."""
    with pytest.raises(QuestionFileError, match="found no question"):
        split(0, 0.5, 0)


def test_a_record_brings_its_allocation_back(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """What was written is read again for its own program, and refused for another, or where it is no record."""
    path, broken = tmp_path / "found.json", tmp_path / "broken.json"
    with trials(speaker, sums, tmp_path) as tried:
        found = optimise(tried, Plan())
        write_record(path, record_of(found, Plan(), tried, program="adding", questions="0" * 64))
        wanted = named(tried, found.chosen.allocation)
    broken.write_text('{"schema_version": 2, "allocation": {}}', encoding="utf-8")

    assert read_allocation(path, adding) == wanted == {"reader": "reads", "adder": "adds"}
    with pytest.raises(ConfigError, match="is for another program"):
        read_allocation(path, PROGRAMS["debate"])
    with pytest.raises(ConfigError, match="found schema 2"):
        read_allocation(broken, adding)
    with pytest.raises(ConfigError, match="wanted JSON"):
        read_allocation(tmp_path / "none.json", adding)


def test_a_handful_of_questions_shows_no_difference(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """Four of four questions won may be chance, whatever the bootstrap says: it sees nothing but wins."""
    with trials(speaker, sums[:8], tmp_path) as tried:
        gain = optimise(tried, Plan()).gain

    assert gain and gain.low == 1.0 and gain.p_value == pytest.approx(0.125)
    assert not gain.shown


@pytest.mark.parametrize("says", ["raise", "exit", "wrong call"])
def test_what_a_program_raises_is_said_with_its_question(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path, says: str
) -> None:
    """One line with program, question, what was raised, and where."""

    def run(question: str, call: Call) -> str:
        if says == "raise":
            raise ValueError("no\nnumber")
        return sys.exit(2) if says == "exit" else call("one")  # type: ignore[call-arg]

    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(Program("own", ("one",), run), ("adds",), sums, Asker({"adds": speaker("adds", adds)}, file))
        with pytest.raises(ConfigError) as caught:
            tried.tried([(0,)], ALL)

    line = run.__code__.co_firstlineno + (2 if says == "raise" else 3)
    what = {"raise": "ValueError: no number", "exit": "SystemExit: 2", "wrong call": "argument: 'prompt'"}[says]
    assert str(caught.value).startswith("the program 'own' failed on question 'sum-0': found ")
    assert f"{what} at {__file__}:{line}, wanted" in str(caught.value)


def test_what_we_refuse_of_a_program_keeps_its_words(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """A call of a module that is not named is no fault of a line, and is told as it is."""
    wrong = Program("wrong", ("one",), lambda question, call: call("two", question))
    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(wrong, ("adds",), sums, Asker({"adds": speaker("adds", adds)}, file))
        with pytest.raises(ConfigError, match=r"^the program 'wrong' calls 'two'"):
            tried.tried([(0,)], ALL)


def test_what_a_mix_is_worth_is_told_beside_its_quality(
    speaker: Any, sums: list[LabelledQuestion], tmp_path: Path
) -> None:
    """A call of a cent, where a right answer is worth two, takes half of the gain; without a value nothing is told."""
    plan = Plan(value_usd=0.02)
    with trials(speaker, sums, tmp_path) as tried:
        found, plain = optimise(tried, plan), optimise(tried, Plan())
        record = record_of(found, plan, tried, program="adding", questions="0" * 64)

    assert found.gain and found.worth_gain and found.chosen.allocation == (0, 1)
    assert (found.gain.value, found.worth_gain.value) == (1.0, pytest.approx(0.5))
    assert record["worth_gain"]["value"] == record["held_out"]["worth"] == pytest.approx(0.5)
    assert plain.worth_gain is None and "worth" not in plain.chosen.training.as_json()


def test_of_equal_answers_the_cheaper_are_kept(speaker: Any, sums: list[LabelledQuestion], tmp_path: Path) -> None:
    """Two models that say the same: the one that is named first, unless answers have a value and it costs more."""
    say = Program("say", ("one",), lambda question, call: call("one", question))
    members = {name: speaker(name, lambda prompt: "1", usd=usd) for name, usd in (("dear", 0.01), ("cheap", 0.001))}
    with CallsFile(tmp_path / "calls.db") as file:
        tried = Trials(say, ("dear", "cheap"), sums, Asker(members, file))
        plain, valued = (optimise(tried, Plan(value_usd=value)).chosen.allocation for value in (None, 1.0))

    assert (plain, valued) == ((0,), (1,))


def test_the_chance_of_a_gain_is_the_sign_test_where_answers_are_right_or_wrong() -> None:
    """Exactly so where all signs are tried, nearly where they are drawn; and a few great gains outweigh small costs."""
    random = np.random.default_rng(0)
    for count in (1, 5, 12, 30):
        differences = random.choice([-1.0, 1.0, 1.0], count)
        fewer = int(min((differences < 0).sum(), (differences > 0).sum()))
        wanted = min(1.0, 2 * p_value(fewer, count, 0.5))
        assert chance(differences) == pytest.approx(wanted, abs=1e-12 if count <= 12 else 0.03)
    assert chance(np.array([1.0] * 6 + [0.0] * 20)) == 2 * 0.5**6
    assert chance(np.array([1.0] * 10 + [-0.01] * 40)) < 0.01
