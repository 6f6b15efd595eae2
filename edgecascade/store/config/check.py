"""What is wrong with the settings, all of it at once, and what is worth knowing about them.

What only a look at the device or the cloud can tell, a model that is not there or a key, is left to who calls.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgecascade.errors import ConfigError, FittedFileError
from edgecascade.guarantees.certificate import Certificate
from edgecascade.profile import Weights
from edgecascade.records import PRIVACY
from edgecascade.store.config import Settings, config_of, project_file, rules_of, user_file
from edgecascade.store.config.faults import faults
from edgecascade.store.config.layers import PREFIX, environment_layers, file_layer, near_miss, unknown_variables
from edgecascade.store.paths import Folders
from edgecascade.store.prices import STALE_DAYS, Price, usd

if TYPE_CHECKING:
    from edgecascade.store.fitted_files import FittedFile
    from edgecascade.store.ledger import Cap


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the settings; an "error" keeps them from being used."""

    level: Literal["ok", "note", "error"]
    text: str


def check_config(folders: Folders, cwd: Path, environment: Mapping[str, str]) -> list[Finding]:
    """Return what there is to say: of each file, of the environment, and of what the settings mean together."""
    paths = filter(None, (user_file(folders), project_file(cwd, environment)))
    found = [finding for path in paths for finding in _file(path)]
    found += [Finding("error", fault) for layer in environment_layers(environment) for fault in faults(layer)]
    found += [_unknown(name) for name in unknown_variables(environment) if environment[name].strip()]
    if any(finding.level == "error" for finding in found):
        return found
    try:
        config = config_of(folders, cwd, environment)
    except ConfigError as error:
        return [*found, Finding("error", str(error))]
    over = [
        Finding("note", f"the project's {setting} is looser than yours: passed over") for setting in config.passed_over
    ]
    return [*found, *over, *_meaning(config.settings)]


def price_finding(settings: Settings, where: str, price: Price | None, today: date) -> Finding:
    """Return what the cloud costs that is asked ``where``; an error where a budget in dollars could not be kept."""
    cloud = settings.cloud
    if price is None and any(cap.unit == "usd" for cap in _caps(settings)):
        return Finding(
            "error",
            f"budget: found dollars, but no price of {cloud} at {where}, wanted one to count with; set input and "
            f'output of [prices."{cloud}"] in USD per million tokens, or a budget in calls',
        )
    if price is None:
        return Finding("note", f"the price of {cloud} at {where} is unknown: what it costs will be, too")
    said = f"{cloud} costs {price.input:g} USD per million tokens in, {price.output:g} out"
    if price.date is None:
        return Finding("ok", f"{said}, as you set it")
    if (days := (today - price.date).days) > STALE_DAYS:
        return Finding(
            "note", f"{said}, as of {price.date}, {days} days ago: see whether it still does, and set [prices]"
        )
    return Finding("ok", f"{said}, as of {price.date}")


def kept_finding(settings: Settings, weights: Weights, file: "FittedFile", price: Price | None) -> Finding | None:
    """Return that the weights leave nothing of what a fitted file's certificate keeps; None where they leave some.

    The dollars of a call are those of the file's own questions. Its seconds are unknown here, so it is said what they
    would have to be worth.
    """
    wanted = file.epsilon if settings.epsilon is None else settings.epsilon
    certificates = [one for one in map(Certificate.from_json, file.certificates) if one.epsilon == wanted]
    costs = [usd(price, *tokens) for tokens in zip(file.held_out.prompt_tokens, file.held_out.tokens, strict=True)]
    known = [cost for cost in costs if cost is not None]
    surest = max((p for one in certificates for p in file.held_out.exact if p >= one.threshold), default=None)
    if not weights.value_usd or surest is None or not known:
        return None
    given = settings.policy.cloud_quality if settings.policy.cloud_quality is not None else file.cloud_quality
    quality = 1.0 if given is None else given
    least, cost = weights.value_usd * (quality - surest), sum(known) / len(known)
    if cost >= least:
        return None
    taken = "is taken to be always right" if given is None else f"is right in {quality:.0%}"
    return Finding(
        "note",
        f"policy.value_usd: found {weights.value_usd:g}, at which no answer of this device is kept unless the wait for "
        f"the cloud is worth ${least - cost:.2g}: it {taken}, the surest answer has p_correct {surest:.2f}, and a call "
        f"costs ${cost:.2g}; set policy.cloud_quality, or a smaller policy.value_usd",
    )


def _file(path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield Finding("ok", f"{path}: not there; `edgecascade config init` writes one")
        return
    try:
        wrong = faults(file_layer(path))
    except ConfigError as error:
        wrong = [str(error)]
    yield from (Finding("error", fault) for fault in wrong)
    if not wrong:
        yield Finding("ok", f"{path}: can be read")


def _unknown(name: str) -> Finding:
    if guard := near_miss(name):
        return Finding("error", f"{name} sets nothing: found a name that is no setting's, wanted {guard}; mend it")
    known = [f"{PREFIX}{key.upper()}" for key in Settings.model_fields]
    near = difflib.get_close_matches(name, known, 1)
    return Finding("note", f"{name} sets nothing: no setting is called so" + (f"; near it: {near[0]}" if near else ""))


def _meaning(settings: Settings) -> Iterator[Finding]:
    try:
        rules_of(settings)
        _caps(settings)
    except ConfigError as error:
        yield Finding("error", str(error))
    yield from _of_kinds(settings)
    yield from _of_fitted(settings)
    yield from _of_mode(settings)


def _caps(settings: Settings) -> "tuple[Cap, ...]":
    from edgecascade.store.ledger import caps_of

    return caps_of(settings.budget) if settings.budget else ()


def _of_kinds(settings: Settings) -> Iterator[Finding]:
    default = settings.privacy.default
    for kind, said in settings.privacy.kinds.items():
        if PRIVACY.index(said) < PRIVACY.index(default):
            yield Finding("note", f"privacy.kinds.{kind} = {said!r} has no effect: privacy.default is {default!r}")


def _of_fitted(settings: Settings) -> Iterator[Finding]:
    """Say whether the fitted file that is named can make the promise; one that is found by model is left out."""
    from edgecascade.store.fitted_files import read_fitted

    if not settings.fitted:
        return
    if not settings.fitted.is_file():
        yield Finding("error", f"fitted: found no file at {settings.fitted}, wanted a fitted file; mend the path")
        return
    try:
        ladder = [certificate["epsilon"] for certificate in read_fitted(settings.fitted).certificates]
    except FittedFileError as error:
        yield Finding("error", f"fitted: {error}")
        return
    if settings.epsilon is not None and settings.epsilon not in ladder:
        offered = ", ".join(f"{epsilon:g}" for epsilon in ladder) or "none"
        yield Finding(
            "error",
            f"epsilon: found {settings.epsilon:g}, wanted one that {settings.fitted} offers: {offered}; choose one of "
            "them, or fit again with --epsilon",
        )


def _of_mode(settings: Settings) -> Iterator[Finding]:
    """Say what keeps the cloud from being asked, and whether anybody is left to answer."""
    reasons = {
        "no cloud is set": not settings.cloud,
        "offline is set": settings.offline,
        "privacy.default is 'never'": settings.privacy.default == "never",
    }
    for why in (why for why, holds in reasons.items() if holds):
        if settings.mode == "only_in_cloud":
            yield Finding("error", f"mode: found only_in_cloud, but {why}, wanted a cloud to ask; set another mode")
        elif settings.mode != "only_on_device":
            yield Finding("note", f"{why}: every question is answered on this device")
