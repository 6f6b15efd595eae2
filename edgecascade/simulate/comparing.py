"""What a device would make of a fitted file: its cascade beside the cloud alone and the device alone.

A device is judged by what an answer costs there on average: its price in dollars, seconds and joules at the weights,
less V times its quality.

"use"      the cascade's mean cost is not above the cloud's alone, to a part in a thousand, and something is gained
"never"    nothing is promised, the model does not fit, the device is never worth its try, it costs more, or as much for
           answers that are slower, fewer of them right, or none of them the device's
"unknown"  a number that the weights ask for is not there
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Literal

import numpy as np

from edgecascade.cascade.gating import gates_of
from edgecascade.errors import ConfigError, ProfileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.policies import moved, price
from edgecascade.policies.weighing import as_known, gates_pay, kept_from
from edgecascade.profile import Conditions, Profile, Speed, Weights
from edgecascade.simulate.playing import CloudFacts, Played, Scene, Stage, play
from edgecascade.simulate.rows import Row, rows_of_file
from edgecascade.simulate.solving import priced
from edgecascade.store.fitted_files import FittedFile

Verdict = Literal["use", "never", "unknown"]
UNKNOWN = Conditions()
"""No sensor says anything."""
TIE = 0.001
"""Of two costs: less apart than this share of the larger they are the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a way to answer comes to: means an answer, but for the two quantiles of its seconds; None: unknown.

    threshold  from which p_correct on answers are kept; None: none is, or all are
    kept       share of the answers that the certificate covers        quality  share that is right
    """

    answers: int
    threshold: float | None
    kept: float
    quality: float
    seconds_p50: float
    seconds_p95: float
    seconds_mean: float
    usd: float | None
    joules: float | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What a device would make of a fitted file.

    speed       of the model there          moved  which conditions moved the weights, a sentence each
    cascade     beside the ``cloud`` alone (None: there is none) and the ``device`` alone
    why         the verdict, in numbers
    break_even_usd_per_second  the price of a second at which cascade and cloud alone cost the same; None: at none
    gated       whether the gates pay there, so that the threshold is the one behind them
    """

    profile: Profile
    speed: Speed
    cascade: Outcome
    cloud: Outcome | None
    device: Outcome
    verdict: Verdict
    why: str
    moved: tuple[str, ...]
    break_even_usd_per_second: float | None
    gated: bool = False


def compared(
    profile: Profile,
    file: FittedFile,
    *,
    parameters: float,
    bytes: float,
    cloud: CloudFacts | None,
    weights: Weights,
    conditions: Conditions = UNKNOWN,
    rows: Sequence[Row] | None = None,
) -> Compared:
    """Return what a device would make of a fitted file.

    parameters, bytes  the size of its model        rows  to play again; None: those that it was certified on

    Raises ProfileError for a profile without a speed, FittedFileError for a file that cannot be played again.
    """
    rows = rows_of_file(file) if rows is None else rows
    scene = scene_of(profile, file, rows, parameters=parameters, bytes=bytes, cloud=cloud, weights=weights,
                     conditions=conditions)  # fmt: skip
    scene, impossible = _priced(scene, rows)
    now, told = moved(scene.weights, conditions, celsius=scene.celsius, powers=scene.powers)
    cascade = play(rows, scene)
    others = play(rows, replace(scene, mode="only_in_cloud")) if cloud else ()
    alone = play(rows, replace(scene, mode="only_on_device"))
    never = _no_room(profile, bytes) or _nothing_promised(file, scene) or impossible
    weighed: tuple[Verdict, str] = _weighed(scene, now, weights, cascade, others) if not never else ("never", never)
    return Compared(
        profile=profile,
        speed=scene.speed,
        cascade=outcome_of(cascade, scene.threshold),
        cloud=outcome_of(others, None) if cloud else None,
        device=outcome_of(alone, scene.threshold),
        verdict=weighed[0],
        why=weighed[1],
        moved=told,
        break_even_usd_per_second=_break_even(rows, scene, now, cascade, others),
        gated=scene.gated,
    )


def scene_of(
    profile: Profile,
    file: FittedFile,
    rows: Sequence[Row],
    *,
    parameters: float,
    bytes: float,
    cloud: CloudFacts | None,
    weights: Weights,
    conditions: Conditions = UNKNOWN,
    epsilon: float | None = None,
    gated: bool | None = None,
) -> Scene:
    """Return a fitted file's cascade on a device; ProfileError without a speed.

    A device that is throttled has the share of its speed that its profile says it sustains.

    epsilon  the risk of the file's ladder that is promised; None: its own
    gated    whether its gates are used; None: where they pay
    """
    speed = profile.speed_of(parameters, bytes)
    if speed is None:
        raise ProfileError(
            f"the profile {profile.name} says nothing of speed: found no row of speeds, wanted one; run `edgecascade "
            "measure` on that device"
        )
    if conditions.throttled and profile.limits.sustained:
        speed = _slowed(speed, profile.limits.sustained.value)
    gates = tuple((gate.at, gate.stop_below) for gate in gates_of(file))
    scene = Scene(
        speed=speed, weights=weights, power=profile.power, cloud=cloud, gates=gates, conditions=conditions,
        celsius=profile.limits.celsius,
    )  # fmt: skip
    behind, alone = (certificate_of(file, gated=gated, epsilon=epsilon) for gated in (True, False))
    if behind and behind.feasible and (_gates_pay(scene, file, behind, rows) if gated is None else gated):
        return _under(scene, file, behind, gated=True)
    return _under(scene, file, alone, gated=False) if alone else replace(scene, gated=False)


def _slowed(speed: Speed, share: float) -> Speed:
    """Return the speed of a device that is left with this share of it."""
    return replace(
        speed,
        prefill=speed.prefill.times(1 / share),
        decode=speed.decode.times(1 / share),
        mark="estimate",
        source=f"{share:.0%} of {speed.source}",
    )


def certificate_of(file: FittedFile, *, gated: bool, epsilon: float | None = None) -> Certificate | None:
    """Return the certificate of a risk, the file's own unless named: of gates and threshold, or of the threshold."""
    records = (file.composed if file.gates else ()) if gated else file.certificates
    wanted = file.epsilon if epsilon is None else epsilon
    return next((one for one in map(Certificate.from_json, records) if one.epsilon == wanted), None)


def _under(scene: Scene, file: FittedFile, certificate: Certificate, *, gated: bool) -> Scene:
    threshold = certificate.threshold if certificate.feasible else None
    return replace(scene, gated=gated, threshold=threshold, chance=partial(file.chance, certificate))


def _gates_pay(scene: Scene, file: FittedFile, certificate: Certificate, rows: Sequence[Row]) -> bool:
    """Return whether the gates save more on this device than their false alarms lose, as ``cascade.costing`` does."""
    stage = Stage.of(rows, scene)
    _, cloud = stage.seen(round(fmean(row.prompt_tokens for row in rows)) if rows else 0)
    if cloud is None or not rows:
        return True
    weights = as_known(scene.weights, powers=scene.powers)
    watts = scene.power.decode.value if scene.power.decode else 0.0
    return gates_pay(
        weights,
        tokens_saved=sum(gate.tokens_saved for gate in file.gates) * stage.written,
        false_alarms=sum(gate.false_alarms[0] for gate in file.gates),
        token_usd=price(weights, seconds=stage.whole, joules=stage.whole * watts) / stage.written,
        chance=file.chance(certificate, kept_from(weights, cloud)),
        cloud=cloud,
    )


def outcome_of(played: Sequence[Played], threshold: float | None) -> Outcome:
    """Return what played answers come to."""
    seconds = np.array([one.seconds for one in played])
    p50, p95 = np.quantile(seconds, [0.5, 0.95], method="inverted_cdf")
    return Outcome(
        answers=len(played),
        threshold=threshold,
        kept=fmean(one.kept for one in played),
        quality=fmean(one.quality for one in played),
        seconds_p50=float(p50),
        seconds_p95=float(p95),
        seconds_mean=float(seconds.mean()),
        usd=_mean([one.usd for one in played]),
        joules=_mean([one.joules for one in played]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def cost_of(played: Sequence[Played], weights: Weights) -> float | None:
    """Return what an answer costs on average, in dollars, less what it is worth; None: a number is unknown."""
    total = outcome_of(played, None)
    needs: list[tuple[float | None, float]] = [(total.usd, 1.0), (total.joules, weights.usd_per_joule)]
    if any(value is None and weight for value, weight in needs):
        return None
    worth = (weights.value_usd or 0.0) * total.quality
    return price(weights, total.usd or 0.0, total.seconds_mean, total.joules or 0.0) - worth


def _priced(scene: Scene, rows: Sequence[Row]) -> tuple[Scene, str]:
    """Return the scene with its ceilings as prices, or without them and why they cannot be kept."""
    try:
        return replace(scene, weights=priced(scene.weights, rows, scene)), ""
    except ConfigError as error:
        return replace(scene, weights=replace(scene.weights, seconds=None, usd=None)), str(error).partition(";")[0]


def _no_room(profile: Profile, bytes: float) -> str:
    room = profile.limits.model_bytes or profile.limits.memory_bytes
    if room is None or bytes <= room:
        return ""
    return f"the model does not fit: {bytes / 1e9:.1f} GB of weights, and room for {room / 1e9:.1f} GB"


def _nothing_promised(file: FittedFile, scene: Scene) -> str:
    certificate = certificate_of(file, gated=False)
    return "" if scene.threshold is not None else f"nothing is promised: {certificate and certificate.reason}"


def _weighed(
    scene: Scene, now: Weights, wanted: Weights, cascade: Sequence[Played], others: Sequence[Played]
) -> tuple[Verdict, str]:
    """Return whether the cascade costs less than the cloud alone, where that keeps the ceilings that are wanted."""
    if scene.cloud is None:
        return "unknown", "no cloud to compare with"
    if scene.cloud.seconds is None and (now.usd_per_second or wanted.seconds is not None):
        return "unknown", f"seconds count, and how long {scene.cloud.name} takes is unknown"
    ours, theirs = cost_of(cascade, now), cost_of(others, now)
    if ours is None or theirs is None:
        return "unknown", "what the cloud charges is unknown"
    if joules_unknown(scene):
        return "unknown", f"joules count, and {joules_unknown(scene)} is unknown: they were left out"
    if broken := _broken(wanted, outcome_of(others, None)):
        return "use", f"{scene.cloud.name} alone would not do: {broken}"
    if all(one.code == "not_worth" for one in cascade):
        return "never", _not_worth(scene)
    sums = _sums(ours, theirs, scene.cloud.name, net=bool(now.value_usd))
    if not _less(ours, theirs) and not _less(theirs, ours):
        if worse := _worse(outcome_of(cascade, None), outcome_of(others, None), now):
            return "never", f"nothing is gained: {worse}; {sums}"
        return "use", f"as good as {scene.cloud.name} alone: {sums}"
    return ("never", f"it costs more than it saves: {sums}") if ours > theirs else ("use", sums)


def _sums(ours: float, theirs: float, cloud: str, *, net: bool) -> str:
    """Return both costs in words; ``net``: what an answer is worth has been taken off them."""
    if not net:
        return f"{_usd(ours)} an answer with the device, {_usd(theirs)} from {cloud} alone"
    worth = f"an answer is worth, less its price, {_net(-ours)} with the device"
    return f"{worth}, {_net(-theirs)} from {cloud} alone"


def _net(usd: float) -> str:
    return _usd(usd) if usd >= 0 else f"{_usd(-usd)} less than nothing"


def _usd(usd: float) -> str:
    """Return dollars so exactly that two which are no tie look different.

    >>> _usd(0.00025012), _usd(0.0), _usd(12.5)
    ('$0.0002501', '$0', '$12.50')
    """
    return f"${usd:.{max(2, 3 - math.floor(math.log10(usd)))}f}" if usd else "$0"


def _broken(wanted: Weights, alone: Outcome) -> str:
    """Return which ceiling a way to answer breaks; "" where it breaks none."""
    if wanted.seconds is not None and alone.seconds_p95 > wanted.seconds:
        return f"95 of 100 answers within {alone.seconds_p95:.3g} s, wanted {wanted.seconds:g}"
    if wanted.usd is not None and alone.usd is not None and alone.usd > wanted.usd:
        return f"{_usd(alone.usd)} an answer, wanted at most {_usd(wanted.usd)}"
    return ""


def _worse(ours: Outcome, theirs: Outcome, weights: Weights) -> str:
    """Return why a cascade of the same cost is not worth having: better in nothing, or worse in what has no price.

    "" where it is worth as much.
    """
    losses = {
        "no answer is kept": ours.kept == 0,
        "answers take longer": not weights.usd_per_second and _less(theirs.seconds_mean, ours.seconds_mean),
        "fewer of them are right": not weights.value_usd and _less(ours.quality, theirs.quality),
    }
    gains = (
        _less(ours.usd or 0.0, theirs.usd or 0.0),
        _less(ours.seconds_mean, theirs.seconds_mean),
        _less(theirs.quality, ours.quality),
    )
    lost = " and ".join(what for what, holds in losses.items() if holds)
    return lost or ("" if any(gains) else "neither dollars nor seconds, and no more answers are right")


def _less(one: float, other: float) -> bool:
    """Return whether a figure is less than another by more than a tie."""
    return other - one > TIE * max(abs(one), abs(other))


def joules_unknown(scene: Scene) -> str:
    """Return which of the device's powers is missing where joules have a price; "" where none is."""
    if scene.powers or not scene.weights.usd_per_joule:
        return ""
    return "the device's power at rest" if scene.power.decode else "the device's power"


def _not_worth(scene: Scene) -> str:
    kept = scene.chance(0.0).kept if scene.chance else 0.0
    return f"a try is never worth its price at these weights: {kept:.0%} of the device's answers would be kept"


def _break_even(
    rows: Sequence[Row], scene: Scene, now: Weights, cascade: Sequence[Played], others: Sequence[Played]
) -> float | None:
    """Return the price of a second at which cascade and cloud alone cost the same, decided as if time were free."""
    if scene.cloud is None or scene.cloud.seconds is None or scene.threshold is None or joules_unknown(scene):
        return None
    free = replace(now, usd_per_second=0.0)
    without_time = replace(scene, weights=replace(scene.weights, usd_per_second=0.0))
    ours = play(rows, without_time) if now.usd_per_second else cascade
    mine, theirs = cost_of(ours, free), cost_of(others, free)
    longer = fmean(one.seconds for one in ours) - fmean(one.seconds for one in others)
    if mine is None or theirs is None or longer == 0 or (theirs - mine) / longer <= 0:
        return None
    return (theirs - mine) / longer
