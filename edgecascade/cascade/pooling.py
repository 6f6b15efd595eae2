"""A pool's policy as the policy of a cascade: ``Cascade(tiers, policy=PoolRouter.open("policy.json", budget=0.0002))``.

    PoolRouter   the recipe: which policy, what it may spend, which tier is which model, whether it learns
    Routing      that at work in one cascade: what it has learned, and where its answers went
    Route        one question's way (``route``)

A pool's policy promises nothing: an answer of the device keeps the promise of its own certificate, any other has none.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Self, cast

from numpy.typing import ArrayLike

from edgecascade.cascade.learning import Learner, notes_of
from edgecascade.cascade.reader import Tier, reader_of
from edgecascade.cascade.route import Route
from edgecascade.encoders import SentenceEncoder
from edgecascade.errors import ConfigError, PolicyError
from edgecascade.estimators.features import Features
from edgecascade.policies.linucb import LinUCB
from edgecascade.policies.mixllm import Mixed
from edgecascade.policies.pooled import Estimator, Fitted, PoolPolicy
from edgecascade.pool import Queries, Unit
from edgecascade.querying.live import live_features
from edgecascade.records import Question
from edgecascade.store.config.settings import LARGEST
from edgecascade.store.ledger import Ledger
from edgecascade.store.pool_files import PoolFile, key_of, key_of_fitted, open_pool, read_pool

COLLAPSE_FROM, COLLAPSE_SHARE = 50, 0.95
"""A policy that gives so large a share of so many questions to one tier says so: there may be nothing to route."""

LEARNERS, OURS = (LinUCB, Mixed), "edgecascade.policies."
"""Of our own policies these learn."""

FeaturesOf = Callable[[Question], ArrayLike]
Gather = Callable[[Question, threading.Event], ArrayLike]
"""A question's features; the event ends what takes long."""

log = logging.getLogger("edgecascade")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PoolRouter:
    """A pool's policy, ready for a cascade.

    policy    one that was fitted, or one at its budget already
    features  gives a question's features (d,), once a question; None: those of ``file``, or none are needed
    budget    dollars a question on average, and with which ``confidence``; as ``Fitted.at`` takes them
    names     tier of each model of the pool that is called otherwise in the cascade
    learn     whether feedback changes it, through the ledger, which then keeps each question's features: numbers made
              of its text, no text
    estimator what the policy believes, if its costs are to be shown in ``Decision.terms``
    name      for people                unit  of the costs
    file      where it was saved; its state is then written beside the ledger
    encoder   the sentence encoder whose vectors it was fitted on, where its features are of that kind
    """

    policy: Fitted | PoolPolicy
    features: FeaturesOf | None = None
    budget: float | None = None
    confidence: float | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    learn: bool = False
    estimator: Estimator | None = None
    name: str = "pool"
    unit: Unit = "usd"
    file: PoolFile | None = None
    encoder: SentenceEncoder | None = None

    def __post_init__(self) -> None:
        models = self.policy.models
        if not isinstance(self.names, Mapping) or not all(isinstance(tier, str) for tier in self.names.values()):
            raise PolicyError(f"names: found {self.names!r:.80}, wanted the tier's name of each model: {{model: tier}}")
        if unknown := set(map(str, self.names)) - set(models):
            raise PolicyError(
                f"names of no model: found {', '.join(sorted(unknown))}, wanted some of {', '.join(models)}; look at "
                "what the policy was fitted on"
            )
        for name, value, least, most in (("budget", self.budget, 0, LARGEST), ("confidence", self.confidence, 0.5, 1)):
            if value is not None and not (isinstance(value, Real) and least <= value < most):
                raise PolicyError(f"the policy's {name}: found {value!r:.40}, wanted {least:g} to below {most:g}")
        if self.learn and not hasattr(self.policy, "learn"):
            raise PolicyError("learn=True needs a fitted policy: found one at its budget, wanted what `fit` returned")
        if self.learn and type(self.policy).__module__.startswith(OURS) and not isinstance(self.policy, LEARNERS):
            raise PolicyError(
                f"the policy {self.name} does not learn: found learn=True, wanted it for mixllm or linucb alone; leave "
                "it out, or fit one of these"
            )

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        budget: float | None = None,
        confidence: float | None = None,
        names: Mapping[str, str] | None = None,
        learn: bool = False,
        encoder: SentenceEncoder | None = None,
    ) -> Self:
        """Return a saved policy; a budget that is not given is the one that it was saved with.

        encoder  the one whose vectors it was fitted on, where its features are of that kind

        Raises PolicyError for a file that cannot be used, or not with these.
        """
        file = read_pool(Path(path))
        opened = open_pool(file)
        if encoder:
            _try(encoder, file, opened.features)
        return cls(
            policy=opened.fitted,
            budget=file.budget if budget is None else budget,
            confidence=file.confidence if confidence is None else confidence,
            names=names or {},
            learn=learn,
            estimator=opened.estimator,
            name=file.policy.replace("_", " "),
            unit=file.unit,
            file=file,
            encoder=encoder,
        )

    def at_work(self, tiers: Sequence[Tier], ledger: Ledger | None) -> "Routing":
        """Return it at work in a cascade of these tiers.

        Raises ConfigError where no model is a tier, a name is none, or it is to learn without a ledger; PolicyError
        where nothing here makes its features.
        """
        there = {tier.name for tier in tiers}
        called = tuple(self.names.get(model, model) for model in self.policy.models)
        strange = sorted(set(self.names.values()) - there)
        if strange or not there & set(called) or len(set(called)) < len(called):
            raise ConfigError(
                f"the policy's models are not this cascade's tiers: found {', '.join(strange or called)}, wanted names "
                f"among {', '.join(sorted(there))}, each once; say which is which: names={{model: tier}}"
            )
        if without := sorted(set(called) - there):
            log.warning("models of the policy without a tier are never asked: %s", ", ".join(without))
        if self.learn and ledger is None:
            raise ConfigError("a policy learns from the ledger: found none, wanted ledger=Ledger(path, ...)")
        return Routing(self, called, self._features(tiers), self._learner(ledger) if ledger and self.learn else None)

    def _features(self, tiers: Sequence[Tier]) -> Gather:
        if (given := self.features) is not None:
            return lambda question, cancel: given(question)
        if self.file is None:
            return lambda question, cancel: ()
        features, reader = Features.of_json(self.file.features), None
        if self.file.kind == "hidden":
            reader = reader_of(self.file, tiers, self.names, width=len(features.centre))
        return live_features(features, self.file.kind, reader=reader, encoder=self.encoder)

    def _learner(self, ledger: Ledger) -> Learner:
        fitted = cast(Fitted, self.policy)
        key = key_of(self.file) if self.file else key_of_fitted(fitted)
        same = self.file is not None and self.file.models == fitted.models  # its file holds no model that joined since
        notes = notes_of(self.file, key, ledger) if self.file and same else None
        return Learner(fitted, ledger, key=key, unit=self.unit, notes=notes)


class Routing:
    """A pool's policy in one cascade; several threads may ask it."""

    def __init__(self, router: PoolRouter, tiers: tuple[str, ...], features: Gather, learner: Learner | None) -> None:
        self.router, self.tiers, self.features, self.learner = router, tiers, features, learner
        known = router.estimator is not None and router.estimator.models == router.policy.models
        self.estimator = router.estimator if known else None
        self._given: Counter[str] = Counter()
        self._told, self._guard, self._learning = False, threading.Lock(), threading.Lock()
        if learner:
            learner.catch_up()
        self._policy = self._at_budget()

    def begin(self, question: Question, answer_id: str, cancel: threading.Event) -> Route:
        """Return the way of one question: the policy as it is now, and a draw that is always the same for this id."""
        return Route(self, self._policy, question, answer_id, cancel)

    def learn(self) -> None:
        """Learn what was said since, in this process or another."""
        with self._learning:
            if self.learner and self.learner.catch_up():
                self._policy = self._at_budget()

    def close(self) -> None:
        """Write down what was learned."""
        if self.learner:
            self.learner.close()

    def gave(self, tier: str, *, of: int) -> str | None:
        """Take note of whose answer was given, of so many that could be; return once that it is nearly always one's."""
        if of < 2:
            return None
        with self._guard:
            self._given[tier] += 1
            total = self._given.total()
            most, count = self._given.most_common(1)[0]
            if self._told or total < COLLAPSE_FROM or count < COLLAPSE_SHARE * total:
                return None
            self._told = True
        told = f"{count} of {total} questions went to {most}: there may be nothing to route, or a wrong budget"
        log.warning("the policy %s sends nearly everything to one tier: %s", self.router.name, told)
        return told

    def _at_budget(self) -> PoolPolicy:
        fitted = self.learner.fitted if self.learner else self.router.policy
        if not hasattr(fitted, "at"):
            return fitted
        return cast(Fitted, fitted).at(self.router.budget, confidence=self.router.confidence)


def _try(encoder: SentenceEncoder, file: PoolFile, features: Features) -> None:
    """Try an encoder on one text; PolicyError where a saved policy needs none, or another."""
    if file.kind != "encoder":
        raise PolicyError(
            f"the policy's features are of the kind {file.kind!r}: found an encoder, wanted none; leave it out, or fit "
            "it on --features encoder"
        )
    vectors = encoder(["?"]).astype(float)
    features(Queries(kind="encoder", source=str(encoder.path), texts=("?",), vectors=vectors))
