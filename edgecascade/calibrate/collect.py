"""Labelled questions to recorded attempts: the device answers, each answer is graded, nothing is lost.

The device answers through ``evidence.draft``, as it does at run time. The cloud's side is a recorded column of the
question file, or a tier that is asked now; without either only the device's own errors are known. What a cloud or a
judge is asked is booked in the ledger; its questions go out as they are.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from edgecascade import evidence
from edgecascade.cascade.assembling import remote_tier
from edgecascade.cascade.booking import Bill, Booking
from edgecascade.cascade.served import NO_LOGPROBS, ServedTier, identity_here
from edgecascade.cascade.tiers import RemoteTier
from edgecascade.errors import AttemptsError, ConfigError, ContextLengthError, QuestionFileError
from edgecascade.fingerprint import ALTERNATIVES, FirstToken, fingerprint
from edgecascade.grading import JUDGE, agrees, grade, judge_question, verdict_of
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.llama.engine import Engine
from edgecascade.prompts import asked
from edgecascade.records import Question, Sampling, Token
from edgecascade.signals import signals
from edgecascade.store.attempts import Attempt, AttemptsLog, Header, digest_of, header_of
from edgecascade.store.config.settings import Settings
from edgecascade.store.ledger import Cap, Ledger, caps_of
from edgecascade.store.questions import QuestionFile, read_questions

JUDGE_TOKENS = 64


class CloudTier(Protocol):
    """A cloud model that answers one question with one text."""

    def answer(self, question: Question) -> str:
        """Return the answer's text."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A cloud whose every call stands in the ledger, within the user's budgets."""

    tier: RemoteTier
    ledger: Ledger
    caps: Sequence[Cap]

    def answer(self, question: Question) -> str:
        """Return the answer's text; BudgetError where the call may not be made."""
        booking = Booking(self.ledger, uuid.uuid4().hex, self.caps)
        return self.tier.client.answer(question, meter=booking.meter(self.tier.price, "calibrate", Bill()))


@contextmanager
def booked(spec: str, settings: Settings, ledger: Ledger) -> Iterator[Booked]:
    """Open the cloud that a spec names, with the user's prices, budgets and time-outs.

    Raises ConfigError for a spec that names none, and where this device is set to be offline.
    """
    if settings.offline:
        raise ConfigError(
            f"this device is set to be offline: found {spec!r} to be asked, wanted no cloud; leave out --cloud and "
            "--judge, or unset EDGECASCADE_OFFLINE"
        )
    tier = remote_tier(settings.model_copy(update={"cloud": spec}))
    try:
        yield Booked(tier, ledger, caps_of(settings.budget) if settings.budget else ())
    finally:
        tier.close()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a collection is.

    done, total  questions, those of earlier runs among them
    answered     in this run                       left_out  too long for the context
    correct      of those answered in this run     unparsed  no answer was found in the text; counted as wrong
    seconds      a question, the mean of this run
    """

    done: int
    total: int
    answered: int = 0
    correct: int = 0
    unparsed: int = 0
    left_out: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)


Tell = Callable[[Progress], None]


def questions_of(
    source: Path,
    *,
    form: str | None = None,
    columns: Mapping[str, str] | None = None,
    tasks: Sequence[str] = (),
) -> QuestionFile:
    """Return the questions of a file or folder, of some tasks only where they are named.

    Raises QuestionFileError for what is no question file, and for a task that is not in it.
    """
    file = read_questions(source, form=form, columns=columns)
    there = {question.task for question in file.questions}
    for task in tasks:
        if task not in there:
            raise QuestionFileError(
                f"{source} has no task {task!r}: found {', '.join(sorted(there))}; choose among them"
            )
    kept = tuple(question for question in file.questions if not tasks or question.task in tasks)
    return replace(file, questions=kept)


def part_of(
    questions: Sequence[LabelledQuestion], *, shard: str = "1/1", limit: int | None = None
) -> list[LabelledQuestion]:
    """Return one of several equal parts, questions interleaved, and at most ``limit`` of the whole.

    >>> from edgecascade.labelled import LabelledQuestion
    >>> from edgecascade.records import Message
    >>> five = [LabelledQuestion(id=i, task="t", messages=(Message("user", i),), metric="exact") for i in "abcde"]
    >>> [question.id for question in part_of(five, shard="2/2")]
    ['b', 'd']

    Raises QuestionFileError for a shard that is not "i/n".
    """
    part, _, parts = shard.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise QuestionFileError(f"shard {shard!r} cannot be used; wanted i/n with i from 1 to n, like 2/4")
    chosen = sample(questions, limit) if limit else list(questions)
    return chosen[int(part) - 1 :: int(parts)]


def sample(questions: Sequence[LabelledQuestion], count: int) -> list[LabelledQuestion]:
    """Return as many questions spread over the file as evenly as can be: the same ones each time, in their order."""
    if count >= len(questions):
        return list(questions)
    step = len(questions) / count
    return [questions[int((number + 0.5) * step)] for number in range(count)]


def check_cloud_column(questions: Iterable[LabelledQuestion], column: str) -> None:
    """Raise QuestionFileError where a question has no recorded score of the column, with those that there are."""
    for question in questions:
        if column not in question.scores:
            there = ", ".join(sorted(question.scores)) or "none at all"
            raise QuestionFileError(
                f"question {question.id!r} has no recorded score of {column!r}: found {there}; "
                "choose one of them with --cloud-column, or leave it out"
            )


def check_judge(questions: Iterable[LabelledQuestion], judge: CloudTier | None) -> None:
    """Raise QuestionFileError where a question wants a judge and there is none."""
    if judge is None and (wanting := [question.id for question in questions if question.metric == JUDGE]):
        raise QuestionFileError(
            f"{len(wanting)} questions are graded by a judge, {wanting[0]!r} first: found none, wanted a model that "
            "judges, with --judge SPEC"
        )


def first_token(engine: evidence.Tier) -> FirstToken:
    """Return what asks for the first token of an answer; AttemptsError where its alternatives are not told."""

    def ask(question: Question) -> Token:
        tokens = evidence.draft(engine, question, alternatives=ALTERNATIVES).tokens
        if not tokens or not tokens[0].alternatives:
            raise AttemptsError(f"nothing to calibrate: {NO_LOGPROBS}")
        return tokens[0]

    return ask


def collect(
    engine: Engine | ServedTier,
    questions: Sequence[LabelledQuestion],
    out: Path,
    *,
    sha256: str,
    source: str,
    system: str | None,
    today: str,
    clock: Callable[[], float],
    cloud: CloudTier | str | None = None,
    cloud_name: str | None = None,
    judge: CloudTier | None = None,
    judge_name: str | None = None,
    shard: str = "1/1",
    max_tokens: int | None = None,
    tell: Tell = lambda progress: None,
) -> Progress:
    """Answer and grade every question that ``out`` does not hold yet; return how it went.

    sha256  of an engine's model file            source  digest of the question file
    cloud   a tier that is asked, or the name of a recorded column
    judge   a tier that grades the questions whose metric is "judge"

    Where ``out`` exists it is gone on with. Raises AttemptsError for a file of another run or of other questions under
    the same ids, and whatever the engine or the cloud raise; what was done by then is kept.
    """
    column = cloud if isinstance(cloud, str) else None
    tier = None if isinstance(cloud, str) else cloud
    if column:
        check_cloud_column(questions, column)
    check_judge(questions, judge)
    begun = header_of(out)
    header = Header(
        identity=identity_here(engine, Sampling(), sha256=sha256),
        questions=source,
        system=system,
        cloud=cloud_name,
        shard=shard,
        created=today,
        width=engine.width,
        fingerprint=begun.fingerprint if begun else fingerprint(first_token(engine)),
        max_tokens=max_tokens,
        judge=judge_name,
        conversations=any(message.role == "assistant" for question in questions for message in question.messages),
    )
    with AttemptsLog(out, header) as log:
        todo = log.missing(questions)
        progress = Progress(len(questions) - len(todo), len(questions))
        tell(progress)
        started = clock()
        for number, question in enumerate(todo, 1):
            put = asked(question, system=system, max_tokens=max_tokens)
            try:
                attempt = attempt_of(engine, question, put, column=column, tier=tier, judge=judge)
            except ContextLengthError:
                progress = replace(progress, left_out=progress.left_out + 1)
            else:
                log.append(attempt)
                progress = replace(
                    progress,
                    answered=progress.answered + 1,
                    correct=progress.correct + attempt.grade.correct,
                    unparsed=progress.unparsed + (not attempt.grade.parsed),
                )
            progress = replace(progress, done=progress.done + 1, seconds=(clock() - started) / number)
            tell(progress)
    return progress


def attempt_of(
    engine: evidence.Tier,
    question: LabelledQuestion,
    put: Question,
    *,
    column: str | None,
    tier: CloudTier | None,
    judge: CloudTier | None,
) -> Attempt:
    """Return the device's graded answer to one question, with the cloud's side where there is one."""
    draft = evidence.draft(engine, put, hidden=True)
    if draft.text and not draft.tokens:
        raise AttemptsError(f"question {question.id!r} cannot be calibrated on: {NO_LOGPROBS}")
    if not draft.tokens:
        raise AttemptsError(f"question {question.id!r} was answered with nothing at all; leave it out")
    theirs = tier.answer(put) if tier else None
    score = question.scores[column] if column else None
    return Attempt(
        id=question.id,
        task=question.task,
        metric=question.metric,
        draft=draft,
        signals=signals(draft),
        grade=graded(draft.text, question, judge),
        cloud=score if theirs is None else graded(theirs, question, judge).score,
        cloud_text=theirs,
        agrees=None if theirs is None else agrees(draft.text, theirs, question).score,
        question=digest_of(question),
    )


def graded(answer: str, question: LabelledQuestion, judge: CloudTier | None) -> Grade:
    """Return the grade of an answer, by the question's metric or by the judge that it asks for."""
    if question.metric != JUDGE or judge is None:
        return grade(answer, question)
    asked = Question.of(judge_question(question, answer), sampling=Sampling(max_tokens=JUDGE_TOKENS))
    return verdict_of(judge.answer(asked))
