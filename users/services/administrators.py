"""Who administers: roles of the portal, granted and taken; both act on open sessions at once."""

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from epmm import audit
from users.errors import InvalidGrant
from users.models import AdminGrant, AdminRole, PortalSession, User


@transaction.atomic
def set_roles(user: User, keys: Iterable[str], *, actor: str) -> None:
    """These and no others."""
    wanted = frozenset(keys)
    change_roles(user, granted=wanted, removed=frozenset(AdminRole.values) - wanted, actor=actor)


@transaction.atomic
def change_roles(user: User, *, granted: Iterable[str], removed: Iterable[str], actor: str) -> None:
    """The others stay as they are.  Without any the person's sessions end.  The last who may appoint others stays."""
    person = User.objects.select_for_update().get(pk=user.pk)
    before = frozenset(person.admin_grants.values_list("key", flat=True))
    wanted = (before - _known(removed)) | _known(granted)
    user.is_admin = bool(wanted)
    if wanted == before and person.is_admin == user.is_admin:
        return
    if AdminRole.ADMIN_MANAGE in before - wanted:
        keep_an_appointer(person)
    person.admin_grants.exclude(key__in=wanted).delete()
    AdminGrant.objects.bulk_create(
        [AdminGrant(user=person, key=key, granted_by=actor[:255]) for key in sorted(wanted - before)]
    )
    person.is_admin = user.is_admin
    person.save(update_fields=["is_admin"])
    if not wanted:
        PortalSession.objects.filter(user=person).delete()
    audit.record(
        "admin.roles_set",
        actor=actor,
        subject_type="user",
        subject=person.user_id,
        details={"added": sorted(wanted - before), "removed": sorted(before - wanted)},
    )


@transaction.atomic
def set_gdpr_profile(user: User, *, hides: bool, actor: str) -> bool:
    """Whether personal data are hidden from this administrator; acts at once.  False when it was so already."""
    if user.hides_personal_data == hides:
        return False
    user.hides_personal_data = hides
    user.save(update_fields=["hides_personal_data"])
    action = "admin.gdpr_profile_on" if hides else "admin.gdpr_profile_off"
    audit.record(action, actor=actor, subject_type="user", subject=user.user_id)
    return True


def keep_an_appointer(person: User) -> None:
    """Raises InvalidGrant when, without this person, nobody could appoint administrators."""
    if not person.is_active or AdminRole.ADMIN_MANAGE not in person.admin_role_keys():
        return
    # two who dismiss each other at once wait for each other here
    appointing = AdminGrant.objects.select_for_update().filter(key=AdminRole.ADMIN_MANAGE, user__is_active=True)
    if all(grant.user_id == person.pk for grant in appointing):
        raise InvalidGrant(_("Nobody else could appoint administrators: give that role to somebody first."))


def _known(keys: Iterable[str]) -> frozenset[str]:
    asked = frozenset(keys)
    if unknown := asked - frozenset(AdminRole.values):
        raise InvalidGrant(_("There is no administrator role {keys}.").format(keys=", ".join(sorted(unknown))))
    return asked
