"""Allocations as people type them, and what a search for the best one has found, in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecascade.cli.showing import counted

if TYPE_CHECKING:
    from edgecascade.composing.asking import Counts
    from edgecascade.composing.optimising import Compared, Gain, Optimised
    from edgecascade.composing.trying import Trials
    from edgecascade.compound.program import Program


def words_in(text: str) -> list[str]:
    """Return what stands between commas.

    >>> words_in("a, b,,c,")
    ['a', 'b', 'c']
    """
    return [word.strip() for word in text.split(",") if word.strip()]


def pairs_in(text: str) -> dict[str, str]:
    """Return each module's model; BadParameter for what is no pair, and for a module that is named twice."""
    pairs = [word.partition("=") for word in words_in(text)]
    if wrong := next(("".join(parts) for parts in pairs if not all(parts)), None):
        raise click.BadParameter(f"{wrong!r} is no pair; wanted MODULE=MODEL, like critic=smollm2-135m",
                                 param_hint="--allocate")  # fmt: skip
    modules = [module for module, _, _ in pairs]
    if twice := next((module for module in modules if modules.count(module) > 1), None):
        raise click.BadParameter(f"{twice!r} is given two models; wanted one a module", param_hint="--allocate")
    return {module: model for module, _, model in pairs}


def allocated(program: "Program", models: Sequence[str], stated: Mapping[str, str]) -> dict[str, str]:
    """Return each module's model: the one stated, else the only one there is; ConfigError where a module has none."""
    from edgecascade.compound.program import check_allocation
    from edgecascade.errors import ConfigError

    by_short = dict(zip(shorts(models), models, strict=True))
    chosen = dict.fromkeys(program.modules, models[0]) if len(models) == 1 else {}
    chosen |= {module: by_short.get(model, model) for module, model in stated.items()}
    check_allocation(program, chosen)
    if unknown := sorted(set(chosen.values()) - set(models)) if models else []:
        raise ConfigError(
            f"the model {unknown[0]!r} is not among those named: found {', '.join(models)}; add it to --models"
        )
    return chosen


def say_optimised(found: "Optimised", trials: "Trials") -> None:
    """Print the allocation, its figures beside those of each model everywhere, and what the search took."""
    names, width = shorts(trials.models), max(len(module) for module in trials.program.modules)
    for module, model in zip(trials.program.modules, found.chosen.allocation, strict=True):
        click.echo(f"{module:{width}}  {names[model]}")
    rows = [("chosen", found.chosen), *((f"only {name}", one) for name, one in zip(names, found.singles, strict=True))]
    rows += [("best of all", found.exhaustive)] if found.exhaustive else []
    width = max(len(name) for name, _ in rows)
    head = f"training ({len(found.training)})  held out ({len(found.held_out)}), 95 %  calls  s a question"
    head += "   worth" if found.chosen.training.worth is not None else ""
    click.echo(f"\n{'':{width}}  {head}")
    for name, one in rows:
        click.echo(f"{name:{width}}  {_row(one)}")
    click.echo(f"\n{_verdict(found, names)}")
    search = found.search
    ended = {"settled": "as nothing changed any more", "cycle": "in a cycle", "budget": "at the calls allowed"}
    steps = counted(len(search.trace) - 1, "step")
    click.echo(f"{steps}, {counted(len(search.known), 'allocation')} tried, ended {ended.get(search.ended, '')}")
    click.echo(spent_line(trials.asker.counts))


def _row(one: "Compared") -> str:
    here, there = one.training, one.held_out
    held_out = (
        f"{there.quality.value:.3f} [{there.quality.low:.3f}, {there.quality.high:.3f}]" if there else "not asked"
    )
    took = there or here
    worth = "" if took.worth is None else f"  {took.worth:+.3f}"
    return f"{here.quality.value:13.3f}  {held_out:22}  {took.calls:5.1f}  {took.seconds:12.2f}{worth}"


def _verdict(found: "Optimised", names: Sequence[str]) -> str:
    """Return what the held-out questions say of the choice."""
    best = names[found.best_single]
    if found.gain is None and found.held_out:
        return "the held-out questions were not all asked: how good the choice is on new questions is not known"
    if found.gain is None:
        return "nothing was held out: how good the choice is on new questions is not known"
    if len(set(found.chosen.allocation)) == 1 and found.chosen.allocation[0] == found.best_single:
        return f"no mix was better in training than {best} everywhere: it is the choice"
    worth = f"\nworth {_gain_line(found.worth_gain, best)}" if found.worth_gain else ""
    return f"quality {_gain_line(found.gain, best)}{worth}"


def _gain_line(gain: "Gain", best: str) -> str:
    held_out = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] held out against {best} everywhere"
    return f"{held_out}: {'a difference is shown' if gain.shown else 'no difference is shown'}"


def spent_line(counts: "Counts") -> str:
    """Return how many calls were asked now, and how many replies were on record."""
    unread = f", {counts.unread} empty or too long for their model" if counts.unread else ""
    asked = f"{counted(counts.asked, 'call')} asked in {counts.seconds:.1f} s for {dollars(counts.usd)}"
    return f"{asked}, {counts.kept:,} on record{unread}"


def dollars(usd: float | None) -> str:
    """Return a price.

    >>> dollars(0.0012), dollars(0.0), dollars(None)
    ('$0.0012', '$0', 'an unknown price')
    """
    return "an unknown price" if usd is None else f"${usd:.6f}".rstrip("0").rstrip(".")


def shorts(names: Sequence[str]) -> list[str]:
    """Return the models' names for people; whole where two would be the same.

    >>> shorts(["a/m.gguf", "b/m.gguf", "c/n.gguf"])
    ['a/m.gguf', 'b/m.gguf', 'n']
    """
    found = [short(name) for name in names]
    return [name if found.count(one) > 1 else one for one, name in zip(found, names, strict=True)]


def short(name: str) -> str:
    """Return a model's name for people: of a path, the file's."""
    return Path(name).stem if name.endswith(".gguf") else name
