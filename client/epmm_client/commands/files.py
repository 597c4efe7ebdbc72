"""What the commands that import have in common."""

from collections.abc import Callable
from typing import Any, Final, TextIO, TypeVar

import click

from epmm_client.commands.context import FAILED, Context
from epmm_client.connection import Json

F = TypeVar("F", bound=Callable[..., Any])
FORMS: Final = ("csv", "json")
CHANGED: Final = ("line", "row", "what", "name", "before", "after")


def options(command: F) -> F:
    for add in (
        click.option("--partial", is_flag=True, help="Where some rows are wrong, go on with the others."),
        click.option("--dry-run", is_flag=True, help="Tell every change, and make none."),
        click.option("--format", "form", type=click.Choice(FORMS), default="csv", show_default=True),
        click.argument("file", type=click.File(encoding="utf-8-sig")),
    ):
        command = add(command)
    return command


def text(file: TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise click.BadParameter("This is no text in UTF-8.", param_hint="FILE") from error


def tell(context: Context, told: Json, *, dry_run: bool) -> None:
    if dry_run:
        changes = (
            {"line": each["line"], "row": each["name"], "what": "new" if each["new"] else "change"} | value
            for each in told["changes"]
            for value in each["values"]
        )
        context.rows(changes, CHANGED)
    for fault in told["faults"]:
        click.echo(f"Line {fault['line']}: {fault['sentence']}", err=True)
    numbers = f"{told['created']} new, {told['changed']} changed, {told['unchanged']} as they were"
    click.echo(f"{told['rows']} rows: {numbers}, {len(told['faults'])} refused.", err=True)
    if told["faults"]:
        click.get_current_context().exit(FAILED)
