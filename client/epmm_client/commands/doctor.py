from datetime import UTC, datetime
from typing import Any

import click
import httpx2

from epmm_client import doctor as examination
from epmm_client.commands.context import FAILED, Context, passed
from epmm_client.connection import SECONDS, Server, read
from epmm_client.errors import Unreachable

COLUMNS = ("subject", "verdict", "sentence")


@click.command()
@click.option("--domain", default="", help="Whose discovery document is looked at: what stands behind the @ of people.")
@passed
def doctor(context: Context, domain: str) -> None:
    """Is the server reachable, trusted, on time, and what may this token do there?"""
    client = context.client

    def discover(url: str) -> Any:
        return ask(url, client.server)

    found = list(examination.examine(client, domain, datetime.now(UTC), discover))
    context.rows([finding._asdict() for finding in found], COLUMNS)
    if any(finding.verdict == examination.BAD for finding in found):
        click.get_current_context().exit(FAILED)


def ask(url: str, server: Server) -> Any:
    """Of whoever has the domain, who gets no credentials.  Raises Refused, Unreachable."""
    try:
        return read(httpx2.get(url, verify=server.trust(), timeout=SECONDS))
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
