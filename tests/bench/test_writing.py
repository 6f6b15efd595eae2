"""Rows in four forms, and what is refused when an earlier run is read."""

import csv
import io
import json
from pathlib import Path

import pytest

from edgecascade.bench.against import compare
from edgecascade.bench.rows import Row
from edgecascade.bench.writing import FORMATS, HEADS, as_markdown, read_rows, verdicts_as_markdown, write_rows
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
    """The reason stands below the figures, once."""
    busy = [Row(test=name, unit="ms", samples=(1.0,), worthless="others computed") for name in "ab"]

    assert as_markdown(busy).count("worthless: others computed") == 1


def test_verdicts_have_a_line_each() -> None:
    """Ratio, interval and verdict, or the reason why there is none."""
    page = verdicts_as_markdown(compare(ROWS, ROWS), Path("then.json"))

    assert page.startswith("against then.json")
    assert "| decode: tg8 | 1.000 |" in page
    assert "not comparable: this run: no meter" in page


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "[1]", '"x"', "{}", '{"a": 1}\nnonsense', "\x00"])
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
