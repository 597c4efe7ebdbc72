"""Managed Apple Accounts: whom Apple asks a device's user to sign in as."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from epmm import audit, option_texts, options
from users.errors import InvalidAccount
from users.models import ACCOUNT_DRIVEN, User

LONGEST: Final = 320
LOCAL_PART: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+")  # RFC 5322, 3.2.3: the characters of an atom, and dots


def normalized(text: str) -> str:
    """The account as it is stored.  Raises InvalidAccount, also for an account of a domain that is not ours."""
    value = text.strip().lower()
    domains = options.enrollment_domains()
    local, _at, domain = value.partition("@")
    if len(value) > LONGEST or LOCAL_PART.fullmatch(local) is None or option_texts.DOMAIN.fullmatch(domain) is None:
        raise InvalidAccount(wanted_sentence())
    if domain not in domains:
        raise InvalidAccount(
            _(
                '"{value}" does not belong to an enrollment domain of this server ({list}). '
                "Change the account or add the domain under Settings."
            ).format(value=value, list=", ".join(domains))
        )
    return value


def wanted_sentence() -> str:
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
            _record_change(user, before, value, actor)
    except IntegrityError as error:
        refuse_taken(value)
        raise InvalidAccount from error  # whoever had it has just let go
    user.managed_apple_account = value


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
    _record_change(user, before, None, actor)


def refuse_taken(value: str) -> None:
    """Raise InvalidAccount when a stored person has this account."""
    holder = User.objects.filter(managed_apple_account=value).first()
    if holder is not None:
        raise InvalidAccount(taken_sentence(holder))


def taken_sentence(holder: User) -> str:
    return _("Another user ({name}) already has this Managed Apple Account.").format(name=holder.display_name)


def mapped(attributes: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The account that a directory's attribute says; None where it has none.  Raises InvalidAccount."""
    found = next((texts for each, texts in attributes.items() if each.lower() == name.lower()), ())
    return normalized(found[0]) if found else None


def follow(wanted: Sequence[tuple[User, str]], *, actor: str) -> list[str]:
    """Put in place what the directory of each says; whoever calls saves it.  What cannot be done, in sentences.

    Nobody with an enrolled device gets another account: the device is signed in with it.
    """
    if not wanted:
        return []
    theirs = User.objects.filter(managed_apple_account__in=[value for _user, value in wanted])
    holders = {user.managed_apple_account: user for user in theirs}
    enrolled = _enrolled(user for user, _value in wanted if user.managed_apple_account)
    given: dict[str, User] = {}
    problems = []
    for user, value in wanted:
        holder, before = given.get(value) or holders.get(value), user.managed_apple_account
        if holder is not None and (value in given or holder.pk != user.pk):
            problems.append(f"{user.user_id}: {taken_sentence(holder)}")
        elif user.pk in enrolled:
            problems.append(f"{user.user_id}: " + _("Devices are enrolled with {account}.").format(account=before))
        else:
            given[value], user.managed_apple_account = user, value
            if before is not None:
                _record_change(user, before, value, actor)
    return problems


def _enrolled(people: Iterable[User]) -> set[int]:
    """Which of them have an enrolled device; devices belong to another app."""
    keys = [user.pk for user in people]
    if not keys:
        return set()
    theirs = apps.get_model("devices", "Device").objects.filter(user__in=keys, mdm_managed=True)
    return set(theirs.values_list("user_id", flat=True))


def _record_change(user: User, before: str | None, after: str | None, actor: str) -> None:
    audit.record(
        "user.account_changed",
        actor=actor,
        subject_type="user",
        subject=user.user_id,
        details={"from": before, "to": after},
    )
