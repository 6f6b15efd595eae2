"""What a search found, as a file: JSON that ``compound run --allocation`` reads again."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecascade.composing.optimising import Optimised, Plan
from edgecascade.composing.trying import Trials
from edgecascade.compound.allocation import Allocation
from edgecascade.compound.program import Program
from edgecascade.errors import ConfigError
from edgecascade.store.files import write_whole

VERSION = 1


def record_of(found: Optimised, plan: Plan, trials: Trials, *, program: str, questions: str) -> dict[str, Any]:
    """Return everything that was found as plain values.

    program    as it was named          questions  sha256 of their file
    """
    search = found.search
    best = trials.models[found.best_single]
    return {
        "schema_version": VERSION,
        "program": program,
        "allocation": named(trials, found.chosen.allocation),
        **found.chosen.as_json(),
        "singles": {trials.models[one.allocation[0]]: one.as_json() for one in found.singles},
        "best_single": best,
        "gain": asdict(found.gain) if found.gain else None,
        "worth_gain": asdict(found.worth_gain) if found.worth_gain else None,
        "exhaustive": _exhaustive(found, trials),
        "search": {
            "ended": search.ended,
            "steps": len(search.trace) - 1,
            "evaluated": len(search.known),
            "trace": [named(trials, allocation) for allocation in search.trace],
        },
        "plan": asdict(plan),
        "questions": questions,
        "n_train": len(found.training),
        "n_test": len(found.held_out),
        "spent": trials.asker.counts.as_json(),
    }


def named(trials: Trials, allocation: Allocation) -> dict[str, str]:
    """Return each module's model by name."""
    return {module: trials.models[model] for module, model in zip(trials.program.modules, allocation, strict=True)}


def _exhaustive(found: Optimised, trials: Trials) -> dict[str, Any] | None:
    if found.exhaustive is None:
        return None
    return {"allocation": named(trials, found.exhaustive.allocation), **found.exhaustive.as_json()}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record so that the file is whole once it is there."""
    write_whole(path, json.dumps(record, indent=1) + "\n")


def read_allocation(path: Path, program: Program) -> dict[str, str]:
    """Return each module's model from a file that ``optimise`` wrote; ConfigError for another file or program."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} holds no allocation: found {error}, wanted JSON; make it with `compound optimise --out`"
        ) from error
    version = record.get("schema_version") if isinstance(record, dict) else None
    allocation = record.get("allocation") if version == VERSION else None
    if not isinstance(allocation, dict) or not all(isinstance(model, str) for model in allocation.values()):
        raise ConfigError(
            f"{path} holds no allocation: found schema {version!r}, wanted {VERSION} with 'allocation'; make it with "
            "`compound optimise --out`"
        )
    if set(allocation) != set(program.modules):
        raise ConfigError(
            f"{path} is for another program: found modules {', '.join(sorted(allocation))}, wanted "
            f"{', '.join(program.modules)}; name its own program"
        )
    return allocation
