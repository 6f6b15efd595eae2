"""A pool that nobody ran: questions, models and an estimator whose beliefs of the training rows come true in play."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from edgecascade.policies.pooled import Training
from edgecascade.pool import Array, Beliefs, Evidence, Mask, Seen, Table

K = 4
PRICES = np.array([0.2, 1.0, 1.7, 4.0])
SKILLS = np.array([-0.5, 0.1, 0.4, 1.0])
NAMES = ("small", "middle", "other", "large")
WATCHED = 3
"""How many of the models, from the first on, show something when they have answered."""
TOPICS = ("stars", "rivers", "numbers")


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """An estimator that reads its beliefs from the features: (before of each model, cost of each model, rest)."""

    models: tuple[str, ...]
    columns: tuple[int, ...]
    covariances: Array

    def states(self, ran: Mask) -> Any:
        """Every set of models is a state of its own."""
        return (ran << np.arange(len(self.models))).sum(axis=1)

    def quality(self, seen: Seen) -> Array:
        """What was shown where something was, else what is told of the query."""
        before = seen.features[:, list(self.columns)]
        return np.where(seen.ran & np.isfinite(seen.after), seen.after, before)

    def cost(self, seen: Seen) -> Array:
        """The true one."""
        return seen.features[:, [K + column for column in self.columns]]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A table, its features and what its answers showed, and the training that they make."""

    table: Table
    features: Array
    after: Array
    training: Training


def world(n: int = 120, *, seed: int = 0, order: tuple[int, ...] = tuple(range(K))) -> World:
    """Return ``n`` questions of the world; ``order`` puts its models in another order and changes nothing else."""
    random = np.random.default_rng(seed)
    hard, noise = random.normal(size=(n, 1)), random.normal(size=(n, K))
    chance = 1 / (1 + np.exp(-1.5 * (SKILLS - hard + 0.5 * noise)))
    quality = (random.random((n, K)) < chance).astype(float)
    before = np.clip(chance + 0.1 * random.normal(size=(n, K)), 0.01, 0.99)
    after = np.clip(0.6 * quality + 0.2 + 0.15 * random.normal(size=(n, K)), 0.01, 0.99)
    after[:, WATCHED:] = np.nan
    tokens = random.integers(20, 200, n).astype(float)
    lengths = random.integers(5, 60, (n, K)).astype(float)
    cost = PRICES * (tokens[:, None] + lengths) / 100
    features = np.concatenate([before, cost, hard, random.normal(size=(n, 3))], axis=1)
    topics = random.integers(0, len(TOPICS), n)
    wrong = random.integers(0, 3, (n, K))
    answers = tuple(
        tuple(("right" if right else f"wrong {way}",) for right, way in zip(*row, strict=True))
        for row in zip(quality > 0, wrong, strict=True)
    )
    whole = Table.of(
        quality,
        cost,
        models=NAMES,
        tasks=tuple(TOPICS[topic] for topic in topics),
        texts=tuple(f"What of the {TOPICS[topic]} {row % 7}?" for row, topic in enumerate(topics)),
        prompt_tokens=tokens,
        lengths=lengths,
        seconds=lengths * PRICES / 50,
        before=before,
        after=after,
        answers=answers,
        evidence=MappingProxyType({name: _shown(after[:, place]) for place, name in enumerate(NAMES[:WATCHED])}),
        states=hard + 0.3 * random.normal(size=(n, 5)),
    )
    return _ordered(whole, features, order)


def _shown(after: Array) -> Evidence:
    """What a model's answer showed: a margin and a log-probability that rise with its p_correct."""
    return Evidence(("first_margin", "mean_logprob"), np.stack([5 * after**2, np.log(after)], axis=1))


def _ordered(whole: Table, features: Array, order: tuple[int, ...]) -> World:
    """The world with its models in an order."""
    table = whole.only([whole.models[place] for place in order])
    k = len(table.models)
    sets = (np.arange(2**k)[:, None] >> np.arange(k)) & 1 > 0
    shows = sets[None, :, :] & np.isfinite(table.after)[:, None, :]
    means = np.where(shows, np.nan_to_num(table.after)[:, None, :], table.before[:, None, :])
    errors = means - means[:, -1:, :]
    covariances = np.einsum("nmi,nmj->mij", errors, errors) / len(table)
    estimator = Told(table.models, order, covariances)
    beliefs = Beliefs(means=means, state=np.arange(2**k), covariances=covariances, cost=table.cost)
    training = Training(table=table, features=features, estimator=estimator, beliefs=beliefs)
    return World(table, features, table.after, training)


def locked(world: World) -> World:
    """Make every array of it read-only: whoever changes what it was given fails."""
    beliefs, table = world.training.beliefs, world.table
    arrays = [world.features, world.after, beliefs.means, beliefs.state, beliefs.covariances, beliefs.cost]
    names = ("quality", "cost", "prompt_tokens", "lengths", "seconds", "before", "after", "states")
    arrays += [getattr(table, name) for name in names]
    arrays += [evidence.values for evidence in table.evidence.values()]
    for array in arrays:
        array.flags.writeable = False
    return world
