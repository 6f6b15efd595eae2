"""The steps of a calibration as the terminal sees them: progress, notes, results."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.options import settings_of
from edgecascade.cli.progress import counter

if TYPE_CHECKING:
    from edgecascade.calibrate.collect import Progress
    from edgecascade.calibrate.target import Target
    from edgecascade.guarantees.certificate import Promise
    from edgecascade.identity import Identity
    from edgecascade.store.attempts import Attempts
    from edgecascade.store.fitted_files import FittedFile
    from edgecascade.store.paths import Folders
    from edgecascade.store.questions import QuestionFile


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did, and of which model file."""

    progress: "Progress"
    sha256: str
    out: Path


def questions_in(source: Path, **options: Any) -> "QuestionFile":
    """Return the questions of a file, and say which of them were left out."""
    from edgecascade.calibrate.collect import questions_of
    from edgecascade.grading import UNGRADED

    file = questions_of(source, **options)
    for metric, count in file.left_out.items():
        click.secho(f"note: {count} questions left out, {metric}: {UNGRADED[metric]}", err=True, fg="yellow")
    if file.repeated:
        click.secho(f"note: {file.repeated} repeated questions left out", err=True, fg="yellow")
    return file


def collect_into(
    file: "QuestionFile",
    out: Path | Callable[[str], Path],
    *,
    model: str | None,
    engine: dict[str, Any],
    system: str | None = None,
    cloud: str | None = None,
    cloud_column: str | None = None,
    judge: str | None = None,
    limit: int | None = None,
    shard: str = "1/1",
    max_tokens: int | None = None,
) -> Collected:
    """Answer and grade questions into ``out``, which may depend on the model file's sha256, with progress."""
    from edgecascade.calibrate.collect import booked, collect, part_of
    from edgecascade.cascade.assembling import read_config
    from edgecascade.cli.opening import open_model
    from edgecascade.errors import QuestionFileError
    from edgecascade.store.attempts import header_of
    from edgecascade.store.ledger import Ledger
    from edgecascade.store.paths import Folders

    todo = part_of(file.questions, shard=shard, limit=limit)
    if not todo:
        raise QuestionFileError(
            "nothing to ask: found no question that can be graded, wanted at least one; see the notes"
        )
    with ExitStack() as open_now:
        tier = grader = None
        if cloud or judge:
            settings = read_config({}).settings
            ledger = open_now.enter_context(Ledger(Folders.of(os.environ).state / "ledger.db", clock=time.time))
            tier = open_now.enter_context(booked(cloud, settings, ledger)) if cloud else None
            grader = open_now.enter_context(booked(judge, settings, ledger)) if judge else None
        opened = open_now.enter_context(open_model(model, settings_of(engine)))
        show = open_now.enter_context(counter("questions"))
        path = out if isinstance(out, Path) else out(opened.sha256)
        begun = header_of(path)
        if begun is None:
            click.secho("asking 64 fixed prompts first, the model's fingerprint", err=True, dim=True)
        if begun and begun.questions != file.sha256:
            click.secho(f"note: {path} was begun with other questions; these are added to it", err=True, fg="yellow")

        def tell(progress: "Progress") -> None:
            right = f"{progress.correct / progress.answered:.0%} of this run right" if progress.answered else ""
            show(progress.done, progress.total, right)

        done = collect(
            opened.engine,
            todo,
            path,
            sha256=opened.sha256,
            source=file.sha256,
            today=date.today().isoformat(),
            system=opened.system if system is None else system or None,
            cloud=tier or cloud_column,
            cloud_name=cloud or cloud_column,
            judge=grader,
            judge_name=judge,
            shard=shard,
            max_tokens=max_tokens,
            tell=tell,
            clock=time.monotonic,
        )
        for count, what in ((done.left_out, "too long for the context, left out"), (done.unparsed, "no answer found")):
            if count:
                click.secho(f"note: {count} questions: {what}", err=True, fg="yellow")
        return Collected(done, opened.sha256, path)


def attempts_in(paths: Sequence[Path]) -> "Attempts":
    """Return the attempts of a file, or of shards, and say where the numbers of one are missing."""
    from edgecascade.store.attempts import read_attempts, sidecar_of

    for path in paths:
        if not sidecar_of(path).exists():
            click.secho(f"note: no hidden states and no gates: {sidecar_of(path)} is missing", err=True, fg="yellow")
    return read_attempts(paths)


def attempts_from_ledger(model: str | None, engine: dict[str, Any]) -> "Attempts":
    """Return what shadows have recorded of a model, which is opened for its fingerprint."""
    from edgecascade.calibrate.collect import first_token
    from edgecascade.calibrate.from_ledger import attempts_of
    from edgecascade.cli.opening import open_model
    from edgecascade.fingerprint import fingerprint
    from edgecascade.store.ledger import Ledger
    from edgecascade.store.paths import Folders

    path = Folders.of(os.environ).state / "ledger.db"
    with open_model(model, settings_of(engine)) as opened, Ledger(path, clock=time.time) as ledger:
        today = date.today().isoformat()
        found, others = attempts_of(ledger, sha256=opened.sha256, today=today, fingerprint=())
        click.secho("asking 64 fixed prompts first, the model's fingerprint", err=True, dim=True)
        asked = fingerprint(first_token(opened.engine))
    if others:
        click.secho(f"note: {others} shadows were run in another way, and are left out", err=True, fg="yellow")
    return replace(found, header=found.header.model_copy(update={"fingerprint": asked}))


def target_of(profile: str, attempts: "Attempts", model: str | None, costs: Mapping[str, float]) -> "Target":
    """Return the device that a fit is for.

    model  the model's file, where no manifest knows the weights that made the attempts
    costs  weights, and what an answer of the cloud costs, by the options' names
    """
    from edgecascade.calibrate.target import Target
    from edgecascade.cli.compare import size_of
    from edgecascade.errors import ConfigError
    from edgecascade.profile import Weights
    from edgecascade.store.paths import Folders
    from edgecascade.store.profiles import find_profile

    folders = Folders.of(os.environ)
    found = find_profile(profile, folders)
    given = {name: costs[name] for name in Weights.__slots__ if name in costs}
    weights = replace(found.weights or Weights(), **given)
    if (weights.usd_per_second or weights.usd_per_joule) and not {"cloud_usd", "cloud_seconds"} & costs.keys():
        raise ConfigError(
            "gates cannot be chosen by what they cost: found no price of a cloud's answer, wanted one, since a cloud "
            "that costs nothing is always worth asking; give --cloud-usd and --cloud-seconds"
        )
    parameters, size = size_of(model, folders) if model else size_of_weights(attempts.header.identity, folders)
    return Target(
        profile=found,
        weights=weights,
        parameters=parameters,
        bytes=size,
        cloud_usd=costs.get("cloud_usd", 0.0),
        cloud_seconds=costs.get("cloud_seconds", 0.0),
    )


def size_of_weights(identity: "Identity", folders: "Folders") -> tuple[float, float]:
    """Return a model's parameters and bytes by the sha256 of its weights; ModelNotFoundError for an unknown one."""
    from edgecascade.errors import ManifestError, ModelNotFoundError
    from edgecascade.store.manifests import find_manifest, manifest_names

    for name in manifest_names(folders):
        with suppress(ManifestError):  # a damaged one of another model is no reason to fail
            manifest = find_manifest(name, folders)
            if manifest and manifest.sha256 == identity.sha256:
                return manifest.parameters, manifest.bytes
    raise ModelNotFoundError(
        f"the size of {identity.model} is unknown: found no manifest of sha256 {identity.sha256[:12]}, wanted one; "
        "name its file with --model"
    )


def fit_into(
    attempts: "Attempts",
    promise: "Promise",
    epsilon: float,
    delta: float,
    out: Path,
    *,
    sources: Sequence[Path] = (),
    seed: int = 0,
    as_json: bool = False,
    target: "Target | None" = None,
) -> None:
    """Fit attempts into ``out``, and say what can be promised; ``target``: the device whose costs choose the gates."""
    from edgecascade.calibrate.extras import TO_FIT, check_installed
    from edgecascade.calibrate.fit import fit
    from edgecascade.store.fitted_files import check_out, write_fitted

    check_installed(*TO_FIT)
    check_out(out, ".json", sources)
    found = fit(
        attempts,
        promise=promise,
        epsilon=epsilon,
        delta=delta,
        today=date.today().isoformat(),
        seed=seed,
        say=lambda line: click.secho(line, err=True, dim=True),
        target=target,
    )
    write_fitted(out, found.file, found.onnx)
    say_fitted(found.file, out, as_json=as_json)


def say_fitted(file: "FittedFile", out: Path, *, as_json: bool) -> None:
    """Print the promise, the advice and the figures that matter most."""
    from edgecascade.guarantees.certificate import Certificate

    certificates = [Certificate.from_json(record) for record in file.certificates]
    chosen = next(certificate for certificate in certificates if certificate.epsilon == file.epsilon)
    if as_json:
        names = ("id", "verdict", "advice", "promise", "epsilon", "delta", "certificates", "metrics", "selection")
        record = {name: getattr(file, name) for name in names}
        gates = {"gates": [gate.at for gate in file.gates], "target": file.provenance.get("target")}
        click.echo(json.dumps(record | gates | {"sentence": chosen.sentence(file.created), "out": str(out)}))
        return
    click.echo(chosen.sentence(file.created))
    click.echo(file.advice)
    for certificate in certificates:
        kept = f"keeps {certificate.share_kept:.1%}" if certificate.feasible else "nothing can be promised"
        click.echo(f"  {certificate.epsilon:6.1%}  {kept}")
    click.echo(gates_said(file))
    within = file.metrics["auroc_within_tasks"]["value"]
    ranks = "too few questions a task" if within is None else f"{within:.3f}"
    click.echo(f"head {file.selection['head']}, calibrator {file.selection['calibrator']}")
    click.echo(f"AUROC within tasks {ranks}, smooth ECE {file.metrics['smooth_ece']['value']:.3f}; {out}")


def gates_said(file: "FittedFile") -> str:
    """Return which gates a fitted file has, and by what they were chosen: for which device, at which weights."""
    from edgecascade.profile import Weights
    from edgecascade.simulate.side_by_side import weights_said

    behind = ", ".join(str(gate.at) for gate in sorted(file.gates, key=lambda gate: gate.at))
    saved = sum(gate.tokens_saved for gate in file.gates)
    last = "token" if behind == "1" else "tokens"
    found = f"gates after {behind} {last}, which save {saved:.0%} of all" if file.gates else "no gates"
    target = file.provenance.get("target")
    if not isinstance(target, dict):
        return f"{found}; chosen by what they stop, for no device in particular"
    weights = Weights(**{name: value for name, value in target.items() if name in Weights.__slots__})
    cloud = f"an answer of the cloud costs ${target['cloud_usd']:g} and takes {target['cloud_seconds']:g} s"
    return f"{found}; chosen for {target['profile']}, where {weights_said(weights)}, and {cloud}"


def report_into(fitted: Path, out: Path, *, show: bool) -> None:
    """Write the page of a fitted file."""
    from edgecascade.calibrate.extras import TO_REPORT, check_installed
    from edgecascade.calibrate.report import report_of
    from edgecascade.store.files import write_whole
    from edgecascade.store.fitted_files import check_out, read_fitted

    check_installed(*TO_REPORT)
    check_out(out, ".html", [fitted])
    write_whole(out, report_of(read_fitted(fitted)))
    click.echo(f"report: {out}")
    if show:
        click.launch(out.absolute().as_uri())
