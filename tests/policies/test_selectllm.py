"""SelectLLM: the vote against its literal definition, calibrated confidences, subsets within a budget."""

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from edgecascade.estimators.folds import folds_of
from edgecascade.policies.playing import Played, play
from edgecascade.policies.selectllm import SelectLLM, SelectPolicy, fit, fit_classifier
from edgecascade.policies.subsets import KINDS, Kind, Setting, asked_in_sequence, selected, subset, votes
from edgecascade.policies.voting import chosen, labels_of_answers
from edgecascade.pool import Seen, Table

from .pool_worlds import K, World, world

SEEDS = range(200)


@cache
def fitted(sequence: bool = False) -> SelectLLM:
    """SelectLLM of the world."""
    return fit(world().training, sequence=sequence)


def at(setting: Setting, sequence: bool = False) -> SelectPolicy:
    """The policy at one setting."""
    return SelectPolicy(fitted(sequence), setting)


def played(policy: SelectPolicy, on: World, **known: object) -> Played:
    """The policy on the questions of a world."""
    return play(policy, on.table, on.features, on.after, **known)  # type: ignore[arg-type]


def ballot(seed: int) -> tuple[np.ndarray, np.ndarray, list[list[tuple[str, ...]]]]:
    """Confidences (1, k), who is of the subset (1, k), and k models' samples, as many of each."""
    random = np.random.default_rng(seed)
    models, samples = 2 + seed % 5, 1 + seed % 4
    answers = [[tuple(random.choice(list("abc"), samples).tolist()) for _ in range(models)]]
    wanted = random.random((1, models)) < 0.7
    wanted[0, 0] = True
    return random.uniform(0.05, 0.95, (1, models)), wanted, answers


@pytest.mark.parametrize("kind", KINDS)
def test_the_vote_is_the_papers(kind: Kind) -> None:
    """Of the s most confident the answer is argmax_a of the sum of weight times the samples that equal a."""
    for seed in SEEDS:
        p, _, answers = ballot(seed)
        size = 1 + seed % p.shape[1]
        best = sorted(range(p.shape[1]), key=lambda model: -p[0, model])[:size]
        if kind == "labelled":
            best = [model for model in best if p[0, model] > 0.5] or best[:1]
        heard: Counter[str] = Counter()
        for model in best:
            for text in answers[0][model]:
                heard[text] += p[0, model] if kind == "weighted" else 1
        most = {text for text, votes in heard.items() if votes >= max(heard.values()) - 1e-9}
        asked, given = selected(p, labels_of_answers(answers), size=size, kind=kind)

        assert np.flatnonzero(asked[0]).tolist() == sorted(best)
        assert given[0] in best
        assert set(answers[0][given[0]]) & most


@pytest.mark.parametrize("kind", ["weighted", "max"])
def test_stopping_early_never_changes_the_answer(kind: Kind) -> None:
    """Asked one after the other until the vote is decided, the answer is that of the whole subset."""
    fewer = 0
    for seed in SEEDS:
        p, wanted, answers = ballot(seed)
        one = [[(texts[0],) for texts in answers[0]]]
        place, labels = (-p).argsort(axis=1).argsort(axis=1), labels_of_answers(one)
        ran = asked_in_sequence(votes(p, kind), place, wanted, labels)
        given, whole = (chosen(np.where(who, votes(p, kind), 0.0), labels)[0] for who in (ran, wanted))

        assert not (ran & ~wanted).any()
        assert one[0][given] == one[0][whole]
        fewer += int(wanted.sum() - ran.sum())
    assert fewer > 0


def test_without_texts_only_weight_can_decide() -> None:
    """Where answers cannot be compared, the rest is left out only if all of it could not outvote the first."""
    p, everybody = np.array([[0.9, 0.3, 0.3], [0.9, 0.6, 0.5]]), np.ones((2, 3), bool)
    ran = asked_in_sequence(p, np.tile(np.arange(3), (2, 1)), everybody, None)

    assert ran.tolist() == [[True, False, False], [True, True, True]]


def test_the_subset_is_the_best_of_those_that_can_be_asked() -> None:
    """The s of most confidence, less those that are closed: the next takes their place."""
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        p, open = random.random((1, 6)), random.random((1, 6)) < 0.7
        size = 1 + seed % 6
        wanted, _ = subset(p, np.ones((1, 6)), Setting("max", size, 0.0), open=open, ran=np.zeros((1, 6), bool))
        best = sorted(np.flatnonzero(open[0]), key=lambda model: -p[0, model])[:size]

        assert np.flatnonzero(wanted[0]).tolist() == sorted(best)


def test_a_label_below_one_half_is_not_of_it() -> None:
    """LabelledMaxConf asks those predicted to be right; where nobody is, the most confident alone."""
    p, nobody = np.array([[0.9, 0.4, 0.6], [0.2, 0.4, 0.3]]), np.zeros((2, 3), bool)
    wanted, _ = subset(p, np.ones((2, 3)), Setting("labelled", 3, 0.0), open=~nobody, ran=nobody)

    assert wanted.tolist() == [[True, False, True], [False, True, False]]


def test_confidences_are_calibrated() -> None:
    """Of new questions by their confidence as many are right as it says, up to chance; and they rank."""
    random = np.random.default_rng(0)
    features = random.normal(size=(1600, 3))
    right = (random.random((1600, 2)) < 1 / (1 + np.exp(-features @ [[1.5, 0.0], [0.0, 0.8], [0.5, 0.0]]))).astype(
        float
    )
    classifier, held = fit_classifier(features[:800], right[:800], folds_of(800, 5, 0))
    found = classifier(features[800:])
    sure = found > np.median(found, axis=0)

    for p, y in ((held, right[:800]), (found, right[800:])):
        assert p.mean(axis=0) == pytest.approx(y.mean(axis=0), abs=0.06)
    for model in range(2):
        part = sure[:, model]
        assert found[part, model].mean() == pytest.approx(right[800:][part, model].mean(), abs=0.08)
        assert right[800:][part, model].mean() > right[800:][~part, model].mean() + 0.1


def test_noise_makes_nobody_confident() -> None:
    """Features that say nothing leave every model near its base rate."""
    random = np.random.default_rng(1)
    right = (random.random((600, 2)) < [0.3, 0.8]).astype(float)
    classifier, _ = fit_classifier(random.normal(size=(600, 8)), right, folds_of(600, 5, 0))

    assert np.abs(classifier(random.normal(size=(200, 8))) - right.mean(axis=0)).max() < 0.1


@pytest.mark.parametrize("quality", [0.0, 1.0])
def test_a_model_that_is_always_the_same_can_be_fitted(quality: float) -> None:
    """Right always, or never: its confidence is the base rate, near 0 or 1."""
    features = np.random.default_rng(0).normal(size=(40, 2))
    _, held = fit_classifier(features, np.full((40, 1), quality), folds_of(40, 5, 0))

    assert np.abs(held - quality).max() < 0.1


def test_more_money_never_lowers_the_fitted_merit() -> None:
    """Along rising budgets the chosen setting's merit on the training rows rises, and its cost is within them."""
    merit = dict(zip(fitted().settings, fitted().merit, strict=True))
    cost = dict(zip(fitted().settings, fitted().mean_cost, strict=True))
    budgets = np.linspace(world().table.cost.mean(axis=0).min() * 1.2, world().table.cost.sum(axis=1).mean(), 30)
    found = [fitted().at(float(budget)).setting for budget in budgets]  # type: ignore[attr-defined]

    assert (np.diff([merit[one] for one in found]) >= 0).all()
    assert all(cost[one] <= budget for one, budget in zip(found, budgets, strict=True))


def test_below_every_cost_the_cheapest_is_asked() -> None:
    """A budget that nobody keeps gives one model a question, the one expected to cost the least."""
    game = played(fitted().at(0.0), world())  # type: ignore[arg-type]

    assert (game.cost == world().table.cost.min(axis=1)).all()


def test_a_budget_with_confidence_is_kept_on_new_questions() -> None:
    """Over redrawn training rows the setting's true mean cost is above the budget at most one time in ten."""
    many, random = world(4000, seed=5), np.random.default_rng(0)
    p, cost, settings = fitted().classifier(many.features), many.table.cost, fitted().settings
    everybody, missed = np.ones((4000, K), bool), []
    for _ in range(60):
        rows = random.integers(0, 4000, 120)
        drawn = replace(
            fitted(), p=np.stack([p[rows]] * 2), expected=np.stack([cost[rows]] * 2), cost=cost[rows],
            mean_cost=np.zeros(len(settings)),
        )  # fmt: skip
        setting = drawn.at(2.0, confidence=0.9).setting  # type: ignore[attr-defined]
        wanted, _ = subset(p, cost, setting, open=everybody, ran=~everybody)
        missed.append((cost * wanted).sum(axis=1).mean() > 2.0)

    assert np.mean(missed) <= 0.1 + 3 * np.sqrt(0.09 / 60)


def test_more_confidence_spends_less() -> None:
    """The surer the budget is to be kept, the less is spent on the training rows, over a range of budgets."""
    cost = dict(zip(fitted().settings, fitted().mean_cost, strict=True))
    spent = [
        [cost[fitted().at(float(budget), confidence=c).setting] for budget in np.linspace(1, 6, 12)]  # type: ignore[attr-defined]
        for c in (0.5, 0.999)
    ]

    assert np.sum(spent[1]) < 0.95 * np.sum(spent[0])


def test_whoever_has_answered_is_of_the_vote() -> None:
    """A subset of one that a worse model has filled is full, though a better one may be asked now."""
    ran = np.array([[False, False, True]])
    wanted, _ = subset(np.array([[0.9, 0.5, 0.2]]), np.ones((1, 3)), Setting("max", 1, 0.0), open=~ran, ran=ran)

    assert (wanted == ran).all()


def test_in_sequence_fewer_run_for_the_same_answers() -> None:
    """At the same setting the answers are those of asking all at once, and no question costs more."""
    for kind in KINDS:
        setting = Setting(kind, 3, 0.0)
        together, apart = (played(at(setting, sequence), world(seed=2)) for sequence in (False, True))
        labels = labels_of_answers(world(seed=2).table.answers or ())[:, :, 0]
        rows = np.arange(len(labels))

        assert (labels[rows, together.answered] == labels[rows, apart.answered]).all()
        assert (apart.cost <= together.cost + 1e-12).all()
        assert apart.cost.sum() < together.cost.sum()


def test_a_model_that_fails_is_replaced_by_the_next() -> None:
    """When one of the subset turns out closed, a further round asks the next in the ranking, and only that one."""
    policy, on = at(Setting("weighted", 2, 0.0)), world(40, seed=3)
    first = policy.next(seen := play_view(on))
    failed = first & (first.cumsum(axis=1) == 1)
    again = policy.next(replace(seen, ran=first & ~failed, open=seen.open & ~failed))

    assert (first.sum(axis=1) == 2).all()
    assert (again.sum(axis=1) == 1).all()
    assert not (again & first).any()


def play_view(on: World) -> Seen:
    """What is seen of a world before anybody has run."""
    return Seen.first(on.features, K, prompt_tokens=on.table.prompt_tokens)


def test_one_model_is_the_constant() -> None:
    """A pool of one is that one, in sequence too."""
    on = world(order=(1,))
    for sequence in (False, True):
        game = played(fit(on.training, sequence=sequence).at(None), on)  # type: ignore[arg-type]

        assert game.ran.all()
        assert (game.quality == on.table.quality[:, 0]).all()


def test_where_no_answers_are_recorded_voting_is_by_quality() -> None:
    """It can be fitted and played all the same: equal quality is an equal answer."""
    bare: Table = replace(world().table, answers=None)
    training = replace(world().training, table=bare)
    game = play(fit(training).at(None), bare, world().features, world().after)

    assert game.quality.mean() >= bare.quality.mean(axis=0).max() - 0.1
