"""Keys come from the environment or the keyring, and are shown nowhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecascade.errors import ConfigError
from edgecascade.store.keys import key_of, set_key

SECRET = "sk-proj-abcdefgh12345678"
MEMORY = """
import threading

from keyring.backend import KeyringBackend

class Memory(KeyringBackend):
    priority = 1
    kept = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]

class Broken(Memory):
    def get_password(self, service, username):
        raise OSError("no service behind it")

class Silent(Memory):
    def get_password(self, service, username):
        threading.Event().wait()
"""


def said(code: str, folder: Path, backend: str) -> str:
    """Return what a process prints that has this keyring."""
    (folder / "rings.py").write_text(MEMORY, encoding="utf-8")
    environment = os.environ | {"PYTHON_KEYRING_BACKEND": backend, "PYTHONPATH": str(folder)}
    script = f"from edgecascade.store.keys import set_key, key_of, kept_key\n{code}"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_environment_comes_first() -> None:
    """Without the blanks around it."""
    assert key_of("OPENAI_API_KEY", {"OPENAI_API_KEY": f" {SECRET}\n"}) == SECRET


def test_what_is_kept_in_the_keyring_is_found(tmp_path: Path) -> None:
    """Under its own name; another has none."""
    code = f"set_key('OPENAI_API_KEY', {SECRET!r})\nprint(key_of('OPENAI_API_KEY', {{}}), kept_key('GROQ_API_KEY'))"

    assert said(code, tmp_path, "rings.Memory").split() == [SECRET, "None"]


@pytest.mark.parametrize("backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "rings.Broken"])
def test_without_a_keyring_there_is_no_key(tmp_path: Path, backend: str) -> None:
    """Nothing is raised and nothing said."""
    assert said("print(key_of('OPENAI_API_KEY', {}))", tmp_path, backend) == "None\n"


@pytest.mark.parametrize("backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "rings.Broken"])
def test_a_key_that_cannot_be_kept_is_refused_without_showing_it(tmp_path: Path, backend: str) -> None:
    """A keyring that takes everything and keeps nothing is none; the variable is named."""
    output = said(f"set_key('OPENAI_API_KEY', {SECRET!r})", tmp_path, backend)

    assert "ConfigError" in output and "set OPENAI_API_KEY" in output
    assert SECRET not in output.replace(f"set_key('OPENAI_API_KEY', {SECRET!r})", "")


def test_a_keyring_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    """There is no key, and the process ends."""
    assert said("print(kept_key('OPENAI_API_KEY', wait=0.2))", tmp_path, "rings.Silent") == "None\n"


@pytest.mark.parametrize("value", ["", "  ", "two words", "sk-\x07bell"])
def test_what_is_no_key_is_not_kept(value: str) -> None:
    """A slip in copying is told at once."""
    with pytest.raises(ConfigError, match=r"that is no key: found .*; wanted one"):
        set_key("OPENAI_API_KEY", value)
