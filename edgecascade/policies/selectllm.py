"""SelectLLM: ask the few models most likely to be right, and let them vote.

Maurya, Srivatsa, Kochmar, "SelectLLM: Query-Aware Efficient Selection Algorithm for Large Language Models",
arXiv:2408.08545: a multi-label classifier says of each model whether its (majority) answer would be
right; then, of s models,

    MaxConf           the most confident vote, one vote each        LabelledMaxConf   of them those above one half
    WeightedMaxConf   each vote weighs its confidence: the answer is argmax_a of the sum of p_l x (share of l's samples
                      that equal a) over the models l             ConfArgMax        s = 1

Different from the paper: logistic regression on the query's features instead of RoBERTa; its confidences are calibrated
by Platt, model by model; s and the kind are chosen by quality on all training rows, each judged by a classifier and a
calibrator that have not seen it (the paper: one dev split); the ranking is by p - price x cost, so that a budget can be
kept; a model that cannot be asked is left out, and the next takes its place. In sequence the most confident is asked
first, and nobody more once the vote cannot turn. The classifier's class weights are left out: calibration undoes them.
Left out: the sibling program's random choice among three below a confidence of .60.

A sample's vote is 1/samples of its model's, so that ten samples do not outvote one. Where no answers are recorded equal
quality counts as equal answer, the least that voting could get.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from edgecascade.calibrators import platt
from edgecascade.calibrators.logistic import logit, sigmoid
from edgecascade.estimators.before import fit_regression
from edgecascade.estimators.folds import Parts, folds_of
from edgecascade.estimators.logistic import Logistic
from edgecascade.estimators.stored import arrays
from edgecascade.policies.frontier import SLACK, keeps, lagrangian_sweep
from edgecascade.policies.pooled import Estimator, Fit, PoolPolicy, Training
from edgecascade.policies.subsets import (
    KINDS,
    Kind,
    Setting,
    asked_in_sequence,
    following,
    ranking,
    subset,
    voted,
    votes,
)
from edgecascade.policies.voting import Labels, labels_of, labels_of_answers
from edgecascade.pool import Array, Feedback, Mask, Seen

RIGHT = 0.5
"""The quality from which a majority of the samples is right."""
FOLDS = 5
PRICES = 20
MOST_ROWS = 3000
"""Settings are compared on so many training rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Chance of each model's being right: sigmoid(slopes x log-odds + intercepts), slopes and intercepts (k,)."""

    logistic: Logistic
    slopes: Array
    intercepts: Array

    def __call__(self, features: Array) -> Array:
        """Return calibrated confidences (n, k)."""
        return sigmoid(self.slopes * self.logistic.log_odds(features) + self.intercepts)


def fit_classifier(features: Array, quality: Array, parts: Parts) -> tuple[Classifier, Array]:
    """Return the classifier of quality (n, k) by features (n, d), and every row's confidences without its fold (n, k).

    parts  the fold of each row (n,)
    """
    right = (quality >= RIGHT).astype(np.float64)
    logistic, raw = fit_regression(features, right, parts)
    held = np.empty(right.shape)
    for part in range(int(parts.max(initial=0)) + 1):
        out = parts == part
        slopes, intercepts = _calibrated(raw[~out], right[~out])
        held[out] = sigmoid(slopes * raw[out] + intercepts)
    return Classifier(logistic, *_calibrated(raw, right)), held


def _calibrated(raw: Array, right: Array) -> tuple[Array, Array]:
    """Return Platt's slopes and intercepts (k,); the base rate for a model that is always right, or never."""
    pairs = []
    for scores, labels in zip(raw.T, right.T, strict=True):
        if 0 < labels.sum() < len(labels):
            found = platt.fit(scores, labels)
            pairs.append((found.slope, found.intercept))
        else:
            pairs.append((0.0, logit(float((labels.sum() + 1) / (len(labels) + 2)))))
    slopes, intercepts = np.array(pairs).T
    return slopes, intercepts


def fit(training: Training, *, seed: int = 0, sequence: bool = False, kinds: tuple[Kind, ...] = KINDS) -> "SelectLLM":
    """Return SelectLLM with every setting of ``kinds`` tried on the training rows; the budget chooses among them.

    sequence  ask one after the other until the vote is decided, instead of all at once
    """
    parts = folds_of(training.table.tasks, FOLDS, seed)
    classifier, held = fit_classifier(training.features, training.table.quality, parts)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(held))[:MOST_ROWS])
    table, features = training.table.rows(drawn), training.features[drawn]
    seen = Seen.first(features, len(table.models), prompt_tokens=table.prompt_tokens)
    p = np.stack([held[drawn], classifier(features)])
    expected = np.stack([training.beliefs.cost[drawn], training.estimator.cost(seen)])
    prices, labels, k = _prices(p[0], expected[0]), labels_of(table), len(table.models)
    votes_of = [(size, kind) for size in range(1, k + 1) for kind in (kinds if size > 1 else kinds[:1])]
    settings = tuple(Setting(kind, size, price) for size, kind in votes_of for price in prices)
    compared = None if table.answers is None else labels
    quality, cost = np.empty((2, len(settings)))
    for number, setting in enumerate(settings):
        ran = np.stack([_asked(*view, setting, compared, sequence) for view in zip(p, expected, strict=True)])
        answered = voted(p[0], setting.kind, labels, ran[0])
        quality[number] = table.quality[np.arange(len(table)), answered].mean()
        cost[number] = np.where(ran, table.cost, 0.0).sum(axis=2).mean(axis=1).max()
    return SelectLLM(
        table.models, classifier, training.estimator, settings, quality, cost, p, expected, table.cost, sequence
    )


def _asked(p: Array, expected: Array, setting: Setting, labels: Labels | None, sequence: bool) -> Mask:
    """Return who is asked of questions for which everybody is there (n, k)."""
    nobody = np.zeros(p.shape, bool)
    wanted, place = subset(p, expected, setting, open=~nobody, ran=nobody)
    return asked_in_sequence(votes(p, setting.kind), place, wanted, labels) if sequence else wanted


def _prices(p: Array, cost: Array) -> list[float]:
    """Return prices from "the cheapest" to 0, at which as many choices of one model change between each two."""
    found = lagrangian_sweep(p, cost).prices
    return [np.inf, *np.quantile(found, np.linspace(1, 0, PRICES)).tolist(), 0.0] if found.size else [0.0]


@dataclass(frozen=True, slots=True, eq=False)
class SelectLLM:
    """Fitted on n questions and k models, with m settings tried.

    p, expected  confidences and cost believed of the training rows (2, n, k): without their fold, and as if these very
                 questions were asked again, for the classifier of all rows is surer than those of the folds and
                 asks dearer models
    cost         that they had (n, k)
    quality      of each setting by the first of the two (m,)       mean_cost  by the dearer of the two (m,)
    """

    models: tuple[str, ...]
    classifier: Classifier
    estimator: Estimator
    settings: tuple[Setting, ...]
    quality: Array
    mean_cost: Array
    p: Array
    expected: Array
    cost: Array
    sequence: bool

    @property
    def merit(self) -> Array:
        """What settings are chosen by (m,): quality, of a vote less a standard error, for the best of many is luck too.

        Without it 2.6 models are asked on edge_table, where votes by quality gain nothing; with it one, and with
        answers to vote on as many as before.
        """
        vote = np.array([one.size > 1 for one in self.settings])
        return self.quality - vote * float(np.sqrt(RIGHT * (1 - RIGHT) / len(self.cost)))

    def at(self, budget: float | None = None, *, confidence: float | None = None) -> PoolPolicy:
        """Return the setting of most merit that keeps the budget, of equals the cheapest; else the cheapest of all.

        With a confidence every setting that is passed keeps it at once: prices fall from the cheapest on within each
        size and subset rule until one fails, and the risk is shared equally among these ladders. In sequence the
        whole subset's cost is held against the budget then, more than will be spent.
        """
        limit = np.inf if budget is None else budget * (1 + SLACK)
        allowed = self.mean_cost <= limit
        if budget is not None and confidence is not None:
            allowed &= self._shown(budget, confidence)
        if not allowed.any():
            return SelectPolicy(self, Setting("weighted", 1, np.inf))
        order = np.lexsort((self.mean_cost, -self.merit, ~allowed))
        return SelectPolicy(self, self.settings[int(order[0])])

    def _shown(self, budget: float, confidence: float) -> Mask:
        ladders: dict[tuple[bool, int], list[int]] = {}
        for number, one in enumerate(self.settings):
            ladders.setdefault((one.kind == "labelled", one.size), []).append(number)
        each = 1 - (1 - confidence) / len(ladders)
        shuffled = np.random.default_rng(0).permutation(len(self.cost))
        passed = np.zeros(len(self.settings), bool)
        for numbers in ladders.values():
            for price in sorted({self.settings[number].price for number in numbers}, reverse=True):
                same = [number for number in numbers if self.settings[number].price == price]
                setting = self.settings[same[0]]
                ran = [_asked(*view, setting, None, False) for view in zip(self.p, self.expected, strict=True)]
                if not all(keeps(row[shuffled], budget, each) for row in np.where(ran, self.cost, 0.0).sum(axis=2)):
                    break
                passed[same] = True
        return passed

    def learn(self, feedback: Feedback) -> Self:
        """Return itself: it does not learn from single answers."""
        return self

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` reads."""
        arrays = {name: getattr(self, name) for name in ("quality", "mean_cost", "p", "expected", "cost")}
        return arrays | {
            "models": list(self.models),
            "logistic": self.classifier.logistic.as_json(),
            "slopes": self.classifier.slopes,
            "intercepts": self.classifier.intercepts,
            "settings": [asdict(one) | {"price": None if np.isinf(one.price) else one.price} for one in self.settings],
            "sequence": self.sequence,
        }


def of_json(record: Mapping[str, Any], estimator: Estimator) -> SelectLLM:
    """Return what was saved."""
    settings = [
        Setting(one["kind"], int(one["size"]), np.inf if one["price"] is None else float(one["price"]))
        for one in record["settings"]
    ]
    slopes, intercepts, quality, mean_cost, p, expected, cost = arrays(
        record, slopes="k", intercepts="k", quality="m", mean_cost="m", p="2nk", expected="2nk", cost="nk"
    )
    classifier = Classifier(Logistic.of_json(record["logistic"]), slopes, intercepts)
    return SelectLLM(
        tuple(record["models"]), classifier, estimator, tuple(settings), quality, mean_cost, p, expected, cost,
        bool(record["sequence"]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class SelectPolicy:
    """SelectLLM at one setting."""

    fitted: SelectLLM
    setting: Setting

    @property
    def models(self) -> tuple[str, ...]:
        """The pool."""
        return self.fitted.models

    def next(self, seen: Seen) -> Mask:
        """Return the whole subset, or in sequence its next member until the vote is decided."""
        p, cost = self.fitted.classifier(seen.features), self.fitted.estimator.cost(seen)
        wanted, place = subset(p, cost, self.setting, open=seen.open, ran=seen.ran)
        if not self.fitted.sequence:
            return wanted & ~seen.ran
        labels = None if seen.answers is None else labels_of_answers(seen.answers)
        return following(votes(p, self.setting.kind), place, wanted, seen.ran, labels)

    def answer(self, seen: Seen) -> Array:
        """Return the weight of each vote that was cast (n, k)."""
        return np.where(seen.ran, votes(self.fitted.classifier(seen.features), self.setting.kind), 0.0)

    def worth(self, seen: Seen) -> Array:
        """Return confidence less the price of cost (n, k)."""
        cost = self.fitted.estimator.cost(seen)
        return ranking(self.fitted.classifier(seen.features), cost, self.setting.price)


FITS: Mapping[str, Fit] = {"selectllm": fit}
