"""Certificates of devices: found, and made good no more before they expire."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Enrollment, Identity
from devices.services.find import enrollments_of
from devices.services.retire import RETIRED_BY_ADMINISTRATOR, end_enrollment
from epmm import audit
from epmm.indexed import begins


class RevocationRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the administrator."""


def find(rows: QuerySet[Identity], text: str) -> QuerySet[Identity]:
    """By how its own serial number begins, or by whose it is."""
    return rows.filter(begins("serial_number", text.lower()) | Q(enrollment__in=enrollments_of(text)))


@transaction.atomic
def revoke(identity: Identity, *, ends_management: bool, actor: str, address: str | None = None) -> None:
    """With the certificate by which it is known a device loses its enrollment: it could not come back without.

    Should it come, it is told that its enrollment has ended, as one that was retired.
    """
    enrollment = (
        Enrollment.objects.select_for_update(of=("self",)).select_related("device").get(pk=identity.enrollment_id)
    )
    row = Identity.objects.select_for_update().get(pk=identity.pk)
    if row.state == Identity.State.REVOKED:
        raise RevocationRefused(_("This certificate is revoked already."))
    is_in_use = row.state == Identity.State.CURRENT and enrollment.state == Enrollment.State.ACTIVE
    if is_in_use and not ends_management:
        raise RevocationRefused(_("A managed device is known by this certificate: without it its management ends."))
    if is_in_use:
        end_enrollment(enrollment, reason=RETIRED_BY_ADMINISTRATOR, now=timezone.now())
    Identity.objects.filter(pk=row.pk).update(state=Identity.State.REVOKED)
    device = enrollment.device
    audit.record(
        "certificate.revoked",
        actor=actor,
        address=address,
        subject_type="device",
        subject=str(device.uuid) if device else "",
        details={"serial_number": row.serial_number, "ends_management": is_in_use},
    )
