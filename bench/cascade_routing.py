"""Cascade routing against the paper's program: python bench/cascade_routing.py --out R.json [--reference CHECKOUT]

RouterBench's setting (arXiv:2410.10347, section 5): the truth with noise before and after a model has run, refitted
linearly. RouterBench's table is not here: qualities, equally correlated between models, and costs are drawn, with means
like those of eleven models of 2024. ``--edge``: a table of recorded scores instead, as one more pool.
``--reference``: a checkout of the paper's code (needs hyperopt, loguru, scipy): it gets the same rows, estimates and
budgets in the same run, with the searches of its own script (30 bisections, twice 200 by TPE; of eleven models the
bisections alone). It takes minutes, so that both get few questions to fit on and few budgets then.

Reported, with 95 % intervals over seeds: seconds to fit all the budgets; mean quality over budgets between the cheapest
and the dearest model, on new questions, each curve read at the budgets; what was spent over the budget; microseconds a
decision: a question's first from its estimates, one question at a time with all checks, all at once. Seconds are those
of the processor: other programs do not count.
"""

import argparse
import importlib
import json
import math
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecascade.policies.cascade_routing import CascadeRouting, fit_cascade_routing
from edgecascade.policies.routing.estimates import Estimates
from edgecascade.policies.routing.supersets import next_models
from edgecascade.store.files import write_whole

Array = NDArray[np.float64]

NOISES = {"low": (0.6, 0.3), "medium": (1.6, 0.8), "high": (2.4, 1.2)}
MEANS = (0.565, 0.686, 0.716, 0.672, 0.700, 0.842, 0.562, 0.608, 0.532, 0.644, 0.712)
COSTS = (0.0072, 0.0206, 0.179, 0.203, 0.0208, 0.336, 0.0175, 0.0204, 0.0045, 0.0134, 0.0184)
"""Assumed: shares of right answers, and costs in no unit; the pools choose among them."""
POOLS = {3: (9, 4, 5), 5: (9, 4, 5, 0, 3), 11: tuple(range(11))}
CORRELATION = 0.55
STRATEGIES = ("cascade_routing", "cascading", "routing")
PRICES = {"gemma": 0.1, "nemotron": 0.9}
"""USD a million tokens, by a part of the model's name; any other 0.2."""
ANSWER_TOKENS = 250
FEW = {"3": (100, 2, 200), "5": (50, 2, 200), "11": (40, 2, 0)}
"""Beside the paper's program: questions to fit on, budgets, and searches of each pool."""
FULL = (1000, 20, 0)
T_95 = (math.nan, math.nan, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's 97.5 % quantile, by how many seeds there are."""


class Pool(NamedTuple):
    """Questions with what is true and what is believed of each model (n, k), cheapest model first."""

    quality: Array
    spent: Array
    before: Array
    after: Array
    cost: Array

    def rows(self, chosen: slice) -> "Pool":
        """Return some of the questions."""
        return Pool(*(part[chosen] for part in self))


def drawn(n: int, models: tuple[int, ...], noise: tuple[float, float], seed: int) -> Pool:
    """Return a drawn pool."""
    random, k = np.random.default_rng(seed), len(models)
    bars = np.array([NormalDist().inv_cdf(MEANS[model]) for model in models])
    shared, own = random.standard_normal((n, 1)), random.standard_normal((n, k))
    quality = (np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own < bars).astype(np.float64)
    lengths = np.exp(0.5 * random.standard_normal((n, 1)) + 0.3 * random.standard_normal((n, k)) - 0.17)
    return noisy(quality, np.array([COSTS[model] for model in models]) * lengths, noise, seed + 1)


def edge(path: Path, noise: tuple[float, float], seed: int) -> Pool:
    """Return the pool of a table of recorded scores."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    models = sorted(rows[0]["scores"])
    quality = np.array([[row["scores"][model] for model in models] for row in rows])
    prices = np.array([next((p for part, p in PRICES.items() if part in model), 0.2) for model in models])
    tokens = np.array([len(row["question"]) / 4 + ANSWER_TOKENS for row in rows])
    order = np.random.default_rng(seed).permutation(len(rows))
    return noisy(quality[order], (tokens[:, None] * prices / 1e3)[order], noise, seed + 1)


def noisy(quality: Array, spent: Array, noise: tuple[float, float], seed: int) -> Pool:
    """Return a pool whose estimates are the truth with noise, refitted linearly."""
    random = np.random.default_rng(seed)
    before, after = (refitted(quality + sd * random.standard_normal(quality.shape), quality) for sd in noise)
    guess = refitted(spent + 0.06 * spent.max(0).mean() * random.standard_normal(spent.shape), spent)
    order = np.argsort(spent.mean(0))
    cost = np.maximum(guess, 0.05 * spent.mean(0))
    return Pool(*(part[:, order] for part in (quality, spent, before, after, cost)))


def refitted(seen: Array, truth: Array) -> Array:
    """Return the best linear guess of each column of the truth."""
    x, y = seen - seen.mean(0), truth - truth.mean(0)
    return np.asarray(truth.mean(0) + x * ((x * y).sum(0) / (x * x).sum(0)))


def mixed(cost: Array, quality: Array, budget: float) -> float:
    """Return the best mean quality that two models mixed at random get for a budget."""
    within, beyond = cost <= budget, cost > budget
    best = float(quality[within].max())
    share = (budget - cost[within][:, None]) / (cost[beyond] - cost[within][:, None])
    both = quality[within][:, None] * (1 - share) + quality[beyond] * share
    return max(best, float(both.max(initial=best)))


# Ours


def spread(train: Pool) -> Array:
    """Return how far the estimates before lie from those after, as the paper's program has it."""
    return np.asarray((train.before - train.after).std(0))


def ours(train: Pool, new: Pool, strategy: Any, budgets: Array) -> dict[str, float]:
    """Return what our fit takes and gets."""
    began = time.process_time()
    fitted = fit_cascade_routing(
        train.before, train.after, train.cost, sd_before=spread(train), sd_after=1e-3, quality=train.quality,
        spent=train.spent, strategy=strategy,
    )  # fmt: skip
    policies = [fitted.at(float(budget)) for budget in budgets]
    took = time.process_time() - began
    began = time.process_time()
    runs = [policy.run(new.before, new.after, new.cost) for policy in policies]
    decided = time.process_time() - began
    rows, calls = np.arange(len(new.quality)), sum(run.run.sum() + len(run.answer) for run in runs)
    points = [((one.run * new.spent).sum(1).mean(), new.quality[rows, one.answer].mean()) for one in runs]
    return scored(points, new, budgets) | {
        "fit_seconds": took,
        "decide_microseconds": 1e6 * decided / float(calls),
        "one_by_one_microseconds": one_by_one(policies[len(policies) // 2], new),
        "first_microseconds": first(policies[len(policies) // 2], new),
    }


def one_by_one(policy: CascadeRouting, new: Pool, questions: int = 50) -> float:
    """Return the microseconds of a decision, one question at a time, checks of arrays included."""
    parts = [new.rows(slice(i, i + 1)) for i in range(min(questions, len(new.quality)))]
    times = []
    for part in parts:
        began = time.process_time()
        runs = policy.run(part.before, part.after, part.cost)
        times.append((time.process_time() - began) / (int(runs.run.sum()) + 1))
    return 1e6 * float(np.median(times))


def first(policy: CascadeRouting, new: Pool, questions: int = 200) -> float:
    """Return the microseconds from one question's estimates to the model that it runs first."""
    seen = Estimates.of(new.before, new.after, new.cost, policy.spread, policy.rules.order).corrected(
        policy.corrections
    )
    price, times = policy.setting.price(np.zeros(1)), []
    for row in np.arange(min(questions, len(new.quality)))[:, None]:
        began = time.process_time()
        next_models(seen.views(row, 0), 0, price, policy.rules)
        times.append(time.process_time() - began)
    return 1e6 * float(np.median(times))


def scored(points: list[tuple[float, float]], new: Pool, budgets: Array) -> dict[str, float]:
    """Return the mean quality of a curve, read at the budgets, and by how much they were overspent on average."""
    cost, quality = np.array(sorted(points)).T
    return {
        "area": 100 * float(np.interp(budgets, cost, quality).mean()),
        "overspent": float(np.mean([spent / budget for (spent, _), budget in zip(points, budgets, strict=True)]) - 1),
    }


# The paper's program


class Believed:
    """The estimates in the form that the paper's program asks for; a question is its number."""

    is_independent = True

    def __init__(self, pool: Pool, sds: Array, base: Any) -> None:
        self.pool, self.sds = pool, sds
        self.predict_supermodels = base(n_samples=100).predict_supermodels

    def trigger_training(self, training: bool) -> None:
        """Do nothing: it is fitted."""

    def predict(self, questions: Any, answers: Any) -> tuple[Array, Array]:
        """Return means and covariances."""
        ran = np.array([[one is not None for one in row] for row in answers])
        means = np.where(ran, self.pool.after[questions], self.pool.before[questions])
        return means, np.array([np.diag(np.where(row, 1e-6, self.sds**2)) for row in ran])


class Priced:
    """The expected costs in its form."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def trigger_training(self, training: bool) -> None:
        """Do nothing: it is fitted."""

    def predict(self, questions: Any, answers: Any) -> Array:
        """Return the costs."""
        return np.asarray(self.pool.cost[questions])


def theirs(checkout: Path, train: Pool, new: Pool, budgets: Array, searches: int) -> dict[str, float]:
    """Return what the paper's fit takes and gets, its own script's strategies and depth."""
    package = types.ModuleType("selection")  # its own __init__ imports torch and clients of clouds
    package.__path__ = [str(checkout / "src" / "selection")]
    sys.modules["selection"] = package
    router, strategies, computer = (
        importlib.import_module(f"selection.{name}")
        for name in ("cascade_router", "lambda_strategy", "quality_computer")
    )
    k, sds, took, decided, decisions, points = train.quality.shape[1], spread(train), 0.0, 0.0, 0, []
    for budget in budgets:
        np.random.seed(0)
        plan = [strategies.ConstantStrategy(10000, n_iterations=30)]
        for scratch in (False, True) if searches else ():
            plan.append(strategies.HyperoptStrategy(10000, searches, max_factor=4, from_scratch=scratch))
        policy = router.CascadeRouter(
            Believed(train, sds, computer.BaseQualityComputer), Priced(train), list(range(k)), budget, strategies=plan,
            rounding_digits=6, force_order=False, max_depth=5,
        )  # fmt: skip
        rows = list(range(len(train.quality)))
        began = time.process_time()
        policy.fit(rows, [[1] * k for _ in rows], train.quality, train.spent)
        took += time.process_time() - began
        policy.quality_computer.pool = policy.cost_computer.pool = new
        cost = quality = 0.0
        began = time.process_time()
        for row in range(len(new.quality)):
            answers: list[list[int | None]] = [[None] * k]
            while (model := policy.predict([row], answers)[0]) is not None:
                answers[0][model] = 1
                cost, decisions = cost + new.spent[row, model], decisions + 1
            decisions += 1
            quality += new.quality[row, policy.select_answer([row], answers)[0]]
        decided += time.process_time() - began
        points.append((cost / len(new.quality), quality / len(new.quality)))
    found = scored(points, new, budgets)
    return found | {"fit_seconds": took, "one_by_one_microseconds": 1e6 * decided / decisions}


# The whole


def compared(name: str, pool: Pool, rows: int, budgets: int, searches: int, checkout: Path | None) -> dict[str, Any]:
    """Return what each program takes and gets on one pool."""
    train, new = pool.rows(slice(rows)), pool.rows(slice(rows, None))
    costs = new.spent.mean(0)
    wanted = np.linspace(costs.min(), costs.max(), budgets + 1)[1:]
    found: dict[str, Any] = {"pool": name, "rows": rows, "new": len(new.quality), "budgets": budgets, "programs": {}}
    found["mixing"] = 100 * float(np.mean([mixed(costs, new.quality.mean(0), budget) for budget in wanted]))
    for strategy in STRATEGIES:
        found["programs"][strategy] = ours(train, new, strategy, wanted)
    if checkout:
        found["searches"] = searches
        found["programs"]["reference"] = theirs(checkout, train, new, wanted, searches)
    return found


def interval(figures: Sequence[float]) -> str:
    """Return a mean and, of several, half its 95 % interval."""
    n, middle = len(figures), float(np.mean(figures))
    if n < 2:
        return f"{middle:.2f}"
    quantile = T_95[n] if n < len(T_95) else 1.96
    return f"{middle:.2f} ± {quantile * float(np.std(figures, ddof=1)) / math.sqrt(n):.2f}"


def markdown(record: dict[str, Any]) -> str:
    """Return the record's table."""
    lines = [
        "| pool | noise | rows | program | area | to the reference | over budget | fit s | µs first | each | all |",
        f"|{' --- |' * 11}",
    ]
    kinds = dict.fromkeys((run["pool"], run["noise"]) for run in record["runs"])
    for pool, noise in kinds:
        runs = [run for run in record["runs"] if (run["pool"], run["noise"]) == (pool, noise)]
        for program in runs[0]["programs"]:
            lines.append(f"| {pool} | {noise} | {runs[0]['rows']} | {program} | {_cells(runs, program)} |")
    return "\n".join(lines)


def _cells(runs: Sequence[dict[str, Any]], program: str) -> str:
    own = [run["programs"][program] for run in runs]
    its = [run["programs"].get("reference") for run in runs]
    gains = [one["area"] - other["area"] for one, other in zip(own, its, strict=True) if other]
    parts = [interval([one["area"] for one in own]), interval(gains) if gains and program != "reference" else ""]
    parts.append(f"{100 * np.mean([one['overspent'] for one in own]):+.0f} %")
    parts.append(f"{np.median([one['fit_seconds'] for one in own]):.2g}")
    for name in ("first_microseconds", "one_by_one_microseconds", "decide_microseconds"):
        parts.append(f"{np.median([one[name] for one in own]):.0f}" if name in own[0] else "")
    return " | ".join(parts)


def main() -> None:
    """Compare, print the table, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the record goes, as JSON")
    parser.add_argument("--models", type=int, nargs="*", default=[3, 5, 11], choices=[3, 5, 11])
    parser.add_argument("--noises", nargs="*", default=list(NOISES), choices=list(NOISES))
    parser.add_argument("--edge", type=Path)
    parser.add_argument("--new", type=int, default=1000, help="questions to try on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--reference", type=Path)
    given = parser.parse_args()
    record: dict[str, Any] = {"schema": "edgecascade.bench.cascade-routing/1", "runs": []}
    for seed in range(given.seeds):
        for noise in given.noises:
            pools = {str(k): drawn(FULL[0] + given.new, POOLS[k], NOISES[noise], 10 * seed) for k in given.models}
            if given.edge:
                pools["edge"] = edge(given.edge, NOISES[noise], seed)
            for name, pool in pools.items():
                checkout = given.reference if name in FEW else None
                sizes = FEW[name] if checkout else FULL
                run = compared(name, pool.rows(slice(sizes[0] + given.new)), *sizes, checkout)
                record["runs"].append({"seed": seed, "noise": noise, **run})
                write_whole(given.out, json.dumps(record, indent=1) + "\n")
    print(markdown(record))


if __name__ == "__main__":
    main()
