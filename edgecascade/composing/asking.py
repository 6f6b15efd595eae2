"""Calls of a program to replies: from memory, from the file of kept replies, or asked now, one model after another."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from edgecascade.composing.members import Member
from edgecascade.errors import BudgetError, ContextLengthError, DeviceError
from edgecascade.prompts import question_of
from edgecascade.records import Question, Sampling
from edgecascade.store.calls import CallsFile, Reply
from edgecascade.store.prices import usd

UNREAD = Reply("", 0, 0, 0.0, 0.0)
"""Stands for the reply to a prompt that is empty, or too long for its model: it says nothing. Not kept in the file."""


class Wanted(NamedTuple):
    """A call: which model is asked what, and how long its reply may be."""

    model: str
    prompt: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What the calls took by now.

    asked     models were asked now               kept      replies that were on file already
    unread    prompts that were empty, or too long for their model
    tokens, seconds, usd  of those asked now; usd None: unknown
    """

    asked: int = 0
    kept: int = 0
    unread: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    usd: float | None = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)

    def added(self, reply: Reply) -> "Counts":
        """Return the counts with one more call."""
        return replace(
            self,
            asked=self.asked + 1,
            prompt_tokens=self.prompt_tokens + reply.prompt_tokens,
            completion_tokens=self.completion_tokens + reply.completion_tokens,
            seconds=self.seconds + reply.seconds,
            usd=None if self.usd is None or reply.usd is None else self.usd + reply.usd,
        )


Tell = Callable[[int, int, str], None]
"""Told the calls asked, those asked or known to be needed, and the model that is asked."""


class Asker:
    """Knows every reply; asks for those that are nowhere, each once.

    most  calls that may be asked in all; None: as many as it takes
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        file: CallsFile,
        *,
        most: int | None = None,
        tell: Tell = lambda done, total, model: None,
    ) -> None:
        self.members, self.counts = members, Counts()
        self._file, self._most, self._tell = file, most, tell
        self._known: dict[Wanted, Reply | None] = {}  # None: looked for in the file, and not there
        self._open: set[str] = set()

    def reply(self, wanted: Wanted) -> Reply | None:
        """Return the reply to a call that was asked, in this run or an earlier one; None where none was."""
        if wanted not in self._known:
            self._known[wanted] = self._on_file(wanted) if wanted.prompt.strip() else self._unread()
        return self._known[wanted]

    def ask(self, calls: Iterable[Wanted]) -> None:
        """Ask what is not known yet, all of one model before the next; BudgetError where no more may be asked.

        What was asked by then is kept, whatever ends it.
        """
        wanted = [call for call in dict.fromkeys(calls) if self.reply(call) is None]
        total = self.counts.asked + len(wanted)
        for model in self.members:
            for call in wanted:
                if call.model == model:
                    self._check_more()
                    self._known[call] = self._asked(call)
                    self._tell(self.counts.asked, total, model)

    def _on_file(self, wanted: Wanted) -> Reply | None:
        found = self._file.find(self._digest(wanted))
        self.counts = replace(self.counts, kept=self.counts.kept + bool(found))
        if found and found.usd is None:  # it was asked before its price was known
            price = self.members[wanted.model].price
            return replace(found, usd=usd(price, found.prompt_tokens, found.completion_tokens))
        return found

    def _unread(self) -> Reply:
        self.counts = replace(self.counts, unread=self.counts.unread + 1)
        return UNREAD

    def _asked(self, wanted: Wanted) -> Reply:
        try:
            reply = self._ready(wanted.model).answer(self._question(wanted))
        except ContextLengthError:
            return self._unread()
        self.counts = self.counts.added(reply)
        return self._file.keep(self._digest(wanted), wanted.model, wanted.prompt, reply)

    def _ready(self, model: str) -> Member:
        """Return the model, open; where it finds no room beside the others, these are closed first."""
        others = self._open - {model}
        try:
            self.members[model].open()
        except DeviceError:
            if not others:
                raise
            for other in others:
                self.members[other].close()
            self._open.clear()
            self.members[model].open()
        self._open.add(model)
        return self.members[model]

    def _check_more(self) -> None:
        if self._most is not None and self.counts.asked >= self._most:
            raise BudgetError(
                f"the calls allowed are made: found {self.counts.asked}, wanted more; what was asked is kept, so allow "
                "more with --max-calls and it goes on from here"
            )

    def _question(self, wanted: Wanted) -> Question:
        sampling = Sampling(max_tokens=wanted.max_tokens)
        return question_of(wanted.prompt, system=self.members[wanted.model].system, sampling=sampling)

    def _digest(self, wanted: Wanted) -> str:
        """Return what the reply is filed under: who is asked, every message, and how the answer is written."""
        question = self._question(wanted)
        record = [
            self.members[wanted.model].identity,
            [(message.role, message.content) for message in question.messages],
            asdict(question.sampling),
        ]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
