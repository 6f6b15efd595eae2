"""How good p_correct is, beside simpler ways to say it: python bench/estimate.py ATTEMPTS.jsonl ... --out RESULT.json

    A  held out       five-fold cross-fitting: in each fold the whole procedure (head and calibrator, chosen and
                      fitted) sees the other four only
    B  task left out  the whole procedure sees every task but one, and is ranked on that one
    C  certificates   with the estimates of A: the promise from some rows, what it was worth on the others, many times
    D  cost           of a fit, of a certificate, of one answer's estimate

A task is the part of its name before "/": subjects of one exam are one task, unless a figure says "subjects".
A device without a recorded cloud is measured against one that is always right.
"""

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edgecascade.calibrate import training
from edgecascade.calibrate.choosing import Fold, choose_calibrator, choose_head, folds
from edgecascade.calibrate.figures import baseline
from edgecascade.calibrate.fit import fit
from edgecascade.calibrate.table import Table, table_of
from edgecascade.calibrators import CALIBRATORS
from edgecascade.fitted import Fitted
from edgecascade.guarantees.binomial import interval, lower_bound
from edgecascade.guarantees.certificate import Promise
from edgecascade.guarantees.ladder import certify_ladder
from edgecascade.guarantees.ranked import Ranked
from edgecascade.guarantees.regret import certify_regret
from edgecascade.heads import Inputs, Vector
from edgecascade.metrics import (
    Interval,
    auroc,
    bootstrap,
    brier,
    deferral_area,
    macro_auroc,
    oracle_share,
    paired_gain,
    prr,
    share_kept,
    smooth_ece,
)
from edgecascade.records import HiddenStates
from edgecascade.store.attempts import Attempt, Attempts, read_attempts
from edgecascade.store.files import write_whole
from edgecascade.store.fitted_files import write_fitted

REPEATS = 1000
TRUE_REPEATS = 100
SHARES_AT = (0.01, 0.02, 0.05)
PROMISES: dict[Promise, tuple[float, ...]] = {"regret": (0.01, 0.02, 0.05, 0.1), "selective": (0.05, 0.1, 0.2, 0.3)}
DELTA = 0.1
CERTIFY_ON, FEWEST_REST = 1000, 500
NOISE_LEVEL = 0.05
COST_ATTEMPTS, COST_ROWS, COST_ROUNDS = 5_000, 1_000_000, 5
JITTER = 0.05
"""Of a column's spread: rows repeated for the cost of a fit are not quite the same."""
ROUNDING = 1e-9
LOOK = ("second_look", "looked_again")

OURS, ONE_LOOK = "ours", "ours without the second look"
Score = Callable[[Table], Vector]
Fitter = Callable[[Table], Score]
Rows = NDArray[np.int64]


# What is compared


def whole_procedure(table: Table) -> Score:
    """Return p_correct by the head and the calibrator that the rows choose."""
    choice = choose_head(table)
    name, calibrator, _ = choose_calibrator(choice.logits, table.y)
    head = choice.candidate(table)
    say(f"  {len(table)} rows chose {choice.name}, {name}")
    return lambda held: calibrator(head(held.matrix(head.inputs)))


def isotonic_margin(table: Table) -> Score:
    """Return isotonic regression on the mean probability margin of the tokens (UCCI, arXiv:2605.18796)."""
    calibrator = CALIBRATORS["isotonic"](baseline(table, "mean_probability_margin"), table.y)
    return lambda held: calibrator(baseline(held, "mean_probability_margin"))


def hidden_probe(table: Table) -> Score:
    """Return logistic regression on the principal components of the last prompt state and the answer's mean state."""
    state = table.attempts[0].draft.hidden
    inputs = Inputs((), ("prompt", "answer"), len(state.prompt) if state else 0)
    head = training.logistic_head(table.matrix(inputs), table.y, inputs)
    return lambda held: 1 / (1 + np.exp(-head(held.matrix(inputs))))


def perplexity(table: Table) -> Vector:
    """Return minus the perplexity of each answer: the order of the mean log-probability, on another scale."""
    return -np.exp(-baseline(table, "mean_logprob"))


def chance(table: Table) -> Vector:
    """Return numbers that know nothing."""
    return np.random.default_rng(0).random(len(table))


SCORES: dict[str, Score] = {
    "sum log-probability": lambda table: baseline(table, "sum_logprob"),
    "mean log-probability": lambda table: baseline(table, "mean_logprob"),
    "min log-probability": lambda table: baseline(table, "min_logprob"),
    "perplexity": perplexity,
    "mean entropy": lambda table: baseline(table, "mean_entropy"),
    "first-token margin": lambda table: baseline(table, "first_probability_margin"),
    "random": chance,
}
"""Baselines that need no fitting; the margin is that of arXiv:2405.02134."""

FITTERS: dict[str, Fitter] = {"isotonic token margin": isotonic_margin, "hidden-state probe": hidden_probe}
"""Baselines that are fitted, and give probabilities."""


def fitters(table: Table) -> dict[str, Fitter]:
    """Return the fitted baselines that these rows allow."""
    return {name: fitter for name, fitter in FITTERS.items() if fitter is not hidden_probe or table.has_hidden}


@dataclass(frozen=True, slots=True)
class Estimate:
    """One way to rank answers, on rows that it has not seen.

    score  (n,) any scale, higher is surer      p  (n,) the same as a probability
    """

    score: Vector
    p: Vector


@dataclass(frozen=True, slots=True)
class Bench:
    """The rows and how they are grouped: ``group`` has the index of each row's task among ``names``, shape (n,)."""

    table: Table
    names: tuple[str, ...]
    group: NDArray[np.int64]

    @classmethod
    def of(cls, table: Table) -> "Bench":
        """Return the rows, subjects of one exam taken together."""
        heads = [row.task.partition("/")[0] for row in table.attempts]
        names = tuple(sorted(set(heads)))
        return cls(table, names, np.array([names.index(head) for head in heads]))


def without_look(table: Table) -> Table:
    """Return the rows as if no answer had been looked at twice."""
    blank = dict.fromkeys(LOOK, 0.0)
    return replace(table, attempts=tuple(replace(row, signals={**row.signals, **blank}) for row in table.attempts))


def crossed(table: Table, fitter: Fitter, parts: Iterable[Fold]) -> Vector:
    """Return each row's score by what was fitted on the other folds."""
    scores = np.empty(len(table))
    for rest, held in parts:
        scores[held] = fitter(table.take(rest))(table.take(held))
    return scores


def platt_crossed(scores: Vector, table: Table) -> Vector:
    """Return scores as probabilities, by Platt scaling on the other folds."""
    p = np.empty(len(table))
    for rest, held in folds(table):
        p[held] = CALIBRATORS["platt"](scores[rest], table.y[rest])(scores[held])
    return p


# A  held out


def held_out(bench: Bench) -> dict[str, Estimate]:
    """Return every estimate of every row, none of them by what had seen the row."""
    table = bench.table
    fitted: dict[str, tuple[Table, Fitter]] = {
        OURS: (table, whole_procedure),
        ONE_LOOK: (without_look(table), whole_procedure),
        **{name: (table, fitter) for name, fitter in fitters(table).items()},
    }
    found: dict[str, Estimate] = {}
    for name, (rows, fitter) in fitted.items():
        say(f"held out: {name}")
        p = crossed(rows, fitter, folds(table))
        found[name] = Estimate(p, p)
    for name, score in SCORES.items():
        scores = score(table)
        found[name] = Estimate(scores, platt_crossed(scores, table))
    return found


def figures(bench: Bench, estimate: Estimate) -> dict[str, Interval]:
    """Return how good one estimate is, with 95 % intervals; resampled within tasks."""
    table, group = bench.table, bench.group
    boot = partial(bootstrap, groups=group, repeats=REPEATS)
    score, y = estimate.score, table.y
    found = {
        "auroc_within_tasks": boot(macro_auroc, score, y, group),
        "auroc_within_subjects": bootstrap(macro_auroc, score, y, table.task, groups=table.task, repeats=REPEATS),
        "auroc": boot(auroc, score, y),
        "prr": boot(prr, score, y),
        "prr_first_half": boot(partial(prr, max_rejection=0.5), score, y),
        "smooth_ece": boot(smooth_ece, estimate.p, y),
        "brier": boot(brier, estimate.p, y),
        "deferral_area": boot(deferral_area, score, table.local, table.cloud),
    }
    for epsilon in SHARES_AT:
        kept = partial(share_kept, epsilon=epsilon)
        found[f"kept_at_{epsilon:g}"] = boot(kept, score, table.loss)
    return found


def noise_of_smooth_ece(p: Vector) -> float:
    """Return the mean smooth calibration error where each p is exactly true: what so few rows show in any case."""
    random = np.random.default_rng(2)
    return float(np.mean([smooth_ece(p, random.random(len(p)) < p) for _ in range(TRUE_REPEATS)]))


def gains(bench: Bench, scores: dict[str, Vector], *, subjects: bool = False) -> dict[str, Interval]:
    """Return what ours gains in macro-averaged within-task AUROC over each other estimate."""
    task = bench.table.task if subjects else bench.group
    return {
        name: paired_gain(macro_auroc, scores[OURS], other, bench.table.y, task, groups=task, repeats=REPEATS)
        for name, other in scores.items()
        if name != OURS
    }


def best_baseline(values: dict[str, float]) -> str:
    """Return the strongest of the baselines; ours in any form is none."""
    return max((name for name in values if name not in (OURS, ONE_LOOK)), key=lambda name: values[name])


def part_a(bench: Bench, estimates: dict[str, Estimate]) -> dict[str, Any]:
    """Return every figure of every estimate, and ours' gains."""
    table = bench.table
    found = {name: figures(bench, estimate) for name, estimate in estimates.items()}
    scores = {name: estimate.score for name, estimate in estimates.items()}
    best = best_baseline({name: row["auroc_within_tasks"].value for name, row in found.items()})
    return {
        "estimates": found,
        "oracle_share": {f"kept_at_{epsilon:g}": float(oracle_share(table.loss, epsilon)) for epsilon in SHARES_AT},
        "gains": gains(bench, scores),
        "gains_within_subjects": gains(bench, scores, subjects=True),
        "best_baseline": best,
        "smooth_ece_if_true": {name: noise_of_smooth_ece(estimate.p) for name, estimate in estimates.items()},
        "auroc_by_task": {
            task: {name: auroc(score[rows], table.y[rows]) for name, score in scores.items()}
            for task, rows in tasks_of(bench)
        },
    }


def tasks_of(bench: Bench) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the rows of each task that has answers of both kinds."""
    for number, name in enumerate(bench.names):
        rows = np.flatnonzero(bench.group == number)
        if len(np.unique(bench.table.y[rows])) > 1:
            yield name, rows


# B  task left out


def part_b(bench: Bench) -> dict[str, Any] | None:
    """Return the AUROC on each task of what was fitted without it; None for a single task."""
    table = bench.table
    if len(bench.names) < 2:
        return None
    parts = [
        (np.flatnonzero(bench.group != number), np.flatnonzero(bench.group == number))
        for number in range(len(bench.names))
    ]
    scores: dict[str, Vector] = {}
    for name, fitter in {OURS: whole_procedure, **fitters(table)}.items():
        say(f"task left out: {name}")
        scores[name] = crossed(table, fitter, parts)
    scores |= {name: score(table) for name, score in SCORES.items()}
    macro = {name: macro_auroc(score, table.y, bench.group) for name, score in scores.items()}
    best = best_baseline(macro)
    tasks = {}
    for task, rows in tasks_of(bench):
        values = {name: auroc(score[rows], table.y[rows]) for name, score in scores.items()}
        own_best = best_baseline(values)
        tasks[task] = {
            "n": len(rows),
            "auroc": values,
            "best_baseline": own_best,
            "below": values[OURS] < values[own_best],
            "gain": paired_gain(auroc, scores[OURS][rows], scores[best][rows], table.y[rows], repeats=REPEATS),
        }
    return {"tasks": tasks, "macro": macro, "best_baseline": best, "gains": gains(bench, scores)}


# C  certificates


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a threshold did on rows that it was not chosen on: its risk, the losses and trials behind it, share kept."""

    risk: float
    losses: float
    trials: int
    share: float

    def violates(self, epsilon: float) -> bool:
        """Whether the risk on these rows is above epsilon."""
        return self.risk > epsilon + ROUNDING

    def surely_violates(self, epsilon: float) -> bool:
        """Whether it is above by more than these rows' own noise; graded losses, which vary less, are rounded down."""
        failures = math.floor(self.losses + ROUNDING)
        return self.trials > 0 and lower_bound(failures, self.trials, NOISE_LEVEL) > epsilon


def outcome(p: Vector, loss: Vector, threshold: float, promise: Promise) -> Outcome:
    """Return what keeping everything from the threshold on costs."""
    kept = p >= threshold
    losses, trials = float(loss[kept].sum()), len(p) if promise == "regret" else int(kept.sum())
    return Outcome(losses / trials if trials else 0.0, losses, trials, float(kept.mean()))


def plug_in(p: Vector, loss: Vector, epsilon: float, promise: Promise) -> float:
    """Return the loosest threshold whose risk on these rows is at most epsilon: the best here, naive elsewhere."""
    ranked = Ranked.of(p, loss)
    allowed = epsilon * (ranked.n if promise == "regret" else ranked.counts)
    good = np.flatnonzero(ranked.totals <= allowed + ROUNDING)
    return ranked.threshold(int(good[-1]) + 1) if len(good) else math.inf


def part_c(bench: Bench, p: Vector, resplits: int) -> dict[str, Any]:
    """Return how often certificates fail, and what they keep, over random resplits.

    rest   certified on some rows, tried on the others: fails too often by their noise, so sure failures are counted too
    redrawn  certified on as many rows drawn with replacement, tried on all rows: the truth is known exactly there
    """
    table = bench.table
    n = min(CERTIFY_ON, max(len(table) // 2, len(table) - FEWEST_REST))
    losses: dict[Promise, Vector] = {"regret": table.loss, "selective": 1 - table.y}
    found: dict[str, Any] = {"n_certified_on": n, "n_rest": len(table) - n, "resplits": resplits, "delta": DELTA}
    for promise, epsilons in PROMISES.items():
        say(f"certificates: {promise}")
        loss = losses[promise]
        found[promise] = resplit(p, loss, promise, epsilons, n=n, resplits=resplits)
    return found


def resplit(
    p: Vector, loss: Vector, promise: Promise, epsilons: Sequence[float], *, n: int, resplits: int
) -> dict[str, dict[str, Any]]:
    """Return, for each risk, how certificates, naive thresholds and the best possible ones did."""
    random = np.random.default_rng(7)
    seen: dict[float, list[dict[str, Any]]] = {epsilon: [] for epsilon in epsilons}
    for _ in range(resplits):
        order = random.permutation(len(p))
        splits = {"rest": (order[:n], order[n:]), "redrawn": (random.integers(0, len(p), n), np.arange(len(p)))}
        rows: dict[float, dict[str, Any]] = {epsilon: {} for epsilon in epsilons}
        for kind, (some, others) in splits.items():
            certificates = certify_ladder(p[some], loss[some], delta=DELTA, promise=promise, epsilons=epsilons)
            truth = p[others], loss[others]
            for epsilon, certificate in zip(epsilons, certificates, strict=True):
                thresholds = {
                    "certified": certificate.threshold,
                    "naive": plug_in(p[some], loss[some], epsilon, promise),
                    "oracle": plug_in(*truth, epsilon, promise),
                }
                rows[epsilon][kind] = {name: outcome(*truth, at, promise) for name, at in thresholds.items()}
        for epsilon, row in rows.items():
            seen[epsilon].append(row)
    return {f"{epsilon:g}": summary(runs, epsilon) for epsilon, runs in seen.items()}


def summary(runs: list[dict[str, Any]], epsilon: float) -> dict[str, Any]:
    """Return rates and means over the resplits of one risk."""

    def rate(hits: Iterable[bool]) -> dict[str, Any]:
        count = sum(hits)
        low, high = interval(count, len(runs), 0.05)
        return asdict(Interval(count / len(runs), low, high))

    def shares(kind: str, name: str) -> Vector:
        return np.array([run[kind][name].share for run in runs])

    kept, best = shares("rest", "certified"), shares("rest", "oracle")
    possible = best > 0
    return {
        "violations": rate(run["rest"]["certified"].violates(epsilon) for run in runs),
        "sure_violations": rate(run["rest"]["certified"].surely_violates(epsilon) for run in runs),
        "violations_redrawn": rate(run["redrawn"]["certified"].violates(epsilon) for run in runs),
        "naive_violations": rate(run["rest"]["naive"].violates(epsilon) for run in runs),
        "naive_violations_redrawn": rate(run["redrawn"]["naive"].violates(epsilon) for run in runs),
        "mean_risk": float(np.mean([run["rest"]["certified"].risk for run in runs])),
        "kept": float(kept.mean()),
        "oracle_kept": float(best.mean()),
        "ratio": float(kept.mean() / best.mean()) if possible.any() else None,
        "mean_of_ratios": float((kept[possible] / best[possible]).mean()) if possible.any() else None,
        "kept_redrawn": float(shares("redrawn", "certified").mean()),
        "nothing_kept": float((kept == 0).mean()),
    }


# D  cost


def part_d(attempts: Attempts) -> dict[str, Any]:
    """Return seconds and microseconds; on a busy machine they are upper bounds."""
    promise_fit = partial(fit, promise="regret", epsilon=0.05, delta=DELTA, today="2026-01-01")
    say("cost: fit")
    many = repeated(attempts, COST_ATTEMPTS)
    record: dict[str, Any] = {
        "fit_attempts": COST_ATTEMPTS,
        "fit_repeated_from": min(len(attempts.rows), COST_ATTEMPTS),
    }
    record["fit_seconds"] = seconds(partial(promise_fit, many))
    say("cost: one answer")
    made = promise_fit(attempts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted.json"
        write_fitted(path, made.file, made.onnx)
        fitted = Fitted(path)
        times = [seconds(partial(fitted.p_correct, row.draft)) for _ in range(COST_ROUNDS) for row in attempts.rows]
    record |= {"answer_head": made.file.head.name, "answer_calibrator": made.file.calibrator["kind"]}
    record["answer_microseconds"] = median(times) * 1e6
    say("cost: certificates")
    random = np.random.default_rng(3)
    p = random.random(COST_ROWS)
    wrong = (random.random(COST_ROWS) > p).astype(np.float64)
    jobs: dict[str, Callable[[], Any]] = {
        "certificate": lambda: certify_regret(p, wrong, epsilon=0.05, delta=DELTA),
        "ladder_regret": lambda: certify_ladder(p, wrong, delta=DELTA),
        "ladder_regret_graded": lambda: certify_ladder(p, wrong * random.random(COST_ROWS), delta=DELTA),
        "ladder_selective": lambda: certify_ladder(p, wrong, delta=DELTA, promise="selective"),
    }
    return record | {"rows": COST_ROWS, **{f"{name}_seconds": seconds(job) for name, job in jobs.items()}}


def repeated(attempts: Attempts, count: int) -> Attempts:
    """Return ``count`` attempts: the first ones as they are, then these again with noise in signals and states."""
    random = np.random.default_rng(5)
    names = list(attempts.rows[0].signals)
    spread = JITTER * np.array([[row.signals[name] for name in names] for row in attempts.rows]).std(0)

    def again(number: int) -> Attempt:
        row = attempts.rows[number % len(attempts.rows)]
        if number < len(attempts.rows):
            return row
        noise = random.normal(size=len(names)) * spread
        signals = {name: row.signals[name] + float(own) for name, own in zip(names, noise, strict=True)}
        hidden = row.draft.hidden
        if hidden is not None:
            answer = hidden.answer_mean
            hidden = HiddenStates(shaken(hidden.prompt), None if answer is None else shaken(answer))
        return replace(row, id=f"{row.id}-{number}", signals=signals, draft=replace(row.draft, hidden=hidden))

    def shaken(state: NDArray[np.float32]) -> NDArray[np.float32]:
        noise = random.normal(size=len(state)) * float(state.std()) * JITTER
        return (state + noise).astype(np.float32)

    return Attempts(attempts.header, tuple(again(number) for number in range(count)))


def seconds(job: Callable[[], Any]) -> float:
    """Return how long it takes."""
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


# Output


def markdown(record: dict[str, Any]) -> str:
    """Return the record as tables."""
    return "\n\n".join("\n".join(lines) for lines in _tables(record) if lines)


def _tables(record: dict[str, Any]) -> Iterator[list[str]]:
    held = record["held_out"]
    columns = [name for name in held["estimates"][OURS] if name != "prr_first_half"]
    rows = []
    for name, row in held["estimates"].items():
        gain = held["gains"].get(name)
        noise = f"{held['smooth_ece_if_true'][name]:.3f}"
        rows.append([name, *(cell(row[column]) for column in columns), noise, cell(gain) if gain else ""])
    oracle = [f"{held['oracle_share'][name]:.3f}" if name in held["oracle_share"] else "" for name in columns]
    heads = ["held out", *columns, "smooth ece if p were true", "gain of ours"]
    yield _table(heads, [*rows, ["any order at all", *oracle, "", ""]])
    if left := record["task_left_out"]:
        names = list(left["macro"])
        rows = [
            [
                ("**below** " if row["below"] else "") + task,
                row["n"],
                *(f"{row['auroc'][name]:.3f}" for name in names),
                cell(row["gain"]),
            ]
            for task, row in left["tasks"].items()
        ]
        macro = [
            "mean",
            "",
            *(f"{left['macro'][name]:.3f}" for name in names),
            cell(left["gains"][left["best_baseline"]]),
        ]
        yield _table(["task left out", "n", *names, f"gain over {left['best_baseline']}"], [*rows, macro])
    columns = ["kept", "oracle_kept", "ratio", "violations", "sure_violations", "violations_redrawn"]
    columns += ["naive_violations", "naive_violations_redrawn", "nothing_kept"]
    yield _table(
        ["certificates", *columns],
        [
            [f"{promise} {epsilon}", *(cell(row[column]) for column in columns)]
            for promise in PROMISES
            for epsilon, row in record["certificates"][promise].items()
        ],
    )
    if cost := record["cost"]:
        rows = [[name, f"{value:.4g}" if isinstance(value, float) else value] for name, value in cost.items()]
        yield _table(["cost", ""], rows)


def cell(value: Any) -> str:
    """Return a figure, with its interval where it has one."""
    if isinstance(value, Interval):
        value = asdict(value)
    if isinstance(value, dict):
        return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    return "-" if value is None else f"{value:.3f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(str(one).replace("_", " ") for one in line) + " |" for line in lines]


def plain(value: Any) -> Any:
    """Return a record that JSON can hold: intervals as objects, what is no number as null."""
    if isinstance(value, Interval):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


# The run


def with_cloud(attempts: Attempts) -> tuple[Attempts, str]:
    """Return attempts that all have a cloud, and which: one that is always right where none was recorded at all."""
    if any(row.cloud is not None for row in attempts.rows):
        return attempts, attempts.header.cloud or "unnamed"
    return replace(attempts, rows=tuple(replace(row, cloud=1.0) for row in attempts.rows)), "taken to be always right"


def measure(attempts: Attempts, *, resplits: int, cost: bool = True) -> dict[str, Any]:
    """Return everything that is measured, as plain values."""
    started = time.perf_counter()
    attempts, cloud = with_cloud(attempts)
    bench = Bench.of(table_of(attempts, "regret"))
    table = bench.table
    estimates = held_out(bench)
    say("held out: intervals")
    return {
        "schema": "edgecascade.bench.estimate/1",
        "identity": attempts.header.identity.as_json(),
        "cloud": cloud,
        "n": len(table),
        "n_of_task": dict(Counter(bench.names[number] for number in bench.group.tolist())),
        "n_of_subject": dict(Counter(row.task for row in table.attempts)),
        "accuracy": float(table.y.mean()),
        "cloud_quality": float(table.cloud.mean()),
        "mean_loss": float(table.loss.mean()),
        "held_out": part_a(bench, estimates),
        "task_left_out": part_b(bench),
        "certificates": part_c(bench, estimates[OURS].p, resplits),
        "cost": part_d(attempts) if cost else {},
        "machine": {"platform": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "versions": {name: version(name) for name in ("edgecascade", "numpy", "scikit-learn")},
        "seconds": time.perf_counter() - started,
    }


def main() -> None:
    """Measure, print the tables, write the record."""
    parser = argparse.ArgumentParser(description="How good p_correct is, beside simpler ways to say it.")
    parser.add_argument("attempts", nargs="+", type=Path, help="files written by `edgecascade calibrate collect`")
    parser.add_argument("--out", type=Path, required=True, help="where the record goes, as JSON")
    parser.add_argument("--resplits", type=int, default=200)
    parser.add_argument("--no-cost", action="store_true", help="leave out what takes long and depends on the machine")
    options = parser.parse_args()
    with threadpool_limits(1):  # small problems: a second thread only waits for the first
        record = measure(read_attempts(options.attempts), resplits=options.resplits, cost=not options.no_cost)
    record["attempts"] = [path.name for path in options.attempts]
    print(markdown(record))
    write_whole(options.out, json.dumps(plain(record), indent=1) + "\n")
    say(f"{options.out} written after {record['seconds']:.0f} s")


if __name__ == "__main__":
    main()
