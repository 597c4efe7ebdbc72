"""An administrator's own account, and who administers."""

import re
import time

import pytest
from django.test import Client
from django_otp.oath import totp

from epmm.models import AuditEntry
from tests.portal.conftest import PASSWORD, SignedIn, browser, make_administrator
from users.models import AdminRole, Authenticator, PortalSession, User
from users.services import administrators, people, second_factor
from users.services.people import NewPerson

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "staple in a drawer"
SET_UP = "/admin/account/second-factor"


def sign_in(password: str = PASSWORD) -> Client:
    client = browser()
    client.defaults["wsgi.url_scheme"] = "https"
    client.post("/admin/sign-in", {"user_id": "admin", "password": password})
    return client


def opens(client: Client) -> bool:
    return client.get("/admin/account").status_code == 200


def left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes pass, without the session ending."""
    later = time.time() + 600
    monkeypatch.setattr("users.services.portal_sign_in.time.time", lambda: later)


def test_ones_own_password_is_changed_and_other_sessions_end(signed_in: SignedIn) -> None:
    client = signed_in()
    other = sign_in()
    sent = {"password": NEW, "again": NEW}

    wrong = client.post("/admin/account/password", sent | {"current": "wrong"})
    assert "is not right" in wrong.content.decode()
    assert opens(other)
    assert client.post("/admin/account/password", sent | {"current": PASSWORD}).status_code == 302
    assert opens(client)
    assert not opens(other)
    assert opens(sign_in(NEW))


def test_a_second_factor_is_set_up_used_and_switched_off(signed_in: SignedIn) -> None:
    client = signed_in()

    page = client.get(SET_UP).content.decode()
    assert "<svg" in page
    assert 'style="' not in page
    device = Authenticator.objects.get(confirmed=False)
    assert second_factor.secret(device) in page
    assert "This code is not right" in client.post(SET_UP, {"code": "000000"}).content.decode()
    assert not second_factor.is_on(User.objects.get())
    shown = client.post(SET_UP, {"code": f"{totp(bytes(device.key)):06}"}).content.decode()
    codes = re.findall(r"<li><code>(\w+)</code>", shown)
    assert len(codes) == second_factor.CODES

    other = sign_in()
    assert not opens(other)
    for _ in range(2):
        other.post("/admin/sign-in/code", {"code": codes[0]})
    assert opens(other)
    assert second_factor.codes_left(User.objects.get()) == second_factor.CODES - 1
    assert client.post("/admin/account/second-factor/off").status_code == 302
    assert opens(sign_in())
    assert AuditEntry.objects.filter(action__startswith="second_factor.").count() == 2


@pytest.mark.parametrize("address", [SET_UP, f"{SET_UP}/codes", f"{SET_UP}/off"])
def test_a_second_factor_is_not_changed_on_a_screen_that_was_left_open(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    client = signed_in()
    left_open(monkeypatch)

    assert client.post(address)["Location"].startswith("/admin/confirm?next=")


def test_other_sessions_are_ended(signed_in: SignedIn) -> None:
    client, other = signed_in(), sign_in()

    client.post("/admin/account/sessions")
    assert opens(client)
    assert not opens(other)


def test_administrators_are_appointed_after_a_password(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in()
    anna = people.create(NewPerson(user_id="anna"), actor="test")
    left_open(monkeypatch)
    sent = {"go": 1, "chosen": anna.pk, "granted": ["user.view", "logs.view"]}

    assert "Confirm that it is you" in client.post("/admin/admins/roles", {"user_id": "Anna"}).content.decode()
    assert client.post("/admin/admins/roles", sent | {"password": "wrong"}).status_code == 422
    assert not User.objects.get(user_id="anna").is_admin
    assert client.post("/admin/admins/roles", sent | {"password": PASSWORD})["HX-Refresh"] == "true"
    assert User.objects.get(user_id="anna").admin_role_keys() == {"user.view", "logs.view"}
    page = client.get("/admin/admins").content.decode()
    assert "User Management: View user; Logs and Events Management: View logs and events" in page
    assert "All roles" in page


def test_the_last_who_may_appoint_stays(signed_in: SignedIn) -> None:
    client = signed_in()
    admin = User.objects.get()

    answer = client.post(
        "/admin/admins/roles", {"go": 1, "chosen": admin.pk, "was": AdminRole.values, "granted": ["api"]}
    )
    assert "Nobody else could appoint administrators" in answer.content.decode()
    assert admin.admin_role_keys() == set(AdminRole.values)


def test_a_mixed_role_stays_with_whoever_has_it(signed_in: SignedIn) -> None:
    client = signed_in()
    anna, ben = make_administrator("anna", ["api"]), make_administrator("ben", ["user.view"])
    mixed = ["api", "user.view"]
    sent = {"go": 1, "chosen": f"{anna.pk},{ben.pk}", "granted": ["logs.view"], "mixed": mixed, "was_mixed": mixed}

    client.post("/admin/admins/roles", sent)
    assert [user.admin_role_keys() for user in (anna, ben)] == [{"api", "logs.view"}, {"user.view", "logs.view"}]


def test_what_another_appoints_meanwhile_stays_and_acts_on_an_open_session(signed_in: SignedIn) -> None:
    client = signed_in()
    anna = signed_in("anna", ["api", "user.view"])
    row = User.objects.get(user_id="anna")
    sent = {"go": 1, "chosen": row.pk, "was": ["api", "user.view"], "granted": ["user.view", "label.view"]}

    assert anna.get("/admin/labels").status_code == 403
    administrators.change_roles(row, granted=["logs.view"], removed=[], actor="another")
    client.post("/admin/admins/roles", sent)
    assert row.admin_role_keys() == {"user.view", "label.view", "logs.view"}
    assert [anna.get(f"/admin/{page}").status_code for page in ("labels", "logs/audit", "users")] == [200, 200, 200]
    everything = ["user.view", "label.view", "logs.view"]
    client.post("/admin/admins/roles", sent | {"was": everything, "granted": ["user.view"]})
    assert [anna.get(f"/admin/{page}").status_code for page in ("labels", "logs/audit", "users")] == [403, 403, 200]
    client.post("/admin/admins/roles", sent | {"was": ["user.view"], "granted": []})
    assert anna.get("/admin/users")["Location"].startswith("/admin/sign-in")


def test_the_list_says_itself_which_it_is(signed_in: SignedIn) -> None:
    """Not the address that a browser tells, which whoever asks may choose."""
    client = signed_in()
    anna = people.create(NewPerson(user_id="anna"), actor="test")
    all_of_them = {"row": anna.pk, "all": 1, "matching": ""}

    assert 'name="listed" value="admins"' in client.get("/admin/admins").content.decode()
    assert 'name="listed" value="users"' in client.get("/admin/users").content.decode()
    shown = client.post("/admin/admins/roles", all_of_them | {"listed": "admins"}).content.decode()
    assert "Administrator roles: Admin" in shown
    forged = {"HX-Current-URL": "https://localhost/admin/admins"}
    shown = client.post("/admin/admins/roles", all_of_them | {"listed": "users"}, headers=forged).content.decode()
    assert "Administrator roles: 2 users" in shown


def test_nobody_unknown_becomes_administrator(signed_in: SignedIn) -> None:
    client = signed_in()

    answer = client.post("/admin/admins/roles", {"user_id": "nobody"})
    assert answer.status_code == 422
    assert "There is no user nobody." in answer.content.decode()


def test_only_who_may_appoint_sees_administrators(signed_in: SignedIn) -> None:
    client = signed_in(roles=set(AdminRole.values) - {AdminRole.ADMIN_MANAGE})

    assert client.get("/admin/admins").status_code == 403
    assert "Assign administrator roles" not in client.get("/admin/users").content.decode()


def test_sessions_of_an_administrator_are_ended_by_another_and_their_keys_stay_secret(signed_in: SignedIn) -> None:
    helper, client = signed_in("helper", [AdminRole.API]), signed_in()
    user = User.objects.get(user_id="helper")
    key = PortalSession.objects.get(user=user).session_key

    page = client.get(f"/admin/users/{user.pk}").content.decode()
    assert key not in page
    [handle] = re.findall(r'name="session" value="(\w+)"', page)
    client.post(f"/admin/admins/{user.pk}/sessions", {"session": [key, "x"]})
    assert opens(helper)
    client.post(f"/admin/admins/{user.pk}/sessions", {"session": handle})
    assert not opens(helper)
    assert AuditEntry.objects.get(action="portal.sessions_ended").details == {"number": 1}


def test_who_lost_the_authenticator_is_let_in_by_another_administrator(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, helper = signed_in(), make_administrator("helper", ["api"])
    Authenticator.objects.create(user=helper, key=bytes(20), confirmed=True)
    address = f"/admin/admins/{helper.pk}/second-factor"
    assert "Switch off the second factor of Helper?" in client.post(address).content.decode()
    assert f"/admin/admins/{helper.pk}/second-factor" in client.get(f"/admin/users/{helper.pk}").content.decode()

    left_open(monkeypatch)
    for wrong in ({}, {"password": "wrong"}):
        assert client.post(address, wrong | {"go": 1}).status_code == 422
    assert second_factor.is_on(helper)
    assert client.post(address, {"go": 1, "password": PASSWORD})["HX-Refresh"] == "true"
    assert not second_factor.is_on(helper)
    assert AuditEntry.objects.get(action="second_factor.off").actor == "admin"


def test_sessions_and_factors_of_others_are_for_who_appoints(signed_in: SignedIn) -> None:
    client = signed_in(roles=set(AdminRole.values) - {AdminRole.ADMIN_MANAGE})
    boss = make_administrator("boss")

    assert "Not signed in anywhere." not in client.get(f"/admin/users/{boss.pk}").content.decode()
    for what in ("sessions", "second-factor"):
        assert client.post(f"/admin/admins/{boss.pk}/{what}", {"go": 1}).status_code == 403
