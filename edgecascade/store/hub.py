"""Hugging Face addresses, and what a repository's listing says."""

import re
from collections.abc import Mapping

from pydantic import BaseModel, TypeAdapter, ValidationError

from edgecascade.errors import DownloadError, ModelNotFoundError
from edgecascade.store.manifests import REPO_FILE
from edgecascade.store.specs import HubSpec, choose_file


class _Lfs(BaseModel):
    oid: str  # the sha256


class HubFile(BaseModel):
    """A file in a repository's listing."""

    path: str
    type: str
    size: int | None = None
    lfs: _Lfs | None = None


_LISTING = TypeAdapter(list[HubFile])


def endpoint(environment: Mapping[str, str]) -> str:
    """Return the hub's address, or its mirror's."""
    return (environment.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def file_url(hub: str, repo: str, file: str, revision: str = "main") -> str:
    """Return the address of a file's bytes."""
    return f"{hub}/{repo}/resolve/{revision}/{file}"


def listing_url(hub: str, repo: str, revision: str = "main") -> str:
    """Return the address of a repository's listing."""
    return f"{hub}/api/models/{repo}/tree/{revision}?recursive=true"


def choose_from_listing(listing: bytes, spec: HubSpec) -> HubFile:
    """Return the listed file that the address means; raise ModelNotFoundError, with what there is, where none fits."""
    try:
        entries = _LISTING.validate_json(listing)
    except ValidationError as error:
        raise DownloadError(
            f"the listing of {spec.repo} cannot be read: found {listing[:80]!r}, wanted JSON"
        ) from error
    files = {entry.path: entry for entry in entries if entry.type == "file" and re.match(REPO_FILE, entry.path)}
    if name := choose_file([*files], spec):
        return files[name]
    raise ModelNotFoundError(
        f"{spec.repo} has no such file: found {', '.join(sorted(files)) or 'no GGUF at all'}; "
        f"wanted {spec.file or spec.quantisation or 'a GGUF in one piece'}; write hf:{spec.repo}/FILE.gguf"
    )
