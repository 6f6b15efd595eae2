"""One call to a cloud: what leaves is cleared and booked first, whatever it is for."""

import json
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from edgecascade.cascade.booking import Bill, Booking, Held, limits_as_caps
from edgecascade.cascade.running import DeviceTier, Tokens, in_cloud
from edgecascade.cloud.calls import Meter
from edgecascade.errors import QuestionFileError
from edgecascade.evidence import UNKNOWN
from edgecascade.grading import grade, letter_of
from edgecascade.labelled import LabelledQuestion
from edgecascade.privacy import Rules, clear, cleared_question
from edgecascade.records import Attempt, Ending, Failure, Message, Place, Question, Token
from edgecascade.store.ledger import Cap, Ledger
from edgecascade.store.ledger.rows import Purpose
from edgecascade.store.prices import Price

if TYPE_CHECKING:
    from typing_extensions import TypeIs


class CloudTier(Protocol):
    """A tier that is asked over the network."""

    @property
    def name(self) -> str:
        """What it is called, unique in its cascade."""

    @property
    def place(self) -> Place:
        """Where it answers: "cloud"."""

    @property
    def load_seconds(self) -> float:
        """0."""

    @property
    def price(self) -> Price | None:
        """What its tokens cost; None: unknown."""

    def close(self) -> None:
        """Close its connections."""

    def down(self) -> str | None:
        """Return why it would not even be asked now; None where it would."""

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        meter: Meter | None = None,
        deadline: float | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended; ``meter`` is asked before each request."""


AnyTier = DeviceTier | CloudTier


def is_cloud(tier: AnyTier) -> "TypeIs[CloudTier]":
    """Return whether a tier is asked over the network."""
    return tier.place == "cloud"


@dataclass(frozen=True, slots=True)
class Desk:
    """What every call passes: the privacy rules, and the ledger that holds the budgets; None: no ledger, no budget."""

    rules: Rules = field(default_factory=Rules)
    ledger: Ledger | None = None
    caps: Sequence[Cap] = ()

    def call(
        self,
        tier: CloudTier,
        question: Question,
        answer_id: str,
        purpose: Purpose,
        *,
        cancel: threading.Event,
        before: str = "",
        deadline: float | None = None,
        held: Held | None = None,
    ) -> Tokens:
        """Yield a cloud's tokens, and return its attempt.

        before    a broken answer's text, which it is to go on behind     deadline  on the monotonic clock
        held      the calls of this answer so far; None: there are none
        """
        if before:
            question = replace(question, messages=(*question.messages, Message("assistant", before)))
        cleared = clear(question, self.rules)
        if cleared.blocked:
            return Attempt(tier.name, "cloud", None, UNKNOWN, 0.0, failure=Failure("blocked", cleared.blocked))
        bill = Bill()
        caps = (*limits_as_caps(question.limits), *self.caps)
        booking = Booking(self.ledger, answer_id, caps, cleared.redacted, held or Held())
        meter = booking.meter(tier.price, purpose, bill)
        sent = cleared_question(question, cleared)
        attempt = yield from in_cloud(
            tier.name,
            lambda: tier.stream(sent, cancel=cancel, meter=meter, deadline=deadline),
            originals=cleared.restore,
            spent=bill.usd,
            before=before,
            as_json=question.schema is not None,
        )
        unusable = _unusable(question, attempt)
        return replace(attempt, failure=Failure("protocol", unusable)) if unusable else attempt


def _unusable(question: Question, attempt: Attempt) -> str | None:
    """Return why a whole answer is none to this question; None where it is."""
    if not attempt.complete or attempt.draft is None or attempt.draft.tool_calls:
        return None
    text = attempt.draft.text
    if question.choices and letter_of(text, question.choices) is None:
        return "the cloud's answer names none of the choices, or more than one"
    if question.schema is not None and not _follows(question.schema, text):
        return "the cloud's answer is no JSON that follows the schema"
    return None


def _follows(schema: str, text: str) -> bool:
    """Return whether a text is JSON that follows a schema; with keywords that are not understood, any JSON does."""
    try:
        return _follows_all(json.loads(schema), text)
    except QuestionFileError:
        return _follows_all(True, text)


def _follows_all(schema: object, text: str) -> bool:
    asked = LabelledQuestion(id="", task="", messages=(), metric="json_schema", grading={"schema": schema})
    return grade(text, asked).score == 1.0
