"""Managed Apple Accounts: whom Apple asks a device's user to sign in as."""

import re
from collections.abc import Iterable
from typing import Final

from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from epmm import audit, option_texts, options
from users.errors import ForeignAccount, InvalidAccount
from users.models import ACCOUNT_DRIVEN, DirectoryEntry, User

LONGEST: Final = 320
State = DirectoryEntry.AccountState
BAD: Final = frozenset({State.INVALID, State.FOREIGN})  # of what is mapped itself
LOCAL_PART: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+")  # RFC 5322, 3.2.3: the characters of an atom, and dots


def normalized(text: str) -> str:
    """The account as it is stored.  Raises InvalidAccount, also for an account of a domain that is not ours."""
    value = text.strip().lower()
    domains = options.enrollment_domains()
    local, _at, domain = value.partition("@")
    if len(value) > LONGEST or LOCAL_PART.fullmatch(local) is None or option_texts.DOMAIN.fullmatch(domain) is None:
        raise InvalidAccount(wanted_sentence())
    if domain not in domains:
        raise ForeignAccount(
            _(
                '"{value}" does not belong to an enrollment domain of this server ({list}). '
                "Change the account or add the domain under Settings."
            ).format(value=value, list=", ".join(domains))
        )
    return value


def wanted_sentence() -> str:
    """`localhost`, as a new installation is called, can be no domain of an account."""
    if not any(map(option_texts.DOMAIN.fullmatch, options.enrollment_domains())):
        return _("Add an enrollment domain under Settings first: a Managed Apple Account belongs to one.")
    return _("Enter the Managed Apple Account this person signs in with, for example {example}.").format(
        example=f"name@{options.enrollment_domains()[0]}"
    )


def assign(user: User, text: str, *, actor: str) -> None:
    """Give the person this account.  The database decides who of two had it first."""
    value = normalized(text)
    before = user.managed_apple_account
    if value == before:
        return
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(managed_apple_account=value)
            user.managed_apple_account = value
            record_change(user, before, value, actor)
            _keep_state(user)
    except IntegrityError as error:
        user.managed_apple_account = before
        refuse_taken(value)
        raise InvalidAccount from error  # whoever had it has just let go


@transaction.atomic
def clear(user: User, *, actor: str) -> None:
    """Take the account away, unless a role of the person needs one."""
    person = User.objects.select_for_update().get(pk=user.pk)
    before = person.managed_apple_account
    if before is None:
        return
    if person.role_keys() & ACCOUNT_DRIVEN:
        raise InvalidAccount(_("A role of this person needs the Managed Apple Account: remove the role first."))
    User.objects.filter(pk=user.pk).update(managed_apple_account=None)
    user.managed_apple_account = None
    record_change(user, before, None, actor)
    _keep_state(user)


def refuse_taken(value: str) -> None:
    """Raise InvalidAccount when a stored person has this account."""
    holder = User.objects.filter(managed_apple_account=value).first()
    if holder is not None:
        raise InvalidAccount(taken_sentence(holder))


def taken_sentence(holder: User) -> str:
    return taken_by(holder.display_name)


def taken_by(name: str) -> str:
    return _("Another user ({name}) already has this Managed Apple Account.").format(name=name)


def enrolled(people: Iterable[User]) -> set[int]:
    """Which of them have an enrolled device; devices belong to another app."""
    keys = [user.pk for user in people]
    if not keys:
        return set()
    theirs = apps.get_model("devices", "Enrollment").objects.active().filter(user__in=keys)
    return set(theirs.values_list("user_id", flat=True))


def fits(user: User, account: str | None) -> bool:
    """Federated accounts normally equal the directory's name; nothing forbids another one."""
    return account is None or not user.upn or user.upn.lower() == account


def _keep_state(user: User) -> None:
    """Of what is mapped for the person: an administrator has just decided."""
    entry = DirectoryEntry.objects.filter(user=user).only("account", "account_state").first()
    if entry is None:
        return
    held, state = user.managed_apple_account, State(entry.account_state)
    if entry.account and held is not None and held != entry.account:
        state = state if state in BAD else State.KEPT
    else:
        state = State.FINE if fits(user, held) else State.DIFFERS
    DirectoryEntry.objects.filter(pk=entry.pk).exclude(account_state=state).update(account_state=state)


def record_change(user: User, before: str | None, after: str | None, actor: str) -> None:
    audit.record(
        "user.account_changed",
        actor=actor,
        subject_type="user",
        subject=user.user_id,
        details={"from": before, "to": after},
    )
