"""Evaluations: what is always there, what the seed decides, and what is said of it."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from edgecascade.errors import ConfigError, PolicyError
from edgecascade.evaluate.comparing import Gain
from edgecascade.evaluate.evaluating import ALWAYS, ORACLE, evaluate, label
from edgecascade.evaluate.results import Evaluation, Result
from edgecascade.evaluate.streaming import Arrivals
from edgecascade.evaluate.trials import known
from edgecascade.policies.pooled import FITS
from edgecascade.pool import Queries, Table

Make = Callable[..., tuple[Table, Queries]]


def evaluated(pool: Make, *names: str, n: int = 80, **options: object) -> Evaluation:
    """Evaluate policies on the pool, by a clock that counts."""
    table, queries = pool(n)
    ticks = itertools.count()
    usual = {"count": 2, "train": 0.5, "clock": lambda: float(next(ticks))}
    return evaluate(table, queries, names, source="pool", **(usual | options))  # type: ignore[arg-type]


def baseline(found: Evaluation, name: str) -> Result:
    """Return one of the baselines."""
    return next(one for one in found.baselines if one.name == name)


def test_the_baselines_are_always_there(pool: Make) -> None:
    """Each single model, the oracle, and the plain policies; one that this table does not allow says why."""
    found = evaluated(pool, "constant")
    without = baseline(found, "margin")

    assert [one.name for one in found.baselines] == ["small", "middle", "large", ORACLE, *ALWAYS]
    assert without.quality is None and without.reason and "margin" in without.reason
    assert baseline(found, "small").calls == {"small": 1, "middle": 0, "large": 0}
    assert (found.n_train, found.n_test, found.splits, found.features) == (40, 40, 2, "text")


def test_figures_stand_in_the_order_that_theory_wants(pool: Make) -> None:
    """The oracle is above all that ask one model, a quality in its interval, that between 0 and 1.

    The budget is what the best single model costs.
    """
    found = evaluated(pool, "random", "knn", "constant")
    best = baseline(found, ORACLE)

    for one in (one for one in found.policies if one.curve):
        assert one.interval is not None and 0 <= one.interval[0] <= one.quality <= one.interval[1] <= 1
        assert best.auc is not None and one.auc is not None and one.auc <= best.auc + 1e-9
    assert found.budget == pytest.approx(10.0)
    assert best.quality == pytest.approx(pool()[0].quality.max(1).mean(), abs=0.06)


def test_the_seed_decides_all_but_the_seconds(pool: Make) -> None:
    """The same seed, the same record; another, other splits."""
    one, again, other = (evaluated(pool, "knn", "random", seed=seed, sweep=True) for seed in (1, 1, 2))

    assert json.dumps(one.as_json()) == json.dumps(again.as_json()) != json.dumps(other.as_json())


def test_json_has_every_key(pool: Make) -> None:
    """Of each policy and baseline; curves only in a sweep."""
    found = evaluated(pool, "random")
    record, swept = found.as_json(), replace(found, sweep=True).as_json()
    wanted = {"quality", "cost", "calls", "fit_seconds", "decide_microseconds", "auc", "interval", "against"}

    for one in (*record["policies"].values(), *record["baselines"].values()):
        assert wanted <= set(one) and "curve" not in one
    assert {"n_train", "n_test", "unit", "features", "splits", "seed", "budget", "notices"} <= set(record)
    assert record["policies"]["random"]["beats_constant"] is False
    assert set(record["policies"]["random"]["auc_against"]) == {"random_mix", "threshold"}
    assert len(swept["policies"]["random"]["curve"]) == 17


def test_a_budget_is_kept_and_one_split_is_drawn_again(pool: Make) -> None:
    """The random mix of models of constant cost spends what it may; with one split the interval is there too."""
    found = evaluated(pool, "random", n=400, budget=3.0, count=1)
    (one,) = found.policies

    assert found.budget == 3.0 and one.cost == pytest.approx(3.0, rel=0.2)
    assert not any("collapsed" in said for said in evaluated(pool, "knn", budget=3.0, count=1).notices)
    assert one.interval is not None and one.interval[0] < one.quality < one.interval[1]
    assert one.against["random_mix"].verdict == "neither"


def test_what_must_be_said_is_said(pool: Make) -> None:
    """A budget below the cheapest model, models that all cost the same, a policy that asks one model alone."""
    table, queries = pool(80, cost=None)
    table = replace(table, quality=np.stack([np.ones(80), np.zeros(80), np.zeros(80)], axis=1))
    found = evaluate(table, queries, ("knn",), source="pool", clock=lambda: 0.0, count=2, train=0.5, budget=0.5)
    said = " ".join(found.notices)

    assert "knn collapsed to small" in said and "below the cheapest" in said and "costs the same" in said
    assert found.as_json()["unit"] == "calls"


def test_what_is_true_of_many_is_said_once(pool: Make) -> None:
    """Who collapsed to one model, or costs more than it may; not what the budget or a single model brings with it."""
    good = np.tile([1.0, 0.0, 0.0], (80, 1))
    table, queries = pool(80)
    options = {"source": "pool", "clock": lambda: 0.0, "count": 1}
    both, one = (
        " ".join(evaluate(made, queries, ("knn", "routing"), budget=0.5, **options).notices)  # type: ignore[arg-type]
        for made in (replace(table, quality=good), replace(table, quality=good).only(["small"]))
    )

    assert "knn, routing collapsed to small" in both and "more than" not in both.replace("or more", "")
    assert "one split leaves out" in both and "2 policies, each with an interval of its own" in both
    assert "collapsed" not in one


def test_a_policy_that_spends_more_than_it_may_is_named(pool: Make) -> None:
    """Where the played questions are dearer than those of the training; not where all is within the budget."""
    dear = np.random.default_rng(5).lognormal(sigma=2.0, size=(80, 3)) * (0.01, 0.1, 1.0)
    table, queries = pool(80, cost=dear)
    said = {}
    for budget in (None, 99.0):
        found = evaluate(table, queries, ("random",), source="", clock=lambda: 0.0, count=1, seed=0, budget=budget)
        said[budget] = found.policies[0].cost > 1.05 * found.budget, "that it may cost: random" in str(found.notices)

    assert said == {None: (True, True), 99.0: (False, False)}


def test_seconds_are_told_where_they_are_recorded(pool: Make) -> None:
    """By rounds and in turn, of a single model what it takes; and the questions come as a stream, if that is wanted."""
    table, queries = pool(80)
    options = {"source": "", "clock": lambda: 0.0, "count": 2, "arrivals": Arrivals(deadline=1.0, per_window=1)}
    timed = replace(table, seconds=np.broadcast_to([0.5, 0.75, 2.0], (80, 3)))
    found = evaluate(timed, queries, ("constant",), **options)  # type: ignore[arg-type]
    record = found.as_json()

    assert record["stream"] == {"deadline": 1.0, "per_window": 1, "at_once": 10}
    assert record["baselines"]["middle"]["seconds"] == {"parallel": 0.75, "sequence": 0.75}
    assert record["policies"]["constant"]["stream"]["worth"] == 0 < record["policies"]["constant"]["quality"]
    assert record["policies"]["constant"]["stream"]["seconds"] == pytest.approx(2.0)
    assert "stream" not in record["baselines"]["knn"] and evaluated(pool, "constant").policies[0].seconds is None
    with pytest.raises(PolicyError, match="found no seconds in at least one row of small, middle, large"):
        evaluate(table, queries, ("constant",), **options)  # type: ignore[arg-type]


def test_what_smart_promises_is_said(pool: Make) -> None:
    """And why cascade routing is no cascade, where no answer shows how sure its model was."""
    table, queries = pool(80)
    answers = tuple(tuple((f"{one:.0f}",) for one in row) for row in table.quality)
    found = evaluate(replace(table, answers=answers), queries, ("smart",), source="", clock=lambda: 0.0, count=1)
    routed = evaluated(pool, "cascade_routing", count=1)

    assert found.policies[0].promised is not None and 0.5 < found.policies[0].promised <= 1
    assert f"at least {found.policies[0].promised:.1%} of its answers are" in str(found.notices)
    assert "cascade_routing only routes here" in str(routed.notices)


def test_the_winner_gained_most(pool: Make) -> None:
    """Over all budgets, or at the one that was stated."""
    found = evaluated(pool, "random", "constant")
    low, high = Gain(0.1, 0.0, 0.2), Gain(0.3, 0.2, 0.4)
    one, other = (replace(each, areas={"random_mix": low}, against={"random_mix": high}) for each in found.policies)
    mixed = replace(found, policies=(one, replace(other, areas={"random_mix": high}, against={"random_mix": low})))

    assert mixed.winner()[0].name == "constant" and "over all budgets" in mixed.winner()[1]
    assert replace(mixed, budget_stated=True).winner()[0].name == "random"
    assert (
        "the mean over the splits" in mixed.sentence()
        and "best single" not in replace(mixed, budget_stated=True).sentence()
    )


def test_a_policy_that_cannot_run_does_not_stop_the_others(pool: Make) -> None:
    """It is listed with its reason; where none can run there is an error."""
    found = evaluated(pool, "margin", "random")

    assert [one.reason is None for one in found.policies] == [False, True]
    assert "margin is not available" in found.policies[0].sentence()
    with pytest.raises(PolicyError, match=r"none of the policies.*margin: "):
        evaluated(pool, "margin")


def test_progress_is_told_to_the_end(pool: Make) -> None:
    """Which split, which policy; the last says all."""
    told: list[tuple[int, int, str]] = []
    evaluated(pool, "random", tell=lambda done, total, what: told.append((done, total, what)))

    assert [done for done, _, _ in told] == list(range(len(told))) and told[-1][0] == told[-1][1]
    assert (told[0][2], told[1][2]) == ("split 1 of 2, estimates", "split 1 of 2, threshold")


def test_names_are_known_or_refused() -> None:
    """With all that there are; a model of a policy's name is told from it."""
    assert known("all") == tuple(FITS) and known("random,random, knn") == ("random", "knn")
    assert label("knn") != "knn" and label("small") == "small"
    for wrong in ("", "randm", "random,all"):
        with pytest.raises(ConfigError, match=r"wanted one of constant, random"):
            known(wrong)


def test_a_fit_takes_one_thread(pool: Make) -> None:
    """Whatever the machine would give it; afterwards it may have what it had."""
    limits = set()
    before = [one["num_threads"] for one in threadpool_info()]

    def clock() -> float:
        """Note what is allowed whenever somebody looks at the time."""
        limits.update(one["num_threads"] for one in threadpool_info())
        return 0.0

    evaluated(pool, "random", n=20, count=1, clock=clock)

    assert limits == {1} and [one["num_threads"] for one in threadpool_info()] == before
