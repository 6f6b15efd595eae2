"""Which cloud is asked, where it lives, and who may have which key.

``PROVIDER:MODEL`` names a known one; ``ADDRESS#MODEL`` any server that speaks OpenAI's chat completions. A key goes to
the origin that it belongs to, its provider's own or the one that the provider's ``..._BASE_URL`` names, and nowhere
else; it is in no repr, no error and no log.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

import httpx

from edgecascade.errors import ConfigError, KeyMissingError

Wire = Literal["openai", "anthropic", "gemini"]
Keys = Callable[[str], str | None]

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")


@dataclass(frozen=True, slots=True)
class CloudSpec:
    """Which model is asked, and where; ``key`` is None where none is sent.

    name      as people know it
    base_url  up to where a wire format's own path begins
    model     "" for whichever a server on this machine has loaded

    >>> CloudSpec("openai", "https://api.openai.com/v1", "small", "secret", "openai:small")
    CloudSpec(wire='openai', base_url='https://api.openai.com/v1', model='small', name='openai:small')
    """

    wire: Wire
    base_url: str
    model: str
    key: str | None = field(default=None, repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """A known cloud: its address, and the environment's names for another address and for the key.

    version  a last part of an address that its wire format adds itself
    """

    wire: Wire
    base_url: str
    bases: tuple[str, ...]
    keys: tuple[str, ...]
    version: str = ""


PROVIDERS: dict[str, Provider] = {
    "openai": Provider("openai", "https://api.openai.com/v1", ("OPENAI_BASE_URL",), ("OPENAI_API_KEY",)),
    "anthropic": Provider(
        "anthropic", "https://api.anthropic.com", ("ANTHROPIC_BASE_URL",), ("ANTHROPIC_API_KEY",), "/v1"
    ),
    "gemini": Provider(
        "gemini",
        "https://generativelanguage.googleapis.com",
        ("GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"),
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "/v1beta",
    ),
    "openrouter": Provider("openai", "https://openrouter.ai/api/v1", (), ("OPENROUTER_API_KEY",)),
    "groq": Provider("openai", "https://api.groq.com/openai/v1", (), ("GROQ_API_KEY",)),
}


def no_keys(name: str) -> None:
    """Stand for a store of keys that has none."""


def cloud_spec(spec: str, environment: Mapping[str, str], keys: Keys = no_keys) -> CloudSpec:
    """Return what ``PROVIDER:MODEL`` or ``ADDRESS#MODEL`` names; raise ConfigError for anything else.

    ``keys`` is asked for a key by its environment name where the environment has none. Only a server on this machine is
    asked without https, and only there the model may be left out. KeyMissingError: the cloud wants a key, and there is
    none.

    >>> cloud_spec("http://127.0.0.1:8081/v1#small", {}).name
    '127.0.0.1:8081#small'
    """
    head, colon, model = spec.strip().partition(":")
    known = PROVIDERS.get(head) if colon else None
    if known:
        base, wire, unnamed = _usual(known, environment), known.wire, False
    else:
        base, mark, model = spec.partition("#")
        wire, unnamed = "openai", not mark and is_local(base)
    url, model = _address(base), model.strip()
    if not model and not unnamed:
        raise ConfigError(
            f"a cloud without a model: found {spec!r}, wanted openai:MODEL or ADDRESS#MODEL; name the model"
        )
    key = _key_for(url, environment, keys, first=head)
    name = spec.strip() if known else url.netloc.decode() + (f"#{model}" if model else "")
    return CloudSpec(wire, base.strip().rstrip("/"), model, key, name)


def is_local(address: str) -> bool:
    """Return whether an address is on this machine."""
    try:
        return _is_loopback(httpx.URL(address.strip()).host)
    except (httpx.InvalidURL, UnicodeError):
        return False


def key_names(spec: CloudSpec) -> tuple[str, ...]:
    """Return what the key of the provider that a spec asks is called, of one that is unknown what its kind would be.

    >>> key_names(CloudSpec("openai", "https://api.groq.com/openai/v1", "m"))
    ('GROQ_API_KEY',)
    """
    named = PROVIDERS.get(spec.name.partition(":")[0])
    where = origin(httpx.URL(spec.base_url))
    owners = (one for one in PROVIDERS.values() if origin(httpx.URL(one.base_url)) == where)
    return (named or next(owners, PROVIDERS[spec.wire])).keys


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return what must be equal for two addresses to be one server's."""
    return url.scheme, url.host, url.port


def _usual(provider: Provider, environment: Mapping[str, str]) -> str:
    given = (environment.get(name, "").strip() for name in provider.bases)
    return next(filter(None, given), provider.base_url).rstrip("/").removesuffix(provider.version)


def _address(base: str) -> httpx.URL:
    try:
        url = httpx.URL(base.strip())
        host = url.host  # a name in a foreign script is only read here
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _no_address(base) from error
    good = url.scheme == "https" or (url.scheme == "http" and _is_loopback(host))
    good &= _is_host(url.raw_host.decode()) and (url.port is None or 1 <= url.port <= 65535)
    if not good or url.userinfo or url.query or url.fragment:
        raise _no_address(base)
    return url


def _no_address(base: str) -> ConfigError:
    shown = "one with a name or password in it" if "@" in base else repr(base)
    return ConfigError(
        f"no address of a cloud: found {shown}, wanted https://HOST/v1, or http:// on this machine alone; "
        f"write {', '.join(f'{name}:MODEL' for name in PROVIDERS)} or ADDRESS#MODEL"
    )


def _is_host(host: str) -> bool:
    """Return whether a name, in ASCII, can be one of a host."""
    return ":" in host or _HOST.fullmatch(host.casefold()) is not None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _key_for(url: httpx.URL, environment: Mapping[str, str], keys: Keys, *, first: str) -> str | None:
    """Return the key that this origin has a right to, None where none does; the named provider's own comes first."""
    for _, provider in sorted(PROVIDERS.items(), key=lambda item: item[0] != first):
        own = origin(url) == origin(httpx.URL(provider.base_url))
        if not own and origin(url) != _origin_of(_usual(provider, environment)):
            continue
        if (key := _key(provider, environment, keys)) is not None:
            return key
        if own:
            name = provider.keys[0]
            raise KeyMissingError(
                f"{url.host} answers nobody without a key: found no {name}, wanted one; set it to yours", variable=name
            )
    return None


def _origin_of(address: str) -> tuple[str, str, int | None] | None:
    """Return an address's origin, None of one that cannot be used: another provider's may be."""
    try:
        return origin(_address(address))
    except ConfigError:
        return None


def _key(provider: Provider, environment: Mapping[str, str], keys: Keys) -> str | None:
    for look in (environment.get, keys):
        for name in provider.keys:
            key = (look(name) or "").strip()
            if key and not re.fullmatch("[!-~]+", key):
                raise ConfigError(f"{name} is no key: found a space or a foreign character in it; copy it again")
            if key:
                return key
    return None
