"""MixLLM's published stream on a table of recorded results: python bench/stream.py TABLE --prices FILE.

100 questions arrive every ten seconds, every model answers ten at once, and an answer later than the deadline is worth
nothing; waiting times are refreshed every ten seconds. How long an answer takes is made up, the same for every policy:
two seconds, six for the two dearest models. Fitted on 30 % of the questions, played on the rest; the budget is 60 % of
what the dearest model costs.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgecascade.estimators import fit_after, fit_estimator, fit_features
from edgecascade.evaluate.trials import fit_named
from edgecascade.policies.mixllm import Weights
from edgecascade.policies.pooled import Training
from edgecascade.pool import Queries, Table
from edgecascade.simulate.stream import Streamed, stream
from edgecascade.store.price_files import read_prices
from edgecascade.store.tables import read_table

DEADLINE, AT_ONCE, QUICK, SLOW, QUESTIONS = 10.0, 10, 2.0, 6.0, 2000


def training_of(table: Table) -> tuple[Training, Any]:
    """Return what policies are fitted on, by the words alone, and what makes the features of others."""
    features = fit_features(Queries(kind="text", source="words", texts=table.texts))
    seen = features(Queries(kind="text", source="words", texts=table.texts))
    _, after = fit_after(table)
    estimator, beliefs = fit_estimator(table, seen, after)
    return Training(table, seen, estimator, beliefs), features


def streams(table: Table, seed: int) -> Iterator[tuple[str, Streamed]]:
    """Yield how each policy does on one split."""
    order = np.random.default_rng(seed).permutation(len(table))
    cut = int(0.3 * len(table))
    training, features = training_of(table.rows(order[:cut]))
    rest = table.rows(order[cut:][:QUESTIONS])
    seen = features(Queries(kind="text", source="words", texts=rest.texts))
    dearest = np.argsort(-training.table.cost.mean(0))[:2]
    seconds = np.full(len(table.models), QUICK)
    seconds[dearest] = SLOW
    budget = 0.6 * float(training.table.cost.mean(0).max())
    mixed = fit_named("mixllm")(training, seed=seed)
    policies = {
        "mixllm": (mixed, {}),
        "mixllm without its penalty": (replace(mixed, weights=Weights(beta=0.0)), {}),
        "mixllm, learning from grades": (mixed, {"learn": "graded"}),
        "mixllm, learning from yes and no": (mixed, {"learn": "liked"}),
        **{
            name: (fit_named(name)(training, seed=seed), {})
            for name in ("linucb", "routing", "knn", "constant", "random")
        },
    }
    after = np.full(rest.quality.shape, np.nan)
    for name, (fitted, options) in policies.items():
        yield name, stream(
            fitted, rest, seen, after, seconds=seconds, deadline=DEADLINE, concurrency=AT_ONCE, budget=budget,
            seed=seed, **options,
        )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--prices", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=5)
    arguments = parser.parse_args()
    table = read_table(arguments.table, prices=read_prices(arguments.prices)).table
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(arguments.splits):
        for name, one in streams(table, seed):
            found.setdefault(name, []).append((one.quality, one.late, one.cost, one.wait, one.seconds))
    print("| policy | worth | late | cost, $ a thousand | wait, s | answer, s |\n| --- | --- | --- | --- | --- | --- |")
    for name, rows in found.items():
        (worth, late, cost, wait, seconds), spread = np.mean(rows, 0), np.std(rows, 0)[0]
        print(f"| {name} | {worth:.3f} ± {spread:.3f} | {late:.1%} | {1000 * cost:.3f} | {wait:.2f} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
