"""Our own API's part of the table in `users/api/permissions.py`."""

from collections.abc import Mapping
from typing import Final

from users import permissions
from users.api.x import needed_devices
from users.models import AdminRole

CALLER: Final = permissions.ADMINISTRATOR
NEEDED: Final[Mapping[str, str]] = {
    **needed_devices.NEEDED,
    "x-openapi GET": CALLER,
    "x-users GET": AdminRole.USER_VIEW,
    "x-users POST": AdminRole.USER_MANAGE,
    "x-users-one GET": AdminRole.USER_VIEW,
    "x-users-one PATCH": AdminRole.USER_MANAGE,
    "x-users-one DELETE": AdminRole.USER_MANAGE,
    "x-users-enable POST": AdminRole.USER_MANAGE,
    "x-users-disable POST": AdminRole.USER_MANAGE,
    "x-users-roles GET": AdminRole.USER_VIEW,
    "x-users-roles POST": AdminRole.USER_MANAGE,
    "x-users-role DELETE": AdminRole.USER_MANAGE,
    "x-roles GET": CALLER,
    "x-accounts POST": AdminRole.USER_MANAGE,
    "x-accounts-preview POST": AdminRole.USER_MANAGE,
    "x-registration-pins GET": AdminRole.USER_VIEW,
    "x-registration-pins POST": AdminRole.USER_MANAGE,
    "x-registration-pins-one GET": AdminRole.USER_VIEW,
    "x-registration-pins-one DELETE": AdminRole.USER_MANAGE,
    "x-imports-users POST": AdminRole.USER_MANAGE,
    "x-exports-users GET": AdminRole.USER_VIEW,
    "x-imports-labels POST": AdminRole.LABEL_MANAGE,
    "x-exports-labels GET": AdminRole.LABEL_VIEW,
    "x-audit GET": AdminRole.LOGS_VIEW,
    "x-audit-chain GET": AdminRole.LOGS_VIEW,
    "x-audit-chain-check POST": AdminRole.SETTINGS_MANAGE,
    "x-settings GET": AdminRole.SETTINGS_VIEW,
    "x-settings-one GET": AdminRole.SETTINGS_VIEW,
    "x-settings-one PUT": AdminRole.SETTINGS_MANAGE,
    "x-webhooks GET": AdminRole.SETTINGS_VIEW,
    "x-webhooks POST": AdminRole.SETTINGS_MANAGE,
    "x-webhooks-one GET": AdminRole.SETTINGS_VIEW,
    "x-webhooks-one PATCH": AdminRole.SETTINGS_MANAGE,
    "x-webhooks-one DELETE": AdminRole.SETTINGS_MANAGE,
    "x-webhooks-secret POST": AdminRole.SETTINGS_MANAGE,
    "x-webhooks-former-secret DELETE": AdminRole.SETTINGS_MANAGE,
    "x-webhooks-test POST": AdminRole.SETTINGS_MANAGE,
    "x-webhooks-redeliver POST": AdminRole.SETTINGS_MANAGE,
    "x-webhook-events GET": AdminRole.SETTINGS_VIEW,
    "x-webhook-deliveries GET": AdminRole.SETTINGS_VIEW,
    "x-webhook-delivery GET": AdminRole.SETTINGS_VIEW,
    "x-webhook-delivery-redeliver POST": AdminRole.SETTINGS_MANAGE,
    "x-enrollment-domains GET": AdminRole.SETTINGS_VIEW,
    "x-enrollment-domains POST": AdminRole.SETTINGS_MANAGE,
    "x-enrollment-domains-one DELETE": AdminRole.SETTINGS_MANAGE,
    "x-enrollment-domains-one PUT": AdminRole.SETTINGS_MANAGE,
    "x-enrollment-domains-test POST": AdminRole.SETTINGS_MANAGE,
    "x-enrollment-attempts GET": AdminRole.LOGS_VIEW,
    "x-enrollment-attempts-one GET": AdminRole.LOGS_VIEW,
}
MASKED: Final = needed_devices.MASKED | frozenset(
    {
        "x-audit-chain GET",
        "x-settings GET",
        "x-settings-one GET",
        "x-enrollment-domains GET",
        "x-webhooks GET",
        "x-webhooks POST",
        "x-webhooks-one GET",
        "x-webhooks-one PATCH",
        "x-webhooks-one DELETE",
        "x-webhooks-secret POST",
        "x-webhooks-former-secret DELETE",
        "x-webhooks-test POST",
        "x-webhook-events GET",
    }
)
