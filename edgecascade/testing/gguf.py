"""A model file of a few hundred bytes, and the identity of a model that does not exist."""

import struct
from collections.abc import Mapping, Sequence

from edgecascade.identity import Identity, sampler_of
from edgecascade.records import Sampling

Value = str | int | float | Sequence[str] | Sequence[int]

TINY_IDENTITY = Identity(
    model="Tiny.Q4_K_M",
    sha256="a" * 64,
    family="Tiny 0123456789abcdef",
    quantisation="Q4_K_M",
    template="0123456789abcdef",
    sampler=sampler_of(Sampling()),
    grammar=False,
    library="llama-cpp-python 0.3.36",
    backend="cpu",
    chunk=64,
    sequences=8,
    context=2048,
    kv_type="f16",
    flash_attention="auto",
    use_extra_bufts=True,
)
"""Of a model that does not exist, for fitted files and attempts of one's own making."""


def gguf_bytes(metadata: Mapping[str, Value] | None = None, *, weights: int = 64) -> bytes:
    """Return a valid GGUF of one F32 tensor: a small llama's header, with ``metadata`` on top, and no sense.

    >>> gguf_bytes()[:4]
    b'GGUF'
    """
    fields: dict[str, Value] = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 0,
        "general.license": "mit",
        "llama.context_length": 128,
        "llama.embedding_length": 8,
        "llama.block_count": 2,
        "tokenizer.ggml.tokens": ("<s>", "</s>", "a"),
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.chat_template": "{{ messages[0].content }}",
        **(metadata or {}),
    }
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(fields))
    header += b"".join(_packed(key) + _typed(value) for key, value in fields.items())
    header += _packed("token_embd.weight") + struct.pack("<IQIQ", 1, weights, 0, 0)
    return header + bytes(-len(header) % 32) + bytes(4 * weights)


def _packed(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(value: Value) -> bytes:
    """Return a value behind the number of its type."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + _packed(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if all(isinstance(part, int) for part in value):
        return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_packed(str(part)) for part in value)
