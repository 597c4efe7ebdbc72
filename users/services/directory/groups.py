"""Groups and organizational units: those that an administrator chose, and who is in them."""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from django.db import transaction
from django.utils import timezone

from epmm import audit
from epmm.models import Job
from users.models import Directory, DirectoryEntry, Group, Membership, User
from users.services import group_sizes
from users.services.directory import backend, client, entries, filters, primary_group, schema
from users.services.directory.backend import MEMBER_UID
from users.services.directory.client import Connection, Entry
from users.services.directory.schema import IN_CHAIN, Nesting
from users.services.directory.store import LOOK_AGAIN, Report

CHUNK: Final = 500
NUMBERS: Final = 100  # of primary groups in one filter
MOST_OFFERED: Final = 100


def offered(connection: Connection, text: str, kind: str) -> list[Entry]:
    """The first groups or units of the directory with this in their name."""
    directory, names = connection.directory, schema.of(connection.directory)
    if kind == Group.Kind.UNIT:
        base, scope, wanted, name = directory.unit_base, directory.unit_scope, names.unit_filter, names.unit_name
    else:
        base, scope, wanted, name = directory.group_base, directory.group_scope, names.group_filter, names.group_name
    if not base:
        return []
    asked = filters.all_of(wanted, filters.holds(name, text.strip()[:100]))
    found = connection.some(base, scope, asked, [name, names.external_id], MOST_OFFERED)
    return sorted(found, key=lambda entry: entry.text(name).casefold())


def name_of(directory: Directory, entry: Entry, kind: str) -> str:
    names = schema.of(directory)
    return entry.text(names.unit_name if kind == Group.Kind.UNIT else names.group_name)[:255] or entry.dn[:255]


def choose(connection: Connection, dn: str, kind: str, *, actor: str) -> Group | None:
    """Use it here from now on; who is in it the next sync tells.  None where the directory has no such entry."""
    directory, names = connection.directory, schema.of(connection.directory)
    entry = connection.read(dn, [names.group_name, names.unit_name, names.external_id], _filter(directory, kind))
    external_id = entry.external_id(names.external_id) if entry else ""
    if entry is None or not external_id:
        return None
    with transaction.atomic():
        group, is_new = Group.objects.get_or_create(
            directory=directory,
            external_id=external_id,
            defaults={"kind": kind, "name": name_of(directory, entry, kind), "dn": entry.dn},
        )
        if is_new:
            _record("directory.group_chosen", group, actor)
    return group


@transaction.atomic
def let_go(group: Group, *, actor: str) -> None:
    """Its members lose what they had of it."""
    _tell_of(group, _present(group))
    _record("directory.group_removed", group, actor)
    group.delete()


def _record(action: str, group: Group, actor: str) -> None:
    audit.record(action, actor=actor, subject_type="group", subject=group.name, details={"dn": group.dn})


def _filter(directory: Directory, kind: str) -> str:
    names = schema.of(directory)
    return names.unit_filter if kind == Group.Kind.UNIT else names.group_filter


def sync(connection: Connection, report: Report) -> None:
    """Names and members of all that are chosen."""
    reading = _Members(connection)
    for group in connection.directory.groups.order_by("pk"):
        entry = _found(connection, group)
        _keep_up(group, entry)
        wanted: set[int] = set()
        if entry is not None:
            for chunk in reading.of(group):
                wanted.update(chunk)
        _write(group, wanted, report)
        report.count("groups")


def _found(connection: Connection, group: Group) -> Entry | None:
    """By its identifier, for it may be called something else now."""
    directory, names = connection.directory, schema.of(connection.directory)
    is_unit = group.kind == Group.Kind.UNIT
    base, scope = (
        (directory.unit_base, directory.unit_scope) if is_unit else (directory.group_base, directory.group_scope)
    )
    if not base:
        return None
    asked = filters.equals(names.external_id, client.id_value(names.external_id, group.external_id))
    found = connection.some(
        base, scope, filters.all_of(_filter(directory, group.kind), asked), [names.group_name, names.unit_name], 1
    )
    return found[0] if found else None


def _keep_up(group: Group, entry: Entry | None) -> None:
    before = (group.name, group.dn, group.gone_at)
    if entry is None:
        group.gone_at = group.gone_at or timezone.now()
    else:
        assert group.directory is not None  # noqa: S101 - the types know groups of providers, too
        group.name, group.dn, group.gone_at = name_of(group.directory, entry, group.kind), entry.dn, None
    if before != (group.name, group.dn, group.gone_at):
        with transaction.atomic():
            group.save(update_fields=["name", "dn", "gone_at"])
            if before[0] != group.name:
                _tell_of(group, _present(group))


def _write(group: Group, wanted: set[int], report: Report) -> None:
    """Set against set; where they are equal nothing is written."""
    present = _present(group)
    for some in _chunks(sorted(wanted - present)):
        rows = [Membership(group=group, user_id=user) for user in some]
        with transaction.atomic():
            Membership.objects.bulk_create(rows, ignore_conflicts=True)
            _tell_of(group, some)
    for some in _chunks(sorted(present - wanted)):
        with transaction.atomic():
            Membership.objects.filter(group=group, user__in=some).delete()
            _tell_of(group, some)
    if wanted != present:
        group_sizes.recount([group.pk])
    report.count("joined", len(wanted - present))
    report.count("left", len(present - wanted))


def _present(group: Group) -> set[int]:
    return set(Membership.objects.filter(group=group).values_list("user_id", flat=True).iterator(chunk_size=CHUNK))


def _tell_of(group: Group, people: Collection[int]) -> None:
    """Labels may name the group: they are to look at these people's devices again."""
    if group.kind == Group.Kind.GROUP:  # units are not searched
        Job.enqueue_each(LOOK_AGAIN, [{"users": some} for some in _chunks(sorted(people))])


def _chunks(keys: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


class _Members:
    """Who is in a group, some at a time, as keys of users."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.directory = connection, connection.directory
        self.names = schema.of(self.directory)
        self._groups: dict[str, str] | None = None

    def of(self, group: Group) -> Iterator[set[int]]:
        if group.kind == Group.Kind.UNIT:
            yield from self._people(entries.people_filter(self.directory), base=group.dn, scope="sub")
        elif self.names.member_of:
            yield from self._people(self._by_member_of(group.dn))
            if primary_group.is_kept_apart(self.directory):
                yield from self._by_primary_group(group.dn)
        else:
            yield from self._by_member(group.dn)

    def _people(self, asked: str, base: str = "", scope: str = "") -> Iterator[set[int]]:
        base, scope = base or self.directory.user_base, scope or self.directory.user_scope
        identifier = self.names.external_id
        for page in self.connection.pages(base, scope, asked, [identifier]):
            yield self._users(external_id__in=[entry.external_id(identifier) for entry in page])

    def _users(self, **wanted: Iterable[str]) -> set[int]:
        there = DirectoryEntry.objects.filter(directory=self.directory, gone_at=None, **wanted)
        return set(there.values_list("user_id", flat=True))

    def _by_member_of(self, dn: str) -> str:
        people, member_of = entries.people_filter(self.directory), self.names.member_of
        if self.names.nesting == Nesting.RULE:
            return filters.all_of(people, filters.equals(f"{member_of}:{IN_CHAIN}:", dn))
        groups = self._below(dn) if self.names.nesting == Nesting.RECURSIVE else [dn]
        return filters.all_of(people, filters.any_of(*(filters.equals(member_of, each) for each in groups)))

    def _below(self, dn: str) -> list[str]:
        """It and all groups in it.  Groups may be in one another."""
        seen, left = {client.same_dn(dn): dn}, [dn]
        while left:
            asked = filters.all_of(self.names.group_filter, filters.equals(self.names.member_of, left.pop()))
            for page in self.connection.pages(self.directory.group_base, self.directory.group_scope, asked, []):
                new = [each.dn for each in page if client.same_dn(each.dn) not in seen]
                seen.update({client.same_dn(each): each for each in new})
                left += new
        return list(seen.values())

    def _by_primary_group(self, dn: str) -> Iterator[set[int]]:
        """Whose primary group it is, or one of those in it."""
        sids = {primary_group.sid(each) for each in self._inside(dn)} - {b""}
        numbers, identifier = sorted({primary_group.number(each) for each in sids}), self.names.external_id
        wanted = [identifier, *primary_group.ATTRIBUTES]
        for start in range(0, len(numbers), NUMBERS):
            some = (filters.equals(primary_group.NUMBER, each) for each in numbers[start : start + NUMBERS])
            asked = filters.all_of(entries.people_filter(self.directory), filters.any_of(*some))
            for page in self.connection.pages(self.directory.user_base, self.directory.user_scope, asked, wanted):
                theirs = [each for each in page if primary_group.sid_of_primary(each) in sids]
                yield self._users(external_id__in=[each.external_id(identifier) for each in theirs])

    def _inside(self, dn: str) -> Iterator[Entry | None]:
        """It and the groups in it, with their SIDs."""
        if self.names.nesting == Nesting.RECURSIVE:
            yield from (self.connection.read(each, [primary_group.SID]) for each in self._below(dn))
            return
        yield self.connection.read(dn, [primary_group.SID])
        if self.names.nesting == Nesting.RULE:
            below = filters.equals(f"{self.names.member_of}:{IN_CHAIN}:", dn)
            asked = filters.all_of(self.names.group_filter, below)
            base, scope = self.directory.group_base, self.directory.group_scope
            for page in self.connection.pages(base, scope, asked, [primary_group.SID]):
                yield from page

    def _by_member(self, dn: str) -> Iterator[set[int]]:
        """From the groups' own lists."""
        seen, left = {client.same_dn(dn)}, [dn]
        while left:
            entry = self.connection.read(left.pop(), [self.names.member])
            members = (
                [value.decode(errors="replace") for value in entry.values.get(self.names.member.lower(), ())]
                if entry
                else []
            )
            for start in range(0, len(members), CHUNK):
                some = members[start : start + CHUNK]
                if self.names.member.lower() == MEMBER_UID:
                    yield self._users(user__user_id__in=some)
                    continue
                yield self._users(dn_key__in=[entries.dn_key(each) for each in some])
                if self.names.nesting != Nesting.NONE:
                    inner = [each for each in some if self._is_group(each) and client.same_dn(each) not in seen]
                    seen.update(map(client.same_dn, inner))
                    left += inner

    def _is_group(self, dn: str) -> bool:
        if self._groups is None:
            base, scope = self.directory.group_base, self.directory.group_scope
            pages = self.connection.pages(base, scope, self.names.group_filter, [])
            self._groups = {entries.dn_key(entry.dn): entry.dn for page in pages for entry in page}
        return entries.dn_key(dn) in self._groups


def names_around(connection: Connection, entry: Entry, user_id: str) -> dict[str, str]:
    """The groups that somebody is in, directly or through others: identifier to name, chosen here or not."""
    directory, names = connection.directory, schema.of(connection.directory)
    if not directory.group_base:
        return {}
    wanted = [names.group_name, names.external_id]
    around = backend.groups_around(connection, entry.dn, user_id, names, wanted)
    if (primary := primary_group.of(connection, entry, names.group_filter, wanted)) is not None:
        around += [primary]
        if names.nesting != Nesting.NONE:
            around += backend.groups_around(connection, primary.dn, user_id, names, wanted)
    return {each.external_id(names.external_id): name_of(directory, each, Group.Kind.GROUP) for each in around}


def chosen_around(directory: Directory, dn: str, identifiers: Iterable[str]) -> list[Group]:
    """Of the groups and units that are used here those that somebody with this name is in."""
    own, around = client.same_dn(dn), set(identifiers)
    return [
        group
        for group in Group.objects.filter(directory=directory).order_by("name")
        if (
            group.external_id in around
            if group.kind == Group.Kind.GROUP
            else own.endswith(f",{client.same_dn(group.dn)}")
        )
    ]


def follow(connection: Connection, user: User, entry: Entry) -> None:
    """One person's memberships, as they are now."""
    around = chosen_around(connection.directory, entry.dn, names_around(connection, entry, user.user_id))
    theirs = Membership.objects.filter(user=user, group__directory=connection.directory)
    present, wanted = set(theirs.values_list("group_id", flat=True)), {group.pk for group in around}
    if present == wanted:
        return
    rows = [Membership(group_id=group, user=user) for group in sorted(wanted - present)]
    with transaction.atomic():
        theirs.filter(group__in=present - wanted).delete()
        Membership.objects.bulk_create(rows, ignore_conflicts=True)
        group_sizes.recount(present ^ wanted)
        Job.enqueue(LOOK_AGAIN, users=[user.pk])
