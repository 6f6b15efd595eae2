"""What a search for the best models has found, in words: a table, and whether it shows anything."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecascade.cli.showing import counted

if TYPE_CHECKING:
    from edgecascade.composing.asking import Counts
    from edgecascade.composing.optimising import Compared, Optimised
    from edgecascade.composing.trying import Trials


def say_optimised(found: "Optimised", trials: "Trials") -> None:
    """Print the allocation, its figures beside those of each model everywhere, and what the search took."""
    width = max(len(module) for module in trials.program.modules)
    for module, model in zip(trials.program.modules, found.chosen.allocation, strict=True):
        click.echo(f"{module:{width}}  {short(trials.models[model])}")
    names = [short(name) for name in trials.models]
    rows = [("chosen", found.chosen), *((f"only {name}", one) for name, one in zip(names, found.singles, strict=True))]
    rows += [("best of all", found.exhaustive)] if found.exhaustive else []
    width = max(len(name) for name, _ in rows)
    head = f"training ({len(found.training)})  held out ({len(found.held_out)}), 95 %  calls  s a question"
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
    return f"{here.quality.value:13.3f}  {held_out:22}  {took.calls:5.1f}  {took.seconds:12.2f}"


def _verdict(found: "Optimised", names: Sequence[str]) -> str:
    """Return what the held-out questions say of the choice."""
    best = names[found.best_single]
    if found.gain is None:
        return "nothing was held out: how good the choice is on new questions is not known"
    if len(set(found.chosen.allocation)) == 1 and found.chosen.allocation[0] == found.best_single:
        return f"no mix was better in training than {best} everywhere: it is the choice"
    gain = f"{found.gain.value:+.3f} [{found.gain.low:+.3f}, {found.gain.high:+.3f}] held out against {best} everywhere"
    return f"{gain}: {'a difference is shown' if found.gain.shown else 'no difference is shown'}"


def spent_line(counts: "Counts") -> str:
    """Return how many calls were asked now, and how many replies were on record."""
    long = f", {counts.too_long} too long for their model" if counts.too_long else ""
    asked = f"{counted(counts.asked, 'call')} asked in {counts.seconds:.1f} s for {dollars(counts.usd)}"
    return f"{asked}, {counts.kept:,} on record{long}"


def dollars(usd: float | None) -> str:
    """Return a price.

    >>> dollars(0.0012), dollars(0.0), dollars(None)
    ('$0.0012', '$0', 'an unknown price')
    """
    return "an unknown price" if usd is None else f"${usd:.6f}".rstrip("0").rstrip(".")


def short(name: str) -> str:
    """Return a model's name for people: of a path, the file's."""
    return Path(name).stem if name.endswith(".gguf") else name
