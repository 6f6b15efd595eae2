"""Cascade routing against the paper's program: python bench/cascade_routing.py [--edge TABLE] [--reference CHECKOUT]

RouterBench's setting (arXiv:2410.10347, section 5): the truth with noise before and after a model has run, refitted
linearly. RouterBench's table is not here: binary qualities are drawn with its published means and a correlation between
models, costs with its published means. ``--edge``: a table of recorded scores instead, as one more pool.
``--reference``: a checkout of the paper's code (needs hyperopt, loguru, scipy): it gets the same rows, estimates and
budgets in the same run, with the searches of its own script (30 bisections, twice ``--searches`` by TPE).

Reported: seconds to fit all the budgets; mean quality over budgets between the cheapest and the dearest model, on new
questions, each curve read at the budgets; how far a budget was overshot at most; microseconds a decision, one question
at a time and all at once.
"""

import argparse
import importlib
import json
import sys
import time
import types
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecascade.policies.cascade_routing import CascadeRouting, fit_cascade_routing

Array = NDArray[np.float64]

NOISES = {"low": (0.6, 0.3), "medium": (1.6, 0.8), "high": (2.4, 1.2)}
MEANS = (0.565, 0.686, 0.716, 0.672, 0.700, 0.842, 0.562, 0.608, 0.532, 0.644, 0.712)
"""Of RouterBench's eleven models: WizardLM-13B, claude-instant, claude-v1, claude-v2, gpt-3.5, gpt-4, code-llama-34b,
llama-2-70b, mistral-7b, mixtral-8x7b, yi-34b."""
COSTS = (0.0072, 0.0206, 0.179, 0.203, 0.0208, 0.336, 0.0175, 0.0204, 0.0045, 0.0134, 0.0184)
POOLS = {3: (9, 4, 5), 5: (9, 4, 5, 0, 3), 11: tuple(range(11))}
CORRELATION = 0.55
STRATEGIES = ("cascade_routing", "cascading", "routing")
PRICES = {"gemma": 0.1, "nemotron": 0.9}
"""USD a million tokens, by a part of the model's name; any other 0.2."""
ANSWER_TOKENS = 250


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
    """Return a pool like RouterBench's."""
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
    began = time.perf_counter()
    fitted = fit_cascade_routing(
        train.before, train.after, train.cost, sd_before=spread(train), sd_after=1e-3, quality=train.quality,
        spent=train.spent, strategy=strategy,
    )  # fmt: skip
    policies = [fitted.at(float(budget)) for budget in budgets]
    took = time.perf_counter() - began
    began = time.perf_counter()
    runs = [policy.run(new.before, new.after, new.cost) for policy in policies]
    decided = time.perf_counter() - began
    rows, calls = np.arange(len(new.quality)), sum(run.run.sum() + len(run.answer) for run in runs)
    points = [((one.run * new.spent).sum(1).mean(), new.quality[rows, one.answer].mean()) for one in runs]
    return scored(points, new, budgets) | {
        "fit_seconds": took,
        "decide_microseconds": 1e6 * decided / float(calls),
        "one_by_one_microseconds": one_by_one(policies[len(policies) // 2], new),
    }


def one_by_one(policy: CascadeRouting, new: Pool, questions: int = 50) -> float:
    """Return the microseconds of a decision, one question at a time, checks of arrays included."""
    parts = [new.rows(slice(i, i + 1)) for i in range(min(questions, len(new.quality)))]
    times = []
    for part in parts:
        began = time.perf_counter()
        runs = policy.run(part.before, part.after, part.cost)
        times.append((time.perf_counter() - began) / (int(runs.run.sum()) + 1))
    return 1e6 * float(np.median(times))


def scored(points: list[tuple[float, float]], new: Pool, budgets: Array) -> dict[str, float]:
    """Return the mean quality of a curve, read at the budgets, and by how much a budget was overshot at most."""
    cost, quality = np.array(sorted(points)).T
    return {
        "area": 100 * float(np.interp(budgets, cost, quality).mean()),
        "overshot": float(max(spent / budget for (spent, _), budget in zip(points, budgets, strict=True)) - 1),
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
        began = time.perf_counter()
        policy.fit(rows, [[1] * k for _ in rows], train.quality, train.spent)
        took += time.perf_counter() - began
        policy.quality_computer.pool = policy.cost_computer.pool = new
        cost = quality = 0.0
        began = time.perf_counter()
        for row in range(len(new.quality)):
            answers: list[list[int | None]] = [[None] * k]
            while (model := policy.predict([row], answers)[0]) is not None:
                answers[0][model] = 1
                cost, decisions = cost + new.spent[row, model], decisions + 1
            decisions += 1
            quality += new.quality[row, policy.select_answer([row], answers)[0]]
        decided += time.perf_counter() - began
        points.append((cost / len(new.quality), quality / len(new.quality)))
    found = scored(points, new, budgets)
    return found | {"fit_seconds": took, "one_by_one_microseconds": 1e6 * decided / decisions}


def main() -> None:
    """Print one object a line: a pool, a noise, and what each program took and got."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, nargs="*", default=[3, 5, 11], choices=[3, 5, 11])
    parser.add_argument("--noises", nargs="*", default=list(NOISES), choices=list(NOISES))
    parser.add_argument("--edge", type=Path)
    parser.add_argument("--rows", type=int, default=1000, help="to fit on")
    parser.add_argument("--new", type=int, default=4000, help="to try on")
    parser.add_argument("--budgets", type=int, default=20)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for noise in given.noises:
        pools = {str(k): drawn(given.rows + given.new, POOLS[k], NOISES[noise], given.seed) for k in given.models}
        if given.edge:
            pools["edge"] = edge(given.edge, NOISES[noise], given.seed)
        for name, pool in pools.items():
            train, new = pool.rows(slice(given.rows)), pool.rows(slice(given.rows, given.rows + given.new))
            costs = new.spent.mean(0)
            budgets = np.linspace(costs.min(), costs.max(), given.budgets + 1)[1:]
            found: dict[str, Any] = {"pool": name, "noise": noise, "rows": given.rows, "new": len(new.quality)}
            found["mixing"] = 100 * float(np.mean([mixed(costs, new.quality.mean(0), b) for b in budgets]))
            for strategy in STRATEGIES:
                found[strategy] = ours(train, new, strategy, budgets)
            if given.reference:
                found["reference"] = theirs(given.reference, train, new, budgets, given.searches)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
