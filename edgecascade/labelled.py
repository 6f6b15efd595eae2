"""Questions whose right answer is known, and what an answer to one was worth.

The form of a question file, one JSON object a line:

    {"id", "task", "question" | "messages", "choices"?, "gold"?, "metric", "grading"?, "scores"?: {model: 0..1}}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from edgecascade.records import Message

CORRECT = 0.5
"""An answer graded at least this is called correct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledQuestion:
    """One question with what is needed to grade an answer to it.

    id        unique in its file                   choices  the texts to choose from, lettered A, B, C ...; () for none
    task      the family that it belongs to        gold     the right answers, any of which will do; a choice's letter
    messages  what is asked, as it was written     metric   a name of ``grading.GRADERS``
    grading   what the metric needs besides: {"unit": "km", "tolerance": 0.01}, {"schema": {...}}, {"pattern": "..."}
    scores    recorded results of other models on this question, 0 (wrong) to 1
    """

    id: str
    task: str
    messages: tuple[Message, ...]
    metric: str
    gold: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    grading: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    scores: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Grade:
    """What an answer was worth: 0 (wrong) to 1, and whether an answer could be found in the text at all.

    >>> Grade(1.0).correct, Grade(0.0, parsed=False).correct
    (True, False)
    """

    score: float
    parsed: bool = True

    @property
    def correct(self) -> bool:
        """Whether it counts as right where only right or wrong is asked for."""
        return self.score >= CORRECT
