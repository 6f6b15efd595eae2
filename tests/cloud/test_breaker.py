"""The circuit breaker as a state machine; its clock is the test's."""

import random
import threading

import pytest

from edgecascade.cloud.breaker import FAILURES, Breaker


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def broken(clock: Clock) -> Breaker:
    """A breaker that has just opened for "h"."""
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.settle("h", "offline")
    return breaker


@pytest.mark.parametrize("outcome", sorted(FAILURES))
def test_five_failures_in_a_row_open_it(outcome: str) -> None:
    """Four do not, the fifth does; another host is not touched."""
    breaker, waits = Breaker(Clock()), []

    for _ in range(5):
        waits.append(breaker.wait("h"))
        breaker.settle("h", outcome)

    assert waits == [0.0] * 5 and breaker.wait("h") == 30 and breaker.wait("other") == 0


@pytest.mark.parametrize("outcome", ["ok", "key", "refused", "rate_limit", "protocol"])
def test_an_answer_of_any_kind_starts_the_count_anew(outcome: str) -> None:
    """A host that says 401, 400 or 429 is there."""
    breaker = Breaker(Clock())

    for said in ["server"] * 4 + [outcome] + ["server"] * 4:
        breaker.settle("h", said)

    assert breaker.wait("h") == 0


def test_one_probe_decides(broken: Breaker, clock: Clock) -> None:
    """After the pause one question goes through and the others wait; its success closes it for all."""
    clock.now += 30
    waits = [broken.wait("h"), broken.wait("h")]

    broken.settle("h", "ok")

    assert waits[0] == 0 < waits[1] and [broken.wait("h"), broken.wait("h")] == [0, 0]


def test_the_pause_grows(broken: Breaker, clock: Clock) -> None:
    """Each probe that fails doubles it, up to five minutes."""
    pauses = []

    for _ in range(6):
        pauses.append(broken.wait("h"))
        clock.now += pauses[-1]
        assert broken.wait("h") == 0
        broken.settle("h", "timeout")

    assert pauses == [30, 60, 120, 240, 300, 300]


def test_a_cancelled_probe_decides_nothing(broken: Breaker, clock: Clock) -> None:
    """The next question is the probe."""
    clock.now += 30
    broken.wait("h")

    broken.settle("h", "cancelled")

    assert broken.wait("h") == 0 and broken.wait("h") > 0


def test_who_comes_late_does_not_lengthen_the_pause(broken: Breaker) -> None:
    """Questions that were under way when it opened fail too, and add nothing."""
    broken.settle("h", "offline")

    assert broken.wait("h") == 30


def test_an_open_host_is_probed_by_one_at_a_time(broken: Breaker, clock: Clock) -> None:
    """Whatever happens in whichever order, a second question passes only after the first has settled."""
    draw, under_way = random.Random(1), 0

    for _ in range(2000):
        clock.now += draw.uniform(0, 60)
        under_way += broken.wait("h") == 0
        assert under_way <= 1
        if under_way and draw.random() < 0.5:
            broken.settle("h", draw.choice(["offline", "cancelled", "timeout"]))
            under_way = 0


def test_many_threads_find_one_probe(broken: Breaker, clock: Clock) -> None:
    """Of threads that ask at once one goes through."""
    clock.now += 30
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.append(broken.wait("h"))) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert waits.count(0.0) == 1
