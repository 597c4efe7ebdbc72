"""The one table of what a caller needs for each address of the API; as `users/permissions.py` is for the portal.

`Permitted` holds every call against it before anything else of the call is looked at, so that no view can forget to
ask.  What is not listed is not there: an unknown method gets 405.  `users/api/checks.py` says at start where the table
and the addresses differ.  A view may ask for more by itself, with `ApiView.require`.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from epmm import masking
from epmm.api.errors import ApiError
from epmm.api.parameters import whole
from users import permissions
from users.api.caller import Caller
from users.api.x import needed
from users.models import AdminRole

CALLER: Final = needed.CALLER  # whoever may use the API at all
SPACE: Final = "adminDeviceSpaceId"
UNKNOWN: Final = "unknown"  # the name of whatever is at no address

# By the name of the address in the namespace `api`, and the method.
NEEDED: Final[Mapping[str, str]] = {
    **needed.NEEDED,
    "ping GET": CALLER,
    "devices GET": AdminRole.DEVICE_VIEW,
    "devices-count GET": AdminRole.DEVICE_VIEW,
    "devices-search-fields GET": AdminRole.DEVICE_VIEW,
    "device-spaces-criteria GET": AdminRole.DEVICE_VIEW,
    "devices-details GET": AdminRole.DEVICE_VIEW,
    "devices-appinventory GET": AdminRole.DEVICE_VIEW,
    "appinventory-devices GET": AdminRole.DEVICE_VIEW,
    "devices-action POST": AdminRole.DEVICE_VIEW,  # and what the action needs
    "devices-wakeup PUT": AdminRole.DEVICE_MANAGE,
    "devices-wakeup POST": AdminRole.DEVICE_MANAGE,
    "devices-retire PUT": AdminRole.DEVICE_MANAGE,
    "devices-retire POST": AdminRole.DEVICE_MANAGE,
    "devices-lock PUT": AdminRole.DEVICE_MANAGE,
    "devices-lock POST": AdminRole.DEVICE_MANAGE,
    "devices-unlock PUT": AdminRole.DEVICE_MANAGE,
    "devices-unlock POST": AdminRole.DEVICE_MANAGE,
    "devices-wipe PUT": AdminRole.DEVICE_WIPE,
    "devices-wipe POST": AdminRole.DEVICE_WIPE,
    "devices-custom-attributes PUT": AdminRole.DEVICE_MANAGE,
    "devices-custom-attributes DELETE": AdminRole.DEVICE_MANAGE,
    "devices-labels GET": AdminRole.LABEL_VIEW,
    "devices-labels-add PUT": AdminRole.LABEL_APPLY,
    "devices-labels-remove PUT": AdminRole.LABEL_APPLY,
    "labels-summary GET": AdminRole.LABEL_VIEW,
    "labels-one GET": AdminRole.LABEL_VIEW,
    "labels POST": AdminRole.LABEL_MANAGE,
    "labels DELETE": AdminRole.LABEL_MANAGE,
    "authorized-users GET": AdminRole.USER_VIEW,
    "users-custom-attributes PUT": AdminRole.USER_MANAGE,
    "users-custom-attributes DELETE": AdminRole.USER_MANAGE,
    "attributes-definitions GET": AdminRole.SETTINGS_VIEW,
    "device-spaces GET": AdminRole.ADMIN_MANAGE,
    "device-spaces-mine GET": CALLER,
    "admins-ldap-entities GET": AdminRole.ADMIN_MANAGE,
    "admins-actions GET": AdminRole.LOGS_VIEW,
    "admins-actions-of GET": AdminRole.LOGS_VIEW,
    "audit-logs-export GET": AdminRole.LOGS_VIEW,
    "audit-logs-export POST": AdminRole.LOGS_VIEW,
    "audit-logs-export-status GET": AdminRole.LOGS_VIEW,
    "audit-logs-csv GET": AdminRole.LOGS_VIEW,
    "appstore-apps GET": AdminRole.DEVICE_VIEW,
    "appstore-apps-one GET": AdminRole.DEVICE_VIEW,
    "v1-devices GET": AdminRole.DEVICE_VIEW,
    "v1-devices-one GET": AdminRole.DEVICE_VIEW,
    "v1-devices-mac GET": AdminRole.DEVICE_VIEW,
    "v1-devices-lock PUT": AdminRole.DEVICE_MANAGE,
    "v1-devices-wipe PUT": AdminRole.DEVICE_WIPE,
    "v1-devices-retire PUT": AdminRole.DEVICE_MANAGE,
    "v1-devices-unlock PUT": AdminRole.DEVICE_MANAGE,
    "v1-devices-unlock GET": AdminRole.DEVICE_MANAGE,
    "v1-devices-lock-mac PUT": AdminRole.DEVICE_MANAGE,
    "v1-devices-wipe-mac PUT": AdminRole.DEVICE_WIPE,
    "v1-devices-retire-mac PUT": AdminRole.DEVICE_MANAGE,
    "v1-devices-unlock-mac PUT": AdminRole.DEVICE_MANAGE,
    "v1-devices-unlock-mac GET": AdminRole.DEVICE_MANAGE,
    "v1-users-devices GET": AdminRole.DEVICE_VIEW,
    "v1-phones GET": AdminRole.DEVICE_VIEW,
    "v1-labels GET": AdminRole.LABEL_VIEW,
    "v1-labels-of-device GET": AdminRole.LABEL_VIEW,
    "v1-labels-devices GET": AdminRole.DEVICE_VIEW,
    "v1-labels-devices PUT": AdminRole.LABEL_APPLY,
    "v1-sendmessage POST": AdminRole.DEVICE_MANAGE,
    "v1-users-one GET": AdminRole.USER_VIEW,
    "v1-register PUT": AdminRole.DEVICE_ENROLL,
}

# What opens for a caller with the GDPR profile, besides what needs no role: calls without personal data, and those that
# show rows as `masking.seen` hands them out.  As in the portal, what names people or tells the log does not open.
MASKED: Final = needed.MASKED | frozenset(
    {
        "devices GET",
        "devices-count GET",
        "devices-search-fields GET",
        "device-spaces-criteria GET",
        "devices-details GET",
        "devices-appinventory GET",
        "appinventory-devices GET",
        "devices-action POST",
        "devices-wakeup PUT",
        "devices-wakeup POST",
        "devices-retire PUT",
        "devices-retire POST",
        "devices-lock PUT",
        "devices-lock POST",
        "devices-unlock PUT",
        "devices-unlock POST",
        "devices-wipe PUT",
        "devices-wipe POST",
        "devices-labels GET",
        "devices-labels-add PUT",
        "devices-labels-remove PUT",
        "labels-summary GET",
        "labels-one GET",
        "labels POST",
        "labels DELETE",
        "attributes-definitions GET",
        "device-spaces GET",
        "admins-actions GET",
        "admins-actions-of GET",
        "appstore-apps GET",
        "appstore-apps-one GET",
        "v1-devices GET",
        "v1-devices-one GET",
        "v1-devices-lock PUT",
        "v1-devices-wipe PUT",
        "v1-devices-retire PUT",
        "v1-devices-unlock PUT",
        "v1-devices-unlock GET",
        "v1-labels GET",
        "v1-labels-of-device GET",
        "v1-labels-devices GET",
        "v1-labels-devices PUT",
    }
)


class Permitted(BasePermission):
    """The API role, then the role of the address, in the space that is asked for."""

    def has_permission(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - the framework's signature
        caller, name = request.auth, _name(request)
        if not isinstance(caller, Caller):
            return False  # nobody: the framework answers 401
        space = _space(request)
        roles = caller.roles(space)
        if not caller.spaces:
            raise _missing(AdminRole.API)
        if AdminRole.API not in roles:
            raise ApiError(403, "space.missing", _("You have no role in this device space."))
        http = request._request
        http.admin_roles = roles  # type: ignore[attr-defined] # where `permissions.roles_of` looks
        if name == UNKNOWN:
            return True
        needed = needed_for(name, str(request.method))
        if needed is None:
            allowed = {"Allow": ", ".join(_methods(name))}
            raise ApiError(405, "method.not.allowed", _("This address does not take that method."), allowed)
        if not permissions.may(http, needed):
            raise _missing(needed)
        hidden = permissions.hidden_fields(http)
        if hidden and needed != CALLER and f"{name} {_method(request)}" not in MASKED:
            raise ApiError(403, "personal.data.hidden", _("This tells personal data that your GDPR profile hides."))
        masking.hide(hidden)
        return True


def needed_for(name: str, method: str) -> str | None:
    return NEEDED.get(f"{name} {'GET' if method == 'HEAD' else method}")


def _methods(name: str) -> list[str]:
    """Told to callers alone."""
    return [method for call, _space, method in (each.partition(" ") for each in NEEDED) if call == name]


def require(request: Request, role: str) -> None:
    """For what only the call itself tells: which action it asks for, say."""
    if not permissions.may(request._request, role):
        raise _missing(role)


def _missing(role: str) -> ApiError:
    sentence = _("This needs the role “{role}”. Whoever manages administrators can give it to you.")
    return ApiError(403, "role.missing", sentence.format(role=AdminRole(role).label))


def _name(request: Request) -> str:
    match = request.resolver_match
    return (match.url_name or UNKNOWN) if match is not None else UNKNOWN


def _method(request: Request) -> str:
    return "GET" if request.method == "HEAD" else str(request.method)


def _space(request: Request) -> int | None:
    """Of the address alone; what is no number is refused later, where parameters are read, by the same reading."""
    return whole(request.query_params.get(SPACE, ""))
