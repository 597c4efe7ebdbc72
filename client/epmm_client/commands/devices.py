import itertools
from collections.abc import Sequence
from typing import Any, TextIO

import click

from epmm_client import output
from epmm_client.commands import files
from epmm_client.commands.context import FAILED, Context, passed
from epmm_client.devices import SHOWN, Outcome

EXPORTED = ("name", "description", "kind", "criteria", "devices")
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
    _carry_out(context, "lock", _uuids(context, names), note, message=message, phone_number=phone, pin=pin)


def _simple(action: str, about: str) -> click.Command:
    @click.command(action, help=about)
    @NAMED
    @NOTE
    @passed
    def command(context: Context, names: Sequence[str], note: str) -> None:
        _carry_out(context, action, _uuids(context, names), note)

    return command


for _action, _about in (
    ("unlock", "Take the passcode away."),
    ("check-in", "Have devices come and fetch what waits for them."),
    ("push-profiles", "Give devices anew what is assigned to them."),
    ("update-os", "Have devices install the newest system that they are offered."),
    ("lost", "Note that devices are lost."),
    ("found", "Note that they are found."),
):
    devices.add_command(_simple(_action, _about))


@devices.command()
@NAMED
@NOTE
@click.option("--subject", required=True)
@click.option("--message", required=True)
@passed
def message(context: Context, names: Sequence[str], note: str, subject: str, message: str) -> None:
    """Write an email to the users of devices."""
    _carry_out(context, "message", _uuids(context, names), note, subject=subject, message=message)


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
    _carry_out(context, "retire", uuids, note)


@devices.command()
@NAMED
@click.option("--note", required=True, help="Why; it stands in the audit log.")
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
    _carry_out(context, "wipe", uuids, note, reason=note, pin=pin)


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
    """All labels, manual ones with their devices, in the form that an import takes."""
    rows = context.client.devices.exported_labels()
    first = list(itertools.islice(rows, 1))  # a column that may not be seen is none: empty, it would empty
    columns = [name for name in EXPORTED if not first or name in first[0]]
    output.write(itertools.chain(first, rows), columns, form)


@labels.command("import")
@files.options
@passed
def bring(context: Context, file: TextIO, form: str, dry_run: bool, partial: bool) -> None:
    """Add and change labels; what is not in FILE stays.  `-` is the standard input.  All rows go or none does."""
    told = context.client.devices.bring_labels(files.text(file), form, dry_run=dry_run, partial=partial)
    files.tell(context, told, dry_run=dry_run)


def _uuids(context: Context, names: Sequence[str]) -> dict[str, str]:
    """Of each name; before anything is done, so that a misspelt one changes nothing."""
    return {context.client.devices.uuid_of(name): name for name in names}


def _carry_out(context: Context, action: str, uuids: dict[str, str], note: str, **values: Any) -> None:
    became: list[Outcome] = []
    try:
        for uuid in uuids:
            became += context.client.devices.act(action, [uuid], note=note, **values)
    finally:  # what was done before the server went away is told all the same
        rows = [{"device": uuids[each.uuid], **each._asdict()} for each in became]
        context.rows(rows, ("device", "is_done", "said"))
    if not all(each.is_done for each in became):
        click.get_current_context().exit(FAILED)


def _counted(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} devices ({', '.join(names)})"
