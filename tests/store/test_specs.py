"""An address means one thing, and nonsense is refused."""

from contextlib import chdir
from pathlib import Path

import pytest

from edgecascade.errors import ModelNotFoundError
from edgecascade.store.specs import (
    HubSpec,
    LmStudioSpec,
    NamedSpec,
    OllamaSpec,
    PathSpec,
    UrlSpec,
    choose_file,
    parse_spec,
)

HOME = Path("/home/me")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("smollm2-135m", NamedSpec("smollm2-135m")),
        ("absent.gguf", NamedSpec("absent.gguf")),
        ("./m.gguf", PathSpec(Path("m.gguf"))),
        ("~/m.gguf", PathSpec(HOME / "m.gguf")),
        ("C:\\m.gguf", PathSpec(Path("C:\\m.gguf"))),
        ("hf:u/r", HubSpec("u/r")),
        ("hf:u/r:Q8_0", HubSpec("u/r", quantisation="Q8_0")),
        ("hf:u/r/sub/m.gguf", HubSpec("u/r", file="sub/m.gguf")),
        ("ollama:qwen3", OllamaSpec("qwen3", "latest")),
        ("ollama:hf.co/u/r:Q8_0", OllamaSpec("hf.co/u/r", "Q8_0")),
        ("lmstudio:p/m", LmStudioSpec("p/m")),
        ("https://h.org/a%20b.gguf?download=true", UrlSpec("https://h.org/a%20b.gguf?download=true")),
        ("http://localhost:1/m.gguf", UrlSpec("http://localhost:1/m.gguf")),
    ],
)
def test_an_address_means_one_thing(text: str, meant: object) -> None:
    """Prefix, separator and suffix decide."""
    assert parse_spec(text, home=HOME) == meant


@pytest.mark.parametrize(
    "text",
    ["hf:", "hf:r", "hf:../r", "hf:u/r/../../m.gguf", "ollama:", "ollama:../../x", "lmstudio:", "lmstudio:../x",
     "http://example.org/m.gguf", "https://h.org/m.bin", "ftp://h.org/m.gguf", "https:///m.gguf"],
)  # fmt: skip
def test_nonsense_is_refused(text: str) -> None:
    """Addresses that climb out of a folder, that are not encrypted or that name no GGUF are no addresses."""
    with pytest.raises(ModelNotFoundError, match="is no address of a model"):
        parse_spec(text, home=HOME)


def test_a_bare_file_name_is_a_path_where_the_file_exists(tmp_path: Path) -> None:
    """A file in the working folder wins only if it ends in .gguf."""
    for name in ("m.gguf", "smollm2-135m"):
        (tmp_path / name).touch()
    with chdir(tmp_path):
        found = [parse_spec(name, home=HOME) for name in ("m.gguf", "smollm2-135m")]

    assert found == [PathSpec(Path("m.gguf")), NamedSpec("smollm2-135m")]


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [
        (HubSpec("u/r"), "m-Q4_K_M.gguf"),
        (HubSpec("u/r", quantisation="q8_0"), "m-q8_0.gguf"),
        (HubSpec("u/r", quantisation="Q4_K"), None),
        (HubSpec("u/r", file="m-F16.gguf"), "m-F16.gguf"),
        (HubSpec("u/r", file="other.gguf"), None),
    ],
)
def test_the_file_of_a_quantisation(spec: HubSpec, chosen: str | None) -> None:
    """Labels match as whole words in either case; projectors and parts never do."""
    names = ["m-F16.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-q8_0.gguf", "mmproj-Q4_K_M.gguf", "README.md"]

    assert choose_file([*names, "a-Q4_K_M-00001-of-00002.gguf"], spec) == chosen


def test_without_the_default_quantisation_the_first_file_is_taken() -> None:
    """A repository without Q4_K_M still has a model."""
    assert choose_file(["m-Q8_0.gguf", "m-Q5_0.gguf"], HubSpec("u/r")) == "m-Q5_0.gguf"
