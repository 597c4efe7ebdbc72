"""What an administrator does with people who are there: correct their data, help them back in, let them go."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.deletion import ProtectedError
from django.utils.translation import gettext as _

from epmm import audit, options, settings_store
from epmm.models import Job
from users.errors import InvalidPerson
from users.models import AdminRole, DirectoryEntry, PersonSession, PortalSession, User
from users.services import accounts, administrators, group_sizes, lock_out, people, second_factor

# none that are taken for one another when read out or copied by hand
LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
GROUP: Final = 4
GROUPS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    first_name: str
    last_name: str
    display_name: str
    email: str
    managed_apple_account: str


def may_change(user: User, actor_roles: Iterable[str]) -> None:
    """An administrator is changed by whoever may appoint some: else a new password would lend all their roles."""
    if user.is_admin and AdminRole.ADMIN_MANAGE not in actor_roles:
        raise InvalidPerson(
            _("{name} is an administrator. Only who manages administrators may do this.").format(name=user.display_name)
        )


def edit(user: User, facts: Facts, *, actor: str) -> None:
    """Raises InvalidPerson; then nothing is changed."""
    before = _told(user)
    if user.source == User.Source.LOCAL:  # else a directory says what somebody is called
        user.first_name, user.last_name = facts.first_name.strip(), facts.last_name.strip()
        user.full_name, user.email = facts.display_name.strip(), facts.email.strip()
    people.check_names(user)
    try:
        user.clean_fields(exclude=["password"])
        with transaction.atomic():
            user.save(update_fields=["first_name", "last_name", "full_name", "email"])
            if (after := _told(user)) != before:
                changed = sorted(name for name in after if after[name] != before[name])
                _record("user.changed", user, actor, {"changed": changed})
            if facts.managed_apple_account.strip():
                accounts.assign(user, facts.managed_apple_account, actor=actor)
            else:
                accounts.clear(user, actor=actor)
    except ValidationError as error:
        raise InvalidPerson(" ".join(error.messages)) from error
    except IntegrityError as error:
        people.refuse_taken(user)
        raise InvalidPerson from error


def set_active(user: User, *, is_active: bool, actor: str) -> None:
    if not is_active and user.user_id == actor:
        raise InvalidPerson(_("Nobody disables their own account."))
    people.set_active(user, is_active=is_active, actor=actor)


@transaction.atomic
def require_new_password(user: User, *, actor: str) -> None:
    """At the next sign-in; open sessions of the portal end."""
    refuse_directory(user)
    if not user.has_usable_password():
        raise InvalidPerson(_("This person has no password. Reset it to hand one out."))
    user.must_change_password = True
    user.save(update_fields=["must_change_password"])
    PortalSession.objects.filter(user=user).delete()
    PersonSession.objects.filter(user=user).delete()
    _record("user.password_change_required", user, actor)


@dataclass(frozen=True, slots=True)
class NewPassword:
    """On its way to the person: the only place where it and its hash are together."""

    text: str = field(repr=False)
    hashed: str = field(repr=False)

    @classmethod
    def draw(cls, user: User) -> Self:
        """Slow, as hashing is: not inside a transaction."""
        text = drawn_password(user)
        return cls(text, make_password(text))


def reset_password(user: User, *, actor: str, new: NewPassword | None = None) -> str:
    """A password that is shown once and has to be replaced at the first sign-in."""
    refuse_directory(user)
    new = new or NewPassword.draw(user)
    with transaction.atomic():
        people.store_password(user, new.hashed, actor=actor, must_change=True)
        PortalSession.objects.filter(user=user).delete()
        PersonSession.objects.filter(user=user).delete()
    return new.text


def drawn_password(user: User) -> str:
    """Easy to copy by hand, and whatever the policy asks for."""
    groups = max(GROUPS, -(-settings_store.read(options.PASSWORD_LENGTH) // GROUP))
    while True:
        password = "-".join("".join(secrets.choice(LETTERS) for _letter in range(GROUP)) for _group in range(groups))
        try:
            validate_password(password, user)
        except ValidationError:
            continue  # by chance without a digit, say
        return password


def names(user: User) -> set[str]:
    """What failures of this person's sign-ins are counted under."""
    typed = {user.user_id.lower(), user.email.lower(), user.managed_apple_account or ""} - {""}
    domains = options.enrollment_domains()
    return typed | {people.without_own_domain(name, domains) for name in typed} | {second_factor.counted_as(user)}


@transaction.atomic
def unlock(user: User, *, actor: str) -> bool:
    """Whether there was anything to forget."""
    found = lock_out.unlock(names(user)) > 0
    if found:
        _record("user.unlocked", user, actor)
    return found


def has_devices(user: User) -> bool:
    theirs = apps.get_model("devices", "Device").objects.filter(user=user)
    return bool(theirs.exclude(status="RETIRED").exists())


def devices_of(people: QuerySet[User]) -> int:
    """How many they have that are not retired."""
    theirs = apps.get_model("devices", "Device").objects.filter(user__in=people.order_by().values("pk"))
    return int(theirs.exclude(status="RETIRED").count())


def retire_devices(user: User, *, actor: str) -> None:
    """Before somebody is deleted.  The devices belong to another app, and the handler of this kind with them."""
    with transaction.atomic():
        Job.enqueue("devices.retire_of_person", user=user.pk, actor=actor)
        _record("user.devices_retired", user, actor)


@transaction.atomic
def delete(user: User, *, actor: str) -> None:
    """Not while devices are there, nor whom a directory would bring back: whoever left it is disabled."""
    if user.user_id == actor:
        raise InvalidPerson(_("Nobody deletes their own account."))
    _refuse_provided(user)
    administrators.keep_an_appointer(user)
    if has_devices(user):
        raise InvalidPerson(_("This person has devices. Retire them first."))
    try:
        with transaction.atomic():
            _record("user.deleted", user, actor, {"account": user.managed_apple_account})
            groups = list(user.memberships.values_list("group", flat=True))
            user.delete()
            group_sizes.recount(groups)
    except ProtectedError as error:
        raise InvalidPerson(_("Records of retired devices name this person. Delete those records first.")) from error


def _refuse_provided(user: User) -> None:
    """Whoever is still in an enabled directory would be back with its next sync."""
    entry = DirectoryEntry.objects.select_related("directory").filter(user=user, directory__isnull=False).first()
    if entry is None or entry.directory is None:
        if user.is_active:
            refuse_directory(user)
    elif entry.gone_at is None and entry.directory.is_enabled:
        raise InvalidPerson(_("A directory still has this person. Remove them there, or disable the directory."))


def refuse_directory(user: User) -> None:
    if user.source != User.Source.LOCAL:
        raise InvalidPerson(_("This person comes from a directory: change it there."))


def _told(user: User) -> dict[str, str]:
    return {name: getattr(user, name) for name in ("first_name", "last_name", "full_name", "email")}


def _record(action: str, user: User, actor: str, details: dict[str, object] | None = None) -> None:
    audit.record(action, actor=actor, subject_type="user", subject=user.user_id, details=details)
