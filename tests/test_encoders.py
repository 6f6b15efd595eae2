"""A sentence encoder that is built here: a table of token vectors, and a real tokenizer beside it."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from edgecascade.encoders import SentenceEncoder
from edgecascade.errors import ModelFileError

WORDS = {"[PAD]": 0, "[UNK]": 1, "cats": 2, "dogs": 3, "stars": 4}
WIDTH = 4


def vectors() -> np.ndarray:
    """One vector a word."""
    return np.random.default_rng(0).normal(size=(len(WORDS), WIDTH)).astype(np.float32)


def build(folder: Path, *, inputs: tuple[str, ...] = ("input_ids", "attention_mask"), whole: bool = False) -> Path:
    """Write an encoder that looks each token up; ``whole``: it gives the first token's vector for the sentence."""
    folder.mkdir(parents=True, exist_ok=True)
    table = numpy_helper.from_array(vectors(), "table")
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["tokens"], axis=0)]
    constants, output = [table], helper.make_tensor_value_info("tokens", TensorProto.FLOAT, [None, None, WIDTH])
    if whole:
        constants.append(numpy_helper.from_array(np.array(0), "zero"))
        nodes.append(helper.make_node("Gather", ["tokens", "zero"], ["sentence"], axis=1))
        output = helper.make_tensor_value_info("sentence", TensorProto.FLOAT, [None, WIDTH])
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, [None, None]) for name in inputs]
    graph = helper.make_graph(nodes, "encoder", given, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector at length 1."""
    return vector / np.linalg.norm(vector)


def test_a_vector_is_the_mean_over_its_tokens_and_not_over_the_padding(tmp_path: Path) -> None:
    """A short text gets the same vector alone and beside a long one, in the order that was given."""
    encoder, table = SentenceEncoder(build(tmp_path)), vectors()
    found = encoder(["cats dogs stars cats", "stars"])

    assert np.allclose(found[0], unit((2 * table[2] + table[3] + table[4]) / 4), atol=1e-6)
    assert np.allclose(found[1], unit(table[4]), atol=1e-6)
    assert np.allclose(encoder(["stars"]), found[1:], atol=1e-6)


def test_the_pooling_that_the_encoder_names_is_kept(tmp_path: Path) -> None:
    """Its first token's vector where its own config says so."""
    (build(tmp_path) / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))

    assert np.allclose(SentenceEncoder(tmp_path)(["dogs stars"])[0], unit(vectors()[3]), atol=1e-6)


def test_a_sentence_vector_is_taken_as_it_is(tmp_path: Path) -> None:
    """A model that gives one for the whole text is not pooled again; a file may be named as well as a folder."""
    encoder = SentenceEncoder(build(tmp_path / "onnx", whole=True) / "model.onnx")

    assert np.allclose(encoder(["stars dogs"])[0], unit(vectors()[4]), atol=1e-6)


def test_a_long_text_is_cut_and_no_text_is_no_error(tmp_path: Path) -> None:
    """Only the first tokens count; an empty text has a vector, and of no texts there are none."""
    encoder = SentenceEncoder(build(tmp_path), longest=2)

    assert np.allclose(encoder(["cats dogs stars stars"]), encoder(["cats dogs"]))
    assert np.isfinite(encoder(["", "cats"])).all() and len(encoder([])) == 0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model.onnx").unlink(), "found no model.onnx"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"nonsense"), "no ONNX model that runs here"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "found no tokenizer.json"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "is no tokenizer"),
        (lambda folder: build(folder, inputs=("input_ids", "pixels")), "no sentence encoder: found inputs"),
    ],
)
def test_what_is_no_encoder_is_refused_in_words(tmp_path: Path, spoil: object, said: str) -> None:
    """What is wrong, and what is wanted, before a text is encoded."""
    spoil(build(tmp_path))  # type: ignore[operator]

    with pytest.raises(ModelFileError, match=said):
        SentenceEncoder(tmp_path)


def test_a_model_that_fails_on_a_text_says_so(tmp_path: Path) -> None:
    """Its tokenizer is another's: a token that it has no vector for."""
    build(tmp_path)
    Tokenizer(models.WordLevel(WORDS | {"[UNK]": 99}, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))

    with pytest.raises(ModelFileError, match=r"fails on a text: found .*, wanted"):
        SentenceEncoder(tmp_path)(["birds"])
