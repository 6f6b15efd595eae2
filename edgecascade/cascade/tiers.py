"""The tiers of a cascade: the model on this device with the calibrations that hold for it, and a cloud."""

import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from edgecascade.cascade.gating import Gate, gates_of
from edgecascade.cloud.calls import Meter
from edgecascade.cloud.client import CloudClient, CloudPool
from edgecascade.evidence import UNKNOWN
from edgecascade.identity import sampler_of
from edgecascade.judging import Judge, judge_of
from edgecascade.llama.engine import Engine, WhenRead
from edgecascade.llama.sampling import grammar_of_schema
from edgecascade.local import identity_of
from edgecascade.records import Draft, Ending, Estimate, Place, Question, Sampling, Token
from edgecascade.store.paths import Folders
from edgecascade.store.prices import Price

WRITE_EVERY = 16
"""Answers after which the monitors write down what they saw."""


@dataclass(slots=True)
class LocalTier:
    """An engine in this process; ``close()`` closes it.

    system   the message that it answers best with, and was fitted with
    fitted   the fitted file to use; None: the user's own, else a shipped one
    epsilon  the risk of its ladder that is promised; None: its own
    gated    whether its gates are used
    parameters, bytes  of the weights; 0: unknown
    """

    engine: Engine
    name: str
    sha256: str
    folders: Folders
    system: str | None = None
    fitted: Path | None = None
    epsilon: float | None = None
    gated: bool = True
    parameters: int = 0
    bytes: int = 0
    place: Place = "device"
    _judges: dict[tuple[object, bool], tuple[Judge | None, tuple[Gate, ...]]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def load_seconds(self) -> float:
        """What loading took."""
        return self.engine.load_seconds

    def without_gates(self) -> "LocalTier":
        """Return the same engine as a tier whose gates are not used, and nothing is promised of them."""
        return replace(self, gated=False, _judges={})

    def close(self) -> None:
        """Close the engine, and write down what the monitors saw."""
        for judge, _ in self._judges.values():
            if judge:
                judge.watch.flush()
        self.engine.close()

    def stream(
        self,
        question: Question,
        *,
        hidden: bool = False,
        alternatives: int = 0,
        cancel: threading.Event | None = None,
        when_read: WhenRead | None = None,
    ) -> Generator[Token, None, Ending]:
        """Yield the tokens of an answer, and return how it ended; a schema is followed as a grammar."""
        return self.engine.stream(
            localised(question), hidden=hidden, alternatives=alternatives, cancel=cancel, when_read=when_read
        )

    def stream_samples(
        self, question: Question, samples: int, *, cancel: threading.Event | None = None
    ) -> Generator[tuple[int, Token], None, tuple[Ending, ...]]:
        """Yield (number, token) of several answers, and return how each ended."""
        return self.engine.stream_samples(localised(question), samples, cancel=cancel)

    def judge(self, question: Question) -> Judge | None:
        """Return what judges answers to such a question; None without a fitted file."""
        return self._judging(question)[0]

    def gates(self, question: Question) -> Sequence[Gate]:
        """Return the gates that may stop its answer to a question; none where their file does not hold."""
        return self._judging(question)[1]

    def wants_hidden(self, question: Question) -> bool:
        """Return whether drafts must be written with their hidden states."""
        judge = self.judge(question)
        return judge is not None and judge.wants_hidden

    def estimate(self, question: Question, draft: Draft, measured: Mapping[str, float] | None = None) -> Estimate:
        """Return what the fitted file says of a draft; unknown without one."""
        judge = self.judge(question)
        return judge(localised(question), draft, measured) if judge else UNKNOWN

    def run_of(self, question: Question) -> dict[str, Any]:
        """Return what is recorded of how it runs."""
        identity = identity_of(self.engine, localised(question).sampling, sha256=self.sha256)
        first = question.messages[0]
        system = first.content if first.role == "system" else None
        return {"identity": asdict(identity), "system": system, "width": self.engine.width}

    def _judging(self, question: Question) -> tuple[Judge | None, tuple[Gate, ...]]:
        """Return judge and gates for a question's sampling, read once."""
        sampling = localised(question).sampling
        key = (tuple(sampler_of(sampling).items()), sampling.grammar is not None)
        with self._guard:
            if key not in self._judges:
                self._judges[key] = self._read(sampling)
            return self._judges[key]

    def _read(self, sampling: Sampling) -> tuple[Judge | None, tuple[Gate, ...]]:
        judge = judge_of(
            self.engine, sampling, self.sha256, self.folders,
            explicit=self.fitted, epsilon=self.epsilon, gated=self.gated,
        )  # fmt: skip
        if judge:
            judge.watch.write_every = WRITE_EVERY
        used = judge is not None and judge.gated and judge.identity.state == "fresh"
        return judge, gates_of(judge.fitted.file) if judge and used else ()


def localised(question: Question) -> Question:
    """Return the question as an engine takes it: its schema as a grammar."""
    if question.schema is None:
        return question
    return replace(
        question, schema=None, sampling=replace(question.sampling, grammar=grammar_of_schema(question.schema))
    )


class RemoteTier:
    """A cloud as a tier: a client with its price; ``close()`` closes its connections."""

    place: Literal["cloud"] = "cloud"
    load_seconds = 0.0

    def __init__(self, client: CloudClient, price: Price | None = None, pool: CloudPool | None = None) -> None:
        """Take a client, and the pool that is to be closed with it where it has none of its own."""
        self.client, self.price, self.name = client, price, client.name
        self._pool = pool

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
        return self.client.stream(question, alternatives=alternatives, cancel=cancel, meter=meter, deadline=deadline)

    def down(self) -> str | None:
        """Return why it would not even be asked now; None where it would."""
        wait = self.client.down_for()
        return f"{self.name} failed too often just before, and is asked again in {wait:.0f} s" if wait else None

    def close(self) -> None:
        """Close its connections."""
        self.client.close()
        if self._pool:
            self._pool.close()


def is_far(tier: object) -> bool:
    """Return whether a cloud needs a network: it is neither on this machine nor known to be at a private address."""
    host = urlsplit(tier.client.spec.base_url).hostname if isinstance(tier, RemoteTier) else None
    try:
        return host != "localhost" and not (host and ip_address(host).is_private)  # loopback is private, too
    except ValueError:
        return True
