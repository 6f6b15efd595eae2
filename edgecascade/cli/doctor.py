"""``edgecascade doctor``: what works on this device, what does not, and what to do about it."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from edgecascade.cli.models import complete_spec

DEVICE_CANNOT = 4


@click.command()
@click.option("-m", "--model", metavar="SPEC", shell_complete=complete_spec, help="Model to decode one token with.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(model: str | None, as_json: bool) -> None:
    """Check this device: the native library, its profile, its sensors, the models, the folders.

    It decodes one token with the model, which is fetched if there is none.
    """
    from edgecascade.cli.options import model_spec
    from edgecascade.cli.progress import progress_bar
    from edgecascade.diagnosis import diagnose
    from edgecascade.store.paths import Folders

    with progress_bar() as progress:
        found = diagnose(
            model_spec(model, os.environ),
            folders=Folders.of(os.environ),
            environment=os.environ,
            home=Path.home(),
            progress=progress,
        )
    if as_json:
        import json

        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _print(found)
    sys.exit(0 if found["ok"] else DEVICE_CANNOT)


def _print(found: dict[str, Any]) -> None:
    probe = found["probe"]
    mark = {"ok": click.style("ok", fg="green"), "fallback": click.style("fallback", fg="yellow")}
    click.echo(f"python     {found['python']} on {found['platform']}")
    click.echo(f"processor  {found['cpu']}")
    where = f" in {found['paths']['library']}" if found["llama_cpp"] else " is not installed"
    click.echo(f"library    llama-cpp-python {found['llama_cpp'] or ''}".rstrip() + where)
    click.echo(f"probe      {mark.get(probe['verdict'], click.style('broken', fg='red'))}: {probe['detail']}")
    if found["advice"]:
        click.echo(
            "\nThe library was built for instructions that this machine names but refuses. Rebuild it without:\n"
        )
        click.echo(f"    {found['advice']}\n")
    click.echo(f"profile    {_profile(found['profile'])}")
    known = {name: value for name, value in found["conditions"].items() if value is not None}
    unknown = ", ".join(name for name in found["conditions"] if name not in known) or "nothing"
    told = ", ".join(f"{name} {_plain(value)}" for name, value in known.items())
    click.echo(f"sensors    {told or 'nothing is known'}; unknown: {unknown}")
    meters = ", ".join(f"{meter['name']} ({meter['scope']}, {meter['mark']})" for meter in found["meters"])
    click.echo(f"power      {meters or found['no_meter']}")
    for model in found["models"]:
        click.echo(f"model      {model['name']}  {model['path']}")
    for name, path in found["paths"].items():
        if name != "library":
            click.echo(f"{name:<10} {path}")


def _profile(found: dict[str, Any] | None) -> str:
    """Return one line on the profile in use."""
    if found is None:
        return "none fits this device; `edgecascade measure` writes one"
    if "fault" in found:
        return f"{click.style('unclear', fg='yellow')}: {found['fault']}"
    figures = " and ".join(found["speeds"]) or "unknown"
    return f"{found['name']} ({found['origin']}; speeds: {figures}): {found['title']}"


def _plain(value: object) -> str:
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"
