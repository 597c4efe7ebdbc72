"""Who changed what.  Entries are written in the transaction of the change and never edited."""

from typing import Any

from epmm.models import AuditEntry


def record(
    action: str,
    *,
    actor: str,
    subject_type: str,
    subject: str,
    address: str | None = None,
    status: AuditEntry.Status = AuditEntry.Status.SUCCESS,
    details: dict[str, Any] | None = None,
) -> None:
    AuditEntry.objects.create(
        action=action,
        actor=actor[:255],
        address=address,
        subject_type=subject_type,
        subject=subject[:255],
        status=status,
        details=details or {},
    )
