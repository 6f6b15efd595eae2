"""The steps, one after another: in time, undisturbed, and written down as soon as each is done."""

from collections.abc import Callable, Sequence

from edgecascade.errors import DeviceError
from edgecascade.measure.journal import WORTHLESS, Finding, Journal, disturbed
from edgecascade.measure.rig import Box, Desk, Rig
from edgecascade.measure.steps import STEPS, VARIANTS, Step

AGAIN = 2
"""Further tries of a step that another process disturbed."""
WAIT_SECONDS = 5.0
SHORTEST_SECONDS = 0.5
"""What others do is counted in hundredths of a second: in less than this nothing can be told of them."""

Say = Callable[[str], None]
Tell = Callable[[int, int, str, float], None]
"""Steps done, steps in all, what comes now, and the seconds that all of it may take from now on."""


def run(
    rig: Rig,
    journal: Journal,
    *,
    started: float,
    anyway: bool = False,
    steps: Sequence[Step] = STEPS,
    say: Say = lambda line: None,
    tell: Tell = lambda done, total, what, seconds: None,
) -> dict[str, Finding]:
    """Return what every step found; those that the journal holds are not taken again, unless they were disturbed.

    started  when the time began to run, on the rig's clock; what the steps that are done may take is taken off
    anyway   keep figures that were disturbed, marked

    Raises DeviceError where another process disturbs it, and where the model is too slow for the time that there is.
    """
    kept = {name: finding for name, finding in journal.found.items() if anyway or not disturbed(finding)}
    desk = Desk(rig, kept)
    todo = [step for step in steps if step.name not in desk.found]
    last = started + rig.mode.seconds * _shares(todo) / _shares(steps)
    try:
        for number, step in enumerate(todo):
            long = rig.mode.sustained if todo[-1].name == "sustained" else 0.0
            tell(len(steps) - len(todo) + number, len(steps), step.name, max(last - rig.clock(), 0.0) + long)
            finding = _undisturbed(desk, todo[number:], last, anyway=anyway, say=say)
            for what in _told(finding):
                say(f"{step.name}: {what}")
            desk.found[step.name] = finding
            journal.append(step.name, finding)
        tell(len(steps), len(steps), "done", 0.0)
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
        if "skipped" in finding:
            return finding
        remarks = [*finding.get("remarks", ()), *seen.remarks]
        if seen.worthless is None or rig.clock() - begun < SHORTEST_SECONDS:
            return finding | ({"remarks": remarks} if remarks else {})
        why = seen.worthless.partition(": ")[0]  # what to do about it stands in the error
        if anyway:
            return finding | {"remarks": [*remarks, f"{WORTHLESS}: {why}"]}
    raise DeviceError(
        f"measuring while another process computes: found that {why}, in {AGAIN + 1} tries of {step.name!r}; close "
        "what runs and go on with the same command, or keep such figures with --anyway"
    )


def _box(rig: Rig, todo: Sequence[Step], last: float) -> Box:
    """Return the time of the first of the steps: its share of what is left, so that what one saves the others have."""
    now, whole = rig.clock(), _shares(todo)
    left, spare = max(last - now, 0.0), VARIANTS.share if VARIANTS in todo[1:] else 0.0
    share, most = (todo[0].share / whole, (todo[0].share + spare) / whole) if whole else (1.0, 1.0)
    return Box(rig.clock, now + left * share, last, now + left * most)


def _told(finding: Finding) -> list[str]:
    """Return what there is to say of a step at once."""
    left_out = ", ".join(finding.get("left_out", ()))
    skipped = [f"skipped: {finding['skipped']}"] if "skipped" in finding else []
    return [*skipped, *([f"left out: {left_out}"] if left_out else []), *finding.get("remarks", ())]
