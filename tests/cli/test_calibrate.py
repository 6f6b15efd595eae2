"""``calibrate`` as people run it, from questions to a page, on a real model and recorded attempts."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade.calibrate.check import forget
from edgecascade.cli.steps import gates_said
from edgecascade.fitted import Fitted
from edgecascade.store.attempts import Header, packed, read_attempts
from edgecascade.store.files import sha256_of
from edgecascade.store.fitted_files import read_fitted
from edgecascade.store.ledger import Ledger
from edgecascade.store.paths import Folders, shipped
from edgecascade.watch import Watch

QUESTIONS = shipped("calibration/questions")
FITTED = shipped("calibration/fitted") / "smollm2-135m.json"


def run(environment: dict[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "edgecascade", "calibrate", *map(str, words)]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Path:
    """Real attempts at 60 easy and hard questions, collected once by the command itself."""
    out = tmp_path_factory.mktemp("calibrate") / "attempts.jsonl"
    home = os.environ | {"EDGECASCADE_HOME": str(out.parent / "home"), "EDGECASCADE_MODEL": str(model_path)}
    tasks = [word for task in ("geography", "science") for word in ("--task", task)]
    done = run(home, "collect", "-q", QUESTIONS, *tasks, "--limit", "60", "--max-tokens", "16", "--out", out)

    assert done.returncode == 0, done.stderr
    assert "60 of 60 questions" in done.stdout
    return out


def test_attempts_become_a_file_and_a_page(home: dict[str, str], attempts: Path, tmp_path: Path) -> None:
    """Fit writes a whole file and says the promise or why there is none; report writes a page from it."""
    out = tmp_path / "fitted.json"
    done = run(home, "fit", attempts, "--promise", "selective", "--epsilon", "0.4", "--out", out)
    page = run(home, "report", out)

    assert done.returncode == 0, done.stderr
    assert "with 90 % confidence" in done.stdout or "DO NOT CASCADE" in done.stdout
    assert read_fitted(out).provenance["attempts"] == 60
    assert page.returncode == 0, page.stderr
    assert "<html" in out.with_suffix(".html").read_text(encoding="utf-8")


def test_shadows_become_a_fitted_file(home: dict[str, str], attempts: Path, tmp_path: Path) -> None:
    """``--from-ledger`` fits what shadows have recorded of this model, and says so where there is nothing of it."""
    out, path = tmp_path / "fitted.json", Path(home["EDGECASCADE_HOME"]) / "state" / "ledger.db"
    nothing = run(home, "fit", "--from-ledger", "--out", out)
    recorded = read_attempts([attempts])
    system = {"identity": recorded.header.identity.as_json(), "system": recorded.header.system}
    way = json.dumps(system | {"width": recorded.header.width, "cloud": "large"})
    with Ledger(path, clock=lambda: 0.0) as ledger:
        for row in recorded.rows:
            ledger.shadowed(row.id, way, *packed(replace(row, cloud=1.0, agrees=row.grade.score)))
    done = run(home, "fit", "--from-ledger", "--promise", "agreement", "--epsilon", "0.4", "--out", out)

    assert nothing.returncode == 3 and "no shadows of this model" in nothing.stderr
    assert done.returncode == 0, done.stderr
    assert read_fitted(out).provenance["attempts"] == 60 and read_fitted(out).cloud == "large"


def test_the_record_is_printed_as_json(home: dict[str, str], attempts: Path, tmp_path: Path) -> None:
    """--json prints one object with the promise, the ladder and the figures."""
    out = tmp_path / "fitted.json"
    done = run(home, "fit", attempts, "--promise", "selective", "--epsilon", "0.01", "--json", "--out", out)

    record = json.loads(done.stdout)
    assert done.returncode == 0
    assert record["verdict"] == "infeasible"
    assert record["advice"].startswith("DO NOT CASCADE")
    assert record["id"] == read_fitted(out).id


def test_shards_are_merged(home: dict[str, str], attempts: Path, tmp_path: Path) -> None:
    """Merge joins files, and refuses to write over one."""
    out = tmp_path / "all.jsonl"
    done = run(home, "merge", attempts, attempts, "--out", out)
    again = run(home, "merge", attempts, "--out", out)

    assert done.returncode == 0, done.stderr
    assert read_attempts([out]).rows[0].id == read_attempts([attempts]).rows[0].id
    assert len(read_attempts([out]).rows) == 60
    assert again.returncode == 3
    assert "exists already" in again.stderr


def test_regret_without_a_cloud_is_refused(home: dict[str, str], attempts: Path, tmp_path: Path) -> None:
    """What is missing, and how to get it."""
    done = run(home, "fit", attempts, "--promise", "regret", "--out", tmp_path / "f.json")

    assert done.returncode == 3
    assert "needs the cloud's side of every question: found none in 60 of 60" in done.stderr
    assert not (tmp_path / "f.json").exists()


def test_the_shipped_file_holds_until_an_alarm_and_again_once_it_is_forgotten(home: dict[str, str]) -> None:
    """Check finds the file by itself, asks the fixed prompts, and says fresh, but for an alarm.

    That stays until --forget, which begins every monitor of the file anew and leaves those of other files.
    """
    folders, fitted = Folders.of({"EDGECASCADE_HOME": home["EDGECASCADE_HOME"]}), Fitted(FITTED)
    watches = [Watch(fitted, folders, epsilon=epsilon, gated=gated) for epsilon, gated in ((None, False), (0.2, True))]
    for watch in watches:
        for _ in range(200):
            watch.audited(kept=True, loss=1.0, probability=1.0)
    other = watches[0].path.with_name("0123456789abcdef-0.2.json")
    shutil.copy(watches[0].path, other)
    before, after = run(home, "check"), run(home, "check", "--forget", "--json")
    record = json.loads(after.stdout)

    assert (before.returncode, "the audits refute the promise" in before.stdout) == (4, True)
    assert after.returncode == 0, after.stderr
    assert record["verdict"] == record["identity"] == "fresh"
    assert record["fingerprint"] < 0.05
    assert f"2 monitors of {fitted.file.id} begun anew" in after.stderr
    assert not any(
        Watch(fitted, folders, epsilon=e, gated=g).state.audit.alarm for e, g in ((None, False), (0.2, True))
    )
    assert json.loads(other.read_text(encoding="utf-8"))["audit"]


def test_a_process_that_runs_forgets_too(home: dict[str, str]) -> None:
    """What it adds after ``forget`` is added to nothing: its own memory is not written back."""
    folders, fitted = Folders.of({"EDGECASCADE_HOME": home["EDGECASCADE_HOME"]}), Fitted(FITTED)
    watch = Watch(fitted, folders)
    for _ in range(200):
        watch.audited(kept=True, loss=1.0, probability=1.0)
    alarmed, count = watch.state.audit.alarm, forget(fitted, folders)
    watch.audited(kept=True, loss=0.0, probability=1.0)

    assert (alarmed, count) == (True, 1)
    assert not watch.state.audit.alarm and not Watch(fitted, folders).state.audit.alarm


def test_another_template_is_refused(home: dict[str, str], tmp_path: Path) -> None:
    """Check says so with exit code 4, and asks no prompt in vain."""
    template = tmp_path / "other.jinja"
    template.write_text("{% for message in messages %}{{ message.content }}\n{% endfor %}")
    done = run(home, "check", FITTED, "--template", template)

    assert done.returncode == 4
    assert "refused: another chat template" in done.stdout
    assert "not asked" in done.stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["collect", "-q", "QUESTIONS", "--task", "nothing", "--out", "a.jsonl"], "has no task 'nothing'"),
        (["collect", "-q", "QUESTIONS", "--shard", "3/2", "--out", "a.jsonl"], "shard '3/2' cannot be used"),
        (["collect", "-q", "QUESTIONS", "--cloud-column", "gpt", "--out", "a.jsonl"], "no recorded score of 'gpt'"),
        (["--recipe", "nothing"], "no recipe is called 'nothing'"),
        (["--recipe", "cloud"], "it wants a cloud"),
        (["report", "FITTED.onnx"], "is no fitted file"),
    ],
)
def test_bad_input_is_named(home: dict[str, str], tmp_path: Path, words: list[str], named: str) -> None:
    """Exit code 3, one line, what was found and what was wanted."""
    given = [word.replace("QUESTIONS", str(QUESTIONS)).replace("FITTED.onnx", str(FITTED.with_suffix(".onnx")))
             for word in words]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "edgecascade", "calibrate", *given],
        env=home, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert named in done.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            ["-m", "x", "collect", "-q", "q", "--out", "a.jsonl"],
            "--model stands before collect, .*put it behind",
        ),
        (["--context", "64", "check"], "--context stands before check, .*put it behind check"),
        (["--cloud", "openai:x", "fit", "a", "--out", "f.json"], "--cloud stands before fit, .*fit has no such option"),
        (["fit", str(FITTED), "--out", "f.json", "--epsilon", "nan"], "found nan, wanted a number between 0 and 1"),
        (["fit", str(FITTED), "--out", "f.json", "--delta", "nan"], "found nan, wanted a number between 0 and 1"),
    ],
)
def test_what_would_have_no_effect_or_no_meaning_is_refused(words: list[str], named: str) -> None:
    """Exit code 2 before anything is done, with what to do instead."""
    done = run(dict(os.environ), *words)

    assert done.returncode == 2
    assert re.search(named, " ".join(done.stderr.split()))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["fit", "run.json", "--out", "run.json"], "run.json would be written over"),
        (["fit", "run.json", "--out", "run.v1"], "found '.v1' at its end, wanted '.json'"),
        (["refit", "old.json", "run.json", "--out", "old.json"], "old.json would be written over"),
        (["refit", "old.json", "run.json", "--out", "k2.onnx"], "found '.onnx' at its end, wanted '.json'"),
        (["report", "old.json", "--out", "old.json"], "found '.json' at its end, wanted '.html'"),
        (["report", "page.html", "--out", "page.html"], "page.html would be written over"),
        (["merge", "run.json", "--out", "old.jsonl"], "old.f32 exists already"),
    ],
)
def test_no_input_is_written_over(tmp_path: Path, words: list[str], named: str) -> None:
    """Told before anything is read or written."""
    header = Header(
        identity=read_fitted(FITTED).identity, questions="", system=None, cloud=None, shard="1/1", created="", width=0,
        fingerprint=(),
    )  # fmt: skip
    for name in ("run.json", "page.html", "old.f32"):
        (tmp_path / name).write_text(header.model_dump_json(by_alias=True) + "\n")
    shutil.copy(FITTED, tmp_path / "old.json")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "edgecascade", "calibrate", *words],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert named in done.stderr
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("module", "words", "named"),
    [
        ("sklearn", [], "scikit-learn is not installed"),
        ("skl2onnx", [], "skl2onnx is not installed"),
        ("matplotlib", [], "matplotlib is not installed"),
        ("skl2onnx", ["fit", "run.jsonl", "--out", "f.json"], "skl2onnx is not installed"),
        ("matplotlib", ["report", str(FITTED), "--out", "r.html"], "matplotlib is not installed"),
    ],
)
def test_a_missing_library_is_told_before_the_work(tmp_path: Path, module: str, words: list[str], named: str) -> None:
    """Before hours of collecting, with the command that brings it."""
    (tmp_path / "run.jsonl").touch()
    code = f"import sys; sys.modules[{module!r}] = None; from edgecascade.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "calibrate", *words], cwd=tmp_path,
        env=os.environ | {"EDGECASCADE_HOME": str(tmp_path), "EDGECASCADE_MODEL": str(tmp_path / "none.gguf")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 4, done.stderr
    assert named in done.stderr and "pip install 'edgecascade[calibrate]'" in done.stderr


def test_alone_it_does_all_of_it(home: dict[str, str], attempts: Path, tmp_path: Path, model_path: Path) -> None:
    """A recipe collects, fits, reports, and leaves the file where ask finds it; the second time nothing is asked."""
    questions = tmp_path / "few.jsonl"
    lines = (QUESTIONS / "geography.jsonl").read_text(encoding="utf-8").splitlines()[:50]
    questions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'schema_version = 1\ntitle = "Few"\nquestions = "{questions.as_posix()}"\n'
        'promise = "selective"\nepsilon = 0.4\ndelta = 0.1\n'
    )
    first = run(home, "--recipe", recipe)
    (work,) = (Path(home["EDGECASCADE_HOME"]) / "data" / "calibrations").iterdir()
    second = run(home, "--recipe", recipe, "--work", work)
    answer = json.loads(
        subprocess.run(
            [sys.executable, "-m", "edgecascade", "ask", "--json", "What is the capital of France?"],
            env=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "50 of 50 questions" in second.stderr
    assert work.name == f"mine-{sha256_of(model_path)[:12]}" and (work / "report.html").is_file()
    (mine,) = (Path(home["EDGECASCADE_HOME"]) / "data" / "fitted").glob("*.json")
    assert answer["calibration"]["id"] == read_fitted(mine).id


def test_a_fit_says_which_gates_it_chose_and_for_what() -> None:
    """Where each looks, what they save, and the device and weights that chose them; or that none did."""
    file = read_fitted(FITTED)
    target = {"profile": "my-board", "cloud_usd": 0.001, "cloud_seconds": 2.0, "usd_per_second": 0.0005}
    aimed = file.model_copy(update={"provenance": {**file.provenance, "target": target}})

    said, plain, bare = map(gates_said, (aimed, file, file.model_copy(update={"gates": ()})))

    assert said.startswith("gates after 1, 8, 16, 32 tokens, which save 41% of all; chosen for my-board, where")
    assert "a second of waiting costs $0.00050, and an answer of the cloud costs $0.001 and takes 2 s" in said
    assert plain.endswith("for no device in particular") and bare.startswith("no gates; ")
