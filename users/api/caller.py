"""Who calls, and what that opens: the person's roles in a device space, and of a token no more than its scopes."""

from dataclasses import dataclass, field

from users.models import AdminRole, ApiToken, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    user: User
    grants: frozenset[tuple[str, int]]  # a role, and the space that it holds in
    token: ApiToken | None = field(default=None)

    @classmethod
    def of(cls, user: User, token: ApiToken | None = None) -> "Caller":
        """Read at each call, so a change of roles acts at once."""
        grants = frozenset(user.admin_grants.values_list("key", "space_id")) if user.is_admin else frozenset()
        return cls(user=user, grants=grants, token=token)

    @property
    def spaces(self) -> frozenset[int]:
        return frozenset(space for key, space in self.grants if key == AdminRole.API)

    def roles(self, space: int | None) -> frozenset[str]:
        """In one space; where none is named, what holds in all of the caller's."""
        spaces = self.spaces if space is None else {space} & self.spaces
        if not spaces:
            return frozenset()
        held = frozenset.intersection(*(self._held(each) for each in spaces))
        return held if self.token is None else held & {*self.token.scopes, AdminRole.API}

    def _held(self, space: int) -> frozenset[str]:
        return frozenset(key for key, each in self.grants if each == space)
