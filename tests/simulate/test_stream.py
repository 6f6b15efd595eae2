"""A stream of questions: who waits, who is late, and who learns."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.policies.mixllm import Weights, fit
from edgecascade.policies.pooled import Training
from edgecascade.pool import Array, Feedback, Mask, Seen, Table
from edgecascade.simulate.stream import Streamed, stream


@dataclass(frozen=True, slots=True)
class Always:
    """Runs the same models for every question, ``steps`` one after the other."""

    steps: tuple[int, ...]
    models: tuple[str, ...] = ("m0", "m1")

    def next(self, seen: Seen) -> Mask:
        """The next step."""
        asked = np.zeros(seen.ran.shape, bool)
        for row, done in enumerate(seen.ran.sum(axis=1)):
            asked[row, list(self.steps[done : done + 1])] = True
        return asked

    def answer(self, seen: Seen) -> Array:
        """The last one's answer."""
        return np.asarray(seen.ran * (np.arange(len(self.models)) == self.steps[-1]), np.float64)

    worth = answer


@dataclass(frozen=True, slots=True)
class Learner:
    """Runs the first model until it has been told of an answer, then the second."""

    models: tuple[str, ...] = ("m0", "m1")
    told: tuple[Feedback, ...] = ()

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> Always:
        """What it runs now."""
        return Always((int(bool(self.told)),))

    def learn(self, feedback: Feedback) -> Self:
        """Remember it."""
        return replace(self, told=(*self.told, feedback))

    def as_json(self) -> dict[str, Any]:
        """Nothing is saved."""
        return {}


def table(n: int = 200) -> Table:
    """Questions of which the first model answers one half right, and the second all but a few."""
    random = np.random.default_rng(0)
    return Table.of((random.random((n, 2)) < [0.5, 0.9]).astype(float), [1.0, 3.0])


def run(policy: Any, on: Table, **known: Any) -> Streamed:
    """The stream of a table without features."""
    n = len(on)
    given: dict[str, Any] = {"seconds": [1.0, 2.0], "deadline": 5.0, "concurrency": 1000} | known
    return stream(policy, on, np.zeros((n, 1)), np.full((n, 2), np.nan), **given)


def test_without_load_nobody_waits() -> None:
    """Where there is room for all, each answer takes its model's seconds, and its worth and cost are the table's."""
    found = run(Always((1,)), table())

    assert (found.wait, found.late, found.cost) == (0.0, 0.0, 3.0)
    assert found.seconds == pytest.approx(2.0)
    assert found.quality == pytest.approx(table().quality[:, 1].mean())
    assert found.calls.tolist() == [0.0, 1.0]
    assert found.curve.shape == (2,)
    assert found.curve.mean() == pytest.approx(found.quality)


def test_the_queue_is_first_come_first_served() -> None:
    """Waits and late answers are those of the queue worked out by hand, question after question."""
    found = run(Always((1,)), table(60), per_window=20, concurrency=3, deadline=7.0)
    free, waits, late = [0.0] * 3, [], []
    for question in range(60):
        now = question * 0.5
        place = int(np.argmin(free))
        waits.append(max(free[place] - now, 0.0))
        free[place] = now + waits[-1] + 2.0
        late.append(waits[-1] + 2.0 > 7.0)

    assert found.wait == pytest.approx(np.mean(waits))
    assert found.late == pytest.approx(np.mean(late))
    assert 0 < found.late < 1


def test_late_answers_count_nothing() -> None:
    """With a deadline below the time that an answer takes, everything is worth 0, and is paid for all the same."""
    found = run(Always((1,)), table(), deadline=1.9)

    assert (found.quality, found.late, found.cost) == (0.0, 1.0, 3.0)


def test_models_one_after_the_other_add_up() -> None:
    """A cascade takes the time and the money of both, and its last answer is given."""
    found = run(Always((0, 1)), table())

    assert found.seconds == pytest.approx(3.0)
    assert found.cost == 4.0
    assert found.calls.tolist() == [1.0, 1.0]
    assert found.quality == pytest.approx(table().quality[:, 1].mean())


def test_an_overloaded_model_is_left_by_the_penalty() -> None:
    """MixLLM with its penalty turns to the other model while the better one's queue is long; without, it goes late."""
    random = np.random.default_rng(1)
    training = Training(table(300), random.normal(size=(300, 1)), None, None)  # type: ignore[arg-type]
    fitted = fit(training)
    known = {"seconds": [1.0, 4.0], "concurrency": [40, 10], "deadline": 10.0}
    free = run(replace(fitted, weights=Weights(beta=0.0)).at(None), table(1000), **known)
    mindful = run(fitted.at(None), table(1000), **known)

    assert mindful.calls[0] > free.calls[0]
    assert mindful.late < free.late / 2
    assert mindful.quality > free.quality + 0.1


def test_a_policy_learns_from_the_answers_that_have_come() -> None:
    """It is told at the end of a window, and decides by it from then on: not before the first answers are there."""
    found = run(Learner(), table(300), learn="graded")

    assert found.calls.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert run(Learner(), table(300), learn="none").calls.tolist() == [1.0, 0.0]
    with pytest.raises(PolicyError, match="does not learn"):
        run(Always((0,)), table(), learn="liked")


def test_the_same_seed_gives_the_same_stream() -> None:
    """The order of the questions depends on the seed alone, and nothing that was given is changed."""
    on, features, after = table(), np.zeros((200, 1)), np.full((200, 2), np.nan)
    for array in (on.quality, on.cost, features, after):
        array.flags.writeable = False
    first, again, other = (
        stream(
            Always((1,)),
            on,
            features,
            after,
            seconds=[1.0, 2.0],
            deadline=3.0,
            per_window=20,
            concurrency=99,
            seed=seed,
        )
        for seed in (3, 3, 4)
    )

    assert np.array_equal(first.curve, again.curve)
    assert not np.array_equal(first.curve, other.curve)
