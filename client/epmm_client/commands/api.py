import json
import sys
from typing import Any

import click

from epmm_client.commands.context import Context, passed
from epmm_client.connection import read

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@click.command()
@click.argument("method", type=click.Choice(METHODS, case_sensitive=False))
@click.argument("path")
@click.option("-d", "--data", help="The body, as JSON; @FILE reads it from there, @- from the standard input.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="If-Match, say.")
@click.option("-i", "--include", is_flag=True, help="Tell status and headers as well, on the standard error.")
@click.option("--all", "every", is_flag=True, help="Of a list of /api/v2/x/: the rows of all pages.")
@passed
def api(
    context: Context,
    method: str,
    path: str,
    data: str | None,
    headers: tuple[str, ...],
    include: bool,
    every: bool,
) -> None:
    """Any call of the API.  PATH is below /api/v2/, such as x/users?limit=5; the answer is JSON."""
    if every:
        if method.upper() != "GET":
            raise click.UsageError("--all goes with GET.")
        for row in context.client.pages(path):
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    given = dict(_header(text) for text in headers)
    answer = context.client.send(method.upper(), path, body=_body(data), headers=given)
    if include:
        click.echo(f"{answer.status_code} {answer.reason_phrase}", err=True)
        for name, value in answer.headers.items():
            click.echo(f"{name}: {value}", err=True)
    told = read(answer)
    if told is not None:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isascii() or not text.isprintable():
        raise click.BadParameter("A header is written as 'NAME: VALUE'.", param_hint="--header")
    return name.strip(), value.strip()


def _body(data: str | None) -> Any:
    if data is None:
        return None
    try:
        if data == "@-":
            return json.load(sys.stdin)
        if data.startswith("@"):
            with open(data[1:], encoding="utf-8") as file:  # noqa: PTH123 - as typed
                return json.load(file)
        return json.loads(data)
    except OSError as error:
        raise click.BadParameter(f"{data[1:]} cannot be read: {error.strerror}.", param_hint="--data") from error
    except ValueError as error:
        raise click.BadParameter("This is not JSON.", param_hint="--data") from error
