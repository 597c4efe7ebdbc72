"""People and their roles as rows of a file: what an export writes, and an import reads."""

from collections.abc import Iterator, Mapping
from typing import Final

from django.db.models import Prefetch, QuerySet

from epmm.imports import Value
from epmm.row_files import Column, Kind
from users.models import AdminGrant, Membership, User

KEY: Final = "user_id"
ACCOUNT, ENABLED, ROLES, ADMIN_ROLES = "managed_apple_account", "enabled", "roles", "admin_roles"
NAMES: Final = {"first_name": "first_name", "last_name": "last_name", "display_name": "full_name", "email": "email"}
COLUMNS: Final = (
    Column(KEY),
    *(Column(name) for name in NAMES),
    Column(ACCOUNT),
    Column(ENABLED, Kind.FLAG),
    Column(ROLES, Kind.WORDS),
    Column(ADMIN_ROLES, Kind.WORDS),
)
AT_ONCE: Final = 1000


def with_roles(people: QuerySet[User]) -> QuerySet[User]:
    """With all that a row tells and a plan asks, in four queries more."""
    groups = Membership.objects.select_related("group").prefetch_related("group__roles")
    return people.prefetch_related(
        "role_grants", Prefetch("admin_grants", AdminGrant.objects.order_by("key")), Prefetch("memberships", groups)
    )


def rows() -> Iterator[dict[str, Value]]:
    """Of everybody, some at a time."""
    everybody = with_roles(User.objects.order_by("user_id", "pk"))
    for user in everybody.iterator(chunk_size=AT_ONCE):
        yield dict(told(user))


def told(user: User) -> Mapping[str, Value]:
    """Roles are those that were granted to this very person: what groups hand down is theirs."""
    return {
        KEY: user.user_id,
        **{name: getattr(user, field).strip() for name, field in NAMES.items()},
        ACCOUNT: user.managed_apple_account or "",
        ENABLED: user.is_active,
        ROLES: tuple(sorted(grant.key for grant in user.role_grants.all())),
        ADMIN_ROLES: tuple(sorted(grant.key for grant in user.admin_grants.all())) if user.is_admin else (),
    }
