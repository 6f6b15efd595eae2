"""A model that replies by a function, and counts how often it is asked, opened and closed."""

from collections.abc import Callable

import pytest

from edgecascade.errors import ContextLengthError, DeviceError
from edgecascade.labelled import LabelledQuestion
from edgecascade.records import Message, Question
from edgecascade.store.calls import Reply
from edgecascade.store.prices import Price


class Speaker:
    """A member of the pool without a model; with ``room`` shared by several, no more than so many are open at once."""

    price: Price | None = None

    def __init__(
        self, name: str, says: Callable[[str], str], *, usd: float | None = 0.0, room: list[str] | None = None
    ):
        self.name, self.identity, self.system = name, f"identity of {name}", None
        self.prompts: list[str] = []
        self.openings = 0
        self._says, self._usd, self._room = says, usd, room

    def open(self) -> None:
        """Take the room; DeviceError where another holds it."""
        if self._room is not None and self.name not in self._room:
            if self._room:
                raise DeviceError("not enough free memory: found none, wanted some; close another")
            self._room.append(self.name)
            self.openings += 1

    def close(self) -> None:
        """Give the room back."""
        if self._room is not None and self.name in self._room:
            self._room.remove(self.name)

    def answer(self, question: Question) -> Reply:
        """Reply in a tenth of a second; a prompt of more than 1000 letters is too long."""
        prompt = question.messages[-1].content
        self.prompts.append(prompt)
        if len(prompt) > 1000:
            raise ContextLengthError("too long")
        return Reply(self._says(prompt), 10, 2, 0.1, self._usd)


@pytest.fixture
def speaker() -> type[Speaker]:
    """The class."""
    return Speaker


@pytest.fixture
def sums() -> list[LabelledQuestion]:
    """Twelve questions whose answers are numbers."""
    return [
        LabelledQuestion(
            id=f"sum-{number}", task="sums", messages=(Message("user", f"{number} + 1 ="),), metric="number",
            gold=(str(number + 1),),
        )
        for number in range(12)
    ]  # fmt: skip
