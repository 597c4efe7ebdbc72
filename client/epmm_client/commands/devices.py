import itertools
from collections.abc import Sequence
from typing import Any, TextIO

import click

from epmm_client import output
from epmm_client.commands import files
from epmm_client.commands.context import FAILED, Context, passed
from epmm_client.devices import SHOWN

EXPORTED = ("name", "description", "kind", "criteria")
LABEL_COLUMNS = ("name", "isStatic", "deviceCount", "description", "criteria")


@click.group()
def devices() -> None:
    """Devices: a DEVICE is named by its UUID or its serial number."""


@devices.command()
@click.argument("query", default="")
@click.option("--fields", default="", help="Which, with commas between; `epmm devices fields` has their names.")
@click.option("--limit", type=click.IntRange(min=1), help="So many at most.")
@passed
def search(context: Context, query: str, fields: str, limit: int | None) -> None:
    """Devices that match an expression, such as '"common.os_version" < "18"'; all without one."""
    names = tuple(name.strip() for name in fields.split(",") if name.strip()) or SHOWN
    found = context.client.devices.search(query, fields=names)
    context.rows(itertools.islice(found, limit), names)


@devices.command()
@click.argument("query", default="")
@passed
def count(context: Context, query: str) -> None:
    """How many devices match an expression."""
    click.echo(context.client.devices.count(query))


@devices.command()
@passed
def fields(context: Context) -> None:
    """What devices can be searched by, and how."""
    context.rows(context.client.devices.fields(), ("name", "type", "operators", "values"))


@devices.command()
@click.argument("device")
@passed
def show(context: Context, device: str) -> None:
    """All that is known of a device."""
    known = context.client.devices
    context.one(known.show(known.uuid_of(device)))


NAMED = click.argument("names", metavar="DEVICE...", nargs=-1, required=True)
NOTE = click.option("--note", default="", help="Why; it stands in the audit log.")
YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@devices.command()
@NAMED
@NOTE
@click.option("--message", default="", help="What the lock screen says.")
@click.option("--phone", default="", help="Whom a finder calls.")
@click.option("--pin", default="", help="Of a Mac: with which it is unlocked.")
@passed
def lock(context: Context, names: Sequence[str], note: str, message: str, phone: str, pin: str) -> None:
    """Lock devices."""
    _act(context, "LOCK_DEVICE", names, note, message=message, phoneNumber=phone, pin=pin)


@devices.command()
@NAMED
@NOTE
@passed
def unlock(context: Context, names: Sequence[str], note: str) -> None:
    """Take the passcode away."""
    _act(context, "UNLOCK_DEVICE_ONLY", names, note)


@devices.command("check-in")
@NAMED
@NOTE
@passed
def check_in(context: Context, names: Sequence[str], note: str) -> None:
    """Have devices come and fetch what waits for them."""
    _act(context, "WAKE_UP", names, note)


@devices.command()
@NAMED
@NOTE
@YES
@passed
def retire(context: Context, names: Sequence[str], note: str, yes: bool) -> None:
    """Let devices go: their management ends, and all that it brought leaves them."""
    uuids = _uuids(context, names)
    if not yes:
        click.confirm(f"Retire {_counted(names)}?", abort=True, err=True)
    _carry_out(context, "RETIRE", uuids, note)


@devices.command()
@NAMED
@NOTE
@click.option("--pin", default="", help="Of a Mac: with which it starts again.")
@YES
@passed
def wipe(context: Context, names: Sequence[str], note: str, pin: str, yes: bool) -> None:
    """Erase devices: all that is on them is lost."""
    uuids = _uuids(context, names)
    if not yes:
        typed = click.prompt(f"This erases {_counted(names)}. Type their number to go on", err=True)
        if typed.strip() != str(len(uuids)):
            raise click.Abort
    _carry_out(context, "WIPE_DEVICE", uuids, note, pin=pin)


@click.group()
def labels() -> None:
    """Labels: named sets of devices."""


@labels.command("list")
@passed
def list_labels(context: Context) -> None:
    """All labels, and how many devices each has."""
    context.rows(context.client.devices.labels(), LABEL_COLUMNS)


@labels.command()
@click.option("--format", "form", type=click.Choice(files.FORMS), default="csv", show_default=True)
@passed
def export(context: Context, form: str) -> None:
    """All labels, in the form that an import takes; who belongs to manual ones is not in it."""
    output.write(context.client.devices.exported_labels(), EXPORTED, form)


@labels.command("import")
@files.options
@passed
def bring(context: Context, file: TextIO, form: str, dry_run: bool, partial: bool) -> None:
    """Add and change labels; what is not in FILE stays.  `-` is the standard input.  All rows go or none does."""
    told = context.client.devices.bring_labels(files.text(file), form, dry_run=dry_run, partial=partial)
    files.tell(context, told, dry_run=dry_run)


def _act(context: Context, action: str, names: Sequence[str], note: str, **more: Any) -> None:
    _carry_out(context, action, _uuids(context, names), note, **more)


def _uuids(context: Context, names: Sequence[str]) -> dict[str, str]:
    """Of each name; before anything is done, so that a misspelt one changes nothing."""
    return {context.client.devices.uuid_of(name): name for name in names}


def _carry_out(context: Context, action: str, uuids: dict[str, str], note: str, **more: Any) -> None:
    became = context.client.devices.act(action, list(uuids), note=note, **more)
    rows = [{"device": uuids.get(uuid, uuid), "uuid": uuid, "result": word} for uuid, word in became.items()]
    context.rows(rows, ("device", "result"))
    if any(word != "done" for word in became.values()):
        click.get_current_context().exit(FAILED)


def _counted(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} devices ({', '.join(names)})"
