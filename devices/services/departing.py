"""The devices of people who lost the role that they were enrolled with, or who are to go themselves."""

import logging

from devices.models import Device
from devices.services import send
from devices.services.queue import CommandRefused
from users.models import User

logger = logging.getLogger(__name__)
LEAVING = (Device.Status.RETIRE_PENDING, Device.Status.WIPE_PENDING)


def role_revoked(user_id: int, role: str, *, actor: str) -> None:
    """Nothing is retired for a role that was granted again meanwhile."""
    user = User.objects.filter(pk=user_id).first()
    if user is not None and role not in user.role_keys():
        _retire(user, enrollment_type=role.rpartition(".")[2], actor=actor)


def retire_all(user_id: int, *, actor: str) -> None:
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        _retire(user, actor=actor)


def _retire(user: User, *, actor: str, **which: str) -> None:
    """Each by itself; safe to run twice, for those that are leaving are not asked again."""
    for device in Device.objects.enrolled().filter(user=user, **which).exclude(status__in=LEAVING).order_by("pk"):
        try:
            send.send(send.prepare_retirement(device), actor=actor)
        except CommandRefused as refused:
            logger.warning("a device is not retired", extra={"device": str(device.uuid), "reason": str(refused)})
