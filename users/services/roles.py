"""Who may do what.  Roles are read at each use, so a change acts at once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Value
from django.utils.translation import gettext as _

from epmm import audit, options, settings_store
from users.errors import InvalidAccount, InvalidGrant
from users.models import ACCOUNT_DRIVEN, PORTAL_CHILDREN, GroupRole, Membership, Role, RoleGrant, User, acting
from users.services import accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    key: str
    origin: str  # the group; empty for what was granted to this very person
    granted_at: datetime
    granted_by: str

    @property
    def label(self) -> str:
        return str(Role(self.key).label)


def effective(user: User) -> list[Held]:
    """Each role that acts, as often as it has an origin."""
    told = ("key", "granted_at", "granted_by", "origin")
    own = RoleGrant.objects.filter(user=user).annotate(origin=Value("")).values(*told)
    inherited = GroupRole.objects.filter(group__memberships__user=user).annotate(origin=F("group__name")).values(*told)
    found = [Held(**grant) for grant in own.union(inherited, all=True)]
    held, order = acting(each.key for each in found), list(Role.values)
    shown = [each for each in found if each.key in held]
    return sorted(shown, key=lambda each: (order.index(each.key), each.origin))


def of_each(people: Iterable[User]) -> dict[int, frozenset[str]]:
    """Those that act, by the numbers of many; Django's prefetched objects would take three times as long."""
    held: dict[int, set[str]] = {person.pk: set() for person in people}
    own = RoleGrant.objects.filter(user__in=held).values_list("user_id", "key")
    theirs = Membership.objects.filter(user__in=held, group__roles__isnull=False)
    for person, key in own.union(theirs.values_list("user_id", "group__roles__key")):
        held[person].add(key)
    return {person: acting(keys) for person, keys in held.items()}


def without_effect(held: Collection[str]) -> list[str]:
    """What to say of those that are granted while their feature is off."""
    switches = (
        (ACCOUNT_DRIVEN, options.MDM_PROFILE, _("Enable MDM Profile is switched off.")),
        ({Role.ADDE}, options.ADDE, _("Account-driven device enrollment is switched off.")),
        ({Role.AAUE}, options.AAUE, _("Account-driven user enrollment is switched off.")),
    )
    effect = _("The role is saved but has no effect until it is switched on.")
    off = [said for keys, switch, said in switches if not keys.isdisjoint(held) and not settings_store.read(switch)]
    return [f"{said} {effect}" for said in off]


@transaction.atomic
def grant(user: User, keys: Iterable[str], *, actor: str, managed_apple_account: str | None = None) -> None:
    """Grant what is not granted yet.  Account-driven roles need a Managed Apple Account, given now or earlier."""
    wanted = _known(keys)
    person = _locked(user)
    if managed_apple_account is not None:
        accounts.assign(person, managed_apple_account, actor=actor)
        user.managed_apple_account = person.managed_apple_account
    before = person.granted_role_keys()
    after = before | wanted
    if wanted & ACCOUNT_DRIVEN and not person.managed_apple_account:
        raise InvalidAccount(accounts.wanted_sentence())
    if wanted & PORTAL_CHILDREN and Role.PORTAL not in after:
        raise InvalidGrant(
            _("{roles} needs the role {portal}, which is not granted.").format(
                roles=", ".join(sorted(wanted & PORTAL_CHILDREN)), portal=Role.PORTAL
            )
        )
    RoleGrant.objects.bulk_create(
        [RoleGrant(user=person, key=key, granted_by=actor[:255]) for key in sorted(after - before)],
        ignore_conflicts=True,
    )
    _record("roles.granted", person, before, after, actor)


@transaction.atomic
def remove(user: User, keys: Iterable[str], *, actor: str) -> None:
    """Remove what is granted.  Without the portal nothing that is done there is left either."""
    unwanted = _known(keys)
    if Role.PORTAL in unwanted:
        unwanted |= PORTAL_CHILDREN
    person = _locked(user)
    before = person.granted_role_keys()
    person.role_grants.filter(key__in=unwanted).delete()
    _record("roles.removed", person, before, before - unwanted, actor)


def _known(keys: Iterable[str]) -> frozenset[str]:
    given = frozenset(keys)
    unknown = given - set(Role.values)
    if unknown:
        raise InvalidGrant(
            _("There is no role {unknown}. The roles are {known}.").format(
                unknown=", ".join(sorted(unknown)), known=", ".join(Role.values)
            )
        )
    return given


def _locked(user: User) -> User:
    """The person as stored now; two changes of the same person's roles wait for each other."""
    return User.objects.select_for_update().get(pk=user.pk)


def _record(action: str, user: User, before: Iterable[str], after: Iterable[str], actor: str) -> None:
    was, now = sorted(before), sorted(after)
    if was != now:
        audit.record(
            action, actor=actor, subject_type="user", subject=user.user_id, details={"before": was, "after": now}
        )
