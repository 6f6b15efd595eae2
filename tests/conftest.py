"""The real default model, brought once by the product itself, and one engine on it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecascade.pull import DEFAULT_MODEL, pull
from edgecascade.store.paths import Folders

if TYPE_CHECKING:
    from edgecascade.llama.engine import Engine


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The default model in the user's own cache; fetched where it is missing."""
    file = pull(
        DEFAULT_MODEL,
        folders=Folders.of(os.environ),
        environment=os.environ,
        home=Path.home(),
        progress=lambda done, total, what: None,
    )
    return file.path


@pytest.fixture(scope="session")
def engine(model_path: Path) -> Iterator["Engine"]:
    """An engine on the default model, opened as the product opens it: probed first.

    It is told its threads: shared with whatever else decodes, they could change the numbers of a long answer.
    """
    from edgecascade import sensors
    from edgecascade.llama.settings import EngineSettings
    from edgecascade.local import open_engine

    settings = EngineSettings(context=2048, threads=sensors.free_threads())
    with open_engine(model_path, settings, folders=Folders.of(os.environ)) as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path, model_path: Path) -> dict[str, str]:
    """An environment with a home of its own and no network, in which the default model is named by its path."""
    return os.environ | {
        "EDGECASCADE_HOME": str(tmp_path / "home"),
        "EDGECASCADE_MODEL": str(model_path),
        "EDGECASCADE_OFFLINE": "1",
    }
