"""Rows as CSV, JSON lines or Parquet. Parquet needs pyarrow, which is not brought along."""

import csv
import importlib
import io
import json
from collections.abc import Iterable
from typing import Any, BinaryIO, Literal

from edgecascade.errors import LibraryMissingError
from edgecascade.store.ledger.rows import COLUMNS, Table

Form = Literal["csv", "jsonl", "parquet"]
Pages = Iterable[list[dict[str, Any]]]


def write(form: Form, table: Table, pages: Pages, out: BinaryIO) -> int:
    """Write the rows of all pages, and return how many; LibraryMissingError where pyarrow is wanted and missing."""
    return {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[form](table, pages, out)


def _csv(table: Table, pages: Pages, out: BinaryIO) -> int:
    out.write((",".join(COLUMNS[table]) + "\n").encode())
    count = 0
    for rows in pages:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([*(row | {"kinds": " ".join(row["kinds"])}).values()] for row in rows)
        out.write(text.getvalue().encode())
        count += len(rows)
    return count


def _jsonl(table: Table, pages: Pages, out: BinaryIO) -> int:
    count = 0
    for rows in pages:
        out.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
        count += len(rows)
    return count


def _parquet(table: Table, pages: Pages, out: BinaryIO) -> int:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise LibraryMissingError(
            "Parquet cannot be written: found no pyarrow, wanted it installed; run `pip install pyarrow`, or take jsonl"
        ) from error
    types = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64(), tuple: arrow.list_(arrow.string())}
    schema = arrow.schema([(name, types.get(kind, arrow.string())) for name, kind in COLUMNS[table].items()])
    count = 0
    with parquet.ParquetWriter(out, schema) as writer:
        for rows in pages:
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count
