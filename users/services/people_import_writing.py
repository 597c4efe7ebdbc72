"""What an import does to the rows of some hundred people, in as many statements as to those of one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from epmm import audit
from epmm.folding import fold
from epmm.given import update_each
from epmm.imports import Change, Value, words
from epmm.models import Job
from users.models import AdminGrant, PersonSession, PortalSession, RoleGrant, User
from users.services.people_files import ACCOUNT, ADMIN_ROLES, ENABLED, NAMES, ROLES

WRITTEN: Final = (
    "first_name", "last_name", "full_name", "email", "first_name_folded", "last_name_folded",
    "managed_apple_account", "is_active", "is_admin",
)  # fmt: skip
USER: Final = "user"


class Planned(Protocol):
    @property
    def change(self) -> Change: ...
    @property
    def user(self) -> User: ...
    @property
    def before(self) -> Mapping[str, Value]: ...
    @property
    def after(self) -> Mapping[str, Value]: ...


def put(planned: Sequence[Planned], *, actor: str) -> None:
    """Inside a transaction.  Raises IntegrityError."""
    for each in planned:
        _fill(each)
    User.objects.bulk_create([each.user for each in planned if each.change.is_new])
    update_each([each.user for each in planned if not each.change.is_new], WRITTEN)
    _grants(planned, actor)
    _admin_grants(planned, actor)
    disabled = [each.user.pk for each in planned if each.before[ENABLED] and not each.after[ENABLED]]
    dismissed = [each.user.pk for each in planned if each.before[ADMIN_ROLES] and not each.after[ADMIN_ROLES]]
    PortalSession.objects.filter(user__in=[*disabled, *dismissed]).delete()
    PersonSession.objects.filter(user__in=disabled).delete()
    # the records of devices hold copies; they belong to another app, and the handler of this kind with them
    if renamed := [each.user.pk for each in planned if _is_renamed(each)]:
        Job.enqueue("devices.people_named", users=renamed)
    _record(planned, actor)


def _fill(planned: Planned) -> None:
    user, after = planned.user, planned.after
    for name, field in NAMES.items():
        setattr(user, field, after[name])
    user.first_name_folded, user.last_name_folded = fold(user.first_name), fold(user.last_name)
    user.managed_apple_account = str(after[ACCOUNT]) or None
    user.is_active = bool(after[ENABLED])
    user.is_admin = bool(after[ADMIN_ROLES]) if planned.before[ADMIN_ROLES] != after[ADMIN_ROLES] else user.is_admin


def _grants(planned: Sequence[Planned], actor: str) -> None:
    lost: dict[str, list[int]] = {}
    made = []
    for each in planned:
        had = frozenset() if each.change.is_new else words(each.before, ROLES)
        for key in had - words(each.after, ROLES):
            lost.setdefault(key, []).append(each.user.pk)
        made += [RoleGrant(user=each.user, key=key, granted_by=actor[:255]) for key in words(each.after, ROLES) - had]
    for key, users in lost.items():
        RoleGrant.objects.filter(key=key, user__in=users).delete()
    RoleGrant.objects.bulk_create(made)


def _admin_grants(planned: Sequence[Planned], actor: str) -> None:
    changed = [each for each in planned if each.before[ADMIN_ROLES] != each.after[ADMIN_ROLES]]
    lost: dict[str, list[int]] = {}
    made = []
    for each in changed:
        had, has = words(each.before, ADMIN_ROLES), words(each.after, ADMIN_ROLES)
        for key in had - has:
            lost.setdefault(key, []).append(each.user.pk)
        made += [AdminGrant(user=each.user, key=key, granted_by=actor[:255]) for key in sorted(has - had)]
    # of a former administrator, whose grants do not count, some may be left
    AdminGrant.objects.filter(user__in=[each.user.pk for each in changed if not each.before[ADMIN_ROLES]]).delete()
    for key, users in lost.items():
        AdminGrant.objects.filter(key=key, user__in=users).delete()
    AdminGrant.objects.bulk_create(made)


def _record(planned: Sequence[Planned], actor: str) -> None:
    """As the page of a single person would have."""
    new = [each for each in planned if each.change.is_new]
    old = [each for each in planned if not each.change.is_new]
    told: Mapping[str, Mapping[str, dict[str, Any]]] = {
        "user.created": {
            each.user.user_id: {"admin": each.user.is_admin, "account": each.user.managed_apple_account} for each in new
        },
        "user.changed": {each.user.user_id: {"changed": _fields(each)} for each in old if _is_renamed(each)},
        "user.account_changed": {
            each.user.user_id: {"from": each.before[ACCOUNT] or None, "to": each.user.managed_apple_account}
            for each in _changed(old, ACCOUNT)
        },
        "user.enabled": {each.user.user_id: {} for each in _changed(old, ENABLED) if each.after[ENABLED]},
        "user.disabled": {each.user.user_id: {} for each in _changed(planned, ENABLED) if not each.after[ENABLED]},
        "roles.granted": {
            each.user.user_id: {"before": sorted(_had(each)), "after": sorted(_had(each) | words(each.after, ROLES))}
            for each in planned
            if words(each.after, ROLES) - _had(each)
        },
        "roles.removed": {
            each.user.user_id: {
                "before": sorted(_had(each) | words(each.after, ROLES)),
                "after": sorted(words(each.after, ROLES)),
            }
            for each in planned
            if _had(each) - words(each.after, ROLES)
        },
        "admin.roles_set": {
            each.user.user_id: {
                "added": sorted(words(each.after, ADMIN_ROLES) - words(each.before, ADMIN_ROLES)),
                "removed": sorted(words(each.before, ADMIN_ROLES) - words(each.after, ADMIN_ROLES)),
            }
            for each in _changed(planned, ADMIN_ROLES)
        },
    }  # fmt: skip
    for action, several in told.items():
        if several:
            audit.record_each(action, several.items(), actor=actor, subject_type=USER)


def _had(planned: Planned) -> frozenset[str]:
    return frozenset() if planned.change.is_new else words(planned.before, ROLES)


def _changed(planned: Iterable[Planned], name: str) -> list[Planned]:
    return [each for each in planned if each.before[name] != each.after[name]]


def _is_renamed(planned: Planned) -> bool:
    return not planned.change.is_new and bool(_fields(planned))


def _fields(planned: Planned) -> list[str]:
    return sorted(field for name, field in NAMES.items() if planned.before[name] != planned.after[name])
