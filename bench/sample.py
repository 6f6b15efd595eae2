"""The question sample of ``estimate.py``: python bench/sample.py EDGE_TABLE.jsonl MMLU_GPT4.jsonl --out sample.jsonl

Two published tables of recorded results become one question file with one cloud column, "cloud": nemotron-51b beside
the first (LLMRouter's example table), GPT-4 beside the second (RouteLLM's responses). Seeded: the same each time.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

SEED = 20261121
FROM_EDGE = {
    "arc_challenge": 170,
    "openbook_qa": 170,
    "commonsense_qa": 170,
    "mmlu": 120,
    "gsm8k": 230,
    "trivia_qa": 230,
}
FROM_MMLU = 520
CLOUDS = ("llama-3.1-nemotron-51b-instruct", "gpt-4-1106-preview")

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """Return a table's rows by id."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda row: str(row["id"]))


def drawn(edge: list[Row], mmlu: list[Row]) -> list[Row]:
    """Return the sample in its random order, without ids that stand for several questions."""
    random = Random(SEED)
    rows: list[Row] = []
    for task, count in FROM_EDGE.items():
        own = [row for row in edge if row["task"] == task]
        random.shuffle(own)
        rows += [beside(row, CLOUDS[0]) for row in own[:count]]
    asked = list(mmlu)
    random.shuffle(asked)
    rows += [beside(row, CLOUDS[1]) for row in asked[:FROM_MMLU]]
    random.shuffle(rows)
    times = Counter(row["id"] for row in [*edge, *mmlu])
    return [row for row in rows if times[row["id"]] == 1]


def beside(row: Row, cloud: str) -> Row:
    """Return a row with one cloud's score."""
    return {name: value for name, value in row.items() if value is not None} | {
        "scores": {"cloud": row["scores"][cloud]}
    }


def main() -> None:
    """Write the sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("edge", type=Path)
    parser.add_argument("mmlu", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = drawn(read(given.edge), read(given.mmlu))
    given.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} questions in {given.out}")


if __name__ == "__main__":
    main()
