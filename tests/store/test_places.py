"""Files that other tools keep are found where those tools put them."""

import json
from pathlib import Path

import pytest

from edgecascade.errors import ModelFileError
from edgecascade.store.places import (
    find_hub_file,
    find_in_lm_studio,
    find_in_ollama,
    find_ollama_blob,
    lm_studio_names,
    ollama_names,
)
from edgecascade.store.specs import HubSpec, LmStudioSpec, OllamaSpec

SUM = "ab" * 32


def put(path: Path, data: bytes = b"GGUF") -> Path:
    """Return the path of a file with these bytes, folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def hub_cache(hub: Path, *, revision: str = "c1", file: str = "m-Q4_K_M.gguf", ref: str | None = "c1") -> Path:
    """Lay out one file as huggingface_hub does, and return its snapshot."""
    repo = hub / "models--u--r"
    blob = put(repo / "blobs" / SUM)
    snapshot = repo / "snapshots" / revision / file
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    snapshot.symlink_to(blob)
    if ref:
        put(repo / "refs" / "main", ref.encode())
    return snapshot


@pytest.mark.parametrize("variable", [None, "HF_HOME", "HF_HUB_CACHE"])
def test_hugging_face_cache(tmp_path: Path, variable: str | None) -> None:
    """Each of its variables moves the cache, and the blob's name gives the sha256."""
    folders = {None: tmp_path / ".cache/huggingface/hub", "HF_HOME": tmp_path / "h/hub", "HF_HUB_CACHE": tmp_path / "h"}
    path = hub_cache(folders[variable])

    (found,) = find_hub_file(
        HubSpec("u/r"), environment={variable: str(tmp_path / "h")} if variable else {}, home=tmp_path
    )

    assert (found.path, found.origin, found.sha256) == (path, "Hugging Face cache", SUM)


def test_the_ref_decides_between_snapshots(tmp_path: Path) -> None:
    """refs/main comes first, other snapshots after it."""
    hub = tmp_path / ".cache/huggingface/hub"
    hub_cache(hub, revision="c0")
    hub_cache(hub, revision="c1")

    found = [find.path.parent.name for find in find_hub_file(HubSpec("u/r"), environment={}, home=tmp_path)]

    assert found == ["c1", "c0"]


def test_a_hub_file_in_lm_studio_and_in_llama_cpps_cache(tmp_path: Path) -> None:
    """The same repository is recognised in three tools' folders."""
    put(tmp_path / ".lmstudio/models/u/r/m-Q4_K_M.gguf")
    put(tmp_path / "cpp/u_r_m-Q4_K_M.gguf")

    found = find_hub_file(HubSpec("u/r"), environment={"LLAMA_CACHE": str(tmp_path / "cpp")}, home=tmp_path)

    assert [find.origin for find in found] == ["LM Studio", "llama.cpp cache"]


def ollama_model(models: Path, name: str, *, digest: str = f"sha256:{SUM}") -> Path:
    """Lay out one model as ollama does, and return its blob."""
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "00" * 32},
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest},
    ]
    put(models / "manifests" / name, json.dumps({"schemaVersion": 2, "layers": layers}).encode())
    return put(models / "blobs" / f"sha256-{SUM}")


@pytest.mark.parametrize(
    ("spec", "manifest", "listed"),
    [
        (OllamaSpec("qwen3", "0.6b"), "registry.ollama.ai/library/qwen3/0.6b", "qwen3:0.6b"),
        (OllamaSpec("me/mine", "latest"), "registry.ollama.ai/me/mine/latest", "me/mine:latest"),
        (OllamaSpec("hf.co/u/r", "Q8_0"), "hf.co/u/r/Q8_0", "hf.co/u/r:Q8_0"),
    ],
)
def test_ollama(tmp_path: Path, spec: OllamaSpec, manifest: str, listed: str) -> None:
    """The layer with the weights leads to the blob, for every registry."""
    blob = ollama_model(tmp_path / "models", manifest)
    environment = {"OLLAMA_MODELS": str(tmp_path / "models")}

    found = find_in_ollama(spec, environment=environment, home=tmp_path)

    assert found and (found.path, found.sha256) == (blob, SUM)
    assert ollama_names(environment, tmp_path) == [listed]


def test_a_damaged_ollama_manifest_says_what_to_do(tmp_path: Path) -> None:
    """It is an error with the remedy, not a model that is missing."""
    put(tmp_path / ".ollama/models/manifests/registry.ollama.ai/library/m/latest", b"{")

    with pytest.raises(ModelFileError, match="ollama pull m:latest"):
        find_in_ollama(OllamaSpec("m", "latest"), environment={}, home=tmp_path)


def test_a_digest_cannot_lead_elsewhere(tmp_path: Path) -> None:
    """Only 64 hex digits name a blob."""
    ollama_model(tmp_path / ".ollama/models", "registry.ollama.ai/library/m/latest", digest="sha256:../../secret")

    assert find_in_ollama(OllamaSpec("m", "latest"), environment={}, home=tmp_path) is None


@pytest.mark.parametrize("below", ["p/m", "p/m/m-Q8_0.gguf", "root.gguf"])
def test_lm_studio(tmp_path: Path, below: str) -> None:
    """A folder, a file, and a file in the root of the models are all found."""
    for name in ("p/m/m-Q8_0.gguf", "root.gguf"):
        put(tmp_path / ".lmstudio/models" / name)

    found = find_in_lm_studio(LmStudioSpec(below), home=tmp_path)

    assert found and found.path.is_file()
    assert lm_studio_names(tmp_path) == ["p/m/m-Q8_0.gguf", "root.gguf"]


def test_ollama_keeps_a_file_under_its_sum(tmp_path: Path) -> None:
    """A manifest's sha256 finds the file whatever name ollama gave it, and no other."""
    blob = put(tmp_path / f".ollama/models/blobs/sha256-{SUM}")

    found = find_ollama_blob(SUM, environment={}, home=tmp_path)

    assert found is not None
    assert (found.path, found.origin) == (blob, "ollama")
    assert find_ollama_blob("cd" * 32, environment={}, home=tmp_path) is None
