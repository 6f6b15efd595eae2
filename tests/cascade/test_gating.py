"""Gates at work stop what they stopped when they were fitted, at the same place."""

import math
from dataclasses import replace
from statistics import median_low

import numpy as np
import pytest

from edgecascade.calibrate import gates as fitting
from edgecascade.calibrate.table import Table, table_of
from edgecascade.cascade.gating import Gate, GateWatch, Usual, gates_of
from edgecascade.errors import AttemptsError
from edgecascade.heads import Inputs, LinearHead
from edgecascade.labelled import Grade
from edgecascade.records import Draft, GateOutcome, HiddenStates, Timings, Token, Usage
from edgecascade.signals import PREFILL, RUNNING, signals
from edgecascade.store.attempts import Attempt, Attempts, Header
from edgecascade.store.fitted_files import read_fitted
from edgecascade.store.paths import shipped
from edgecascade.testing import TINY_IDENTITY

WIDTH = 4
NOTHING = Usual()


def token(random: np.random.Generator, seconds: float = 0.01) -> Token:
    """A token that somebody might have written."""
    first, second, third, fourth = np.abs(random.normal(size=4)).tolist()
    return Token(1, " word", -first, -first, second, third, math.exp(-0.1 * first), 20 + fourth, seconds)


def tokens(count: int, *, seed: int = 0, seconds: float = 0.01) -> list[Token]:
    """So many of them."""
    random = np.random.default_rng(seed)
    return [token(random, seconds) for _ in range(count)]


def gate(at: int, *, stop_below: float = 0.0, hidden: bool = False, seed: int = 0) -> Gate:
    """A gate with drawn weights."""
    names = PREFILL if at == 1 else tuple(RUNNING)
    inputs = Inputs(names, ("prompt",), WIDTH) if hidden else Inputs(names)
    return Gate(at, LinearHead(inputs, np.random.default_rng(seed).normal(size=len(inputs)), 0.1), stop_below)


def looked(watch: GateWatch, written: list[Token]) -> dict[int, GateOutcome]:
    """What a watch says while an answer is written, by the number of tokens written then."""
    looks = {count: watch.look(written[:count]) for count in range(1, len(written) + 1)}
    return {count: outcome for count, outcome in looks.items() if outcome}


def replayed(gate: Gate, row: Attempt) -> dict[int, GateOutcome]:
    """What a gate would have said of a recorded answer."""
    watch, hidden = GateWatch([gate], NOTHING), row.draft.hidden
    watch.read(row.draft.usage.prompt_tokens, hidden.prompt if hidden else None)
    return looked(watch, list(row.draft.tokens))


def table(count: int = 120) -> Table:
    """Recorded answers of 3 to 60 tokens."""
    random = np.random.default_rng(1)
    rows = []
    for number in range(count):
        written = tuple(token(random) for _ in range(random.integers(3, 60)))
        states = HiddenStates(*random.normal(size=(2, WIDTH)).astype(np.float32))
        draft = Draft("word", written, "end", Usage(20 + number % 7, len(written)), Timings(0, 0, 0, 0, 1), states)
        grade = Grade(float(random.integers(2)))
        rows.append(
            Attempt(f"q{number}", "task", "normalised", draft, signals(draft), grade, cloud=1.0, agrees=grade.score)
        )
    header = Header(
        identity=TINY_IDENTITY,
        questions="d" * 64,
        system=None,
        cloud="big",
        shard="1/1",
        created="2026-11-21",
        width=WIDTH,
        fingerprint=((5, -0.25),),
    )
    return table_of(Attempts(header, tuple(rows)), "regret")


@pytest.mark.parametrize(("at", "hidden"), [(1, False), (1, True), (8, False), (16, False), (32, True)])
def test_it_stops_what_it_stopped_when_it_was_fitted(at: int, hidden: bool) -> None:
    """The same answers, from the same logits, bit by bit: the limit is one of them."""
    recorded, free = table(), gate(at, stop_below=-math.inf, hidden=hidden, seed=at)
    values = [outcome.value for row in recorded.attempts for outcome in replayed(free, row).values()]
    here = replace(free, stop_below=median_low(values))
    there = fitting.Gate(at, here.head, here.stop_below).stops(recorded)
    stopped = [any(not outcome.passed for outcome in replayed(here, row).values()) for row in recorded.attempts]

    assert stopped == there.tolist()
    assert 0 < sum(stopped) < len(values)


def test_each_gate_looks_once_behind_its_place() -> None:
    """When one more token has come, and never before or again."""
    watch = GateWatch([gate(1), gate(8), gate(16)], NOTHING)
    looks = looked(watch, tokens(40))

    assert list(looks) == [2, 9, 17]
    assert [(outcome.gate, outcome.at) for outcome in looks.values()] == [("G0", 1), ("G1", 8), ("G1", 16)]


@pytest.mark.parametrize("length", [1, 8])
def test_an_answer_that_ends_before_is_left_alone(length: int) -> None:
    """Of exactly as many tokens as the gate looks at, too."""
    assert looked(GateWatch([gate(8)], NOTHING), tokens(length)) == {}


def test_it_sees_the_first_tokens_only() -> None:
    """Whatever comes behind its place says nothing."""
    one, other = tokens(8) + tokens(1, seed=1), tokens(8) + tokens(1, seed=2)

    assert GateWatch([gate(8)], NOTHING).look(one) == GateWatch([gate(8)], NOTHING).look(other)


def test_pieces_whose_probabilities_are_unknown_do_not_count() -> None:
    """A draft does not hold them either."""
    written = tokens(9)
    among = [Token.untold("", 0.0), *written[:4], Token.untold("", 0.0), *written[4:]]
    one, other = (looked(GateWatch([gate(8)], NOTHING), said) for said in (written, among))

    assert (list(one), list(other)) == ([9], [11])
    assert one[9].value == other[11].value


def test_the_limit_itself_passes() -> None:
    """It stops below, as when it was fitted."""
    value = looked(GateWatch([gate(8)], NOTHING), tokens(9))[9].value
    at, above = (
        looked(GateWatch([gate(8, stop_below=limit)], NOTHING), tokens(9))[9]
        for limit in (value, math.nextafter(value, math.inf))
    )

    assert (at.passed, above.passed) == (True, False)
    assert at.value == at.limit == value


def test_a_gate_on_states_asks_for_them() -> None:
    """It says so beforehand, is moved by them, and refuses to guess."""
    blind, seeing = GateWatch([gate(1)], NOTHING), [GateWatch([gate(1, hidden=True)], NOTHING) for _ in range(3)]
    seeing[0].read(9, np.zeros(WIDTH, np.float32))
    seeing[1].read(9, np.ones(WIDTH, np.float32))
    values = [looked(watch, tokens(2))[2].value for watch in seeing[:2]]

    assert GateWatch([gate(1, hidden=True)], NOTHING).wants_hidden and not blind.wants_hidden
    assert values[0] != values[1]
    with pytest.raises(AttemptsError, match="hidden=True"):
        seeing[2].look(tokens(2))


def test_what_a_stop_saves_is_what_is_usually_still_to_come() -> None:
    """Tokens, their seconds at this answer's pace, and joules where the power is known; nothing where it passes."""
    usual = Usual(tokens=40.0, watts=5.0)
    written = [*tokens(1, seconds=3.0), *tokens(8, seconds=0.1)]
    stopped = looked(GateWatch([gate(8, stop_below=math.inf)], usual), written)[9]
    passed = looked(GateWatch([gate(8, stop_below=-math.inf)], usual), written)[9]

    assert (stopped.tokens_saved, stopped.seconds_saved, stopped.joules_saved) == pytest.approx((32.0, 3.2, 16.0))
    assert (passed.tokens_saved, passed.seconds_saved, passed.joules_saved) == (0.0, 0.0, None)


@pytest.mark.parametrize(
    ("usual", "saved"), [(Usual(), (0.0, None)), (Usual(5.0, 1.0), (0.0, 0.0)), (Usual(20.0), (12.0, None))]
)
def test_what_is_not_known_is_not_claimed(usual: Usual, saved: tuple[float, float | None]) -> None:
    """No earlier answer, or shorter ones, save nothing; unknown power saves unknown joules."""
    tokens_saved, _, joules = usual.saved(at=8, left=None, seconds_a_token=0.1)

    assert (tokens_saved, joules) == saved


def test_a_gate_knows_what_its_answers_had_left() -> None:
    """What was measured at calibration goes before the length of answers that nobody stopped."""
    assert Usual(tokens=10.0).saved(at=8, left=50.0, seconds_a_token=0.1)[:2] == pytest.approx((50.0, 5.0))
    shipped_gates = gates_of(read_fitted(shipped("calibration/fitted") / "smollm2-135m.json"))
    assert all(found.left and found.left > 10 for found in shipped_gates)


def test_the_gates_of_a_shipped_file_work() -> None:
    """Every one of them, the earliest first, on any answer."""
    gates = gates_of(read_fitted(shipped("calibration/fitted") / "smollm2-135m.json"))
    watch = GateWatch(gates, NOTHING)
    watch.read(30, np.zeros(max(gate.head.inputs.width for gate in gates), np.float32))
    looks = looked(watch, tokens(200))

    assert [outcome.at for outcome in looks.values()] == [gate.at for gate in gates] == sorted(g.at for g in gates)
    assert all(math.isfinite(outcome.value) for outcome in looks.values())
