import itertools
from collections.abc import Sequence
from typing import TextIO

import click

from epmm_client import output
from epmm_client.commands import files
from epmm_client.commands.context import Context, passed

COLUMNS = ("user_id", "display_name", "email", "managed_apple_account", "source", "enabled", "device_count")
EXPORTED = (
    "user_id", "first_name", "last_name", "display_name", "email", "managed_apple_account", "enabled", "roles",
    "admin_roles",
)  # fmt: skip
HELD = ("key", "label", "group", "granted_by", "granted_at")


@click.group()
def users() -> None:
    """People: a USER is named by the user ID or the UUID."""


@users.command("list")
@click.argument("q", metavar="[BEGINNING]", required=False)
@click.option("--source", type=click.Choice(["local", "ldap", "oidc"]), help="Where they come from.")
@click.option("--enabled/--disabled", default=None, help="Who may sign in, or may not.")
@click.option("--limit", type=click.IntRange(min=1), help="So many at most.")
@passed
def list_users(
    context: Context,
    q: str | None,
    source: str | None,
    enabled: bool | None,
    limit: int | None,
) -> None:
    """Users; those whose ID, name, email or Managed Apple Account begins like that."""
    found = context.client.users.list(q=q, source=source, enabled=enabled, limit=min(200, limit or 200))
    context.rows(itertools.islice(found, limit), COLUMNS)


@users.command()
@click.argument("user")
@passed
def show(context: Context, user: str) -> None:
    """A user, and the roles that act."""
    known = context.client.users
    person = known.find(user)
    context.one(person | {"roles": [held["key"] for held in known.roles(person)]})


@users.command()
@click.argument("user_id")
@click.option("--first-name", default="")
@click.option("--last-name", default="")
@click.option("--email", default="")
@click.option("--managed-apple-account", default=None)
@passed
def add(
    context: Context, user_id: str, first_name: str, last_name: str, email: str, managed_apple_account: str | None
) -> None:
    """Add a local user, who signs in with a registration PIN."""
    context.one(
        context.client.users.add(
            user_id=user_id,
            first_name=first_name,
            last_name=last_name,
            email=email,
            managed_apple_account=managed_apple_account,
        )
    )


@users.command("assign-role")
@click.argument("user")
@click.argument("keys", metavar="ROLE...", nargs=-1, required=True)
@click.option("--managed-apple-account", default=None, help="For account-driven enrollment, where there is none yet.")
@passed
def assign_role(context: Context, user: str, keys: Sequence[str], managed_apple_account: str | None) -> None:
    """Grant roles; `epmm roles` has their keys.  Those that are granted stay."""
    known = context.client.users
    held = known.assign_roles(known.find(user), keys, managed_apple_account=managed_apple_account)
    context.rows(held, HELD)


@users.command("remove-role")
@click.argument("user")
@click.argument("keys", metavar="ROLE...", nargs=-1, required=True)
@passed
def remove_role(context: Context, user: str, keys: Sequence[str]) -> None:
    """Take roles away that were granted to this very person."""
    known = context.client.users
    person = known.find(user)
    for key in keys:
        known.remove_role(person, key)
    context.rows(known.roles(person), HELD)


@users.command()
@click.argument("user")
@passed
def enable(context: Context, user: str) -> None:
    """Let a user sign in and enroll again."""
    known = context.client.users
    context.one(known.switch(known.find(user), is_on=True))


@users.command()
@click.argument("user")
@passed
def disable(context: Context, user: str) -> None:
    """Let a user neither sign in nor enroll; what is enrolled stays managed."""
    known = context.client.users
    context.one(known.switch(known.find(user), is_on=False))


@users.command()
@click.option("--format", "form", type=click.Choice(files.FORMS), default="csv", show_default=True)
@passed
def export(context: Context, form: str) -> None:
    """Everybody with their roles, in the form that an import takes."""
    output.write(context.client.users.exported(), EXPORTED, form)


@users.command("import")
@files.options
@passed
def bring(context: Context, file: TextIO, form: str, dry_run: bool, partial: bool) -> None:
    """Add and change people and their roles; who is not in FILE stays.  `-` is the standard input.

    All rows go or none does.  An empty cell empties; a column that is not there says nothing.
    """
    told = context.client.users.bring(files.text(file), form, dry_run=dry_run, partial=partial)
    files.tell(context, told, dry_run=dry_run)


@click.command()
@passed
def roles(context: Context) -> None:
    """Which roles people can have."""
    context.rows(context.client.users.known_roles(), ("key", "label", "needs_managed_apple_account"))
