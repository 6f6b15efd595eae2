"""One question's way with a pool's policy: its features, its draw, its ranking, and what a learner may hear of it."""

import hashlib
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgecascade.cascade.deciding import Rule, allowed, decided, ends_with, in_order, seen_of, voted
from edgecascade.cascade.learning import choice_of
from edgecascade.errors import ConfigError, ContextLengthError, DeviceError, InputError, PolicyError
from edgecascade.policies import Situation
from edgecascade.policies.fixed import cloud_first
from edgecascade.policies.pooled import PoolPolicy
from edgecascade.pool import Array
from edgecascade.records import Attempt, Decision, Question
from edgecascade.store.ledger import Choice

if TYPE_CHECKING:
    from edgecascade.cascade.pooling import Routing

log = logging.getLogger("edgecascade")


class Route:
    """One question's way. As a policy it is asked once a step, and gives the same decision for the same situation."""

    def __init__(
        self, routing: "Routing", policy: PoolPolicy, question: Question, answer_id: str, cancel: threading.Event
    ) -> None:
        """``cancel`` ends the reading of a prompt for its features."""
        self._routing, self._policy, self._question, self._id = routing, policy, question, answer_id
        self._cancel = cancel
        self._draw = int(hashlib.sha256(answer_id.encode()).hexdigest()[:13], 16) / 16**13
        self._rule: Rule | None = None
        self._without: str | None = None
        self._choices = 0

    def __call__(self, situation: Situation) -> Decision:
        """Return what to do next. Mode ``prefer_in_cloud`` asks no policy: the cloud, and the device where none can."""
        if situation.mode == "prefer_in_cloud":
            return cloud_first(situation)
        rule = self._ruled()
        if rule is None:
            return in_order(allowed(situation), self._without or "")
        self._choices = max(self._choices, int(seen_of(allowed(situation), rule).open.sum()))
        decision = decided(situation, rule)
        if decision.run is None and decision.answer is not None and decision.code == "pool":
            tier = situation.attempts[decision.answer].tier
            if told := self._routing.gave(tier, of=self._choices):
                decision = replace(decision, terms={**decision.terms, "collapsed": told})
        return decision

    def may_be_followed(self, situation: Situation, tier: str) -> bool:
        """Return whether another answer may take this tier's place: it is then not shown before that is known."""
        if situation.mode == "prefer_in_cloud" or self._rule is None:
            return False
        return not ends_with(situation, self._rule, tier)

    def best(self, situation: Situation) -> int | None:
        """Return the attempt whose answer is given where no more may be asked: by the votes of what there is."""
        if self._rule is None:
            return None
        seen = seen_of(situation, self._rule)
        return situation.whole(self._rule.tiers[voted(self._rule, seen)[0]]) if seen.ran.any() else None

    def choice(self, given: Attempt | None) -> Choice | None:
        """Return what the ledger keeps of the answer for a learner; None where none learns, or it is no model's."""
        learner, rule = self._routing.learner, self._rule
        if learner is None or rule is None or given is None or given.tier not in rule.tiers or not given.complete:
            return None
        return choice_of(
            self._id,
            learner.key,
            self._policy.models[rule.tiers.index(given.tier)],
            rule.features,
            tokens=given.draft.usage.completion_tokens if given.draft else None,
            seconds=given.seconds,
            usd=given.usd,
        )

    def _ruled(self) -> Rule | None:
        """Return the rule, its features gathered once; None where they cannot be had."""
        if self._rule is None and self._without is None:
            router, features = self._routing.router, self._features()
            if features is None:
                return None
            self._rule = Rule(
                policy=self._policy,
                name=router.name,
                tiers=self._routing.tiers,
                features=features,
                draw=self._draw,
                estimator=self._routing.estimator,
                budget=router.budget,
            )
        return self._rule

    def _features(self) -> Array | None:
        """Return the question's features (d,); None where they cannot be had, and take note of why."""
        try:
            features = np.asarray(self._routing.features(self._question, self._cancel), np.float64).ravel()
        except (DeviceError, InputError) as error:
            if isinstance(error, (PolicyError, ConfigError)) and not self._cancel.is_set():
                raise  # of every question, not of this one
            why = "its prompt is too long for their model" if isinstance(error, ContextLengthError) else "that failed"
            log.warning("the features of a question cannot be had: %s", type(error).__name__)
        else:
            if np.isfinite(features).all():
                return features
            why = "they hold NaN or infinity"
        self._without = f"the question's features cannot be had: {why}"  # the error's own words may quote it
        return None
