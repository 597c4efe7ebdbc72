"""The one table of what an administrator needs for each page of the portal.

`users/middleware.py` holds every request against it, so that no view can forget to ask.  A page that is not listed does
not open (`epmm.checks` says so at start), and a page may ask for more by itself with `require`.
"""

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from epmm import options, settings_store
from users.models import AdminRole, User

ANYONE: Final = "anyone"  # also who has not signed in
ADMINISTRATOR: Final = "administrator"  # whoever has signed in

# By the name of the address in the namespace `portal`.
NEEDED: Final[Mapping[str, str]] = {
    "sign-in": ANYONE,
    "second-factor": ANYONE,
    "new-password": ANYONE,
    "sign-in-provider": ANYONE,
    "sign-in-provider-callback": ANYONE,
    "sign-out": ANYONE,
    "theme": ANYONE,
    "language": ANYONE,
    "start": ADMINISTRATOR,
    "session": ADMINISTRATOR,
    "confirm": ADMINISTRATOR,
    "confirm-provider": ADMINISTRATOR,
    "account": ADMINISTRATOR,
    "account-password": ADMINISTRATOR,
    "account-second-factor": ADMINISTRATOR,
    "account-codes": ADMINISTRATOR,
    "account-second-factor-off": ADMINISTRATOR,
    "account-sessions": ADMINISTRATOR,
    "account-tokens-add": ADMINISTRATOR,  # and the role API
    "account-tokens-revoke": ADMINISTRATOR,
    "users": AdminRole.USER_VIEW,
    "dashboard": AdminRole.DEVICE_VIEW,
    "dashboard-alert": AdminRole.DEVICE_VIEW,
    "dashboard-state": AdminRole.DEVICE_VIEW,
    "dashboard-simulate": AdminRole.DEVICE_ENROLL,
    "settings": AdminRole.SETTINGS_VIEW,
    "settings-page": AdminRole.SETTINGS_VIEW,
    "settings-ios-mdm": AdminRole.SETTINGS_VIEW,
    "settings-ios-mdm-certificate": AdminRole.SETTINGS_MANAGE,
    "settings-ios-mdm-request": AdminRole.SETTINGS_MANAGE,
    "settings-ios-mdm-signed": AdminRole.SETTINGS_MANAGE,
    "settings-enterprise": AdminRole.SETTINGS_VIEW,
    "settings-domains": AdminRole.SETTINGS_VIEW,
    "settings-domains-show": AdminRole.SETTINGS_VIEW,
    "settings-domains-add": AdminRole.SETTINGS_MANAGE,
    "settings-domains-remove": AdminRole.SETTINGS_MANAGE,
    "settings-domains-test": AdminRole.SETTINGS_MANAGE,
    "settings-retired": AdminRole.SETTINGS_VIEW,
    "settings-retired-delete": AdminRole.DEVICE_DELETE_RETIRED,
    "settings-duplicates": AdminRole.SETTINGS_VIEW,
    "settings-duplicates-now": AdminRole.DEVICE_VIEW,
    "settings-duplicates-retire": AdminRole.DEVICE_MANAGE,
    "settings-gdpr": AdminRole.SETTINGS_VIEW,
    "settings-rules": AdminRole.SETTINGS_VIEW,
    "settings-rules-edit": AdminRole.SETTINGS_MANAGE,
    "settings-rules-touched": AdminRole.SETTINGS_MANAGE,
    "settings-rules-move": AdminRole.SETTINGS_MANAGE,
    "settings-rules-delete": AdminRole.SETTINGS_MANAGE,
    "settings-texts": AdminRole.SETTINGS_VIEW,
    "settings-texts-preview": AdminRole.SETTINGS_VIEW,
    "settings-texts-edit": AdminRole.SETTINGS_MANAGE,
    "settings-texts-delete": AdminRole.SETTINGS_MANAGE,
    "settings-invitations": AdminRole.SETTINGS_VIEW,
    "settings-invitations-edit": AdminRole.SETTINGS_MANAGE,
    "settings-invitations-delete": AdminRole.SETTINGS_MANAGE,
    "settings-audit-logs": AdminRole.SETTINGS_VIEW,
    "settings-audit-logs-check": AdminRole.SETTINGS_MANAGE,
    "settings-mail": AdminRole.SETTINGS_VIEW,
    "settings-mail-test": AdminRole.SETTINGS_MANAGE,
    "settings-attributes": AdminRole.SETTINGS_VIEW,
    "settings-attributes-edit": AdminRole.SETTINGS_MANAGE,
    "settings-attributes-delete": AdminRole.SETTINGS_MANAGE,
    "logs-audit": AdminRole.LOGS_VIEW,
    "logs-audit-export": AdminRole.LOGS_VIEW,
    "logs-audit-exports": AdminRole.LOGS_VIEW,
    "logs-audit-exports-fetch": AdminRole.LOGS_VIEW,
    "logs-enrollment": AdminRole.LOGS_VIEW,
    "logs-enrollment-attempt": AdminRole.LOGS_VIEW,
    "logs-queue": AdminRole.LOGS_VIEW,
    "logs-actions": AdminRole.DEVICE_VIEW,
    "logs-actions-one": AdminRole.DEVICE_VIEW,
    "logs-actions-stop": AdminRole.DEVICE_MANAGE,
    "logs-actions-people": AdminRole.USER_VIEW,
    "logs-actions-people-one": AdminRole.USER_VIEW,
    "logs-actions-people-stop": AdminRole.USER_MANAGE,
    "logs-actions-people-file": AdminRole.USER_MANAGE,
    "logs-broadcasts": AdminRole.LOGS_VIEW,
    "logs-broadcasts-call-back": AdminRole.DEVICE_MANAGE,
    "devices": AdminRole.DEVICE_VIEW,
    "devices-search": AdminRole.DEVICE_VIEW,
    "devices-search-translate": AdminRole.DEVICE_VIEW,
    "devices-search-fields": AdminRole.DEVICE_VIEW,
    "devices-search-count": AdminRole.DEVICE_VIEW,
    "devices-statuses": AdminRole.DEVICE_VIEW,
    "devices-details": AdminRole.DEVICE_VIEW,
    "devices-panel": AdminRole.DEVICE_VIEW,
    "devices-configurations": AdminRole.DEVICE_VIEW,
    "devices-declarations": AdminRole.DEVICE_VIEW,
    "devices-apps": AdminRole.DEVICE_VIEW,
    "devices-certificates": AdminRole.DEVICE_VIEW,
    "devices-labels": AdminRole.LABEL_VIEW,
    "devices-comments": AdminRole.DEVICE_VIEW,
    "devices-attributes": AdminRole.DEVICE_VIEW,
    "devices-commands": AdminRole.DEVICE_VIEW,
    "devices-command": AdminRole.DEVICE_VIEW,
    "devices-command-cancel": AdminRole.DEVICE_MANAGE,
    "devices-enrollment": AdminRole.DEVICE_VIEW,
    "devices-logs": AdminRole.LOGS_VIEW,
    "devices-add": AdminRole.DEVICE_ENROLL,
    "devices-add-many": AdminRole.DEVICE_ENROLL,
    "devices-message": AdminRole.DEVICE_MANAGE,
    "devices-check-in": AdminRole.DEVICE_MANAGE,
    "devices-lock": AdminRole.DEVICE_MANAGE,
    "devices-unlock": AdminRole.DEVICE_MANAGE,
    "devices-push-profiles": AdminRole.DEVICE_MANAGE,
    "devices-update-os": AdminRole.DEVICE_MANAGE,
    "devices-roaming": AdminRole.DEVICE_MANAGE,
    "devices-ownership": AdminRole.DEVICE_MANAGE,
    "devices-user": AdminRole.DEVICE_MANAGE,
    "devices-lost": AdminRole.DEVICE_MANAGE,
    "devices-found": AdminRole.DEVICE_MANAGE,
    "devices-comment": AdminRole.DEVICE_MANAGE,
    "devices-assign-attributes": AdminRole.DEVICE_MANAGE,
    "devices-apply-label": AdminRole.LABEL_APPLY,
    "devices-remove-label": AdminRole.LABEL_APPLY,
    "devices-retire": AdminRole.DEVICE_MANAGE,
    "devices-wipe": AdminRole.DEVICE_WIPE,
    "devices-delete-retired": AdminRole.DEVICE_DELETE_RETIRED,
    "configurations": AdminRole.CONFIGURATION_VIEW,
    "configurations-system": AdminRole.CONFIGURATION_VIEW,
    "configurations-upload": AdminRole.CONFIGURATION_MANAGE,
    "configurations-one": AdminRole.CONFIGURATION_VIEW,
    "configurations-assign": AdminRole.CONFIGURATION_MANAGE,
    "configurations-unassign": AdminRole.CONFIGURATION_MANAGE,
    "configurations-remove": AdminRole.CONFIGURATION_MANAGE,
    "settings-ios-mdm-identities": AdminRole.DEVICE_VIEW,
    "labels": AdminRole.LABEL_VIEW,
    "labels-sizes": AdminRole.LABEL_VIEW,
    "labels-from-search": AdminRole.LABEL_MANAGE,
    "labels-save": AdminRole.LABEL_MANAGE,
    "labels-criteria-translate": AdminRole.LABEL_MANAGE,
    "labels-criteria-fields": AdminRole.LABEL_MANAGE,
    "labels-criteria-count": AdminRole.LABEL_MANAGE,
    "labels-add": AdminRole.LABEL_MANAGE,
    "labels-edit": AdminRole.LABEL_MANAGE,
    "labels-edit-ticked": AdminRole.LABEL_MANAGE,
    "labels-delete": AdminRole.LABEL_MANAGE,
    "users-add": AdminRole.USER_MANAGE,
    "users-edit": AdminRole.USER_VIEW,
    "users-roles": AdminRole.USER_MANAGE,
    "users-prospect": AdminRole.USER_VIEW,
    "users-roles-preview": AdminRole.USER_MANAGE,
    "users-attributes": AdminRole.USER_MANAGE,
    "users-require-password": AdminRole.USER_MANAGE,
    "users-reset-password": AdminRole.USER_MANAGE,
    "users-unlock": AdminRole.USER_MANAGE,
    "users-enable": AdminRole.USER_MANAGE,
    "users-disable": AdminRole.USER_MANAGE,
    "users-pin": AdminRole.USER_MANAGE,
    "users-pin-file": AdminRole.USER_MANAGE,
    "users-pin-file-state": AdminRole.USER_MANAGE,
    "users-pin-file-fetch": AdminRole.USER_MANAGE,
    "users-pin-revoke": AdminRole.USER_MANAGE,
    "users-unlink": AdminRole.USER_MANAGE,
    "users-delete": AdminRole.USER_MANAGE,
    "users-group-roles": AdminRole.USER_MANAGE,
    "services-ldap": AdminRole.SETTINGS_VIEW,
    "services-ldap-add": AdminRole.SETTINGS_MANAGE,
    "services-ldap-edit": AdminRole.SETTINGS_VIEW,
    "services-ldap-test": AdminRole.SETTINGS_MANAGE,
    "services-ldap-person": AdminRole.SETTINGS_MANAGE,
    "services-ldap-sync": AdminRole.SETTINGS_MANAGE,
    "services-ldap-groups": AdminRole.SETTINGS_VIEW,
    "services-ldap-delete": AdminRole.SETTINGS_MANAGE,
    "services-ldap-accounts": AdminRole.SETTINGS_MANAGE,
    "services-providers-accounts": AdminRole.SETTINGS_MANAGE,
    "services-accounts": AdminRole.USER_VIEW,
    "services-accounts-check": AdminRole.USER_MANAGE,
    "services-accounts-adopt": AdminRole.USER_MANAGE,
    "services-providers": AdminRole.SETTINGS_VIEW,
    "services-providers-add": AdminRole.SETTINGS_MANAGE,
    "services-providers-edit": AdminRole.SETTINGS_VIEW,
    "services-providers-test": AdminRole.SETTINGS_MANAGE,
    "services-providers-delete": AdminRole.SETTINGS_MANAGE,
    "services-overview": AdminRole.SETTINGS_VIEW,
    "services-certificates": AdminRole.DEVICE_VIEW,
    "services-webhooks": AdminRole.SETTINGS_VIEW,
    "services-webhooks-add": AdminRole.SETTINGS_MANAGE,
    "services-webhooks-edit": AdminRole.SETTINGS_VIEW,
    "services-webhooks-secret": AdminRole.SETTINGS_MANAGE,
    "services-webhooks-test": AdminRole.SETTINGS_MANAGE,
    "services-webhooks-delete": AdminRole.SETTINGS_MANAGE,
    "services-webhooks-deliveries": AdminRole.SETTINGS_VIEW,
    "services-webhooks-delivery": AdminRole.SETTINGS_VIEW,
    "services-webhooks-redeliver": AdminRole.SETTINGS_MANAGE,
    "users-invite": AdminRole.USER_MANAGE,
    "users-invite-preview": AdminRole.USER_MANAGE,
    "invitations": AdminRole.USER_VIEW,
    "invitations-progress": AdminRole.USER_VIEW,
    "invitations-again": AdminRole.USER_MANAGE,
    "invitations-stop": AdminRole.USER_MANAGE,
    "api": AdminRole.API,
    "api-document": AdminRole.API,
    "api-style": AdminRole.API,
    "admins": AdminRole.ADMIN_MANAGE,
    "admins-add": AdminRole.ADMIN_MANAGE,
    "admins-roles": AdminRole.ADMIN_MANAGE,
    "admins-gdpr": AdminRole.ADMIN_MANAGE,
    "admins-sessions": AdminRole.ADMIN_MANAGE,
    "admins-second-factor-off": AdminRole.ADMIN_MANAGE,
    "admins-tokens": AdminRole.ADMIN_MANAGE,
}

# What opens for an administrator with the GDPR profile, besides what needs no role: pages without personal data, and
# those that show rows as `masking.seen` hands them out.  Whatever is not listed does not open.
MASKED: Final = frozenset(
    {
        "api",
        "api-document",
        "api-style",
        "dashboard",
        "dashboard-alert",
        "dashboard-state",
        "devices",
        "devices-statuses",
        "devices-search",
        "devices-search-translate",
        "devices-search-count",
        "devices-search-fields",
        "devices-details",
        "devices-panel",
        "devices-labels",
        "devices-configurations",
        "devices-apps",
        "devices-commands",
        "devices-check-in",
        "devices-lock",
        "devices-unlock",
        "devices-push-profiles",
        "devices-update-os",
        "devices-roaming",
        "devices-ownership",
        "devices-lost",
        "devices-found",
        "devices-apply-label",
        "devices-remove-label",
        "devices-retire",
        "devices-wipe",
        "devices-delete-retired",
        "logs-actions-one",
        "labels",
        "labels-sizes",
        "labels-from-search",
        "labels-save",
        "labels-criteria-translate",
        "labels-criteria-count",
        "labels-criteria-fields",
        "labels-add",
        "labels-delete",
        "settings",
        "settings-page",
        "settings-audit-logs",
        "settings-domains",
        "settings-enterprise",
        "settings-mail",
        "settings-domains-show",
        "settings-duplicates",
        "settings-duplicates-now",
        "settings-retired",
        "settings-rules",
        "settings-rules-edit",
        "settings-rules-touched",
        "settings-rules-move",
        "settings-rules-delete",
        "settings-texts",
        "settings-texts-preview",
        "services-overview",
        "services-ldap",
        "services-providers",
        "services-providers-add",
        "services-providers-edit",
        "services-providers-test",
        "services-providers-delete",
        "services-webhooks",
        "services-webhooks-add",
        "services-webhooks-edit",
        "services-webhooks-secret",
        "services-webhooks-test",
        "services-webhooks-delete",
    }
)


def hidden_fields(request: HttpRequest) -> frozenset[str]:
    """Which personal data this administrator does not see."""
    user = request.user
    is_hidden_from = isinstance(user, User) and user.hides_personal_data
    fields = settings_store.read(options.HIDDEN_FIELDS)
    return frozenset(fields) if is_hidden_from else frozenset()


def is_masked_out(request: HttpRequest, name: str) -> bool:
    """Whether the page shows what the GDPR profile hides."""
    return NEEDED[name] not in (ANYONE, ADMINISTRATOR) and name not in MASKED and bool(hidden_fields(request))


def roles_of(request: HttpRequest) -> frozenset[str]:
    """The administrator's roles: read once a request."""
    found: frozenset[str] | None = getattr(request, "admin_roles", None)
    if found is None:
        found = request.user.admin_role_keys() if request.user.is_authenticated else frozenset()
        request.admin_roles = found  # type: ignore[attr-defined] # kept for this request
    return found


def may(request: HttpRequest, role: str) -> bool:
    return role == ADMINISTRATOR or role in roles_of(request)


def may_open(request: HttpRequest, name: str) -> bool:
    """Whether the page with this name opens for this administrator."""
    needed = NEEDED[name]
    return needed == ANYONE or (may(request, needed) and not is_masked_out(request, name))


def require(request: HttpRequest, role: str) -> None:
    """Raises PermissionDenied, whose page names the role that is missing."""
    if not may(request, role):
        raise PermissionDenied(AdminRole(role).label)
