"""``edgecascade explain``: the story of one answer, from the ledger."""

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from edgecascade.cli.showing import shade

if TYPE_CHECKING:
    from edgecascade.explaining import Rung
    from edgecascade.store.paths import Folders


@click.command()
@click.argument("answer_id", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the record itself, and what would have turned it.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.pass_context
def explain(context: click.Context, answer_id: str | None, as_json: bool, no_color: bool) -> None:
    """Tell why an answer came from where it came: of ID, or a beginning of it, or the latest.

    Decisions with their terms, gates, tokens with their probabilities, what left this device, and what would have
    turned it. Texts are told where the ledger keeps them (content = true).
    """
    from edgecascade.explaining import flips, story
    from edgecascade.store.paths import Folders

    folders = Folders.of(os.environ)
    row = _row(folders, answer_id)
    ladder = _ladder(folders, row)
    if as_json:
        click.echo(json.dumps(row | {"flips": flips(row, ladder)}, ensure_ascii=False))
        return
    if no_color:
        context.color = False
    for part in story(row, ladder):
        click.secho(part.title, bold=True)
        for line in part.lines:
            click.echo(f"  {line.text if line.probability is None else shade(line.text, line.probability)}")


def _row(folders: "Folders", answer_id: str | None) -> dict[str, Any]:
    from edgecascade.errors import InputError
    from edgecascade.store.ledger import Ledger

    with Ledger(folders.state / "ledger.db", clock=time.time) as ledger:
        if answer_id is None and not (latest := ledger.tail(1)):
            raise InputError("nothing to explain: found an empty ledger, wanted an answer; ask something first")
        return ledger.answer(latest[0]["id"] if answer_id is None else answer_id)


def _ladder(folders: "Folders", row: dict[str, Any]) -> "list[Rung]":
    """Return the ladder of the fitted file that judged an answer, the strictest risk first; none without the file."""
    from edgecascade.errors import FittedFileError
    from edgecascade.explaining import Rung
    from edgecascade.guarantees.certificate import Certificate
    from edgecascade.store.fitted_files import fitted_files, read_fitted

    gated = any(gate["gate"] in ("G0", "G1") for attempt in row["record"]["attempts"] for gate in attempt["gates"])
    for path in fitted_files(folders) if row["calibration"] else ():
        with suppress(FittedFileError):  # a damaged one is no reason not to tell the rest
            file = read_fitted(path)
            if file.id == row["calibration"]:
                found = map(Certificate.from_json, file.composed if gated else file.certificates)
                return sorted((Rung(each.epsilon, each.threshold) for each in found), key=lambda rung: rung.epsilon)
    return []
