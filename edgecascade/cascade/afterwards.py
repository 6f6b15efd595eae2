"""What is done once the user has the answer: audits for the monitors, and shadows for a later fit.

    audit    a kept answer is also asked of the cloud; where the two disagree, the promise counts it as broken
    shadow   both sides of a question are written down, whoever answered it; ``calibrate fit --from-ledger`` reads them

Neither changes an answer. Whatever goes out for them passes the same privacy rules and budgets.
"""

import json
import threading
from collections.abc import Callable

from edgecascade import evidence
from edgecascade.cascade.asking import Asking
from edgecascade.cascade.background import Work
from edgecascade.cascade.calling import CloudTier
from edgecascade.cascade.running import DeviceTier, Tokens
from edgecascade.grading import agrees
from edgecascade.labelled import Grade, LabelledQuestion
from edgecascade.records import Answer, Attempt, Draft, Question
from edgecascade.signals import signals
from edgecascade.store.attempts import Attempt as Recorded
from edgecascade.store.attempts import digest_of, packed
from edgecascade.store.ledger.rows import Purpose
from edgecascade.watch import Watch

Compare = Callable[[Question, str, str], float]
"""How far two answers to a question say the same, 0 to 1."""


CONVERSATION = "ledger/conversation"


def labelled(question: Question, answer_id: str, gold: str = "") -> LabelledQuestion:
    """Return the question as one that is graded by agreement with the cloud's answer."""
    return LabelledQuestion(
        id=answer_id,
        task=CONVERSATION if question.goes_on else "ledger",
        messages=question.messages,
        metric="agreement",
        gold=(gold,) if gold else (),
        choices=question.choices,
    )


def same_answer(question: Question, mine: str, theirs: str) -> float:
    """Return whether two texts give the same answer: the same choice or words; 0 where that cannot be told."""
    return agrees(mine, theirs, labelled(question, "audit")).score


def audit(asking: Asking, answer: Answer, compare: Compare, *, drawn: bool) -> Work | None:
    """Return the work that lets the monitors know of an answer, drawn to be audited or not; None without monitors."""
    share, watch, cloud = asking.options.audit, _watch(asking, answer), asking.askable()
    if not share or watch is None or cloud is None:
        return None
    if not answer.kept or not drawn:
        loss = 0.0 if drawn else None  # what was not kept cost nothing
        return lambda stopping: watch.audited(kept=answer.kept, loss=loss, probability=share)

    def work(stopping: threading.Event) -> None:
        theirs = _cloud_text(asking, answer, cloud, stopping)
        if theirs is not None:
            loss = 1.0 - compare(asking.question, answer.text, theirs)
            watch.audited(kept=True, loss=loss, probability=share)

    return work


def shadow(asking: Asking, answer: Answer) -> Work | None:
    """Return the work that writes down both sides of a question; None where one of them is missing."""
    devices, cloud, ledger = asking.setup.devices, asking.askable(), asking.setup.desk.ledger
    if not devices or cloud is None or ledger is None:
        return None

    def work(stopping: threading.Event) -> None:
        draft = _device_draft(asking, answer, devices[0], stopping)
        run = devices[0].run_of(asking.question)
        theirs = _cloud_text(asking, answer, cloud, stopping) if draft and run else None
        if draft and run and theirs is not None:
            recorded = recorded_attempt(asking.question, answer.id, draft, theirs)
            line, numbers = packed(recorded)
            ledger.shadowed(answer.id, json.dumps(run | {"cloud": cloud.name}, sort_keys=True), line, numbers)

    return work


def recorded_attempt(question: Question, answer_id: str, draft: Draft, theirs: str) -> Recorded:
    """Return both sides as an attempt that can be fitted: the cloud is taken to be right."""
    asked = labelled(question, answer_id, gold=theirs)
    grade = agrees(draft.text, theirs, asked)
    return Recorded(
        id=answer_id,
        task=asked.task,
        metric=asked.metric,
        draft=draft,
        signals=signals(draft),
        grade=Grade(grade.score, grade.parsed),
        cloud=1.0,
        cloud_text=theirs,
        agrees=grade.score,
        question=digest_of(asked),
    )


def _watch(asking: Asking, answer: Answer) -> Watch | None:
    """Return the monitors of the tier on the device whose answer was given, else of the first that tried one."""
    tried = [attempt.tier for attempt in answer.attempts if attempt.place == "device"]
    number = answer.trace[-1].answer
    given = None if number is None else answer.attempts[number].tier
    name = given if given in tried else next(iter(tried), None)
    judge = next((tier.judge(asking.question) for tier in asking.setup.devices if tier.name == name), None)
    return judge.watch if judge else None


def _device_draft(asking: Asking, answer: Answer, tier: DeviceTier, stopping: threading.Event) -> Draft | None:
    """Return the device's whole draft with its hidden states, written now where it was not."""
    for attempt in answer.attempts:
        if attempt.tier == tier.name and attempt.complete and attempt.draft and attempt.draft.hidden is not None:
            return attempt.draft
    draft = evidence.draft(tier, asking.question, hidden=True, cancel=stopping)
    return draft if draft.tokens and draft.finish_reason != "cancelled" else None


def _cloud_text(asking: Asking, answer: Answer, tier: CloudTier, stopping: threading.Event) -> str | None:
    """Return the cloud's whole answer, asked now where it was not; None where none could be had."""
    for attempt in answer.attempts:
        if attempt.place == "cloud" and (text := _said(attempt)):
            return text
    if asking.theirs is None:
        purpose: Purpose = "audit" if answer.kept else "shadow"
        attempt = drained(asking.setup.desk.call(tier, asking.question, answer.id, purpose, cancel=stopping))
        asking.theirs = _said(attempt)
    return asking.theirs


def _said(attempt: Attempt) -> str | None:
    """Return a whole answer's text; None where nothing was said, or a filter said it: that is no verdict on another."""
    draft = attempt.draft
    return draft.text or None if attempt.complete and draft and draft.finish_reason != "filter" else None


def drained(tokens: Tokens) -> Attempt:
    """Return the attempt that a stream of tokens ends with."""
    while True:
        try:
            next(tokens)
        except StopIteration as stop:
            attempt: Attempt = stop.value
            return attempt
