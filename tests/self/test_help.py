"""`/`, help, and what the organization can see and do."""

from typing import Any

import pytest

from devices.protocol.target import Kind, Platform
from devices.services import reach
from enrollment.services import own_address
from tests.flows.house import House, person, record_of, switch
from tests.self.conftest import EVERYTHING, HERS, IPAD, IPHONE, SignedIn, enter, phone, text
from users.models import Role, User

pytestmark = pytest.mark.django_db(transaction=True)
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.2 Safari/605.1.15"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0"


# --- the page for everybody ---


@pytest.mark.parametrize(("agent", "name"), [(IPHONE, "iPhone"), (IPAD, "iPad"), (MAC, "Mac")])
def test_the_browser_says_which_device_it_is_and_the_others_are_within_reach(agent: str, name: str, anna: User) -> None:
    page = text(phone(agent).get("/help/enroll"))

    assert f"How to enroll your {name}" in page
    assert all(f"/help/enroll/{slug}" in page for slug in ("iphone", "ipad", "mac", "vision"))
    assert "name@mdm.example.test" in page
    assert ("Open Browser" in page) is (name == "Mac")
    assert "<svg" in page if name == "Mac" else 'class="qr"' not in page


def test_at_another_computer_one_chooses_and_finds_a_code_for_the_phone(anna: User) -> None:
    page = text(phone(WINDOWS).get("/help/enroll"))

    assert "Choose the kind of device above." in page
    assert 'class="qr"' in page
    assert phone(WINDOWS).get("/help/enroll/watch").status_code == 404
    switch("registration.qr_code", "off")
    assert 'class="qr"' not in text(phone(WINDOWS).get("/help/enroll"))


def test_what_to_beware_of_stands_on_each(anna: User) -> None:
    for slug in ("iphone", "ipad", "mac", "vision"):
        page = text(phone().get(f"/help/enroll/{slug}"))
        assert "Save the data of your work apps before you sign out" in page
        assert "restart it and register again" in page


def test_a_mailed_address_shows_that_persons_address_and_an_altered_one_nobodys(anna: User) -> None:
    made = own_address.help_address(anna).removeprefix("https://mdm.example.test:8443")

    page = text(phone(IPHONE).get(made))
    assert HERS in page
    assert "Type it exactly like this" in page
    for altered in (f"{made}x", "/help/enroll?for=1", "/help/enroll?for="):
        assert HERS not in text(phone(IPHONE).get(altered))
    anna.is_active = False
    anna.save()
    assert HERS not in text(phone(IPHONE).get(made))


def test_who_has_signed_in_finds_their_own_address_and_a_code_that_carries_it(signed_in: SignedIn) -> None:
    client = signed_in()

    page = client.get("/help/enroll/iphone", headers={"user-agent": WINDOWS})
    assert HERS in text(page)
    assert f"?{own_address.PARAMETER}=" in page.context["scanned"]


def test_a_person_without_an_account_types_the_user_id(transactional_db: None) -> None:
    user = person("bob", roles=(), managed_apple_account=None)

    assert own_address.of(user) == "bob@mdm.example.test"


def test_the_way_to_sign_in_follows_the_setting(anna: User) -> None:
    wanted = {
        "password": "your password.",
        "pin": "ID and your registration PIN",
        "password_and_pin": "password and your",
    }
    for requirement, said in wanted.items():
        switch("registration.requirement", requirement)
        assert said in text(phone().get("/help/enroll/iphone")), requirement
    switch("registration.privacy_page", "on")
    assert "read what you are shown, and accept it" in text(phone().get("/help/enroll/iphone"))


def test_help_and_the_start_page_ask_the_database_for_nobody(anna: User, django_assert_max_num_queries: Any) -> None:
    for address in ("/", "/help/enroll/mac", "/help/privacy"):
        phone().get(address)
        with django_assert_max_num_queries(12):
            answer = phone().get(address)
        assert len(answer.content) < 60_000
        assert not answer.cookies


# --- what the organization can see and do ---


def parts(page: Any) -> dict[str, set[str]]:
    found: reach.Reach = page.context["reach"]
    return {
        name: {str(item.said) for item in getattr(found, name)} for name in ("sees", "sees_not", "does", "does_not")
    }


def test_the_page_changes_with_the_rights_that_are_set(transactional_db: None) -> None:
    before = parts(phone().get("/help/privacy?device=iphone&kind=adde"))
    assert {"Serial number", "All apps on the device, the personal ones too"} <= before["sees"]
    assert {"Erase everything on the device", "Lock the screen", "Remove the passcode"} <= before["does"]
    assert {"Where the device is", "Photos and personal files"} <= before["sees_not"]

    switch("ios.mdm.access_rights", "1,2,16")
    after = parts(phone().get("/help/privacy?device=iphone&kind=adde"))
    assert "Serial number" in after["sees"]
    assert {"All apps on the device, the personal ones too", "Phone number and carrier"} <= after["sees_not"]
    assert {"Erase everything on the device", "Lock the screen", "Remove the passcode"} <= after["does_not"]


def test_of_a_device_of_ones_own_less_is_seen_and_rights_change_nothing(transactional_db: None) -> None:
    def asked() -> dict[str, set[str]]:
        return parts(phone().get("/help/privacy?device=iphone&kind=aaue"))

    switch("ios.mdm.account_driven_user_enrollment", "on")
    own = asked()
    assert {"Serial number", "All apps on the device, the personal ones too"} <= own["sees_not"]
    assert "The work apps that your organization has installed" in own["sees"]
    assert {"Erase everything on the device", "Remove the passcode"} <= own["does_not"]
    assert "Lock the screen" in own["does"]
    switch("ios.mdm.access_rights", "1,2,16")
    assert asked() == own


def test_a_mac_is_not_an_iphone(transactional_db: None) -> None:
    mac = parts(phone().get("/help/privacy?device=mac&kind=adde"))

    assert "Restart it or switch it off" in mac["does"]
    assert "Remove the passcode" in mac["does_not"]
    assert "Users of the Mac" in mac["sees"]
    assert "Phone number and carrier" not in mac["sees"] | mac["sees_not"]


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("kind", Kind)
def test_each_item_that_fits_stands_on_one_side(transactional_db: None, platform: Platform, kind: Kind) -> None:
    found = reach.of(platform, kind)

    fitting = {item for item in (*reach.SEES, *reach.DOES) if platform in item.where}
    sides = [set(found.sees), set(found.sees_not), set(found.does), set(found.does_not)]
    assert set.union(*sides) == fitting
    assert sum(map(len, sides)) == len(fitting)


def test_an_enrolled_device_shows_what_its_own_enrollment_asked_for(house: House) -> None:
    person("anna", roles=(*EVERYTHING, Role.ADDE))
    client = phone()
    enter(client)
    switch("ios.mdm.access_rights", "1,2,16")
    record = record_of(house.enrolled())
    switch("ios.mdm.access_rights", ",".join(str(1 << bit) for bit in range(13)))

    shown = parts(client.get(f"/my/devices/{record.uuid}"))
    assert "Erase everything on the device" in shown["does_not"]
    assert "Erase everything on the device" in parts(client.get("/help/privacy?device=iphone"))["does"]
