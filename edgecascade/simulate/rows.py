"""What is known of an answer that was once given in full, as far as playing it again needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecascade.cascade.costing import BYTES_A_TOKEN
from edgecascade.cascade.gating import Gate, gates_of
from edgecascade.errors import AttemptsError, FittedFileError
from edgecascade.fitted import Fitted
from edgecascade.records import Draft
from edgecascade.store.attempts import Attempt, Attempts
from edgecascade.store.fitted_files import FittedFile

Looks = tuple[tuple[int, float], ...]
"""(tokens written, logit) of each gate that saw the answer unfinished, the earliest first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question with the device's whole answer to it.

    prompt_tokens  read, of which ``reused`` were in memory
    tokens         written, the end's own among them
    ended          whether it ended as the certified ones did; one that was cut off is never kept
    p              p_correct of the whole answer, 0 to 1        gates  what each gate saw
    local, cloud   what either answer was worth, 0 to 1; None: the cloud was not asked
    turned         whether the prompt was read a second time, its choices turned round
    """

    id: str
    task: str
    prompt_tokens: int
    reused: int
    tokens: int
    ended: bool
    p: float
    gates: Looks
    local: float
    cloud: float | None
    turned: bool = False


def rows_of_file(file: FittedFile) -> tuple[Row, ...]:
    """Return the questions that a fitted file was certified on; FittedFileError for one that does not tell enough."""
    held = file.held_out
    if not held.exact or not all(held.tokens):
        found = "no columns for it" if not held.exact else "answers without their tokens"
        raise FittedFileError(
            f"the fitted file {file.id} cannot be played again: found {found}, wanted prompt_tokens, tokens and looks "
            "of every question; fit again, from attempts with their .f32 beside them"
        )
    places = sorted(range(len(file.gates)), key=lambda place: file.gates[place].at)
    in_memory = system_tokens(file)
    columns: list[tuple[Any, ...]] = [held.task, held.prompt_tokens, held.tokens, held.ended, held.exact, held.local]
    return tuple(
        Row(
            id=str(number),
            task=file.tasks[task],
            prompt_tokens=prompt_tokens,
            reused=min(in_memory, prompt_tokens - 1),
            tokens=tokens,
            ended=ended,
            p=p,
            gates=tuple(
                (file.gates[place].at, logit)
                for place in places
                if (logit := held.looks[place][number]) is not None
            ),
            local=local,
            cloud=held.cloud[number] if held.cloud else None,
            turned=held.turned[number],
        )
        for number, (task, prompt_tokens, tokens, ended, p, local) in enumerate(zip(*columns, strict=True))
    )  # fmt: skip


def system_tokens(file: FittedFile) -> int:
    """Return how many tokens stay in memory from one prompt to the next: of the system message, in whole chunks.

    As ``provenance.system_tokens`` notes it, else about as many as the message has bytes for. What a server keeps is
    its own affair: none is reckoned with.
    """
    noted, chunk = file.provenance.get("system_tokens"), file.identity.chunk
    tokens = noted if isinstance(noted, int) else len((file.system or "").encode()) // BYTES_A_TOKEN
    return tokens // chunk * chunk if chunk else 0


def rows_of_attempts(attempts: Attempts, fitted: Fitted, *, reused: int | None = None) -> tuple[Row, ...]:
    """Return recorded attempts as the model that made them is judged when it serves.

    reused  tokens that every prompt begins with, and that stay in memory from one question to the next; None: as
            ``system_tokens`` has it

    What is not recorded is not known here: whether an answer named one of its choices.
    Raises AttemptsError for attempts without their tokens, or without the hidden states that a gate or the head needs.
    """
    gates, in_memory = gates_of(fitted.file), system_tokens(fitted.file) if reused is None else reused
    return tuple(_row(attempt, fitted, gates, in_memory) for attempt in attempts.rows)


def _row(attempt: Attempt, fitted: Fitted, gates: Sequence[Gate], reused: int) -> Row:
    draft, file = attempt.draft, fitted.file
    if not draft.tokens:
        raise AttemptsError(
            f"attempt {attempt.id!r} cannot be played again: found none of its tokens, wanted all; put the .f32 file "
            "back beside the attempts"
        )
    return Row(
        id=attempt.id,
        task=attempt.task,
        prompt_tokens=draft.usage.prompt_tokens,
        reused=min(reused, draft.usage.prompt_tokens - 1),
        tokens=len(draft.tokens),
        ended=draft.finish_reason == "end" and (not file.longest or len(draft.tokens) <= file.longest),
        p=fitted.p_correct(draft, attempt.signals),
        gates=looks_of(gates, draft),
        local=attempt.grade.score,
        cloud=attempt.cloud,
        turned=draft.second_look is not None,
    )


def looks_of(gates: Sequence[Gate], draft: Draft) -> Looks:
    """Return what each gate saw of a draft while it was written."""
    prompt_tokens, state = draft.usage.prompt_tokens, draft.hidden.prompt if draft.hidden else None
    return tuple(
        (gate.at, gate.logit(draft.tokens, prompt_tokens, state)) for gate in gates if len(draft.tokens) > gate.at
    )
