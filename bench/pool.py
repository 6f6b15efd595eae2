"""Policies of a pool on recorded tables, as tables for a page: python bench/pool.py RESULT.json ...

A result is what ``edgecascade evaluate TABLE --policy all --splits 20 --json`` prints. Gains are in points: at equal
cost, and of the area under the cost-quality curve between the cheapest and the dearest model.
"""

import argparse
import json
from pathlib import Path
from typing import Any

HEAD = (
    "| policy | right | $ a thousand | calls | area | on the mix, equal cost | on the mix, area | on threshold, area | "
    "fit, s | decide, µs |"
)
ORDER = (
    "cascade_routing", "routing", "cascading", "mixllm", "selectllm", "smoothie", "smart", "linucb", "knn", "threshold",
    "margin", "random", "constant", "oracle",
)  # fmt: skip


def lines(result: dict[str, Any]) -> list[str]:
    """Return the table of one result; single models below the policies."""
    rows = {**result["baselines"], **result["policies"]}
    names = [name for name in ORDER if name in rows] + [name for name in rows if name not in ORDER]
    known = [name for name in names if rows[name].get("quality") is not None]
    missing = [name for name in names if name not in known]
    table = [HEAD, "|" + " --- |" * (HEAD.count("|") - 1), *(_row(name, rows[name]) for name in known)]
    return table + ([f"\nNot available on this table: {', '.join(missing)}."] if missing else [])


def _row(name: str, one: dict[str, Any]) -> str:
    low, high = one["interval"]
    at_cost, area = one.get("against", {}), one.get("auc_against", {})
    cells = [
        name,
        f"{one['quality']:.1%} ± {(high - low) / 2:.1%}".replace("%", ""),
        f"{1000 * one['cost']:.3f}",
        f"{sum(one['calls'].values()):.2f}",
        "" if one.get("auc") is None else f"{one['auc']:.3f}",
        _gain(at_cost.get("random_mix")),
        _gain(area.get("random_mix")),
        _gain(area.get("threshold")),
        f"{one['fit_seconds']:.2f}" if one["fit_seconds"] else "",
        f"{one['decide_microseconds']:.0f}" if one["decide_microseconds"] else "",
    ]
    return f"| {' | '.join(cells)} |"


def _gain(one: dict[str, Any] | None) -> str:
    """Return a gain in points with its interval; in bold where it is shown."""
    if not one or not one.get("interval"):
        return ""
    low, high = one["interval"]
    text = f"{100 * one['gain']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"**{text}**" if one["verdict"] == "better" else text


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+")
    for path in parser.parse_args().results:
        result = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
        print(
            f"\n{path.stem}: {result['n_train']} questions to fit on, {result['n_test']} to play, {result['splits']} "
        )
        print(
            f"splits, features {result['features']['kind']}; estimates take {result['estimate_seconds']:.1f} s to fit\n"
        )
        print("\n".join(lines(result)))


if __name__ == "__main__":
    main()
