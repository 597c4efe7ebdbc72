"""In and out of the user portal, whose sessions open nothing of the Admin Portal."""

from base64 import b32decode

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp

from devices.models import Device
from devices.search.catalogue import FIELDS
from devices.services import field_values
from devices.services.search import matching
from epmm.models import AuditEntry
from tests.epmm.test_routes import routes
from tests.flows.house import PASSWORD, person, switch
from tests.portal.conftest import make_administrator
from tests.self.conftest import SignedIn, enter, phone
from users import self_permissions
from users import tasks as _tasks
from users.models import PersonSession, PortalSession, Role, User
from users.services import people, roles, second_factor, upkeep

pytestmark = pytest.mark.django_db(transaction=True)

ADMINS = settings.SESSION_COOKIE_NAME
THEIRS = settings.PERSON_COOKIE_NAME
HOME = "Your Devices"


def is_in(client: Client) -> bool:
    return HOME in client.get("/").content.decode()


def test_a_person_gets_to_the_page_that_was_asked_for_and_out_again() -> None:
    person()
    client = phone()

    sent = client.get("/my/password")["Location"]
    assert sent == "/my/sign-in?next=%2Fmy%2Fpassword"
    answer = client.post(sent, {"user_id": "anna@mdm.example.test", "password": PASSWORD})
    assert answer["Location"] == "/my/password"
    assert is_in(client)

    assert client.post("/my/sign-out")["Location"] == "/"
    assert not is_in(client)
    assert client.cookies[THEIRS].value == ""
    assert not PersonSession.objects.exists()
    done = AuditEntry.objects.filter(actor="anna", action__startswith="self.").order_by("id")
    assert list(done.values_list("action", flat=True)) == ["self.signed_in", "self.signed_out"]


def test_the_cookie_is_a_new_one_after_the_sign_in_and_no_script_reads_it(signed_in: SignedIn) -> None:
    client = signed_in()
    before = client.cookies[THEIRS].value

    enter(client)
    cookie = client.cookies[THEIRS]
    assert cookie.value != before
    assert PersonSession.objects.filter(session_key=cookie.value).exists()
    assert not PersonSession.objects.filter(session_key=before).exists()
    assert cookie.key.startswith("__Host-")
    assert {name: cookie[name] for name in ("httponly", "secure", "samesite", "path")} == {
        "httponly": True,
        "secure": True,
        "samesite": "Lax",
        "path": "/",
    }


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/admin/users", "javascript:x", "/go"])
def test_nobody_is_sent_elsewhere(elsewhere: str) -> None:
    person()
    client = phone()

    answer = client.post(f"/my/sign-in?next={elsewhere}", {"user_id": "anna", "password": PASSWORD})
    assert answer["Location"] == "/"


def test_a_persons_session_opens_no_page_of_the_admin_portal_even_an_administrators() -> None:
    """In its own cookie, and put into that of the administrators by hand."""
    make_administrator("boss")
    client = phone()
    assert enter(client, "boss") == "/"
    key = client.cookies[THEIRS].value

    assert client.get("/admin/users")["Location"].startswith("/admin/sign-in")
    client.cookies[ADMINS] = key
    assert client.get("/admin/users")["Location"].startswith("/admin/sign-in")
    assert is_in(client)


def test_an_administrators_session_opens_no_page_of_the_user_portal_and_stays_as_it_is() -> None:
    make_administrator("boss")
    client = phone()
    client.post("/admin/sign-in", {"user_id": "boss", "password": PASSWORD})
    key = client.cookies[ADMINS].value
    row = PortalSession.objects.values().get(session_key=key)

    assert not is_in(client)
    client.cookies[THEIRS] = key
    assert not is_in(client)
    assert client.get("/my/password").status_code == 302
    client.post("/my/sign-out")
    assert PortalSession.objects.values().get(session_key=key) == row
    client.cookies[ADMINS] = key
    assert client.get("/admin/users").status_code == 200


def test_both_at_once_in_one_browser() -> None:
    make_administrator("boss")
    client = phone()
    client.post("/admin/sign-in", {"user_id": "boss", "password": PASSWORD})
    enter(client, "boss")

    assert is_in(client)
    client.post("/my/sign-out")
    assert client.get("/admin/users").status_code == 200


def test_who_has_not_the_role_stays_outside_and_leaves_a_line() -> None:
    user = person()
    roles.remove(user, [Role.PORTAL], actor="test")
    client = phone()

    page = client.post("/my/sign-in", {"user_id": "anna", "password": PASSWORD})
    assert "may not use the user portal" in page.content.decode()
    assert not is_in(client)
    assert AuditEntry.objects.filter(action="self.refused", subject="anna", status="Failed").exists()


def test_a_role_that_is_taken_away_is_missed_at_once(signed_in: SignedIn) -> None:
    client = signed_in()
    roles.remove(User.objects.get(user_id="anna"), [Role.PORTAL], actor="test")

    assert not is_in(client)
    assert client.get("/my/password").status_code == 302
    roles.grant(User.objects.get(user_id="anna"), [Role.PORTAL], actor="test")
    assert not is_in(client)  # that session is over


def test_a_wrong_password_and_an_unknown_name_are_told_alike_and_slowed_down() -> None:
    person()
    pages = []
    for name in ("anna", "nobody"):
        page = phone().post("/my/sign-in", {"user_id": name, "password": "wrong"}).content.decode()
        pages.append(page.replace(name, "").split("csrfmiddlewaretoken", 1)[0])
        assert "The user ID, password or PIN is not right." in page
    assert pages[0] == pages[1]

    statuses = [phone().post("/my/sign-in", {"user_id": "anna", "password": "wrong"}).status_code for _ in range(6)]
    assert statuses[-1] == 429
    assert enter(phone()) == ""


def test_a_disabled_account_is_out_at_once_and_stays_out(signed_in: SignedIn) -> None:
    client = signed_in()
    user = User.objects.get(user_id="anna")

    people.set_active(user, is_active=False, actor="test")
    assert not is_in(client)
    people.set_active(user, is_active=True, actor="test")
    assert not is_in(client)


def test_a_password_that_was_handed_out_is_replaced_first() -> None:
    given = upkeep.reset_password(person(), actor="test")
    client = phone()

    assert enter(client, password=given) == "/my/sign-in/password"
    assert not is_in(client)
    assert client.get("/my/sign-in/code")["Location"] == "/my/sign-in"
    again = client.post("/my/sign-in/password", {"password": given, "again": given})
    assert "Choose another one" in again.content.decode()
    new = "staple in a drawer"
    assert client.post("/my/sign-in/password", {"password": new, "again": new})["Location"] == "/"
    assert is_in(client)
    assert enter(phone(), password=new) == "/"


def test_who_may_not_use_the_portal_can_still_replace_the_password_for_enrolling() -> None:
    user = person()
    given = upkeep.reset_password(user, actor="test")
    roles.remove(user, [Role.PORTAL], actor="test")
    client = phone()
    enter(client, password=given)

    new = "staple in a drawer"
    page = client.post("/my/sign-in/password", {"password": new, "again": new}).content.decode()
    assert "Your password is changed" in page
    assert not is_in(client)
    user.refresh_from_db()
    assert not user.must_change_password
    assert user.check_password(new)


def test_a_second_factor_is_asked_for_here_too() -> None:
    user = make_administrator("boss")
    key = second_factor.secret(second_factor.begin(user)).replace(" ", "")
    spare = second_factor.confirm(user, f"{totp(b32decode(key + '=' * (-len(key) % 8))):06}")[0]
    client = phone()

    assert enter(client, "boss") == "/my/sign-in/code"
    assert not is_in(client)
    assert client.post("/my/sign-in/code", {"code": "000000"}).status_code == 200
    assert client.post("/my/sign-in/code", {"code": spare})["Location"] == "/"
    assert is_in(client)


def test_a_changed_password_ends_the_other_sessions(signed_in: SignedIn) -> None:
    client, other = signed_in(), phone()
    enter(other)

    new = {"current": PASSWORD, "password": "staple in a drawer", "again": "staple in a drawer"}
    wrong = client.post("/my/password", new | {"current": "wrong"})
    assert "is not right" in wrong.content.decode()
    assert is_in(other)
    assert client.post("/my/password", new)["Location"] == "/"
    assert is_in(client)
    assert not is_in(other)


def test_the_password_of_a_directory_is_changed_there(signed_in: SignedIn) -> None:
    client = signed_in()
    User.objects.filter(user_id="anna").update(source=User.Source.LDAP)

    new = {"current": PASSWORD, "password": "staple in a drawer", "again": "staple in a drawer"}
    assert "Change it there" in client.post("/my/password", new).content.decode()
    assert User.objects.get(user_id="anna").check_password(PASSWORD)


def test_a_session_ends_by_idleness_and_is_forgotten(signed_in: SignedIn) -> None:
    client = signed_in()
    switch("general.timeout", "5")
    assert 0 < int(client.cookies[THEIRS]["max-age"]) <= 15 * 60

    PersonSession.objects.update(expire_date=timezone.now())
    assert not is_in(client)
    _tasks.forget_ended_sessions()
    assert not PersonSession.objects.exists()


def test_so_many_sessions_at_once_and_the_oldest_ends(signed_in: SignedIn) -> None:
    first = signed_in()
    others = [phone() for _ in range(3)]

    assert [enter(each) for each in others] == ["/"] * 3
    assert not is_in(first)
    assert all(map(is_in, others))


def test_a_form_from_elsewhere_is_refused() -> None:
    person()
    client = Client(enforce_csrf_checks=True)

    for where in ("/my/sign-in", "/go", "/my/sign-out"):
        assert client.post(where, {"user_id": "anna", "password": PASSWORD}, secure=True).status_code == 403


def test_each_page_is_in_the_table_and_each_entry_is_a_page() -> None:
    from django.urls import get_resolver

    names = {name.removeprefix("self:") for name, _ in routes(get_resolver().url_patterns) if "self:" in name}
    assert names == self_permissions.NEEDED.keys()


def test_each_page_is_behind_the_door() -> None:
    """Elsewhere its session would be the administrators'."""
    from django.urls import get_resolver

    from tests.epmm.test_routes import _example
    from users.self_guard import is_behind

    pages = [(name, route) for name, route in routes(get_resolver().url_patterns) if name.startswith("self:")]
    assert len(pages) > 10
    assert [name for name, route in pages if not is_behind(_example(name, route))] == []


def test_a_sign_in_here_is_none_at_the_admin_portal() -> None:
    """Labels ask for administrators who have not been there for long."""
    key = "user.last_admin_portal_login_time"
    admin, client = make_administrator("boss"), phone()
    device = Device.objects.create(user=admin)

    def told() -> object:
        [values] = field_values.values([Device.objects.get(pk=device.pk)], [FIELDS[key]])
        return values[key]

    assert enter(client, "boss") == "/"
    assert told() is None
    assert list(matching(f'{key} "is empty"')) == [device]

    client.post("/admin/sign-in", {"user_id": "boss", "password": PASSWORD})
    admin.refresh_from_db()
    assert told() == admin.last_portal_login_at is not None
    assert list(matching(f'{key} "is not empty"')) == [device]
