"""The search for a program's models, on simulated tasks: python bench/compound.py [--repeats 60]

A task: L modules, K models, ``--train`` questions to choose by and 2000 new ones. How good a model is in a module is
drawn, and how hard a question is; a module fails on its own. Answers are right or wrong, and four ways lead from the
modules to them: all must be right; one draft, or all of its repair; the most; a share of a right answer for each. Or
they are graded in fifths, the geometric mean of the modules'. Each search sees the same tasks; "less than all" is
paired, with 95 % over the tasks. Allocations tried count those of one model everywhere where a search asks for them.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from edgecascade.compound.allocation import Allocation, Found, Worth, ascend, best_of, drawn, every, uniform
from edgecascade.pool import Array

SIZES = ((2, 3), (3, 3), (3, 10), (6, 3))
NEW = 2000
Combine = Callable[[Array], Array]
"""From what the modules did, (n, L), to what the answer is worth, (n,)."""

BINARY: dict[str, Combine] = {
    "all right": lambda right: right.min(axis=1),
    "draft or repair": lambda right: np.maximum(right[:, 0], right[:, 1:].min(axis=1)),
    "most right": lambda right: (right.mean(axis=1) > 0.5).astype(np.float64),
    "shares": lambda right: right.mean(axis=1),
}


def geometric(done: Array) -> Array:
    """Return the geometric mean of what the modules did."""
    return np.asarray(done.prod(axis=1) ** (1 / done.shape[1]))


class Task(NamedTuple):
    """What the answers of each allocation are worth, to choose by and on new questions."""

    modules: int
    models: int
    seed: int
    worth: Worth
    new: Callable[[Allocation], float]


def task(modules: int, models: int, seed: int, done: Array, combine: Combine, train: int) -> Task:
    """Return the task whose modules did so well, (n, L, K), the first questions to choose by."""
    known: dict[Allocation, Array] = {}

    def values(allocation: Allocation) -> Array:
        if allocation not in known:
            known[allocation] = combine(done[:, np.arange(modules), list(allocation)])
        return known[allocation]

    def worth(allocations: Sequence[Allocation]) -> Array:
        return np.stack([values(allocation)[:train] for allocation in allocations])

    return Task(modules, models, seed, worth, lambda allocation: float(values(allocation)[train:].mean()))


def right_or_wrong(repeats: int, train: int) -> Iterator[Task]:
    """Yield tasks whose answers are right or wrong, in each of the four ways."""
    for modules, models in SIZES:
        for seed in range(repeats):
            random = np.random.default_rng([seed, modules, models])
            skill = random.beta(3, 2, (modules, models))
            ease = random.standard_normal((train + NEW, 1, 1))
            chance = 1 / (1 + np.exp(-np.log(skill / (1 - skill)) - ease))
            right = (random.random(chance.shape) < chance).astype(np.float64)
            for combine in BINARY.values():
                yield task(modules, models, seed, right, combine, train)


def graded(repeats: int, train: int) -> Iterator[Task]:
    """Yield tasks whose answers are graded in fifths; models differ in how steady they are, too."""
    for modules, models in SIZES:
        for seed in range(repeats):
            random = np.random.default_rng([seed, modules, models, 7])
            skill, spread = random.normal(0.5, 0.8, (modules, models)), random.uniform(0.3, 2, (modules, models))
            noise, ease = (random.standard_normal((train + NEW, *shape)) for shape in ((modules, models), (1, 1)))
            fifths = np.round(5 / (1 + np.exp(-(skill + spread * noise + ease)))) / 5
            yield task(modules, models, seed, fifths, geometric, train)


def searches(one: Task) -> dict[str, Found]:
    """Return what each search finds in a task; as published, the end of its path is the result."""
    single = best_of(one.worth, uniform(one.modules, one.models))
    random, best = drawn(one.modules, one.models, one.seed), single.allocation
    published = ascend(one.worth, one.models, random, aggregate="vote")
    return {
        "best model everywhere": single,
        "as published": Found(published.trace[-1], 0.0, published.known, published.trace, published.ended),
        "vote, random start": ascend(one.worth, one.models, random, aggregate="vote", known=single.known),
        "vote": ascend(one.worth, one.models, best, aggregate="vote", known=single.known),
        "mean, random start": ascend(one.worth, one.models, random, known=single.known),
        "mean (the default)": ascend(one.worth, one.models, best, known=single.known),
        "all": best_of(one.worth, every(one.modules, one.models)),
    }


def rows(name: str, tasks: Iterator[Task]) -> Iterator[str]:
    """Yield the table's rows of some tasks."""
    found: dict[str, list[tuple[float, int]]] = {}
    for one in tasks:  # one after another: a task remembers what all its allocations are worth
        for key, by in searches(one).items():
            found.setdefault(key, []).append((one.new(by.allocation), len(by.known)))
    table = {key: np.array(values) for key, values in found.items()}
    for key, values in table.items():
        less = table["all"][:, 0] - values[:, 0]
        paired = f"{less.mean():.4f} ± {1.96 * less.std() / len(less) ** 0.5:.4f}" if key != "all" else ""
        quality, tried = values.mean(axis=0)
        yield f"| {name} ({len(less)}) | {key} | {quality:.4f} | {paired} | {tried:.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=60, help="tasks of each size and way")
    parser.add_argument("--train", type=int, default=50, help="questions to choose by")
    given = parser.parse_args()
    print("| Answers (tasks) | Search | Quality | Less than all | Allocations tried |\n| --- | --- | --- | --- | --- |")
    for name, tasks in (("right or wrong", right_or_wrong), ("graded", graded)):
        print("\n".join(rows(name, tasks(given.repeats, given.train))), flush=True)


if __name__ == "__main__":
    main()
