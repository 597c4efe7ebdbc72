"""What the settings ask of passwords and sessions of the portal."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from epmm import options, settings_store
from tests.portal.conftest import PASSWORD, SignedIn, browser, make_administrator
from tests.portal.pages import text
from users.errors import InvalidPerson
from users.models import FormerPassword, PortalSession, User
from users.services import people

pytestmark = pytest.mark.django_db(transaction=True)


def set_to(setting: settings_store.Setting[Any], value: object) -> None:
    settings_store.change(setting.name, str(value), actor="test")


def sign_in(client: Client, password: str = PASSWORD, **more: str) -> str:
    answer = client.post("/admin/sign-in", {"user_id": "admin", "password": password} | more, secure=True)
    return answer.headers.get("Location", text(answer))


def test_former_passwords_do_not_come_back_until_they_are_old() -> None:
    user = make_administrator()
    set_to(options.PASSWORD_HISTORY, 3)
    people.set_password(user, "staple in a drawer", actor="admin")
    people.set_password(user, "paper in a printer", actor="admin")

    for former in (PASSWORD, "staple in a drawer", "paper in a printer"):
        with pytest.raises(InvalidPerson, match="The last 3 passwords cannot be used again"):
            people.set_password(user, former, actor="admin")
    assert user.check_password("paper in a printer")
    people.set_password(user, "coffee in a cup now", actor="admin")
    people.set_password(user, PASSWORD, actor="admin")
    assert FormerPassword.objects.filter(user=user).count() == 2


def test_without_a_history_none_is_kept() -> None:
    user = make_administrator()
    set_to(options.PASSWORD_HISTORY, 5)
    people.set_password(user, "staple in a drawer", actor="admin")
    assert FormerPassword.objects.exists()

    set_to(options.PASSWORD_HISTORY, 0)
    people.set_password(user, "staple in a drawer", actor="admin")
    assert not FormerPassword.objects.exists()


def test_a_password_that_is_too_old_is_replaced_at_the_sign_in() -> None:
    make_administrator()
    User.objects.update(created_at=timezone.now() - timedelta(days=90))
    assert sign_in(browser()) == "/admin/"
    set_to(options.PASSWORD_DAYS, 90)

    client = browser()
    assert sign_in(client) == "/admin/sign-in/password"
    new = "staple in a drawer"
    assert client.post("/admin/sign-in/password", {"password": new, "again": new}, secure=True).status_code == 302
    assert sign_in(browser(), new) == "/admin/"


def test_a_password_of_a_directory_is_replaced_there() -> None:
    make_administrator()
    User.objects.update(created_at=timezone.now() - timedelta(days=90), source=User.Source.LDAP)
    set_to(options.PASSWORD_DAYS, 30)

    assert sign_in(browser()) == "/admin/"


def test_as_many_sessions_at_once_as_the_settings_allow(signed_in: SignedIn) -> None:
    signed_in()
    set_to(options.SESSIONS, 2)
    for _ in range(3):
        sign_in(browser())

    assert PortalSession.objects.count() == 2


def test_nobody_signs_in_without_consent_where_it_is_asked_for() -> None:
    make_administrator()
    set_to(options.LOGIN_CONSENT, "on")
    assert sign_in(browser()) == "/admin/"  # there is no text to consent to
    set_to(options.LOGIN_TEXT, "For work alone.")

    refused = sign_in(browser())
    assert "Without your consent nobody signs in here." in refused
    assert "For work alone." in refused
    assert sign_in(browser(), consent="on") == "/admin/"
