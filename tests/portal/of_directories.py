"""A directory that is away, people who came from it, and pages as their text."""

from typing import Any, Final

from django.test import Client

from tests import factories
from users.models import Directory, DirectoryEntry, User

AWAY: Final = "ldaps://127.0.0.1:9"


def away(**columns: Any) -> Directory:
    usual: dict[str, Any] = {"url": AWAY, "bind_name": "cn=reader", "bind_password": b"secret", "user_base": "dc=x"}
    return Directory.objects.create(name="Away", **(usual | columns))


def from_directory(directory: Directory, name: str) -> User:
    user = factories.user(name, password=None, roles=(), source=User.Source.LDAP)
    DirectoryEntry.objects.create(user=user, directory=directory, external_id=name, dn=f"uid={name},dc=x")
    return user


def page(client: Client, address: str, **sent: Any) -> str:
    answer = client.post(address, sent) if sent else client.get(address)
    assert answer.status_code in {200, 422}, answer.status_code
    text: str = answer.content.decode()
    return text
