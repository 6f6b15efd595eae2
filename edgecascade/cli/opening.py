"""Opening a model, or a cascade with one, for a command: found or fetched, probed, loaded; told on standard error."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecascade.cli.options import model_spec
from edgecascade.cli.progress import progress_bar

if TYPE_CHECKING:
    from edgecascade.cascade.cascade import Cascade
    from edgecascade.cascade.served import ServedTier
    from edgecascade.cascade.waiting import OnLate
    from edgecascade.identity import Identity
    from edgecascade.judging import Judge
    from edgecascade.llama.engine import Engine
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.records import Sampling
    from edgecascade.store.config.settings import Settings
    from edgecascade.store.paths import Folders

BACKGROUND_SECONDS = 30.0
"""How long a command waits, once all is said, for audits and shadows that it began."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model ready to answer.

    engine  it in this process, or a server  name    short, for people
    sha256  of its file's bytes              system  the message it answers best with, if known
    """

    engine: "Engine | ServedTier"
    name: str
    system: str | None
    sha256: str

    def identity(self, sampling: "Sampling") -> "Identity":
        """Return what a calibration of this model with this sampling is bound to."""
        from edgecascade.cascade.served import identity_here

        return identity_here(self.engine, sampling, sha256=self.sha256)

    def judge(
        self, sampling: "Sampling", explicit: Path | None = None, *, epsilon: float | None = None
    ) -> "Judge | None":
        """Return what judges this model's drafts with this sampling; None without a fitted file."""
        from edgecascade.judging import judge_for
        from edgecascade.store.paths import Folders

        return judge_for(self.identity(sampling), Folders.of(os.environ), explicit=explicit, epsilon=epsilon)


@contextmanager
def open_model(spec: str | None, settings: "EngineSettings") -> Iterator[Opened]:
    """Yield the model, and close it afterwards."""
    from edgecascade.local import device_profile, open_engine
    from edgecascade.pull import pull, sha256_of_model, system_of
    from edgecascade.store.paths import Folders
    from edgecascade.store.specs import is_server

    folders, wanted = Folders.of(os.environ), model_spec(spec, os.environ)
    if is_server(wanted):
        with _server(wanted, folders) as server:
            yield server
        return
    with progress_bar() as progress:
        file = pull(wanted, folders=folders, environment=os.environ, home=Path.home(), progress=progress)
    profile = device_profile(folders)
    with open_engine(file.path, settings, folders=folders, notice=_notice, profile=profile) as engine:
        yield Opened(engine, file.name, system_of(file, folders), file.sha256 or sha256_of_model(file.path, folders))


@contextmanager
def _server(address: str, folders: "Folders") -> Iterator[Opened]:
    """Yield a running server as the model, and say where nothing can be promised of it."""
    from edgecascade.cascade.served import ServedTier
    from edgecascade.cloud.specs import cloud_spec
    from edgecascade.records import Sampling
    from edgecascade.store.keys import kept_key

    with ServedTier(cloud_spec(address, os.environ, kept_key), folders) as tier:
        identity = tier.identity(Sampling())
        if not identity.told:
            _notice(f"{address} does not say which file it runs: p_correct will come without a promise")
        yield Opened(tier, tier.name, tier.system, identity.sha256)


def _notice(line: str) -> None:
    click.secho(f"note: {line}", err=True, fg="yellow")


def settings_with(flags: Mapping[str, object], *, on_terminal: Mapping[str, object]) -> "Settings":
    """Return the settings that hold with these flags; "off" as the cloud or the budget is none, whatever is set.

    on_terminal  flags for what is set nowhere, where standard output is a terminal. Elsewhere a draft is held back,
                 whatever the config says: from a file or a pipe nothing can be taken away again
    """
    from edgecascade.cascade.assembling import read_config

    off = {name: None for name in ("cloud", "budget") if flags.get(name) == "off"}
    flags = {**flags, **off}
    if sys.stdout.isatty():
        origin = read_config(flags).origin
        flags |= {name: value for name, value in on_terminal.items() if origin.get(name) == "default"}
    elif not flags.get("stream.show"):
        flags |= {"stream.show": "hold"}
    return read_config(flags).settings.model_copy(update=off)


@contextmanager
def open_cascade(settings: "Settings", engine: "EngineSettings", *, on_late: "OnLate") -> Iterator["Cascade"]:
    """Yield the cascade that the settings describe, and close it when its work in the background is done.

    on_late  is told the answers to questions that had to wait, where the settings let them
    """
    from edgecascade.cascade.assembling import assembled
    from edgecascade.cascade.cascade import Cascade

    noted, settings = _can_be_noted(settings)
    with progress_bar() as progress:
        parts = assembled(settings, engine=engine, progress=progress, notice=_notice).parts()
    with Cascade(**parts | ({} if noted else {"ledger": None}), on_late=on_late if settings.queue else None) as cascade:
        yield cascade
        cascade.finish(BACKGROUND_SECONDS)


def _can_be_noted(settings: "Settings") -> tuple[bool, "Settings"]:
    """Return whether answers can be written down, and the settings; without a ledger no cloud is among them.

    Raises LedgerError or NoSpaceError where only a cloud may answer.
    """
    from edgecascade.errors import LedgerError, NoSpaceError
    from edgecascade.store.ledger import Ledger
    from edgecascade.store.paths import Folders

    try:
        with Ledger(Folders.of(os.environ).state / "ledger.db", clock=time.time) as ledger:
            ledger.tail(1)
    except (LedgerError, NoSpaceError) as error:
        if settings.mode == "only_in_cloud":
            raise
        unasked = "no cloud is asked, and " if settings.cloud else ""
        _notice(f"{unasked}answers are not written down: {error}")
        return False, settings.model_copy(update={"cloud": None, "budget": None, "queue": False, "shadow": 0.0})
    return True, settings
