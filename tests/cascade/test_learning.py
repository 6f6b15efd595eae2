"""A learner beside its ledger: what it was taught survives restarts, other processes, and pruning."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecascade.cascade.cascade import Cascade
from edgecascade.cascade.learning import WRITE_EVERY
from edgecascade.cascade.pooling import PoolRouter, Routing
from edgecascade.errors import ClosedError, PolicyError
from edgecascade.estimators import fit_estimator, fit_features
from edgecascade.policies import linucb, mixllm
from edgecascade.policies.pooled import Training
from edgecascade.pool import Array, FeatureKind, Queries, Seen, Table
from edgecascade.records import Answer
from edgecascade.store.ledger import Ledger
from edgecascade.store.pool_files import PoolFile, digest_of, key_of, open_pool, read_pool, write_pool
from edgecascade.testing import ScriptedTier

TEXTS = tuple(f"What of the {word} {number}?" for word in ("stars", "rivers", "trees") for number in range(15))


def saved(path: Path, kind: FeatureKind = "text", policy: str = "linucb") -> Path:
    """Save a learner for which two models are as good, and the first costs less."""
    table = Table.of(np.ones((len(TEXTS), 2)), [1e-4, 2e-4], models=("small", "large"), texts=TEXTS)
    vectors = None if kind == "text" else np.random.default_rng(0).normal(size=(len(TEXTS), 4))
    queries = Queries(kind=kind, source="small", texts=TEXTS, vectors=vectors)
    features = fit_features(queries, dims=4)
    estimator, beliefs = fit_estimator(table, features(queries), table.after)
    fit = {"linucb": linucb.fit, "mixllm": mixllm.fit}[policy]
    fitted = fit(Training(table=table, features=features(queries), estimator=estimator, beliefs=beliefs))
    file = PoolFile(
        policy=policy,
        models=table.models,
        unit="usd",
        kind=kind,
        source="small",
        features=features.as_json(),
        estimator=estimator.as_json(),
        fitted=fitted.as_json(),
        created="2026-11-22T09:00:00Z",
        rows=len(TEXTS),
        table_sha256=digest_of(table),
    )
    write_pool(path, file)
    return path


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved learner of words."""
    return saved(tmp_path_factory.mktemp("policies") / "policy.json")


def opened(policy: Path, folder: Path) -> Cascade:
    """Return a cascade with a learner and a ledger."""
    tiers = [ScriptedTier("No.", name="tiny"), ScriptedTier("Yes.", name="large", place="cloud")]
    router = PoolRouter.open(policy, names={"small": "tiny"}, learn=True)
    return Cascade(tiers, policy=router, ledger=Ledger(folder / "ledger.db", clock=time.time))


def ask(cascade: Cascade) -> Answer:
    """Ask always the same."""
    return cascade.ask(TEXTS[0])


def state_of(folder: Path) -> PoolFile:
    """Return the one state beside the ledger."""
    (path,) = folder.glob("pool-*.json")
    return read_pool(path)


def ranking(file: PoolFile) -> Array:
    """Return what the policy thinks of each text."""
    found = open_pool(file)
    features = found.features(Queries(kind="text", source="a test", texts=TEXTS))
    return found.fitted.at().worth(Seen.first(features, 2))


def test_what_was_learned_survives_the_ledgers_rows(policy: Path, tmp_path: Path) -> None:
    """The state lies beside the ledger, so that pruned lessons are not forgotten."""
    with opened(policy, tmp_path) as cascade:
        assert ask(cascade).model == "tiny"
        for _ in range(60):
            answer = ask(cascade)
            cascade.feedback(answer.id, correct=answer.model == "large")
        taught = ask(cascade).model
        assert cascade.ledger
        cascade.ledger.prune(time.time() + 1)
    with opened(policy, tmp_path) as cascade:
        again = ask(cascade).model

    assert (taught, again) == ("large", "large")
    assert state_of(tmp_path).learned == 60


def test_the_last_writer_loses_nothing_of_the_others(policy: Path, tmp_path: Path) -> None:
    """Two learners on one ledger are taught in turn; whoever writes last, a third knows what one alone would know."""
    with opened(policy, tmp_path) as one, opened(policy, tmp_path) as other:
        answers = [ask(one).id for _ in range(40)]
        for number, answer in enumerate(answers):
            (one, other)[number % 2].feedback(answer, correct=False)
    with opened(policy, tmp_path / "alone") as alone:
        for answer in [ask(alone).id for _ in range(40)]:
            alone.feedback(answer, correct=False)
    with opened(policy, tmp_path):
        pass

    together, by_itself = state_of(tmp_path), state_of(tmp_path / "alone")
    assert together.learned == by_itself.learned == 40
    np.testing.assert_allclose(ranking(together), ranking(by_itself), rtol=1e-9)


def test_a_state_is_written_now_and_then(policy: Path, tmp_path: Path) -> None:
    """A process that is killed leaves at most so many lessons to be read again, and none is lost."""
    cascade = opened(policy, tmp_path)
    for answer in [ask(cascade).id for _ in range(WRITE_EVERY + 3)]:
        cascade.feedback(answer, correct=False)
    before = state_of(tmp_path).learned
    with opened(policy, tmp_path):
        pass

    assert (before, state_of(tmp_path).learned) == (WRITE_EVERY, WRITE_EVERY + 3)
    cascade.close()


@pytest.mark.parametrize("foreign", [False, True])
def test_a_damaged_state_is_learned_again(
    policy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, foreign: bool
) -> None:
    """Or one of another policy: it is told, and the lessons of the ledger are read from the first on."""
    with opened(policy, tmp_path) as cascade:
        cascade.feedback(ask(cascade).id, correct=False)
    (path,) = tmp_path.glob("pool-*.json")
    path.write_text(path.read_text().replace(read_pool(path).origin, "another") if foreign else "{")
    with caplog.at_level(logging.WARNING, "edgecascade"), opened(policy, tmp_path):
        pass

    assert "is learned again" in caplog.text
    assert state_of(tmp_path).learned == 1


def test_another_policy_does_not_take_its_lessons(policy: Path, tmp_path: Path) -> None:
    """A policy that was fitted again begins anew: its features may mean something else."""
    refitted = tmp_path / "again.json"
    write_pool(refitted, read_pool(policy).model_copy(update={"created": "2026-12-01T09:00:00Z"}))
    with opened(policy, tmp_path) as cascade:
        cascade.feedback(ask(cascade).id, correct=False)
    with opened(refitted, tmp_path) as cascade:
        routing = cascade.setup.policy

        assert isinstance(routing, Routing)
        assert routing.learner
        assert routing.learner.catch_up() == 0
    assert len(list(tmp_path.glob("pool-*.json"))) == 1


def test_cancel_ends_the_reading_of_a_prompt_for_its_features(tmp_path: Path) -> None:
    """The model that tells hidden states is not waited for."""
    cancel = threading.Event()
    cancel.set()
    with opened(saved(tmp_path / "policy.json", "hidden"), tmp_path) as cascade:
        answer = cascade.ask("Why?", cancel=cancel)

    assert (answer.code, answer.text) == ("cancelled", "")


def test_a_model_that_joins_learns_from_the_next_cascade_on(tmp_path: Path) -> None:
    """With what was said before of the others; the file of its state is another pool's, and stays as it was."""
    path = saved(tmp_path / "policy.json", policy="mixllm")
    with opened(path, tmp_path) as cascade:
        cascade.feedback(ask(cascade).id, correct=False)
    before = state_of(tmp_path)
    router = PoolRouter.open(path, names={"small": "tiny"}, learn=True)
    joined = replace(router, policy=router.policy.add_model("new", quality=1.0, length=1.0))  # type: ignore[union-attr]
    tiers = [ScriptedTier(name, name=name, place="cloud") for name in ("tiny", "large", "new")]
    with Cascade(tiers, policy=joined, ledger=Ledger(tmp_path / "ledger.db", clock=time.time)) as cascade:
        answer = ask(cascade)
        cascade.feedback(answer.id, correct=True)
        learned = cascade.setup.policy.learner.fitted.arms  # type: ignore[union-attr]

    assert "worth_new" in answer.trace[0].terms
    assert sum(arm.graded for arm in learned) == sum(arm.graded for arm in joined.policy.arms) + 2  # type: ignore[union-attr]
    assert (before.learned, key_of(state_of(tmp_path))) == (1, key_of(before))
    assert state_of(tmp_path).models == ("small", "large")


def test_tiers_come_and_go_while_a_cascade_runs(tmp_path: Path) -> None:
    """A new model is asked, one that is gone is not and is handed back open, and what was learned goes on."""
    router = PoolRouter.open(saved(tmp_path / "mixllm.json", policy="mixllm"), names={"small": "tiny"}, learn=True)
    tiny, large, new = (ScriptedTier(name, name=name, place="cloud") for name in ("tiny", "large", "new"))
    with Cascade([tiny, large], policy=router, ledger=Ledger(tmp_path / "ledger.db", clock=time.time)) as cascade:
        cascade.feedback(ask(cascade).id, correct=True)
        changed = router.policy.add_model("new", quality=1.0, length=1.0).remove_model("large")  # type: ignore[union-attr]
        under_way = cascade.stream(TEXTS[1])
        next(under_way)
        gone = cascade.change([tiny, new], replace(router, policy=changed))
        *_, done = under_way
        after, learned = ask(cascade), cascade.setup.policy.learner.fitted.arms  # type: ignore[union-attr]

    assert sum(arm.graded for arm in learned) == sum(arm.graded for arm in changed.arms) + 1
    assert gone == (large,) and done.answer.model in ("tiny", "large")
    assert {name for name in after.trace[0].terms if name.startswith("worth_")} == {"worth_tiny", "worth_new"}
    with pytest.raises(ClosedError):
        cascade.change([tiny], router)


class Encoder:
    """Stands for a sentence encoder: vectors of a width, of any texts."""

    def __init__(self, width: int) -> None:
        self.path, self.width = Path("encoder"), width

    def __call__(self, texts: Sequence[str]) -> Array:
        """Return the same for each."""
        return np.ones((len(texts), self.width))


@pytest.mark.parametrize(
    ("kind", "width", "message"), [("text", 4, "found an encoder, wanted none"), ("encoder", 5, "of width 5, wanted")]
)
def test_an_encoder_that_is_not_theirs_is_refused(tmp_path: Path, kind: FeatureKind, width: int, message: str) -> None:
    """When the policy is opened, not when it is asked."""
    path = saved(tmp_path / "policy.json", kind)
    with pytest.raises(PolicyError, match=message):
        PoolRouter.open(path, encoder=Encoder(width))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["encoder", "recorded"])
def test_features_that_nothing_here_makes_are_refused(tmp_path: Path, kind: FeatureKind) -> None:
    """When the cascade is opened: an encoder that was not given, estimates that only a table has."""
    with pytest.raises(PolicyError, match=f"of the kind '{kind}'"):
        opened(saved(tmp_path / "policy.json", kind), tmp_path)
