"""Manifests are checked when they are read, and what is shipped is sound."""

from pathlib import Path

import pytest

from edgecascade.errors import ManifestError, ModelFileError
from edgecascade.store.manifests import (
    find_manifest,
    manifest_names,
    manifest_of_file,
    read_manifest,
    user_manifest,
    write_manifest,
)
from edgecascade.store.paths import Folders, shipped
from edgecascade.testing import gguf_bytes

GOOD = """schema_version = 1
name = "m"
title = "M"
file = "m.gguf"
bytes = 10
parameters = 5
quantisation = "F32"
licence = "mit"

[[sources]]
kind = "hf"
repo = "u/m"
file = "sub/m.gguf"
"""


def folders(root: Path) -> Folders:
    """Return the folders below a temporary home."""
    return Folders.of({"EDGECASCADE_HOME": str(root)})


def written(root: Path, text: str, name: str = "m") -> Path:
    """Return the path of a user's manifest with this text."""
    path = user_manifest(name, folders(root))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_manifest_is_whole_and_pinned() -> None:
    """Each has a sha256, and its hub source names a commit, so what is fetched is what was looked at."""
    found = [read_manifest(path) for path in sorted(shipped("models").glob("*.toml"))]

    assert "smollm2-135m" in [manifest.name for manifest in found] and len(found) >= 12
    for manifest in found:
        assert manifest.sha256 and manifest.sources[0].kind == "hf" and len(manifest.sources[0].revision) == 40


def test_the_default_has_a_second_source() -> None:
    """Where the hub is out of reach, the package index gives the same bytes."""
    default = read_manifest(shipped("models") / "smollm2-135m.toml")

    assert [source.kind for source in default.sources] == ["hf", "wheel"]


def test_a_users_manifest_hides_the_shipped_one(tmp_path: Path) -> None:
    """The user's folder comes first."""
    written(tmp_path, GOOD.replace('"m"', '"smollm2-135m"', 1), "smollm2-135m")

    found = find_manifest("smollm2-135m", folders(tmp_path))

    assert found is not None and found.title == "M"
    assert manifest_names(folders(tmp_path)).count("smollm2-135m") == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "mit"\n', "", r"m\.toml: licence: found .*wanted: Field required"),
        ("bytes = 10", 'bytes = "ten"', r"bytes: found 'ten'; wanted: Input should be a valid integer"),
        ("bytes = 10", "bytes = 10\nweight = 3", r"weight: found 3; wanted: Extra inputs are not permitted"),
        ('file = "m.gguf"', 'file = "../m.gguf"', r"file: found '../m.gguf'"),
        ('"sub/m.gguf"', '"sub/../../m.gguf"', r"sources.0.hf.file: found 'sub/../../m.gguf'"),
        ('kind = "hf"', 'kind = "ftp"', r"sources.0: found .*'hf', 'url', 'wheel'"),
        ('name = "m"', 'name = "other"', r"name is 'other', wanted 'm'"),
        ('name = "m"', "name = m", r"cannot be read as TOML: .*line 2"),
        ('kind = "hf"', 'kind = "url"\nurl = "http://example.org/m.gguf"', r"url: found 'http://example.org/m.gguf'"),
    ],
)
def test_a_broken_manifest_names_file_field_and_what_was_found(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """The message leads to the line."""
    path = written(tmp_path, GOOD.replace(old, new))

    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


def test_a_manifest_survives_writing(tmp_path: Path) -> None:
    """What is written is read back the same, whatever the folder is called."""
    (folder := tmp_path / 'a "b" \\ \x7f ü').mkdir()
    (folder / "My Model.gguf").write_bytes(gguf_bytes())
    manifest = manifest_of_file(folder / "My Model.gguf")

    write_manifest(manifest, tmp_path / f"{manifest.name}.toml")

    assert manifest.name == "my-model"
    assert read_manifest(tmp_path / "my-model.toml") == manifest


def test_only_a_gguf_gets_a_manifest(tmp_path: Path) -> None:
    """Another file is refused before anything is written."""
    (tmp_path / "m.gguf").write_bytes(b"no")

    with pytest.raises(ModelFileError, match="not a GGUF"):
        manifest_of_file(tmp_path / "m.gguf")


def test_names_that_are_paths_find_nothing(tmp_path: Path) -> None:
    """A name cannot lead out of the manifests' folder."""
    written(tmp_path, GOOD)

    assert find_manifest("../models/m", folders(tmp_path)) is None
