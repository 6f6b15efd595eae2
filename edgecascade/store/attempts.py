"""Recorded attempts: what the device answered to labelled questions, with all its evidence.

    attempts.jsonl   first line: what was run on what. Then a line an attempt: text, grade, signals, the cloud's score.
    attempts.f32     beside it, float32, little-endian: each attempt's trace (tokens x COLUMNS), then its hidden states

An attempt exists when its line is complete; its numbers were written before. So a kill at any moment loses at most the
attempt in hand, and what it left half-written is cut off when the file is opened again.
"""

import errno
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecascade.errors import AttemptsError, DownloadError, NoSpaceError
from edgecascade.identity import Identity
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Draft, FinishReason, HiddenStates, SecondLook, Timings, Token, Usage
from edgecascade.store.locks import locked

SCHEMA = "edgecascade.attempts/1"
SUFFIX = ".jsonl"
COLUMNS = ("logprob", "top_logprob", "margin", "entropy", "top5_mass", "logsumexp", "seconds")
FLOAT = np.dtype("<f4")
FIRST_BYTES = f'{{"schema":"{SCHEMA}",'.encode()


class Header(BaseModel):
    """The first line: what was run on what.

    questions    digest of the question file(s)     cloud      the column or tier asked beside, if any
    system       the system message                 shard      "2/4": the second of four parts
    fingerprint  what the model thinks of the fixed prompts of ``fingerprint.py``
    max_tokens   the longest answer, where one was set for all questions
    judge        the tier that grades questions whose metric is "judge"
    conversations  whether some questions came after earlier turns
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["edgecascade.attempts/1"] = Field(default="edgecascade.attempts/1", alias="schema")
    identity: Identity
    questions: str
    system: str | None
    cloud: str | None
    shard: str
    created: str
    width: int
    fingerprint: tuple[tuple[int, float], ...]
    max_tokens: int | None = None
    judge: str | None = None
    conversations: bool = False

    def differences(self, other: "Header") -> list[str]:
        """Return in which fields that matter two headers differ; a field that one of them does not have is unknown."""
        mine, theirs = self.model_dump(), other.model_dump()
        known = self.model_fields_set & other.model_fields_set
        names = ("identity", "system", "cloud", "max_tokens", "judge")
        return [name for name in names if name in known and mine[name] != theirs[name]]


class _Row(BaseModel):
    """A line of an attempt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    task: str = Field(min_length=1)
    metric: str
    text: str
    tokens: tuple[str, ...]
    ended: bool
    finish_reason: FinishReason
    prompt_tokens: int
    second_look: tuple[float, float] | None = None
    local: float = Field(ge=0, le=1, allow_inf_nan=False)
    parsed: bool
    cloud: float | None = Field(ge=0, le=1, allow_inf_nan=False)
    cloud_text: str | None = None
    agrees: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    signals: dict[str, float]
    at: int = Field(ge=0)
    states: int = Field(ge=0, le=2)
    question: str = ""

    def floats(self, width: int) -> int:
        """How many numbers it has in the sidecar."""
        return len(self.tokens) * len(COLUMNS) + self.states * width


@dataclass(frozen=True, slots=True)
class Attempt:
    """One labelled question answered on the device.

    grade       of the device's answer            cloud   the cloud's score on the same question, 0 to 1; None: unknown
    cloud_text  its answer where it was asked     agrees  whether the device's answer says the same, where it was asked
    question    ``digest_of`` the question; "" where it was not recorded
    """

    id: str
    task: str
    metric: str
    draft: Draft
    signals: Mapping[str, float]
    grade: Grade
    cloud: float | None = None
    cloud_text: str | None = None
    agrees: float | None = None
    question: str = ""


def digest_of(question: LabelledQuestion) -> str:
    """Return 12 hex digits that change with whatever decides an answer or its grade; id and recorded scores do not."""
    content = {
        "task": question.task,
        "messages": [{"role": message.role, "content": message.content} for message in question.messages],
        "choices": question.choices,
        "gold": question.gold,
        "metric": question.metric,
        "grading": dict(question.grading),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Attempts:
    """A file of them, or several merged; ``header`` is the first one's."""

    header: Header
    rows: tuple[Attempt, ...]


class AttemptsLog:
    """A file that attempts are appended to; use it in ``with``. A second writer is refused."""

    def __init__(self, path: Path, header: Header) -> None:
        """Begin the file, or go on with it; raises AttemptsError where it holds something else."""
        self.path, self.header = path, header
        self._sidecar = sidecar_of(path)
        self.done: frozenset[str] = frozenset()
        self._digests: dict[str, str] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self.path.suffix != SUFFIX:  # so that no two files share their numbers
            raise AttemptsError(
                f"{self.path} is no name for attempts: found {self.path.suffix!r} at its end, wanted {SUFFIX!r}; "
                "choose another --out"
            )
        with _writing(self.path), ExitStack() as opening:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opening.enter_context(locked(self.path.with_name(f".{self.path.name}.lock"), waiting=self._refuse))
            self._go_on()
            self._lines = opening.enter_context(self.path.open("ab"))
            self._numbers = opening.enter_context(self._sidecar.open("ab"))
            self._open = opening.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with _writing(self.path):
            self._open.close()

    def missing(self, questions: Iterable[LabelledQuestion]) -> list[LabelledQuestion]:
        """Return those that are not done; AttemptsError where an id was done with another question."""
        todo: list[LabelledQuestion] = []
        for question in questions:
            if question.id not in self.done:
                todo.append(question)
            elif (found := self._digests[question.id]) and found != (wanted := digest_of(question)):
                raise AttemptsError(
                    f"{self.path} holds another question under the id {question.id!r}: found digest {found}, wanted "
                    f"{wanted}; choose another --out, or the question file that it was collected from"
                )
        return todo

    def append(self, attempt: Attempt) -> None:
        """Write one attempt: its numbers, then the line that makes it count; AttemptsError for a signal of NaN."""
        line, numbers = packed(attempt, at=self._numbers.tell() // FLOAT.itemsize)
        with _writing(self.path):
            self._numbers.write(numbers)
            self._numbers.flush()
            self._lines.write(line.encode() + b"\n")
            self._lines.flush()

    def _go_on(self) -> None:
        """Cut off what a kill left half-written, and note what is done."""
        if not _begun(self.path):
            self._begin()
            return
        whole = self.path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        header, rows = _parse(self.path, whole.decode("utf-8", "replace"))
        if not rows and header.differences(self.header):  # nothing was answered yet, so nothing is lost
            self._begin()
            return
        _same_run(self.path, header, self.header)
        if rows and not self._sidecar.exists():
            raise AttemptsError(
                f"{self.path} cannot be gone on with: found no {self._sidecar.name} beside it, wanted its numbers; "
                "put that file back, or choose another --out"
            )
        here = self._sidecar.stat().st_size // FLOAT.itemsize if rows else 0
        while rows and rows[-1].at + rows[-1].floats(header.width) > here:  # the power failed between the two files
            whole = whole[: whole.rstrip(b"\n").rfind(b"\n") + 1]
            rows.pop()
        end = max((row.at + row.floats(header.width) for row in rows), default=0)
        with self.path.open("r+b") as lines:
            lines.truncate(len(whole))
        with self._sidecar.open("ab") as numbers:
            numbers.truncate(end * FLOAT.itemsize)
        self._digests = {row.id: row.question for row in rows}
        self.done = frozenset(self._digests)

    def _begin(self) -> None:
        self._sidecar.unlink(missing_ok=True)
        self.path.write_text(self.header.model_dump_json(by_alias=True) + "\n", encoding="utf-8")

    def _refuse(self) -> None:
        raise AttemptsError(f"{self.path} is being written by another process; wait for it, or choose another --out")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what a disk may refuse inside the block into our errors."""
    try:
        yield
    except (OSError, DownloadError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__  # a lock speaks of downloads
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(
                f"the disk of {path} is full: found no room for the next attempt, wanted some; make room, and collect "
                "again with the same --out"
            ) from error
        raise AttemptsError(
            f"{path} cannot be written to: found {cause or error}, wanted a folder that is yours; mend its rights, or "
            "choose another --out"
        ) from error


def sidecar_of(path: Path) -> Path:
    """Return where the numbers of an attempts file lie."""
    return path.with_suffix(".f32")


def _begun(path: Path) -> bool:
    """Whether there is more than what a kill leaves of the first line; half a line of anything else is not ours."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        first = file.readline()
    return first.endswith(b"\n") or not (first.startswith(FIRST_BYTES) or FIRST_BYTES.startswith(first))


def header_of(path: Path) -> Header | None:
    """Return the first line of an attempts file that was begun; None where there is none."""
    try:
        if not _begun(path):
            return None
        with path.open("rb") as file:
            return _parse(path, file.readline().decode("utf-8", "replace"))[0]
    except OSError as error:
        raise _unreadable(path, error) from error


def read_attempts(paths: Sequence[Path]) -> Attempts:
    """Return the attempts of one file or of several shards, in order, each question once.

    Raises AttemptsError for what is no such file, for files of different models, and for two different answers to one
    question. Where the sidecar is missing, traces and hidden states are left out.
    """
    header: Header | None = None
    seen: dict[str, tuple[Path, _Row]] = {}
    rows: list[Attempt] = []
    for path in paths:
        own, lines = _parse(path, _text_of(path))
        header = header or own
        _same_run(path, own, header)
        numbers = _numbers_of(path)
        for line in lines:
            if line.id in seen:
                _same_answer(seen[line.id], (path, line))
                continue
            seen[line.id] = (path, line)
            rows.append(_attempt(line, own.width, numbers))
    if header is None:
        raise AttemptsError("no attempts were given: found no file, wanted at least one written by calibrate collect")
    return Attempts(header, tuple(rows))


def _text_of(path: Path) -> str:
    """Return its complete lines: behind them a kill may have left half a line, and half a character."""
    try:
        whole = path.read_bytes()
        return whole[: whole.rfind(b"\n") + 1].decode("utf-8")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise AttemptsError(
            f"{path} is no attempts file: found bytes that are not UTF-8 text, wanted JSON lines; name one"
        ) from error


def _unreadable(path: Path, error: OSError) -> AttemptsError:
    return AttemptsError(
        f"{path} cannot be read: found {error.strerror or error}, wanted a file written by `edgecascade calibrate "
        "collect`; name one"
    )


def _parse(path: Path, text: str) -> tuple[Header, list[_Row]]:
    complete = text.split("\n")[:-1]
    if not complete:
        raise AttemptsError(
            f"{path} is empty: found no complete line, wanted a file written by `edgecascade calibrate collect`; "
            "remove it and collect anew"
        )
    try:
        header = Header.model_validate_json(complete[0])
    except ValidationError as error:
        raise AttemptsError(
            f"{path} is no attempts file of this version: {_first(error)}; wanted a first line with schema {SCHEMA!r}; "
            "collect anew"
        ) from error
    rows: list[_Row] = []
    ids: dict[str, int] = {}
    for number, line in enumerate(complete[1:], 2):
        try:
            row = _Row.model_validate_json(line)
        except ValidationError as error:
            raise AttemptsError(f"{path}:{number} is no attempt: {_first(error)}; mend or remove that line") from error
        if row.id in ids:
            raise AttemptsError(
                f"{path}:{number} repeats id {row.id!r} of line {ids[row.id]}; each question may be there once: "
                "remove one of the lines"
            )
        _check_signals(path, number, row)
        ids[row.id] = number
        rows.append(row)
    return header, rows


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    found = repr(problem["input"])
    return f"{place or 'the line'}: found {found[:80]}, {problem['msg']}"


def _check_signals(path: Path, number: int, row: _Row) -> None:
    for name, value in row.signals.items():
        if not math.isfinite(value):
            raise AttemptsError(
                f"{path}:{number} has a signal that is no number: found {name} = {value}, wanted a finite one; "
                "remove the line and collect it anew"
            )


def _same_run(path: Path, found: Header, wanted: Header) -> None:
    for name in found.differences(wanted):
        mine, theirs = getattr(found, name), getattr(wanted, name)
        if name == "identity":
            name, mine, theirs = next(
                (key, value, theirs.as_json()[key])
                for key, value in mine.as_json().items()
                if value != theirs.as_json()[key]
            )
        raise AttemptsError(
            f"{path} was collected differently: found {name} = {mine!r}, wanted {theirs!r}; "
            "attempts of one file, and of one fit, must come from one model run in one way: choose another --out or "
            "--work, or leave this file out"
        )


def _same_answer(first: tuple[Path, _Row], second: tuple[Path, _Row]) -> None:
    (path, row), (other, again) = first, second
    names = ("task", "text", "local", "cloud", *(("question",) if row.question and again.question else ()))
    for name in names:
        if getattr(row, name) != getattr(again, name):
            raise AttemptsError(
                f"{other} and {path} disagree about question {row.id!r}: found {name} = {getattr(again, name)!r} "
                f"beside {getattr(row, name)!r}; remove one of the two"
            )


def packed(attempt: Attempt, *, at: int = 0) -> tuple[str, bytes]:
    """Return an attempt's line and its numbers, which stand ``at`` so many numbers into a sidecar.

    Raises AttemptsError for a signal of NaN.
    """
    for name, value in attempt.signals.items():
        if not math.isfinite(value):
            raise AttemptsError(
                f"question {attempt.id!r} has a signal that is no number: found {name} = {value}, wanted a finite "
                "one; leave the question out"
            )
    draft, look = attempt.draft, attempt.draft.second_look
    numbers = [np.array([[getattr(token, name) for name in COLUMNS] for token in draft.tokens], FLOAT).ravel()]
    if draft.hidden is not None:
        numbers += [state for state in (draft.hidden.prompt, draft.hidden.answer_mean) if state is not None]
    row = _Row(
        id=attempt.id,
        task=attempt.task,
        metric=attempt.metric,
        text=draft.text,
        tokens=tuple(token.text for token in draft.tokens),
        ended=bool(draft.tokens) and draft.tokens[-1].end,
        finish_reason=draft.finish_reason,
        prompt_tokens=draft.usage.prompt_tokens,
        second_look=(look.probability, look.seconds) if look else None,
        local=attempt.grade.score,
        parsed=attempt.grade.parsed,
        cloud=attempt.cloud,
        cloud_text=attempt.cloud_text,
        agrees=attempt.agrees,
        signals=dict(attempt.signals),
        at=at,
        states=len(numbers) - 1,
        question=attempt.question,
    )
    return row.model_dump_json(exclude_none=False), np.concatenate(numbers, dtype=FLOAT).tobytes()


def unpacked(line: str, numbers: bytes, *, width: int) -> Attempt:
    """Return the attempt of a line and its own numbers, as ``packed`` gave them; ``width`` of a hidden state."""
    row = _Row.model_validate_json(line)
    return _attempt(row.model_copy(update={"at": 0}), width, np.frombuffer(numbers, FLOAT))


def _numbers_of(path: Path) -> NDArray[np.float32] | None:
    sidecar = sidecar_of(path)
    whole = sidecar.stat().st_size // FLOAT.itemsize if sidecar.exists() else 0  # a kill may leave half a number
    return np.memmap(sidecar, FLOAT, mode="r", shape=(whole,)) if whole else None


def _attempt(row: _Row, width: int, numbers: NDArray[np.float32] | None) -> Attempt:
    here = numbers[row.at : row.at + row.floats(width)] if numbers is not None else None
    if here is not None and len(here) < row.floats(width):
        raise AttemptsError(
            f"the numbers of question {row.id!r} are cut off: found {len(here)}, wanted {row.floats(width)}; "
            "collect again with the same --out, which mends the file"
        )
    return Attempt(
        id=row.id,
        task=row.task,
        metric=row.metric,
        draft=_draft(row, width, here),
        signals=row.signals,
        grade=Grade(row.local, row.parsed),
        cloud=row.cloud,
        cloud_text=row.cloud_text,
        agrees=row.agrees,
        question=row.question,
    )


def _draft(row: _Row, width: int, numbers: NDArray[np.float32] | None) -> Draft:
    """Return the draft as it was, token ids and alternatives aside; without tokens where its numbers are missing."""
    tokens: tuple[Token, ...] = ()
    hidden: HiddenStates | None = None
    if numbers is not None:
        traced = len(row.tokens) * len(COLUMNS)
        trace = numbers[:traced].reshape(-1, len(COLUMNS)).tolist()
        last = len(row.tokens) - 1
        tokens = tuple(
            _token(text, values, end=row.ended and number == last)
            for number, (text, values) in enumerate(zip(row.tokens, trace, strict=True))
        )
        if row.states:
            states = np.array(numbers[traced:]).reshape(row.states, width)
            hidden = HiddenStates(states[0], states[1] if row.states > 1 else None)
    seconds = [token.seconds for token in tokens]
    total = sum(seconds)
    return Draft(
        text=row.text,
        tokens=tokens,
        finish_reason=row.finish_reason,
        usage=Usage(row.prompt_tokens, len(row.tokens) - row.ended),
        timings=Timings(0.0, seconds[0] if seconds else 0.0, 0.0, 0.0, total),
        hidden=hidden,
        second_look=SecondLook(*row.second_look) if row.second_look else None,
    )


def _token(text: str, values: Sequence[float], *, end: bool) -> Token:
    logprob, top_logprob, margin, entropy, top5_mass, logsumexp, seconds = values
    return Token(-1, text, logprob, top_logprob, margin, entropy, top5_mass, logsumexp, seconds, end)


def merge_attempts(paths: Sequence[Path], out: Path) -> Attempts:
    """Write the attempts of several shards as one file, and return them; AttemptsError where one lacks its numbers."""
    for path in paths:
        header, rows = _parse(path, _text_of(path))
        if any(row.floats(header.width) for row in rows) and _numbers_of(path) is None:
            raise AttemptsError(
                f"{path} cannot be merged: found no numbers in {sidecar_of(path)}, wanted those of {len(rows)} "
                "attempts; put that file back"
            )
    merged = read_attempts(paths)
    write_attempts(out, merged)
    return merged


def write_attempts(path: Path, attempts: Attempts) -> None:
    """Write attempts as one file; neither it nor its numbers may be there yet, and none may lack its tokens."""
    for there in (path, sidecar_of(path)):
        if there.exists():
            raise AttemptsError(
                f"{there} exists already: found a file, wanted a new name; choose another --out, or remove it"
            )
    for row in attempts.rows:
        if row.draft.usage.completion_tokens and not row.draft.tokens:
            raise AttemptsError(
                f"question {row.id!r} came without its tokens: found none, wanted "
                f"{row.draft.usage.completion_tokens}; put the {sidecar_of(path).suffix} beside the file that it was "
                "read from"
            )
    with AttemptsLog(path, attempts.header) as log:
        for attempt in attempts.rows:
            log.append(attempt)
