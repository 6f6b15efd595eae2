"""From the config to a cascade: a model on this device, a cloud, a ledger, and how they answer."""

import os
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from edgecascade import sensors
from edgecascade.cascade.booking import LEASE_SECONDS
from edgecascade.cascade.calling import AnyTier, Desk
from edgecascade.cascade.ceilings import as_prices
from edgecascade.cascade.costing import gates_worth_it, nothing_kept
from edgecascade.cascade.running import Doubt
from edgecascade.cascade.served import ServedTier
from edgecascade.cascade.setup import Options, Pace, Setup
from edgecascade.cascade.tiers import LocalTier, RemoteTier
from edgecascade.cloud.client import CloudClient, CloudPool, Timeouts
from edgecascade.cloud.specs import PROVIDERS, CloudSpec, cloud_spec
from edgecascade.errors import ConfigError, KeyMissingError
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import Notice, open_engine
from edgecascade.policies import policy_of
from edgecascade.profile import Conditions, Profile, Weights
from edgecascade.profiles import profile_here
from edgecascade.pull import DEFAULT_MODEL, pull, sha256_of_model, system_of
from edgecascade.records import Question
from edgecascade.store.config import Config, config_of, rules_of
from edgecascade.store.config.settings import PolicySettings, Settings
from edgecascade.store.downloads import Progress
from edgecascade.store.gguf import read_gguf
from edgecascade.store.keys import kept_key
from edgecascade.store.ledger import Ledger, caps_of
from edgecascade.store.paths import Folders
from edgecascade.store.prices import Price, Prices
from edgecascade.store.specs import is_server


@dataclass(frozen=True, slots=True)
class Assembled:
    """The parts of a cascade, as ``Cascade(**parts)`` takes them."""

    tiers: tuple[AnyTier, ...]
    options: Options
    ledger: Ledger
    system: str | None
    weights: Weights | None
    profile: Profile | None
    sense: Callable[[], Conditions]

    def parts(self) -> dict[str, Any]:
        """Return them by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_config(flags: Mapping[str, object]) -> Config:
    """Return the config of this user, this folder and this environment, with ``flags`` before it."""
    return config_of(Folders.of(os.environ), Path.cwd(), os.environ, flags)


def assembled(
    settings: Settings,
    *,
    engine: EngineSettings | None = None,
    progress: Progress = lambda done, total, what: None,
    notice: Notice = warnings.warn,
) -> Assembled:
    """Return the parts that the settings describe, the model fetched where it is missing, and loaded.

    Raises ConfigError for settings that cannot be meant, and whatever fetching and opening a model raises; nothing then
    stays open.
    """
    folders = Folders.of(os.environ)
    profile = profile_here(folders, chosen=settings.profile, machine=sensors.machine())
    weights, options = weights_of(settings.policy, profile), options_of(settings)
    with ExitStack() as opened:
        ledger = opened.enter_context(Ledger(folders.state / "ledger.db", clock=time.time, content=settings.content))
        cloud = _cloud(settings, notice) if settings.cloud else None
        if cloud:
            opened.callback(cloud.close)
        if cloud is None and settings.mode == "only_in_cloud":
            raise ConfigError(
                "mode only_in_cloud without a cloud: found none, wanted one; name it with --cloud openai:MODEL, or "
                "`edgecascade config init`"
            )
        device = None
        if settings.mode != "only_in_cloud":
            device = local_tier(
                settings, folders, profile, gated=cloud is not None, engine=engine, progress=progress, notice=notice
            )
            opened.callback(device.close)
        if weights and device:
            if cloud:
                options = replace(options, quality=_quality(settings.policy, weights, device, notice))
            paces = {tier.name: Pace.of(tier.name, ledger) for tier in (device, cloud) if tier}
            setup = Setup(tuple(filter(None, (device, cloud))), policy_of(), options, Desk(), paces, weights, profile)
            device, weights = _weighed(setup, device, notice)
        tiers = tuple(tier for tier in (device, cloud) if tier is not None)
        opened.pop_all()
        system = device.system if device else None
        return Assembled(tiers, options, ledger, system, weights, profile, sense_for(weights))


def _weighed(setup: Setup, device: LocalTier | ServedTier, notice: Notice) -> tuple[LocalTier | ServedTier, Weights]:
    """Return the device with its gates where they pay, and the weights with the ceilings of that cascade as prices."""
    question = _begun_with(device.system)
    if isinstance(device, LocalTier) and not gates_worth_it(setup, question):
        device = device.without_gates()
    size = (device.parameters, device.bytes) if isinstance(device, LocalTier) else (0, 0)
    weights = as_prices(setup, device.judge(question), parameters=size[0], bytes=size[1], notice=notice)
    setup = replace(setup, tiers=(device, *setup.clouds), weights=weights)
    if least := nothing_kept(setup, question):
        notice(
            f"at these weights no answer of this device is kept: that takes p_correct from {least:.4f} on; set "
            "policy.cloud_quality, or a smaller policy.value_usd"
        )
    return device, weights


def weights_of(policy: PolicySettings, profile: Profile | None) -> Weights | None:
    """Return the weights that are set, the profile's where nothing is set; None where neither has any."""
    own = {name: value for name in Weights.__slots__ if (value := getattr(policy, name)) is not None}
    given = profile.weights if profile else None
    return replace(given or Weights(), **own) if own else given


def sense_for(
    weights: Weights | None, look: Callable[..., Conditions] = sensors.conditions
) -> Callable[[], Conditions]:
    """Return what says how the device stands, as far as it can change a decision.

    The network closes clouds. Battery and heat move joules; whether the link is metered, megabytes: to learn that, a
    command is started that may take seconds.
    """
    energy, link = (bool(weights.usd_per_joule), bool(weights.usd_per_megabyte)) if weights else (False, False)
    return sensors.Sense(look=lambda past: look(past=past, energy=energy, link=link))


def _begun_with(system: str | None) -> Question:
    """Return a question that begins as those that a file was fitted on."""
    return Question.of("?", system=system)


def _quality(policy: PolicySettings, weights: Weights, device: LocalTier | ServedTier, notice: Notice) -> float:
    """Return how often the cloud is right: as it is set, else as it was when it was fitted against, else always."""
    judge = device.judge(_begun_with(device.system))
    fitted = judge.fitted.file.cloud_quality if judge else None
    known = fitted if policy.cloud_quality is None else policy.cloud_quality
    if known is None and judge and weights.value_usd:
        notice("how often the cloud is right is unknown, and taken as always: set policy.cloud_quality")
    return 1.0 if known is None else known


def _cloud(settings: Settings, notice: Notice) -> RemoteTier | None:
    """Return the cloud; without its key the device answers alone, and says so."""
    try:
        return remote_tier(settings)
    except KeyMissingError as error:
        if settings.mode == "only_in_cloud":
            raise
        notice(f"{error}; until then the device answers alone")
        return None


def remote_tier(settings: Settings) -> "RemoteTier":
    """Return the cloud that the settings name; nothing is asked yet."""
    assert settings.cloud is not None
    spec = cloud_spec(settings.cloud, os.environ, kept_key)
    waits = settings.timeouts
    timeouts = Timeouts(waits.connect, waits.first_byte, waits.between, total=LEASE_SECONDS * 0.9)
    pool = CloudPool(timeouts=timeouts)
    return RemoteTier(CloudClient(spec, pool), price_of(settings, spec), pool)


def price_of(settings: Settings, spec: CloudSpec) -> Price | None:
    """Return what a cloud charges; behind another address than the provider's own only the user knows."""
    provider = PROVIDERS.get(spec.name.partition(":")[0])
    there = provider is not None and spec.base_url == provider.base_url
    prices = Prices.of(settings.prices, date.today()) if there else Prices.own(settings.prices)
    return prices.price(spec.name)


def local_tier(
    settings: Settings,
    folders: Folders,
    profile: Profile | None,
    *,
    gated: bool,
    engine: EngineSettings | None,
    progress: Progress,
    notice: Notice,
) -> LocalTier | ServedTier:
    """Return the model on this device, loaded, or the server that stands for it."""
    model = settings.model or DEFAULT_MODEL
    if is_server(model):
        spec = cloud_spec(model, os.environ, kept_key)
        return ServedTier(spec, folders, fitted=settings.fitted, epsilon=settings.epsilon)
    file = pull(model, folders=folders, environment=os.environ, home=Path.home(), progress=progress)
    header, system = read_gguf(file.path), system_of(file, folders)
    with ExitStack() as opened:  # before it is hashed: what does not fit is refused without being read
        opened_engine = open_engine(file.path, engine, folders=folders, notice=notice, profile=profile)
        opened.callback(opened_engine.close)
        sha256 = file.sha256 or sha256_of_model(file.path, folders)
        opened.pop_all()
    return LocalTier(
        opened_engine,
        name=file.name,
        sha256=sha256,
        folders=folders,
        system=system,
        fitted=settings.fitted,
        epsilon=settings.epsilon,
        gated=gated and settings.policy.gates,
        parameters=header.parameters,
        bytes=header.bytes,
    )


def options_of(settings: Settings) -> Options:
    """Return how a cascade answers by these settings."""
    return Options(
        mode=settings.mode,
        rules=rules_of(settings),
        show=settings.stream.show,
        on_break=settings.stream.on_break,
        caps=caps_of(settings.budget) if settings.budget else (),
        deadline=settings.deadline,
        gates=settings.policy.gates,
        doubt=Doubt(settings.policy.samples, settings.policy.band),
        hedge_below=settings.policy.hedge_below,
        audit=settings.audit,
        shadow=settings.shadow,
        queue=settings.queue,
        content=settings.content,
        watts=settings.watts,
        offline=settings.offline,
    )
