"""The root group: every command, and what an error looks like."""

import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from edgecascade import __version__
from edgecascade.cli.ask import ask
from edgecascade.cli.bench import bench
from edgecascade.cli.calibrate import calibrate
from edgecascade.cli.chat import chat
from edgecascade.cli.completion import completion
from edgecascade.cli.compound import compound
from edgecascade.cli.config import config
from edgecascade.cli.devices import devices
from edgecascade.cli.doctor import doctor
from edgecascade.cli.evaluate import evaluate
from edgecascade.cli.explain import explain
from edgecascade.cli.ledger import ledger
from edgecascade.cli.measure import measure
from edgecascade.cli.models import models
from edgecascade.errors import DeviceError, InputError

BAD_INPUT, DEVICE_CANNOT, INTERRUPTED = 3, 4, 130


class Root(click.Group):
    """Turns our errors into one line and an exit code; a bug keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            _fail(ctx, str(error), BAD_INPUT)
        except DeviceError as error:
            _fail(ctx, str(error), DEVICE_CANNOT)
        except BrokenPipeError:
            raise  # click ends quietly when a pager closes
        except OSError as error:
            _fail(ctx, f"{error.filename or 'a file'}: {error.strerror or error}; mend it and try again", DEVICE_CANNOT)
        except KeyboardInterrupt:
            _fail(ctx, "interrupted", INTERRUPTED)


def _fail(ctx: click.Context, message: str, code: int) -> None:
    sys.stdout.flush()
    click.secho(f"error: {message}", err=True, fg="red")
    ctx.exit(code)


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 2 wrong usage, 3 bad input, 4 this device cannot, 130 interrupted.",
)
@click.version_option(__version__, prog_name="edgecascade")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Ask a small model on this device, see how sure it is, and a cloud where it is not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no é shows a question mark
    if os.environ.get("NO_COLOR"):
        ctx.color = False


for command in (
    ask,
    bench,
    calibrate,
    chat,
    completion,
    compound,
    config,
    devices,
    doctor,
    evaluate,
    explain,
    ledger,
    measure,
    models,
):
    main.add_command(command)
