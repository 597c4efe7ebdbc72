"""Roles that groups hold: their members inherit them while they are members."""

from collections.abc import Collection, Iterable, Sequence

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from epmm import audit
from users.errors import InvalidGrant
from users.models import ACCOUNT_DRIVEN, PORTAL_CHILDREN, Group, GroupRole, Role, User


@transaction.atomic
def change(groups: Sequence[Group], granted: Collection[str], removed: Collection[str], *, actor: str) -> None:
    """For all of them, or for none.  Raises InvalidGrant."""
    unwanted = frozenset(removed) | (PORTAL_CHILDREN if Role.PORTAL in removed else frozenset())
    rows = []
    locked = Group.objects.select_for_update().filter(pk__in=[group.pk for group in groups]).order_by("pk")
    for group in locked.prefetch_related("roles"):
        before = frozenset(grant.key for grant in group.roles.all())
        after = (before - unwanted) | frozenset(granted)
        if after & PORTAL_CHILDREN and Role.PORTAL not in after:
            raise InvalidGrant(
                _("The chosen roles need the role User Portal, which {name} does not have.").format(name=group.name)
            )
        group.roles.filter(key__in=before - after).delete()
        rows += [GroupRole(group=group, key=key, granted_by=actor[:255]) for key in sorted(after - before)]
        _record(group, before, after, actor)
    GroupRole.objects.bulk_create(rows, ignore_conflicts=True)


def without_account(groups: Iterable[Group], granted: Collection[str]) -> int:
    """How many members cannot use an account-driven role that these groups would have, for want of an account."""
    if not ACCOUNT_DRIVEN & frozenset(granted):
        return 0
    lacking = Q(managed_apple_account=None, is_active=True, memberships__group__in=[group.pk for group in groups])
    return User.objects.filter(lacking).distinct().count()


def _record(group: Group, before: frozenset[str], after: frozenset[str], actor: str) -> None:
    if before != after:
        details = {"before": sorted(before), "after": sorted(after)}
        audit.record("group.roles_changed", actor=actor, subject_type="group", subject=group.name, details=details)
