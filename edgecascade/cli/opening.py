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
    from edgecascade.llama.engine import Engine
    from edgecascade.llama.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Opened:
    """A model ready to answer: its engine, its short name, and the system message it answers best with, if known."""

    engine: "Engine"
    name: str
    system: str | None


@contextmanager
def open_model(spec: str | None, settings: "EngineSettings") -> Iterator[Opened]:
    """Yield the model, and close it afterwards."""
    from edgecascade.local import open_engine
    from edgecascade.pull import pull, system_of
    from edgecascade.store.paths import Folders

    folders = Folders.of(os.environ)
    with progress_bar() as progress:
        file = pull(
            model_spec(spec, os.environ), folders=folders, environment=os.environ, home=Path.home(), progress=progress
        )
    with open_engine(file.path, settings, folders=folders, notice=_notice) as engine:
        yield Opened(engine, file.name, system_of(file, folders))


def _notice(line: str) -> None:
    click.secho(f"note: {line}", err=True, fg="yellow")
