"""A fitted file can be played again: its columns are what serves, and its gates suit the device that it is for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from threadpoolctl import threadpool_limits

from edgecascade import cli
from edgecascade.calibrate.fit import Fit
from edgecascade.calibrate.gates import Gate, fit_gates, level, measured
from edgecascade.calibrate.table import Table, table_of
from edgecascade.calibrate.target import Target
from edgecascade.errors import AttemptsError, FittedFileError, ProfileError
from edgecascade.fitted import Fitted
from edgecascade.profile import Curve, Figure, Power, Profile, Speed, Weights
from edgecascade.simulate.comparing import certificate_of
from edgecascade.simulate.playing import CloudFacts, Scene, play
from edgecascade.simulate.rows import Row, rows_of_attempts, rows_of_file, system_tokens
from edgecascade.store.attempts import Attempts, write_attempts
from edgecascade.store.fitted_files import REPLAYED, read_fitted, write_fitted
from edgecascade.store.paths import shipped
from edgecascade.store.profiles import write_profile

SPEED = Speed(
    model="tiny", parameters=1e8, bytes=1e8, prefill=Curve(((0, 0.0), (100, 1.0))), decode=Curve(((0, 0.1),)),
    mark="measured", source="hand",
)  # fmt: skip
PROFILE = Profile(
    name="board", title="A board", kind="board", speeds=(SPEED,), power=Power(decode=Figure(5.0, "measured", "hand"))
)


@pytest.fixture(scope="module")
def served(whole: Fit, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """The fitted file as it is read."""
    path = tmp_path_factory.mktemp("fitted") / "fitted.json"
    write_fitted(path, whole.file, whole.onnx)
    return Fitted(path)


def bare(rows: tuple[Row, ...]) -> list[Row]:
    """Rows without their names, in an order of their own."""
    return sorted((replace(row, id="") for row in rows), key=lambda row: (row.p, row.tokens))


def test_the_columns_are_what_the_serving_functions_say(served: Fitted, attempts: Attempts) -> None:
    """Each certified question, judged by the head, calibrator and gates that serve, is a row, to the bit."""
    columns = rows_of_file(served.file)
    every = bare(rows_of_attempts(attempts, served))

    assert len(columns) == served.file.provenance["certified_on"]
    assert all(row in every for row in bare(columns))


@pytest.mark.parametrize("gated", [True, False])
def test_playing_the_columns_keeps_what_was_certified(served: Fitted, gated: bool) -> None:
    """As many as the certificate counted, of the threshold alone and behind the gates."""
    certificate = certificate_of(served.file, gated=gated)
    assert certificate is not None
    gates = tuple((gate.at, gate.stop_below) for gate in served.file.gates)
    scene = Scene(
        speed=SPEED, threshold=certificate.threshold, gates=gates, gated=gated, cloud=CloudFacts("big", usd=0.001)
    )

    played = play(rows_of_file(served.file), scene)

    assert sum(one.kept for one in played) == certificate.kept > 0


def test_an_old_file_reads_as_ever_and_says_that_it_cannot_be_played(whole: Fit, tmp_path: Path) -> None:
    """Its digest is the one that it had; only playing it again asks for a new fit."""
    held = whole.file.held_out.model_copy(update=dict.fromkeys(REPLAYED, ()))
    old = whole.file.model_copy(update={"held_out": held})
    write_fitted(tmp_path / "old.json", old.model_copy(update={"id": old.digest()}), whole.onnx)
    read = read_fitted(tmp_path / "old.json")

    assert not any(name in (tmp_path / "old.json").read_text() for name in ('"exact"', '"looks"', '"ended"'))
    with pytest.raises(FittedFileError, match="fit again"):
        rows_of_file(read)


def test_attempts_without_their_tokens_cannot_be_played(served: Fitted, attempts: Attempts) -> None:
    """It is said which file is missing."""
    row = attempts.rows[0]
    without = Attempts(attempts.header, (replace(row, draft=replace(row.draft, tokens=())),))

    with pytest.raises(AttemptsError, match=r"\.f32"):
        rows_of_attempts(without, served)


def test_what_stays_in_memory_are_whole_chunks(whole: Fit) -> None:
    """A system message of some 70 tokens leaves one chunk of 64 in memory, a short one nothing; a note goes before."""

    def kept(**changes: Any) -> list[int]:
        return [row.reused for row in rows_of_file(whole.file.model_copy(update=changes))]

    prompts = whole.file.held_out.prompt_tokens
    noted = whole.file.provenance | {"system_tokens": 130}

    assert system_tokens(whole.file.model_copy(update={"system": "word " * 56})) == 64
    assert kept(system="word " * 56) == [min(64, tokens - 1) for tokens in prompts]
    assert system_tokens(whole.file.model_copy(update={"provenance": noted})) == 128
    assert kept(system="Be brief.") == [0] * len(prompts)


def test_what_a_server_keeps_in_memory_is_not_reckoned_with(whole: Fit) -> None:
    """Its identity tells no chunk."""
    served = replace(whole.file.identity, chunk=0)
    rows = rows_of_file(whole.file.model_copy(update={"identity": served, "system": "word " * 500}))

    assert {row.reused for row in rows} == {0}


# Gates by costs.


def target(profile: Profile = PROFILE, **weights: float) -> Target:
    """A device with a cloud of a tenth of a cent."""
    return Target(
        profile=profile, weights=Weights(**weights), parameters=1e8, bytes=1e8, cloud_usd=0.001, cloud_seconds=1.0
    )


def test_a_level_is_the_best_of_all() -> None:
    """No other level stops what is worth more in all, ties among them; where nothing is worth stopping, none is."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        logits, worth = random.normal(size=12).round(seed % 2 * 3), random.normal(loc=-0.3, size=12)
        best = max(float(worth[logits < limit].sum()) for limit in [*logits, np.inf])

        assert float(worth[logits < level(logits, worth)].sum()) == pytest.approx(max(best, 0.0))


@pytest.fixture(scope="module")
def rows(world: Any) -> Table:
    """Rows to fit gates on."""
    return table_of(world().draw(300), "regret")


def gates_for(rows: Table, wanted: Target | None) -> tuple[Gate, ...]:
    """The gates where the surer half is likely to be kept."""
    mean = np.array([row.signals["mean_logprob"] for row in rows.attempts])
    costs = wanted.costs(rows) if wanted else None
    with threadpool_limits(limits=1):  # as in a fit: threads that wait for a busy core make it slower
        return fit_gates(rows, mean >= np.median(mean), p=np.exp(mean), costs=costs)


def test_the_dearer_the_seconds_the_more_is_stopped(rows: Table) -> None:
    """Nothing is where a kept answer is worth more than all of them."""
    stopped = [
        measured(gates_for(rows, target(usd_per_second=price)), rows, np.ones(len(rows), bool))[1].mean()
        for price in (1e-9, 1e-5, 1e-3)
    ]

    assert stopped == sorted(stopped) and stopped[0] < stopped[-1]


def test_without_a_price_of_time_the_gates_are_as_ever(rows: Table) -> None:
    """A device whose seconds and joules cost nothing gets those that no device gets."""
    as_ever, free = gates_for(rows, None), gates_for(rows, target(value_usd=0.01))

    assert [(one.at, one.stop_below) for one in free] == [(one.at, one.stop_below) for one in as_ever] != []


def test_a_fit_for_a_device_says_so(world: Any, refit: Callable[..., Fit]) -> None:
    """Profile and weights stand in its provenance."""
    drawn = world().draw(60)
    plain = Attempts(drawn.header, tuple(replace(row, draft=replace(row.draft, hidden=None)) for row in drawn.rows))
    file = refit(plain, target=target(usd_per_second=1e-3)).file

    assert file.provenance["target"] == {
        "profile": "board", "cloud_usd": 0.001, "cloud_seconds": 1.0, "usd_per_second": 1e-3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--value-usd", "1"], 2, "name the device with --profile"),
        (["--usd-per-second", "nan", "--profile", "board"], 2, "found nan"),
        (["--profile", "no-such-board"], 3, "no-such-board"),
        (["--profile", "BOARD"], 3, "name its file with --model"),
        (["--profile", "BOARD", "--usd-per-second", "0.001"], 3, "give --cloud-usd"),
    ],
)
def test_what_a_fit_for_a_device_needs(
    attempts: Attempts, tmp_path: Path, options: list[str], code: int, said: str
) -> None:
    """A name for its costs, numbers, a profile that is there, and a model whose size is known."""
    write_attempts(tmp_path / "a.jsonl", attempts)
    write_profile(tmp_path / "board.toml", PROFILE)
    named = [str(tmp_path / "board.toml") if option == "BOARD" else option for option in options]
    fit = ["calibrate", "fit", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "f.json"), *named]

    result = CliRunner(env={"EDGECASCADE_HOME": str(tmp_path)}).invoke(cli.main, fit)

    assert (result.exit_code, said in result.output) == (code, True), result.output


def test_a_device_without_a_speed_is_refused(refit: Callable[..., Fit], attempts: Attempts) -> None:
    """With what to do about it, before anything is fitted."""
    said: list[str] = []
    with pytest.raises(ProfileError, match="edgecascade measure"):
        refit(attempts, target=target(replace(PROFILE, speeds=())), say=said.append)

    assert not said


def test_the_shipped_file_reads() -> None:
    """Whichever columns it has."""
    assert read_fitted(shipped("calibration/fitted/smollm2-135m.json")).gates
