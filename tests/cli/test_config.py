"""``edgecascade config``, as a user types it."""

import json
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecascade.cli import main
from edgecascade.store.paths import shipped
from edgecascade.testing import LoopbackCloud, Reply

SECRET = "sk-proj-abcdefgh12345678"
FITTED = shipped("calibration/fitted") / "smollm2-135m.json"
MEMORY = """
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
"""
CLOUDS = ("OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's home with a project in it."""
    (tmp_path / "project").mkdir()
    (tmp_path / "config").mkdir()
    return tmp_path


def run(home: Path, *arguments: str, said: str = "", **environment: str) -> Result:
    """Run the command in the project as that user, who has no keyring."""
    usual: dict[str, str | None] = {name: None for name in os.environ if name.startswith("EDGECASCADE_")}
    usual |= {f"{name}_{what}": None for name in CLOUDS for what in ("API_KEY", "BASE_URL")}
    usual |= {"HOME": str(home), "EDGECASCADE_HOME": str(home)}
    usual |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    with chdir(home / "project"):
        return CliRunner().invoke(main, ["config", *arguments], input=said, env={**usual, **environment})


def written(home: Path, text: str) -> Path:
    """Return the path of the user's config with this text."""
    path = home / "config" / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_show_prints_every_setting(home: Path) -> None:
    """As TOML would have it; with its source on request."""
    path = written(home, 'mode = "prefer_in_cloud"\n[prices."openai:gpt-4.1"]\ninput = 1.0\noutput = 2.0\n')

    plain, with_origin = run(home, "show").output.splitlines(), run(home, "show", "--origin").output.splitlines()

    assert 'mode = "prefer_in_cloud"' in plain and 'privacy.default = "redact"' in plain and "epsilon = null" in plain
    sources = {line.split(" = ")[0]: line.split("# ")[-1] for line in with_origin}
    assert (sources["mode"], sources["prices.openai:gpt-4.1"], sources["epsilon"]) == (str(path), str(path), "default")


def test_show_as_json(home: Path) -> None:
    """The record itself, and where each setting comes from."""
    record = json.loads(run(home, "show", "--json", EDGECASCADE_EPSILON="0.1").stdout)

    assert record["settings"]["epsilon"] == 0.1 and record["settings"]["policy"]["name"] == "threshold"
    assert record["origin"]["epsilon"] == "EDGECASCADE_EPSILON"


def test_a_wrong_setting_ends_in_one_line_and_exit_3(home: Path) -> None:
    """No traceback, whatever asks for the settings."""
    written(home, 'mode = "cloud"\n')

    result = run(home, "show")

    assert result.exit_code == 3 and result.stderr.startswith("error: ") and "line 1: mode" in result.stderr


def test_path_is_for_scripts(home: Path) -> None:
    """The path alone, whether the file is there or not."""
    assert run(home, "path").stdout == f"{home / 'config' / 'config.toml'}\n"


def test_check_without_anything_finds_nothing_wrong(home: Path) -> None:
    """It works without a cloud, and says so."""
    result = run(home, "check")

    assert result.exit_code == 0 and "every question is answered on this device" in result.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('privcy = "never"\nmode = "cloud"\n', ["line 1: unknown setting 'privcy'", "line 2: mode: found 'cloud'"]),
        ("mode = \n", ["cannot be read"]),
        ('fitted = "gone.json"\n', ["fitted: found no file at"]),
        ('budget = "plenty"\n', ["found 'plenty'"]),
        ('privacy.kinds = {colour = "never"}\n', ["colour"]),
        ('mode = "only_in_cloud"\n', ["only_in_cloud, but no cloud is set"]),
        ('mode = "only_in_cloud"\ncloud = "openai:m"\noffline = true\n', ["only_in_cloud, but offline is set"]),
        ('mode = "only_in_cloud"\ncloud = "openai:m"\nprivacy = "never"\n', ["but privacy.default is 'never'"]),
        ('model = "./gone.gguf"\n', ["gone.gguf"]),
        ('model = "smollm"\n', ["model: "]),
        (f'epsilon = 0.123\nfitted = "{FITTED}"\n', ["epsilon: found 0.123, wanted one that"]),
        ('fitted = "config.toml"\n', ["fitted: "]),
        ('cloud = "openai:gpt-4o-mini"\n', ["OPENAI_API_KEY"]),
        ('cloud = "gpt-4o-mini"\n', ["gpt-4o-mini"]),
        ('cloud = "http://127.0.0.1:1/v1#m"\nbudget = "1usd/day"\n', ["no price of http://127.0.0.1:1/v1#m"]),
        ('[policy]\nname = "margin"\n', ["policy.value_usd alone weighs"]),
        ('profile = "nobodys-device"\n', ["no device profile is called 'nobodys-device'"]),
        ('profile = "./gone.toml"\n', ["gone.toml"]),
    ],
)
def test_check_tells_all_that_is_wrong(home: Path, text: str, told: list[str]) -> None:
    """Each in a line of its own, and exit 3."""
    written(home, text)

    result = run(home, "check")

    assert result.exit_code == 3
    errors = [line for line in result.output.splitlines() if line.startswith("error")]
    assert len(errors) == len(told)
    assert all(words in line for words, line in zip(told, errors, strict=True))


def test_check_names_the_profile_and_what_cannot_be_counted(home: Path) -> None:
    """A joule's worth has no effect where nobody knows what the device takes."""
    written(home, 'profile = "raspberry-pi-5"\npolicy.usd_per_joule = 0.001\n')
    known = run(home, "check").output
    (home / "config" / "bare.toml").write_text('schema_version = 1\nname = "bare"\ntitle = "Bare"\nkind = "board"\n')
    written(home, 'profile = "./bare.toml"\npolicy.usd_per_joule = 0.001\n')
    unknown = run(home, "check").output

    assert "profile raspberry-pi-5: Raspberry Pi 5" in known and "has no effect" not in known
    assert "profile bare: Bare" in unknown and "policy.usd_per_joule has no effect" in unknown


def test_check_looks_at_the_project_and_at_variables(home: Path) -> None:
    """A wrong one is an error; a variable that sets nothing, and what a project may not loosen, is worth a note."""
    (home / "project" / "edgecascade.toml").write_text('privacy = "allow"\n', encoding="utf-8")

    noted = run(home, "check", EDGECASCADE_MODELS="x")
    slip = run(home, "check", EDGECASCADE_PRIVCY="never")
    wrong = run(home, "check", EDGECASCADE_MODE="x")

    assert noted.exit_code == 0
    assert "note  EDGECASCADE_MODELS sets nothing" in noted.output and "near it: EDGECASCADE_MODEL" in noted.output
    assert slip.exit_code == 3 and "wanted EDGECASCADE_PRIVACY" in slip.output
    assert "note  the project's privacy.default = 'allow' is looser than yours" in noted.output
    assert wrong.exit_code == 3 and "EDGECASCADE_MODE: mode: found 'x'" in wrong.output


def test_check_notes_what_has_no_effect(home: Path) -> None:
    """A kind that cannot loosen the default, and what keeps a cloud from being asked."""
    written(
        home,
        'cloud = "http://127.0.0.1:1/v1#m"\nmode = "prefer_in_cloud"\noffline = true\n'
        '[privacy]\ndefault = "never"\n[privacy.kinds]\ncard = "redact"\n',
    )

    result = run(home, "check")

    assert result.exit_code == 0 and "note  privacy.kinds.card = 'redact' has no effect" in result.output
    assert "note  offline is set: every question is answered on this device" in result.output
    assert "note  privacy.default is 'never': every question" in result.output


@pytest.mark.parametrize(("value", "quality", "told"), [(0.02, None, True), (0.02, 0.8, False), (1e-6, None, False)])
def test_check_warns_of_weights_that_leave_nothing_to_keep(
    home: Path, value: float, quality: float | None, told: bool
) -> None:
    """A dear right answer from a cloud that is always right; not where it is often wrong, or a call costs more."""
    known = "" if quality is None else f"cloud_quality = {quality}\n"
    written(home, f'cloud = "openai:gpt-4o-mini"\n[policy]\nvalue_usd = {value}\n{known}')

    result = run(home, "check", OPENAI_API_KEY=SECRET)

    assert result.exit_code == 0 and ("no answer of this device is kept unless" in result.output) is told


def test_check_takes_a_fitted_file_at_its_word(home: Path) -> None:
    """A risk that it offers is no fault."""
    written(home, f'epsilon = 0.05\nfitted = "{FITTED}"\n')

    assert run(home, "check").exit_code == 0


@pytest.mark.parametrize(("budget", "code"), [("1usd/day", 3), ("10calls/day", 0)])
def test_behind_another_address_a_price_is_unknown_as_in_a_run(home: Path, budget: str, code: int) -> None:
    """What a proxy charges nobody else knows, so that dollars cannot be counted."""
    written(home, f'cloud = "openai:gpt-4o-mini"\nbudget = "{budget}"\n')

    result = run(home, "check", OPENAI_API_KEY=SECRET, OPENAI_BASE_URL="https://proxy.example/v1")

    assert result.exit_code == code and "of openai:gpt-4o-mini at https://proxy.example/v1" in result.output


def test_check_says_that_a_key_is_there_and_never_which(home: Path) -> None:
    """With what the cloud costs, and since when that is known."""
    written(home, 'cloud = "openai:gpt-4o-mini"\nbudget = "1usd/day"\n')

    result = run(home, "check", OPENAI_API_KEY=SECRET)

    assert result.exit_code == 0 and SECRET not in result.output
    assert "openai:gpt-4o-mini: its key is there" in result.output
    assert "costs 0.15 USD per million tokens in, 0.6 out" in result.output


def test_a_stated_price_makes_a_dollar_budget_possible(home: Path) -> None:
    """Of a server of one's own, whose price nobody else knows."""
    written(
        home,
        'cloud = "http://127.0.0.1:1/v1#m"\nbudget = "1usd/day"\n'
        '[prices."http://127.0.0.1:1/v1#m"]\ninput = 0\noutput = 0\n',
    )

    result = run(home, "check")

    assert result.exit_code == 0 and "costs 0 USD per million tokens in, 0 out, as you set it" in result.output


def test_init_takes_flags_and_asks_nothing(home: Path) -> None:
    """With --yes: what is not given stays as it is, and the path is printed."""
    path = written(home, '# mine\nmodel = "tiny"\nmode = "prefer_in_cloud" # why\n')

    result = run(home, "init", "--yes", "--cloud", "openai:gpt-4o-mini", "--mode", "only_on_device")

    assert result.exit_code == 0 and result.stdout == f"{path}\n"
    text = path.read_text(encoding="utf-8")
    assert "# mine" in text and 'model = "tiny"' in text and 'mode = "only_on_device"' in text
    assert json.loads(run(home, "show", "--json").stdout)["settings"]["cloud"] == "openai:gpt-4o-mini"


def test_init_asks_with_defaults(home: Path) -> None:
    """Enter takes them; a cloud of none is none."""
    result = run(home, "init", said="\n\n\nnever\n1usd/day\n")

    assert result.exit_code == 0
    settings = json.loads(run(home, "show", "--json").stdout)["settings"]
    assert (settings["model"], settings["cloud"], settings["mode"]) == ("smollm2-135m", None, "prefer_on_device")
    assert (settings["privacy"]["default"], settings["budget"]) == ("never", "1usd/day")


def test_init_changes_nothing_without_leave(home: Path) -> None:
    """A config that is there is only touched by who says so."""
    path = written(home, 'mode = "prefer_in_cloud"\n')

    result = run(home, "init", "--cloud", "none", said="\nonly_on_device\n\n\nn\n")

    assert result.exit_code == 0 and "nothing was written" in result.stderr
    assert path.read_text(encoding="utf-8") == 'mode = "prefer_in_cloud"\n'


def test_init_asks_again_for_what_cannot_be_used(home: Path) -> None:
    """At once, not after the last question."""
    said = "\ngpt-4o-mini\nhttp://127.0.0.1:1/v1#m\n\n\nplenty\n1call/hour\n\n"
    result = run(home, "init", said=said)

    assert result.exit_code == 0 and "found 'gpt-4o-mini'" in result.stderr and "found 'plenty'" in result.stderr
    settings = json.loads(run(home, "show", "--json").stdout)["settings"]
    assert (settings["cloud"], settings["budget"]) == ("http://127.0.0.1:1/v1#m", "1call/hour")


@pytest.mark.parametrize("word", ["off", "none"])
def test_nobody_has_two_names(home: Path, word: str) -> None:
    """The one that `ask` takes, and the one that a config shows."""
    written(home, 'cloud = "openai:m"\nbudget = "1usd/day"\n')

    result = run(home, "init", "--yes", "--cloud", word, "--budget", word)

    assert result.exit_code == 0
    settings = json.loads(run(home, "show", "--json").stdout)["settings"]
    assert settings["cloud"] is None and settings["budget"] is None


def test_the_end_of_the_input_is_no_answer(home: Path) -> None:
    """It ends with a code that the help lists, and nothing is written."""
    result = run(home, "init", said="\n\n")

    assert result.exit_code == 3 and "found the end of the input" in result.stderr
    assert not (home / "config" / "config.toml").exists()


def test_init_without_questions_says_which_key_is_missing(home: Path) -> None:
    """The config is written all the same."""
    result = run(home, "init", "--yes", "--cloud", "openai:m")

    assert result.exit_code == 0 and "set OPENAI_API_KEY in your environment" in result.stderr


@pytest.mark.parametrize(
    "flags",
    [
        ("--budget", "plenty"),
        ("--cloud", "gpt-4o-mini"),
        ("--cloud", f"openai:{SECRET}"),
        ("--cloud", "https://a:b@example.org/v1#m"),
    ],
)
def test_init_writes_nothing_that_cannot_be_used(home: Path, flags: tuple[str, ...]) -> None:
    """It is refused as it would be when read, and a key is not repeated."""
    result = run(home, "init", "--yes", *flags)

    assert result.exit_code == 3 and SECRET not in result.output
    assert not (home / "config" / "config.toml").exists()


def test_init_without_a_keyring_says_what_to_set(home: Path) -> None:
    """It asks for no key that it could not keep."""
    result = run(home, "init", "--cloud", "openai:m", "--no-test", said="\n\n\n\n")

    assert result.exit_code == 0 and "set OPENAI_API_KEY in your environment" in result.stderr
    assert "keyring (empty" not in result.output


def test_init_puts_a_key_into_the_keyring(home: Path) -> None:
    """It is typed unseen, and stands in no file."""
    (home / "memory_keyring.py").write_text(MEMORY, encoding="utf-8")
    command = [sys.executable, "-m", "edgecascade", "config", "init", "--cloud", "openai:m", "--no-test"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EDGECASCADE_", *CLOUDS))}
    environment |= {"HOME": str(home), "EDGECASCADE_HOME": str(home), "PYTHONPATH": str(home)}
    environment |= {"PYTHON_KEYRING_BACKEND": "memory_keyring.Memory"}

    said = f"\n\n\n\n{SECRET}\n"
    done = subprocess.run(command, env=environment, cwd=home, input=said, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0 and "OPENAI_API_KEY is not set. The key" in done.stdout + done.stderr
    assert "note:" not in done.stderr
    assert SECRET not in done.stdout + done.stderr + "".join(path.read_text() for path in home.rglob("*.toml"))


def test_init_tests_the_key_with_one_token(home: Path) -> None:
    """One request, one token, and the answer is not shown."""
    with LoopbackCloud("Yes.") as cloud:
        result = run(home, "init", "--yes", "--test", "--cloud", cloud.spec())

    assert result.exit_code == 0 and f"{cloud.spec()} answers" in result.stderr
    (request,) = cloud.requests
    assert request.body["max_tokens"] == 1


def test_a_key_that_is_refused_is_told(home: Path) -> None:
    """The config is written all the same."""
    with LoopbackCloud(Reply("bad key", status=401)) as cloud:
        result = run(home, "init", "--yes", "--test", "--cloud", cloud.spec())

    assert result.exit_code in (3, 4) and result.stderr.startswith("error: ")
    assert (home / "config" / "config.toml").exists()
