"""Tests of the game on a table: what a policy is shown, and what is made of what it asks for."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from edgecascade.policies.playing import margins, play
from edgecascade.pool import Array, Evidence, Mask, Seen, Table

ANSWERS = ((("a",), ("b",), ("b",)), (("c",), ("c",), ("d",)))


def table() -> Table:
    """Two questions of three models, the first of which was watched."""
    evidence = {"m0": Evidence(("first_margin",), np.array([[1.5], [2.5]]))}
    return Table.of([[1.0, 0.0, 0.5], [0.0, 1.0, 0.2]], [[1.0, 2.0, 4.0]] * 2, answers=ANSWERS, evidence=evidence)


@dataclass
class Scripted:
    """Asks for the models of each round in turn, of every question that goes on, and weighs as it is told."""

    rounds: list[list[bool]]
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    models: tuple[str, ...] = ("m0", "m1", "m2")
    saw: list[Seen] = field(default_factory=list)

    def next(self, seen: Seen) -> Mask:
        """The next round."""
        self.saw.append(seen)
        return np.tile(self.rounds[min(len(self.saw), len(self.rounds)) - 1], (len(seen), 1))

    def answer(self, seen: Seen) -> Array:
        """The weights of what ran."""
        return np.where(seen.ran, self.weights, 0.0)

    def worth(self, seen: Seen) -> Array:
        """Nobody asks."""
        return np.zeros(seen.ran.shape)


def test_only_what_ran_is_shown() -> None:
    """Estimates, margins and answers of a model are there from the round after it ran, and none before."""
    policy = Scripted([[True, False, False], [False, True, False], [False] * 3])
    play(policy, table(), np.zeros((2, 1)), [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    first, second, third = policy.saw

    assert not first.ran.any()
    assert np.isnan(first.after).all()
    assert first.answers == (((), (), ()), ((), (), ()))
    np.testing.assert_array_equal(second.after, [[0.1, np.nan, np.nan], [0.4, np.nan, np.nan]])
    np.testing.assert_array_equal(second.margin[:, 0], [1.5, 2.5])
    assert third.answers == ((("a",), ("b",), ()), (("c",), ("c",), ()))


def test_every_run_is_paid_and_the_vote_decides() -> None:
    """Cost adds up over all that ran; the quality is that of the heaviest member of the group that won."""
    game = play(Scripted([[True] * 3], (0.4, 0.3, 0.35)), table(), np.zeros((2, 1)), np.full((2, 3), np.nan))

    assert game.answered.tolist() == [2, 0]
    assert game.quality.tolist() == [0.5, 0.0]
    assert game.cost.tolist() == [7.0, 7.0]
    assert game.steps == 1


def test_models_of_a_round_answer_at_once() -> None:
    """Rounds add up, of a round only the slowest counts; in turn all of them do; unknown where one is not recorded."""
    timed = replace(table(), seconds=np.array([[1.0, 2.0, 4.0], [8.0, 16.0, np.nan]]))
    rounds = [[True, True, False], [False, False, True], [False] * 3]
    game = play(Scripted(rounds), timed, np.zeros((2, 1)), np.full((2, 3), np.nan))

    np.testing.assert_array_equal(game.seconds, [2.0 + 4.0, np.nan])
    np.testing.assert_array_equal(game.in_turn, [7.0, np.nan])


def test_asking_again_ends_the_game() -> None:
    """A policy that asks for what has run already asks for nothing."""
    game = play(Scripted([[True, False, False]]), table(), np.zeros((2, 1)), np.full((2, 3), np.nan))

    assert game.steps == 1
    assert game.cost.tolist() == [1.0, 1.0]


def test_asking_nobody_answers_nothing() -> None:
    """Without a run there is no answer, of quality 0 and no cost."""
    game = play(Scripted([[False] * 3]), table(), np.zeros((2, 1)), np.full((2, 3), np.nan))

    assert game.answered.tolist() == [-1, -1]
    assert game.quality.tolist() == game.cost.tolist() == [0.0, 0.0]
    assert game.steps == 0


def test_a_closed_model_may_not_be_asked() -> None:
    """A policy that asks for one has a bug, and is stopped."""
    policy = Scripted([[True, False, False]])

    with pytest.raises(AssertionError, match="not open"):
        play(policy, table(), np.zeros((2, 1)), np.full((2, 3), np.nan), open=[False, True, True])


def test_a_policy_of_another_pool_is_refused() -> None:
    """Models in another order would be mixed up."""
    policy = Scripted([[True] * 3], models=("m1", "m0", "m2"))

    with pytest.raises(AssertionError, match="another order"):
        play(policy, table(), np.zeros((2, 1)), np.full((2, 3), np.nan))


def test_margins_are_of_those_that_tell_them() -> None:
    """Models without evidence, or without that signal, have none."""
    evidence = {
        "m1": Evidence(("mean_logprob",), np.array([[-0.1]])),
        "m2": Evidence(("first_margin",), np.array([[3.0]])),
    }
    found = margins(Table.of([[1.0, 1.0, 1.0]], evidence=evidence))

    np.testing.assert_array_equal(found, [[np.nan, np.nan, 3.0]])
