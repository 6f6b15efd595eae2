"""Opening a model for a command: found or fetched, probed, loaded; told on standard error."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecascade.cli.options import model_spec
from edgecascade.cli.progress import progress_bar

if TYPE_CHECKING:
    from edgecascade.identity import Identity
    from edgecascade.judging import Judge
    from edgecascade.llama.engine import Engine
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.records import Sampling


@dataclass(frozen=True, slots=True)
class Opened:
    """A model ready to answer.

    name    short, for people               system  the message it answers best with, if known
    sha256  of its file's bytes
    """

    engine: "Engine"
    name: str
    system: str | None
    sha256: str

    def identity(self, sampling: "Sampling") -> "Identity":
        """Return what a calibration of this model with this sampling is bound to."""
        from edgecascade.local import identity_of

        return identity_of(self.engine, sampling, sha256=self.sha256)

    def judge(
        self, sampling: "Sampling", explicit: Path | None = None, *, epsilon: float | None = None
    ) -> "Judge | None":
        """Return what judges this model's drafts with this sampling; None without a fitted file."""
        from edgecascade.judging import judge_of
        from edgecascade.store.paths import Folders

        folders = Folders.of(os.environ)
        return judge_of(self.engine, sampling, self.sha256, folders, explicit=explicit, epsilon=epsilon)


@contextmanager
def open_model(spec: str | None, settings: "EngineSettings") -> Iterator[Opened]:
    """Yield the model, and close it afterwards."""
    from edgecascade.local import open_engine
    from edgecascade.pull import pull, sha256_of_model, system_of
    from edgecascade.store.paths import Folders

    folders = Folders.of(os.environ)
    with progress_bar() as progress:
        file = pull(
            model_spec(spec, os.environ), folders=folders, environment=os.environ, home=Path.home(), progress=progress
        )
    with open_engine(file.path, settings, folders=folders, notice=_notice) as engine:
        yield Opened(engine, file.name, system_of(file, folders), file.sha256 or sha256_of_model(file.path, folders))


def _notice(line: str) -> None:
    click.secho(f"note: {line}", err=True, fg="yellow")
