"""Tiny models with random weights, written here: a real file, a real architecture, and no sense.

Their vocabulary is the 256 bytes, a space and a few control tokens. Only printable characters are ever likely, so an
answer is readable, ends at its limit, and reads back as the tokens that wrote it.
"""

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecascade.llama.engine import Engine
from edgecascade.llama.settings import EngineSettings

WIDTH, LAYERS, HEADS, FEED, CONTEXT, WINDOW = 64, 2, 4, 96, 1024, 16
UNKNOWN, BOS, EOS, SPACE = 0, 1, 2, 259
NORMAL, UNKNOWN_KIND, CONTROL, BYTE = 1, 2, 3, 6
ALIGNMENT = 32

Tensors = dict[str, NDArray[np.float32]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """Return the writer: architecture, name=, template=, controls= (further control tokens), metadata=."""

    def write(architecture: str = "llama", *, name: str = "", **options: Any) -> Path:
        path = tmp_path / f"{name or architecture}.gguf"
        path.write_bytes(_model(architecture, **options))
        return path

    return write


@pytest.fixture
def open_tiny() -> Callable[..., Engine]:
    """Return what opens a tiny model in chunks of 32 tokens, so that a short talk spans several."""

    def open_engine(path: Path, **settings: Any) -> Engine:
        return Engine(path, EngineSettings(**{"chunk": 32, "context": CONTEXT, "template": "plain", **settings}))

    return open_engine


@pytest.fixture
def run_cli(tmp_path: Path) -> Run:
    """Return what runs ``edgecascade`` in a child process with a home of its own, off the network."""
    (folder := tmp_path / "cwd").mkdir()
    ours = ("EDGECASCADE_", "LLAMA_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    home = {"EDGECASCADE_HOME": str(tmp_path / "home"), "EDGECASCADE_OFFLINE": "1"}

    def run(
        *arguments: object, environment: Mapping[str, str] | None = None, python: tuple[str, ...] = (sys.executable,)
    ) -> subprocess.CompletedProcess[str]:
        allow_core = ("sh", "-c", 'ulimit -c "$(ulimit -H -c)"; exec "$@"', "sh")
        return subprocess.run(
            [*allow_core, *python, "-m", "edgecascade", *map(str, arguments)],
            env=plain | home | dict(environment or {}),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _model(
    architecture: str,
    *,
    template: str | None = None,
    controls: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> bytes:
    """Return a whole model file."""
    names, kinds = _vocabulary(controls)
    fields = {
        "general.architecture": architecture,
        f"{architecture}.context_length": CONTEXT,
        f"{architecture}.embedding_length": WIDTH,
        f"{architecture}.block_count": LAYERS,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        **{f"{architecture}.{key}": value for key, value in _SHAPES[architecture].items()},
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": names,
        "tokenizer.ggml.scores": [0.0] * len(names),
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": BOS,
        "tokenizer.ggml.eos_token_id": EOS,
        "tokenizer.ggml.unknown_token_id": UNKNOWN,
        "tokenizer.ggml.add_space_prefix": False,
        **({"tokenizer.chat_template": template} if template else {}),
        **(metadata or {}),
    }
    random = np.random.default_rng(seed)
    layer = _mamba_layer if architecture == "mamba" else _attention_layer
    tensors: Tensors = {"token_embd.weight": _weights(random, len(names), WIDTH), "output_norm.weight": _norm(WIDTH)}
    tensors["output.weight"] = _likely_only(_weights(random, len(names), WIDTH))
    for number in range(LAYERS):
        own = layer(random) | (_gemma_norms() if architecture == "gemma3" else {})
        tensors |= {f"blk.{number}.{name}": tensor for name, tensor in own.items()}
    return _gguf(fields, tensors)


_ATTENTION = {
    "feed_forward_length": FEED,
    "attention.head_count": HEADS,
    "attention.head_count_kv": HEADS,
    "attention.key_length": WIDTH // HEADS,
    "attention.value_length": WIDTH // HEADS,
}
_SHAPES: dict[str, dict[str, Any]] = {
    "llama": {**_ATTENTION, "rope.dimension_count": WIDTH // HEADS},
    "gemma3": {**_ATTENTION, "attention.sliding_window": WINDOW, "attention.sliding_window_pattern": 2},
    "mamba": {
        "feed_forward_length": 0,
        "attention.head_count": 0,
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 2 * WIDTH,
        "ssm.state_size": 16,
        "ssm.time_step_rank": 8,
    },
}


def _vocabulary(controls: tuple[str, ...]) -> tuple[list[str], list[int]]:
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\N{LOWER ONE EIGHTH BLOCK}"]
    kinds = [UNKNOWN_KIND, CONTROL, CONTROL, *[BYTE] * 256, NORMAL]
    return [*names, *controls], kinds + [CONTROL] * len(controls)


def _likely_only(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the output weights with a logit of 0 for all but printable characters."""
    likely = [byte + 3 for byte in range(0x21, 0x7F)] + [SPACE]
    kept = np.zeros_like(output)
    kept[likely] = output[likely]
    return kept


def _attention_layer(random: np.random.Generator) -> Tensors:
    square = {f"attn_{name}.weight": _weights(random, WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
    wide = {f"ffn_{name}.weight": _weights(random, FEED, WIDTH) for name in ("gate", "up")}
    norms = {"attn_norm.weight": _norm(WIDTH), "ffn_norm.weight": _norm(WIDTH)}
    return square | wide | norms | {"ffn_down.weight": _weights(random, WIDTH, FEED)}


def _gemma_norms() -> Tensors:
    head, whole = ("attn_q_norm", "attn_k_norm"), ("post_attention_norm", "post_ffw_norm")
    return {f"{name}.weight": _norm(WIDTH // HEADS) for name in head} | {
        f"{name}.weight": _norm(WIDTH) for name in whole
    }


def _mamba_layer(random: np.random.Generator) -> Tensors:
    shape = _SHAPES["mamba"]
    inner, state, rank = shape["ssm.inner_size"], shape["ssm.state_size"], shape["ssm.time_step_rank"]
    decay = -np.broadcast_to(np.arange(1, state + 1, dtype=np.float32) / state, (inner, state))
    return {
        "attn_norm.weight": _norm(WIDTH),
        "ssm_in.weight": _weights(random, 2 * inner, WIDTH),
        "ssm_conv1d.weight": _weights(random, inner, shape["ssm.conv_kernel"]),
        "ssm_conv1d.bias": np.zeros(inner, np.float32),
        "ssm_x.weight": _weights(random, rank + 2 * state, inner),
        "ssm_dt.weight": _weights(random, inner, rank),
        "ssm_dt.bias": np.zeros(inner, np.float32),
        "ssm_a": decay,
        "ssm_d": _norm(inner),
        "ssm_out.weight": _weights(random, WIDTH, inner),
    }


def _weights(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    return random.normal(0, 1.5 / np.sqrt(columns), (rows, columns)).astype(np.float32)


def _norm(width: int) -> NDArray[np.float32]:
    return np.ones(width, np.float32)


def _gguf(fields: Mapping[str, Any], tensors: Tensors) -> bytes:
    """Return a GGUF of version 3 (ggml-org/ggml, docs/gguf.md) with these values and F32 tensors."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    head += b"".join(_text(key) + _typed(value) for key, value in fields.items())
    data = b""
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += _padded(tensor.astype("<f4").tobytes())
    return _padded(head) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


_TYPES: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    bool: (7, lambda value: struct.pack("<?", value)),
    int: (4, lambda value: struct.pack("<I", value)),
    float: (6, lambda value: struct.pack("<f", value)),
    str: (8, _text),
}
_SIGNED = 5  # what llama.cpp wants for the tokens' kinds, the only array of integers here


def _typed(value: Any) -> bytes:
    """Return a value behind the number of its type."""
    if not isinstance(value, list):
        number, pack = _TYPES[type(value)]
        return struct.pack("<I", number) + pack(value)
    number, pack = _TYPES[type(value[0])]
    number = _SIGNED if type(value[0]) is int else number
    return struct.pack("<IIQ", 9, number, len(value)) + b"".join(map(pack, value))
