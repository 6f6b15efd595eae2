"""A native library that really kills its process, and the product that lives on.

A shim stands in front of the real library: its own ``llama_decode`` dies where it is told to, everything else is the
real thing, found through it. It notes each model that it loads, and so how often the product asked it.
"""

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

import edgecascade
from edgecascade.llama import native
from edgecascade.llama.probe import REBUILD, probe
from edgecascade.llama.settings import EngineSettings

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]

DIES = {"repacked": ("-DDIES=repacked",), "always": ("-DDIES=1",), "illegal": ("-DDIES=1", "-DILLEGAL")}

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* Passed by value. Beyond 16 bytes only size and alignment say how, so the fields need no names. */
struct params { void *first; char rest[PARAMS_SIZE - sizeof(void *)]; };
struct batch { void *first; char rest[BATCH_SIZE - sizeof(void *)]; };

extern void llama_backend_free(void);
void (*const needs_the_real_library)(void) = llama_backend_free;

static int repacked;

void *llama_model_load_from_file(const char *path, struct params params) {
    void *(*real)(const char *, struct params) = dlsym(RTLD_NEXT, "llama_model_load_from_file");
    repacked = ((char *)&params)[REPACKED_AT];
    FILE *loads = fopen(getenv("SHIM_LOADS"), "a");
    fputs(repacked ? "repacked\n" : "plain\n", loads);
    fclose(loads);
    return real(path, params);
}

static void die(void) {
#if !defined(ILLEGAL)
    int *volatile nowhere = NULL;
    *nowhere = 1;
#elif defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("ud2");
#else
    __asm__ volatile(".inst 0x00000000");
#endif
}

int llama_decode(void *context, struct batch batch) {
    int (*real)(void *, struct batch) = dlsym(RTLD_NEXT, "llama_decode");
    if (DIES) die();
    return real(context, batch);
}
"""


@dataclass(frozen=True, slots=True)
class Shim:
    """A library that dies, in a folder of its own."""

    folder: Path
    loads: Path

    @property
    def environment(self) -> dict[str, str]:
        """What makes llama-cpp-python load it."""
        return {"LLAMA_CPP_LIB_PATH": str(self.folder), "SHIM_LOADS": str(self.loads)}

    def take_loads(self) -> list[str]:
        """Return how models were loaded since the last time."""
        found = self.loads.read_text().split() if self.loads.exists() else []
        self.loads.unlink(missing_ok=True)
        return found


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], Shim]:
    """Return what builds the library that dies "repacked", "always" or of an "illegal" instruction."""

    def built(dies: str) -> Shim:
        llama_cpp, folder = native.load(), native.library_folder()
        assert folder
        real = next(path for path in (folder / "libllama.so", folder / "libllama.dylib") if path.exists())
        (own := tmp_path / "library").mkdir(exist_ok=True)
        (source := tmp_path / "shim.c").write_text(SHIM)
        params, batch = llama_cpp.llama_model_params, llama_cpp.llama_batch
        facts = {
            "PARAMS_SIZE": ctypes.sizeof(params),
            "REPACKED_AT": params.use_extra_bufts.offset,
            "BATCH_SIZE": ctypes.sizeof(batch),
        }
        defines = [*DIES[dies], *(f"-D{name}={value}" for name, value in facts.items())]
        command = ["cc", "-shared", "-fPIC", "-o", own / "libllama.so", *defines, source, real, f"-Wl,-rpath,{folder}"]
        subprocess.run(command, check=True)
        return Shim(own, tmp_path / "loads.txt")

    return built


def test_first_question_survives_a_crash(build: Callable[[str], Shim], run_cli: Run, model_path: Path) -> None:
    """Where repacked weights crash, ask answers and says so in one line; it is remembered and never said again."""
    shim, system = build("repacked"), "You are a helpful assistant. Answer in one short sentence."
    ask = ("ask", "-m", model_path, "--max-tokens", 24, "--system", system, "What is the capital of France?")

    first = run_cli(*ask, environment=shim.environment)
    first_loads = shim.take_loads()
    second = run_cli(*ask, environment=shim.environment)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "Paris" in first.stdout and first.stdout == second.stdout
    notes = [line for line in first.stderr.splitlines() if line.startswith("note:")]
    assert len(notes) == 1 and "SIGSEGV" in notes[0] and "edgecascade doctor" in notes[0]
    assert "Traceback" not in first.stderr and "note:" not in second.stderr
    assert first_loads == ["repacked", "plain", "plain"]
    assert shim.take_loads() == ["plain"]


def test_verdict_is_kept_for_these_facts(
    build: Callable[[str], Shim], run_cli: Run, write_model: Write, tmp_path: Path
) -> None:
    """A verdict is one file; another model file asks anew, and so does a library that was built anew."""
    shim, one, other = build("repacked"), write_model(), write_model(name="other")
    loads = []
    for step in ("first", "same", "other model", "rebuilt", "same"):
        if step == "rebuilt":
            build("repacked")
        path = other if step == "other model" else one
        ran = run_cli("ask", "-m", path, "--template", "plain", "--max-tokens", 2, "Hi", environment=shim.environment)
        loads.append((step, ran.returncode, shim.take_loads()))

    asked, known = ["repacked", "plain", "plain"], ["plain"]
    assert loads == [
        ("first", 0, asked),
        ("same", 0, known),
        ("other model", 0, asked),
        ("rebuilt", 0, asked),
        ("same", 0, known),
    ]
    kept = [json.loads(path.read_text()) for path in (tmp_path / "home/state/verdicts").iterdir()]
    assert [verdict["verdict"]["verdict"] for verdict in kept] == ["fallback"] * 3


def test_doctor_names_the_fallback(build: Callable[[str], Shim], run_cli: Run, write_model: Write) -> None:
    """The doctor says fallback, with which setting, is content with it, and prints how to rebuild."""
    shim, path = build("repacked"), write_model()

    found = json.loads((as_json := run_cli("doctor", "--json", "-m", path, environment=shim.environment)).stdout)
    plain = run_cli("doctor", "-m", path, environment=shim.environment)

    assert (as_json.returncode, plain.returncode, found["ok"]) == (0, 0, True)
    assert (found["probe"]["verdict"], found["probe"]["settings"]) == ("fallback", {"use_extra_bufts": False})
    assert found["paths"]["library"] == str(shim.folder)
    assert "GGML_NATIVE=OFF" in REBUILD and REBUILD in plain.stdout
    rows = [line.partition(" ")[0] for line in plain.stdout.splitlines()]
    assert {"profile", "sensors", "power"} <= {*rows} and rows.count("library") == 1
    assert f" in {shim.folder}\n" in plain.stdout


def test_doctor_names_a_profile_that_cannot_be_used(run_cli: Run, write_model: Write) -> None:
    """The library works, yet nothing could be opened: exit code 4, and the profile's line says why."""
    path, environment = write_model(), {"EDGECASCADE_PROFILE": "no-such-device"}
    found = json.loads(run_cli("doctor", "--json", "-m", path, environment=environment).stdout)
    plain = run_cli("doctor", "-m", path, environment=environment)

    assert (found["ok"], found["probe"]["verdict"], plain.returncode) == (False, "ok", 4)
    assert "no-such-device" in found["profile"]["fault"] and "unclear" in plain.stdout


@pytest.mark.parametrize(("dies", "name"), [("always", "SIGSEGV"), ("illegal", "SIGILL")])
def test_hopeless_library(
    dies: str, name: str, build: Callable[[str], Shim], run_cli: Run, write_model: Write, tmp_path: Path
) -> None:
    """Where every decode crashes, ask ends with exit code 4 and one line with the cure; no traceback, no core file."""
    shim, path = build(dies), write_model()

    first = run_cli("ask", "-m", path, "--template", "plain", "Hi", environment=shim.environment)
    first_loads = shim.take_loads()
    second = run_cli("ask", "-m", path, "--template", "plain", "Hi", environment=shim.environment)

    assert (first.returncode, first.stdout) == (4, "")
    assert len(first.stderr.splitlines()) == 1
    assert first.stderr.startswith("error: ") and name in first.stderr and REBUILD in first.stderr
    assert second.stderr == first.stderr
    assert first_loads == shim.take_loads() == ["repacked", "plain"]
    assert list((tmp_path / "cwd").iterdir()) == []


def test_doctor_names_the_hopeless(build: Callable[[str], Shim], run_cli: Run, write_model: Write) -> None:
    """The doctor says broken, with exit code 4, and prints how to rebuild."""
    shim, path = build("always"), write_model()

    as_json = run_cli("doctor", "--json", "-m", path, environment=shim.environment)
    plain = run_cli("doctor", "-m", path, environment=shim.environment)
    found = json.loads(as_json.stdout)

    assert (as_json.returncode, plain.returncode) == (4, 4)
    assert (found["ok"], found["probe"]["verdict"], found["probe"]["settings"]) == (False, "broken", {})
    assert REBUILD in plain.stdout and "True" not in plain.stdout


def test_bench_survives_its_peer(
    build: Callable[[str], Shim], run_cli: Run, write_model: Write, tmp_path: Path
) -> None:
    """Where the high-level path dies, the bench says that it has no figures of it, and leaves no core file."""
    shim, path = build("repacked"), write_model(template="{{ messages[0].content }}")

    ran = run_cli(
        *("bench", "decode", "--json", "--anyway", "-m", path, "--rounds", 1, "--tokens", 16),
        environment=shim.environment,
    )
    rows = json.loads(ran.stdout)["rows"]
    (ours, *_), (theirs,) = rows, [row for row in rows if row["test"].endswith(", high-level API")]

    assert ran.returncode == 0
    assert (len(ours["samples"]), theirs["samples"], bool(theirs["unknown"])) == (1, [], True)
    assert list((tmp_path / "cwd").iterdir()) == []


def test_model_of_many_tokens_a_word(run_cli: Run, write_model: Write) -> None:
    """A model that spells every word in bytes passes the probe like any other."""
    path = write_model()

    found = json.loads(run_cli("doctor", "--json", "-m", path).stdout)

    assert found["probe"]["verdict"] == "ok", found["probe"]["detail"]


def test_model_of_a_short_context(run_cli: Run, write_model: Write) -> None:
    """A model trained on fewer tokens than a chunk passes the probe like any other."""
    path = write_model(metadata={"llama.context_length": 48})

    found = json.loads(run_cli("doctor", "--json", "-m", path).stdout)

    assert found["probe"]["verdict"] == "ok", found["probe"]["detail"]


def test_damaged_model_is_not_the_librarys_fault(run_cli: Run, write_model: Write) -> None:
    """A file that ends too early is bad input for ask, and the doctor does not advise to rebuild the library for it."""
    (path := write_model()).write_bytes(path.read_bytes()[:-1000])

    asked = run_cli("ask", "-m", path, "--template", "plain", "Hi")
    examined = run_cli("doctor", "-m", path)

    assert (asked.returncode, len(asked.stderr.splitlines())) == (3, 1)
    assert examined.returncode == 4 and "broken" in examined.stdout
    assert REBUILD not in examined.stdout


def test_library_missing(run_cli: Run, write_model: Write, tmp_path: Path) -> None:
    """Without llama-cpp-python, ask and doctor end with exit code 4 and the command that installs it."""
    path, packages = write_model(), everything_but_llama_cpp(tmp_path)
    python, environment = (sys.executable, "-S"), {"PYTHONPATH": str(packages)}

    asked = run_cli("ask", "-m", path, "Hi", python=python, environment=environment)
    examined = run_cli("doctor", "-m", path, python=python, environment=environment)

    assert (asked.returncode, examined.returncode) == (4, 4)
    assert len(asked.stderr.splitlines()) == 1
    assert "pip install 'edgecascade[llama]'" in asked.stderr and "pip install 'edgecascade[llama]'" in examined.stdout
    assert "is not installed" in examined.stdout and "Traceback" not in examined.stderr


def everything_but_llama_cpp(folder: Path) -> Path:
    """Return a folder that links to every package that this Python sees, but not to that one."""
    (packages := folder / "packages").mkdir()
    (packages / "edgecascade").symlink_to(Path(edgecascade.__file__).parent)
    for site in (Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")):
        for found in site.iterdir():
            link = packages / found.name
            if not (found.name.startswith("llama_cpp") or link.exists()):
                link.symlink_to(found)
    return packages


def test_what_lies_in_the_users_folder_is_not_run(write_model: Write, tmp_path: Path) -> None:
    """A json.py of the user's own is neither taken for Python's nor for a library that fails."""
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    with chdir(tmp_path):
        verdict = probe(write_model(), EngineSettings(template="plain"))

    assert verdict.verdict != "broken", verdict
