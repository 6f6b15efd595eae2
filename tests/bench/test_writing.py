"""Rows in four forms, and what is refused when an earlier run is read."""

import csv
import io
import json
from pathlib import Path

import pytest

from edgecascade.bench.against import compare
from edgecascade.bench.rows import Row
from edgecascade.bench.writing import (
    FORMATS,
    HEADS,
    as_markdown,
    check_writable,
    one_line,
    read_rows,
    verdicts_as_markdown,
    write_rows,
)
from edgecascade.errors import InputError

FACTS = {"model_filename": "tiny.gguf", "model_type": "llama Q4", "model_size": 2**20, "model_n_params": 2_000_000}
ROWS = [
    Row(suite="decode", test="tg8", unit="tokens/s", samples=(5.0, 6.0, 7.0, 8.0, 9.0), n_gen=8, facts=FACTS),
    Row(suite="energy", test="energy", unit="J/token", unknown="no meter", facts=FACTS, remarks=("hot",)),
]


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows"])
def test_what_was_written_is_read_again(tmp_path: Path, name: str) -> None:
    """JSON and JSON lines give the same rows back; a name without an ending is JSON."""
    write_rows(tmp_path / name, ROWS)

    again = read_rows(tmp_path / name)

    assert [row.as_json() for row in again] == [row.as_json() for row in ROWS]


def test_csv_has_the_same_columns() -> None:
    """One column a key, and as many lines as rows."""
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](ROWS))))

    assert [line["test"] for line in lines] == ["tg8", "energy"]
    assert set(lines[0]) >= set(ROWS[0].as_json())
    assert json.loads(lines[0]["samples_ts"]) == [5.0, 6.0, 7.0, 8.0, 9.0]


def test_markdown_is_llama_benchs_table_with_ours() -> None:
    """Its columns first; a figure that is unknown says why; remarks stand below."""
    head, _, speed, energy, _, note = as_markdown(ROWS).splitlines()

    assert [cell.strip() for cell in head.strip("|").split("|")] == list(HEADS)
    assert "| llama Q4 | 1.00 MiB | 2.00 M |" in speed
    assert "7.00 ± 1.41" in speed
    assert "unknown: no meter" in energy
    assert note == "note: hot"


def test_a_worthless_run_is_called_so_in_its_table() -> None:
    """The reason stands below the figures, once, and no ratio among them."""
    busy = [Row(test=unit, unit=unit, samples=(0.75,) * 5, worthless="others computed") for unit in ("ms", "ratio")]

    page = as_markdown(busy)

    assert page.count("worthless: others computed") == 1
    assert "0.75 ms" in page and "0.75 x" not in page


def test_verdicts_have_a_line_each() -> None:
    """Ratio, interval and verdict, or the reason why there is none."""
    page = verdicts_as_markdown(compare(ROWS, ROWS), Path("then.json"))

    assert page.startswith("against then.json")
    assert "| decode: tg8 | 1.000 |" in page
    assert "not comparable: this run: no meter" in page


def test_one_reason_for_all_is_told_once() -> None:
    """A worthless run is compared with nothing, in one line."""
    busy = [Row(suite="a", test=name, unit="ms", worthless="others computed") for name in "xyz"]

    page = verdicts_as_markdown(compare(busy, ROWS + busy), Path("then.json"))

    assert page == "against then.json: not comparable: this run is worthless: others computed"


def test_csv_has_every_rows_keys() -> None:
    """A suite may say more of its rows than the first suite did."""
    asked = Row(suite="answer", test="t", unit="ms", facts={"questions": "30"})

    *_, last = csv.DictReader(io.StringIO(FORMATS["csv"]([*ROWS, asked])))

    assert last["questions"] == "30"


def test_a_line_for_programs_is_one_line_of_json() -> None:
    """Rows, verdicts, and why they mean nothing."""
    record = json.loads(one_line(ROWS, compare(ROWS, ROWS)))

    assert record["worthless"] is None and len(record["rows"]) == len(record["against"]) == 2
    assert "\n" not in one_line(ROWS, [])


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "[1]", '"x"', "{}", '{"a": 1}\nnonsense', "\x00", "[" * 100_000]
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    """The file is named, and what would be one."""
    path = tmp_path / "then.json"
    path.write_text(text)

    with pytest.raises(InputError, match=r"then\.json.* no bench result.*llama-bench -o json"):
        read_rows(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Even a file that cannot be decoded is bad input."""
    path = tmp_path / "then.json"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match="cannot be read"):
        read_rows(path)


def test_a_file_that_could_not_be_written_is_refused(tmp_path: Path) -> None:
    """Below a file, a folder, with another ending, or in the place of one that is read: told with its option."""
    (there := tmp_path / "then.json").write_text("[]")

    for path, options, said in (
        (there / "rows.json", {}, "no right to write"),
        (tmp_path / "plot.png", {"suffixes": [".svg"]}, "wanted .svg"),
        (Path(), {}, "a folder"),
        (there, {"unlike": [None, there]}, "written over"),
    ):
        with pytest.raises(InputError, match=f"cannot be written: found .*{said}.*; choose another --out"):
            check_writable("--out", path, **options)  # type: ignore[arg-type]
    check_writable("--out", tmp_path / "new" / "rows.json", unlike=[there])


@pytest.mark.parametrize(
    ("many", "p95", "p99"), [(19, False, False), (20, True, False), (99, True, False), (100, True, True)]
)
def test_the_end_of_few_samples_is_not_told(many: int, p95: bool, p99: bool) -> None:
    """Below 100 samples the 99th of 100 would be the slowest of all, below 20 the 95th: both are empty then."""
    row = Row(suite="answer", test="t", unit="ms", samples=tuple(map(float, range(1, many + 1))))
    record, line = row.as_json(), as_markdown([row]).splitlines()[2]
    cells = [cell.strip() for cell in line.split("|")[-3:-1]]

    assert ([record["p95"] is not None, record["p99"] is not None]) == [p95, p99]
    assert [cell != "" for cell in cells] == [p95, p99]


def test_without_fixed_work_the_table_says_what_is_missing() -> None:
    """Verdicts against a run of before there was any are given, with a line below them."""
    work = Row(suite="decode", test="fixed work", unit="ms", samples=(9.0, 10.0, 10.0, 10.0, 11.0), facts=FACTS)
    alone, both = ([*ROWS], [*ROWS, work])

    without, beside = (verdicts_as_markdown(compare(both, then), Path("then.json")) for then in (alone, both))

    assert without.endswith("no control row in the earlier run: what the machine itself changed is not taken off")
    assert "no control row" not in beside
