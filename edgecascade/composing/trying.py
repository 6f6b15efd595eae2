"""A program on labelled questions under an allocation: what its answers were worth, and what they took.

A program is run as far as the replies on record carry it, for every question and every allocation that is to be tried;
then all that is missing is asked, one model after another, and the programs are run again. So a model answers in one go
whatever is asked of it, a model that must be loaded is loaded once a round and not once a call, and a search that was
killed goes on where it was, from the replies alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgecascade.composing.asking import Asker, Wanted
from edgecascade.composing.faults import raised
from edgecascade.compound.allocation import Allocation
from edgecascade.compound.diagnosing import MAX_TOKENS, blame_of, diagnosis
from edgecascade.compound.program import Asked, Played, Program, check_program, replayed
from edgecascade.errors import ConfigError, EdgeCascadeError, QuestionFileError
from edgecascade.grading import JUDGE, grade
from edgecascade.labelled import LabelledQuestion
from edgecascade.pool import Array
from edgecascade.prompts import asked

Rows = Sequence[int]
Cell = tuple[Allocation, int]
"""An allocation, and the number of a question."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One allocation on some questions, arrays (n,).

    quality  0 to 1              calls, seconds, usd  of the modules, as if nothing had been on record; NaN: unknown
    """

    quality: Array
    calls: Array
    seconds: Array
    usd: Array


class Trials:
    """Tries a program under any allocation of some models; whatever was tried once is known."""

    def __init__(
        self,
        program: Program,
        models: Sequence[str],
        questions: Sequence[LabelledQuestion],
        asker: Asker,
        *,
        diagnoser: str | None = None,
    ) -> None:
        """Take models that the asker has.

        Raises QuestionFileError for questions that only a judge can grade; ConfigError for modules that cannot be
        allocated.
        """
        check_program(program)
        if judged := [question.id for question in questions if question.metric == JUDGE]:
            raise QuestionFileError(
                f"{len(judged)} questions are graded by a judge, {judged[0]!r} first: wanted questions that a function "
                "grades; leave them out"
            )
        if without := [question.id for question in questions if diagnoser and not question.gold]:
            raise QuestionFileError(
                f"{len(without)} questions have no gold, {without[0]!r} first: a diagnoser is shown the right answer; "
                "leave them out, or the diagnoser"
            )
        self.program, self.models, self.questions, self.asker = program, tuple(models), questions, asker
        self._texts = [text_of(question) for question in questions]
        self._diagnoser = diagnoser
        self._played: dict[Cell, Played] = {}
        self._graded: dict[tuple[int, str], float] = {}

    def __len__(self) -> int:
        return len(self.questions)

    def tried(self, allocations: Sequence[Allocation], rows: Rows) -> list[Tried]:
        """Return each allocation on the questions of these numbers; what is not on record is asked.

        Raises BudgetError, and whatever asking a model raises; what was asked is kept. What the program raises is a
        ConfigError that says where.
        """
        self._play(allocations, rows)
        return [self._tried(allocation, rows) for allocation in allocations]

    def answers(self, allocation: Allocation, rows: Rows) -> list[str]:
        """Return the program's answers."""
        self._play([allocation], rows)
        return [self._answer(allocation, row) for row in rows]

    def blames(self, allocations: Sequence[Allocation], module: int, rows: Rows) -> Array:
        """Return how far a module is to blame, by the diagnoser: (m, n), 0 where the answer is right."""
        self._play(allocations, rows)
        cells = [(allocation, row) for allocation in allocations for row in rows]
        wanted = {cell: self._diagnosis(*cell, module) for cell in cells if self._quality(*cell) < 1}
        self.asker.ask(wanted.values())
        told = [blame_of(self._text(wanted[cell])) if cell in wanted else 0.0 for cell in cells]
        return np.array(told).reshape(len(allocations), len(rows))

    def _play(self, allocations: Sequence[Allocation], rows: Rows) -> None:
        """Run the program to its end under each allocation on each question."""
        todo: dict[Cell, Played | None] = {
            cell: None for allocation in allocations for row in rows if (cell := (allocation, row)) not in self._played
        }
        while todo:
            wanted: list[Wanted] = []
            left: dict[Cell, Played | None] = {}
            for (allocation, row), before in todo.items():
                models = self._models_of(allocation)
                played = self._replayed(models, row)
                if before:
                    self._check_same(before, played, row)
                if played.missing:
                    wanted.append(_wanted(played.missing, models))
                    left[allocation, row] = played
                else:
                    self._played[allocation, row] = played
            self.asker.ask(wanted)
            todo = left

    def _replayed(self, models: Mapping[str, str], row: int) -> Played:
        try:
            return replayed(self.program, self._texts[row], partial(self._said, models))
        except EdgeCascadeError:
            raise
        except (Exception, SystemExit) as error:  # a program may raise anything
            raise ConfigError(
                f"the program {self.program.name!r} failed on question {self.questions[row].id!r}: found "
                f"{raised(error)}, wanted an answer; mend it there"
            ) from error

    def _check_same(self, before: Played, played: Played, row: int) -> None:
        """Raise ConfigError where a program that is run again has not asked what it asked before."""
        asked = [*(asked for asked, _ in before.calls), before.missing]
        if [asked for asked, _ in played.calls[: len(asked)]] != asked:
            raise ConfigError(
                f"the program {self.program.name!r} is not the same twice on question {self.questions[row].id!r}: "
                "found another call after the same replies, wanted the same; leave out chance, clock and what is kept "
                "between questions"
            )

    def _models_of(self, allocation: Allocation) -> dict[str, str]:
        return {module: self.models[model] for module, model in zip(self.program.modules, allocation, strict=True)}

    def _said(self, models: Mapping[str, str], asked: Asked) -> str | None:
        reply = self.asker.reply(_wanted(asked, models))
        return reply.text if reply else None

    def _text(self, wanted: Wanted) -> str:
        reply = self.asker.reply(wanted)
        assert reply is not None  # it was asked just now
        return reply.text

    def _answer(self, allocation: Allocation, row: int) -> str:
        answer = self._played[allocation, row].answer
        assert answer is not None  # a program that is kept came to its end
        return answer

    def _quality(self, allocation: Allocation, row: int) -> float:
        key = row, self._answer(allocation, row)
        if key not in self._graded:
            self._graded[key] = grade(key[1], self.questions[row]).score
        return self._graded[key]

    def _tried(self, allocation: Allocation, rows: Rows) -> Tried:
        models = self._models_of(allocation)
        taken = np.array([self._taken(self._played[allocation, row], models) for row in rows]).reshape(-1, 3)
        quality = np.array([self._quality(allocation, row) for row in rows])
        return Tried(quality, taken[:, 0], taken[:, 1], taken[:, 2])

    def _taken(self, played: Played, models: Mapping[str, str]) -> tuple[float, float, float]:
        """Return the calls, seconds and dollars of one run."""
        replies = [self.asker.reply(_wanted(asked, models)) for asked, _ in played.calls]
        costs = [(reply.seconds, np.nan if reply.usd is None else reply.usd) for reply in replies if reply]
        return len(costs), sum(seconds for seconds, _ in costs), sum(usd for _, usd in costs)

    def _diagnosis(self, allocation: Allocation, row: int, module: int) -> Wanted:
        if self._diagnoser is None:
            raise ConfigError("nobody to diagnose: found no diagnoser, wanted a model; name it with --diagnoser MODEL")
        calls, answer = self._played[allocation, row].calls, self._answer(allocation, row)
        name, gold = self.program.modules[module], self.questions[row].gold
        text = diagnosis(self.program, name, self._texts[row], calls, answer, gold)
        return Wanted(self._diagnoser, text, MAX_TOKENS)


def text_of(question: LabelledQuestion) -> str:
    """Return the question as a program gets it: its turns, its choices with their letters, the form of the answer."""
    return "\n\n".join(message.content for message in asked(question).messages)


def _wanted(asked: Asked, models: Mapping[str, str]) -> Wanted:
    return Wanted(models[asked.module], asked.prompt, asked.max_tokens)
