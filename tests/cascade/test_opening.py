"""Tiers by their address: a real model on this device, a cloud on loopback, in one cascade put together by hand."""

from pathlib import Path

import pytest

from edgecascade import Cascade, open_tier
from edgecascade.errors import ModelNotFoundError
from edgecascade.records import Limits, Message, Question, Sampling
from edgecascade.testing import LoopbackCloud

SHORT = Sampling(max_tokens=4)


def asking(mode: str) -> Question:
    """A short question."""
    return Question((Message("user", "Capital of Peru?"),), SHORT, mode=mode, limits=Limits(seconds=60))  # type: ignore[arg-type]


def test_tiers_are_opened_by_their_address(model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model file answers here, a server that is named as a cloud answers there."""
    monkeypatch.setenv("EDGECASCADE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with LoopbackCloud("Lima.") as server:
        cloud = open_tier(f"{server.base_url()}#big", place="cloud")
        with Cascade([open_tier(str(model_path)), cloud]) as cascade:
            here, there = cascade.ask(asking("only_on_device")), cascade.ask(asking("only_in_cloud"))

    assert (here.tier, here.model) == ("local", model_path.stem) and here.text
    assert (there.tier, there.text) == ("cloud", "Lima.") and cloud.name.endswith("#big")


def test_what_is_no_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere else where a model is named."""
    monkeypatch.setenv("EDGECASCADE_HOME", str(tmp_path))

    with pytest.raises(ModelNotFoundError):
        open_tier("no-such-model")
