"""The gates of a fitted file at work: they look at a draft while it is written.

A gate looks at the first ``at`` tokens once a further one has come, as it did when it was fitted: answers that end
before are left alone. What it stops is not kept, whether the decode was really stopped or had to go on for want of a
cloud: the certificate is about the gates and the threshold together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecascade.heads import Inputs, LinearHead
from edgecascade.records import GateOutcome, HiddenStates, Token
from edgecascade.signals import running_signals
from edgecascade.store.fitted_files import FittedFile, GatePart


@dataclass(frozen=True, slots=True)
class Gate:
    """Stop an answer after ``at`` tokens where the head's logit is below ``stop_below``.

    left  tokens that an answer which it stops had left to write, on average where it was fitted; None: unknown
    """

    at: int
    head: LinearHead
    stop_below: float
    left: float | None = None

    @property
    def wants_hidden(self) -> bool:
        """Whether it looks at the prompt's hidden state."""
        return bool(self.head.inputs.hidden)

    def logit(self, tokens: Sequence[Token], prompt_tokens: int, state: NDArray[np.float32] | None) -> float:
        """Return what it sees of an answer's first tokens; ``state``: the prompt's hidden state."""
        hidden = None if state is None else HiddenStates(state, None)
        row = self.head.inputs.vector(running_signals(tokens[: self.at], prompt_tokens), hidden)
        return float(self.head(row[None, :])[0])


def look_of(
    at: int, logit: float, stop_below: float, saved: tuple[float, float, float | None] = (0.0, 0.0, None)
) -> GateOutcome:
    """Return what a gate says of a logit; ``saved``: tokens, seconds and joules, where it stops the answer."""
    return GateOutcome("G0" if at == 1 else "G1", at, logit, stop_below, logit >= stop_below, *saved)


def gates_of(file: FittedFile) -> tuple[Gate, ...]:
    """Return the gates of a fitted file, the earliest first."""
    return tuple(
        Gate(
            part.at,
            LinearHead(Inputs(part.signals, part.hidden, part.width), np.array(part.weights), part.intercept),
            part.stop_below,
            _left(part, file.provenance.get("mean_tokens")),
        )
        for part in sorted(file.gates, key=lambda part: part.at)
    )


def _left(part: GatePart, mean_tokens: float | None) -> float | None:
    return part.tokens_saved / part.stops * mean_tokens if mean_tokens and part.stops else None


@dataclass(frozen=True, slots=True)
class Usual:
    """What is known of earlier answers, for what a gate saves: mean tokens an answer, and the device's watts.

    >>> Usual(40.0, 5.0).saved(at=8, left=None, seconds_a_token=0.1)
    (32.0, 3.2, 16.0)
    """

    tokens: float | None = None
    watts: float | None = None

    def saved(self, *, at: int, left: float | None, seconds_a_token: float) -> tuple[float, float, float | None]:
        """Return the tokens, seconds and joules that an answer stopped here is expected to have left to write.

        left  what its gate knows of that; None: the usual length is taken, which is that of answers nobody stopped
        """
        tokens = max((self.tokens or 0.0) - at, 0.0) if left is None else left
        seconds = tokens * seconds_a_token
        return tokens, seconds, None if self.watts is None else seconds * self.watts


class GateWatch:
    """Looks at one draft, token by token."""

    def __init__(self, gates: Sequence[Gate], usual: Usual) -> None:
        self._gates, self._usual = list(gates), usual
        self._prompt_tokens = 0
        self._state: NDArray[np.float32] | None = None

    @property
    def wants_hidden(self) -> bool:
        """Whether the draft must be written with its hidden states."""
        return any(gate.wants_hidden for gate in self._gates)

    def read(self, prompt_tokens: int, state: NDArray[np.float32] | None) -> None:
        """Take note of the prompt: its length, and its hidden state."""
        self._prompt_tokens, self._state = prompt_tokens, state

    @property
    def prompt_tokens(self) -> int:
        """How long the prompt was, 0 before it was read."""
        return self._prompt_tokens

    def look(self, tokens: Sequence[Token]) -> GateOutcome | None:
        """Return what the gate at this place says, where there is one."""
        if not self._gates or len(tokens) <= self._gates[0].at:
            return None
        tokens = [token for token in tokens if token.told]  # as in a draft: the others say nothing
        if len(tokens) <= self._gates[0].at:
            return None
        gate = self._gates.pop(0)
        outcome = look_of(gate.at, gate.logit(tokens, self._prompt_tokens, self._state), gate.stop_below)
        if outcome.passed:
            return outcome
        a_token = sum(token.seconds for token in tokens[1:]) / (len(tokens) - 1)
        saved = self._usual.saved(at=gate.at, left=gate.left, seconds_a_token=a_token)
        return look_of(gate.at, outcome.value, gate.stop_below, saved)
