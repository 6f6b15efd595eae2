"""``edgecascade devices``, as a user types it."""

import json
import os
import re
from collections import Counter
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecascade import Cascade
from edgecascade.cli import main
from edgecascade.cli.progress import _twentieths
from edgecascade.cli.provenance import noted as noted_lines
from edgecascade.page.markup import significant
from edgecascade.profile import Curve, DeviceLimits, EngineChoice, Figure, Match, Power, Profile, Speed, Weights
from edgecascade.simulate.comparing import compared
from edgecascade.simulate.playing import CloudFacts
from edgecascade.store.files import write_whole
from edgecascade.store.fitted_files import FittedFile, onnx_beside, read_fitted, write_fitted
from edgecascade.store.ledger import Ledger
from edgecascade.store.manifests import read_manifest
from edgecascade.store.paths import shipped
from edgecascade.store.profiles import write_profile
from edgecascade.testing import ScriptedReply, ScriptedTier

SHIPPED = shipped("calibration/fitted") / "smollm2-135m.json"
MODEL = read_manifest(shipped("models") / "smollm2-135m.toml")
SOURCE = "a bench, https://example.org/bench"
ROWS = 120
CLOUD = ("--cloud", "openai:gpt-4o-mini", "--cloud-seconds", "2.0")
EVERY = Match(system=".")
"""Holds on whatever machine the tests run."""
NONE = Match(arch="none such")


def profile_of(name: str, tps: float, *, match: Match = NONE, watts: float | None = 5.0) -> Profile:
    """Return a profile that writes so many tokens a second with a model of 1 GB."""
    figure = None if watts is None else Figure(watts, "literature prior", SOURCE)
    speed = Speed(
        model="One B", parameters=1e9, bytes=1e9, prefill=Curve(((0, 0.0), (512, 100 / tps))),
        decode=Curve(((0, 1 / tps),)), mark="measured", source=SOURCE,
    )  # fmt: skip
    return Profile(
        name=name, title=f"The {name}", kind="board", match=match, engine=EngineChoice(threads=3), speeds=(speed,),
        power=Power(idle=figure, decode=figure), limits=DeviceLimits(memory_bytes=4 * 2**30),
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user with two profiles, the fast one for every machine."""
    for profile in (profile_of("my-fast", 500.0, match=EVERY), profile_of("my-slow", 0.01)):
        write_profile(tmp_path / "data" / "devices" / f"{profile.name}.toml", profile)
    return tmp_path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped fitted file with few of its questions, each with what playing it again needs."""
    file, out = read_fitted(SHIPPED), tmp_path_factory.mktemp("fitted") / "f.json"
    held = file.held_out
    columns = {name: getattr(held, name)[:ROWS] for name in ("task", "p", "local", "loss", "seconds")}
    columns |= {
        "cloud": tuple(float(number % 10 > 0) for number in range(ROWS)),
        "baselines": {name: column[:ROWS] for name, column in held.baselines.items()},
        "exact": columns["p"],
        "prompt_tokens": (60,) * ROWS,
        "tokens": tuple(5 + number % 20 for number in range(ROWS)),
        "ended": (True,) * ROWS,
        "turned": (False,) * ROWS,
        "looks": ((None,) * ROWS,) * len(file.gates),
    }
    whole = file.model_copy(update={"held_out": held.model_copy(update=columns)})
    write(out, whole)
    return out


def write(path: Path, file: FittedFile) -> None:
    """Write a changed fitted file as if it had been fitted so."""
    write_fitted(path, file.model_copy(update={"id": file.digest()}), onnx_beside(SHIPPED).read_bytes())


def run(home: Path, *words: str | Path, **environment: str) -> Result:
    """Run the command as that user, in a folder of no project."""
    usual: dict[str, str | None] = {name: None for name in os.environ if name.startswith("EDGECASCADE_")}
    usual |= {"EDGECASCADE_HOME": str(home), "COLUMNS": "140", "OPENAI_BASE_URL": None}
    with chdir(home):
        return CliRunner().invoke(main, ["devices", *map(str, words)], env={**usual, **environment})


def test_list_shows_yours_first_and_which_is_in_use(home: Path) -> None:
    """Your own stand before the shipped ones, one arrow points at the one in use; a broken file hides no other."""
    write_whole(home / "data" / "devices" / "broken.toml", "schema_version = 1\nnam = 'x'\n")
    done = run(home, "list")
    records = json.loads(run(home, "list", "--json").stdout)

    assert re.findall(r"^→ +(\S+)", done.stdout, re.MULTILINE) == ["my-fast"]
    assert [record["name"] for record in records[:3]] == ["broken", "my-fast", "my-slow"]
    assert {record["origin"] for record in records[3:]} == {"shipped"}
    assert [record["name"] for record in records if record["in_use"]] == ["my-fast"]
    assert records[1]["best_known"]["decode_tps"] == pytest.approx(500)
    assert "passed over" in done.stderr and "broken.toml" in done.stderr


def test_show_tells_every_figure_with_its_source(home: Path) -> None:
    """Without a name it is the one in use: rules and answers, engine settings, figures with mark and source."""
    said = run(home, "show").stdout
    record = json.loads(run(home, "show", "my-slow", "--json").stdout)

    assert "system      yes" in said and "threads = 3" in said
    assert f"power while writing: 5 W [literature prior: {SOURCE}]" in said
    assert f"One B: writes 500 t/s, reads 2,560 t/s [measured: {SOURCE}]" in said
    assert "scaled from One B" in said and "memory: 4 GiB" in said
    assert record["rules"] == {"arch": False} and record["engine"] == {"threads": 3}
    assert record["configured"]["speed"]["mark"] == "estimate" and "battery" in record["sensors"]


def test_the_speed_of_the_configured_model_is_scaled_by_its_size(home: Path) -> None:
    """A token takes the shorter, the fewer bytes it reads, but not in proportion."""
    record = json.loads(run(home, "show", "--json").stdout)["configured"]

    (_, seconds) = record["speed"]["decode"]["points"][0]
    assert record["model"] == "smollm2-135m"
    assert seconds == pytest.approx((MODEL.bytes / 1e9) ** (2 / 3) / 500)


def test_two_that_match_are_told_and_can_be_chosen_between(home: Path) -> None:
    """Show refuses with both names, list says so and goes on, use ends it."""
    write_profile(home / "data" / "devices" / "other.toml", profile_of("other", 3.0, match=EVERY))
    shown, listed, used, again = (run(home, *words) for words in (["show"], ["list"], ["use", "other"], ["show"]))

    assert shown.exit_code == 3 and "my-fast and other" in shown.stderr and "devices use NAME" in shown.stderr
    assert listed.exit_code == 0 and "two profiles match" in listed.stderr and "→" not in listed.stdout
    assert used.exit_code == 0 and again.stdout.startswith("other:")


def test_use_writes_the_config_and_says_what_changes(home: Path) -> None:
    """Other settings and comments stay; none takes it out again; one for other machines is used, with a note."""
    config = home / "config" / "config.toml"
    write_whole(config, "# mine\nschema_version = 1\nepsilon = 0.1\n")
    used, shown = run(home, "use", "my-slow"), run(home, "show")
    text = config.read_text(encoding="utf-8")
    back = run(home, "use", "none")

    assert text == '# mine\nschema_version = 1\nepsilon = 0.1\nprofile = "my-slow"\n'
    assert "profile = my-slow (was none)" in used.stdout and "threads = 3" in used.stdout
    assert "for other machines: arch" in used.stderr
    assert shown.stdout.startswith("my-slow:")
    assert "profile = none (was my-slow)" in back.stdout and "profile" not in config.read_text(encoding="utf-8")


def test_an_unknown_name_is_refused_with_near_ones(home: Path, fitted: Path) -> None:
    """And nothing is written."""
    commands = (["use", "my-fst"], ["show", "my-fst"], ["compare", "my-fst", "--fitted", fitted, *CLOUD])
    done = [run(home, *words) for words in commands]

    assert [one.exit_code for one in done] == [3, 3, 3]
    assert all("my-fast" in one.stderr for one in done)
    assert not (home / "config").exists()


def test_names_are_completed(home: Path) -> None:
    """The shell is offered every profile that starts so."""
    words = {"COMP_WORDS": "edgecascade devices use my-", "COMP_CWORD": "3", "_EDGECASCADE_COMPLETE": "bash_complete"}
    environment = {"EDGECASCADE_HOME": str(home)} | words
    done = CliRunner().invoke(main, [], env=environment, prog_name="edgecascade")

    assert done.stdout.split() == ["plain,my-fast", "plain,my-slow"]


def test_compare_sets_each_profile_beside_the_cloud(home: Path, fitted: Path) -> None:
    """What pays comes first, what never does last and with its reason; the cloud alone and the assumptions are told."""
    done = run(home, "compare", "my-slow", "my-fast", "--fitted", fitted, *CLOUD, "--usd-per-second", "0.01")
    lines = done.stdout.splitlines()

    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in lines if line.startswith("my-")] == ["my-fast", "my-slow"]
    assert "my-fast ←" in done.stdout and "never: my-slow: " in done.stdout
    assert "cloud alone: 90.0% right, 2.00 s on average, 95 of 100 within 2.00 s" in done.stdout
    assert "not measured on your unit" in done.stdout


def test_compare_as_json_is_the_records_themselves(home: Path, fitted: Path) -> None:
    """The same numbers as the library's own function gives."""
    words = ("--cloud-usd", "0.001", "--value-usd", "0.01", "--usd-per-joule", "1e-6", "--json")
    record = json.loads(run(home, "compare", "my-fast", "--fitted", fitted, *CLOUD, *words).stdout)
    file = read_fitted(fitted)
    cloud = CloudFacts("openai:gpt-4o-mini", seconds=2.0, quality=0.9, usd=0.001)
    expected = compared(
        profile_of("my-fast", 500.0, match=EVERY), file, parameters=MODEL.parameters, bytes=MODEL.bytes, cloud=cloud,
        weights=Weights(value_usd=0.01, usd_per_joule=1e-6),
    )  # fmt: skip

    (row,) = record["rows"]
    assert row["cascade"]["kept"] == pytest.approx(expected.cascade.kept)
    assert row["cascade"]["seconds_mean"] == pytest.approx(expected.cascade.seconds_mean)
    assert row["cascade"]["joules"] == pytest.approx(expected.cascade.joules)
    assert (row["verdict"], row["why"]) == (expected.verdict, expected.why)
    assert record["here"] == "my-fast" and record["weights"]["value_usd"] == 0.01


def test_compare_writes_a_page(home: Path, fitted: Path) -> None:
    """With --out, beside the table; what it read is not written over."""
    out = home / "page.html"
    done = run(home, "compare", "my-fast", "--fitted", fitted, *CLOUD, "--out", out)
    over = run(home, "compare", "my-fast", "--fitted", fitted, *CLOUD, "--out", home / "page.txt")

    assert done.exit_code == 0 and "<html" in out.read_text(encoding="utf-8")
    assert over.exit_code == 3 and "wanted '.html'" in over.stderr


def test_conditions_move_the_weights_and_say_so(home: Path, fitted: Path) -> None:
    """An almost empty battery makes joules dearer, which is told; nothing is moved without a price."""
    words = ("compare", "my-fast", "--fitted", fitted, *CLOUD, "--on-battery", "0.1", "--hot")
    moved, free = run(home, *words, "--usd-per-joule", "1e-6").stdout, run(home, *words).stdout

    assert "a joule counts 10 times" in moved and "taken to be on battery at 10 %, hot" in moved
    assert "a joule counts" not in free


def test_weights_and_cloud_come_from_the_config(home: Path, fitted: Path) -> None:
    """What is set there holds where no option says otherwise."""
    text = 'schema_version = 1\ncloud = "openai:gpt-4o-mini"\n[policy]\nvalue_usd = 0.5\nusd_per_second = 0.25\n'
    write_whole(home / "config" / "config.toml", text)
    words = ("compare", "my-fast", "--fitted", fitted, "--cloud-seconds", "2", "--usd-per-second", "0.125", "--json")
    record = json.loads(run(home, *words).stdout)

    assert record["cloud"]["name"] == "openai:gpt-4o-mini" and record["cloud"]["price"]["input"] > 0
    assert (record["weights"]["value_usd"], record["weights"]["usd_per_second"]) == (0.5, 0.125)


def test_a_clouds_seconds_and_tokens_are_what_the_ledger_saw(home: Path, fitted: Path) -> None:
    """The means of its own answers, as `ask` expects them: neither those of other clouds nor those that broke off."""
    said = (("Yes.", "openai:gpt-4o-mini"), ("Yes, it does.", "openai:gpt-4o-mini"), ("Oh.", "openai:other"))
    (home / "state").mkdir()
    for number, (text, name) in enumerate(said):
        ledger = Ledger(home / "state" / "ledger.db", clock=lambda: 1e9)
        tier = ScriptedTier(ScriptedReply(text, seconds_a_token=1.0), name=name, place="cloud")
        with Cascade([tier], ledger=ledger) as cascade:
            cascade.ask(f"Question {number}?")
    record = json.loads(run(home, "compare", "my-fast", "--fitted", fitted, *CLOUD[:2], "--json").stdout)

    assert (record["cloud"]["seconds"], record["cloud"]["tokens"]) == (2.0, 2.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cloud", "openai:gpt-4o-mini"), "give --cloud-seconds"),
        (("--cloud", "http://127.0.0.1:9/v1#m", "--cloud-seconds", "1"), "give --cloud-usd"),
        ((*CLOUD, "--open"), "give --out"),
        ((*CLOUD, "--value-usd", "nan"), "found nan, wanted a number between 0 and 1e+12"),
        ((*CLOUD, "--usd-per-second", "1e308"), "found 1e+308, wanted a number between 0 and 1e+12"),
        ((*CLOUD, "--on-battery", "80"), "0<=x<=1"),
    ],
)
def test_what_is_missing_is_named(home: Path, fitted: Path, words: tuple[str, ...], said: str) -> None:
    """A cloud of unknown seconds or price, a page without a place, and what is no number: each says what to do."""
    done = run(home, "compare", "my-fast", "--fitted", fitted, *words)

    assert done.exit_code in (2, 3) and said in " ".join(done.stderr.split())


def test_an_older_fitted_file_must_be_fitted_again(home: Path, fitted: Path, tmp_path: Path) -> None:
    """Without the columns to play its questions again there is nothing to compare."""
    file = read_fitted(fitted)
    older = file.held_out.model_copy(
        update=dict.fromkeys(("exact", "prompt_tokens", "tokens", "ended", "turned", "looks"), ())
    )
    write(tmp_path / "older.json", file.model_copy(update={"held_out": older}))
    done = run(home, "compare", "my-fast", "--fitted", tmp_path / "older.json", *CLOUD)

    assert done.exit_code == 3 and "fit again" in done.stderr


def test_a_model_of_unknown_size_is_named_by_its_file(home: Path, fitted: Path, tmp_path: Path) -> None:
    """Where no manifest has the weights that were fitted, --model says how large they are."""
    file = read_fitted(fitted)
    write(tmp_path / "other.json", file.model_copy(update={"identity": replace(file.identity, sha256="f" * 64)}))
    words = ("compare", "my-fast", "--fitted", tmp_path / "other.json", *CLOUD)
    done, named = run(home, *words), run(home, *words, "--model", "smollm2-135m")

    assert done.exit_code == 3 and "--model" in done.stderr
    assert named.exit_code == 0 and ", as large as smollm2-135m, on 1 device profile" in named.stdout


def test_a_profile_without_speeds_is_left_out_and_told(home: Path, fitted: Path) -> None:
    """It does not keep the others from being compared; alone it is an error."""
    write_profile(home / "data" / "devices" / "bare.toml", replace(profile_of("bare", 1.0), speeds=()))
    both = run(home, "compare", "bare", "my-fast", "--fitted", fitted, *CLOUD)
    alone = run(home, "compare", "bare", "--fitted", fitted, *CLOUD)

    assert both.exit_code == 0 and "left out: bare" in both.stdout
    assert alone.exit_code == 3 and "edgecascade measure" in alone.stderr


@pytest.mark.parametrize("columns", ["140", "80", "40"])
def test_no_number_is_cut_on_a_narrow_terminal(home: Path, fitted: Path, columns: str) -> None:
    """Names fold and tables become blocks, but every number is whole."""
    done = run(home, "compare", "my-fast", "my-slow", "--fitted", fitted, *CLOUD, COLUMNS=columns)
    wide = run(home, "compare", "my-fast", "my-slow", "--fitted", fitted, *CLOUD, COLUMNS="200")

    row = next(line for line in wide.stdout.splitlines() if line.startswith("my-slow"))
    assert set(row.split()) <= set(done.stdout.split())
    assert "…" not in done.stdout


def test_a_profile_in_use_by_its_path_is_listed(home: Path, tmp_path: Path) -> None:
    """The arrow points at the file itself, also where one of the same name is listed too."""
    write_profile(tmp_path / "elsewhere" / "my-fast.toml", profile_of("my-fast", 7.0))
    used = run(home, "use", tmp_path / "elsewhere" / "my-fast.toml")
    listed, records = run(home, "list").stdout, json.loads(run(home, "list", "--json").stdout)

    assert used.exit_code == 0 and re.findall(r"^→ +(\S+)", listed, re.MULTILINE) == ["my-fast"]
    (record,) = (record for record in records if record["in_use"])
    assert record["path"] == str(tmp_path / "elsewhere" / "my-fast.toml")
    assert [one["name"] for one in records].count("my-fast") == 2


@pytest.mark.parametrize("columns", ["64", "80", "100", "200"])
def test_the_list_folds(home: Path, columns: str) -> None:
    """No line is longer than the terminal, nor than 100 columns, and nothing is cut."""
    done = run(home, "list", COLUMNS=columns)

    titles = "".join(entry["title"] for entry in json.loads(run(home, "list", "--json").stdout))

    assert max(map(len, done.stdout.splitlines())) <= min(int(columns), 100)
    assert "…" not in done.stdout and Counter(titles.replace(" ", "")) <= Counter(done.stdout)


def test_what_a_measurement_noted_is_told_in_lines(home: Path) -> None:
    """Date, mode, library, remarks and the figures worth having, one a line and none as a record; --json has all."""
    steps = {
        "first token": {"seconds": 0.0865},
        "load": {"bytes": 209 * 2**20, "context": 4096, "bytes_per_1k_context": 22 * 2**20},
        "energy": {"meter": "rapl", "decode": {"watts": 9.0, "joules": 0.25, "net_joules": 0.125}},
        "variants": {"gains": {"chunk 256": {"reading": 1.15, "writing": 1.01}}, "failed": {}},
        "decode": {"left_out": [], "remarks": ["made to wait for a core 9 times"]},
    }
    noted = {"date": "2026-11-22", "mode": "quick", "library": "llama 1", "python": "3", "models": {"One B 98": steps}}
    write_profile(home / "data" / "devices" / "noted.toml", replace(profile_of("noted", 5.0), provenance=noted))
    said = run(home, "show", "noted").stdout
    record = json.loads(run(home, "show", "noted", "--json").stdout)["profile"]["provenance"]

    assert "{" not in said and max(map(len, said.splitlines())) < 200
    for line in (
        "date: 2026-11-22",
        "mode: quick",
        "library: llama 1",
        "One B: first token of a short question in 0.0865 s",
        "One B: memory 209 MiB with a context of 4096, 22 MiB a further 1k",
        "One B: 0.25 J a token of writing, 0.125 J above rest",
        "One B: with chunk 256 it reads 1.15 x and writes 1.01 x as fast; not adopted",
        "One B: decode: made to wait for a core 9 times",
    ):
        assert f"  {line}\n" in said
    assert record["models"]["One B 98"] == steps and record["python"] == "3"


def test_records_by_hand_are_passed_over() -> None:
    """What is not of the form that `measure` writes is no reason to fail."""
    odd = {"date": 5, "models": {"x 1": "text", "y": {"load": 3, "decode": {"remarks": None}}}, "more": {"a": 1}}

    assert noted_lines(odd) == []


def test_the_mean_and_the_gates_are_in_the_table(home: Path, fitted: Path) -> None:
    """The mean decides, so it is shown, with digits enough; a profile whose gates pay is marked, and the mark told."""
    done = run(home, "compare", "my-fast", "--fitted", fitted, *CLOUD)
    record = json.loads(run(home, "compare", "my-fast", "--fitted", fitted, *CLOUD, "--json").stdout)
    (row,) = record["rows"]

    line = next(line for line in done.stdout.splitlines() if line.startswith("my-fast"))
    assert f" {significant(row['cascade']['seconds_mean'])} " in line
    assert ("*: gates stop" in done.stdout) == row["gated"]


def test_progress_in_a_pipe_is_told_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    """However fast a job is: the first and the last, and between them nothing sooner than three seconds."""
    now = iter(range(0, 100))
    show = _twentieths("profiles", clock=lambda: next(now) / 2)
    for done in range(21):
        show(done, 20)
    lines = capsys.readouterr().err.splitlines()

    assert [line.split()[0] for line in lines] == ["0", "6", "12", "18", "20"]
