"""What a device would make of a fitted file: its cascade beside the cloud alone and the device alone.

A device is judged by what an answer costs there on average: its price at the weights, less V times its quality.

cost of an answer   price (dollars, seconds, joules at the weights) less V times its quality
"use"      the cascade's mean cost is below the cloud's alone
"never"    nothing is promised, the model does not fit, the device is never worth its try, or it costs more
"unknown"  a number that the weights ask for is not there
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Literal

import numpy as np

from edgecascade.cascade.gating import gates_of
from edgecascade.errors import ConfigError, ProfileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.policies import TierView, moved, price
from edgecascade.policies.weighing import gates_pay, kept_from
from edgecascade.profile import Conditions, Profile, Speed, Weights
from edgecascade.simulate.playing import CloudFacts, Played, Scene, play
from edgecascade.simulate.rows import Row, rows_of_file
from edgecascade.simulate.solving import priced
from edgecascade.store.fitted_files import FittedFile

Verdict = Literal["use", "never", "unknown"]
UNKNOWN = Conditions()
"""No sensor says anything."""


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
    now, told = moved(scene.weights, conditions, celsius=scene.celsius)
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
) -> Scene:
    """Return a fitted file's cascade on a device, its gates used where they pay; ProfileError without a speed.

    A device that is throttled has the share of its speed that its profile says it sustains.

    epsilon  the risk of the file's ladder that is promised; None: its own
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
    gated, alone = (certificate_of(file, gated=gated, epsilon=epsilon) for gated in (True, False))
    if gated and gated.feasible and _gates_pay(scene, file, gated, rows):
        return _under(scene, file, gated, gated=True)
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
    if scene.cloud is None or not rows:
        return True
    seconds, tokens = fmean(scene.whole(row) for row in rows), fmean(row.tokens for row in rows)
    watts = scene.power.decode.value if scene.power.decode else 0.0
    prompt = round(fmean(row.prompt_tokens for row in rows))
    cloud = TierView(
        scene.cloud.name, "cloud", usd=scene.cloud.cost(prompt, tokens), seconds=scene.cloud.takes(prompt),
        quality=scene.cloud.quality,
    )  # fmt: skip
    return gates_pay(
        scene.weights,
        tokens_saved=sum(gate.tokens_saved for gate in file.gates) * tokens,
        false_alarms=sum(gate.false_alarms[0] for gate in file.gates),
        token_usd=price(scene.weights, seconds=seconds, joules=seconds * watts) / tokens,
        chance=file.chance(certificate, kept_from(scene.weights, cloud)),
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
        return "unknown", _missing(cascade, others, now)
    if broken := _broken(wanted, outcome_of(others, None)):
        return "use", f"{scene.cloud.name} alone would not do: {broken}"
    if all(one.code == "not_worth" for one in cascade):
        return "never", _not_worth(scene)
    sums = f"${ours:.6f} an answer with the device, ${theirs:.6f} from {scene.cloud.name} alone"
    if now.value_usd:
        sums += f", less ${now.value_usd:g} for a right one"
    return ("never", f"it costs more than it saves: {sums}") if ours > theirs else ("use", sums)


def _broken(wanted: Weights, alone: Outcome) -> str:
    """Return which ceiling a way to answer breaks; "" where it breaks none."""
    if wanted.seconds is not None and alone.seconds_p95 > wanted.seconds:
        return f"95 of 100 answers within {alone.seconds_p95:.3g} s, wanted {wanted.seconds:g}"
    if wanted.usd is not None and alone.usd is not None and alone.usd > wanted.usd:
        return f"${alone.usd:.6f} an answer, wanted ${wanted.usd:g}"
    return ""


def _missing(cascade: Sequence[Played], others: Sequence[Played], weights: Weights) -> str:
    for name, weight, what in (
        ("usd", 1.0, "what the cloud charges"),
        ("joules", weights.usd_per_joule, "the device's power"),
    ):
        if weight and any(getattr(one, name) is None for one in (*cascade, *others)):
            return f"{what} is unknown"
    raise AssertionError("every number is there")


def _not_worth(scene: Scene) -> str:
    kept = scene.chance(0.0).kept if scene.chance else 0.0
    return f"a try is never worth its price at these weights: {kept:.0%} of the device's answers are kept"


def _break_even(
    rows: Sequence[Row], scene: Scene, now: Weights, cascade: Sequence[Played], others: Sequence[Played]
) -> float | None:
    """Return the price of a second at which cascade and cloud alone cost the same, decided as if time were free."""
    if scene.cloud is None or scene.cloud.seconds is None or scene.threshold is None:
        return None
    free = replace(now, usd_per_second=0.0)
    without_time = replace(scene, weights=replace(scene.weights, usd_per_second=0.0))
    ours = play(rows, without_time) if now.usd_per_second else cascade
    mine, theirs = cost_of(ours, free), cost_of(others, free)
    longer = fmean(one.seconds for one in ours) - fmean(one.seconds for one in others)
    if mine is None or theirs is None or longer == 0 or (theirs - mine) / longer <= 0:
        return None
    return (theirs - mine) / longer
