"""The steps, one after another: in time, undisturbed, and written down as soon as each is done."""

from collections.abc import Callable, Sequence

from edgecascade.errors import DeviceError
from edgecascade.measure.journal import Finding, Journal
from edgecascade.measure.rig import Box, Desk, Rig
from edgecascade.measure.steps import STEPS, Step

AGAIN = 2
"""Further tries of a step that another process disturbed."""
WAIT_SECONDS = 5.0
SHORTEST_SECONDS = 0.5
"""What others do is counted in hundredths of a second: in less than this nothing can be told of them."""

Say = Callable[[str], None]
Tell = Callable[[int, int, str], None]
"""Steps done, steps in all, what comes now."""


def run(
    rig: Rig,
    journal: Journal,
    *,
    started: float,
    anyway: bool = False,
    steps: Sequence[Step] = STEPS,
    say: Say = lambda line: None,
    tell: Tell = lambda done, total, what: None,
) -> dict[str, Finding]:
    """Return what every step found; those that the journal holds are not taken again.

    started  when the time began to run, on the rig's clock; what the steps that are done may take is taken off
    anyway   keep figures that were disturbed, marked

    Raises DeviceError where another process disturbs it, and where the model is too slow for the time that there is.
    """
    desk = Desk(rig, dict(journal.found))
    todo = [step for step in steps if step.name not in desk.found]
    last = started + rig.mode.seconds * _shares(todo) / _shares(steps)
    try:
        for number, step in enumerate(todo):
            tell(len(steps) - len(todo) + number, len(steps), step.name)
            finding = _undisturbed(desk, todo[number:], last, anyway=anyway, say=say)
            for what in _told(finding):
                say(f"{step.name}: {what}")
            desk.found[step.name] = finding
            journal.append(step.name, finding)
        tell(len(steps), len(steps), "done")
    finally:
        desk.close()
    return desk.found


def _shares(steps: Sequence[Step]) -> float:
    return sum(step.share for step in steps)


def _undisturbed(desk: Desk, todo: Sequence[Step], last: float, *, anyway: bool, say: Say) -> Finding:
    """Return what the first of the steps finds while nothing else computes, with what there is to remark."""
    step, rig, why = todo[0], desk.rig, ""
    for again in range(AGAIN + 1):
        if again:
            say(f"{step.name}: {why}; trying again in {WAIT_SECONDS:.0f} s")
            rig.wait(WAIT_SECONDS)
        box, begun = _box(rig, todo, last), rig.clock()
        with rig.watching() as seen:
            finding = step.take(desk, box)
        remarks = [*finding.get("remarks", ()), *seen.remarks]
        if seen.worthless is None or rig.clock() - begun < SHORTEST_SECONDS:
            return finding | ({"remarks": remarks} if remarks else {})
        why = seen.worthless.partition(": ")[0]  # what to do about it stands in the error
        if anyway:
            return finding | {"remarks": [*remarks, f"worthless: {why}"]}
    raise DeviceError(
        f"measuring while another process computes: found that {why}, in {AGAIN + 1} tries of {step.name!r}; close "
        "what runs and go on with the same command, or keep such figures with --anyway"
    )


def _box(rig: Rig, todo: Sequence[Step], last: float) -> Box:
    """Return the time of the first of the steps: its share of what is left, so that what one saves the others have."""
    now = rig.clock()
    share = todo[0].share / _shares(todo) if _shares(todo) else 1.0
    return Box(rig.clock, now + max(last - now, 0.0) * share, last)


def _told(finding: Finding) -> list[str]:
    """Return what there is to say of a step at once."""
    left_out = ", ".join(finding.get("left_out", ()))
    skipped = [f"skipped: {finding['skipped']}"] if "skipped" in finding else []
    return [*skipped, *([f"no time for {left_out}"] if left_out else []), *finding.get("remarks", ())]
