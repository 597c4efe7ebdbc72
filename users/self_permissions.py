"""The one table of what a person needs for each page of the user portal.

`users/self_guard.py` holds every request against it.  A page that is not listed does not open.
"""

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from users.models import Role, User

ANYONE: Final = "anyone"  # also who has not signed in
PERSON: Final = Role.PORTAL.value  # whoever has signed in: without this role nobody does

# By the name of the address in the namespace `self`.
NEEDED: Final[Mapping[str, str]] = {
    "home": ANYONE,
    "go": ANYONE,
    "help": ANYONE,
    "help-family": ANYONE,
    "privacy": ANYONE,
    "sign-in": ANYONE,
    "sign-in-code": ANYONE,
    "sign-in-password": ANYONE,
    "sign-in-provider": ANYONE,
    "sign-in-provider-callback": ANYONE,
    "sign-out": ANYONE,
    "confirm": PERSON,
    "password": PERSON,
    "texts": PERSON,
    "pin": PERSON,  # the first or another one: each has its role, which the page asks for
    "invitation": Role.PORTAL_REGISTER,
    "device": PERSON,
    "device-lock": Role.PORTAL_LOCK,
    "device-unlock": Role.PORTAL_UNLOCK,
    "device-wipe": Role.PORTAL_WIPE,
    "device-retire": Role.PORTAL_RETIRE,
    "device-ownership": Role.PORTAL_CHANGE_OWNER,
}


def roles_of(request: HttpRequest) -> frozenset[str]:
    """Read once a request, and in each: a role that is taken away is missed at once."""
    found: frozenset[str] | None = getattr(request, "person_roles", None)
    if found is None:
        found = request.user.role_keys() if isinstance(request.user, User) else frozenset()
        request.person_roles = found  # type: ignore[attr-defined] # kept for this request
    return found


def may(request: HttpRequest, role: str) -> bool:
    return role in roles_of(request)


def person_of(request: HttpRequest) -> User | None:
    """Who has signed in, on a page that opens for strangers, too."""
    user = request.user
    return user if isinstance(user, User) and may(request, PERSON) else None


def person(request: HttpRequest) -> User:
    """Who has signed in, on a page that opens for nobody else."""
    if (user := person_of(request)) is None:
        raise PermissionDenied
    return user


def require(request: HttpRequest, role: Role) -> None:
    if not may(request, role):
        raise PermissionDenied(role.label)
