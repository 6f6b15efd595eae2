"""What a model takes of this device's memory, worked out from its header before anything is loaded.

    fixed      the weights' file, which stays in memory while answers are written, whether it is mapped or read; one
               row of results for each token of a batch and for each sample; the tables of the vocabulary
    per_token  the key-value cache: one key and one value of each layer and head of it, in the cache's type

Measured with llama-cpp-python 0.3.36 on a processor, three models (135M, 0.5B, 1.5B) and contexts of 512 and 4096: the
cache is exact to the byte, and the whole is 28 to 60 MiB more than a process grew by, never less. Most of that are the
results of a batch, which the library reserves and seldom touches; with batches of 512 it is 114 MiB (135M).

Left out: that a sliding window could be stored shorter (the engine keeps all of it, to go back), the state of recurrent
layers (some MiB), and weights that are repacked for a processor, which are held twice until the mapped file's pages are
dropped for them. What lies on a GPU of its own does not count; whether it fits there is unknown.
"""

from dataclasses import dataclass

LIBRARY_BYTES = 24 << 20
"""The library's and our own code and graphs, once a model is loaded."""
WORD_BYTES = 320
"""The library's and our own tables, a token of the vocabulary."""
VALUE_BYTES = {"f32": 4.0, "f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes a value of the cache, by its type."""
STEP, SHORTEST = 256, 512
"""The library rounds a context up to whole steps; below the shortest a conversation is not worth opening."""
RESERVE, RESERVED_SHARE = 64 << 20, 0.05
"""What is left to others: so many bytes, or this share of what is free where that is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a header says of a model's size; 0 where it is silent.

    bytes  of the file          cached      values that a token leaves in the cache, over all layers
    heads  that attend          width       of the embedding             vocabulary  tokens
    """

    bytes: int
    cached: int = 0
    heads: int = 0
    width: int = 0
    vocabulary: int = 0


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of main memory: ``fixed``, and ``per_token`` of the context.

    >>> Footprint(1000, 2).needed(300)
    2024
    """

    fixed: int
    per_token: float

    def needed(self, context: int) -> int:
        """Return the bytes that a context of so many tokens takes, the model among them."""
        return self.fixed + int(-(-context // STEP) * STEP * self.per_token)


def footprint(
    shape: Shape, *, kv_type: str, batch: int, samples: int, flash_attention: bool, on_gpu: float = 0.0
) -> Footprint:
    """Return what a model takes.

    batch    tokens that are read at once         samples  answers that are written side by side
    on_gpu   share of the layers, 0 to 1, that lie in a GPU's own memory, with their part of the cache
    """
    rows = batch * (shape.vocabulary + 4 * shape.width) + samples * (shape.vocabulary + shape.width)
    tables = LIBRARY_BYTES + WORD_BYTES * shape.vocabulary + 4 * rows
    attention = 0 if flash_attention else 4 * batch * shape.heads
    here = 1 - on_gpu
    return Footprint(tables + int(here * shape.bytes), here * VALUE_BYTES[kv_type] * shape.cached + attention)


def fitting_context(taken: Footprint, wanted: int, free: int) -> int | None:
    """Return the wanted context where it fits into the free bytes, else the longest that does; None where none does.

    The longest is a whole multiple of 256, and at least 512; ``RESERVE`` is left free.

    >>> fitting_context(Footprint(200 << 20, 1 << 16), 4096, free=400 << 20)
    2048
    """
    room = free - reserved(free)
    if taken.needed(wanted) <= room:
        return wanted
    steps = int((room - taken.fixed) / (taken.per_token * STEP)) if taken.per_token else 0
    longest = min(steps, wanted // STEP) * STEP
    return longest if longest >= SHORTEST else None


def reserved(free: int) -> int:
    """Return the bytes that are left to others of so many that are free."""
    return max(RESERVE, int(free * RESERVED_SHARE))
