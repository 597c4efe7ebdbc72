"""People and their roles out of a file, each row judged by the rules of the page of a single person.

A name or address that one person gives up is another's only in the next import: so no order of rows matters, and a
dry run tells what would happen.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from epmm import row_files
from epmm.imports import Change, Fault, FieldChange, Report, Row, Value, carry_out, words
from epmm.row_files import Form
from users.errors import InvalidGrant, InvalidPerson
from users.models import ACCOUNT_DRIVEN, PORTAL_CHILDREN, AdminGrant, AdminRole, Role, User
from users.services import accounts, people, people_import_writing, upkeep
from users.services.people_files import (
    ACCOUNT,
    ADMIN_ROLES,
    COLUMNS,
    ENABLED,
    KEY,
    NAMES,
    ROLES,
    told,
    with_roles,
)

EMAIL: Final = "email"
NEW: Final[Mapping[str, Value]] = {
    **dict.fromkeys(NAMES, ""), ACCOUNT: "", ENABLED: True, ROLES: (Role.PORTAL.value,), ADMIN_ROLES: (),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPerson:
    change: Change
    user: User  # with the values of the row, and not saved
    before: Mapping[str, Value]
    after: Mapping[str, Value]


def run(
    content: str, form: Form, *, actor: str, actor_roles: Iterable[str], dry_run: bool, partial: bool = False
) -> Report[PlannedPerson]:
    """Raises ImportRefused, InvalidPerson; then nothing is changed."""
    rows = row_files.read(content, form, COLUMNS, KEY)
    try:
        return carry_out(rows, PeoplePlan(actor, frozenset(actor_roles)), dry_run=dry_run, partial=partial)
    except IntegrityError as error:
        raise InvalidPerson from error  # somebody else has just taken what was free


class PeoplePlan:
    def __init__(self, actor: str, actor_roles: frozenset[str]) -> None:
        self._actor, self._actor_roles = actor, actor_roles
        self._lines: dict[str, int] = {}  # in which each user ID stands
        self._given: dict[tuple[str, str], str] = {}  # to whom; emails and accounts, also those that were given up
        self._appointers: set[str] | None = None

    def look(self, rows: Sequence[Row], *, locked: bool) -> Iterator[PlannedPerson | Fault]:
        known = self._known(rows, locked=locked)
        holders = _holders(rows)
        for row in rows:
            try:
                yield self._planned(row, known.get(str(row.values[KEY]).lower()), holders)
            except (InvalidPerson, ValidationError) as error:
                sentence = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
                yield Fault(row.line, sentence)

    def put(self, planned: Sequence[PlannedPerson]) -> None:
        people_import_writing.put(planned, actor=self._actor)

    @staticmethod
    def _known(rows: Sequence[Row], *, locked: bool) -> dict[str, User]:
        wanted = {str(row.values[KEY]).lower() for row in rows}
        found = User.objects.alias(lower_id=Lower("user_id")).filter(lower_id__in=wanted)
        if locked:
            list(found.order_by("pk").select_for_update().values_list("pk"))
        return {user.user_id.lower(): user for user in with_roles(found)}

    def _planned(self, row: Row, user: User | None, holders: Mapping[tuple[str, str], str]) -> PlannedPerson:
        """Raises InvalidPerson, ValidationError."""
        name = str(row.values[KEY])
        self._once(name, row.line)
        is_new, before = user is None, NEW if user is None else told(user)
        user = _new(name) if user is None else user
        after = dict(before) | {key: value for key, value in row.values.items() if key != KEY}
        if after[ACCOUNT]:
            after[ACCOUNT] = str(after[ACCOUNT]).lower()
        changed = [key for key in after if after[key] != before[key]]
        if changed or is_new:
            self._judge(user, before, after, set(changed))
            self._take(user, before, after, holders)
            self._keep_an_appointer(user, before, after)
        fields = [FieldChange(key, None if is_new else before[key], after[key]) for key in changed]
        if is_new and ROLES not in changed:
            fields.append(FieldChange(ROLES, None, after[ROLES]))
        change = Change(line=row.line, name=user.user_id, is_new=is_new, fields=fields)
        return PlannedPerson(change=change, user=user, before=before, after=after)

    def _once(self, name: str, line: int) -> None:
        first = self._lines.setdefault(name.lower(), line)
        if first != line:
            raise InvalidPerson(_("{user_id} stands in line {n} already.").format(user_id=name, n=first))

    def _judge(self, user: User, before: Mapping[str, Value], after: Mapping[str, Value], changed: set[str]) -> None:
        upkeep.may_change(user, self._actor_roles)
        if changed & NAMES.keys():
            upkeep.refuse_directory(user)
        if ADMIN_ROLES in changed:
            self._may_appoint(words(after, ADMIN_ROLES))
        if ENABLED in changed and not after[ENABLED] and user.user_id == self._actor:
            raise InvalidPerson(_("Nobody disables their own account."))
        for name, field in NAMES.items():
            setattr(user, field, after[name])
        if changed & NAMES.keys():
            people.check_names(user)
            user.clean_fields(exclude=["password", "managed_apple_account"])
        if ACCOUNT in changed and after[ACCOUNT]:
            accounts.normalized(str(after[ACCOUNT]))
        if changed & {ROLES, ACCOUNT}:
            _judge_roles(user, before, after)

    def _may_appoint(self, wanted: frozenset[str]) -> None:
        if AdminRole.ADMIN_MANAGE not in self._actor_roles:
            raise InvalidGrant(_("Only who manages administrators may change the roles of one."))
        if unknown := wanted - frozenset(AdminRole.values):
            raise InvalidGrant(_("There is no administrator role {keys}.").format(keys=", ".join(sorted(unknown))))

    def _take(
        self,
        user: User,
        before: Mapping[str, Value],
        after: Mapping[str, Value],
        holders: Mapping[tuple[str, str], str],
    ) -> None:
        """Also what is given up, so that it is nobody else's in this file."""
        name = user.user_id
        for key in (EMAIL, ACCOUNT):
            had, wanted = ((key, str(values[key]).lower()) for values in (before, after))
            holder = self._given.get(wanted) or holders.get(wanted)
            if wanted[1] and holder is not None and holder.lower() != name.lower():
                said = _("{value} is that of {user_id}.")
                raise InvalidPerson(said.format(value=wanted[1], user_id=holder))
            self._given |= {each: name for each in (had, wanted) if each[1]}

    def _keep_an_appointer(self, user: User, before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
        role = AdminRole.ADMIN_MANAGE.value
        did, does = (bool(values[ENABLED]) and role in words(values, ADMIN_ROLES) for values in (before, after))
        if did == does:
            return
        if self._appointers is None:
            grants = AdminGrant.objects.filter(key=role, user__is_active=True, user__is_admin=True)
            self._appointers = set(grants.values_list("user__user_id", flat=True))
        if does:
            self._appointers.add(user.user_id)
        elif self._appointers <= {user.user_id}:
            raise InvalidGrant(_("Nobody else could appoint administrators: give that role to somebody first."))
        else:
            self._appointers.discard(user.user_id)


def _new(name: str) -> User:
    people.check_user_id(name)
    user = User(user_id=name)
    user.set_password(None)
    return user


def _judge_roles(user: User, before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
    wanted, more = words(after, ROLES), words(after, ROLES) - words(before, ROLES)
    if unknown := wanted - frozenset(Role.values):
        said = _("There is no role {unknown}. The roles are {known}.")
        raise InvalidGrant(said.format(unknown=", ".join(sorted(unknown)), known=", ".join(Role.values)))
    memberships = () if before is NEW else user.memberships.all()
    inherited = {grant.key for each in memberships for grant in each.group.roles.all()}
    if (wanted | inherited) & ACCOUNT_DRIVEN and not after[ACCOUNT]:
        raise InvalidPerson(accounts.wanted_sentence())
    if more and wanted & PORTAL_CHILDREN and Role.PORTAL not in wanted:
        said = _("{roles} needs the role {portal}, which is not granted.")
        raise InvalidGrant(said.format(roles=", ".join(sorted(wanted & PORTAL_CHILDREN)), portal=Role.PORTAL))


def _holders(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Whose the emails and accounts of these rows are now."""
    emails, named = ({str(row.values.get(key, "")).lower() for row in rows} - {""} for key in (EMAIL, ACCOUNT))
    theirs = User.objects.annotate(lower_email=Lower("email")).filter(lower_email__in=emails).exclude(email="")
    held = {(EMAIL, lower): name for lower, name in theirs.values_list("lower_email", "user_id")}
    signed_in = User.objects.filter(managed_apple_account__in=named)
    accounts_held = signed_in.values_list("managed_apple_account", "user_id")
    return held | {(ACCOUNT, account): name for account, name in accounts_held}
