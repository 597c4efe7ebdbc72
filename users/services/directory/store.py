"""People of a directory as users: a page of them at a time, and only what is another than before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from epmm import audit
from epmm.folding import fold
from epmm.models import Job
from users.errors import InvalidPerson
from users.models import Directory, DirectoryEntry, DirectoryValue, User
from users.services import account_mapping, people
from users.services.account_mapping import Wanted
from users.services.directory.entries import Person

MOST_PROBLEMS: Final = 100
LOOK_AGAIN: Final = "devices.people_named"  # devices belong to another app, and the handler with them
WRITTEN: Final = (
    "user_id", "first_name", "last_name", "full_name", "email", "upn", "managed_apple_account",
    "first_name_folded", "last_name_folded", "is_active",
)  # fmt: skip
ENTRY: Final = ("dn", "dn_key", "attributes", "digest", "gone_at", "disabled_by_sync", "account", "account_state")


@dataclass(slots=True)
class Report:
    """What came of a sync: numbers, and the first of what could not be done."""

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0

    def count(self, what: str, number: int = 1) -> None:
        if number:
            self.counts[what] = self.counts.get(what, 0) + number

    def problem(self, sentence: str) -> None:
        if sentence[:500] in self.problems:
            return
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(sentence[:500])


def actor_of(directory: Directory) -> str:
    return f"directory {directory.name}"


def store(directory: Directory, found: Sequence[Person], report: Report) -> None:
    """Write those of a page that are new or have changed.  Of a page without any nothing is written."""
    known = {
        entry.external_id: entry
        for entry in DirectoryEntry.objects.select_related("user").filter(
            directory=directory, external_id__in=[person.external_id for person in found]
        )
    }
    report.count("read", len(found))
    changed = [person for person in _usable(found, report) if _differs(person, known.get(person.external_id))]
    if changed:
        _write(directory, changed, known, report)


def _usable(found: Iterable[Person], report: Report) -> Iterable[Person]:
    for person in found:
        if not person.external_id:
            report.problem(_("{dn} has no identifier that stays.").format(dn=person.dn))
            continue
        try:
            people.check_user_id(person.user_id)
        except InvalidPerson as error:
            report.problem(f"{person.dn}: {error}")
            continue
        yield person


def _differs(person: Person, entry: DirectoryEntry | None) -> bool:
    if entry is None or entry.gone_at is not None or entry.digest != person.digest:
        return True
    is_free = entry.account_state == DirectoryEntry.AccountState.FINE
    return bool(person.account) and is_free and entry.user.managed_apple_account is None


def _write(directory: Directory, changed: Sequence[Person], known: dict[str, DirectoryEntry], report: Report) -> None:
    """Should somebody else take a name of the page at this moment, its people are written one by one."""
    draft = Report()
    try:
        with transaction.atomic():
            _Page(directory, changed, known, draft).write()
    except IntegrityError:
        if len(changed) == 1:
            report.problem(f"{changed[0].dn}: {InvalidPerson()}")
            return
        for person in changed:
            entry = DirectoryEntry.objects.select_related("user").filter(
                directory=directory, external_id=person.external_id
            ).first()  # fmt: skip
            _write(directory, [person], {person.external_id: entry} if entry else {}, report)
        return
    for what, number in draft.counts.items():
        report.count(what, number)
    for sentence in draft.problems:
        report.problem(sentence)


@dataclass(slots=True)
class _Placed:
    """A person and the user that they are."""

    person: Person
    user: User
    entry: DirectoryEntry
    is_new: bool


class _Page:
    """Some people that are new or have changed."""

    def __init__(
        self, directory: Directory, changed: Sequence[Person], known: dict[str, DirectoryEntry], report: Report
    ) -> None:
        self.directory, self.report = directory, report
        # who is here already comes first: a name that one of them gives up may be another's
        self.changed = sorted(changed, key=lambda person: person.external_id not in known)
        self.known = known
        self.ids = _holders("user_id", {person.user_id.lower() for person in changed})
        self.emails = _holders("email", {person.email.lower() for person in changed if person.email})

    def write(self) -> None:
        placed = [each for each in map(self._placed, self.changed) if each is not None]
        for sentence in account_mapping.follow(self._wanted(placed), actor=actor_of(self.directory)):
            self.report.problem(sentence)
        for each in placed:
            _fill(each)
        kept, added = [each for each in placed if not each.is_new], [each for each in placed if each.is_new]
        User.objects.bulk_update([each.user for each in kept], WRITTEN)
        DirectoryEntry.objects.bulk_update([each.entry for each in kept], ENTRY)
        User.objects.bulk_create([each.user for each in added])
        for each in added:
            each.entry.user = each.user
        DirectoryEntry.objects.bulk_create([each.entry for each in added])
        self._write_values(kept, added)
        if kept:  # records of devices hold copies of names, and labels may name the rest
            Job.enqueue(LOOK_AGAIN, users=[each.user.pk for each in kept])
        self.report.count("added", len(added))
        self.report.count("changed", len(kept))

    def _placed(self, person: Person) -> _Placed | None:
        entry = self.known.get(person.external_id)
        if entry is None:
            user = User(source=User.Source.LDAP, password=make_password(None))
            entry = DirectoryEntry(directory=self.directory, external_id=person.external_id)
            is_new = True
        else:
            user, is_new = entry.user, False
        token = user.pk or person.external_id
        if self._claim(self.ids, user.user_id, person.user_id, token):
            user.user_id = person.user_id
        else:
            self.report.problem(_("The user ID {user_id} is taken.").format(user_id=person.user_id))
            if is_new:
                return None
        user.email = self._email(user, person, token)
        user.first_name, user.last_name = _printable(person.first_name), _printable(person.last_name)
        user.full_name, user.upn = _printable(person.display_name), _printable(person.upn)
        if entry.gone_at is not None:
            self._come_back(user, entry)
        return _Placed(person, user, entry, is_new)

    def _email(self, user: User, person: Person, token: int | str) -> str:
        try:
            validate_email(person.email)
        except ValidationError:
            return ""
        if self._claim(self.emails, user.email, person.email, token):
            return person.email
        taken = _("Another user already has the email address {email}.").format(email=person.email)
        self.report.problem(f"{person.user_id}: {taken}")
        return user.email

    @staticmethod
    def _claim(holders: dict[str, int | str], before: str, wanted: str, token: int | str) -> bool:
        if holders.get(wanted.lower(), token) != token:
            return False
        if holders.get(before.lower()) == token:
            del holders[before.lower()]
        holders[wanted.lower()] = token
        return True

    def _come_back(self, user: User, entry: DirectoryEntry) -> None:
        """Whoever was switched off for being gone is switched on; whom an administrator switched off is not."""
        self.report.count("returned")
        if entry.disabled_by_sync:
            user.is_active = True
            audit.record("user.enabled", actor=actor_of(self.directory), subject_type="user", subject=user.user_id)

    def _wanted(self, placed: Iterable[_Placed]) -> list[Wanted]:
        return [
            Wanted(
                user=each.user,
                entry=each.entry,
                mapped=each.person.mapped,
                said_before=account_mapping.said_before(each.entry, self.directory.account_attribute),
            )
            for each in placed
        ]

    def _write_values(self, kept: Sequence[_Placed], added: Sequence[_Placed]) -> None:
        DirectoryValue.objects.filter(user__in=[each.user for each in kept]).delete()
        DirectoryValue.objects.bulk_create(
            [
                DirectoryValue(user=each.user, name=name, text=text, folded=fold(text))
                for each in (*kept, *added)
                for name, text in each.person.values
            ]
        )


def _fill(each: _Placed) -> None:
    """What the user's own `save` would do, and the entry."""
    user, entry, person = each.user, each.entry, each.person
    user.first_name_folded, user.last_name_folded = fold(user.first_name), fold(user.last_name)
    entry.dn, entry.dn_key, entry.attributes = person.dn, person.dn_key, person.attributes
    entry.digest, entry.gone_at, entry.disabled_by_sync = person.digest, None, False


def _holders(column: str, values: set[str]) -> dict[str, int | str]:
    """Who has these names now."""
    found = User.objects.annotate(lower=Lower(column)).filter(lower__in=values).values_list("lower", "pk")
    return dict(found)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text).strip()
