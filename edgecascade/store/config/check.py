"""What is wrong with the settings, all of it at once, and what is worth knowing about them."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from edgecascade.errors import ConfigError
from edgecascade.store.config import Settings, config_of, project_file, rules_of, user_file
from edgecascade.store.config.faults import faults
from edgecascade.store.config.layers import PREFIX, environment_layers, file_layer, unknown_variables
from edgecascade.store.paths import Folders
from edgecascade.store.prices import STALE_DAYS, Price, Prices


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the settings; an "error" keeps them from being used."""

    level: Literal["ok", "note", "error"]
    text: str


def check_config(folders: Folders, cwd: Path, environment: Mapping[str, str], today: date) -> list[Finding]:
    """Return what there is to say: of each file, of the environment, and of what the settings mean together."""
    paths = filter(None, (user_file(folders), project_file(cwd, environment)))
    found = [finding for path in paths for finding in _file(path)]
    found += [Finding("error", fault) for layer in environment_layers(environment) for fault in faults(layer)]
    found += map(_unknown, unknown_variables(environment))
    if any(finding.level == "error" for finding in found):
        return found
    try:
        config = config_of(folders, cwd, environment)
    except ConfigError as error:
        return [*found, Finding("error", str(error))]
    over = [
        Finding("note", f"the project's {setting} is looser than yours: passed over") for setting in config.passed_over
    ]
    return [*found, *over, *_meaning(config.settings, today)]


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
    known = [f"{PREFIX}{key.upper()}" for key in Settings.model_fields]
    near = difflib.get_close_matches(name, known, 1)
    return Finding("note", f"{name} sets nothing: no setting is called so" + (f"; near it: {near[0]}" if near else ""))


def _meaning(settings: Settings, today: date) -> Iterator[Finding]:
    in_dollars = False
    try:
        rules_of(settings)
        if settings.budget:
            from edgecascade.store.ledger import caps_of

            in_dollars = any(cap.unit == "usd" for cap in caps_of(settings.budget))
    except ConfigError as error:
        yield Finding("error", str(error))
    if settings.fitted and not settings.fitted.is_file():
        yield Finding("error", f"fitted: found no file at {settings.fitted}, wanted a fitted file; mend the path")
    if settings.cloud:
        price = Prices.of(settings.prices, today).price(settings.cloud)
        yield _price(settings.cloud, price, today, in_dollars=in_dollars)
    elif settings.mode == "only_in_cloud":
        yield Finding(
            "error", "mode: found only_in_cloud without a cloud, wanted one to ask; set cloud, or another mode"
        )
    else:
        yield Finding("note", "no cloud is set: every question is answered on this device")


def _price(cloud: str, price: Price | None, today: date, *, in_dollars: bool) -> Finding:
    if price is None and in_dollars:
        return Finding(
            "error",
            f"budget: found dollars, but no price of {cloud}, wanted one to count with; set input and output of "
            f'[prices."{cloud}"] in USD per million tokens, or a budget in calls',
        )
    if price is None:
        return Finding("note", f"the price of {cloud} is unknown: what it costs will be, too")
    said = f"{cloud} costs {price.input:g} USD per million tokens in, {price.output:g} out"
    if price.date is None:
        return Finding("ok", f"{said}, as you set it")
    if (days := (today - price.date).days) > STALE_DAYS:
        return Finding(
            "note", f"{said}, as of {price.date}, {days} days ago: see whether it still does, and set [prices]"
        )
    return Finding("ok", f"{said}, as of {price.date}")
