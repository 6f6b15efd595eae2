"""An answer as the ledger keeps it: a row of plain numbers, and a record from which ``explain`` tells its story.

Texts, of the question, the answer or its tokens, are in it only where the user wants them kept.
"""

import hashlib
import json
import math
from dataclasses import asdict
from typing import Any

from edgecascade.cascade.asking import Asking
from edgecascade.records import Answer, Attempt, Question, Token
from edgecascade.store.ledger import AnswerRow
from edgecascade.store.prices import usd

DIGITS = 4
OUR_WORDS = frozenset({"offline", "breaker", "budget", "blocked", "deadline", "hedged", "cancelled"})
"""Failures whose detail is ours. Others hold a server's words, which may quote the question."""


def answer_row(asking: Asking, answer: Answer, *, at: float, seconds: float) -> AnswerRow:
    """Return the row of an answer."""
    options, question = asking.options, asking.question
    device = [attempt for attempt in answer.attempts if attempt.place == "device"]
    gates = [gate for attempt in answer.attempts for gate in attempt.gates]
    judged = next((attempt.estimate for attempt in reversed(device) if attempt.estimate.calibration), None)
    calibration = judged.calibration if judged else None
    number = answer.trace[-1].answer if answer.trace else None
    given = None if number is None else answer.attempts[number]
    again = len(device) > 1  # what a gate had stopped was written after all
    return AnswerRow(
        id=answer.id,
        at=at,
        mode=question.mode or options.mode,
        tier=given.tier if given else answer.model,
        place="cloud" if answer.tier == "cloud" else "device",
        model=answer.model,
        code=answer.code,
        reason=without_quotes(answer.reason, answer, content=options.content),
        p_correct=judged.p_correct if judged else None,
        threshold=judged.threshold if judged else None,
        promise=answer.promise,
        calibration=calibration.id if calibration else None,
        calibration_verdict=calibration.verdict if calibration else None,
        kept=(answer.tier == "local" and answer.kept) if calibration else None,
        escalated=any({step.run, *step.also} & {cloud.name for cloud in asking.setup.clouds} for step in answer.trace),
        blocked=answer.blocked,
        queued=answer.queued,
        with_cloud=bool(asking.setup.clouds),
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        seconds=seconds,
        usd=answer.usd,
        joules=answer.joules,
        usd_saved=_usd_saved(asking, answer),
        tokens_saved=0.0 if again else math.fsum(gate.tokens_saved for gate in gates),
        seconds_saved=0.0 if again else math.fsum(gate.seconds_saved for gate in gates),
        question_sha256=sha256_of(question),
        kinds=asking.cleared.kinds if asking.cleared else (),
        record=json.dumps(record_of(answer, content=options.content) | weighed(asking), ensure_ascii=False),
        question_text=question.messages[-1].content if options.content else None,
        answer_text=answer.text if options.content else None,
    )


def sha256_of(question: Question) -> str:
    """Return a digest of what was asked."""
    said = [[message.role, message.content] for message in question.messages]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _usd_saved(asking: Asking, answer: Answer) -> float | None:
    """Return what the first cloud would have charged for an answer of this length; None: unknown, or it was asked."""
    clouds = asking.setup.clouds
    if not clouds or any(attempt.place == "cloud" for attempt in answer.attempts):
        return None
    return usd(clouds[0].price, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def record_of(answer: Answer, *, content: bool) -> dict[str, Any]:
    """Return what ``explain`` needs: decisions, gates, signals, and the numbers of each token."""
    return {
        "trace": [
            {
                "run": step.run,
                "answer": step.answer,
                "code": step.code,
                "reason": without_quotes(step.reason, answer, content=content),
                "terms": dict(step.terms),
            }
            | ({"also": list(step.also)} if step.also else {})
            for step in answer.trace
        ],
        "attempts": [_attempt(attempt, content=content) for attempt in answer.attempts],
        "signals": {name: round(value, DIGITS) for name, value in answer.signals.items()},
    }


def weighed(asking: Asking) -> dict[str, Any]:
    """Return what the decisions were weighed by: profile, weights as they were set, and what moved them."""
    profile, weights = asking.setup.profile, asking.setup.weights
    return {
        "profile": profile.name if profile else None,
        "weights": asdict(weights) if weights else None,
        "moved": list(asking.moved),
    }


def _attempt(attempt: Attempt, *, content: bool) -> dict[str, Any]:
    estimate, draft = attempt.estimate, attempt.draft
    return {
        "tier": attempt.tier,
        "place": attempt.place,
        "seconds": round(attempt.seconds, DIGITS),
        "usd": attempt.usd,
        "p_correct": estimate.p_correct,
        "threshold": estimate.threshold,
        "calibration": asdict(estimate.calibration) if estimate.calibration else None,
        "finish_reason": draft.finish_reason if draft else None,
        "gates": [asdict(gate) for gate in attempt.gates],
        "failure": _failure(attempt, content=content),
        "tokens": [_token(token, content=content) for token in (draft.tokens if draft else ())],
    }


def _failure(attempt: Attempt, *, content: bool) -> dict[str, str] | None:
    if attempt.failure is None:
        return None
    told = content or attempt.failure.code in OUR_WORDS
    return {"code": attempt.failure.code, "detail": attempt.failure.detail if told else ""}


def without_quotes(text: str, answer: Answer, *, content: bool) -> str:
    """Return a reason without the server's own words where texts are not kept."""
    if content:
        return text
    for attempt in answer.attempts:
        if attempt.failure and attempt.failure.code not in OUR_WORDS:
            text = text.replace(attempt.failure.detail, attempt.failure.code)
    return text


def _token(token: Token, *, content: bool) -> list[float | str]:
    """Return logprob, margin, entropy, seconds; its text behind them where texts are kept."""
    numbers: list[float | str] = [
        round(value, DIGITS) for value in (token.logprob, token.margin, token.entropy, token.seconds)
    ]
    return [*numbers, token.text] if content else numbers
