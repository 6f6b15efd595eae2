"""Model addresses: what a user may write wherever a model is asked for.

    smollm2-135m                       a manifest's name
    ./model.gguf                       a path: it has a separator, or ends in .gguf and exists
    hf:user/repo[:QUANT]               a Hugging Face repository; Q4_K_M, else its first GGUF
    hf:user/repo/file.gguf             one file of it
    ollama:name[:tag]                  what ollama has on this device
    lmstudio:publisher/model[/file]    what LM Studio has on this device
    https://host/file.gguf             any address (http to this machine only)
    http://127.0.0.1:8080/v1[#MODEL]   a running server, which has no file to find: ``is_server``

Names without a prefix are manifests, so a stray file in the working folder never stands in for one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edgecascade.errors import ModelNotFoundError
from edgecascade.store.manifests import is_safe_url

DEFAULT_QUANTISATION = "Q4_K_M"


@dataclass(frozen=True, slots=True)
class NamedSpec:
    """A manifest's name."""

    name: str


@dataclass(frozen=True, slots=True)
class PathSpec:
    """A file on this device."""

    path: Path


@dataclass(frozen=True, slots=True)
class HubSpec:
    """A Hugging Face repository, and perhaps a quantisation or a file of it."""

    repo: str
    quantisation: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class OllamaSpec:
    """A model that ollama pulled."""

    name: str
    tag: str


@dataclass(frozen=True, slots=True)
class LmStudioSpec:
    """A folder below LM Studio's models, or a file in it."""

    below: str


@dataclass(frozen=True, slots=True)
class UrlSpec:
    """An address of one GGUF file."""

    url: str

    @property
    def file(self) -> str:
        """The file's name, from the address's last part."""
        return Path(unquote(urlsplit(self.url).path)).name


Spec = NamedSpec | PathSpec | HubSpec | OllamaSpec | LmStudioSpec | UrlSpec


def parse_spec(text: str, *, home: Path) -> Spec:
    """Return what the address means; raise ModelNotFoundError where it means nothing.

    >>> parse_spec("hf:Qwen/Qwen3-0.6B-GGUF:Q8_0", home=Path("/"))
    HubSpec(repo='Qwen/Qwen3-0.6B-GGUF', quantisation='Q8_0', file=None)
    """
    text = text.strip()
    scheme, colon, rest = text.partition(":")
    if "://" in text:
        spec = UrlSpec(text)
        if is_safe_url(text) and spec.file.endswith(".gguf"):
            return spec
        wanted = "https://host/file.gguf (http only to this machine)"
        asked = (
            "; a running server has no file: `ask`, `chat` and `calibrate` take its address" if is_server(text) else ""
        )
        raise _unusable(text, wanted + asked)
    if colon and scheme == "hf":
        return _hub_spec(text, rest)
    if colon and scheme == "ollama":
        if named := re.fullmatch(r"((?:[\w.-]+/)*[\w.-]+)(?::([\w.-]+))?", rest):
            return OllamaSpec(_contained(text, named[1]), _contained(text, named[2] or "latest"))
        raise _unusable(text, "ollama:name or ollama:name:tag")
    if colon and scheme == "lmstudio":
        if rest.strip("/"):
            return LmStudioSpec(_contained(text, rest.strip("/")))
        raise _unusable(text, "lmstudio:publisher/model")
    path = home / text[2:] if text.startswith("~/") else Path(text)
    if "/" in text or "\\" in text or (text.endswith(".gguf") and path.is_file()):
        return PathSpec(path)
    return NamedSpec(text)


def is_server(text: str) -> bool:
    """Return whether the address is a running server's, not a file's.

    >>> is_server("http://127.0.0.1:8080/v1#small"), is_server("https://host/file.gguf")
    (True, False)
    """
    scheme, mark, rest = text.strip().partition("://")
    return bool(mark) and scheme in ("http", "https") and not urlsplit(rest.partition("#")[0]).path.endswith(".gguf")


def choose_file(files: Sequence[str], spec: HubSpec) -> str | None:
    """Return the repository's file that the address means: the one it names, or the quantisation's, or the first.

    Projectors and draft models are passed over, and parts of a split model.

    >>> choose_file(["m-Q8_0.gguf", "m-Q4_K_M.gguf"], HubSpec("u/m"))
    'm-Q4_K_M.gguf'
    """
    if spec.file:
        return spec.file if spec.file in files else None
    whole = sorted(name for name in files if name.endswith(".gguf") and not re.search(r"-\d{5}-of-\d{5}\.", name))
    models = [name for name in whole if not re.match(r"(mmproj|mtp|imatrix)\b", name.rpartition("/")[2])]
    label = re.escape(spec.quantisation or DEFAULT_QUANTISATION)
    fitting = [name for name in models if re.search(rf"(?<![A-Z0-9]){label}(?![A-Z0-9_])", name, re.IGNORECASE)]
    if fitting or spec.quantisation:
        return next(iter(fitting), None)
    return next(iter(models), None)


def _hub_spec(text: str, rest: str) -> HubSpec:
    if file := re.fullmatch(r"([\w.-]+/[\w.-]+)/([^:\\]+\.gguf)", rest):
        return HubSpec(_contained(text, file[1]), file=_contained(text, file[2]))
    if repo := re.fullmatch(r"([\w.-]+/[\w.-]+)(?::([\w.-]+))?", rest):
        return HubSpec(_contained(text, repo[1]), quantisation=repo[2])
    raise _unusable(text, "hf:user/repo, hf:user/repo:QUANT or hf:user/repo/file.gguf")


def _contained(text: str, path: str) -> str:
    """Return the relative path unless it climbs out of its folder."""
    if any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path:
        raise _unusable(text, "a name without empty parts, '.' and '..'")
    return path


def _unusable(text: str, wanted: str) -> ModelNotFoundError:
    return ModelNotFoundError(f"{text!r} is no address of a model; wanted {wanted}; see `edgecascade models list`")
