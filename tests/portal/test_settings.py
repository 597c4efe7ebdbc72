"""Settings > System Settings: forms made of typed settings, as an administrator uses them."""

from typing import Any

import pytest

from epmm import options, settings_store
from epmm.models import AuditEntry, SettingRow
from epmm.portal import settings_tree
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled, text
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
REGISTRATION = "/admin/settings/system/registration"
MDM = "/admin/settings/ios-mdm"
DOMAINS = "/admin/settings/domains"


def test_every_page_of_the_tree_opens_with_few_queries(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    assert client.get("/admin/settings")["Location"] == "/admin/settings/enterprise"

    for node in settings_tree.nodes():
        with django_assert_max_num_queries(12):
            page = client.get(node.address)
        assert page.status_code == 200
        assert len(page.content) < 60_000
        assert 'style="' not in text(page)


def test_every_setting_stands_on_one_page() -> None:
    rows = [row.setting.name for node in settings_tree.nodes() for row in node.rows]

    elsewhere = [setting.name for setting in settings_tree.ELSEWHERE]
    assert sorted([*rows, *elsewhere]) == sorted(settings_store.REGISTRY)


def test_a_setting_without_a_place_is_found_under_other(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    new = settings_store.Setting(name="new.one", default="a", parse=str, accepts="anything", help="Something new.")
    monkeypatch.setitem(settings_store.REGISTRY, new.name, new)

    assert "Something new. Accepted: anything." in text(signed_in().get("/admin/settings/system/other"))


def test_only_what_was_changed_is_written_and_audited(signed_in: SignedIn) -> None:
    client = signed_in()
    changed = {"registration.pin_length": "8", "registration.device_limit": "3"}

    answer = client.post(REGISTRATION, filled(client, REGISTRATION, **changed))
    assert answer["Location"] == REGISTRATION
    assert {row.name: row.value for row in SettingRow.objects.all()} == {
        "registration.pin_length": "8",
        "registration.device_limit": "3",
    }
    entry = AuditEntry.objects.get(action="setting.changed", subject="registration.pin_length")
    assert (entry.actor, entry.address, entry.details) == ("admin", "127.0.0.1", {"from": "6", "to": "8"})

    again = client.post(REGISTRATION, filled(client, REGISTRATION), follow=True)
    assert "Nothing was changed." in text(again)
    assert AuditEntry.objects.filter(action="setting.changed").count() == 2


def test_a_text_of_several_lines_changes_once(signed_in: SignedIn) -> None:
    client, page = signed_in(), "/admin/settings/system/login"
    client.post(page, filled(client, page, **{"general.login_text": "Line one\r\n\r\nLine two"}))
    assert settings_store.read(options.LOGIN_TEXT) == "Line one\n\nLine two"

    client.post(page, filled(client, page))
    assert AuditEntry.objects.filter(action="setting.changed").count() == 1


def test_two_administrators_do_not_undo_each_others_work(signed_in: SignedIn) -> None:
    client = signed_in()
    mine = filled(client, REGISTRATION, **{"registration.pin_length": "9"})
    settings_store.change("registration.pin_expiry_hours", "2", actor="other")

    client.post(REGISTRATION, mine)
    assert settings_store.read(options.PIN_LENGTH) == 9
    assert settings_store.read(options.PIN_EXPIRY_HOURS) == 2


@pytest.mark.parametrize(
    ("address", "name", "value", "accepted"),
    [
        (REGISTRATION, "registration.pin_length", "5", "6..12"),
        (REGISTRATION, "registration.pin_length", "many", "6..12"),
        (REGISTRATION, "registration.device_limit", "51", "none, or 1 to 50"),
        ("/admin/settings/system/device-registration", "registration.requirement", "nothing", "password, pin"),
        ("/admin/settings/system/device-registration", "registration.minimum_os", "iOS", "none, or versions such as"),
    ],
)
def test_a_value_that_the_setting_does_not_take_changes_nothing(
    signed_in: SignedIn, address: str, name: str, value: str, accepted: str
) -> None:
    client = signed_in()

    answer = client.post(address, filled(client, address, **{name: value}))
    assert answer.status_code == 422
    assert f"This value is not possible. Accepted: {accepted}" in text(answer)
    assert not SettingRow.objects.exists()


def test_a_pin_that_stays_valid_for_long_is_warned_of(signed_in: SignedIn) -> None:
    client = signed_in()
    warning = "A PIN that stays valid longer than 4 hours is easier to misuse."
    assert text(client.get(REGISTRATION)).count(warning) == 1  # what the field says anyway

    client.post(REGISTRATION, filled(client, REGISTRATION, **{"registration.pin_expiry_hours": "5"}))
    assert text(client.get(REGISTRATION)).count(warning) == 2


def test_who_may_look_may_not_change(signed_in: SignedIn) -> None:
    reader = signed_in("reader", [AdminRole.SETTINGS_VIEW])

    page = text(reader.get(REGISTRATION))
    assert ">Save<" not in page
    assert page.count(" disabled") == 4
    assert reader.post(REGISTRATION, {"registration.pin_length": "8"}).status_code == 403
    for address in (f"{MDM}/certificate", f"{DOMAINS}/remove?domain=mdm.example.test"):
        assert reader.get(address).status_code == 403
    for address in (f"{MDM}/request", f"{MDM}/signed", f"{DOMAINS}/add", f"{DOMAINS}/test"):
        assert reader.post(address).status_code == 403
    assert not SettingRow.objects.exists()


def test_a_page_that_is_none_is_not_there(signed_in: SignedIn) -> None:
    client = signed_in()

    assert client.get("/admin/settings/system/nothing").status_code == 404
    assert client.get("/admin/settings/system/domains").status_code == 404
