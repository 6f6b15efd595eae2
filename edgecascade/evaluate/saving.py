"""A policy fitted on every row of a table, as a file for live use."""

from edgecascade.errors import PolicyError
from edgecascade.evaluate.threads import one_thread
from edgecascade.evaluate.trials import fit_named, fitting
from edgecascade.pool import Queries, Table
from edgecascade.store.pool_files import PoolFile, digest_of


def check_live(queries: Queries) -> None:
    """Raise PolicyError for features that no new question has."""
    if queries.kind == "recorded":
        raise PolicyError(
            "such a policy cannot be used live: found features of the kind 'recorded', which no new question has, "
            "wanted another; give --features text, --encoder PATH or --model SPEC with --save"
        )


def pool_file(
    table: Table,
    queries: Queries,
    policy: str,
    *,
    budget: float | None,
    confidence: float | None,
    seed: int,
    today: str,
) -> PoolFile:
    """Return a policy with its features and its estimator, fitted on all rows.

    Raises PolicyError where it cannot be fitted on this table.
    """
    with one_thread():
        shared = fitting(table, queries, seed=seed)
        fitted = fit_named(policy)(shared.training, seed=seed)
    return PoolFile(
        policy=policy,
        models=table.models,
        unit=table.unit,
        budget=budget,
        confidence=confidence,
        kind=queries.kind,
        source=queries.source,
        source_sha256=queries.sha256,
        features=shared.features.as_json(),
        estimator=shared.estimator.as_json(),
        fitted=fitted.as_json(),
        created=today,
        rows=len(table),
        table_sha256=digest_of(table),
    )
