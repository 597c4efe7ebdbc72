"""Every administrator role at every address of the portal: what opens, what is refused, and that nothing changed then.

Twice: against the table that the portal itself goes by, and against what is written down here by hand.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter, SlugConverter, UUIDConverter

from devices.models import Device, Label
from devices.search import catalogue  # noqa: F401 - read once, not in the first case
from epmm import settings_store
from epmm.models import AuditEntry, Webhook
from tests.portal.conftest import browser
from users import permissions
from users.models import AdminGrant, AdminRole, CustomAttribute, Directory, IdentityProvider, User

pytestmark = [pytest.mark.django_db, pytest.mark.once]

UUID_OF_DEVICE = UUID("6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01")
NUMBER = 1_000_001  # of each row that is asked for; PostgreSQL counts up to it in no test
OF_THE_WALK = "walker"
ANYONE = {
    "sign-in",
    "sign-in-provider",
    "sign-in-provider-callback",
    "second-factor",
    "new-password",
    "sign-out",
    "theme",
    "language",
}
WHOEVER_SIGNED_IN = {"start", "session", "confirm", "account", "texts"}
# By the beginning of its name: the role that looks at a page, and the one that changes something with it.  A longer
# beginning goes before a shorter one; None: nothing is changed there.
BY_HAND: dict[str, tuple[AdminRole, AdminRole | None]] = {
    "dashboard": (AdminRole.DEVICE_VIEW, None),
    "dashboard-simulate": (AdminRole.DEVICE_ENROLL, AdminRole.DEVICE_ENROLL),
    "devices": (AdminRole.DEVICE_VIEW, None),
    "devices-logs": (AdminRole.LOGS_VIEW, None),
    "devices-attributes": (AdminRole.DEVICE_VIEW, AdminRole.DEVICE_MANAGE),
    "devices-command-cancel": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-assign-attributes": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-add": (AdminRole.DEVICE_ENROLL, AdminRole.DEVICE_ENROLL),
    "devices-message": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-check-in": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-search": (AdminRole.DEVICE_VIEW, AdminRole.DEVICE_VIEW),
    "devices-labels": (AdminRole.LABEL_VIEW, None),
    "devices-update-os": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-roaming": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-push-profiles": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-user": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-lost": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-found": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-locate": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-comment": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-comments": (AdminRole.DEVICE_VIEW, None),
    "devices-lock": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-unlock": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-ownership": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-retire": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "devices-wipe": (AdminRole.DEVICE_WIPE, AdminRole.DEVICE_WIPE),
    "devices-delete-retired": (AdminRole.DEVICE_DELETE_RETIRED, AdminRole.DEVICE_DELETE_RETIRED),
    "devices-apply-label": (AdminRole.LABEL_APPLY, AdminRole.LABEL_APPLY),
    "devices-remove-label": (AdminRole.LABEL_APPLY, AdminRole.LABEL_APPLY),
    "labels": (AdminRole.LABEL_VIEW, None),
    "labels-": (AdminRole.LABEL_MANAGE, AdminRole.LABEL_MANAGE),
    "labels-sizes": (AdminRole.LABEL_VIEW, AdminRole.LABEL_VIEW),
    "configurations": (AdminRole.CONFIGURATION_VIEW, AdminRole.CONFIGURATION_MANAGE),
    "configurations-system": (AdminRole.CONFIGURATION_VIEW, AdminRole.SETTINGS_MANAGE),
    "configurations-upload": (AdminRole.CONFIGURATION_MANAGE, AdminRole.CONFIGURATION_MANAGE),
    "configurations-assign": (AdminRole.CONFIGURATION_MANAGE, AdminRole.CONFIGURATION_MANAGE),
    "configurations-assignments": (AdminRole.CONFIGURATION_VIEW, AdminRole.CONFIGURATION_MANAGE),
    "configurations-unassign": (AdminRole.CONFIGURATION_MANAGE, AdminRole.CONFIGURATION_MANAGE),
    "configurations-remove": (AdminRole.CONFIGURATION_MANAGE, AdminRole.CONFIGURATION_MANAGE),
    "users": (AdminRole.USER_VIEW, None),
    "users-": (AdminRole.USER_MANAGE, AdminRole.USER_MANAGE),
    "users-edit": (AdminRole.USER_VIEW, AdminRole.USER_MANAGE),
    "users-prospect": (AdminRole.USER_VIEW, None),
    "users-accept": (AdminRole.USER_VIEW, None),
    "invitations": (AdminRole.USER_VIEW, None),
    "invitations-again": (AdminRole.USER_MANAGE, AdminRole.USER_MANAGE),
    "invitations-stop": (AdminRole.USER_MANAGE, AdminRole.USER_MANAGE),
    "api": (AdminRole.API, None),
    "admins": (AdminRole.ADMIN_MANAGE, AdminRole.ADMIN_MANAGE),
    "services-certificates": (AdminRole.DEVICE_VIEW, None),
    "services-providers": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "services-providers-add": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "services-providers-test": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "services-providers-delete": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "services-webhooks-": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "services-webhooks-edit": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "services-webhooks-deliver": (AdminRole.SETTINGS_VIEW, None),
    "settings": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "settings-domains-": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-domains-show": (AdminRole.SETTINGS_VIEW, None),
    "settings-rules-": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-texts-preview": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_VIEW),
    "settings-texts-edit": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-texts-delete": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-invitations": (AdminRole.SETTINGS_VIEW, None),
    "settings-invitations-": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-ios-mdm-": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-ios-mdm-identities": (AdminRole.DEVICE_VIEW, None),
    "settings-retired-delete": (AdminRole.DEVICE_DELETE_RETIRED, AdminRole.DEVICE_DELETE_RETIRED),
    "settings-duplicates-now": (AdminRole.DEVICE_VIEW, None),
    "settings-duplicates-retire": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "settings-audit-logs-check": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-mail-test": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "settings-attributes-": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "services": (AdminRole.SETTINGS_VIEW, None),
    "services-accounts": (AdminRole.USER_VIEW, None),
    "services-accounts-": (AdminRole.USER_MANAGE, AdminRole.USER_MANAGE),
    "services-providers-accounts": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "services-ldap-": (AdminRole.SETTINGS_MANAGE, AdminRole.SETTINGS_MANAGE),
    "services-ldap-edit": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "services-ldap-groups": (AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE),
    "logs": (AdminRole.LOGS_VIEW, None),
    "logs-audit-export": (AdminRole.LOGS_VIEW, AdminRole.LOGS_VIEW),
    "logs-actions": (AdminRole.DEVICE_VIEW, None),
    "logs-actions-stop": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "logs-actions-people": (AdminRole.USER_VIEW, None),
    "logs-actions-people-stop": (AdminRole.USER_MANAGE, AdminRole.USER_MANAGE),
    "logs-actions-people-file": (AdminRole.USER_MANAGE, AdminRole.USER_MANAGE),
    "logs-queue-cancel": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
    "logs-broadcasts-call-back": (AdminRole.DEVICE_MANAGE, AdminRole.DEVICE_MANAGE),
}
MADE_FOR_A_READER = {"logs-audit-export"}  # a file of what the role may read
# What is sent where an empty form would be refused before anybody asks who sent it.
SENT: dict[str, dict[str, Any]] = {
    "settings-page": {"registration.pin_length": "7"},
    "settings-ios-mdm": {"ios.mdm.account_driven_device_enrollment": "on"},
    "settings-mail": {"mail.host": "mail.example.test"},
    "settings-texts": {"kind": "privacy", "mode": "off"},
    "settings-attributes": {"name": "new", "subject": "user", "kind": "text"},
    "users-edit": {"first_name": "Changed"},
    "devices-attributes": {f"attribute_{NUMBER}": "changed"},
    "devices-wipe": {"row": str(UUID_OF_DEVICE)},
}
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b(?!.*users_portalsession)", re.IGNORECASE | re.DOTALL)


def addresses() -> Iterator[tuple[str, URLPattern]]:
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and resolver.namespace == "portal":
            yield from ((str(each.name), each) for each in resolver.url_patterns if isinstance(each, URLPattern))


def by_hand(name: str) -> tuple[AdminRole, AdminRole | None]:
    fitting = [beginning for beginning in BY_HAND if name.startswith(beginning)]
    return BY_HAND[max(fitting, key=len)]


NAMED = [name for name, _pattern in addresses()]
HELD = [name for name in NAMED if name not in ANYONE and not any(name.startswith(own) for own in WHOEVER_SIGNED_IN)]


def address(name: str) -> str:
    pattern = dict(addresses())[name].pattern
    places: dict[str, object] = {}
    for place, converter in pattern.converters.items():
        match converter:
            case UUIDConverter():
                places[place] = UUID_OF_DEVICE
            case SlugConverter():
                places[place] = "registration"
            case IntConverter():
                places[place] = NUMBER
    return reverse(f"portal:{name}", kwargs=places)


class Walk:
    """One administrator whose roles are exchanged from case to case; whatever a case does is taken back."""

    def __init__(self) -> None:
        self.user = User.objects.create(user_id=OF_THE_WALK, is_admin=True)
        self.client: Client = browser()
        self.client.raise_request_exception = False
        self.client.force_login(self.user)
        self.client.defaults["wsgi.url_scheme"] = "https"

    def holding(self, *roles: str) -> None:
        AdminGrant.objects.filter(user=self.user).delete()
        AdminGrant.objects.bulk_create(AdminGrant(user=self.user, key=role) for role in roles)

    def ask(self, method: str, name: str, *, in_a_dialog: bool = False) -> tuple[HttpResponse, list[str]]:
        """The answer, and the statements by which something was changed."""
        changes: list[str] = []

        def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's
            if WRITES.match(sql):
                changes.append(sql)
            return execute(sql, parameters, many, context)

        with transaction.atomic(), connection.execute_wrapper(note):
            headers = {"HX-Request": "true"} if in_a_dialog else {}
            if method == "GET":
                answer: Any = self.client.get(address(name), headers=headers)
            else:
                answer = self.client.post(address(name), SENT.get(name), headers=headers)
            transaction.set_rollback(True)
        settings_store.clear_cache()
        return answer, changes


@pytest.fixture
def walk() -> Walk:
    person = User.objects.create(pk=NUMBER, user_id="anna")
    Device.objects.create(pk=NUMBER, uuid=UUID_OF_DEVICE, user=person)
    Label.objects.create(pk=NUMBER, name="One")
    Directory.objects.create(pk=NUMBER, name="Example")
    IdentityProvider.objects.create(pk=NUMBER, name="Corp", issuer="https://login.example.test", client_id="epmm")
    Webhook.objects.create(pk=NUMBER, name="SIEM", url="https://127.0.0.1/", secret=b"secret")
    CustomAttribute.objects.create(pk=NUMBER, subject="device", name="room", kind="text")
    return Walk()


def names_the_role(answer: HttpResponse, role: AdminRole) -> bool:
    return answer.status_code == 403 and f"{role.label}" in answer.content.decode()


@pytest.mark.parametrize("role", AdminRole)
def test_a_role_opens_its_pages_and_no_other_and_what_is_refused_changes_nothing(walk: Walk, role: AdminRole) -> None:
    walk.holding(role)

    for name in HELD:
        needed = AdminRole(permissions.NEEDED[name])
        for method in ("GET", "POST"):
            # a refusal in a dialog is a sentence, without the page around it that takes longer than all else here
            answer, changes = walk.ask(method, name, in_a_dialog=role != needed)
            if role == needed:
                assert answer.status_code < 500, (name, method)
                assert method == "POST" or answer.status_code != 403, name
            else:
                assert names_the_role(answer, needed), (name, method, answer.status_code)
                assert not changes, (name, method)


@pytest.mark.parametrize("name", HELD)
def test_the_portals_table_says_what_is_written_down_by_hand(name: str) -> None:
    looking, _changing = by_hand(name)

    assert permissions.NEEDED[name] == looking


@pytest.mark.parametrize("name", HELD)
def test_who_may_only_look_changes_nothing(walk: Walk, name: str) -> None:
    """Also where a page asks for more by itself: without that, this finds what was written."""
    looking, changing = by_hand(name)
    walk.holding(looking)

    answer, changes = walk.ask("POST", name)
    if changing is None or changing == looking:
        assert changing is not None or answer.status_code == 405, answer.status_code
        # asked by POST, and no more than that
        assert not changes or not looking.endswith(".view") or name in MADE_FOR_A_READER, changes
        return
    assert not changes, changes
    assert answer.status_code == 405 or names_the_role(answer, changing), answer.status_code
    walk.holding(looking, changing)
    allowed, _changes = walk.ask("POST", name)
    assert allowed.status_code != 403


@pytest.mark.parametrize("name", sorted(SENT.keys() - {"devices-wipe"}))
def test_what_the_walk_sends_would_change_something(walk: Walk, name: str) -> None:
    """Else it proved nothing."""
    walk.holding(*by_hand(name))  # type: ignore[arg-type] # each of these has both

    _answer, changes = walk.ask("POST", name)
    assert changes


def test_nothing_is_open_to_all_administrators_but_what_is_their_own(walk: Walk) -> None:
    everything = set(NAMED)

    assert {name for name in everything if permissions.NEEDED[name] == permissions.ANYONE} == ANYONE
    own = {name for name in everything if permissions.NEEDED[name] == permissions.ADMINISTRATOR}
    assert own == everything - ANYONE - set(HELD)
    walk.holding()
    for name in everything - ANYONE:
        answer, changes = walk.ask("POST", name)
        assert answer.status_code in {302, 204}, name
        assert not changes, name


def test_a_page_without_a_check_is_found(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.holding(AdminRole.SETTINGS_VIEW)
    monkeypatch.setattr(permissions, "require", lambda _request, _role: None)

    answer, changes = walk.ask("POST", "settings-attributes")
    assert answer.status_code == 302
    assert changes
    assert not AuditEntry.objects.exists()  # and taken back
