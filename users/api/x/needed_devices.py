"""The devices' side of our own API's part of the table."""

from collections.abc import Mapping
from typing import Final

from users.models import AdminRole

NEEDED: Final[Mapping[str, str]] = {
    "x-devices GET": AdminRole.DEVICE_VIEW,
    "x-devices-count GET": AdminRole.DEVICE_VIEW,
    "x-devices-export GET": AdminRole.DEVICE_VIEW,
    "x-devices-one GET": AdminRole.DEVICE_VIEW,
    "x-devices-actions POST": AdminRole.DEVICE_VIEW,  # and what the action needs
    "x-devices-commands GET": AdminRole.DEVICE_VIEW,
    "x-devices-commands POST": AdminRole.DEVICE_MANAGE,  # and for a wipe that role
    "x-devices-command GET": AdminRole.DEVICE_VIEW,
    "x-devices-command DELETE": AdminRole.DEVICE_MANAGE,
    "x-commands GET": AdminRole.LOGS_VIEW,
    "x-actions GET": AdminRole.DEVICE_VIEW,
    "x-actions POST": AdminRole.DEVICE_VIEW,  # and what the action needs
    "x-actions-one GET": AdminRole.DEVICE_VIEW,
    "x-actions-results GET": AdminRole.DEVICE_VIEW,
    "x-actions-stop POST": AdminRole.DEVICE_MANAGE,
    "x-broadcasts GET": AdminRole.LOGS_VIEW,
    "x-broadcasts POST": AdminRole.DEVICE_MANAGE,
    "x-broadcasts-one GET": AdminRole.DEVICE_VIEW,
    "x-broadcasts-cancel POST": AdminRole.DEVICE_MANAGE,
    "x-labels GET": AdminRole.LABEL_VIEW,
    "x-labels POST": AdminRole.LABEL_MANAGE,
    "x-labels-one GET": AdminRole.LABEL_VIEW,
    "x-labels-one PATCH": AdminRole.LABEL_MANAGE,
    "x-labels-one DELETE": AdminRole.LABEL_MANAGE,
    "x-labels-devices GET": AdminRole.DEVICE_VIEW,
    "x-labels-add POST": AdminRole.LABEL_APPLY,
    "x-labels-remove POST": AdminRole.LABEL_APPLY,
    "x-devices-configurations GET": AdminRole.DEVICE_VIEW,
    "x-configurations GET": AdminRole.CONFIGURATION_VIEW,
    "x-configurations POST": AdminRole.CONFIGURATION_MANAGE,
    "x-configurations-one GET": AdminRole.CONFIGURATION_VIEW,
    "x-configurations-one DELETE": AdminRole.CONFIGURATION_MANAGE,
    "x-configurations-versions POST": AdminRole.CONFIGURATION_MANAGE,
    "x-configurations-assignments GET": AdminRole.CONFIGURATION_VIEW,
    "x-configurations-assignments POST": AdminRole.CONFIGURATION_MANAGE,
    "x-configurations-assignment GET": AdminRole.CONFIGURATION_VIEW,
    "x-configurations-assignment DELETE": AdminRole.CONFIGURATION_MANAGE,
    "x-configurations-devices GET": AdminRole.CONFIGURATION_VIEW,
    "x-devices-declarations GET": AdminRole.DEVICE_VIEW,
    "x-declarations GET": AdminRole.CONFIGURATION_VIEW,
    "x-declarations POST": AdminRole.CONFIGURATION_MANAGE,
    "x-declarations-one GET": AdminRole.CONFIGURATION_VIEW,
    "x-declarations-one PATCH": AdminRole.CONFIGURATION_MANAGE,
    "x-declarations-one DELETE": AdminRole.CONFIGURATION_MANAGE,
    "x-declarations-assignments GET": AdminRole.CONFIGURATION_VIEW,
    "x-declarations-assignments POST": AdminRole.CONFIGURATION_MANAGE,
    "x-declarations-assignment DELETE": AdminRole.CONFIGURATION_MANAGE,
    "x-declarations-devices GET": AdminRole.CONFIGURATION_VIEW,
    "x-certificates GET": AdminRole.DEVICE_VIEW,
    "x-certificates-one GET": AdminRole.DEVICE_VIEW,
    "x-certificates-revoke POST": AdminRole.DEVICE_MANAGE,
}
MASKED: Final = frozenset(
    {
        "x-devices GET",
        "x-devices-count GET",
        "x-devices-export GET",
        "x-devices-one GET",
        "x-devices-actions POST",
        "x-devices-commands GET",
        "x-actions POST",
        "x-actions-one GET",
        "x-actions-results GET",
        "x-labels GET",
        "x-labels POST",
        "x-labels-one GET",
        "x-labels-one DELETE",
        "x-labels-devices GET",
        "x-labels-add POST",
        "x-labels-remove POST",
        "x-devices-configurations GET",
    }
)
