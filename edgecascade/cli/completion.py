"""``edgecascade completion``: the script that teaches a shell to complete our commands."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_EDGECASCADE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    bash: eval "$(edgecascade completion bash)" in ~/.bashrc; zsh alike in ~/.zshrc;
    fish: edgecascade completion fish > ~/.config/fish/completions/edgecascade.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}; wanted bash, zsh or fish")
    click.echo(kind(ctx.find_root().command, {}, "edgecascade", VARIABLE).source())
