"""Cascade routing: decisions against brute force, budgets against what is run, and what must hold of any fit."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from edgecascade.errors import PolicyError
from edgecascade.policies.cascade_routing import (
    FITS,
    STRATEGIES,
    CascadeRouting,
    cascade_routing,
    fit_cascade_routing,
    of_json,
)
from edgecascade.policies.playing import play
from edgecascade.policies.pooled import Training
from edgecascade.policies.routing.corrections import Corrections
from edgecascade.policies.routing.expected_max import expected_max
from edgecascade.policies.routing.routed import read_cascade_routing
from edgecascade.policies.routing.supersets import Rules, Views, next_models
from edgecascade.pool import Array, Beliefs, Mask, Seen, Table

SD = 0.25


def questions(n: int, k: int, seed: int) -> tuple[Array, Array, Array, Array]:
    """Return quality, before, after and cost of n questions and k models, the dear ones better."""
    random = np.random.default_rng(seed)
    quality = (random.random((n, 1)) * 0.5 + random.random((n, k)) < np.linspace(0.6, 0.9, k)).astype(float)
    before = 0.5 + 0.3 * (quality - 0.5) + 0.15 * random.standard_normal((n, k))
    after = 0.5 + 0.7 * (quality - 0.5) + 0.1 * random.standard_normal((n, k))
    cost = np.linspace(1, 6, k) ** 1.5 * np.exp(0.2 * random.standard_normal((n, k)))
    return quality, before, after, cost


def fitted(n: int = 150, k: int = 3, seed: int = 0, **options: Any) -> CascadeRouting:
    """Return a fit on such questions."""
    quality, before, after, cost = questions(n, k, seed)
    return fit_cascade_routing(before, after, cost, sd_before=SD, quality=quality, **options)


def brute_force(means: Array, sds: Array, cost: Array, ran: set[int], price: float, strategy: str) -> int:
    """Return the next model by trying every set that may be run, by the literal definition; -1: stop."""
    k, best = len(means), (-np.inf, -1)
    by_cost = sorted(range(k), key=lambda model: (cost[model], model))
    for size in range(k + 1):
        for added in combinations([i for i in range(k) if i not in ran], size):
            chosen = sorted(ran | set(added))
            prefix = set(chosen) == set(by_cost[: len(chosen)])
            if not chosen or (strategy == "cascading" and not prefix):
                continue
            if strategy == "routing" and (len(chosen) > 1 or (ran and added)):
                continue
            value = float(expected_max(means[chosen], sds[chosen])) - price * cost[list(added)].sum()
            if value > best[0] + 1e-9:
                best = (value, min(added, key=lambda i: (cost[i], i)) if added else -1)
    return best[1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_decision_is_the_best_of_all_sets(strategy: Any) -> None:
    """On 70 seeded cases a strategy, the next model is the cheapest of the best set found by trying all."""
    random = np.random.default_rng(1)
    for _ in range(70):
        k = int(random.integers(1, 5))
        means, cost = random.random(k), np.sort(random.random(k))
        count = int(random.integers(0, k)) if strategy == "cascading" else int(random.integers(0, k + 1))
        ran = set(range(count)) if strategy == "cascading" else set(random.permutation(k)[:count].tolist())
        sds = np.where([i in ran for i in range(k)], 0.0, 0.3)
        price = float(random.choice([0.0, 0.1, 0.5, 3.0]))
        rules, code = Rules(strategy, k, tuple(range(k))), sum(1 << i for i in ran)
        found = next_models(Views(means[None], cost[None], sds[None]), code, np.array([price]), rules)[0]

        assert found == brute_force(means, sds, cost, ran, price, strategy)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_curve_is_what_running_each_price_gives(strategy: Any) -> None:
    """Between any two prices the swept means are those of playing the questions at that price."""
    quality, before, after, cost = questions(60, 4, 2)
    fit = fitted(60, 4, 2, strategy=strategy, per_step=False)
    curve = fit.prices.curve
    for place in np.linspace(0, len(curve.prices), 9).astype(int).tolist():
        runs = fit.at(price=curve.point(place).cheap).run(before, after, cost)
        got = runs.cost.mean(), runs.quality.mean(), quality[np.arange(60), runs.answer].mean()

        assert got == pytest.approx(tuple(curve.means[place]), abs=1e-9)


def test_routing_lies_on_the_hull_of_all_assignments() -> None:
    """Routing's believed quality at a budget is the best of any randomised assignment: the Lagrangian's minimum."""
    _, before, _, cost = questions(50, 3, 3)
    fit = fit_cascade_routing(before, before, cost, strategy="routing")
    prices = np.concatenate([[0.0], fit.prices.curve.prices])
    for budget in np.linspace(cost.min(1).mean() * 1.01, cost.mean(0).max(), 7):
        dual = min((before - price * cost).max(1).mean() + price * budget for price in prices)

        assert fit.at(float(budget)).setting.quality == pytest.approx(dual, abs=1e-9)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("known", [True, False])
def test_more_budget_never_lowers_believed_quality(strategy: Any, known: bool) -> None:
    """Over a sweep of budgets the fitted quality rises, the fitted cost stays within, and costs are met by mixing."""
    quality, before, after, cost = questions(120, 4, 4)
    fit = fit_cascade_routing(before, after, cost, sd_before=SD, quality=quality if known else None, strategy=strategy)
    budgets = np.linspace(cost.mean(0).min(), cost.sum(1).mean(), 30)
    settings = [fit.at(float(budget)).setting for budget in budgets]

    assert (np.diff([one.quality for one in settings]) >= -1e-9).all()
    assert all(one.cost <= budget * (1 + 1e-9) for one, budget in zip(settings, budgets, strict=True))


def test_equal_questions_are_mixed_to_the_budget() -> None:
    """Where every question looks the same, a share of them takes the dear side: the mean cost is the budget."""
    before, cost = np.tile([0.4, 0.8], (10, 1)), [1.0, 5.0]
    fit = fit_cascade_routing(before, before, cost, strategy="routing", budget=2.0)
    runs = fit.run(np.tile([0.4, 0.8], (4000, 1)), np.tile([0.4, 0.8], (4000, 1)), seed=1)

    assert fit.setting.cost == pytest.approx(2.0)
    assert runs.cost.mean() == pytest.approx(2.0, abs=0.1)
    assert runs.run.sum(1).max() == 1


def test_one_model_is_the_constant() -> None:
    """With one model every strategy runs it once and stops, at any price."""
    for strategy in STRATEGIES:
        runs = cascade_routing([[0.2], [0.9]], [[0.1], [1.0]], [3.0], 3.0, sd_before=0.5, strategy=strategy)

        assert runs.run.all()
        assert runs.answer.tolist() == [0, 0]


def test_nothing_to_pay_runs_whatever_can_help() -> None:
    """At a price of 0 all models run before an uncertain answer, and none that cannot be better than what is there."""
    fit = fitted()
    _, before, after, cost = questions(40, 3, 9)
    runs = fit.at(price=0.0).run(before, np.minimum(after, 0.9), cost)
    sure = fit.at(price=0.0).run(np.tile([0.9, 0.1, 0.1], (5, 1)), np.tile([9.0, 0.1, 0.1], (5, 1)), [1.0, 9.0, 10.0])

    assert runs.run.all()
    assert sure.run.sum() == 5


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_numbering_of_models_does_not_matter(strategy: Any) -> None:
    """Permuting the models permutes what is run and answered."""
    quality, before, after, cost = questions(80, 4, 5)
    turn = np.array([2, 0, 3, 1])
    plain = cascade_routing(before, after, cost, 5.0, sd_before=SD, quality=quality, strategy=strategy)
    turned = cascade_routing(
        before[:, turn], after[:, turn], cost[:, turn], 5.0, sd_before=SD, quality=quality[:, turn], strategy=strategy
    )

    assert (turned.run == plain.run[:, turn]).all()
    assert (turn[turned.answer] == plain.answer).all()


def test_estimates_by_set_say_the_same_as_pairs() -> None:
    """Estimates given for every set of models that have run, and diagonal covariances, give the same runs."""
    quality, before, after, cost = questions(60, 3, 6)
    ran = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(bool)
    by_set = np.where(ran, after[:, None], before[:, None])
    covariance = SD**2 * np.eye(3)
    plain = cascade_routing(before, after, cost, 4.0, sd_before=SD, quality=quality)
    other = cascade_routing(before, by_set, cost, 4.0, covariances=covariance, quality=quality)

    assert (other.run == plain.run).all()
    assert (other.answer == plain.answer).all()


def test_correlated_errors_make_a_second_model_worth_less() -> None:
    """Models that are wrong together are run together less often."""
    _, before, after, cost = questions(60, 3, 7)
    apart, together = (np.full((3, 3), share * SD**2) + (1 - share) * SD**2 * np.eye(3) for share in (0.0, 0.95))
    runs = [fit_cascade_routing(before, after, cost, covariances=one).at(price=0.02) for one in (apart, together)]
    counts = [one.run(before, after, cost).run.sum() for one in runs]

    assert counts[1] < counts[0]


@pytest.mark.parametrize("by_set", [False, True])
def test_estimates_on_another_scale_are_corrected_by_the_truth(by_set: bool) -> None:
    """Shifted, stretched and too sure ones, with the truth to fit on, serve new questions as well as true ones."""
    quality, before, after, cost = questions(1200, 3, 30)
    shift, ran = np.array([0.4, 0.0, -0.3]), (np.arange(8)[:, None] >> np.arange(3) & 1).astype(bool)
    got = []
    for believed, shown, sd in ((before, after, SD), (2 * before + shift, 3 * after - shift, 0.01)):
        given = np.where(ran, shown[:, None], believed[:, None]) if by_set else shown
        fit = fit_cascade_routing(believed[:400], given[:400], cost[:400], sd_before=sd, quality=quality[:400])
        runs = read_cascade_routing(fit.at(5.0).as_json()).run(believed[400:], given[400:], cost[400:])
        got.append((quality[np.arange(400, 1200), runs.answer].mean(), runs.cost.mean()))

    assert got[1][0] > got[0][0] - 0.005
    assert got[1][1] == pytest.approx(got[0][1], rel=0.1)


def test_true_estimates_are_left_alone() -> None:
    """Of 100 redraws of true estimates and true deviations few are changed, and none of fewer than 20 questions."""
    random, same, changed, shares = np.random.default_rng(31), Corrections.none(3), 0, []
    for _ in range(100):
        believed = random.random((150, 3))
        quality = believed + 0.3 * random.standard_normal((150, 3))
        found = Corrections.of(believed, quality, np.full(3, 0.3), quality)
        few = Corrections.of(believed[:19], quality[:19] + 9.0, np.ones(3), quality[:19])
        changed += int((found.before != same.before).any(0).sum())
        shares.append(found.sds.mean())

        assert (found.after == same.after).all()
        assert (few.after == same.after).all()
        assert (few.sds == same.sds).all()

    assert changed <= 9
    assert np.mean(shares) == pytest.approx(1.0, abs=0.1)


def test_expected_maxima_that_promise_too_much_shrink_the_deviations() -> None:
    """Where models err together the best looking answer is worth less than E[max]: all deviations fall alike."""
    random = np.random.default_rng(35)
    believed, together = random.random((150, 6)), 0.3 * random.standard_normal((150, 1))
    found = Corrections.of(believed, believed + together, np.full(6, 0.3), believed + together)

    assert (found.sds < 0.6).all()


def test_deviations_by_question_are_saved_as_one_of_each_model() -> None:
    """A policy fitted with them is read again, and takes their root mean square for questions that bring none."""
    _, before, after, cost = questions(60, 3, 33)
    sds = np.abs(np.random.default_rng(34).normal(0, SD, (60, 3)))
    read = read_cascade_routing(fit_cascade_routing(before, after, cost, sd_before=sds, budget=4.0).as_json())
    plain = read.run(before[:9], after[:9], cost[:9], sd_before=np.sqrt((sds**2).mean(0)))

    assert (read.run(before[:9], after[:9], cost[:9]).run == plain.run).all()


def test_unknown_deviations_are_those_between_before_and_after() -> None:
    """Without ``sd_before`` a fit takes how far what answers showed lies from what was expected."""
    _, before, after, cost = questions(80, 3, 32)
    told, untold = (cascade_routing(before, after, cost, 4.0, sd_before=sd) for sd in ((after - before).std(0), None))

    assert (told.run == untold.run).all()


def test_a_budget_is_kept_with_confidence_on_new_questions() -> None:
    """Fitted on 150 questions at 80 %, new ones keep it in at least 80 % of 40 redraws; on the mean, in fewer."""
    _, before, after, cost = questions(6000, 3, 8)
    kept = {None: 0, 0.8: 0}
    for seed in range(40):
        rows = np.random.default_rng(seed).permutation(6000)[:150]
        fit = fit_cascade_routing(before[rows], after[rows], cost[rows], sd_before=SD, per_step=False)
        for confidence in kept:
            runs = fit.at(5.0, confidence=confidence).run(before[:1500], after[:1500], cost[:1500], seed=seed)
            kept[confidence] += runs.cost.mean() <= 5.0

    assert kept[0.8] >= 32
    assert kept[None] < kept[0.8]


def test_a_budget_below_the_cheapest_model_is_not_feasible() -> None:
    """Every question then runs the cheapest model, and the fit says so."""
    _, before, after, cost = questions(60, 3, 0)
    for confidence in (None, 0.9):
        fit = fitted().at(0.1, confidence=confidence)

        assert not fit.feasible
        assert fit.run(before, after, np.sort(cost, 1)).run.sum(0).tolist() == [60, 0, 0]


def test_of_models_of_one_price_the_better_is_first() -> None:
    """Costs that differ in their last digits are one cost: the better model goes before the other."""
    quality, before, after, _ = questions(60, 3, 14)
    cost = np.array([0.1 + 0.2, 0.3, 0.1])
    fit = fit_cascade_routing(before, after, cost, quality=quality * [1.0, 0.5, 1.0], strategy="cascading")
    other = fit_cascade_routing(before, after, cost, quality=quality * [0.5, 1.0, 1.0], strategy="cascading")

    assert fit.rules.order == (2, 0, 1)
    assert other.rules.order == (2, 1, 0)


def test_a_fit_is_deterministic_and_leaves_its_input_alone() -> None:
    """Twice the same fit runs the same, and saved and read again too; arrays are as they were."""
    quality, before, after, cost = questions(120, 3, 11)
    copies = [part.copy() for part in (quality, before, after, cost)]
    fits = [fit_cascade_routing(before, after, cost, sd_before=SD, quality=quality, budget=4.0) for _ in range(2)]
    fits.append(read_cascade_routing(fits[0].as_json()))
    runs = [one.at(5.0, confidence=0.9).run(before, after, cost) for one in fits] + [fits[0].run(before, after, cost)]

    assert (runs[0].run == runs[1].run).all()
    assert (runs[0].run == runs[2].run).all()
    assert (fits[2].run(before, after, cost).run == runs[3].run).all()
    assert all((old == new).all() for old, new in zip(copies, (quality, before, after, cost), strict=True))


@pytest.mark.parametrize(
    "cost", [[0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [2.0, 2.0, 2.0], [1e-9, 2e-9, 1e-8], [1e5, 2e6, 1e7]]
)
def test_any_scale_of_cost_will_do(cost: list[float]) -> None:
    """Free models, equal ones and any unit: every question is answered, within a budget that can be kept."""
    quality, before, after, _ = questions(60, 3, 13)
    fit = fit_cascade_routing(before, after, cost, sd_before=SD, quality=quality)
    for budget in (0.0, min(cost), float(np.mean(cost)), sum(cost), None):
        chosen = fit.at(budget)

        assert chosen.run(before, after).run.any(1).all()
        assert chosen.feasible == (budget is None or budget >= min(cost))
        assert budget is None or not chosen.feasible or chosen.setting.cost <= budget * (1 + 1e-9)


def test_many_models_are_looked_at_by_promise() -> None:
    """Beyond eleven models a question looks at its most promising: the best and cheapest one still runs."""
    random = np.random.default_rng(12)
    before = random.random((8, 14)) * 0.5
    before[:, 5], cost = 0.9, np.linspace(1, 5, 14)
    runs = fit_cascade_routing(before, before, cost, sd_before=0.05).at(price=0.05).run(before, before, cost)

    assert runs.run[:, 5].all()
    assert (runs.answer == 5).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"before": [[0.5, np.nan]]}, "before: found NaN"),
        ({"after": [[0.5]] * 3}, "after: found shape"),
        ({"cost": [1.0, -1.0]}, "cost: found -1"),
        ({"sd_before": -0.1}, "sd_before: found -0.1"),
        ({"budget": float("nan")}, "budget of nan"),
        ({"budget": -1.0}, "budget of -1"),
        ({"confidence": 0.3, "budget": 1.0}, "confidence of 0.3"),
        ({"strategy": "cheapest"}, "wanted one of"),
        ({"depth": 0}, "depth of 0"),
        ({"covariances": np.ones((3, 3))}, "covariances: found shape"),
        ({"covariances": -np.eye(2)}, "eigenvalue"),
        ({"quality": [[0.5, 0.5]] * 2}, "quality: found shape"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change: dict[str, Any], message: str) -> None:
    """A wrong shape, number or name is told with what was wanted."""
    given: dict[str, Any] = {"before": [[0.5, 0.6]], "after": [[0.5, 0.6]], "cost": [1.0, 2.0]} | change
    with pytest.raises(PolicyError, match=message):
        fit_cascade_routing(given.pop("before"), given.pop("after"), given.pop("cost"), **given)


# As a policy of a pool


@dataclass(frozen=True)
class Told:
    """An estimator that is told its estimates as features: before and cost, side by side."""

    models: tuple[str, ...]
    covariances: Array

    def states(self, ran: Mask) -> Any:
        """Return the number of the set that has run."""
        return ran @ (1 << np.arange(ran.shape[1]))

    def quality(self, seen: Seen) -> Array:
        """Return what was told before, or what the answer showed."""
        return np.where(seen.ran, seen.after, seen.features[:, : len(self.models)])

    def cost(self, seen: Seen) -> Array:
        """Return what was told."""
        return seen.features[:, len(self.models) :]


def training(n: int = 80, k: int = 3) -> tuple[Training, Array]:
    """Return training of a told estimator, and what answers show."""
    quality, before, after, cost = questions(n, k, 20)
    ran = (np.arange(1 << k)[:, None] >> np.arange(k) & 1).astype(bool)
    covariances = SD**2 * np.eye(k) * ~ran[:, :, None]
    means = np.where(ran, after[:, None], before[:, None])
    table = Table.of(quality, cost)
    beliefs = Beliefs(means=means, state=np.arange(1 << k), covariances=covariances, cost=cost)
    estimator = Told(table.models, covariances)
    return Training(table, np.concatenate([before, cost], 1), estimator, beliefs), after


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_policy_of_the_pool_runs_what_the_arrays_run(name: str) -> None:
    """Played on its training table, it costs what it promised, and as much after it was saved and read."""
    given, after = training()
    fit: Any = FITS[name](given)
    policy, again = (one.at(4.0) for one in (fit, of_json(fit.as_json(), given.estimator)))
    draw = np.random.default_rng(3).random(80)
    played = [play(one, given.table, given.features, after, draw=draw) for one in (policy, again)]
    runs = fit.routing.at(4.0).run(given.features[:, :3], after, given.table.cost, draw=draw)

    assert (played[0].ran == runs.run).all()
    assert (played[0].answered == runs.answer).all()
    assert (played[1].ran == played[0].ran).all()


def test_a_closed_model_is_in_no_set() -> None:
    """What is closed is never asked, the next best is asked instead, and nothing where all are closed."""
    given, _ = training()
    policy = FITS["cascade_routing"](given).at()
    first = Seen.first(given.features, 3)
    chosen = policy.next(first)
    others = policy.next(Seen.first(given.features, 3, open=~chosen))

    assert chosen.sum(1).tolist() == [1] * 80
    assert not (others & chosen).any()
    assert others.sum(1).tolist() == [1] * 80
    assert not policy.next(Seen.first(given.features, 3, open=np.zeros((80, 3), bool))).any()


def test_worth_ranks_what_is_asked_first() -> None:
    """The model of most worth is the one asked; an answer has one vote, of a model that ran."""
    given, after = training()
    policy = FITS["cascade_routing"](given).at(5.0)
    first = Seen.first(given.features, 3)
    ran = np.zeros((80, 3), bool)
    ran[:, 1] = True
    weights = policy.answer(Seen.first(given.features, 3, ran=ran, after=np.where(ran, after, np.nan)))

    assert (policy.worth(first).argmax(1) == policy.next(first).argmax(1)).all()
    assert (weights == ran).all()
    assert not policy.answer(first).any()
