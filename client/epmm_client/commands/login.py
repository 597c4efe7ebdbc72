import os

import click
from click.shell_completion import get_completion_class

from epmm_client import config
from epmm_client.commands.context import Context, passed
from epmm_client.connection import Server


@click.command()
@passed
def login(context: Context) -> None:
    """Keep a server and a token under the name of --profile, once the token has proved itself.

    A token is made for an administrator: it has some of their roles, and a day on which it ends.
    """
    asked = context.asked
    name, path = asked.profile or config.USUAL, config.place(os.environ)
    address = asked.server or os.environ.get(config.ADDRESS) or click.prompt("Server", err=True)
    ca_file = asked.ca_file or os.environ.get(config.CA_FILE, "")
    token = os.environ.get(config.TOKEN) or click.prompt("Token", hide_input=True, err=True)
    # whoever starts it elsewhere means the same file
    kept = Server(address=address, token=token.strip(), ca_file=os.path.abspath(ca_file) if ca_file else "")  # noqa: PTH100 - ./ stays out
    with context.make(kept) as client:
        version = client.version()
    config.keep(path, name, kept)
    click.echo(f"{version} at {kept.address}: kept as {name} in {path}.", err=True)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """The script that completes commands: put it where SHELL reads such.

    \b
    bash: epmm completion bash > ~/.local/share/bash-completion/completions/epmm
    zsh:  epmm completion zsh > ~/.zfunc/_epmm
          with `fpath+=~/.zfunc` in ~/.zshrc, before compinit
    fish: epmm completion fish > ~/.config/fish/completions/epmm.fish
    """
    from epmm_client.commands.main import main  # which has this command

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(main, {}, "epmm", "_EPMM_COMPLETE").source())
