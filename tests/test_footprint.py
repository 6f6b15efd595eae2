"""What a model takes of memory, by literal headers, and in truth."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from edgecascade.footprint import (
    LIBRARY_BYTES,
    RESERVE,
    STEP,
    WORD_BYTES,
    Footprint,
    Shape,
    fitting_context,
    footprint,
    reserved,
)

MIB = 1 << 20
SMOLLM = Shape(bytes=98_361_432, cached=30 * 3 * (64 + 64), heads=9, width=576, vocabulary=49_152)
MARGIN = 64 * MIB
"""What a plan may be too much by, with batches of the usual size."""

GROWTH = """
import json, sys
from pathlib import Path
from edgecascade import Question, Sampling, sensors
from edgecascade.llama import native
from edgecascade.llama.engine import Engine
from edgecascade.llama.settings import EngineSettings
from edgecascade.local import footprint_of
from edgecascade.store.gguf import read_gguf

path, settings = Path(sys.argv[1]), EngineSettings(threads=1, use_extra_bufts=False, context=int(sys.argv[2]))
native.load()
before = sensors.own_memory()
with Engine(path, settings) as engine:
    for _ in engine.stream(Question.of("Hello " * 200, sampling=Sampling(max_tokens=2))):
        pass
    grown = sensors.own_memory() - before
print(json.dumps([footprint_of(read_gguf(path), settings).needed(settings.context), grown]))
"""


def taken(shape: Shape = SMOLLM, **options: object) -> Footprint:
    """Return the footprint with the engine's usual settings."""
    usual = {"kv_type": "f16", "batch": 64, "samples": 8, "flash_attention": True}
    return footprint(shape, **(usual | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kv_type", "context", "mebibytes"),
    [("f16", 512, 11.25), ("f16", 4096, 90.0), ("q8_0", 4096, 47.8125), ("f32", 256, 11.25), ("q4_0", 512, 3.1640625)],
)
def test_the_cache_is_what_the_library_says(kv_type: str, context: int, mebibytes: float) -> None:
    """Keys and values of 30 layers with 3 heads of 64: the library's own "KV buffer size" of the default model."""
    found = taken(kv_type=kv_type)

    assert found.per_token * context == mebibytes * MIB


def test_the_rest_is_the_file_the_tables_and_the_results() -> None:
    """The literal rule: file, vocabulary's tables, a row of results for each token of a batch and each sample."""
    rows = 64 * (49_152 + 4 * 576) + 8 * (49_152 + 576)

    assert taken().fixed == 98_361_432 + LIBRARY_BYTES + WORD_BYTES * 49_152 + 4 * rows


@pytest.mark.parametrize("context", [512, 4096])
def test_a_plan_is_never_too_low(model_path: Path, context: int) -> None:
    """A process that opens the real model and answers grows by less than was planned, and by at most 64 MiB less."""
    command = [sys.executable, "-c", GROWTH, str(model_path), str(context)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    planned, grown = json.loads(done.stdout)
    assert 0 <= planned - grown <= MARGIN


def test_more_of_anything_takes_more() -> None:
    """A longer context, a wider type, larger batches and separate attention never take less."""
    grown = [
        taken(kv_type="q4_0"),
        taken(kv_type="q8_0"),
        taken(),
        taken(batch=256),
        taken(batch=256, flash_attention=False),
    ]

    needed = [plan.needed(context) for plan in grown for context in (256, 4096)]
    assert all(one.needed(4096) <= other.needed(4096) for one, other in pairwise(grown))
    assert all(short < long for short, long in zip(needed[::2], needed[1::2], strict=True))


def test_what_lies_on_a_gpu_does_not_count() -> None:
    """All layers away leave the tables; half of them half of the weights and of the cache."""
    none, half, whole = (taken(on_gpu=share) for share in (0.0, 0.5, 1.0))

    assert whole.per_token == 0 and whole.fixed == none.fixed - SMOLLM.bytes
    assert half.per_token == none.per_token / 2 and none.fixed - half.fixed == SMOLLM.bytes / 2


def test_the_wanted_context_where_there_is_room() -> None:
    """Whatever was wanted is kept to the token when it fits, with the reserve left free, and not a byte earlier."""
    plan, wanted = taken(), 1000
    enough = plan.needed(wanted) + RESERVE

    assert fitting_context(plan, wanted, enough) == wanted
    assert fitting_context(plan, wanted, enough - 1) == 768


def test_a_context_is_shortened_to_the_longest_that_fits() -> None:
    """By brute force: the largest multiple of 256, from 512 on, that leaves the reserve free; else none."""
    plan, wanted = Footprint(100 * MIB, 50_000.0), 4096
    for free in range(100 * MIB, 500 * MIB, 3 * MIB + 7):
        room = free - reserved(free)
        fitting = [context for context in range(2 * STEP, wanted + 1, STEP) if plan.needed(context) <= room]

        assert fitting_context(plan, wanted, free) == max(fitting, default=None)


def test_a_short_wish_is_never_made_longer() -> None:
    """Whoever wants 100 tokens gets them or nothing."""
    plan = taken()

    assert fitting_context(plan, 100, plan.needed(100) + RESERVE) == 100
    assert fitting_context(plan, 100, plan.needed(100) + RESERVE - 1) is None


def test_the_reserve_grows_with_what_is_free() -> None:
    """64 MiB are left on a small device, a twentieth on a large one."""
    assert [reserved(free) for free in (100 * MIB, 2000 * MIB)] == [64 * MIB, 100 * MIB]
