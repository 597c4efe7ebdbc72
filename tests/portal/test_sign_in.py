"""In and out of the portal."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp

from epmm import jobs, options, settings_store
from epmm.models import AuditEntry
from epmm.portal import navigation
from tests.portal.conftest import PASSWORD, SignedIn, browser, make_administrator
from users import permissions
from users import tasks as _tasks  # noqa: F401 - registers its job, as the worker does
from users.models import AdminRole, Authenticator, PortalSession, User
from users.services import administrators

pytestmark = pytest.mark.django_db(transaction=True)


def sign_in(client: Client, name: str = "admin", password: str = PASSWORD, address: str = "/admin/sign-in") -> str:
    """Where it leads; empty when the page comes again."""
    response = client.post(address, {"user_id": name, "password": password}, secure=True)
    return response.headers.get("Location", "")


def opens(client: Client, address: str = "/admin/users") -> bool:
    return client.get(address, secure=True).status_code == 200


def test_an_administrator_gets_to_the_page_that_was_asked_for() -> None:
    make_administrator()
    client = browser()

    sent = client.get("/admin/users?q=anna", secure=True)["Location"]
    assert sent == "/admin/sign-in?next=%2Fadmin%2Fusers%3Fq%3Danna"
    assert sign_in(client, address=sent) == "/admin/users?q=anna"
    assert opens(client)
    assert AuditEntry.objects.filter(action="portal.signed_in", actor="admin").count() == 1

    client.post("/admin/sign-out", secure=True)
    assert not opens(client)


@pytest.mark.parametrize("is_shown", [True, False])
def test_the_sign_in_before_is_told(is_shown: bool) -> None:  # noqa: FBT001
    admin, client = make_administrator(), browser()
    settings_store.change(options.SHOW_LAST_SIGN_IN.name, "on" if is_shown else "off", actor="test")
    sign_in(client)
    assert "Last sign-in" not in client.get("/admin/dashboard", secure=True).content.decode()
    User.objects.filter(pk=admin.pk).update(last_portal_login_from="192.0.2.7")

    sign_in(client)
    dashboard = client.get("/admin/dashboard", secure=True).content.decode()
    assert (dashboard.count("from 192.0.2.7") > 1) is is_shown  # in sight, and in the menu of all pages


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"])
def test_nobody_is_sent_to_another_server(elsewhere: str) -> None:
    make_administrator()

    assert sign_in(browser(), address=f"/admin/sign-in?next={elsewhere}") == "/admin/"


def test_who_is_no_administrator_stays_outside_and_leaves_a_line() -> None:
    make_administrator("anna", roles=[])
    client = browser()

    page = client.post("/admin/sign-in", {"user_id": "anna", "password": PASSWORD}, secure=True)
    assert "may not use the Admin Portal" in page.content.decode()
    assert not opens(client)
    assert AuditEntry.objects.filter(action="portal.refused", subject="anna").exists()


def test_a_wrong_password_and_an_unknown_name_are_told_alike_and_slowed_down() -> None:
    make_administrator()
    client = browser()
    pages = [
        client.post("/admin/sign-in", {"user_id": name, "password": "wrong"}, secure=True).content.decode()
        for name in ("admin", "nobody")
    ]

    assert all("The user ID, password or PIN is not right." in page for page in pages)
    statuses = [
        client.post("/admin/sign-in", {"user_id": "admin", "password": "wrong"}, secure=True).status_code
        for _ in range(6)
    ]
    assert statuses[-1] == 429
    assert sign_in(client) == ""


def test_a_password_that_was_handed_out_is_replaced_first() -> None:
    User.objects.filter(pk=make_administrator().pk).update(must_change_password=True)
    client = browser()

    assert sign_in(client) == "/admin/sign-in/password"
    assert not opens(client)
    again = client.post("/admin/sign-in/password", {"password": PASSWORD, "again": PASSWORD}, secure=True)
    assert "Choose another one" in again.content.decode()
    new = "staple in a drawer"
    assert client.post("/admin/sign-in/password", {"password": new, "again": new}, secure=True).status_code == 302
    assert opens(client)
    assert sign_in(browser(), password=new) == "/admin/"


def test_the_second_factor_is_asked_for_and_each_code_works_once() -> None:
    device = Authenticator.objects.create(user=make_administrator(), key=bytes(range(20)), confirmed=True)
    code = f"{totp(bytes(device.key)):06}"
    client, other = browser(), browser()

    assert sign_in(client) == sign_in(other) == "/admin/sign-in/code"
    assert not opens(client)
    assert client.post("/admin/sign-in/code", {"code": "000000"}, secure=True).status_code == 200
    assert client.post("/admin/sign-in/code", {"code": code}, secure=True).status_code == 302
    assert opens(client)
    assert other.post("/admin/sign-in/code", {"code": code}, secure=True).status_code == 200
    assert not opens(other)


def test_a_role_that_is_taken_away_is_missed_at_once(signed_in: SignedIn) -> None:
    client = signed_in()
    user = User.objects.get(user_id="admin")
    make_administrator("boss")
    assert opens(client)

    administrators.set_roles(user, [AdminRole.LOGS_VIEW], actor="boss")
    assert client.get("/admin/users").status_code == 403
    administrators.set_roles(user, [], actor="boss")
    assert client.get("/admin/users")["Location"].startswith("/admin/sign-in")


def test_a_session_ends_by_idleness_and_a_page_that_polls_is_idle(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in()
    began = PortalSession.objects.get().expire_date
    assert began - timezone.now() <= timedelta(minutes=15)

    now = time.time()
    monkeypatch.setattr("users.middleware.time.time", lambda: now + 600)
    client.get("/admin/users", headers={"X-Poll": "1"})
    assert PortalSession.objects.get().expire_date == began
    client.get("/admin/users")
    assert PortalSession.objects.get().expire_date > began

    PortalSession.objects.update(expire_date=timezone.now())
    assert not opens(client)


def test_sessions_that_ended_are_forgotten(signed_in: SignedIn) -> None:
    client = signed_in()
    signed_in("other")
    PortalSession.objects.filter(user__user_id="other").update(expire_date=timezone.now())

    jobs.run("users.forget_ended_sessions", {})
    assert PortalSession.objects.get().user == User.objects.get(user_id="admin")
    assert opens(client)


def test_three_sessions_at_once_and_the_oldest_ends(signed_in: SignedIn) -> None:
    first = signed_in()
    others = [browser() for _ in range(3)]
    for each in others:
        sign_in(each)

    assert [opens(each) for each in (first, *others)] == [False, True, True, True]


def test_the_last_who_may_appoint_cannot_be_dismissed(signed_in: SignedIn) -> None:
    signed_in()

    with pytest.raises(Exception, match="Nobody else could appoint"):
        administrators.set_roles(User.objects.get(), [AdminRole.API], actor="admin")


def test_a_form_from_elsewhere_is_refused() -> None:
    make_administrator()
    client = Client(enforce_csrf_checks=True)

    answer = client.post("/admin/sign-in", {"user_id": "admin", "password": PASSWORD}, secure=True)
    assert answer.status_code == 403


def test_each_page_of_the_portal_is_in_the_table_and_each_entry_is_a_page() -> None:
    from django.urls import get_resolver

    from tests.epmm.test_routes import routes

    names = {name.removeprefix("portal:") for name, _ in routes(get_resolver().url_patterns) if "portal:" in name}
    assert names == permissions.NEEDED.keys()
    assert all(reverse(f"portal:{page.name}") for tab in navigation.TABS for page in tab.pages)
