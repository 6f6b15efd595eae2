"""The models that a program's modules ask: found at once, opened when the first of them must answer.

A model on this device answers as it does under ``ask``, with its own system message. A server's address stands for
this device too. A cloud (``openai:MODEL`` and its like) is asked as ``calibrate --cloud`` asks it: booked in the ledger
and within the user's budgets, its prompts as they are. They are made of a question file whose owner has chosen to send
it, and a placeholder in them would change what is graded; questions that hold secrets are for models on this device.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from edgecascade import evidence
from edgecascade.cascade.assembling import remote_tier
from edgecascade.cascade.booking import Bill, Booking
from edgecascade.cascade.served import ServedTier
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.cloud.specs import PROVIDERS, cloud_spec
from edgecascade.errors import ConfigError
from edgecascade.llama import native
from edgecascade.llama.engine import Engine
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import Notice, device_profile, open_engine
from edgecascade.pull import pull, sha256_of_model, system_of
from edgecascade.records import Draft, Question, Sampling
from edgecascade.store.calls import Reply
from edgecascade.store.config.settings import Settings
from edgecascade.store.downloads import Progress
from edgecascade.store.keys import kept_key
from edgecascade.store.ledger import Cap, Ledger, caps_of
from edgecascade.store.paths import Folders
from edgecascade.store.prices import Price
from edgecascade.store.specs import is_server


class Member(Protocol):
    """A model of the pool.

    name      as it was named
    identity  what its replies depend on besides the question: of one identity, one reply
    system    the message that stands before every prompt; None for none
    price     of its tokens; None of a model on this device, which costs nothing, and where it is unknown
    """

    @property
    def name(self) -> str:
        """As it was named."""

    @property
    def identity(self) -> str:
        """Its identity, as JSON."""

    @property
    def system(self) -> str | None:
        """Its system message."""

    @property
    def price(self) -> Price | None:
        """Its price."""

    def open(self) -> None:
        """Make ready to answer; DeviceError where that cannot be, for want of memory above all."""

    def answer(self, question: Question) -> Reply:
        """Return its reply; ContextLengthError where the question is too long for it."""

    def close(self) -> None:
        """Free the memory that it takes; asked again, it opens again."""


class TierMember:
    """A tier that is open already and costs nothing: a server that stands for this device, or a double."""

    price: Price | None = None

    def __init__(self, name: str, tier: evidence.Tier, identity: str, *, system: str | None = None) -> None:
        self.name, self.identity, self.system, self._tier = name, identity, system, tier

    def open(self) -> None:
        """Return at once."""

    def answer(self, question: Question) -> Reply:
        """Return the tier's reply."""
        return as_reply(evidence.draft(self._tier, question), usd=0.0)

    def close(self) -> None:
        """Leave the tier open: it is another's."""


class LocalMember:
    """A model file, fetched where it is missing, and loaded when it is first asked."""

    price: Price | None = None

    def __init__(
        self, name: str, settings: EngineSettings, folders: Folders, *, progress: Progress, notice: Notice
    ) -> None:
        file = pull(name, folders=folders, environment=os.environ, home=Path.home(), progress=progress)
        self.name, self.system = name, system_of(file, folders)
        self.identity = _identity(file.sha256 or sha256_of_model(file.path, folders), settings)
        self._path, self._settings, self._folders, self._notice = file.path, settings, folders, notice
        self._engine: Engine | None = None

    def open(self) -> None:
        """Load the model, where it is not loaded."""
        if self._engine is None:
            profile = device_profile(self._folders)
            self._engine = open_engine(
                self._path, self._settings, folders=self._folders, notice=self._notice, profile=profile
            )

    def answer(self, question: Question) -> Reply:
        """Return the model's reply."""
        self.open()
        assert self._engine is not None
        return as_reply(evidence.draft(self._engine, question), usd=0.0)

    def close(self) -> None:
        """Free its memory."""
        if self._engine:
            self._engine.close()
        self._engine = None


class CloudMember:
    """A cloud whose every call stands in the ledger."""

    system: str | None = None

    def __init__(self, name: str, tier: RemoteTier, ledger: Ledger, caps: Sequence[Cap] = ()) -> None:
        """Take a cloud that is open, and what its calls may cost."""
        self.name, self.price, self._tier, self._ledger, self._caps = name, tier.price, tier, ledger, caps
        self.identity = json.dumps({"address": tier.client.spec.base_url, "model": tier.client.spec.model})

    def open(self) -> None:
        """Return at once."""

    def answer(self, question: Question) -> Reply:
        """Return the cloud's reply and its price; BudgetError where the call may not be made."""
        booking, bill = Booking(self._ledger, uuid.uuid4().hex, self._caps), Bill()
        meter = booking.meter(self.price, "calibrate", bill)
        writing = evidence.drafting(self._tier, question, self._tier.stream(question, meter=meter))
        try:
            while True:
                next(writing)
        except StopIteration as stop:
            return as_reply(stop.value, usd=bill.usd())

    def close(self) -> None:
        """Leave the cloud open: it takes no memory to speak of."""


def as_reply(draft: Draft, *, usd: float | None) -> Reply:
    """Return what is kept of a draft."""
    usage = draft.usage
    return Reply(draft.text, usage.prompt_tokens, usage.completion_tokens, draft.timings.total_s, usd)


def cloud_of(name: str, settings: Settings) -> RemoteTier:
    """Return the cloud of a name, with the user's prices and time-outs; ConfigError where none may be asked."""
    if settings.offline:
        raise ConfigError(
            f"this device is set to be offline: found {name!r} to be asked, wanted no cloud; leave it out of the "
            "models, or unset EDGECASCADE_OFFLINE"
        )
    return remote_tier(settings.model_copy(update={"cloud": name}))


@contextmanager
def open_members(
    names: Sequence[str],
    engine: EngineSettings,
    settings: Settings,
    ledger: Ledger,
    *,
    progress: Progress,
    notice: Notice,
) -> Iterator[Mapping[str, Member]]:
    """Yield the models by name, in their order, and close them afterwards; ConfigError where one is named twice."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"the model {twice[0]!r} is named twice: wanted every model once; leave one out")
    folders = Folders.of(os.environ)
    with ExitStack() as opened:
        members: dict[str, Member] = {}
        for name in names:
            if name.partition(":")[0] in PROVIDERS:
                tier = cloud_of(name, settings)
                opened.callback(tier.close)
                member: Member = CloudMember(name, tier, ledger, caps_of(settings.budget) if settings.budget else ())
            elif is_server(name):
                server = opened.enter_context(ServedTier(cloud_spec(name, os.environ, kept_key), folders))
                known = {"address": name, **server.identity(Sampling()).as_json()}
                member = TierMember(name, server, json.dumps(known, sort_keys=True))
            else:
                member = LocalMember(name, engine, folders, progress=progress, notice=notice)
            opened.callback(member.close)
            members[name] = member
        yield members


def _identity(sha256: str, settings: EngineSettings) -> str:
    """Return what a model file's greedy replies depend on: all settings but threads, whose difference is rounding.

    Known without loading model or library, so that a run whose replies are all on record loads neither.
    """
    known = {"sha256": sha256, "library": native.version(), **asdict(replace(settings, threads=None))}
    return json.dumps(known, sort_keys=True)
