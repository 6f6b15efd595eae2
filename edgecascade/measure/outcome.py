"""From what the steps found to a profile of this very device."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgecascade.measure.journal import Finding, disturbed
from edgecascade.measure.rig import adopted_threads
from edgecascade.profile import (
    Conditions,
    Curve,
    DeviceLimits,
    EngineChoice,
    Figure,
    Machine,
    Mark,
    Match,
    Power,
    Profile,
    Speed,
)
from edgecascade.store.profile_form import MOST_WATTS

GIB = 2**30
MEMORY_SLACK = 0.1
"""What a kernel or a graphics chip keeps to itself may change by this share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was measured, and when.

    name   of the profile                       model, parameters, bytes  of the model
    like   the profile of such devices, if any  facts                     of provenance: date, versions, system ...
    """

    name: str
    mode: str
    machine: Machine
    model: str
    parameters: int
    bytes: int
    date: str
    library: str
    facts: Mapping[str, object]
    begin: Conditions
    end: Conditions
    like: Profile | None = None


def profile_of(found: Mapping[str, Finding], subject: Subject, before: Profile | None = None) -> Profile:
    """Return the profile; of one that was there ``before``, the other models' speeds and what a user set are kept."""
    base = before or _empty(subject)
    others = [row for row in base.speeds if (row.model, row.bytes) != (subject.model, subject.bytes)]
    gpu = found.get("gpu", {}).get("gpu_layers")
    return replace(
        base,
        match=match_of(subject.machine),
        engine=replace(
            base.engine,
            threads=adopted_threads(found) or base.engine.threads,
            gpu_layers=base.engine.gpu_layers if gpu is None else gpu,
        ),
        speeds=(_speed(found, subject), *others),
        power=_power(found, subject, base.power),
        limits=replace(
            base.limits,
            memory_bytes=float(subject.machine.memory_bytes) or None,
            sustained=_figure("share", found.get("sustained", {}), subject) or base.limits.sustained,
        ),
        round_trip_s=_figure("seconds", found.get("round trip", {}), subject) or base.round_trip_s,
        provenance=_provenance(found, subject, base),
    )


def match_of(machine: Machine) -> Match:
    r"""Return the rules that this machine alone, or one built the same, meets.

    >>> match_of(Machine(system="linux", arch="aarch64", cpu="Cortex-A76 (r4)", cores=4, memory_bytes=8 << 30)).cpu
    '^Cortex\\-A76\\ \\(r4\\)$'
    """
    gib = machine.memory_bytes / GIB
    return Match(
        system=_exactly(machine.system),
        arch=_exactly(machine.arch),
        cpu=_exactly(machine.cpu),
        board=_exactly(machine.board),
        cores=(machine.cores, machine.cores),
        memory_gib=(round(gib * (1 - MEMORY_SLACK), 2), round(gib * (1 + MEMORY_SLACK), 2)) if gib else None,
    )


def _exactly(text: str) -> str | None:
    return f"^{re.escape(text)}$" if text else None


def _empty(subject: Subject) -> Profile:
    machine, like = subject.machine, subject.like
    return Profile(
        name=subject.name,
        title=machine.board or machine.cpu or f"{machine.system} {machine.arch}",
        kind=like.kind if like else "this device",
        engine=EngineChoice(),
        limits=DeviceLimits() if like is None else DeviceLimits(celsius=like.limits.celsius),
    )


def _origin(subject: Subject, *findings: Finding) -> tuple[Mark, str]:
    """Return what figures of these findings are, and where they are from; those that others disturbed are estimates."""
    source = f"edgecascade measure, {subject.mode}, {subject.date}, {subject.library}"
    why = disturbed(*findings)
    return ("estimate", f"{why}; {source}") if why else ("measured", source)


def _figure(name: str, finding: Finding, subject: Subject, *others: Finding) -> Figure | None:
    value = finding.get(name)
    return Figure(value, *_origin(subject, finding, *others)) if value else None


def _speed(found: Mapping[str, Finding], subject: Subject) -> Speed:
    parts = found["prefill"], found["decode"]
    mark, source = _origin(subject, *parts)
    remarks = (remark for part in parts for remark in part.get("remarks", ()) if remark != disturbed(part))
    return Speed(
        model=subject.model,
        parameters=subject.parameters,
        bytes=subject.bytes,
        prefill=_curve(found["prefill"]["points"]),
        decode=_curve(found["decode"]["points"]),
        load_s=found["load"].get("warm_s", found["load"]["first_s"]),
        threads=adopted_threads(found),
        mark=mark,
        source="; ".join([source, *remarks]),
    )


def _curve(points: Sequence[Sequence[float]]) -> Curve:
    return Curve(tuple((x, y) for x, y in points))


def _power(found: Mapping[str, Finding], subject: Subject, before: Power) -> Power:
    """Return the watts that were measured, else those before, else those of such devices, called an estimate.

    What a profile cannot hold is left out: rest that a meter put above work, and more than ``MOST_WATTS``.
    """
    energy = found.get("energy", {})
    working = [energy.get(kind, {}).get("watts") for kind in ("decode", "prefill")]
    writing, reading = (watts if watts and watts <= MOST_WATTS else None for watts in working)
    if not writing:
        return before if before != Power() or subject.like is None else _estimated(subject.like)
    idle = found.get("idle", {})
    rest = _figure("watts", idle, subject)
    return Power(
        idle=rest if rest and rest.value <= min(writing, reading or writing) else None,
        decode=_figure("watts", energy["decode"], subject, energy),
        prefill=_figure("watts", energy["prefill"], subject, energy) if reading else None,
        meter=energy["meter"],
    )


def _estimated(like: Profile) -> Power:
    def figure(of: Figure | None) -> Figure | None:
        why = f"no meter here: as of {like.name} ({of.mark}: {of.source})" if of else ""
        return Figure(of.value, "estimate", why) if of else None

    power = like.power
    return Power(idle=figure(power.idle), decode=figure(power.decode), prefill=figure(power.prefill), meter=power.meter)


def _provenance(found: Mapping[str, Finding], subject: Subject, before: Profile) -> dict[str, Any]:
    """Return the facts of the latest measurement, and of each model what else was found."""
    key = f"{subject.model} {subject.bytes}"
    models = before.provenance.get("models")
    steps = {
        step: rest
        for step, finding in found.items()
        if (rest := {name: part for name, part in finding.items() if name != "points"})
    }
    return {
        **subject.facts,
        "date": subject.date,
        "mode": subject.mode,
        "library": subject.library,
        "conditions_at_begin": _known(subject.begin),
        "conditions_at_end": _known(subject.end),
        "models": {**(models if isinstance(models, Mapping) else {}), key: steps},
    }


def _known(conditions: Conditions) -> dict[str, Any]:
    return {name: value for name, value in asdict(conditions).items() if value is not None}
