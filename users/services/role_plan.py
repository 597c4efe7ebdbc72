"""Roles for many people at once: what each would get, who could not be saved and why, all of it before anything is."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from epmm.models import Job
from users.errors import InvalidAccount, InvalidPerson
from users.models import ACCOUNT_DRIVEN, PORTAL_CHILDREN, Role, User
from users.services import accounts, roles
from users.services.account_patterns import filled

UPN: Final = "userPrincipalName"
# What a directory knows of a person, by its own names; local people have an email address at most.
ATTRIBUTES: Final[dict[str, Callable[[User], str]]] = {UPN: lambda user: user.upn, "mail": lambda user: user.email}


class Source(StrEnum):
    """Where a person's Managed Apple Account comes from."""

    KEEP = "keep"
    TYPED = "typed"
    ATTRIBUTE = "attribute"
    PATTERN = "pattern"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Roles that are in neither set stay with whoever has them."""

    granted: frozenset[str]
    removed: frozenset[str]
    source: Source = Source.KEEP
    typed: Mapping[int, str] = field(default_factory=dict)  # by person; who is not in it keeps theirs
    text: str = ""  # the pattern, or the name of the attribute
    replaces: bool = False  # also accounts that people have already
    retires: frozenset[str] = frozenset()  # of the removed roles: devices that were enrolled with them go, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    user: User
    account: str | None
    after: frozenset[str]  # the roles
    problem: str = ""
    warning: str = ""

    @property
    def is_new(self) -> bool:
        return self.account != self.user.managed_apple_account


def plan(people: Sequence[User], change: Change) -> list[Planned]:
    """Two queries, however many people; nothing is changed.  `people` come with their roles."""
    drafts = [_draft(user, change) for user in people]
    wanted = Counter(draft.account for draft in drafts if draft.account and draft.is_new)
    holders = _holders(wanted)
    return [_checked(draft, wanted, holders) for draft in drafts]


@transaction.atomic
def save(planned: Planned, change: Change, *, actor: str) -> None:
    """One person's new roles and account, all or nothing.  Raises InvalidPerson."""
    if planned.problem:
        raise InvalidPerson(planned.problem)
    user = planned.user
    if change.removed:
        roles.remove(user, change.removed, actor=actor)
    account = planned.account if planned.is_new else None
    roles.grant(user, change.granted, actor=actor, managed_apple_account=account)
    if planned.is_new and planned.account is None:
        accounts.clear(user, actor=actor)
    for key in sorted(change.retires & change.removed & ACCOUNT_DRIVEN):
        # the devices belong to another app, and the handler of this kind with them
        Job.enqueue("devices.role_revoked", user=user.pk, role=key, actor=actor)


def _draft(user: User, change: Change) -> Planned:
    had = frozenset(grant.key for grant in user.role_grants.all())
    removed = change.removed | (PORTAL_CHILDREN if Role.PORTAL in change.removed else frozenset())
    after = (had - removed) | change.granted
    try:
        account = _account(user, change)
    except InvalidAccount as error:
        return Planned(user=user, account=user.managed_apple_account, after=after, problem=str(error))
    draft = Planned(user=user, account=account, after=after, problem=_missing(after, account))
    return replace(draft, warning=_warning(draft))


def _missing(after: frozenset[str], account: str | None) -> str:
    if after & ACCOUNT_DRIVEN and account is None:
        return accounts.wanted_sentence()
    if after & PORTAL_CHILDREN and Role.PORTAL not in after:
        return _("The chosen roles need the role User Portal, which this person does not have.")
    return ""


def _warning(draft: Planned) -> str:
    if not draft.is_new or accounts.fits(draft.user, draft.account):
        return ""
    return _("The directory knows this person as {upn}.").format(upn=draft.user.upn)


def _account(user: User, change: Change) -> str | None:
    kept = user.managed_apple_account
    match change.source:
        case Source.KEEP:
            return kept
        case Source.TYPED:
            if user.pk not in change.typed:
                return kept
            typed = change.typed[user.pk]
            return accounts.normalized(typed) if typed.strip() else None
        case _ if kept is not None and not change.replaces:
            return kept
        case Source.ATTRIBUTE:
            return accounts.normalized(_attribute(user, change.text))
        case Source.PATTERN:
            return accounts.normalized(filled(change.text, user))


def _attribute(user: User, name: str) -> str:
    read = ATTRIBUTES.get(name)
    if read is None or not (text := read(user)):
        raise InvalidAccount(_("This person has no {attribute}.").format(attribute=name))
    return text


def _holders(wanted: Iterable[str]) -> dict[str | None, User]:
    values = sorted(wanted)
    if not values:
        return {}
    return {user.managed_apple_account: user for user in User.objects.filter(managed_apple_account__in=values)}


def _checked(draft: Planned, wanted: Counter[str], holders: dict[str | None, User]) -> Planned:
    if draft.problem or not draft.is_new:
        return draft
    holder = holders.get(draft.account)
    if holder is not None and holder.pk != draft.user.pk:
        problem = accounts.taken_sentence(holder)
    elif wanted[draft.account or ""] > 1:
        problem = _("Several of the chosen people would get this account.")
    else:
        return draft
    return replace(draft, problem=problem)
