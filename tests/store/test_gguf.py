"""The header reader tells the truth about whole files, and refuses all others."""

import random
import struct
from pathlib import Path

import pytest

from edgecascade.errors import ModelFileError
from edgecascade.store.gguf import read_gguf
from edgecascade.testing import gguf_bytes


def written(folder: Path, data: bytes, name: str = "m.gguf") -> Path:
    """Return the path of a file with these bytes."""
    (path := folder / name).write_bytes(data)
    return path


def test_header_of_a_whole_file(tmp_path: Path) -> None:
    """Every field of the record comes out of the header that was written."""
    path = written(tmp_path, gguf_bytes({"general.temperature": 0.5}, weights=70))

    found = read_gguf(path)

    assert (found.architecture, found.name, found.licence, found.quantisation) == ("llama", "Tiny", "mit", "F32")
    assert (found.parameters, found.context, found.width, found.layers, found.vocabulary) == (70, 128, 8, 2, 3)
    assert (found.bos, found.eos, found.chat_template) == (0, 1, "{{ messages[0].content }}")
    assert found.bytes == path.stat().st_size and found.metadata["general.temperature"] == 0.5
    assert "tokenizer.ggml.tokens" not in found.metadata


@pytest.mark.parametrize(
    ("attention", "heads", "cached"),
    [
        ({"head_count": 4, "head_count_kv": 2}, 4, 3 * 2 * (16 + 16)),
        ({"head_count": 4}, 4, 3 * 4 * (16 + 16)),
        ({"head_count": 4, "head_count_kv": 1, "key_length": 32, "value_length": 24}, 4, 3 * (32 + 24)),
        ({"head_count": (4, 8, 4), "head_count_kv": (2, 0, 1)}, 8, 3 * (8 + 8)),
        ({"head_count": 0}, 0, 0),
        ({}, 0, 0),
        ({"head_count": 4, "head_count_kv": (-9, 0, 0)}, 4, 0),
    ],
)
def test_what_a_token_leaves_in_the_cache(
    tmp_path: Path, attention: dict[str, object], heads: int, cached: int
) -> None:
    """Heads of the cache times the lengths of key and value, over the layers: alike, or listed one by one."""
    shape = {"llama.block_count": 3, "llama.embedding_length": 64}
    path = written(tmp_path, gguf_bytes(shape | {f"llama.attention.{key}": value for key, value in attention.items()}))

    found = read_gguf(path)

    assert (found.heads, found.cached) == (heads, cached)


@pytest.mark.parametrize("silent", ["llama.block_count", "llama.embedding_length"])
def test_a_silent_header_leaves_the_cache_unknown(tmp_path: Path, silent: str) -> None:
    """Without layers or a width nothing is worked out."""
    path = written(tmp_path, gguf_bytes({silent: "many"}))

    assert (read_gguf(path).heads, read_gguf(path).cached) == (None, None)


def test_quantisation_falls_back_to_the_tensors(tmp_path: Path) -> None:
    """A file type that nobody knows gives way to the type of most weights."""
    path = written(tmp_path, gguf_bytes({"general.file_type": 999}))

    assert read_gguf(path).quantisation == "F32"


def test_values_of_the_wrong_kind_are_not_believed(tmp_path: Path) -> None:
    """A name that is a number counts as no name."""
    path = written(tmp_path, gguf_bytes({"general.name": 7, "llama.context_length": "many"}))

    assert (read_gguf(path).name, read_gguf(path).context) == (None, None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty, wanted b'GGUF'"),
        (b"hello, world", "b'hell', wanted b'GGUF'"),
        (b"\n <!doctype html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git-lfs pointer"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1; wanted 2 or 3"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF\x03", "truncated or damaged header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63), "truncated or damaged header"),
        (gguf_bytes()[:300], "truncated or damaged header"),
        (gguf_bytes()[:-1], "is cut off: found"),
        (gguf_bytes({"general.alignment": 12}), "wanted a power of two"),
        (gguf_bytes({"split.count": 3}), "one of 3 parts"),
    ],
)
def test_what_is_not_a_whole_model_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    """The message says what was found instead of a GGUF."""
    path = written(tmp_path, data)

    with pytest.raises(ModelFileError, match=message):
        read_gguf(path)


def test_cut_off_names_both_sizes(tmp_path: Path) -> None:
    """A download that stopped early is told by the bytes there and the bytes needed."""
    whole = gguf_bytes(weights=1000)
    path = written(tmp_path, whole[:-400])

    with pytest.raises(ModelFileError, match=f"found {len(whole) - 400:,} bytes, wanted {len(whole):,}"):
        read_gguf(path)


def test_a_part_of_a_split_model_is_refused_by_its_name(tmp_path: Path) -> None:
    """The message says which part it is, and how to join them."""
    path = written(tmp_path, gguf_bytes(), "m-00002-of-00003.gguf")

    with pytest.raises(ModelFileError, match=r"part 2 of 3 of a split model.*--merge"):
        read_gguf(path)


def test_missing_file_and_folder_are_our_errors(tmp_path: Path) -> None:
    """What cannot be opened at all is a ModelFileError too."""
    for path in (tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(ModelFileError, match="cannot be read"):
            read_gguf(path)


def test_hostile_bytes_cost_an_error_and_nothing_else(tmp_path: Path) -> None:
    """2000 seeded mutations of a valid file end in success or ModelFileError."""
    draw = random.Random(20261121)
    whole, path = gguf_bytes({"general.note": "x" * 40}), tmp_path / "m.gguf"
    outcomes = {"read": 0, "refused": 0}

    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 8)):
            match draw.randrange(4):
                case 0:
                    data[draw.randrange(len(data))] = draw.randrange(256)
                case 1:
                    place = draw.randrange(len(data) - 8)
                    data[place : place + 8] = struct.pack("<Q", draw.choice((0, 1, 2**31, 2**63, 2**64 - 1)))
                case 2:
                    del data[draw.randrange(64, len(data)) :]
                    data += bytes(64)
                case 3:
                    place = draw.randrange(len(data))
                    data[place:place] = draw.randbytes(draw.randrange(16))
        path.write_bytes(data)
        try:
            read_gguf(path)
            outcomes["read"] += 1
        except ModelFileError:
            outcomes["refused"] += 1

    assert outcomes["read"] > 20 and outcomes["refused"] > 1000
