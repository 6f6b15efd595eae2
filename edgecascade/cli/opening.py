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
    from edgecascade.fitted import Judging
    from edgecascade.identity import Identity
    from edgecascade.llama.engine import Engine
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.records import Sampling
    from edgecascade.watch import Watch


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

    def calibration(self, sampling: "Sampling", explicit: Path | None = None) -> "tuple[Judging, Watch] | None":
        """Return the fitted file for this model with this sampling, and its monitors, if there is one."""
        from edgecascade.fitted import Judging, find_fitted
        from edgecascade.identity import verdict
        from edgecascade.store.paths import Folders
        from edgecascade.watch import Watch

        here, folders = self.identity(sampling), Folders.of(os.environ)
        fitted = find_fitted(here, folders, explicit=explicit)
        if fitted is None:
            return None
        watch = Watch(fitted, folders)
        return Judging(fitted, watch.verdict(verdict(fitted.file.identity, here)), watch.stricter), watch


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
        yield Opened(engine, file.name, system_of(file, folders), file.sha256 or sha256_of_model(file, folders))


def _notice(line: str) -> None:
    click.secho(f"note: {line}", err=True, fg="yellow")
