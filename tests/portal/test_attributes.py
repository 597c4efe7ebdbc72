"""Custom attributes, from their definition to the search."""

from typing import Any

import pytest
from django.test import Client

from devices.models import Device
from devices.services import custom_attributes as of_devices
from devices.services import labels
from tests.devices.search.finding import find
from tests.devices.services.rows import enrolled
from tests.portal.conftest import PASSWORD, SignedIn
from users.models import AdminRole, CustomAttribute, User
from users.services import custom_attributes

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = "/admin/settings/attributes"


def define(subject: str = "user", name: str = "room", kind: str = "text") -> CustomAttribute:
    return custom_attributes.define(subject, name, kind, actor="test")


def page(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def texts(owner: Any) -> dict[str, str]:
    return {each.attribute.name: each.text for each in owner.custom_attributes.select_related("attribute")}


def test_an_attribute_is_defined_described_and_deleted(signed_in: SignedIn) -> None:
    client = signed_in()

    assert "No custom attributes are defined." in page(client, SETTINGS)
    client.post(SETTINGS, {"name": "Room", "subject": "device", "kind": "text", "description": "Where it stands"})
    room = CustomAttribute.objects.get()
    assert "custom.device.Room" in page(client, SETTINGS)
    twice = client.post(SETTINGS, {"name": "ROOM", "subject": "device", "kind": "date"})
    assert (twice.status_code, "There is a custom attribute ROOM already." in twice.content.decode()) == (422, True)
    client.post(f"{SETTINGS}/{room.pk}", {"description": "Its hall"})
    assert "Its hall" in page(client, SETTINGS)

    label = labels.create("Halls", criteria='"custom.device.room" = x', actor="test")
    refused = client.post(f"{SETTINGS}/{room.pk}/delete", {"go": 1})
    assert refused.status_code == 422
    assert "<li>Halls</li>" in refused.content.decode()
    labels.delete(label, actor="test")
    of_devices.set_for_device(Device.objects.create(user=User.objects.get()), {room: "x"}, actor="test")
    assert "Values that are deleted with it: 1." in page(client, f"{SETTINGS}/{room.pk}/delete")
    assert client.post(f"{SETTINGS}/{room.pk}/delete", {"go": 1})["HX-Refresh"] == "true"
    assert not CustomAttribute.objects.exists()


def test_who_may_only_look_defines_nothing(signed_in: SignedIn) -> None:
    client, room = signed_in(roles=[AdminRole.SETTINGS_VIEW]), define()

    assert "Add custom attribute" not in page(client, SETTINGS)
    sent = {"name": "other", "subject": "user", "kind": "text"}
    assert client.post(SETTINGS, sent).status_code == 403
    for address in (f"{SETTINGS}/{room.pk}", f"{SETTINGS}/{room.pk}/delete"):
        assert client.post(address, {"go": 1, "description": "x"}).status_code == 403
    assert [each.description for each in CustomAttribute.objects.all()] == [""]


def test_a_person_has_values_from_the_start_and_loses_them_again(signed_in: SignedIn) -> None:
    client = signed_in()
    room, born = define(), define(name="born", kind="date")
    new = {"user_id": "anna", "password": PASSWORD, "again": PASSWORD}

    wrong = client.post("/admin/users/add", new | {f"attribute_{born.pk}": "31.1.2001"})
    assert "born is a date, for example 2026-01-31." in wrong.content.decode()
    assert not User.objects.filter(user_id="anna").exists()
    client.post("/admin/users/add", new | {f"attribute_{born.pk}": "2001-01-31", f"attribute_{room.pk}": "Hall 7"})
    anna = User.objects.get(user_id="anna")
    assert texts(anna) == {"room": "Hall 7", "born": "2001-01-31"}
    address = f"/admin/users/{anna.pk}"
    assert 'value="2001-01-31"' in page(client, address)
    # the page was opened before somebody else set the room
    shown = {f"initial-attribute_{room.pk}": "Hall 6", f"attribute_{room.pk}": "Hall 6"}
    client.post(address, shown | {f"initial-attribute_{born.pk}": "2001-01-31", f"attribute_{born.pk}": ""})
    assert texts(anna) == {"room": "Hall 7"}


def test_several_people_get_values_at_once(signed_in: SignedIn) -> None:
    client = signed_in()
    anna, ben = User.objects.create(user_id="anna"), User.objects.create(user_id="ben")
    chosen = {"chosen": f"{anna.pk},{ben.pk}"}
    address = "/admin/users/attributes"

    assert "No custom attributes are defined." in client.post(address, chosen).content.decode()
    room, floor = define(), define(name="floor", kind="number")
    custom_attributes.set_for_user(anna, {room: "Hall 6", floor: "2"}, actor="test")
    assert "2 users" in client.post(address, chosen).content.decode()
    assert "Enter a value" in client.post(address, chosen | {"go": 1}).content.decode()
    wrong = client.post(address, chosen | {"go": 1, f"attribute_{floor.pk}": "low"})
    assert (wrong.status_code, "floor is a number" in wrong.content.decode()) == (422, True)
    both = client.post(address, chosen | {"go": 1, f"attribute_{floor.pk}": "1", f"clear_{floor.pk}": "on"})
    assert "Either a value, or take it away." in both.content.decode()

    sent = chosen | {"go": 1, f"attribute_{room.pk}": "Hall 7", f"clear_{floor.pk}": "on"}
    assert client.post(address, sent).content.decode().count("Assigned") == 2
    assert texts(anna) == texts(ben) == {"room": "Hall 7"}
    assert client.post(address, sent).content.decode().count("Had these values already") == 2


def test_devices_get_values_by_the_action_and_on_their_tab(signed_in: SignedIn) -> None:
    client = signed_in()
    room, sold = define("device"), define("device", "sold", "boolean")
    first, second = (enrolled(udid=name).device for name in ("one", "two"))
    assert first
    assert second
    sent = {"go": "1", "devices": f"{first.uuid},{second.uuid}", f"attribute_{room.pk}": "Hall 7"}

    assert "room" in client.post("/admin/devices/assign-attributes", {"row": str(first.uuid)}).content.decode()
    client.post("/admin/devices/assign-attributes", sent)
    assert texts(first) == texts(second) == {"room": "Hall 7"}
    assert "It has these values already." in client.post("/admin/devices/assign-attributes", sent).content.decode()
    tab = f"/admin/devices/{first.uuid}/attributes"
    assert 'value="Hall 7"' in page(client, tab)
    client.post(tab, {f"initial-attribute_{sold.pk}": "", f"attribute_{sold.pk}": "true", f"attribute_{room.pk}": "x"})
    assert texts(first) == {"room": "x", "sold": "true"}
    assert find('"custom.device.room" = X AND "custom.device.sold" = true').rows == [first]
    assert "Custom Attributes" in page(client, f"/admin/devices/{first.uuid}")


def test_who_may_only_look_sees_the_values_of_a_device(signed_in: SignedIn) -> None:
    client, room = signed_in(roles=[AdminRole.DEVICE_VIEW]), define("device")
    device = enrolled().device
    assert device
    of_devices.set_for_device(device, {room: "Hall 7"}, actor="test")
    address = f"/admin/devices/{device.uuid}/attributes"

    assert 'value="Hall 7"' in page(client, address)
    assert 'type="submit" class="button primary">Save' not in page(client, address)
    assert client.post(address, {f"attribute_{room.pk}": "x"}).status_code == 403
    assert client.post("/admin/devices/assign-attributes", {"row": str(device.uuid)}).status_code == 403


def test_columns_of_people_are_chosen_and_all_are_in_the_file(
    signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client, room = signed_in(), define()
    for number in range(30):
        user = User.objects.create(user_id=f"u{number:02}")
        custom_attributes.set_for_user(user, {room: f"Hall {number}"}, actor="test")

    assert "Hall 29" not in page(client, "/admin/users")
    with django_assert_max_num_queries(12):
        assert "Hall 29" in page(client, f"/admin/users?columns=user_id,attribute.{room.pk}")
    with django_assert_max_num_queries(12):
        lines = b"".join(client.get("/admin/users?format=csv").streaming_content).decode().splitlines()  # type: ignore[attr-defined] # streamed
    assert lines[0].endswith(",room")
    assert lines[-1].startswith("u29")
    assert lines[-1].endswith(",Hall 29")
