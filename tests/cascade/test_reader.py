"""The model whose hidden states a policy was fitted on is found again, and no other is taken for it in silence."""

import logging
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgecascade.cascade.reader import reader_of
from edgecascade.cascade.tiers import LocalTier
from edgecascade.errors import PolicyError
from edgecascade.llama.engine import Engine
from edgecascade.records import Place
from edgecascade.store.paths import Folders
from edgecascade.store.pool_files import PoolFile

WIDTH = 8


@dataclass(frozen=True)
class Local:
    """A tier of this device, as far as it is looked at."""

    name: str
    sha256: str | None = None
    width: int | None = WIDTH
    place: Place = "device"

    @property
    def engine(self) -> Any:
        """What tells the width."""
        return SimpleNamespace(width=self.width)


def file(sha256: str | None = None) -> PoolFile:
    """Return a policy that was fitted on the states of ``qwen``."""
    parts: dict[str, Any] = {part: {} for part in ("features", "estimator", "fitted")}
    return PoolFile(
        policy="linucb", models=("qwen", "gpt"), unit="usd", kind="hidden", source="qwen", source_sha256=sha256,
        created="2026-11-22T09:00:00Z", rows=1, table_sha256="", **parts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "tiers", "names", "found", "warned"),
    [
        (None, [Local("gemma"), Local("qwen")], {}, "qwen", False),
        (None, [Local("qwen"), Local("q")], {"qwen": "q"}, "q", False),
        ("a", [Local("qwen", "b"), Local("renamed", "a")], {}, "renamed", False),
        ("a", [Local("qwen-q8", "b")], {"qwen": "qwen-q8"}, "qwen-q8", True),  # said to be it, and other weights
        (None, [Local("narrow", width=4), Local("gemma")], {}, "gemma", True),
        ("a", [Local("gemma")], {}, "gemma", True),  # as wide, and nothing tells its weights
        (None, [Local("qwen", place="cloud")], {}, None, False),
    ],
)
def test_the_model_is_known_by_its_weights_or_its_name(
    wanted: str | None,
    tiers: list[Local],
    names: dict[str, str],
    found: str | None,
    warned: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Weights before names; a guess is told; none where no model is loaded on this device."""
    with caplog.at_level(logging.WARNING, "edgecascade"):
        reader: Any = reader_of(file(wanted), tiers, names, width=WIDTH)

    assert (reader and reader.name) == found
    assert bool(caplog.records) == warned


@pytest.mark.parametrize(
    ("wanted", "tier"),
    [
        ("a", Local("qwen", "b")),
        (None, Local("qwen", width=4)),
        (None, Local("gemma", width=4)),
        (None, Local("gemma", width=None)),
    ],
)
def test_another_model_is_refused(wanted: str | None, tier: Local) -> None:
    """Of other weights, or of another width: both are named."""
    with pytest.raises(
        PolicyError, match=f"hidden states of qwen, width 8: found {tier.name} of width {tier.width or 'unknown'}"
    ):
        reader_of(file(wanted), [tier], {}, width=WIDTH)


def test_a_loaded_model_tells_its_width_and_its_weights(engine: Engine, tmp_path: Path) -> None:
    """By those it is known, whatever it is called."""
    tier = LocalTier(engine, name="renamed", sha256="a", folders=Folders.of({"EDGECASCADE_HOME": str(tmp_path)}))

    assert reader_of(file("a"), [tier], {}, width=engine.width) is tier
    for wanted, width in (("b", engine.width), ("a", engine.width + 1)):
        with pytest.raises(PolicyError, match=f"found renamed of width {engine.width}"):
            reader_of(file(wanted), [tier], {}, width=width)
