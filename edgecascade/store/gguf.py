"""What a GGUF file says about itself, read from its header alone.

The format: ggml-org/ggml, docs/gguf.md, versions 2 and 3, little-endian.
Different from a full reader: arrays are measured and skipped, but for those of one number a layer, and no tensor is
touched. So a header with 50 000 tokens takes milliseconds, and hostile bytes cost an error rather than memory.
"""

import mmap
import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgecascade.errors import ModelFileError

Scalar = str | int | float | bool
T = TypeVar("T", str, int)

_HEADER_LIMIT = 256 << 20  # the largest header in use is below 20 MB; beyond this the lengths are not to be believed
_TEXT, _ARRAY = 8, 9
_MOST_LAYERS = 1024
_KINDS = zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True)
_SCALARS = {kind: struct.Struct("<" + letter) for kind, letter in _KINDS}
_WHOLE = (4, 5, 10, 11)
_U32, _U64 = _SCALARS[4], _SCALARS[10]

# type number -> (name, weights a block, bytes a block); a type that is not here is not measured
_TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip

# general.file_type -> the label that people know
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip

_STRANGERS = (
    (b"<", "it looks like a web page: a login or error page was saved in its place"),
    (b"version https://git-lfs", "it is a git-lfs pointer: the repository was cloned without its large files"),
    (b"PK\x03\x04", "it is a zip archive"),
    (b"ggjt", "it is in the format that preceded GGUF"),
)


@dataclass(frozen=True, slots=True)
class Gguf:
    """A model file's own description; None where it is silent.

    parameters    weights over all tensors         context     tokens it was trained to see
    width         of the embedding                 vocabulary  tokens it knows
    heads         that attend, at most a layer     cached      values that a token leaves in the key-value cache
    bos, eos      token ids                        metadata    the raw scalars, arrays left out
    """

    path: Path
    version: int
    bytes: int
    architecture: str | None
    name: str | None
    parameters: int
    quantisation: str
    context: int | None
    width: int | None
    layers: int | None
    vocabulary: int | None
    heads: int | None
    cached: int | None
    chat_template: str | None
    licence: str | None
    bos: int | None
    eos: int | None
    metadata: Mapping[str, Scalar]


def read_gguf(path: Path) -> Gguf:
    """Return the description in a file's header; raise ModelFileError where it is not a whole, single GGUF."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            _require_magic(path, file.read(64))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
                return _read(path, size, _Cursor(buffer, min(size, _HEADER_LIMIT)))
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}; wanted a GGUF file") from error
    except (struct.error, EOFError) as error:
        raise ModelFileError(
            f"{path} has a truncated or damaged header: found {size:,} bytes, wanted more to finish it; "
            "fetch the file again"
        ) from error


class _Cursor:
    """A place in the header that never moves past its end."""

    __slots__ = ("buffer", "end", "position")

    def __init__(self, buffer: mmap.mmap, end: int) -> None:
        self.buffer, self.end, self.position = buffer, end, 4

    def number(self, form: struct.Struct = _U32) -> int:
        value: int = form.unpack_from(self.buffer, self.position)[0]
        self.skip(form.size)
        return value

    def skip(self, count: int) -> None:
        if count > self.end - self.position:
            raise EOFError
        self.position += count

    def room_for(self, count: int, least: int) -> int:
        """Return ``count`` if that many things of at least ``least`` bytes can still follow."""
        if count * least > self.end - self.position:
            raise EOFError
        return count

    def text(self) -> str:
        length = self.number(_U64)
        start = self.position
        self.skip(length)
        return self.buffer[start : self.position].decode("utf-8", "replace")

    def skip_texts(self, count: int) -> None:
        buffer, end, position, unpack = self.buffer, self.end, self.position, _U64.unpack_from
        for _ in range(self.room_for(count, 8)):
            position += 8 + unpack(buffer, position)[0]
            if position > end:
                raise EOFError
        self.position = position


def _read(path: Path, size: int, cursor: _Cursor) -> Gguf:
    version = cursor.number()
    if version not in (2, 3):
        note = "" if version & 0xFFFF else " (big-endian, for another kind of processor)"
        raise ModelFileError(f"{path} is a GGUF of version {version}{note}; wanted 2 or 3; fetch or convert it anew")
    tensors, pairs = cursor.number(_U64), cursor.number(_U64)
    scalars, lengths, layered = _metadata(path, cursor, pairs)
    _refuse_part(path, scalars)
    weights, data_bytes = _tensors(path, cursor, tensors)
    alignment = scalars.get("general.alignment", 32)
    if type(alignment) is not int or alignment <= 0 or alignment & (alignment - 1):
        raise ModelFileError(f"{path} has general.alignment {alignment!r}; wanted a power of two; fetch the file again")
    wanted = (cursor.position + -cursor.position % alignment + data_bytes) if data_bytes else cursor.position
    if wanted > size:
        raise ModelFileError(
            f"{path} is cut off: found {size:,} bytes, wanted {wanted:,} for its last tensor; fetch the file again"
        )
    architecture = _as(str, scalars.get("general.architecture"))
    heads, cached = _attention(scalars, layered, architecture)
    label = _FILE_TYPES.get((_as(int, scalars.get("general.file_type")) or 0) & ~1024)  # 1024: "guessed"
    if "general.file_type" not in scalars or label is None:
        label = weights.most_common(1)[0][0] if weights else "unknown"
    return Gguf(
        path=path,
        version=version,
        bytes=size,
        architecture=architecture,
        name=_as(str, scalars.get("general.name")),
        parameters=weights.total(),
        quantisation=label,
        context=_as(int, scalars.get(f"{architecture}.context_length")),
        width=_as(int, scalars.get(f"{architecture}.embedding_length")),
        layers=_as(int, scalars.get(f"{architecture}.block_count")),
        vocabulary=lengths.get("tokenizer.ggml.tokens", _as(int, scalars.get(f"{architecture}.vocab_size"))),
        heads=heads,
        cached=cached,
        chat_template=_as(str, scalars.get("tokenizer.chat_template")),
        licence=_as(str, scalars.get("general.license")),
        bos=_as(int, scalars.get("tokenizer.ggml.bos_token_id")),
        eos=_as(int, scalars.get("tokenizer.ggml.eos_token_id")),
        metadata=scalars,
    )


def _attention(
    scalars: Mapping[str, Scalar], layered: Mapping[str, tuple[int, ...]], architecture: str | None
) -> tuple[int | None, int | None]:
    """Return the most heads of a layer, and the values that a token leaves in the cache of all layers.

    As llama.cpp reads it: a cache without heads of its own has one for each that attends, and a head without a length
    of its own shares the width with the others. Nothing is cached where nothing attends.
    """

    def number(key: str) -> int | None:
        return _as(int, scalars.get(f"{architecture}.{key}"))

    layers, width = number("block_count"), number("embedding_length")
    if layers is None or width is None or not 0 <= layers <= _MOST_LAYERS:
        return None, None
    heads = layered.get(f"{architecture}.attention.head_count") or (number("attention.head_count") or 0,) * layers
    alike = number("attention.head_count_kv")
    kept = layered.get(f"{architecture}.attention.head_count_kv") or (heads if alike is None else (alike,) * layers)
    most = max(heads, default=0)
    head = width // most if most else 0
    lengths = [number(f"attention.{name}_length") for name in ("key", "value")]
    return most, max(0, sum(kept) * sum(head if length is None else length for length in lengths))


def _metadata(
    path: Path, cursor: _Cursor, pairs: int
) -> tuple[dict[str, Scalar], dict[str, int], dict[str, tuple[int, ...]]]:
    """Return the scalars, the lengths of the arrays, which are skipped, and those that count a layer's heads."""
    scalars: dict[str, Scalar] = {}
    lengths: dict[str, int] = {}
    layered: dict[str, tuple[int, ...]] = {}
    for _ in range(cursor.room_for(pairs, 13)):
        key, kind = cursor.text(), cursor.number()
        if kind == _TEXT:
            scalars[key] = cursor.text()
        elif kind in _SCALARS:
            scalars[key] = cursor.number(_SCALARS[kind])
        elif kind == _ARRAY:
            kind, count = cursor.number(), cursor.number(_U64)
            if kind == _TEXT:
                cursor.skip_texts(count)
            elif ".attention.head_count" in key and kind in _WHOLE and count <= _MOST_LAYERS:
                layered[key] = tuple(cursor.number(_SCALARS[kind]) for _ in range(count))
            else:
                cursor.skip(count * _known(path, key, kind).size)
            lengths[key] = count
        else:
            _known(path, key, kind)
    return scalars, lengths, layered


def _known(path: Path, key: str, kind: int) -> struct.Struct:
    if kind not in _SCALARS:
        raise ModelFileError(
            f"{path} has a value of unknown type {kind} under {key[:80]!r}; wanted 0 to 12; fetch the file again"
        )
    return _SCALARS[kind]


def _tensors(path: Path, cursor: _Cursor, tensors: int) -> tuple[Counter[str], int]:
    """Return the weights by type name, and where the data of the last tensor ends."""
    weights: Counter[str] = Counter()
    end = 0
    for _ in range(cursor.room_for(tensors, 24)):
        cursor.skip(cursor.number(_U64))
        dimensions, count = cursor.number(), 1
        if dimensions > 4:
            raise ModelFileError(f"{path} has a tensor of {dimensions} dimensions; wanted at most 4; fetch it again")
        for _ in range(dimensions):
            count *= cursor.number(_U64)
        name, block, block_bytes = _TENSOR_TYPES.get(kind := cursor.number(), (f"type {kind}", 1, 0))
        weights[name] += count
        end = max(end, cursor.number(_U64) + -(-count // block) * block_bytes)
    return weights, end


def _require_magic(path: Path, start: bytes) -> None:
    if start.startswith(b"GGUF"):
        return
    found = f"its first bytes are {start[:4]!r}" if start else "it is empty"
    why = next((why for mark, why in _STRANGERS if start.lstrip().startswith(mark)), "")
    raise ModelFileError(f"{path} is not a GGUF model: {found}, wanted b'GGUF'; {why or 'give a .gguf file'}")


def _refuse_part(path: Path, scalars: Mapping[str, Scalar]) -> None:
    count = _as(int, scalars.get("split.count")) or 0
    if (named := re.search(r"-(\d{5})-of-(\d{5})\.gguf$", path.name)) or count > 1:
        part = f"part {int(named[1])} of {int(named[2])}" if named else f"one of {count} parts"
        raise ModelFileError(
            f"{path} is {part} of a split model; wanted the whole in one file; "
            "join the parts with `llama-gguf-split --merge`, or take another file"
        )


def _as(kind: type[T], value: Scalar | None) -> T | None:
    """Return the value if it is of that kind; a header may hold anything under any key."""
    return value if type(value) is kind else None
