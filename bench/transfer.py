"""What a promise is worth on another profile of the same model: python bench/transfer.py BASE.jsonl VARIANT.jsonl ...

Attempts of one model in several forms at the same questions: another quantisation, cache, attention or backend.

    head, calibrator  from BASE's attempts at the questions that no variant was asked
    a resplit         half of the common questions certify, by BASE's answers; the other half, by the variant's, is
                      where the promise is broken or not

    transferred   BASE's threshold, as it is
    refit         the intercept moved by 50 labels of the variant, then BASE's threshold
    certified     the same, then a certificate from the variant's answers at the rest of the certifying half; this is
                  what `calibrate refit` does: it hands on no threshold
    recalibrated  head, calibrator and certificate from the variant's own answers at the certifying half
    own           BASE's threshold on BASE: how often these very halves break it without any transfer
"""

import argparse
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edgecascade.calibrate.choosing import Choice, choose_calibrator, choose_head, crossed, folds
from edgecascade.calibrate.fit import FIT_SHARE
from edgecascade.calibrate.table import Promise, Table, ended, table_of
from edgecascade.calibrators import Calibrator, refit_intercept
from edgecascade.guarantees.binomial import interval
from edgecascade.guarantees.ladder import certify_ladder
from edgecascade.heads import Vector
from edgecascade.identity import verdict
from edgecascade.monitor.psi import PsiState, Reference, psi
from edgecascade.store.attempts import Attempts, read_attempts
from edgecascade.store.files import write_whole

PROMISES: dict[Promise, tuple[float, ...]] = {"regret": (0.05, 0.1), "selective": (0.3, 0.4)}
DELTA = 0.1
LABELS = 50
FEWEST_COMMON, FEWEST_ALONE = 4 * LABELS, 60
ROUNDING = 1e-9
WAYS = ("transferred", "refit", "certified", "recalibrated")
Rows = NDArray[np.int64]


def certified(p: Vector, loss: Vector, promise: Promise, epsilon: float) -> float:
    """Return the threshold that these rows allow; infinity where they allow none."""
    return certify_ladder(p, loss, delta=DELTA, promise=promise, epsilons=(epsilon,))[0].threshold


def outcome(p: Vector, loss: Vector, threshold: float, promise: Promise) -> tuple[float, float]:
    """Return the risk of keeping everything from the threshold on, and the share kept."""
    kept = p >= threshold
    trials = len(p) if promise == "regret" else int(kept.sum())
    return (float(loss[kept].sum()) / trials if trials else 0.0), float(kept.mean())


class Fitted:
    """A head and a calibrator, from BASE's answers to questions that are asked nowhere else."""

    def __init__(self, table: Table) -> None:
        self.choice: Choice = choose_head(table)
        self.name, self.calibrator, _ = choose_calibrator(self.choice.logits, table.y)
        self.head = self.choice.candidate(table)

    def logits(self, table: Table) -> Vector:
        """Return the head's logits, shape (n,)."""
        return self.head(table.matrix(self.head.inputs))

    def anew(self, table: Table) -> tuple[Any, Calibrator]:
        """Return a head of the same kind and its calibrator, from other rows."""
        _, calibrator, _ = choose_calibrator(crossed(table, self.choice.candidate, folds(table)), table.y)
        return self.choice.candidate(table), calibrator


def whole(p: Vector, table: Table) -> Vector:
    """Return the estimates, those of answers that did not end by themselves too low to be kept."""
    return np.where(ended(table), p, -np.inf)


def losses(table: Table, promise: Promise) -> Vector:
    """Return what keeping each answer costs."""
    return table.loss if promise == "regret" else 1 - table.y


def tried(fitted: Fitted, base: Table, variant: Table, resplits: int) -> dict[str, Any]:
    """Return, for each promise, how often each way breaks it, and what it keeps."""
    random = np.random.default_rng(11)
    base_logits, logits = fitted.logits(base), fitted.logits(variant)
    base_p = whole(fitted.calibrator(base_logits), base)
    plain = whole(fitted.calibrator(logits), variant)
    runs: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for _ in range(resplits):
        order = random.permutation(len(base))
        ours, theirs = order[: len(order) // 2], order[len(order) // 2 :]
        labels, others = np.split(random.permutation(ours), [LABELS])
        moved = refit_intercept(fitted.calibrator, logits[labels], variant.y[labels])
        shifted = whole(moved(logits), variant)
        cut = round(FIT_SHARE * len(ours))
        head, calibrator = fitted.anew(variant.take(ours[:cut]))
        own = whole(calibrator(head(variant.matrix(head.inputs))), variant)
        for promise, epsilons in PROMISES.items():
            base_loss, loss = losses(base, promise), losses(variant, promise)
            for epsilon in epsilons:
                at = certified(base_p[ours], base_loss[ours], promise, epsilon)
                anew = certified(shifted[others], loss[others], promise, epsilon)
                again = certified(own[ours[cut:]], loss[ours[cut:]], promise, epsilon)
                seen = runs.setdefault(f"{promise} {epsilon:g}", {way: [] for way in ("own", *WAYS)})
                seen["own"].append(outcome(base_p[theirs], base_loss[theirs], at, promise))
                seen["transferred"].append(outcome(plain[theirs], loss[theirs], at, promise))
                seen["refit"].append(outcome(shifted[theirs], loss[theirs], at, promise))
                seen["certified"].append(outcome(shifted[theirs], loss[theirs], anew, promise))
                seen["recalibrated"].append(outcome(own[theirs], loss[theirs], again, promise))
    return {
        name: {way: summary(found, float(name.split()[1])) for way, found in ways.items()}
        for name, ways in runs.items()
    }


def summary(runs: list[tuple[float, float]], epsilon: float) -> dict[str, Any]:
    """Return the share of runs that break the promise with its 95 % interval, mean risk and mean share kept."""
    broken = sum(risk > epsilon + ROUNDING for risk, _ in runs)
    low, high = interval(broken, len(runs), 0.05)
    risks, kept = np.array(runs).T
    return {
        "violations": broken / len(runs), "low": low, "high": high,
        "risk": float(risks.mean()), "kept": float(kept.mean()), "nothing_kept": float((kept == 0).mean()),
    }  # fmt: skip


def apart(fitted: Fitted, base: Table, variant: Table, one: Attempts, other: Attempts) -> dict[str, Any]:
    """Return how far the variant is from BASE, by what needs no label, and by what does."""
    p, q = fitted.calibrator(fitted.logits(base)), fitted.calibrator(fitted.logits(variant))
    reference = Reference.of(p.tolist())
    state = PsiState.of(reference, memory=len(q))
    for value in q.tolist():
        state = state.update(value, reference)
    mean = [np.array([row.signals["mean_logprob"] for row in table.attempts]) for table in (base, variant)]
    holds = verdict(one.header.identity, other.header.identity)
    return {
        "identity": holds.state, "reason": holds.reason,
        "fingerprint_nats": nats(one, other),
        "psi": psi(state, reference),
        "accuracy": float(variant.y.mean()), "base_accuracy": float(base.y.mean()),
        "mean_p": float(q.mean()), "base_mean_p": float(p.mean()),
        "same_text": same_text(base, variant),
        "rms_mean_logprob": float(np.sqrt(np.mean((mean[0] - mean[1]) ** 2))),
    }  # fmt: skip


def same_text(base: Table, variant: Table) -> float:
    """Return the share of questions that both answer with the very same words."""
    pairs = zip(base.attempts, variant.attempts, strict=True)
    return float(np.mean([one.draft.text == other.draft.text for one, other in pairs]))


def nats(one: Attempts, other: Attempts) -> float | None:
    """Return the fingerprints' root mean square difference; None where the likeliest tokens differ too often."""
    pairs = [
        (a[1], b[1]) for a, b in zip(one.header.fingerprint, other.header.fingerprint, strict=False) if a[0] == b[0]
    ]
    return (
        math.sqrt(sum((a - b) ** 2 for a, b in pairs) / len(pairs))
        if len(pairs) > len(one.header.fingerprint) / 2
        else None
    )


def check(common: int, alone: int) -> None:
    """End where there is too little to measure with."""
    for found, wanted, what in (
        (common, FEWEST_COMMON, "questions that BASE and every variant answered"),
        (alone, FEWEST_ALONE, "questions that BASE alone answered, for the fit"),
    ):
        if found < wanted:
            sys.exit(f"too few to measure with: found {found} {what}, wanted {wanted} or more; collect more attempts")


def common(attempts: Attempts, ids: set[str], cloud: dict[str, float]) -> Table:
    """Return the attempts at these questions as columns, by id, beside a cloud: always right where none was asked."""
    rows = tuple(replace(row, cloud=cloud.get(row.id, 1.0)) for row in attempts.rows if row.id in ids)
    return table_of(replace(attempts, rows=rows), "regret")


def measure(base: Attempts, variants: dict[str, Attempts], cloud: Attempts | None, resplits: int) -> dict[str, Any]:
    """Return everything that is measured, as plain values."""
    asked = [base, *variants.values(), *([cloud] if cloud else [])]
    ids = set.intersection(*({row.id for row in found.rows} for found in asked))
    scores = {row.id: row.grade.score for row in cloud.rows} if cloud else {}
    rest = tuple(row for row in base.rows if row.id not in ids)
    check(len(ids), len(rest))
    fitted = Fitted(table_of(replace(base, rows=rest), "selective"))
    say(f"head {fitted.choice.name}, calibrator {fitted.name}, from {len(rest)} questions; {len(ids)} in common")
    table = common(base, ids, scores)
    found: dict[str, Any] = {}
    for name, attempts in variants.items():
        say(name)
        variant = common(attempts, ids, scores)
        found[name] = apart(fitted, table, variant, base, attempts) | {
            "promises": tried(fitted, table, variant, resplits)
        }
    return {
        "schema": "edgecascade.bench.transfer/1", "base": base.header.identity.as_json(), "resplits": resplits,
        "questions": len(ids), "fitted_on": len(rest), "head": fitted.choice.name, "delta": DELTA, "labels": LABELS,
        "cloud": cloud.header.identity.model if cloud else "taken to be always right",
        "variants": found,
    }  # fmt: skip


def markdown(record: dict[str, Any]) -> str:
    """Return the tables."""
    lines = [
        "| variant | identity rule | fingerprint, nats | PSI | right (base) | mean p (base) | same text |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in record["variants"].items():
        apart = "-" if row["fingerprint_nats"] is None else f"{row['fingerprint_nats']:.3f}"
        right = f"{row['accuracy']:.3f} ({row['base_accuracy']:.3f})"
        mean = f"{row['mean_p']:.3f} ({row['base_mean_p']:.3f})"
        cells = [name, row["identity"], apart, f"{row['psi']:.3f}", right, mean, f"{row['same_text']:.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| variant | promise | own, no transfer | transferred | refit, 50 labels | refit, certified | recalibrated |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in record["variants"].items():
        for promise, ways in row["promises"].items():
            cells = [
                f"{way['violations']:.3f} [{way['low']:.2f}, {way['high']:.2f}], "
                f"risk {way['risk']:.3f}, kept {way['kept']:.2f}"
                for way in (ways["own"], *(ways[way] for way in WAYS))
            ]
            lines.append(f"| {name} | {promise} | {' | '.join(cells)} |")
    return "\n".join(lines)


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print the tables, write the record."""
    parser = argparse.ArgumentParser(description="What a promise is worth on another profile of the same model.")
    parser.add_argument("base", type=Path, help="attempts, written by `edgecascade calibrate collect`")
    parser.add_argument(
        "variants", nargs="+", type=Path, help="the same of the model's other forms; the name is the file's"
    )
    parser.add_argument("--cloud", type=Path, help="attempts of a larger model at the same questions")
    parser.add_argument("--out", type=Path, required=True, help="where the record goes, as JSON")
    parser.add_argument("--resplits", type=int, default=200)
    options = parser.parse_args()
    read = {path.stem: read_attempts([path]) for path in options.variants}
    cloud = read_attempts([options.cloud]) if options.cloud else None
    with threadpool_limits(1):  # small problems: a second thread only waits for the first
        record = measure(read_attempts([options.base]), read, cloud, options.resplits)
    print(markdown(record))
    write_whole(options.out, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
