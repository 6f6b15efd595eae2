"""Which engines of this user decode now, in whatever process: each holds one of a few lock files while it does.

The system lets go of a lock when its holder dies, so that a crash leaves no one to be counted. Where the files cannot
be written or locked, everybody decodes as if alone.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edgecascade.store.locks import try_lock

PLACES = 16
"""The most engines that are told apart. A place's file is made when it is first needed, so there are few to look at."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """The places in a folder."""

    folder: Path

    @contextmanager
    def held(self) -> Iterator[Callable[[], int]]:
        """Hold a place while the block runs; yield what counts the engines that decode, this one among them."""
        with ExitStack() as files:
            mine = self._take(files)
            yield lambda: 1 + sum(self._taken(place) for place in range(PLACES) if place != mine)

    def _take(self, files: ExitStack) -> int | None:
        """Return the first free place, locked until the files are closed; None where there is none to be had."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            for place in range(PLACES):
                if try_lock(files.enter_context(self._path(place).open("ab"))):
                    return place
        return None

    def _taken(self, place: int) -> bool:
        try:
            with self._path(place).open("rb+") as file:
                return not try_lock(file)
        except OSError:
            return False

    def _path(self, place: int) -> Path:
        return self.folder / f"{place}.lock"
