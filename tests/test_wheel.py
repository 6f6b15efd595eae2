"""What is published works: built, installed in a fresh environment, run."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_it_ships_and_no_more(wheel: Path) -> None:
    """Manifests, profiles, calibration files and the typing marker are inside; tests, benches and weights are not."""
    names = zipfile.ZipFile(wheel).namelist()

    for kind in ("models", "devices"):
        tables = {f"edgecascade/shipped/{kind}/{path.name}" for path in (ROOT / kind).glob("*.toml")}
        assert tables and tables <= set(names)
    for kind in ("recipes", "questions", "fitted"):
        shipped = {
            f"edgecascade/shipped/calibration/{kind}/{path.name}" for path in (ROOT / "calibration" / kind).iterdir()
        }
        assert shipped and shipped <= set(names)
    assert "edgecascade/page/page.html" in names
    assert "edgecascade/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/")) or name.endswith(".gguf")]


def test_the_installed_wheel_runs_without_the_llama_extra(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, outside the checkout, it lists its models, and says what asking needs."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", str(wheel)], check=True, stdin=subprocess.DEVNULL)
    environment = os.environ | {"EDGECASCADE_HOME": str(tmp_path / "home"), "EDGECASCADE_OFFLINE": "1"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-m", "edgecascade", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

    listed, asked = run("models", "list"), run("doctor", "--json")

    assert (listed.returncode, "smollm2-135m" in listed.stdout) == (0, True)
    assert (asked.returncode, "edgecascade[llama]" in asked.stdout) == (4, True)
