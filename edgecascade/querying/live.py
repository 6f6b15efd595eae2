"""The features of one question on its way, by the function that made those of the training questions."""

import threading
from collections.abc import Callable, Generator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgecascade.encoders import SentenceEncoder
from edgecascade.errors import PolicyError
from edgecascade.llama.engine import WhenRead
from edgecascade.pool import Array, FeatureKind, Queries
from edgecascade.records import Ending, Question, Token


class Reader(Protocol):
    """A model on this device that tells its hidden state behind a prompt: an engine, or a tier with one."""

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        when_read: WhenRead | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended."""


def live_features(
    features: Callable[[Queries], Array],
    kind: FeatureKind,
    *,
    reader: Reader | None = None,
    encoder: SentenceEncoder | None = None,
) -> Callable[[Question, threading.Event | None], Array]:
    """Return what gives a question's features (d,); an event beside it ends the reading of a prompt.

    reader   the model whose states they were fitted on, for "hidden"      encoder  likewise, for "encoder"

    Raises PolicyError where what the kind needs is not there; "recorded" estimates there are none of live.
    """
    needed = {"hidden": reader, "encoder": encoder, "text": True, "recorded": None}[kind]
    if needed is None:
        wanted = {"hidden": "a model on this device", "encoder": "its sentence encoder"}.get(
            kind, "features of another kind"
        )
        raise PolicyError(
            f"the policy's features are of the kind {kind!r}: found nothing here that makes them, wanted {wanted}; "
            "open it with that, or fit it on --features text"
        )

    def of(question: Question, cancel: threading.Event | None = None) -> Array:
        vectors = None
        if reader and kind == "hidden":
            vectors = prompt_state(reader, question, cancel=cancel)[None].astype(np.float64)
        elif encoder and kind == "encoder":
            vectors = encoder([text_of(question)]).astype(np.float64)
        found: Array = features(Queries(kind=kind, source="live", texts=(text_of(question),), vectors=vectors))[0]
        return found

    return of


def text_of(question: Question) -> str:
    """Return what the user asks last."""
    return next((turn.content for turn in reversed(question.messages) if turn.role == "user"), "")


def prompt_state(reader: Reader, question: Question, *, cancel: threading.Event | None = None) -> NDArray[np.float32]:
    """Return the model's final hidden state behind the prompt (width,); nothing is written.

    The prompt stays in memory: an answer to the same question begins where this ended. PolicyError where there is no
    state, because the model tells none or ``cancel`` was set.
    """
    states: list[NDArray[np.float32]] = []

    def read(prompt_tokens: int, state: "NDArray[np.float32] | None") -> None:
        if state is not None:
            states.append(np.array(state, np.float32))

    tokens = reader.stream(question, hidden=True, cancel=cancel, when_read=read)
    try:
        next(tokens, None)
    finally:
        tokens.close()
    if not states:
        raise PolicyError("the model tells no hidden state of the prompt: wanted one loaded in this process, no server")
    return states[0]
