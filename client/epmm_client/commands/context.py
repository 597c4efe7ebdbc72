"""What every command has: the options, the client that they make, and the exit status of each failure."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import click

from epmm_client import config, output
from epmm_client.client import Client
from epmm_client.connection import Server
from epmm_client.errors import Ambiguous, EpmmError, NotConfigured, Refused, Unreachable
from epmm_client.output import Row

# 0 done, 2 wrong usage (click's own)
FAILED: Final = 1
DENIED: Final = 3
AWAY: Final = 4
NOT_FOUND: Final = 5
OF_STATUS: Final = {401: DENIED, 403: DENIED, 404: NOT_FOUND, 429: AWAY, 502: AWAY, 503: AWAY, 504: AWAY}


@dataclass
class Context:
    asked: config.Asked
    form: str
    make: Callable[[Server], Client] = field(default=Client)  # tests carry calls elsewhere

    @cached_property
    def client(self) -> Client:
        made = self.make(config.server(self.asked, os.environ))
        click.get_current_context().find_root().call_on_close(made.close)
        return made

    def rows(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        output.write(rows, columns, self.form)

    def one(self, row: Row) -> None:
        output.one(row, self.form)


passed = click.make_pass_decorator(Context)


class Group(click.Group):
    """Tells each failure in a sentence, and programs by the exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EpmmError as error:
            click.echo(f"Error: {error}", err=True)
            if isinstance(error, Refused) and error.request:
                click.echo(f"The server's log has more under {error.request}.", err=True)
            ctx.exit(status_of(error))


def status_of(error: EpmmError) -> int:
    match error:
        case NotConfigured():
            return DENIED
        case Ambiguous():
            return NOT_FOUND
        case Unreachable():
            return AWAY
        case Refused(status=status):
            return OF_STATUS.get(status, FAILED)
        case _:
            return FAILED
