"""What was evaluated is what is served: live, question by question, every policy does as it did on the table."""

import importlib
from dataclasses import replace

import numpy as np
import pytest

from edgecascade.cascade.deciding import Rule, decided
from edgecascade.policies.playing import play
from edgecascade.policies.pooled import FITS, PoolPolicy
from edgecascade.policies.situation import Situation, TierView
from edgecascade.records import Attempt, Draft, Estimate, Place, Question, Timings, Token, Usage

from .pool_worlds import WATCHED, World, world

ROWS = 25


def place_of(model: int) -> Place:
    """Models whose answers show something are on the device."""
    return "device" if model < WATCHED else "cloud"


def answered(world: World, row: int, model: int) -> Attempt:
    """Return what a model made of a question, as a cascade records it."""
    table, p_correct, text = world.table, world.after[row, model], (world.table.answers or ())[row][model][0]
    evidence = table.evidence.get(table.models[model])
    margin = np.nan if evidence is None else float(evidence.column("first_margin")[row])
    token = Token(0, text, -0.1, -0.1, margin, 0.3, 0.99, 10.0, 0.0)
    draft = Draft(text, (token,), "end", Usage(1, 1), Timings(0.0, 0.0, 0.0, 0.0, 0.0))
    estimate = Estimate(None if np.isnan(p_correct) else float(p_correct), None, None, None)
    return Attempt(table.models[model], place_of(model), draft, estimate, 0.0)


def lived(world: World, policy: PoolPolicy, row: int, draw: float) -> tuple[set[str], str]:
    """Return which tiers a cascade would ask about a question, and whose answer it would give."""
    models = world.table.models
    views = tuple(TierView(name, place_of(model)) for model, name in enumerate(models))
    size = float(world.table.prompt_tokens[row])
    rule = Rule(policy=policy, name="pool", tiers=models, features=world.features[row], draw=draw)
    attempts: tuple[Attempt, ...] = ()
    begun = Situation(Question.of("Why?"), "prefer_on_device", views, prompt_tokens=size)
    while (step := decided(replace(begun, attempts=attempts), rule)).run is not None:
        attempts += tuple(answered(world, row, models.index(name)) for name in (step.run, *step.also))
    assert step.answer is not None
    return {attempt.tier for attempt in attempts}, attempts[step.answer].tier


@pytest.mark.parametrize("name", FITS)
def test_live_as_on_the_table(name: str) -> None:
    """The same models are asked, and the same one's answer is given."""
    trained, fresh = world(), world(ROWS, seed=1)
    fit = importlib.import_module(f"edgecascade.policies.{FITS[name]}").FITS[name]
    policy = fit(trained.training).at(1.0)
    draws = np.random.default_rng(0).random(ROWS)
    for row in range(ROWS):
        one = [row]
        played = play(policy, fresh.table.rows(one), fresh.features[one], fresh.after[one], draw=draws[one])
        asked, given = lived(fresh, policy, row, float(draws[row]))

        assert asked == {fresh.table.models[model] for model in np.flatnonzero(played.ran[0])}
        assert given == fresh.table.models[played.answered[0]]
