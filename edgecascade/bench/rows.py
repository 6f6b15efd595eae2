"""One figure of a suite with all its samples, as a record that llama-bench's readers can read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Literal, get_args

import numpy as np

from edgecascade.errors import InputError

Unit = Literal["tokens/s", "ms", "J/token", "MiB", "ratio", "°C"]
UNITS: tuple[Unit, ...] = get_args(Unit)
FEWEST = 5
"""Samples for an interval: of fewer, even the whole range holds the median in less than 94 of 100 cases."""
DRAWS = 2000
LEVEL = 95.0
SEED = 0
LARGEST = 1e300
"""Of what can be reckoned with: neither infinity, nor a whole number too long for a float."""

LLAMA_BENCH: Mapping[str, object] = {
    "build_commit": None, "build_number": None, "cpu_info": "", "gpu_info": "", "backends": "", "model_filename": "",
    "model_type": "", "model_size": 0, "model_n_params": 0, "n_batch": 0, "n_ubatch": 0, "n_threads": 0,
    "cpu_mask": "0x0", "cpu_strict": False, "poll": 50, "type_k": "f16", "type_v": "f16", "n_gpu_layers": 0,
    "n_cpu_moe": 0, "split_mode": "layer", "main_gpu": 0, "no_kv_offload": False, "flash_attn": 0, "devices": "auto",
    "tensor_split": "0.00", "tensor_buft_overrides": "none", "use_mmap": True, "load_mode": "auto",
    "embeddings": False, "no_op_offload": 0, "no_host": False, "repack": True, "fit_target": 0, "fit_min_ctx": 0,
    "n_prompt": 0, "n_gen": 0, "n_depth": 0, "test_time": "", "avg_ns": None, "stddev_ns": None, "avg_ts": None,
    "stddev_ts": None, "samples_ns": None, "samples_ts": None,
}  # fmt: skip
"""llama-bench's keys with its defaults; of a setting that we do not offer, the default is what we run with."""
TIMES = ("avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts")
SIZES = ("n_prompt", "n_gen", "n_depth")
OURS = ("profile", "questions", "minutes")
"""Beside llama-bench's keys: the device's profile, what `answer` asked, how long `sustained` was to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one test of one suite found.

    test       unique in its suite; llama-bench's own name ("tg128 @ d49") only for what llama-bench measures too
    samples    in the order in which they were taken; none where ``unknown`` says why
    n_prompt, n_gen, n_depth   tokens read, written, and in memory before
    facts      llama-bench's keys that say what was measured on what
    busy_cores what others used meanwhile     worthless  why the figure means nothing     remarks  what else was noticed
    """

    test: str
    unit: Unit
    samples: tuple[float, ...] = ()
    suite: str = ""
    unknown: str | None = None
    n_prompt: int = 0
    n_gen: int = 0
    n_depth: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    busy_cores: float | None = None
    worthless: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def like_llama_bench(self) -> bool:
        """Whether it is one of llama-bench's own tests."""
        return self.unit == "tokens/s" and self.test == llama_bench_name(self.n_prompt, self.n_gen, self.n_depth)

    def quantile(self, share: float) -> float | None:
        """Return the sample below which this share lies; None without samples."""
        return float(np.quantile(self.samples, share)) if self.samples else None

    def tail(self, percent: int) -> float | None:
        """Return a quantile near the end; None of so few samples that it would be the largest one."""
        return self.quantile(percent / 100) if len(self.samples) * (100 - percent) >= 100 else None

    @property
    def median(self) -> float | None:
        """The middle sample."""
        return self.quantile(0.5)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the median, by bootstrap; None of too few samples."""
        if len(self.samples) < FEWEST:
            return None
        low, high = np.percentile(medians(self.samples), [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
        return float(low), float(high)

    def as_json(self) -> dict[str, Any]:
        """Return the record: llama-bench's keys, then ours."""
        low, high = self.interval or (None, None)
        tokens = {name: getattr(self, name) for name in SIZES}
        return {
            **LLAMA_BENCH, **self.facts, **tokens, **self._times(),
            "suite": self.suite, "test": self.test, "unit": self.unit, "samples": list(self.samples),
            "median": self.median, "p50": self.median, "p95": self.tail(95), "p99": self.tail(99),
            "low": low, "high": high, "busy_cores": self.busy_cores, "unknown": self.unknown,
            "worthless": self.worthless, "remarks": list(self.remarks),
        }  # fmt: skip

    def _times(self) -> dict[str, Any]:
        """Return llama-bench's times and speeds, of tests that it has too.

        Its readers average rows that differ only in our ``test``, and stumble over rows without a speed. A null among
        the keys that they join by, as ``poll`` is one, keeps other rows out of their sight.
        """
        if not self.samples or not self.like_llama_bench:
            return {"poll": None}
        nanoseconds = [(self.n_prompt + self.n_gen) / speed * 1e9 for speed in self.samples]
        return {
            "avg_ns": round(fmean(nanoseconds)), "stddev_ns": round(pstdev(nanoseconds)),
            "avg_ts": fmean(self.samples), "stddev_ts": pstdev(self.samples),
            "samples_ns": [round(value) for value in nanoseconds], "samples_ts": list(self.samples),
        }  # fmt: skip


def llama_bench_name(n_prompt: int, n_gen: int, n_depth: int) -> str:
    """Return what llama-bench calls a test.

    >>> llama_bench_name(512, 0, 0), llama_bench_name(0, 128, 49), llama_bench_name(512, 128, 0)
    ('pp512', 'tg128 @ d49', 'pp512+tg128')
    """
    parts = [f"{name}{tokens}" for name, tokens in (("pp", n_prompt), ("tg", n_gen)) if tokens]
    return "+".join(parts) + (f" @ d{n_depth}" if n_depth else "")


def medians(samples: Sequence[float], seed: int = SEED) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return the medians of as many samples drawn again with replacement, many times, shape (DRAWS,)."""
    drawn = np.random.default_rng(seed).choice(np.asarray(samples, np.float64), (DRAWS, len(samples)))
    return np.asarray(np.median(drawn, axis=1), np.float64)


def row_of(record: Mapping[str, Any], place: str) -> Row:
    """Return the row of a record of ours or of llama-bench; InputError where it is neither."""
    ours = "test" in record
    samples, tokens = record.get("samples" if ours else "samples_ts"), [record.get(name) for name in SIZES]
    unit, test, remarks = record.get("unit", "tokens/s"), record.get("test"), record.get("remarks", [])
    good = [
        ("samples", samples, isinstance(samples, list) and all(map(_is_number, samples)), "a list of numbers"),
        ("n_prompt, n_gen, n_depth", tokens, all(isinstance(one, int) for one in tokens), "whole numbers"),
        ("unit", unit, unit in UNITS, ", ".join(UNITS)),
        ("test", test, not ours or isinstance(test, str), "a text"),
        ("remarks", remarks, isinstance(remarks, list) and all(isinstance(one, str) for one in remarks), "texts"),
        ("unknown", unknown := record.get("unknown"), unknown is None or isinstance(unknown, str), "a text"),
    ]
    for name, found, is_good, wanted in good:
        if not is_good:
            raise InputError(
                f"{place} is no bench result: {name}: found {found!r:.60}, wanted {wanted}; give a file that "
                "`edgecascade bench ... --out` or `llama-bench -o json` wrote"
            )
    n_prompt, n_gen, n_depth = (int(one or 0) for one in tokens)
    return Row(
        suite=str(record.get("suite", "decode")),
        test=str(test or llama_bench_name(n_prompt, n_gen, n_depth)),
        unit=unit,
        samples=tuple(map(float, samples or ())),
        unknown=unknown,
        n_prompt=n_prompt, n_gen=n_gen, n_depth=n_depth,
        facts={key: value for key, value in record.items() if key in {*LLAMA_BENCH, *OURS} - {*TIMES, "poll"}},
        busy_cores=record.get("busy_cores"),
        worthless=_why_worthless(record.get("worthless")),
        remarks=tuple(remarks),
    )  # fmt: skip


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _why_worthless(found: object) -> str | None:
    """Return the reason; results of before there were rows say true without one."""
    return "other processes used the machine" if found is True else str(found) if found else None


def model_of(row: Row) -> str:
    """Return the file name of the model that was measured."""
    return Path(str(row.facts.get("model_filename", "")).replace("\\", "/")).name


def why_worthless(rows: Iterable[Row]) -> str | None:
    """Return the first reason for which figures of these rows mean nothing."""
    return next((row.worthless for row in rows if row.worthless), None)
