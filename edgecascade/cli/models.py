"""``edgecascade models``: list, pull, show, add, where, remove.

A SPEC is a manifest's name, a path, hf:user/repo[:QUANT], ollama:name[:tag], lmstudio:publisher/model or an https
address of a GGUF.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from edgecascade.store.paths import Folders


class Here(TypedDict):
    """What the jobs need to know of this user and device."""

    folders: "Folders"
    environment: dict[str, str]
    home: Path


def here() -> Here:
    """Return this user's folders, environment and home."""
    from edgecascade.store.paths import Folders

    return {"folders": Folders.of(os.environ), "environment": dict(os.environ), "home": Path.home()}


def complete_spec(context: click.Context, parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the specs known here that start so; paths are completed by the shell."""
    from click.shell_completion import CompletionItem

    from edgecascade.pull import specs_of

    known = [CompletionItem(spec) for spec in specs_of(**here()) if spec.startswith(incomplete)]
    return known or [CompletionItem(incomplete, type="file")]


as_json = click.option("--json", "as_json", is_flag=True, help="Print the record itself.")


@click.group()
def models() -> None:
    """Find, fetch and look at model files."""


@models.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List the models that have a name, and where they lie."""
    from edgecascade.pull import specs_of

    records = [_record(spec) for spec in specs_of(**here())]
    if as_json:
        _print_json(records)
        return
    rows = [("NAME", "WEIGHTS", "QUANT", "MB", "LICENCE", "WHERE")]
    for record in records:
        cells = (_count(record["parameters"]), record["quantisation"], f"{record['bytes'] / 1e6:,.0f}")
        rows.append((record["name"], *cells, record["licence"] or "unknown", record["path"] or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@models.command()
@click.argument("spec", shell_complete=complete_spec)
def pull(spec: str) -> None:
    """Fetch a model, if it is not on this device, and print its path."""
    from edgecascade import pull as job
    from edgecascade.cli.progress import progress_bar

    with progress_bar() as progress:
        file = job.pull(spec, progress=progress, **here())
    click.echo(file.path)


@models.command()
@click.argument("spec", shell_complete=complete_spec)
@as_json
def show(spec: str, as_json: bool) -> None:
    """Show what a model file says about itself, or its manifest while it is not here."""
    record = _record(spec, whole=True)
    if as_json:
        _print_json(record)
        return
    if record["path"] is None:
        record["path"] = f"not on this device; fetch it with: edgecascade models pull {spec}"
    template = record.pop("chat_template", None)
    if "architecture" in record:
        record["chat_template"] = template.strip().splitlines()[0][:80] if template and template.strip() else "none"
    record.pop("metadata", None)
    if record.get("parameters"):
        record["parameters"] = f"{_count(record['parameters'])} ({record['parameters']:,})"
    for field, value in record.items():
        if value not in (None, ""):
            click.echo(f"{field.replace('_', ' '):<16}{_line(value)}")


@models.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it; by default after the file.")
def add(path: Path, name: str | None) -> None:
    """Give a GGUF file on this device a name. The file stays where it is."""
    from edgecascade.errors import ManifestError
    from edgecascade.store.manifests import manifest_of_file, user_manifest, write_manifest

    manifest = manifest_of_file(path, name)
    target = user_manifest(manifest.name, here()["folders"])
    if target.exists():
        raise ManifestError(
            f"{manifest.name} is already a name: found {target}, wanted one that is free; "
            f"choose another with --name, or run `edgecascade models remove {manifest.name}`"
        )
    write_manifest(manifest, target)
    click.echo(manifest.name)


@models.command()
@click.argument("spec", required=False, shell_complete=complete_spec)
@as_json
def where(spec: str | None, as_json: bool) -> None:
    """Print where a model lies, for scripts; without SPEC, the folder that downloads go to."""
    from edgecascade.errors import ModelNotFoundError
    from edgecascade.pull import locate

    if spec is None:
        path, origin = here()["folders"].models, "user cache"
    elif file := locate(spec, **here()):
        path, origin = file.path, file.origin
    else:
        raise ModelNotFoundError(
            f"{spec} is not on this device: found it in no cache, wanted a file; "
            f"fetch it with `edgecascade models pull {spec}`"
        )
    if as_json:
        _print_json({"spec": spec, "path": str(path), "origin": origin})
    else:
        click.echo(path)


@models.command()
@click.argument("name", shell_complete=complete_spec)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Delete our own copy of a model, and the name that you gave it. Files of other tools are left alone."""
    from edgecascade.errors import ModelNotFoundError
    from edgecascade.pull import locate, own_files

    files = own_files(name, folders=here()["folders"], home=here()["home"])
    if not files:
        file = locate(name, **here())
        keeper = "nowhere on this device" if file is None else f"at {file.path}, which is not ours ({file.origin})"
        raise ModelNotFoundError(
            f"there is nothing of ours to delete for {name}: found it {keeper}, wanted a file or a name that "
            "edgecascade made; delete it with the tool that keeps it"
        )
    size = sum(path.stat().st_size for path in files) / 1e6
    for path in files:
        click.echo(path)
    if not yes:
        click.confirm(f"Delete {'this' if len(files) == 1 else 'these'} ({size:,.1f} MB)?", abort=True)
    for path in files:
        path.unlink(missing_ok=True)


def _record(spec: str, *, whole: bool = False) -> dict[str, Any]:
    """Return a model's record: its manifest, where it lies, and (``whole``, or without a manifest) its own header."""
    from dataclasses import asdict

    from edgecascade.errors import ManifestError, ModelFileError, ModelNotFoundError
    from edgecascade.pull import locate, sha256_of_model
    from edgecascade.store.gguf import read_gguf
    from edgecascade.store.manifests import find_manifest

    try:
        manifest = find_manifest(spec, here()["folders"])
    except ManifestError:
        if whole:
            raise
        return {"name": spec, "path": None, "origin": None, "parameters": 0, "bytes": 0, "quantisation": ""} | {
            "licence": "unreadable manifest"
        }
    record: dict[str, Any] = {"name": spec, "path": None, "origin": None}
    record |= manifest.model_dump(mode="json") if manifest else dict.fromkeys(("licence", "quantisation"), "")
    try:
        file = locate(spec, **here())
        header = asdict(read_gguf(file.path)) if file and (whole or not manifest) else {}
    except (ModelNotFoundError, ModelFileError):
        if whole:
            raise
        return {"parameters": 0, "bytes": 0} | record | {"licence": "unreadable"}
    if header:
        record |= {"title": record.get("title") or header["name"], "licence": record["licence"] or header["licence"]}
        record["bytes"] = header.pop("bytes")
        del header["name"], header["licence"]
        record |= {field: value for field, value in header.items() if value is not None or field not in record}
    if file and whole:
        record["sha256"] = file.sha256 or sha256_of_model(file.path, here()["folders"])
    return record | ({"path": str(file.path), "origin": file.origin} if file else {})


def _count(number: int) -> str:
    """Return the number as people write it.

    >>> _count(134_515_008), _count(1_540_000_000)
    ('135M', '1.5B')
    """
    return f"{number / 1e9:.1f}B" if number >= 1e9 else f"{number / 1e6:.0f}M"


def _line(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(_line, value))
    if isinstance(value, dict):
        return " ".join(map(_line, value.values()))
    return str(value)


def _print_json(record: object) -> None:
    click.echo(json.dumps(record, default=str))
