"""django-auth-ldap, set up by the row of a directory: who is meant, the bind with their password, their groups.

Each question has a backend of its own, with the settings of one server.  None is among Django's own: who signs in comes
through `users/services/sign_in.py`, and what becomes of an entry here is the same as at a sync.
"""

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Final

from users.models import Directory, User
from users.services.directory import client
from users.services.directory.client import Connection, Entry
from users.services.directory.schema import IN_CHAIN, Nesting, Schema

try:
    import ldap
    from django_auth_ldap.backend import LDAPBackend, ldap_error
    from django_auth_ldap.config import (
        LDAPSearch,
        LDAPSettings,
        MemberDNGroupType,
        NestedMemberDNGroupType,
        PosixGroupType,
    )
except ImportError:  # as in client.py: nothing here is called then
    LDAPBackend = LDAPSearch = object
else:
    # it writes down the name that was typed, which may be a password
    logging.getLogger("django_auth_ldap").propagate = False

PREFIX: Final = "EPMM_NO_SETTING_"  # what it would look for in Django's settings
MEMBER_UID: Final = "memberuid"  # of a posixGroup: user IDs, not names of entries
Found = list[tuple[str, Entry]]


class Search(LDAPSearch):  # type: ignore[misc] # the library has no types
    """By pages, so that no limit of a server cuts what is found; names and values are left as they are there."""

    def execute(self, connection: Any, filterargs: Any = (), escape: bool = True) -> Found:  # noqa: ARG002, FBT001, FBT002
        found = client.pages(connection, self.base_dn, self.scope, self.filterstr, self.attrlist)
        return [(entry.dn, entry) for page in found for entry in page]


class Question(Search):
    """Of those who are called so, the one that is meant."""

    def __init__(
        self, directory: Directory, asked: str, wanted: Sequence[str], meant: Callable[[list[Entry]], Entry | None]
    ) -> None:
        super().__init__(directory.user_base, client.SCOPES[directory.user_scope], asked, wanted)
        self._meant = meant

    def execute(self, connection: Any, filterargs: Any = (), escape: bool = True) -> Found:  # noqa: FBT001, FBT002
        found = super().execute(connection, filterargs, escape)
        entry = self._meant([each for _dn, each in found])
        return [] if entry is None else [(entry.dn, entry)]


class Backend(LDAPBackend):  # type: ignore[misc] # as above
    """`kept`: what becomes of the entry whose password was right; None where it cannot be kept."""

    def __init__(
        self, directory: Directory, url: str, asked: Question, kept: Callable[[Connection, Entry], User | None]
    ) -> None:
        self._directory, self._url, self._asked, self._kept = directory, url, asked, kept

    def proven(self, name: str, password: str, nobody: str) -> User | None:
        """Whose password this is.  Known there or not, there is one bind, if need be as `nobody`.

        Raises DirectoryError.
        """
        self._nobody = nobody
        bind_name, bind_password = client.account(self._directory, self._url)
        client.knock(self._directory, self._url)
        with client.options(self._directory) as options:
            self.settings = LDAPSettings(
                PREFIX,
                {
                    "SERVER_URI": self._url,
                    "START_TLS": client.starts_tls(self._directory, self._url),
                    "CONNECTION_OPTIONS": options,
                    "BIND_DN": bind_name,
                    "BIND_PASSWORD": bind_password,
                    "USER_SEARCH": self._asked,
                    "ALWAYS_UPDATE_USER": False,
                },
            )
            user: User | None = self.authenticate(None, username=name, password=password)
        if user is not None:
            vars(user).pop("ldap_user", None)  # it would hold the connection, and this it
        return user

    def authenticate_ldap_user(self, ldap_user: Any, password: str) -> Any:
        if ldap_user.dn is not None:
            return super().authenticate_ldap_user(ldap_user, password)
        try:
            ldap_user.connection.simple_bind_s(self._nobody, password)
        except ldap.INVALID_CREDENTIALS:
            return None
        except ldap.LDAPError as error:
            _hear(exception=error, context="authenticate")
        return None

    def get_or_build_user(self, username: str, ldap_user: Any) -> tuple[User, bool]:  # noqa: ARG002 - its signature
        user = self._kept(Connection(ldap_user.connection, self._directory, self._url), ldap_user.attrs)
        if user is None:
            raise ldap_user.AuthenticationFailed
        return user, False


def _hear(*, exception: Any, context: str, **_more: Any) -> None:
    """A directory that is away has not said that a password is wrong.  The wrong password itself is no error to it."""
    refused = (
        ldap.INAPPROPRIATE_AUTH, ldap.CONSTRAINT_VIOLATION, ldap.UNWILLING_TO_PERFORM, ldap.NO_SUCH_OBJECT,
        ldap.INVALID_DN_SYNTAX, ldap.INSUFFICIENT_ACCESS,
    )  # fmt: skip
    if context != "authenticate" or not isinstance(exception, refused):
        raise client.as_ours(exception) from exception


if client.is_installed():
    ldap_error.connect(_hear, sender=Backend, weak=False)


def groups_around(connection: Connection, dn: str, user_id: str, names: Schema, wanted: Sequence[str]) -> list[Entry]:
    """The groups of the directory that somebody is in, directly or through others.  Raises DirectoryError."""
    directory = connection.directory
    search = Search(directory.group_base, client.SCOPES[directory.group_scope], names.group_filter, wanted)
    who = SimpleNamespace(dn=dn, attrs={"uid": [user_id]}, connection=connection.handle)
    return [entry for _dn, entry in _kind(names).user_groups(who, search)]


def _kind(names: Schema) -> Any:
    if names.member.lower() == MEMBER_UID:
        return PosixGroupType()
    if names.nesting == Nesting.RULE:
        return MemberDNGroupType(f"{names.member}:{IN_CHAIN}:")
    return (NestedMemberDNGroupType if names.nesting == Nesting.RECURSIVE else MemberDNGroupType)(names.member)
