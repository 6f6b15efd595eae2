"""What must be said of an evaluation beside its figures: a line each, and what is true of many policies once."""

from collections.abc import Mapping, Sequence

from edgecascade.evaluate.results import Result, money
from edgecascade.evaluate.trials import SAME
from edgecascade.pool import Array, Table, Unit

BY_NATURE = ("constant", "random")
"""Policies of which nobody wonders that they ask one model."""
COLLAPSED = 0.95
"""Of the questions: a policy that asks one model alone so often is hardly a policy."""
OVERSPENT = 1.05
FEW_SPLITS = 5


def notices_of(
    asked: Sequence[Result], alone: Mapping[str, Array], table: Table, *, budget: float, splits: int
) -> list[str]:
    """Return the lines; ``alone``: by policy, the share of questions of which it asks each model alone (k,)."""
    ran, costs = [one for one in asked if not one.reason], table.cost.mean(axis=0)
    said = _of_intervals(len(ran), splits)
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


def _collapsed(alone: Mapping[str, Array], models: Sequence[str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for name, shares in alone.items():
        if shares.max() >= COLLAPSED:
            found.setdefault(models[int(shares.argmax())], []).append(name)
    often = f"it alone is asked in {COLLAPSED:.0%} of the questions or more"
    return [f"{', '.join(names)} collapsed to {model}: {often}" for model, names in found.items()]


def _overspent(ran: Sequence[Result], budget: float, unit: Unit) -> list[str]:
    over = [f"{one.name} {money(one.cost, unit)}" for one in ran if one.cost and one.cost > budget * OVERSPENT]
    return [f"more than the {money(budget, unit)} a question that it may cost: {', '.join(over)}"] if over else []


def _of_costs(costs: Array, budget: float, unit: Unit) -> list[str]:
    said = []
    if costs.max() <= costs.min() * SAME:
        said.append("every model costs the same, so curves go on from one call to all of them")
    if budget * SAME < costs.min():
        said.append(f"the budget is below the cheapest model's {money(float(costs.min()), unit)}, which is then asked")
    return said
