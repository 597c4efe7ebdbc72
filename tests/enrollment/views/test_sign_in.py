import plistlib
from typing import Any

import pytest
from django.test import Client

from devices.models import Device, Enrollment
from enrollment.models import AccessToken, Attempt
from enrollment.services import invitations, ruling
from enrollment.services.registration import Announced
from enrollment.services.ruling import Written
from epmm import rate_limit
from tests.devices.services.rows import enrolled
from tests.enrollment.conftest import MACHINE_INFO, PASSWORD, Sheet, Switch, make_person
from tests.enrollment.phone import Phone, identity_for
from users.models import Role, User
from users.services import roles

pytestmark = pytest.mark.django_db


def text(answer: Any) -> str:
    page: str = answer.content.decode()
    return page


def ready(sheet: Sheet) -> Sheet:
    sheet.discover()
    sheet.post()
    return sheet


def test_the_sign_in_ends_with_308_to_the_device(sheet: Sheet, anna: User) -> None:
    answer = ready(sheet).sign_in()

    assert answer.status_code == 308
    assert answer["Location"].startswith("apple-remotemanagement-user-login://authentication-results?access-token=")
    assert "no-store" in answer["Cache-Control"]
    assert answer.content == b""
    device = Device.objects.get()
    assert (device.status, device.user, device.family) == (Device.Status.IENROLL_VERIFIED, anna, "iPhone")


@pytest.mark.parametrize("name", ["anna", "ANNA", "anna@mdm.example.test", " Anna@MDM.example.test "])
def test_user_id_and_full_address_both_work(sheet: Sheet, name: str) -> None:
    assert ready(sheet).sign_in(name).status_code == 308


def test_the_page_knows_what_was_typed_on_the_device(sheet: Sheet) -> None:
    ready(sheet)

    assert 'value="anna@mdm.example.test"' in text(sheet.open_page())
    # devices may drop the query: discovery's identifier is in the path
    assert 'value="anna@mdm.example.test"' in text(sheet.client.get(sheet.url))


def test_the_page_lets_the_callback_through_and_nothing_else(sheet: Sheet) -> None:
    policy = ready(sheet).open_page()["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "form-action 'self' apple-remotemanagement-user-login:" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize(("family", "button"), [("iPhone", "Continue"), ("iPad", "Continue"), ("Mac", "Register")])
def test_the_button_reads_as_on_the_device(sheet: Sheet, family: str, button: str) -> None:
    sheet.family = family
    sheet.body = sheet.body.replace(b"iPhone17,1", f"{family}15,3".encode())
    page = text(ready(sheet).open_page())

    assert f'<button type="submit">{button}</button>' in page


def test_the_page_speaks_german_when_asked(sheet: Sheet) -> None:
    answer = ready(sheet).client.get(sheet.url, headers={"Accept-Language": "de-CH"})

    assert 'lang="de"' in text(answer)
    assert "Kennwort" in text(answer) or "Passwort" in text(answer)


@pytest.mark.parametrize(
    ("user_id", "password"),
    [("anna", "wrong"), ("nobody", PASSWORD), ("anna", ""), ("", ""), ("*", "*"), ("a\0b", "c")],
)
def test_wrong_credentials_may_be_corrected(sheet: Sheet, user_id: str, password: str) -> None:
    ready(sheet)
    answer = sheet.sign_in(user_id, password)

    assert answer.status_code == 200
    assert "The user ID, password or PIN is not right." in text(answer)
    assert "E-201" in text(answer)
    assert Attempt.objects.get().last_code == "E-201"
    assert sheet.submit(user_id="anna", password=PASSWORD).status_code == 308


def test_six_failures_lock_the_name_for_a_while(sheet: Sheet) -> None:
    ready(sheet)
    for _ in range(6):
        sheet.sign_in(password="wrong")
    answer = sheet.sign_in()

    assert answer.status_code == 429
    assert "Too many attempts" in text(answer)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_active": False}, "E-301"),
        ({"managed_apple_account": None}, "E-304"),
        ({"managed_apple_account": "anna@elsewhere.example"}, "E-305"),
        ({"must_change_password": True}, "E-204"),
    ],
)
def test_what_stands_against_a_person_has_its_own_code(
    sheet: Sheet, anna: User, change: dict[str, Any], code: str
) -> None:
    User.objects.filter(pk=anna.pk).update(**change)
    answer = ready(sheet).sign_in()

    assert answer.status_code == 403
    assert code in text(answer)
    assert Attempt.objects.get().last_code == code
    assert not AccessToken.objects.exists()


def test_a_person_without_the_role_is_refused(sheet: Sheet, anna: User) -> None:
    roles.remove(anna, [Role.ADDE], actor="test")
    answer = ready(sheet).sign_in()

    assert answer.status_code == 403
    assert "E-303" in text(answer)


@pytest.mark.parametrize("name", ["ios.mdm.account_driven_device_enrollment", "ios.mdm.profile"])
def test_the_feature_switched_off_in_between_refuses(sheet: Sheet, switch: Switch, name: str) -> None:
    ready(sheet)
    switch(name, "off")

    assert "E-302" in text(sheet.sign_in())


def test_the_person_says_whose_device_it_is_where_they_may(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.choose_owner", "on")
    switch("registration.terms", "on")
    page = text(ready(sheet).sign_in())
    assert page.index('value="COMPANY"') < page.index('value="EMPLOYEE"')

    assert "Whose device is this?" in text(sheet.submit(owner="NOBODY"))
    terms = sheet.submit(owner="EMPLOYEE")
    assert "Terms of Service" in text(terms)
    sheet.submit(owner="COMPANY")  # not asked any more
    assert Device.objects.get().owner == Device.Owner.EMPLOYEE
    sheet.post(sheet.token)
    enrollment = Enrollment.objects.get()
    Phone(enrollment=enrollment, identity=identity_for(enrollment, 41), bearer=None).enroll()
    assert Device.objects.get().owner == Device.Owner.EMPLOYEE
    assert Attempt.objects.get().steps.get(step="owner").details == {"owner": "EMPLOYEE"}


@pytest.mark.parametrize("who", ["rule", "invitation", "nobody"])
def test_whose_device_it_is_said_already_is_not_asked(sheet: Sheet, anna: User, switch: Switch, who: str) -> None:
    switch("registration.choose_owner", "off" if who == "nobody" else "on")
    if who == "rule":
        ruling.save(Written(group=None, owner="EMPLOYEE"), actor="test")
    if who == "invitation":
        invitations.announce(anna, Announced(owner="EMPLOYEE"), actor="test")

    assert ready(sheet).sign_in().status_code == 308
    expected = Device.Owner.COMPANY if who == "nobody" else Device.Owner.EMPLOYEE
    assert Device.objects.get().owner == expected


def test_the_device_limit_refuses_the_next_device(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.device_limit", "1")
    Device.objects.create(user=anna, status=Device.Status.ACTIVE, udid="ANOTHER", mdm_managed=True)
    answer = ready(sheet).sign_in()

    assert "You already use 1 of 1 allowed devices." in text(answer)
    assert "E-306" in text(answer)


def test_the_same_device_does_not_count_against_itself(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("registration.device_limit", "1")
    udid = "00008140-000A1B2C3D4E5F60"
    Device.objects.create(user=anna, status=Device.Status.ACTIVE, udid=udid, mdm_managed=True)

    assert ready(sheet).sign_in().status_code == 308


@pytest.mark.parametrize(("family", "status"), [("iPhone", 308), ("iPad", 403)])
def test_a_device_that_does_not_say_which_it_is_may_be_the_one_of_its_kind(
    sheet: Sheet, anna: User, switch: Switch, family: str, status: int
) -> None:
    switch("registration.device_limit", "1")
    Device.objects.create(user=anna, status=Device.Status.ACTIVE, udid="SOME", family=family, mdm_managed=True)
    sheet.body = MACHINE_INFO.replace(b"<key>UDID</key>", b"<key>Other</key>")

    assert ready(sheet).sign_in().status_code == status


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [("registration.allowed_families", "iPad,Mac", "E-307"), ("registration.minimum_os", "iOS=18.4", "E-308")],
)
def test_platform_rules_refuse(sheet: Sheet, switch: Switch, setting: str, value: str, code: str) -> None:
    switch(setting, value)

    assert code in text(ready(sheet).sign_in())


def test_a_device_active_under_another_person_is_a_conflict(sheet: Sheet, switch: Switch) -> None:
    enrolled(device=Device.objects.create(user=make_person("ben"), status=Device.Status.ACTIVE))

    assert "E-309" in text(ready(sheet).sign_in())
    switch("enrollment.allow_takeover", "on")
    assert sheet.sign_in().status_code == 308


def test_whoever_signs_in_must_be_who_was_typed(sheet: Sheet) -> None:
    make_person("ben")
    answer = ready(sheet).sign_in("ben")

    assert answer.status_code == 403
    assert "E-205" in text(answer)


def test_a_device_that_says_long_things_may_sign_in(sheet: Sheet, anna: User) -> None:
    """Columns have an end, and PostgreSQL holds to it."""
    info = plistlib.loads(MACHINE_INFO) | {
        "PRODUCT": "iPhone" + "1" * 200,
        "OS_VERSION": "9" * 200,
        "LANGUAGE": "d" * 200,
    }
    sheet.body = plistlib.dumps(info)

    assert ready(sheet).sign_in().status_code == 308


def test_a_nul_in_the_typed_address_is_no_error(sheet: Sheet) -> None:
    sheet.base = "/enroll/adde"  # of a trace that knows no address yet
    sheet.post()

    assert sheet.client.get(f"{sheet.url}?user-identifier=a%00b%40mdm.example.test").status_code == 200


def test_an_altered_or_old_address_is_refused(sheet: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(sheet)

    assert sheet.client.get(f"{sheet.url}x").status_code == 403
    assert "E-206" in text(sheet.client.get("/enroll/sign-in/nonsense"))
    monkeypatch.setattr("enrollment.services.sign_in.STATE_SECONDS", -1)
    assert sheet.client.get(sheet.url).status_code == 403


# --- The public page --------------------------------------------------------------------------------------------------


def test_a_flood_at_the_public_page_is_turned_away(client: Client, adde: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_buckets", rate_limit.Buckets(per_second=0, burst=2))

    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]


def test_the_public_page_answers_anyone(client: Client, adde: None) -> None:
    answer = client.get("/")

    assert answer.status_code == 200
    assert "mdm.example.test" in text(answer)
    assert not answer.cookies
