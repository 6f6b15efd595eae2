"""How long `edgecascade --help` takes, as a whole process, beside an empty Python: python bench/startup.py"""

import json
import subprocess
import sys
import time
from statistics import median

RUNS = 25
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
    "edgecascade --help": [sys.executable, "-m", "edgecascade", "--help"],
}


def seconds(command: list[str]) -> float:
    """Return the wall time of one run."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Run all in turn, after one warm-up each, and print the medians."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(RUNS + 1):
        for name, command in COMMANDS.items():
            took = seconds(command)
            if number:
                times[name].append(took)
    medians = {name: round(median(values) * 1000, 1) for name, values in times.items()}
    for name, milliseconds in medians.items():
        print(f"{milliseconds:8.1f} ms  {name}")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
