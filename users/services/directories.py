"""Directories as an administrator keeps them, and what he is told when he tries one."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from epmm import audit
from epmm.numbers import grouped
from users.errors import DirectoryError, DirectoryRefused, InvalidAccount, InvalidPerson, NoLdap
from users.models import Directory, DirectoryEntry, Group, GroupRole, Role, User, acting
from users.services import accounts
from users.services.directory import client, groups, schema, sign_in, sync
from users.services.directory.client import Connection
from users.services.directory.entries import Reader

SECRET: Final = "bind_password"  # noqa: S105 - the name of a column
COUNTED: Final = 500  # how many are read to show that some are there


@transaction.atomic
def save(directory: Directory, changed: Collection[str], *, actor: str) -> None:
    """A new one, or what was changed of it.  The first sync begins at once."""
    is_new = directory.pk is None
    directory.save()
    if is_new or changed:
        _record("directory.added" if is_new else "directory.changed", directory, actor, {"changed": sorted(changed)})
    if directory.is_enabled and directory.sync_minutes and (is_new or changed):
        sync.ask(directory)


@transaction.atomic
def delete(directory: Directory, *, actor: str) -> None:
    """Only without people: each of them has something here, and be it a password that would be nobody's."""
    count = DirectoryEntry.objects.filter(directory=directory).count()
    if count:
        raise InvalidPerson(
            _("People who come from this directory: {n}. Disable it, delete them, then delete it.").format(
                n=grouped(count)
            )
        )
    _record("directory.deleted", directory, actor)
    directory.delete()


@transaction.atomic
def ask_for_sync(directory: Directory, *, accepts_losses: bool, actor: str) -> None:
    _record("directory.sync_asked", directory, actor, {"accepts_losses": accepts_losses})
    sync.ask(directory, accepts_losses=accepts_losses)


def choose_groups(
    directory: Directory, kind: str, wanted: Iterable[str], unwanted: Collection[int], *, actor: str
) -> None:
    """By their names what is used from now on, by their keys what is no more.  Raises DirectoryError."""
    names = list(wanted)
    if names:
        with client.connected(directory) as connection:
            if None in [groups.choose(connection, dn, kind, actor=actor) for dn in names]:
                raise DirectoryRefused(_("The directory has no such entry, or none with an identifier that stays."))
        sync.ask(directory)
    for group in Group.objects.filter(directory=directory, pk__in=unwanted):
        groups.let_go(group, actor=actor)


def _record(action: str, directory: Directory, actor: str, details: dict[str, object] | None = None) -> None:
    audit.record(action, actor=actor, subject_type="directory", subject=directory.name, details=details)


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    sentence: str
    is_good: bool = False


def tried(directory: Directory) -> Iterator[Finding]:
    """Each server by itself, and what the first of them finds."""
    if not client.is_installed():
        yield Finding("LDAP", str(NoLdap()))
        return
    good = None
    for url in filter(None, (directory.url, directory.failover_url)):
        try:
            handle = client.open_server(directory, url)
        except DirectoryError as error:
            yield Finding(url, str(error))
        else:
            yield Finding(url, _("Connected and signed in."), is_good=True)
            if good is None:
                good = Connection(handle, directory, url)
            else:
                client.close(handle)
    if good is not None:
        yield from _found(good)
        good.close()


def _found(connection: Connection) -> Iterator[Finding]:
    directory, names = connection.directory, schema.of(connection.directory)
    looked_for = (
        (_("People"), directory.user_base, directory.user_scope, names.user_filter, names.user_id),
        (_("Groups"), directory.group_base, directory.group_scope, names.group_filter, names.group_name),
        (_("Organizational units"), directory.unit_base, directory.unit_scope, names.unit_filter, names.unit_name),
    )
    for subject, base, scope, wanted, name in looked_for:
        if not base:
            continue
        try:
            found = connection.some(base, scope, wanted, [name, names.external_id], COUNTED)
        except DirectoryError as error:
            yield Finding(subject, str(error))
            continue
        yield _counted(subject, [entry.text(name) for entry in found], wanted)


def _counted(subject: str, found: list[str], wanted: str) -> Finding:
    named = [text for text in found if text]
    if not found:
        return Finding(subject, _("None matches {filter}.").format(filter=wanted))
    number = f"{grouped(COUNTED)}+" if len(found) == COUNTED else grouped(len(found))
    some = ", ".join(named[:3])
    sentence = _("{n} found, for example {some}.").format(n=number, some=some or "?")
    return Finding(subject, sentence, is_good=bool(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a directory knows of somebody, and what that would mean here."""

    dn: str
    user_id: str
    user: User | None
    attributes: list[tuple[str, list[str]]]
    groups: list[str]  # all there are
    chosen: list[Group]  # those that are used here
    roles: list[tuple[str, str]]  # with their origin
    account: str
    account_problem: str


def look_at(directory: Directory, typed: str) -> Looked:
    """Raises DirectoryError, also where there is nobody of this name, or several."""
    with client.connected(directory) as connection:
        found = sign_in.look_up(connection, typed)
        if len(found) != 1:
            raise DirectoryRefused(_("Nobody of this name.") if not found else _("Several people have this name."))
        entry, person = found[0], Reader(directory).person(found[0])
        around = groups.names_around(connection, entry, person.user_id)
    chosen = groups.chosen_around(directory, entry.dn, around)
    stored = DirectoryEntry.objects.select_related("user").filter(
        directory=directory, external_id=person.external_id
    )  # fmt: skip
    user = next((each.user for each in stored), None)
    account, problem = _account(user, person.account, person.account_problem)
    return Looked(
        dn=entry.dn,
        user_id=person.user_id,
        user=user,
        attributes=sorted(person.attributes.items()),
        groups=sorted(around.values(), key=str.casefold),
        chosen=chosen,
        roles=effective(user, chosen),
        account=account,
        account_problem=problem,
    )


def _account(user: User | None, wanted: str, problem: str) -> tuple[str, str]:
    if user is not None and user.managed_apple_account:
        return user.managed_apple_account, ""
    if wanted:
        try:
            accounts.refuse_taken(wanted)
        except InvalidAccount as error:
            return "", str(error)
    return wanted, problem


def effective(user: User | None, of: Collection[Group]) -> list[tuple[str, str]]:
    """Roles that act, each with where it comes from."""
    own = set(user.granted_role_keys()) if user is not None else set()
    found = [(key, str(_("direct"))) for key in own]
    found += list(GroupRole.objects.filter(group__in=of).values_list("key", "group__name"))
    held = acting(key for key, _origin in found)
    labels = {str(role.value): str(role.label) for role in Role}
    order = list(labels)
    shown = [each for each in found if each[0] in labels and each[0] in held]
    return [(labels[key], origin) for key, origin in sorted(shown, key=lambda each: (order.index(each[0]), each[1]))]
