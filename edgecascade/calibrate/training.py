"""Heads fitted with scikit-learn: the candidates, from plain to rich, and how each is written as ONNX.

    compact  logistic regression on a few signals of different kinds: probabilities, entropy, length, the second look
    linear   the mean of compact and of the same on every signal
    hidden   the mean of linear and of the same on every signal and the hidden states
    trees    gradient-boosted trees on every signal

Each candidate chooses its own strength of regularisation by cross-validation inside the rows that it is given. A head
on hidden states is folded back onto the states themselves, so that it stays linear and runs in numpy.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecascade.calibrate.table import Table
from edgecascade.heads import Head, Inputs, LinearHead, Matrix, Vector
from edgecascade.signals import SIGNALS

STRENGTHS = (0.003, 0.03, 0.3)
"""scikit-learn's C for standardised signals: the smaller, the stronger the penalty."""
STATE_STRENGTHS = (0.0005, 0.002)
"""The same where hidden states are among the inputs: a thousand of them need a stronger one."""
SIGNAL_SCALE = 3.0
"""How much less a signal is penalised than a number of the hidden states."""
INNER_FOLDS = 3
COMPACT = (
    "mean_logprob",
    "sum_logprob",
    "min_logprob",
    "span_logprob",
    "max_entropy",
    "first_margin",
    "tokens",
    "cut_off",
    "second_look",
    "looked_again",
)


@dataclass(frozen=True, slots=True)
class TreesHead:
    """Gradient-boosted trees, before they are written as ONNX; float32 inputs, as there."""

    inputs: Inputs
    model: Any

    def __call__(self, matrix: Matrix) -> Vector:
        """Return the logits, shape (rows,)."""
        logits: Vector = self.model.decision_function(matrix.astype(np.float32))
        return logits


Candidate = Callable[[Table], Head]


def compact(table: Table) -> Head:
    """Return logistic regression on a few signals of different kinds."""
    return _on(table, Inputs(COMPACT))


def linear(table: Table) -> Head:
    """Return the mean of the compact head and one on every signal: the first steadies the second on new tasks."""
    everything = Inputs(tuple(SIGNALS))
    return _mean([_on(table, Inputs(COMPACT)), _on(table, everything)], everything)


def hidden(table: Table) -> Head:
    """Return a head on signals and hidden states, steadied by the linear one at equal parts."""
    state = table.attempts[0].draft.hidden
    width = len(state.prompt) if state else 0
    everything = Inputs(tuple(SIGNALS), ("prompt", "answer"), width)
    plain = [_on(table, Inputs(COMPACT)), _on(table, Inputs(tuple(SIGNALS)))]
    states = _on(table, everything)
    return _mean([states, states, *plain], everything)


def trees(table: Table) -> Head:
    """Return gradient-boosted trees on every signal."""
    from sklearn.ensemble import GradientBoostingClassifier

    inputs = Inputs(tuple(SIGNALS))
    model = GradientBoostingClassifier(
        n_estimators=120, learning_rate=0.06, max_depth=3, subsample=0.5, max_features="sqrt",
        min_samples_leaf=max(5, len(table) // 100), random_state=0,
    )  # fmt: skip
    model.fit(table.matrix(inputs).astype(np.float32), table.y)
    return TreesHead(inputs, model)


CANDIDATES: dict[str, Candidate] = {
    "compact": compact,
    "linear": linear,
    "hidden": hidden,
    "trees": trees,
}
"""From plain to rich: a later one must earn its place against the best of the earlier ones."""


def _on(table: Table, inputs: Inputs) -> LinearHead:
    return logistic_head(table.matrix(inputs), table.y, inputs)


def _mean(heads: Sequence[LinearHead], inputs: Inputs) -> LinearHead:
    """Return the mean of linear heads as one, on inputs that hold all of theirs."""
    weights = np.zeros(len(inputs))
    for head in heads:
        places = [inputs.signals.index(name) for name in head.inputs.signals]
        if head.inputs.hidden:
            places += range(len(inputs.signals), len(inputs))
        weights[places] += head.weights / len(heads)
    return LinearHead(inputs, weights, sum(head.intercept for head in heads) / len(heads))


def logistic_head(matrix: Matrix, y: Vector, inputs: Inputs) -> LinearHead:
    """Return the penalised logistic regression whose strength cross-validates best."""
    features, unfold = _standardised(matrix, len(inputs.signals))
    strengths = STATE_STRENGTHS if inputs.hidden else STRENGTHS
    weights, intercept = _logistic(features, y, _best_strength(features, y, strengths))
    return LinearHead(inputs, *unfold(weights, intercept))


Unfold = Callable[[Vector, float], tuple[Vector, float]]


def _standardised(matrix: Matrix, signals: int) -> tuple[Matrix, Unfold]:
    """Return standardised signals and hidden states, and what folds weights on them back onto the inputs."""
    plain, states = matrix[:, :signals], matrix[:, signals:]
    mean, scale = plain.mean(0), plain.std(0)
    scale[scale < 1e-9] = np.inf  # a signal that never changes says nothing
    features = (plain - mean) / scale
    if not states.shape[1]:
        return features, lambda weights, intercept: (weights / scale, float(intercept - weights @ (mean / scale)))
    middle, spread = states.mean(0), states.std(0) + 1e-9

    def unfold(weights: Vector, intercept: float) -> tuple[Vector, float]:
        own, rest = SIGNAL_SCALE * weights[:signals] / scale, weights[signals:] / spread
        return np.concatenate([own, rest]), float(intercept - own @ mean - rest @ middle)

    return np.hstack([SIGNAL_SCALE * features, (states - middle) / spread]), unfold


def _best_strength(features: Matrix, y: Vector, strengths: Sequence[float]) -> float:
    """Return the strength with the least log-loss in stratified cross-validation."""
    from sklearn.model_selection import StratifiedKFold

    folds = min(INNER_FOLDS, int(min(y.sum(), len(y) - y.sum())))
    if folds < 2:
        return strengths[0]
    losses = np.zeros(len(strengths))
    for rest, held in StratifiedKFold(folds, shuffle=True, random_state=0).split(features, y):
        for number, strength in enumerate(strengths):
            weights, intercept = _logistic(features[rest], y[rest], strength)
            logits = features[held] @ weights + intercept
            losses[number] += np.logaddexp(0, -logits * (2 * y[held] - 1)).sum()
    return strengths[int(losses.argmin())]


def _logistic(features: Matrix, y: Vector, strength: float) -> tuple[Vector, float]:
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops at its last iteration is as good as any here
        model = LogisticRegression(C=strength, max_iter=500).fit(features, y)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def onnx_of(head: Head) -> bytes:
    """Return a head as an ONNX file: its last output is the logit, shape (rows, 1)."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    columns = len(head.inputs)
    if isinstance(head, TreesHead):
        kind, model = FloatTensorType([None, columns]), head.model
    else:
        assert isinstance(head, LinearHead)
        from sklearn.linear_model import LogisticRegression

        kind, model = DoubleTensorType([None, columns]), LogisticRegression()
        model.coef_, model.intercept_ = head.weights[None, :], np.array([head.intercept])
        model.classes_, model.n_features_in_ = np.array([0, 1]), columns
    options = {id(model): {"zipmap": False, "raw_scores": True}}
    written = convert_sklearn(model, "head", [("inputs", kind)], options=options)  # unnamed it would get a random name
    content: bytes = written.SerializeToString()
    return content
