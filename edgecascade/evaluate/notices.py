"""What must be said of an evaluation beside its figures: a line each, and what is true of many policies once."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgecascade.evaluate.results import Result, money
from edgecascade.evaluate.trials import SAME
from edgecascade.policies.smart import CONFIDENCE
from edgecascade.pool import Array, Table, Unit

BY_NATURE = ("constant", "random")
"""Policies of which nobody wonders that they ask one model."""
COLLAPSED = 0.95
"""Of the questions: a policy that asks one model alone so often is hardly a policy."""
OVERSPENT = 1.02
FEW_SPLITS = 5


def notices_of(
    asked: Sequence[Result], alone: Mapping[str, Array], table: Table, *, budget: float, splits: int
) -> list[str]:
    """Return the lines; ``alone``: by policy, the share of questions of which it asks each model alone (k,)."""
    ran, costs = [one for one in asked if not one.reason], table.cost.mean(axis=0)
    said = _of_intervals(len(ran), splits) + _of_policies(ran, table)
    if len(table.models) > 1:
        said += _collapsed({one.name: alone[one.name] for one in ran if one.name not in BY_NATURE}, table.models)
    if budget * SAME >= costs.min():
        said += _overspent(ran, budget, table.unit)
    return said + _of_costs(costs, budget, table.unit)


def _of_intervals(policies: int, splits: int) -> list[str]:
    said = []
    if splits == 1:
        said.append("the interval of one split leaves out what another training part would change; give more --splits")
    elif splits < FEW_SPLITS:
        said.append("the intervals of few splits are wide, or narrow by luck; give more --splits")
    if policies > 1:
        said.append(f"{policies} policies, each with an interval of its own: of twenty ties one may look like a gain")
    return said


def _of_policies(ran: Sequence[Result], table: Table) -> list[str]:
    """Return what SMART promises, and why cascade routing is no cascade where no answer shows anything."""
    said = [
        f"{one.name} promises with {CONFIDENCE:.0%} confidence that at least {one.promised:.1%} of its answers are the "
        "dearest model's"
        for one in ran
        if one.promised is not None
    ]
    if not table.evidence and not np.isfinite(table.after).any() and any(one.name == "cascade_routing" for one in ran):
        said.append(
            "cascade_routing only routes here: no model shows how sure it was of its answer; give --attempts, or "
            "estimates with `after`"
        )
    return said


def _collapsed(alone: Mapping[str, Array], models: Sequence[str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for name, shares in alone.items():
        if shares.max() >= COLLAPSED:
            found.setdefault(models[int(shares.argmax())], []).append(name)
    often = f"it alone is asked in {COLLAPSED:.0%} of the questions or more"
    return [f"{', '.join(names)} collapsed to {model}: {often}" for model, names in found.items()]


def _overspent(ran: Sequence[Result], budget: float, unit: Unit) -> list[str]:
    over = [f"{one.name} {money(one.cost, unit)}" for one in ran if one.cost and one.cost > budget * OVERSPENT]
    if not over:
        return []
    most = f"more than the {money(budget, unit)} a question that it may cost"
    return [f"{most}: {', '.join(over)}; --confidence keeps it more surely"]


def _of_costs(costs: Array, budget: float, unit: Unit) -> list[str]:
    said = []
    if costs.max() <= costs.min() * SAME:
        said.append("every model costs the same, so curves go on from one call to all of them")
    if budget * SAME < costs.min():
        said.append(f"the budget is below the cheapest model's {money(float(costs.min()), unit)}, which is then asked")
    return said
