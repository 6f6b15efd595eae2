"""Model files that other tools keep on this device; they are used where they lie, never copied or changed.

The layouts: huggingface_hub's cache, ollama's manifests and blobs, LM Studio's models, llama.cpp's cache.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from edgecascade.errors import ModelFileError
from edgecascade.store.specs import HubSpec, LmStudioSpec, OllamaSpec, choose_file


@dataclass(frozen=True, slots=True)
class Find:
    """A file that another tool keeps; ``sha256`` where the tool named it after its own."""

    path: Path
    origin: str
    sha256: str | None = None


class _Layer(BaseModel):
    mediaType: str  # noqa: N815 - ollama's own spelling
    digest: str


class _OllamaManifest(BaseModel):
    layers: list[_Layer]


def find_hub_file(
    spec: HubSpec, *, environment: Mapping[str, str], home: Path, revision: str = "main"
) -> Iterator[Find]:
    """Yield a repository's file wherever a tool keeps it: huggingface_hub's cache, LM Studio, llama.cpp's cache."""
    repo = _hub_cache(environment, home) / f"models--{spec.repo.replace('/', '--')}"
    for snapshot in _snapshots(repo, revision):
        if path := _choose(snapshot, spec):
            blob = path.resolve().name
            yield Find(path, "Hugging Face cache", blob if re.fullmatch("[0-9a-f]{64}", blob) else None)
    for models in _lm_studio(home):
        if path := _choose(models / spec.repo, spec):
            yield Find(path, "LM Studio")
    cache = Path(environment.get("LLAMA_CACHE") or home / ".cache" / "llama.cpp")
    prefix = spec.repo.replace("/", "_") + "_"
    own = (path for path in _ggufs(cache, deep=False) if path.name.startswith(prefix))
    cached = {path.name.removeprefix(prefix): path for path in own}
    if name := choose_file([*cached], spec):
        yield Find(cached[name], "llama.cpp cache")


def find_in_ollama(spec: OllamaSpec, *, environment: Mapping[str, str], home: Path) -> Find | None:
    """Return the weights of a model that ollama pulled; raise ModelFileError where its manifest is damaged."""
    host = {0: "registry.ollama.ai/library/", 1: "registry.ollama.ai/"}.get(spec.name.count("/"), "")
    for models in _ollama(environment, home):
        path = models / "manifests" / f"{host}{spec.name}" / spec.tag
        if not _is_file(path):
            continue
        try:
            layers = _OllamaManifest.model_validate_json(path.read_bytes()).layers
        except (OSError, ValidationError) as error:
            raise ModelFileError(
                f"{path} cannot be read as a manifest of ollama: {error}; wanted JSON with layers; "
                f"run `ollama pull {spec.name}:{spec.tag}`"
            ) from error
        for layer in layers:
            named = re.fullmatch("sha256:([0-9a-f]{64})", layer.digest)
            if layer.mediaType == "application/vnd.ollama.image.model" and named:
                blob = models / "blobs" / f"sha256-{named[1]}"
                return Find(blob, "ollama", named[1]) if _is_file(blob) else None
    return None


def find_ollama_blob(sha256: str, *, environment: Mapping[str, str], home: Path) -> Find | None:
    """Return the file with this sum, under whatever name ollama pulled it; its blobs are named by their sums."""
    for models in _ollama(environment, home):
        blob = models / "blobs" / f"sha256-{sha256}"
        if _is_file(blob):
            return Find(blob, "ollama", sha256)
    return None


def ollama_names(environment: Mapping[str, str], home: Path) -> list[str]:
    """Return the names of the models that ollama has, as ``name:tag``."""
    names = set()
    for models in _ollama(environment, home):
        for path in (models / "manifests").glob("*/*/*/*"):
            name = path.parent.relative_to(models / "manifests").as_posix()
            names.add(f"{name.removeprefix('registry.ollama.ai/').removeprefix('library/')}:{path.name}")
    return sorted(names)


def find_in_lm_studio(spec: LmStudioSpec, *, home: Path) -> Find | None:
    """Return the file, or the folder's Q4_K_M, else its first GGUF; also one that lies in the root of the models."""
    for models in _lm_studio(home):
        path = models / spec.below
        found = path if path.is_file() else _choose(path, HubSpec("-"))
        if found:
            return Find(found, "LM Studio")
    return None


def lm_studio_names(home: Path) -> list[str]:
    """Return the files that LM Studio has, below its models."""
    return sorted(
        {path.relative_to(models).as_posix() for models in _lm_studio(home) for path in _ggufs(models, deep=True)}
    )


def _hub_cache(environment: Mapping[str, str], home: Path) -> Path:
    if cache := environment.get("HF_HUB_CACHE"):
        return Path(cache)
    return Path(environment.get("HF_HOME") or home / ".cache" / "huggingface") / "hub"


def _snapshots(repo: Path, revision: str) -> Iterator[Path]:
    """Yield the revision's snapshot, then whatever others there are."""
    ref = repo / "refs" / revision
    first = repo / "snapshots" / (ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision)
    if first.is_dir():
        yield first
    yield from sorted(path for path in (repo / "snapshots").glob("*") if path != first)


def _ollama(environment: Mapping[str, str], home: Path) -> list[Path]:
    if models := environment.get("OLLAMA_MODELS"):
        return [Path(models)]
    return [home / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]


def _lm_studio(home: Path) -> list[Path]:
    return [home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"]


def _choose(folder: Path, spec: HubSpec) -> Path | None:
    names = [path.relative_to(folder).as_posix() for path in _ggufs(folder, deep=True)]
    name = choose_file(names, spec)
    return folder / name if name else None


def _ggufs(folder: Path, *, deep: bool) -> list[Path]:
    return [path for path in folder.glob("**/*.gguf" if deep else "*.gguf") if _is_file(path)]


def _is_file(path: Path) -> bool:
    """Return whether it is a file that may be looked at; another user's folder may be closed."""
    try:
        return path.is_file()
    except OSError:
        return False
