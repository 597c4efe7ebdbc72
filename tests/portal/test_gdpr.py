"""GDPR Profile: what is hidden from an administrator is hidden wherever it might be seen, found or guessed."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from devices.models import ActionRun, Device
from devices.services import labels, search
from devices.services.hidden_fields import PERSONAL
from devices.services.search import SearchRefused
from epmm import masking, options, settings_store
from epmm.models import AuditEntry
from tests.devices.services import rows
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled, text
from users.models import AdminRole, User
from users.permissions import MASKED, NEEDED

pytestmark = pytest.mark.django_db(transaction=True)
SECRETS = {
    "serial_number": "SERIAL0001",
    "imei": "356000000000001",
    "meid": "A100000000001",
    "iccid": "8949000000000000001",
    "phone_number": "+491700000001",
    "device_name": "Annas iPhone",
}
PERSON = ["anna.a", "Anna Adler", "anna@mail.example", "anna@corp.example"]
ALL = [*SECRETS.values(), *PERSON]
COLUMNS = "display_name,device_name,phone_number,serial,account,user,country,model"
CSV = f"/admin/devices?format=csv&retired=1&columns={COLUMNS}"


@pytest.fixture
def device(transactional_db: None) -> Device:
    person = User.objects.create(
        user_id="anna.a", full_name="Anna Adler", email="anna@mail.example", managed_apple_account="anna@corp.example"
    )
    details = {"DeviceInformation": {"IMEI": SECRETS["imei"], "SerialNumber": SECRETS["serial_number"]}}
    given: dict[str, Any] = SECRETS | {"details": details, "managed_apple_account": "anna@corp.example"}
    enrolled = rows.enrolled(user=person, model_name="iPhone 17", **given)
    assert enrolled.device is not None
    return enrolled.device


@pytest.fixture
def viewer(signed_in: SignedIn) -> Client:
    client = signed_in("viewer")
    User.objects.filter(user_id="viewer").update(hides_personal_data=True)
    return client


@pytest.fixture
def hiding_all() -> Iterator[None]:
    with masking.hiding(masking.FIELDS):
        yield


def leaked(page: str) -> list[str]:
    return [secret for secret in ALL if secret.lower() in page.lower()]


@pytest.mark.parametrize("address", ["/admin/devices", "/admin/devices/{uuid}", "/admin/devices?sort=serial", CSV])
def test_lists_details_and_files_show_stars(device: Device, viewer: Client, address: str) -> None:
    answer = viewer.get(address.format(uuid=device.uuid))
    page = b"".join(answer).decode()

    assert leaked(page) == []
    assert masking.STARS in page
    assert "iPhone 17" in page


def test_somebody_else_sees_it_all(device: Device, signed_in: SignedIn) -> None:
    page = b"".join(signed_in().get(CSV)).decode()

    assert set(leaked(page)) >= {"SERIAL0001", "Anna Adler", "anna.a", "anna@corp.example", "Annas iPhone"}
    assert "hidden from you" not in text(signed_in("second").get("/admin/devices"))


# to a page that asks again and again, and to the form of the search
ANSWERS = {
    "devices-statuses",
    "devices-search",
    "devices-search-count",
    "devices-search-fields",
    "devices-search-translate",
}


def test_every_page_that_opens_keeps_it(device: Device, viewer: Client) -> None:
    opened = []
    for name in sorted(MASKED):
        if name.startswith("devices-") and NEEDED[name] == AdminRole.DEVICE_VIEW and name not in ANSWERS:
            tab = "" if name == "devices-details" else name.removeprefix("devices-")
            page = text(viewer.get(f"/admin/devices/{device.uuid}/{tab}".rstrip("/")))
            assert leaked(page) == [], name
            assert "GDPR profile" in page or name == "devices-panel"  # it lies over a page that says so
            opened.append(name)
    assert {"devices-details", "devices-panel", "devices-apps", "devices-commands"} <= set(opened)


def test_results_of_an_action_to_many_keep_it(device: Device, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.views.device_actions.MOST_CHOSEN", 0)
    ordered = viewer.post("/admin/devices/lock", {"all": "1", "matching": "", "go": "1", "number": "1"})
    run = ActionRun.objects.get()
    assert ordered.status_code == 204
    run.results.update(said=f"{device.managed_apple_account} is signed in", state=2)

    page = text(viewer.get(f"/admin/logs/actions/{run.pk}"))
    assert leaked(page) == []
    assert "0 of 1 device:" in page
    assert viewer.get("/admin/logs/actions").status_code == 403


@pytest.mark.parametrize("action", ["lock", "wipe", "retire", "ownership"])
def test_dialogs_name_nobody(device: Device, viewer: Client, action: str) -> None:
    page = text(viewer.post(f"/admin/devices/{action}", {"row": str(device.uuid)}))

    assert leaked(page) == []
    assert "1 device:" in page


@pytest.mark.parametrize(
    "address",
    [
        "users",
        "users/1",
        "admins",
        "logs/audit",
        "logs/enrollment",
        "logs/queue",
        "settings/gdpr-profile",
        "devices/{uuid}/logs",
        "devices/{uuid}/enrollment",
        "devices/{uuid}/certificates",
        "devices/{uuid}/commands/1",
    ],
)
def test_pages_that_cannot_do_without_it_do_not_open(device: Device, viewer: Client, address: str) -> None:
    assert viewer.get("/admin/" + address.format(uuid=device.uuid)).status_code == 403
    assert ">Users<" not in text(viewer.get("/admin/devices"))


@pytest.mark.parametrize("typed", ["SERIAL0001", "anna", "356000000000001", "Annas"])
def test_the_search_box_answers_no_guess(device: Device, viewer: Client, typed: str) -> None:
    assert str(device.uuid) not in text(viewer.get(f"/admin/devices?q={typed}"))
    assert str(device.uuid) in text(viewer.get("/admin/devices?q=iPhone 17"))


def test_what_may_be_seen_is_found(device: Device, viewer: Client) -> None:
    settings_store.change(options.HIDDEN_FIELDS.name, "serial", actor="test")

    assert str(device.uuid) in text(viewer.get("/admin/devices?q=Annas"))
    assert str(device.uuid) not in text(viewer.get("/admin/devices?q=SERIAL0001"))
    assert "Anna Adler" in text(viewer.get("/admin/devices"))


def test_the_address_of_the_next_page_tells_nothing(device: Device, viewer: Client) -> None:
    for number in range(30):
        rows.enrolled(user=device.user, udid=str(number), device_name="x", serial_number=f"SERIAL{number}")

    for sort in ("", "&sort=display_name", "&sort=serial", "&sort=device_name"):
        page = text(viewer.get(f"/admin/devices?size=25{sort}"))
        place = re.search(r"after=([\w-]+)", page)
        assert place is not None
        told = base64.urlsafe_b64decode(place[1] + "=" * (-len(place[1]) % 4)).decode()
        assert not re.search("anna|serial|x", told, re.IGNORECASE)


@pytest.mark.parametrize("key", sorted(PERSONAL))
def test_hidden_fields_are_refused_in_expressions(hiding_all: None, key: str) -> None:
    for expression in (f'"{key}" "is not empty"', f'common.platform = iOS AND NOT ("{key}" = "a" OR common.id = 1)'):
        with pytest.raises(SearchRefused, match="hidden from you by the GDPR profile"):
            search.condition(expression)
        with pytest.raises(SearchRefused, match="hidden from you"):
            search.understand(expression)


def test_words_are_refused_too(hiding_all: None) -> None:
    with pytest.raises(SearchRefused, match="Name a field"):
        search.condition("anna")
    assert search.condition("common.platform = iOS")


def test_a_label_that_others_made_still_has_its_devices(device: Device, viewer: Client) -> None:
    label = labels.create("mine", criteria="common.SerialNumber = SERIAL0001", actor="test")

    assert str(device.uuid) in text(viewer.get(f"/admin/devices?label={label.pk}"))


def test_a_row_behind_the_mask_is_for_showing() -> None:
    user = User(user_id="anna", full_name="")
    shown = masking.seen(user, frozenset({"user_id", "name"}))

    assert (shown.user_id, shown.full_name, str(shown)) == (masking.STARS, "", masking.STARS)
    assert isinstance(shown, User)
    with pytest.raises(AttributeError, match="for showing"):
        shown.save()
    with pytest.raises(AttributeError, match="for showing"):
        shown.user_id = "berta"
    assert masking.seen(user, frozenset()) is user


def test_administrators_get_the_profile_on_their_page(signed_in: SignedIn) -> None:
    client = signed_in()
    other = signed_in("other")
    assert "GDPR profile" not in text(other.get("/admin/devices"))
    sent = {"go": 1, "chosen": User.objects.get(user_id="other").pk}

    assert "Assign GDPR profile" in text(client.post("/admin/admins/gdpr-profile", {"row": sent["chosen"]}))
    client.post("/admin/admins/gdpr-profile", sent | {"hides": "on"})
    assert "these are hidden from you" in text(other.get("/admin/devices"))
    assert "Hidden" in text(client.get("/admin/admins"))
    assert other.post("/admin/admins/gdpr-profile", sent).status_code == 403
    client.post("/admin/admins/gdpr-profile", sent)
    assert "these are hidden from you" not in text(other.get("/admin/devices"))
    entries = AuditEntry.objects.filter(action__startswith="admin.gdpr").order_by("pk")
    told = entries.values_list("action", "actor", "subject")
    assert list(told) == [("admin.gdpr_profile_on", "admin", "other"), ("admin.gdpr_profile_off", "admin", "other")]


def test_the_fields_are_chosen_in_the_settings(signed_in: SignedIn) -> None:
    client, page = signed_in(), "/admin/settings/gdpr-profile"
    assert text(client.get(page)).count('type="checkbox"') == len(masking.FIELDS)

    sent: dict[str, Any] = filled(client, page)
    client.post(page, sent | {options.HIDDEN_FIELDS.name: ["serial", "imei"]})
    assert settings_store.read(options.HIDDEN_FIELDS) == ("serial", "imei")
    refused = client.post(page, sent | {options.HIDDEN_FIELDS.name: ["nothing"]})
    assert refused.status_code == 422
