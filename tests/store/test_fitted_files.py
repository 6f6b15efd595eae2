"""Fitted files: whole or refused, and found in their order."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from edgecascade.errors import FittedFileError
from edgecascade.store.fitted_files import (
    FittedFile,
    GatePart,
    HeadPart,
    HeldOut,
    check_out,
    fitted_files,
    onnx_beside,
    read_fitted,
    user_fitted,
    write_fitted,
)
from edgecascade.store.paths import Folders, shipped
from edgecascade.testing import TINY_IDENTITY as IDENTITY

HEAD = HeadPart(
    name="compact", kind="linear", signals=("tokens",), weights=(1 / 3,), intercept=-1e-300, sha256="0" * 64
)
GATE = GatePart(
    at=8, signals=("tokens",), weights=(1 / 3,), intercept=0.0, stop_below=-2.0, stops=0.1, tokens_saved=0.05,
    false_alarms=(0.01, 0.0, 0.02),
)  # fmt: skip
UNSIGNED = FittedFile(
    id="",
    created="2026-11-21",
    identity=IDENTITY,
    system="Sei kurz, 東京.",
    cloud="big",
    promise="regret",
    epsilon=0.05,
    delta=0.1,
    verdict="certified",
    advice="Keep them.",
    head=HEAD,
    calibrator={"kind": "platt", "slope": 1.0, "intercept": 0.1},
    certificates=({"epsilon": 0.05, "threshold": None},),
    composed=(),
    gates=(GATE,),
    reference={"edges": [0.5], "shares": [0.5, 0.5], "count": 60},
    fingerprint=((5, -0.25), (7, -1.1)),
    tasks=("a", "b"),
    selection={"heads": [{"name": "compact", "gain_in": {"value": float("nan"), "low": 0.0, "high": 1.0}}]},
    metrics={"auroc": None},
    provenance={"seed": 0},
    held_out=HeldOut(
        task=(0, 1), p=(0.1, 0.9), local=(0.0, 1.0), cloud=None, loss=(1.0, 0.0), seconds=(0.1, 0.2), baselines={}
    ),
)
FILE = UNSIGNED.model_copy(update={"id": UNSIGNED.digest()})
ONNX = b"the head"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that was written, in a folder that was not there."""
    write_fitted(path := tmp_path / "fitted" / "tiny.json", FILE, ONNX)
    return path


def change(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite the file by hand."""
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")


def test_a_round_trip_keeps_everything(path: Path) -> None:
    """Numbers to the last bit; what is no number becomes null, under the same id."""
    found = read_fitted(path)

    assert found.model_dump(mode="json") == FILE.model_dump(mode="json")
    assert found.id == found.digest() and asdict(found.identity) == asdict(IDENTITY)
    assert onnx_beside(path).read_bytes() == ONNX


def test_how_often_the_cloud_was_right() -> None:
    """The mean of its scores where it was asked; nothing is made up where it was not."""
    asked = FILE.model_copy(update={"held_out": FILE.held_out.model_copy(update={"cloud": (1.0, 0.5)})})
    unasked = FILE.model_copy(update={"held_out": FILE.held_out.model_copy(update={"cloud": None})})

    assert (asked.cloud_quality, unasked.cloud_quality) == (0.75, None)


def test_the_id_belongs_to_the_content() -> None:
    """Another content has another id, whatever id was written into it."""
    other = FILE.model_copy(update={"epsilon": 0.06})

    assert FILE.model_copy(update={"id": "x"}).digest() == FILE.id != other.digest()


def test_writing_it_again_gives_the_same_bytes(path: Path) -> None:
    """A file that was read and is written is the same file."""
    before = path.read_bytes()
    write_fitted(path, read_fitted(path), ONNX)

    assert path.read_bytes() == before and [file.name for file in sorted(path.parent.iterdir())] == [
        "tiny.json",
        "tiny.onnx",
    ]


def test_a_linear_file_is_never_beside_the_head_of_another(path: Path) -> None:
    """Where writing breaks off before the new head is whole, the old one no longer lies there to be refused."""
    broken: Any = "no bytes"
    with pytest.raises(TypeError):
        write_fitted(path, FILE, broken)

    assert read_fitted(path).id == FILE.id and not onnx_beside(path).exists()


@pytest.mark.parametrize(
    ("out", "suffix", "inputs"),
    [
        ("tiny.json", ".json", ["tiny.json"]),
        ("run.json", ".json", ["run.json"]),
        ("other.json", ".json", ["other.onnx"]),
        ("tiny.json", ".json", ["run.jsonl", "tiny.jsonl"]),
        ("../fitted/tiny.json", ".json", ["tiny.json"]),
        ("page.html", ".html", ["page.html"]),
    ],
)
def test_an_input_is_not_written_over(path: Path, out: str, suffix: str, inputs: list[str]) -> None:
    """Neither by the file itself nor by the head beside it, whatever the path is called."""
    for name in ("run.json", "run.jsonl", "other.onnx", "tiny.jsonl", "page.html"):
        (path.parent / name).touch()

    with pytest.raises(FittedFileError, match=r"would be written over: .*choose another --out"):
        check_out(path.parent / out, suffix, [path.parent / name for name in inputs])


@pytest.mark.parametrize(
    ("out", "suffix"), [("a.v1", ".json"), ("k2.onnx", ".json"), ("a", ".json"), ("a.json", ".html")]
)
def test_another_suffix_is_refused(tmp_path: Path, out: str, suffix: str) -> None:
    """Two files never share their head, and a file is never its own."""
    with pytest.raises(FittedFileError, match=rf"cannot be written: .*wanted '\{suffix}'"):
        check_out(tmp_path / out, suffix, [])


def test_a_file_of_its_own_may_be_written(path: Path) -> None:
    """Something new, or something old that is not read; a page beside the file that it shows."""
    (attempts := path.with_name("run.jsonl")).touch()
    attempts.with_suffix(".f32").touch()

    check_out(path, ".json", [attempts])
    check_out(path.with_name("new.json"), ".json", [path, attempts])
    check_out(path.with_suffix(".html"), ".html", [path])


@pytest.mark.parametrize("digit", range(0, 4000, 199))
def test_a_changed_digit_is_refused(path: Path, digit: int) -> None:
    """Wherever a digit of the file is changed, nothing is read from it."""
    text = path.read_text(encoding="utf-8")
    places = [place for place, sign in enumerate(text) if sign.isdecimal()]
    place = places[digit % len(places)]
    path.write_text(text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :], encoding="utf-8")

    with pytest.raises(FittedFileError, match=r"changed after it was fitted|damaged|another schema|no fitted file"):
        read_fitted(path)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (lambda record: record["certificates"][0].update(threshold=0.1), "changed after it was fitted: found content"),
        (lambda record: record.update(id="0" * 16), f"found content {FILE.id}, wanted {'0' * 16}; restore it"),
        (lambda record: record.update(schema="edgecascade.fitted/2"), r"found 'edgecascade.fitted/2', wanted .*/1"),
        (lambda record: record.pop("schema"), "another schema: found None"),
        (lambda record: record.pop("held_out"), "damaged: held_out"),
        (lambda record: record.update(surprise=1), "damaged: surprise"),
        (lambda record: record.update(epsilon=1.5), "damaged: epsilon"),
        (lambda record: record["head"].update(weights=[1.0, 2.0]), "damaged: head.*1 weights, one for each input"),
        (lambda record: record["head"].update(sha256="xyz"), "damaged: head.sha256"),
        (lambda record: record["identity"].pop("family"), "damaged: identity.family"),
        (lambda record: record["held_out"].update(p=[0.1]), "damaged: held_out: .*p has 1 rows, wanted 2 as in task"),
        (lambda record: record["held_out"].update(cloud=[]), "damaged: held_out: .*cloud has 0 rows, wanted 2"),
        (lambda record: record["held_out"].update(baselines={"b": [1]}), "held_out: .*b has 1 rows, wanted 2"),
        (lambda record: record["held_out"].update(task=[0, 2]), "held_out.task names task 2, wanted one of 2"),
        (lambda record: record["held_out"].update(task=[-1, 0]), "held_out.task names task -1"),
    ],
)
def test_a_file_that_breaks_its_rules_is_refused(path: Path, changed: Callable[[Any], Any], named: str) -> None:
    """Told with the place, and what was found there."""
    change(path, changed)

    with pytest.raises(FittedFileError, match=named):
        read_fitted(path)


@pytest.mark.parametrize(
    ("content", "named"),
    [(b"", "no fitted file"), (b"{", "no fitted file"), (b"\xff\xfe", "no fitted file"), (b"[]", "another schema")],
)
def test_what_is_no_fitted_file_is_refused(path: Path, content: bytes, named: str) -> None:
    """Empty, torn, no text, or another JSON."""
    path.write_bytes(content)

    with pytest.raises(FittedFileError, match=named):
        read_fitted(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(FittedFileError, match=r"none\.json cannot be read"):
        read_fitted(tmp_path / "none.json")


def test_the_users_own_come_before_the_shipped_ones(tmp_path: Path) -> None:
    """Each in the order of their names; the head's file is not listed."""
    folders = Folders.of({"EDGECASCADE_HOME": str(tmp_path)})
    own = [user_fitted(folders, letter * 64) for letter in "ab"]
    for path in own:
        write_fitted(path, FILE, ONNX)

    assert list(fitted_files(folders)) == [*own, *sorted(shipped("calibration/fitted").glob("*.json"))]


@pytest.mark.parametrize("path", sorted(shipped("calibration/fitted").glob("*.json")), ids=lambda path: path.stem)
def test_shipped_files_are_whole(path: Path) -> None:
    """Each can be read, and its head lies beside it."""
    file = read_fitted(path)

    assert file.id == file.digest() and onnx_beside(path).is_file()
