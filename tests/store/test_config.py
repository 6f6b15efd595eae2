"""Settings come from where they may, are told with their origin, and a wrong one leads to its line."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgecascade.errors import ConfigError
from edgecascade.records import MODES
from edgecascade.store.config import Config, Settings, config_of, project_file, rules_of, user_file
from edgecascade.store.config.layers import unknown_variables
from edgecascade.store.config.writing import write_settings
from edgecascade.store.paths import Folders

SECRET = "sk-proj-abcdefgh12345678"
DOCS = Path(__file__).parents[2] / "docs" / "config.md"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's home with an empty config folder and a project."""
    (tmp_path / "config").mkdir()
    (tmp_path / "project").mkdir()
    return tmp_path


def folders(home: Path) -> Folders:
    """Return the folders of that user."""
    return Folders(home / "config", home / "data", home / "cache", home / "state")


def read(
    home: Path,
    user: str = "",
    project: str = "",
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """Return what holds in the project's folder with these files, variables and flags."""
    user_file(folders(home)).write_text(user, encoding="utf-8")
    (home / "project" / "edgecascade.toml").write_text(project, encoding="utf-8")
    return config_of(folders(home), home / "project", {"HOME": str(home)} | dict(environment or {}), flags)


def leaves_of(table: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return every setting by its dotted key; an empty table is one."""
    leaves: dict[str, Any] = {}
    for name, value in table.items():
        leaves |= leaves_of(value, f"{above}{name}.") if isinstance(value, dict) and value else {above + name: value}
    return leaves


def test_without_anything_the_defaults_hold(home: Path) -> None:
    """Every setting has one, and its origin says so."""
    config = config_of(folders(home), home, {})

    assert config.settings == Settings()
    assert set(config.origin.values()) == {"default"}
    assert {"mode", "privacy.default", "policy.hedge_below", "timeouts.connect"} <= set(config.origin)


def test_later_sources_hide_earlier_ones(home: Path) -> None:
    """File, project, environment, flag, in rising order; each setting keeps its own origin."""
    config = read(
        home,
        'epsilon = 0.1\nmode = "prefer_in_cloud"\nbudget = "1usd/day"\n[policy]\nband = 0.1\nsamples = 1\n',
        "epsilon = 0.05\n[policy]\nband = 0.2\n",
        {"EDGECASCADE_POLICY__BAND": "0.3", "EDGECASCADE_EPSILON": "0.3"},
        {"policy.band": 0.4, "model": None},
    )

    policy = config.settings.policy
    assert (config.settings.epsilon, policy.band, policy.samples, policy.gates) == (0.3, 0.4, 1, True)
    assert config.origin["epsilon"] == "EDGECASCADE_EPSILON" and config.origin["policy.band"] == "--policy.band"
    assert config.origin["policy.samples"] == config.origin["budget"] == str(home / "config" / "config.toml")
    assert config.origin["model"] == config.origin["policy.gates"] == "default"


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("MODE", "only_in_cloud", "mode", "only_in_cloud"),
        ("CLOUD", "openai:m", "cloud", "openai:m"),
        ("MODEL", "7", "model", "7"),
        ("BUDGET", "3", "budget", "3"),
        ("EPSILON", "0.05", "epsilon", 0.05),
        ("QUEUE", "yes", "queue", True),
        ("OFFLINE", "1", "offline", True),
        ("FITTED", "a.json", "fitted", Path("a.json")),
        ("PRIVACY", "never", "privacy.default", "never"),
        ("PRIVACY__DEFAULT", "allow", "privacy.default", "allow"),
        ("PRIVACY__KINDS__EMAIL", "never", "privacy.kinds", {"email": "never"}),
        ("POLICY__HEDGE_BELOW", "0.25", "policy.hedge_below", 0.25),
        ("POLICY__GATES", "off", "policy.gates", False),
        ("POLICY__SAMPLES", "4", "policy.samples", 4),
        ("STREAM__SHOW", "draft", "stream.show", "draft"),
        ("TIMEOUTS__CONNECT", "2", "timeouts.connect", 2.0),
    ],
)
def test_a_variable_sets_what_it_is_called_after(home: Path, name: str, text: str, key: str, value: object) -> None:
    """Its text becomes what the setting is; texts stay texts."""
    found: object = read(home, environment={f"EDGECASCADE_{name}": text}).settings
    for part in key.split("."):
        found = getattr(found, part)

    assert found == value


def test_variables_that_set_nothing_are_no_errors(home: Path) -> None:
    """A run goes on; the check can name them. Ours that are no settings are known, and an empty one is not set."""
    known = {f"EDGECASCADE_{name}": "x" for name in ("HOME", "LOG", "LOAD_PLUGINS")}
    unknown = {"EDGECASCADE_MODELS": "x", "EDGECASCADE_POLICY__BEND": "1", "EDGECASCADE_PRIVCY": " "}
    environment = known | unknown | {"EDGECASCADE_MODE": " ", "OTHER": "1"}

    assert read(home, environment=environment).settings == Settings()
    assert unknown_variables(environment) == sorted(unknown)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PRIVCY", "PRIVACY"),
        ("PRIVACY_DEFAULT", "PRIVACY__DEFAULT"),
        ("PRIVACY__KIND__CARD", "PRIVACY"),
        ("MOED", "MODE"),
        ("OFFLIN", "OFFLINE"),
        ("BUDGETS", "BUDGET"),
        ("CLOUT", "CLOUD"),
    ],
)
def test_a_slip_in_a_variable_that_keeps_texts_or_money_is_told(home: Path, name: str, meant: str) -> None:
    """Whoever wrote it believes that it holds."""
    with pytest.raises(ConfigError, match=rf"EDGECASCADE_{name} sets nothing: .*wanted EDGECASCADE_{meant}"):
        read(home, environment={f"EDGECASCADE_{name}": "never"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('\nprivcy = "never"\n', r"config.toml, line 2: unknown setting 'privcy': wanted 'privacy'"),
        ("[policy]\nhedge = 1.0\n", r"line 2: unknown setting 'policy.hedge': wanted 'hedge_below'"),
        ("zzz = 1\n", r"unknown setting 'zzz': wanted one of schema_version, model, cloud"),
        ('# a\n\nmode = "cloud"\n', r"line 3: mode: found 'cloud', wanted .*'only_in_cloud'"),
        ("queue = 1\n", r"line 1: queue: found 1, wanted true or false"),
        ('epsilon = "0.1"\n', r"epsilon: found '0.1', wanted a number"),
        ("epsilon = nan\n", r"epsilon: found nan, wanted"),
        ("[policy]\n\nband = 2.0\n", r"line 3: policy.band: found 2.0, wanted 1 or less"),
        ("policy.band = -1\n", r"line 1: policy.band: found -1"),
        ('[privacy.kinds]\ncard = "often"\n', r"line 2: privacy.kinds.card: found 'often'"),
        ('[[privacy.patterns]]\nname = "a"\n', r"line 1: privacy.patterns.regex: found nothing, wanted it to be set"),
        ('[[privacy.patterns]]\nname = "a"\nregx = "b"\n', r"unknown setting 'privacy.patterns.regx': wanted 'regex'"),
        ('privacy = "never"\n[privacy.kinds]\ncard = "never"\n', r"cannot be read: .*write privacy.default instead"),
        ('privacy = "never"\nprivacy.region = "DE"\n', r"cannot be read: .*write privacy.default instead"),
        ("policy = 1\n", r"policy: found 1, wanted a table of name, value_usd"),
        ("prices = 1\n", r"prices: found 1, wanted a table"),
        ("prices.m = 1\n", r"prices.m: found 1, wanted a table of input, output"),
        ("privacy.kinds = 1\n", r"privacy.kinds: found 1, wanted a table"),
        ('privacy.region = "Germany"\n', r"privacy.region: found 'Germany', wanted two capital letters"),
        ('privacy.patterns = "a"\n', r"privacy.patterns: found 'a', wanted a list"),
        ('privacy.patterns = ["a"]\n', r"privacy.patterns: found 'a', wanted a table of name, regex"),
        ('model = ""\n', r"model: found '', wanted a text that is not empty"),
        ("model = 1\n", r"model: found 1, wanted a text in quotes"),
        ("fitted = 1\n", r"fitted: found 1, wanted a path in quotes"),
        ("policy.samples = 1.5\n", r"policy.samples: found 1.5, wanted a whole number"),
        ("deadline = 0\n", r"deadline: found 0, wanted more than 0"),
        ("epsilon = 1.0\n", r"epsilon: found 1.0, wanted less than 1"),
        ("prices.m.input = 1\n", r"prices.m.output: found nothing"),
        ('privacy = "most"\n', r"line 1: privacy.default: found 'most'"),
        ('[prices."openai:gpt-4.1"]\ninput = -1\noutput = 2\n', r"line 2: prices.openai:gpt-4.1.input: found -1"),
        ('[prices."m"]\ninput = 1\noutput = 2\nimput = 3\n', r"line 4: unknown setting 'prices.m.imput'"),
        ("schema_version = 2\n", r"schema_version: found 2, wanted 1"),
        ("mode = \n", r"config.toml cannot be read: .*line 1"),
        ('[policy]\nname = "margin"\n', r"line 2: policy.name: found 'margin', .*wanted 'threshold'; remove it"),
        ("policy.usd_per_joule = -1.0\n", r"line 1: policy.usd_per_joule: found -1.0, wanted 0 or more"),
        ("policy.value_usd = 1e308\n", r"policy.value_usd: found 1e\+308, wanted 1e\+12 or less"),
        ("policy.value_usd = 0\n", r"policy.value_usd: found 0, wanted more than 0"),
        ('profile = ""\n', r"profile: found '', wanted a text that is not empty"),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(home: Path, text: str, message: str) -> None:
    """File, line, setting, what was found and what was wanted."""
    with pytest.raises(ConfigError, match=message) as error:
        read(home, text)

    assert not re.search("Input should|String should|Field required", str(error.value)), "these are not our words"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("MODE", "cloud", r"EDGECASCADE_MODE: mode: found 'cloud', wanted"),
        ("EPSILON", "much", r"EDGECASCADE_EPSILON: epsilon: found 'much', wanted a number"),
        ("POLICY", "margin", r"EDGECASCADE_POLICY: policy: found 'margin', wanted"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(home: Path, name: str, text: str, message: str) -> None:
    """A known variable with a value that cannot be used is no slip to be passed over."""
    with pytest.raises(ConfigError, match=message):
        read(home, environment={f"EDGECASCADE_{name}": text})


def test_a_wrong_flag_is_told_by_its_name(home: Path) -> None:
    """Once, and as the setting is called: a keyword in Python is a flag, too."""
    with pytest.raises(ConfigError, match=r"^policy.band: found 3, wanted 1 or less"):
        read(home, flags={"policy.band": 3})
    with pytest.raises(ConfigError, match=r"^unknown setting 'mod': wanted 'mode'"):
        read(home, flags={"mod": "only_on_device"})


def test_a_mark_before_the_first_line_is_no_setting(home: Path) -> None:
    """Some editors write one."""
    assert read(home, '\ufeffmode = "only_in_cloud"\n').settings.mode == "only_in_cloud"


@pytest.mark.parametrize(
    "text",
    [
        f'api_key = "{SECRET}"\n',
        'openai_api_key = "short"\n',
        f'[policy]\nname = "{SECRET}"\n',
        f'cloud = "openai:{SECRET}"\n',
        f'cloud = "https://user:{SECRET}@example.org/v1#m"\n',
        f'cloud = "https://example.org/v1?key={SECRET}#m"\n',
        f'[prices."{SECRET}"]\ninput = 1.0\noutput = 1.0\n',
        f'[privacy.kinds]\nemail = "{SECRET}"\n',
        f'"{SECRET}" = 1\n',
        f'[extra]\ntoken = ["Bearer {SECRET}"]\n',
    ],
)
def test_a_key_in_a_file_is_refused_and_not_repeated(home: Path, text: str) -> None:
    """Wherever it stands, in the user's file and in the project's."""
    for user, project in ((text, ""), ("", text)):
        with pytest.raises(
            ConfigError, match=r"line \d: keys do not belong in config: .*`edgecascade config init`"
        ) as error:
            read(home, user, project)

        assert SECRET not in str(error.value) and "short" not in str(error.value)


@pytest.mark.parametrize(
    "model", ["hf:user/sk-small", "./hf_a_rather_long_name_of_a_model.gguf", "risk-assessment-model-7b"]
)
def test_a_models_name_is_no_key(home: Path, model: str) -> None:
    """However much it begins like one."""
    assert read(home, f'model = "{model}"\n').settings.model


def test_a_kind_of_finding_may_be_called_key(home: Path) -> None:
    """It is a rule about keys, not one."""
    assert read(home, '[privacy.kinds]\nkey = "never"\nsecret = "never"\n').settings.privacy.kinds["key"] == "never"


@pytest.mark.parametrize(("user", "project"), [(a, b) for a in range(3) for b in range(3)])
def test_a_project_makes_privacy_only_stricter(home: Path, user: int, project: int) -> None:
    """Of the two the stricter holds; what was passed over is told."""
    words = ("allow", "redact", "never")
    config = read(home, f'privacy = "{words[user]}"\n', f'privacy = "{words[project]}"\n')

    assert config.settings.privacy.default == words[max(user, project)]
    assert bool(config.passed_over) == (project < user)
    assert config.origin["privacy.default"].endswith("config.toml" if project < user else "edgecascade.toml")


def test_a_projects_privacy_rules_come_on_top(home: Path) -> None:
    """Kinds keep the stricter word, patterns are added, and the user's region stays."""
    config = read(
        home,
        '[privacy]\nregion = "DE"\npatterns = [{name = "a", regex = "a+"}]\n[privacy.kinds]\ncard = "never"\n',
        '[privacy]\nregion = "US"\npatterns = [{name = "b", regex = "b+"}]\n'
        '[privacy.kinds]\ncard = "allow"\nemail = "never"\nphone = "allow"\n',
    )

    privacy = config.settings.privacy
    assert dict(privacy.kinds) == {"card": "never", "email": "never"}
    assert [pattern.name for pattern in privacy.patterns] == ["a", "b"] and privacy.region == "DE"
    assert len(config.passed_over) == 3


@pytest.mark.parametrize(
    "text",
    [
        'cloud = "https://example.org/v1#m"',
        "[prices.m]\ninput = 0.0\noutput = 0.0",
        'budget = "1000usd/day"',
        "content = true",
        "audit = 1.0",
        "shadow = 1.0",
        "queue = true",
        'fitted = "a.json"',
        "policy.value_usd = 1000.0",
        "policy.usd_per_second = 1.0",
        "policy.usd_per_joule = 1.0",
        "policy.usd_per_megabyte = 0.0",
        "policy.seconds = 0.1",
        "policy.usd = 9.0",
        "policy.cloud_quality = 1.0",
        "watts = 1000.0",
        'profile = "laptop-x86"',
        'policy.name = "threshold"',
        'model = "https://example.org/v1#m"',
        'model = " http://127.0.0.1:8080/v1"',
        'model = "https://example.org/v1#m.gguf"',
    ],
)
def test_a_project_may_not_choose_who_gets_texts_or_what_is_spent(home: Path, text: str) -> None:
    """Whoever clones a repository has not agreed to it."""
    with pytest.raises(
        ConfigError, match=r"edgecascade.toml: a project may not set [\w. ']+: found .*, wanted .*; set it in"
    ):
        read(home, project=text)


def test_a_project_cannot_bring_a_device_online(home: Path) -> None:
    """Who said that nothing leaves the device is believed."""
    config = read(home, 'mode = "only_on_device"\noffline = true\n', 'mode = "prefer_in_cloud"\noffline = false\n')

    assert config.settings.mode == "only_on_device" and config.settings.offline
    assert len(config.passed_over) == 2


@pytest.mark.parametrize(("user", "project"), [(a, b) for a in MODES for b in MODES])
def test_a_project_brings_answers_only_nearer_to_the_device(home: Path, user: str, project: str) -> None:
    """A word that asks the cloud more than the user's is passed over."""
    order = ("only_on_device", "prefer_on_device", "prefer_in_cloud", "only_in_cloud")

    config = read(home, f'mode = "{user}"\n', f'mode = "{project}"\n')

    assert config.settings.mode == min(user, project, key=order.index)
    assert bool(config.passed_over) == (order.index(project) > order.index(user))


def test_a_project_makes_numbers_only_stricter(home: Path) -> None:
    """Of risk, of hedged calls, and of further drafts; a risk that nothing is known to compare with is passed over."""
    own = "epsilon = 0.05\n[policy]\nhedge_below = 0.2\nsamples = 2\n"
    looser = read(home, own, "epsilon = 0.1\n[policy]\nhedge_below = 1.0\nsamples = 8\ngates = false\n")
    stricter = read(home, own, "epsilon = 0.02\n[policy]\nhedge_below = 0.0\nsamples = 1\n")

    policy = looser.settings.policy
    assert (looser.settings.epsilon, policy.hedge_below, policy.samples, policy.gates) == (0.05, 0.2, 2, False)
    assert len(looser.passed_over) == 3 and not stricter.passed_over
    assert (stricter.settings.epsilon, stricter.settings.policy.samples) == (0.02, 1)
    assert read(home, project="epsilon = 0.02\n").settings.epsilon is None


def test_a_band_of_the_users_own_weights_stays_theirs(home: Path) -> None:
    """Where nothing is set, calls are begun early as the weights say; a project may only forbid them."""
    assert read(home).settings.policy.hedge_below is None
    assert read(home, project="policy.hedge_below = 0.0\n").settings.policy.hedge_below == 0.0
    assert read(home, project="policy.hedge_below = 0.1\n").settings.policy.hedge_below is None


def test_a_profile_is_set_by_name_or_by_a_path_seen_from_the_file(home: Path) -> None:
    """In your config or by a variable."""
    name, path = read(home, 'profile = "mine"\n'), read(home, 'profile = "./mine.toml"\n')
    variable = read(home, environment={"EDGECASCADE_PROFILE": "mine"})

    assert name.settings.profile == variable.settings.profile == "mine"
    assert path.settings.profile == str(home / "config" / "mine.toml")


def test_the_user_may_loosen_what_a_project_asks_for(home: Path) -> None:
    """A variable and a flag are the user's own words."""
    strict = 'privacy = "never"\nmode = "only_on_device"\n'

    assert read(home, "", strict, {"EDGECASCADE_PRIVACY": "allow"}).settings.privacy.default == "allow"
    assert read(home, "", strict, flags={"mode": "only_in_cloud"}).settings.mode == "only_in_cloud"


def test_the_nearest_project_file_is_taken(home: Path) -> None:
    """Upward from the working directory, to the home folder or a checkout's root and no further."""
    deep = home / "project" / "a" / "b"
    (deep / "c").mkdir(parents=True)
    (home / "project" / "edgecascade.toml").touch()
    (home.parent / "edgecascade.toml").touch()

    assert project_file(deep, {"HOME": str(home)}) == home / "project" / "edgecascade.toml"
    assert project_file(home, {"HOME": str(home)}) is None
    (deep / ".git").touch()
    assert project_file(deep / "c", {"HOME": str(home)}) is None


def test_paths_in_a_file_are_seen_from_its_folder(home: Path) -> None:
    """The fitted file and a model that is given as a path; a model's name stays a name."""
    assert read(home, 'fitted = "fits/a.json"\n').settings.fitted == home / "config" / "fits" / "a.json"
    assert read(home, project='model = "./m.gguf"\n').settings.model == str(home / "project" / "m.gguf")
    assert read(home, 'model = "hf:user/repo"\n').settings.model == "hf:user/repo"


def test_a_price_is_taken_whole(home: Path) -> None:
    """An override of another source does not mix with it, and a dot in its name is one."""
    config = read(home, '[prices."http://127.0.0.1:8081/v1#m"]\ninput = 0\noutput = 0.5\n')

    assert config.settings.prices["http://127.0.0.1:8081/v1#m"].output == 0.5
    assert "prices.http://127.0.0.1:8081/v1#m" in config.origin


def test_the_rules_of_privacy_are_those_of_the_settings(home: Path) -> None:
    """Nothing is lost on the way; an unknown kind is refused."""
    rules = rules_of(read(home, 'privacy = "allow"\n').settings)

    assert rules.default == "allow"
    with pytest.raises(ConfigError, match="colour"):
        rules_of(read(home, '[privacy.kinds]\ncolour = "never"\n').settings)


def test_settings_are_changed_where_they_stand(home: Path) -> None:
    """Comments, order and other settings stay; None takes one out; what is written can be read."""
    path = user_file(folders(home))
    path.write_text('# mine\nmode = "only_on_device" # why\nprivacy = "never"\n\n[policy]\nband = 0.1 # near\n')

    write_settings(path, {"mode": None, "cloud": "openai:m", "privacy.default": "allow", "policy.samples": 2})

    text = path.read_text()
    assert "# mine" in text and "band = 0.1 # near" in text and "only_on_device" not in text
    settings = config_of(folders(home), home, {}).settings
    assert (settings.cloud, settings.privacy.default, settings.policy.samples) == ("openai:m", "allow", 2)


def test_a_first_config_is_written_with_its_schema(home: Path) -> None:
    """Whole, readable by its owner alone, and in a folder that there need not be."""
    there = replace(folders(home), config=home / "new" / "config")

    write_settings(user_file(there), {"cloud": 'a "b" \\ c', "budget": None})

    assert "schema_version = 1" in user_file(there).read_text()
    assert config_of(there, home, {}).settings.cloud == 'a "b" \\ c'
    assert user_file(there).stat().st_mode & 0o077 == 0


def test_however_a_table_is_spelled_it_is_changed_in_place(home: Path) -> None:
    """Inline, dotted, short, or as a table; a linked file stays a link."""
    (real := home / "dotfiles.toml").touch()
    user_file(folders(home)).symlink_to(real)
    for text in (
        'privacy = {default = "never", region = "DE"}\n',
        'privacy.default = "never"\nprivacy.region = "DE"\n',
        '[policy]\nband = 0.1\n[privacy]\ndefault = "never"\nregion = "DE"\n',
        'privacy = "never"\n[policy]\nband = 0.1\n',
    ):
        real.write_text(text)

        write_settings(user_file(folders(home)), {"privacy.default": "allow", "privacy.region": "FR", "model": "m"})

        settings = config_of(folders(home), home, {}).settings
        assert (settings.privacy.default, settings.privacy.region, settings.model) == ("allow", "FR", "m")
    assert user_file(folders(home)).is_symlink()


def test_a_damaged_file_is_not_written_over(home: Path) -> None:
    """It may hold what its owner wants back."""
    path = user_file(folders(home))
    path.write_text("mode = ")

    with pytest.raises(ConfigError, match="cannot be read"):
        write_settings(path, {"mode": "only_on_device"})

    assert path.read_text() == "mode = "


def test_the_page_lists_every_setting_with_its_default() -> None:
    """In the order in which they stand, so that none is missing or gone."""
    page = DOCS.read_text(encoding="utf-8").split("\n## Settings\n")[1].split("\n## ")[0]
    rows = [re.findall(r"[^|]+", line) for line in page.splitlines() if line.startswith("| `")]
    listed = {row[0].strip(" `"): row[1].strip() for row in rows}

    defaults = leaves_of(Settings().model_dump(mode="json"))
    assert list(listed) == list(defaults)
    for name, default in defaults.items():
        assert default in (None, {}, []) or listed[name] == f"`{json.dumps(default)}`", name


def test_the_page_shows_a_config_that_can_be_used(home: Path) -> None:
    """The example is read as it stands."""
    (example,) = re.findall(r"^```toml\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    settings = read(home, example).settings

    assert settings.policy.hedge_below == 0.2 and rules_of(settings).kinds["card"] == "never"
