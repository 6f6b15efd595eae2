"""Who may be a member of the pool, and what its replies are filed under."""

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from edgecascade.composing.members import LocalMember, TierMember, open_members
from edgecascade.errors import ConfigError
from edgecascade.llama.settings import EngineSettings
from edgecascade.records import Question
from edgecascade.store.config.settings import Settings
from edgecascade.store.ledger import Ledger
from edgecascade.store.paths import Folders
from edgecascade.testing import LoopbackCloud, ScriptedReply, ScriptedTier, gguf_bytes


def folders_in(root: Path) -> Folders:
    """A user's folders below a root."""
    return Folders.of({"EDGECASCADE_HOME": str(root)})


def test_a_file_is_known_by_its_bytes_and_how_it_is_run(tmp_path: Path) -> None:
    """Without being loaded; its name and the threads change nothing, other bytes or settings do.

    A short context may cut a reply off: in a longer one it is another.
    """
    usual = EngineSettings()
    changes = ({"context": 64}, {"threads": 2}, {"kv_type": "q8_0"}, {"template": "chatml"})
    for name, content in (("a", gguf_bytes()), ("b", gguf_bytes()), ("c", gguf_bytes() + b"more")):
        (tmp_path / f"{name}.gguf").write_bytes(content)

    def identity(name: str, settings: EngineSettings = usual) -> str:
        path, folders = str(tmp_path / f"{name}.gguf"), folders_in(tmp_path)
        member = LocalMember(path, settings, folders, progress=lambda *_: None, notice=lambda line: None)
        member.close()
        return member.identity

    first = identity("a")
    assert identity("b") == first != identity("c")
    assert [identity("a", replace(usual, **change)) == first for change in changes] == [False, True, False, False]


def test_a_tier_replies_with_what_it_took() -> None:
    """Its tokens are counted, its time is told, and it costs nothing."""
    member = TierMember("tiny", ScriptedTier(ScriptedReply("It is Paris.", seconds_a_token=0.5)), "{}")
    member.open()
    reply = member.answer(Question.of("Capital of France?"))
    member.close()

    assert (reply.text, reply.completion_tokens, reply.prompt_tokens, reply.usd) == ("It is Paris.", 3, 3, 0.0)
    assert reply.seconds == pytest.approx(1.5)


def test_two_servers_of_one_model_are_told_apart(tmp_path: Path) -> None:
    """A server may tell no more than a name that others share, so its address belongs to its identity."""
    with ExitStack() as opened:
        ledger = opened.enter_context(Ledger(tmp_path / "ledger.db", clock=lambda: 0.0))
        servers = [opened.enter_context(LoopbackCloud("x")) for _ in range(2)]
        names = [server.spec() for server in servers]
        members = opened.enter_context(
            open_members(
                names, EngineSettings(), Settings(), ledger, progress=lambda *_: None, notice=lambda line: None
            )
        )

        assert [members[name].name for name in names] == names
        assert len({member.identity for member in members.values()}) == 2
        assert all(json.loads(member.identity) for member in members.values())


def test_a_model_is_named_once(tmp_path: Path) -> None:
    """The same twice would be two names for one column."""
    with Ledger(tmp_path / "ledger.db", clock=lambda: 0.0) as ledger:
        opening = open_members(
            ["m", "m"], EngineSettings(), Settings(), ledger, progress=lambda *_: None, notice=lambda line: None
        )
        with pytest.raises(ConfigError, match="'m' is named twice"):
            opening.__enter__()
