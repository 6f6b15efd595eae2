"""A pool's policy as it decides about one question: what is seen of the tiers now, and what becomes of its ranking.

    Situation ─▶ Seen (n = 1) ─▶ next ─▶ ask these tiers, one or several at once
                                    └──▶ none: answer ─▶ whose votes count ─▶ the attempt that is the answer

The ranking stands behind every decision: a tier that is down, forbidden or over its budget is closed, and the policy is
asked again, so that the next in its ranking is taken within the same limits.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgecascade.evidence import UNKNOWN
from edgecascade.grading import letter_of
from edgecascade.policies.budgeted import within_limits
from edgecascade.policies.pooled import Estimator, PoolPolicy
from edgecascade.policies.situation import Closed, Situation, best_left, failed_code
from edgecascade.policies.voting import Labels, chosen, labels_of_answers, shares
from edgecascade.pool import Array, Seen
from edgecascade.records import Attempt, Code, Decision, Question

Terms = dict[str, float | str | None]

MIGHT_SHOW = np.array([np.nan, *np.linspace(0.0, 1.0, 17)])
"""What p_correct of an answer may be; a hundredfold, the margin of its first token."""
NEW_WORDS = "\0"
"""An answer that no other says."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rule:
    """A policy with all that stays the same for one question.

    name       for people             tiers      the tier of each model of the pool, in their order
    features   of the query (d,)      draw       as in ``Seen``
    estimator  what it believes, if that is known: its costs are shown        budget  what it was told to spend
    """

    policy: PoolPolicy
    name: str
    tiers: tuple[str, ...]
    features: Array
    draw: float
    estimator: Estimator | None = None
    budget: float | None = None


def allowed(situation: Situation) -> Situation:
    """Return the situation with the places closed that the mode, or the question's tools, leave out."""
    situation = situation.within_mode()
    if situation.question.tools and situation.open("cloud") is not None:
        return situation.without_place(
            "device", Closed("tools", "the question brings tools, and the device's model calls none")
        )
    return situation


def decided(situation: Situation, rule: Rule) -> Decision:
    """Return what a pool's policy decides: which of its tiers to ask now, or whose answer is given."""
    situation = allowed(situation)
    seen = seen_of(situation, rule)
    if not seen.open.any():
        return in_order(situation, f"none of {rule.name}'s models can be asked")
    worth = _worth(rule, seen)
    wanted = np.asarray(rule.policy.next(seen)[0], bool) & seen.open[0] & ~seen.ran[0]
    if not wanted.any() and not seen.ran.any():  # it would rather ask none than these; an answer is wanted all the same
        may = np.flatnonzero(seen.open[0])
        wanted[may[worth[may].argmax()]] = True
    if wanted.any():
        ranked = [rule.tiers[model] for model in np.argsort(-worth, kind="stable") if wanted[model]]
        first, *others = at_once(situation, ranked)
        code, why = _after_failure(situation)
        reason = _ranked(rule, seen, worth, (first, *others))
        return Decision(first, None, code, f"{why}{rule.name}: {reason}", _terms(rule, seen, worth), tuple(others))
    given, votes, said = voted(rule, seen)
    return Decision(None, situation.whole(rule.tiers[given]), "pool", f"{rule.name}: {said}", votes)


def in_order(situation: Situation, why: str) -> Decision:
    """Return the decision without a ranking: the first tier that may be asked, else the best that there is."""
    whole = [number for number, attempt in enumerate(situation.attempts) if attempt.complete]
    if whole:
        return Decision(None, whole[-1], "pool", why)
    tier = next((tier for tier in situation.tiers if situation.may_ask(tier)), None)
    if tier is None:
        return best_left(situation)
    return Decision(tier.name, None, "pool", f"{why}: {tier.name} is the first that may be asked")


def seen_of(situation: Situation, rule: Rule) -> Seen:
    """Return what the policy may know of the question now; tiers that are no models of the pool are not in it."""
    views = {tier.name: tier for tier in situation.tiers}
    numbers = [situation.whole(name) for name in rule.tiers]
    attempts = [None if number is None else situation.attempts[number] for number in numbers]
    ran = np.array([attempt is not None for attempt in attempts])
    may = np.array([name in views and situation.may_ask(views[name]) for name in rule.tiers])
    return Seen(
        features=rule.features[None],
        prompt_tokens=np.array([situation.prompt_tokens]),
        ran=ran[None],
        after=np.array([[_or_nan(attempt.estimate.p_correct) if attempt else np.nan for attempt in attempts]]),
        margin=np.array([[_margin(attempt) for attempt in attempts]]),
        answers=(tuple((said(situation.question, attempt),) if attempt else () for attempt in attempts),),
        open=(ran | may)[None],
        draw=np.array([rule.draw]),
        waits=np.array([views[name].wait if name in views else 0.0 for name in rule.tiers]),
    )


def voted(rule: Rule, seen: Seen) -> tuple[int, Terms, str]:
    """Return the model whose answer is given, each vote's weight, and how it came to it; at least one has run."""
    models, weights, labels = _given(rule, seen)
    given = int(models[0])
    if given < 0:
        worth = np.where(seen.ran[0], _worth(rule, seen), -np.inf)
        given = int(np.where(seen.ran[0] & (worth == worth.max()))[0][0])
        return given, {}, f"the answer of {rule.tiers[given]}, of most worth"
    voters = np.flatnonzero(weights[0])
    if len(voters) == 1:
        return given, {}, f"the answer of {rule.tiers[given]}"
    groups = shares(weights, labels)[0]
    with_it = groups[:, groups[given].argmax()]
    told = f"{rule.tiers[given]}'s answer, with {with_it.sum() / groups.sum():.0%} of the weight of {len(voters)} votes"
    return given, {f"vote_{rule.tiers[voter]}": float(weights[0, voter]) for voter in voters}, told


def _given(rule: Rule, seen: Seen) -> tuple[Labels, Array, Labels]:
    """Return the model whose answer is given (n,), -1 where no vote weighs; and the votes with their labels."""
    weights = np.where(seen.ran, rule.policy.answer(seen), 0.0)
    labels = labels_of_answers(seen.answers or ())
    return chosen(weights, labels), weights, labels


def at_once(situation: Situation, ranked: Sequence[str]) -> list[str]:
    """Return the tiers of a ranking, the first in any case, that the question's own limits allow at the same time."""
    taken: list[str] = []
    for name in ranked:
        view = next(tier for tier in within_limits(situation).tiers if tier.name == name)
        if taken and view.closed:
            continue
        taken.append(name)
        if view.place == "cloud":
            begun = Attempt(name, "cloud", None, UNKNOWN, 0.0, usd=view.usd)
            situation = replace(situation, attempts=(*situation.attempts, begun))
    return taken


def said(question: Question, attempt: Attempt) -> str:
    """Return a whole answer's text, so that equal answers are equal: the letter of a choice, JSON in one spelling."""
    draft = attempt.draft
    assert draft is not None
    if question.choices and (letter := letter_of(draft.text, question.choices)):
        return letter
    if question.schema is not None:
        try:
            return json.dumps(json.loads(draft.text), sort_keys=True)
        except ValueError:
            return draft.text
    return draft.text or json.dumps([(call.name, call.arguments) for call in draft.tool_calls])


def ends_with(situation: Situation, rule: Rule, tier: str) -> bool:
    """Return whether the policy would stop behind a tier's answer and give it, whatever it shows: it may then be
    shown at once. Whatever: of ``MIGHT_SHOW``, in words that are new or those of an answer that is there.
    """
    if tier not in rule.tiers:
        return True
    model, seen = rule.tiers.index(tier), seen_of(allowed(situation), rule)
    (answers,) = seen.answers or ((),)
    words = {NEW_WORDS, *(text for texts in answers for text in texts)}
    said = [(*answers[:model], (text,), *answers[model + 1 :]) for text in words for _ in MIGHT_SHOW]
    seen, shown = seen.rows(np.zeros(len(said), int)), np.tile(MIGHT_SHOW, len(words))
    ran, after, margin = seen.ran.copy(), seen.after.copy(), seen.margin.copy()
    ran[:, model], after[:, model], margin[:, model] = True, shown, 100 * shown
    seen = replace(seen, ran=ran, after=after, margin=margin, answers=tuple(said))
    return not rule.policy.next(seen).any() and bool((_given(rule, seen)[0] == model).all())


def _worth(rule: Rule, seen: Seen) -> Array:
    return np.nan_to_num(np.asarray(rule.policy.worth(seen)[0], np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def _margin(attempt: Attempt | None) -> float:
    """Return the margin of the first token, the signal ``first_margin``; NaN where the tier does not tell it."""
    tokens = attempt.draft.tokens if attempt and attempt.draft else ()
    return tokens[0].margin if tokens else np.nan


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _terms(rule: Rule, seen: Seen, worth: Array) -> Terms:
    """Return the ranking in numbers of what may still be asked, and what the policy expects each call to cost."""
    may = seen.open[0] & ~seen.ran[0]
    named = {"worth": worth} | ({} if rule.estimator is None else {"cost": rule.estimator.cost(seen)[0]})
    terms: Terms = {
        f"{name}_{tier}": float(value) if np.isfinite(value) else None
        for name, values in named.items()
        for tier, value, asked in zip(rule.tiers, values, may, strict=True)
        if asked
    }
    return terms | ({} if rule.budget is None else {"budget": rule.budget})


def _ranked(rule: Rule, seen: Seen, worth: Array, asked: Iterable[str]) -> str:
    """Return where the first of these tiers ranks, and who is next. A worth only orders: its unit is the policy's."""
    first, *others = asked
    models = [rule.tiers.index(name) for name in (first, *others)]
    may = seen.open[0] & ~seen.ran[0] & np.isfinite(worth)
    left = [model for model in np.flatnonzero(may) if model not in models]
    best = max(left, key=lambda model: worth[model], default=models[0])
    told = f"{first} is asked"
    if np.isfinite(worth[models[0]]) and worth[best] <= worth[models[0]]:
        told = f"{first} ranks {'next' if seen.ran.any() else 'first'} at {worth[models[0]]:.3g}"
        told += f", then {rule.tiers[best]} at {worth[best]:.3g}" if left else ""
    return told + (f"; at the same time {', '.join(others)}" if others else "")


def _after_failure(situation: Situation) -> tuple[Code, str]:
    """Return the code of a decision, and how the last tier failed, where it did."""
    last = situation.attempts[-1] if situation.attempts else None
    if last is None or last.failure is None:
        return "pool", ""
    return failed_code(last), f"{last.failure.detail}; "
