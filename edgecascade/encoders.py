"""A sentence encoder in ONNX: texts to vectors of length 1, on the processor.

A folder as sentence-transformers exports it, or the ``.onnx`` file with its ``tokenizer.json`` beside it or one folder
up. The vector is what the model gives for a whole sentence where it does; else the mean over the tokens' vectors, or
the first token's where ``1_Pooling/config.json`` says so.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecascade.errors import LibraryMissingError, ModelFileError

MODELS = ("model.onnx", "onnx/model.onnx")
LONGEST = 512
BATCH = 32

Vectors = NDArray[np.float32]


class SentenceEncoder:
    """Texts to vectors; a text too long is cut off at ``longest`` tokens."""

    def __init__(self, path: Path, *, longest: int = LONGEST) -> None:
        """Load model and tokenizer. Raises ModelFileError for what is neither, LibraryMissingError."""
        self.path = _model_of(path)
        self._tokenizer = _tokenizer(self.path)
        self._tokenizer.enable_truncation(longest)
        self._tokenizer.enable_padding()
        self._session = _session(self.path)
        self._inputs = [one.name for one in self._session.get_inputs()]
        if unknown := set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"}:
            raise ModelFileError(
                f"{self.path} is no sentence encoder: found inputs {sorted(unknown)}, wanted input_ids, attention_mask "
                "and at most token_type_ids; export it with `optimum-cli export onnx --task feature-extraction`"
            )
        self._first_token = _pools_first_token(self.path)

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return their vectors, shape (texts, width), each of length 1; ModelFileError for a model that fails."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        parts = [self._batch([texts[place] for place in order[at : at + BATCH]]) for at in range(0, len(order), BATCH)]
        if not parts:
            return np.zeros((0, 0), np.float32)
        found = np.concatenate(parts)
        back = np.empty_like(found)
        back[order] = found
        return back

    def _batch(self, texts: Sequence[str]) -> Vectors:
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in encoded], np.int64)
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        outputs = _run(self._session, self.path, {name: given[name] for name in self._inputs})
        whole = next((one for one in outputs if np.ndim(one) == 2), None)
        vectors = self._pooled(outputs[0], mask) if whole is None else np.asarray(whole, np.float32)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return np.asarray(vectors / lengths, np.float32)

    def _pooled(self, tokens: Any, mask: NDArray[np.int64]) -> Vectors:
        if np.ndim(tokens) != 3:
            raise ModelFileError(
                f"{self.path} is no sentence encoder: found an output of {np.ndim(tokens)} dimensions, wanted (texts, "
                "width) or (texts, tokens, width)"
            )
        if self._first_token:
            return np.asarray(tokens[:, 0], np.float32)
        weights = mask[:, :, None].astype(np.float32)
        return np.asarray((tokens * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0), np.float32)


def _model_of(path: Path) -> Path:
    path = path.expanduser()
    found = path if path.is_file() else next((path / name for name in MODELS if (path / name).is_file()), None)
    if found is None:
        raise ModelFileError(
            f"no sentence encoder at {path}: found no {' or '.join(MODELS)}, wanted an ONNX file or the folder of one"
        )
    return found


def _beside(model: Path, name: str) -> Path | None:
    """Return a file that lies beside the model, or one folder up."""
    return next((folder / name for folder in (model.parent, model.parent.parent) if (folder / name).is_file()), None)


def _tokenizer(model: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise LibraryMissingError(
            "tokenizers is not installed: found no module tokenizers, wanted it for a sentence encoder; "
            "run: pip install 'edgecascade[encoder]'"
        ) from error
    path = _beside(model, "tokenizer.json")
    if path is None:
        raise ModelFileError(
            f"{model}: found no tokenizer.json, wanted it beside the model or one folder up; put it there"
        )
    try:
        return Tokenizer.from_buffer(path.read_bytes())
    except ValueError as error:
        raise ModelFileError(f"{path} is no tokenizer: {error}; wanted the tokenizer.json of the encoder") from error


def _session(model: Path) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    wrong = (native.Fail, native.InvalidGraph, native.InvalidProtobuf, native.NotImplemented, native.InvalidArgument)
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except wrong as error:
        raise ModelFileError(f"{model} is no ONNX model that runs here: {error}; export it again") from error


def _run(session: Any, model: Path, given: Mapping[str, NDArray[np.int64]]) -> list[Any]:
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    wrong = (native.Fail, native.RuntimeException, native.NotImplemented, native.InvalidArgument)
    try:
        outputs: list[Any] = session.run(None, given)
    except wrong as error:
        raise ModelFileError(
            f"{model} fails on a text: found {str(error).splitlines()[0]}, wanted an encoder that takes what its "
            "tokenizer gives; export it again with its own tokenizer"
        ) from error
    return outputs


def _pools_first_token(model: Path) -> bool:
    path = _beside(model, "1_Pooling/config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except ValueError as error:
        raise ModelFileError(f"{path} is no JSON: {error}; wanted the encoder's pooling, or no such file") from error
    return bool(config.get("pooling_mode_cls_token"))
