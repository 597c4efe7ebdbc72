"""Devices & Users > Devices: the list, its filters, and what moves in it."""

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Enrollment
from devices.services import label_members, labels
from devices.views import device_list
from tests.devices.services.rows import NOW, device_of, enrolled, person
from tests.portal.conftest import SignedIn
from users.models import AdminRole, User

pytestmark = pytest.mark.django_db(transaction=True)


def page(client: Client, address: str = "/admin/devices") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def names(text: str) -> list[str]:
    return re.findall(r">(phone [a-z]+)</td>", text)


def phone(name: str, **fields: object) -> Device:
    return device_of(enrolled(udid=name, device_name=f"phone {name}", **fields))  # type: ignore[arg-type] # as given


def test_devices_come_by_name_without_those_that_are_retired(signed_in: SignedIn) -> None:
    phone("b"), phone("a"), phone("c", status=Device.Status.RETIRED, mdm_managed=False)
    client = signed_in()

    shown = page(client, "/admin/devices?sort=device_name")
    assert names(shown) == ["phone a", "phone b"]
    assert 'aria-checked="true" href="/admin/devices?sort=device_name&amp;retired=1"' in shown
    everything = page(client, "/admin/devices?retired=1&sort=-device_name")
    assert names(everything) == ["phone c", "phone b", "phone a"]
    assert ">Retired</span>" in everything
    assert names(page(client, "/admin/devices?status=RETIRED")) == ["phone c"]


@pytest.mark.parametrize("typed", ["phone a", "PHONE A", "C02X", "anna", "anna@corp"])
def test_the_search_box_finds_by_how_something_begins(signed_in: SignedIn, typed: str) -> None:
    User.objects.create(user_id="zoe", full_name="Zoe")
    phone("a", serial_number="C02XYZ", managed_apple_account="anna@corp.example")
    phone("b", user=User.objects.get(user_id="zoe"))

    assert names(page(signed_in(), f"/admin/devices?q={typed}")) == ["phone a"]


def test_retired_ones_stand_among_the_others_by_time(signed_in: SignedIn) -> None:
    for days, name in enumerate("abcd"):
        phone(name, last_seen_at=NOW - timedelta(days=days))
    Device.objects.filter(device_name__in=["phone b", "phone d"]).update(status=Device.Status.RETIRED)
    client = signed_in()

    assert names(page(client, "/admin/devices?retired=1&sort=-seen")) == ["phone a", "phone b", "phone c", "phone d"]
    assert names(page(client, "/admin/devices?retired=1&sort=seen")) == ["phone d", "phone c", "phone b", "phone a"]
    assert names(page(client, "/admin/devices?sort=seen")) == ["phone c", "phone a"]


@pytest.mark.parametrize("narrowed", ["q=phone", "status=ACTIVE", "search=%22common.platform%22%3D%22iOS%22"])
def test_few_devices_and_many_are_put_in_the_same_order(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, narrowed: str
) -> None:
    monkeypatch.setattr(device_list, "LISTING", replace(device_list.LISTING, sizes=(2, 2)))
    for name in "ebdac":
        phone(name)
    client = signed_in()

    def pages() -> list[list[str]]:
        address, told = f"/admin/devices?{narrowed}&sort=device_name&size=2", []
        while address:
            shown = page(client, address)
            told.append(names(shown))
            assert "5 in all" in shown
            following = re.search(r'rel="next" href="([^"]+)"', shown)
            address = html.unescape(following[1]) if following else ""
        return told

    ordered = [["phone a", "phone b"], ["phone c", "phone d"], ["phone e"]]
    assert pages() == ordered
    monkeypatch.setattr(device_list, "FEW", 3)  # the others are looked through in their order
    assert pages() == ordered


def test_only_columns_with_an_index_can_be_sorted_by(signed_in: SignedIn) -> None:
    phone("a")
    shown = page(signed_in(), "/admin/devices?sort=model")

    assert re.findall(r"<th[^>]*>\s*<a href=[^>]*sort=(-?\w+)", shown) == [
        "-display_name",
        "device_name",
        "registered",
        "seen",
        "serial",
    ]


def test_a_status_changes_on_the_open_page(signed_in: SignedIn) -> None:
    device = phone("a", status=Device.Status.IENROLL_VERIFIED)
    client = signed_in()
    shown = page(client)
    assert f'<span class="badge waiting" id="s{device.pk}">Enrollment verified</span>' in shown
    poll = re.search(r'data-poll hx-get="([^"]+)" hx-trigger="every 5s"', shown)
    assert poll is not None
    assert """hx-headers='{"X-Poll": "1"}'""" in shown
    address = poll[1].replace("&amp;", "&")

    assert client.get(address).status_code == 204
    Device.objects.filter(pk=device.pk).update(status=Device.Status.ACTIVE)
    news = page(client, address)
    assert f'<span class="badge good" id="s{device.pk}" hx-swap-oob="true">Active</span>' in news
    again = re.search(r'hx-get="([^"]+)"', news)
    assert again is not None
    assert client.get(again[1].replace("&amp;", "&")).status_code == 204


def test_a_retired_device_says_why(signed_in: SignedIn) -> None:
    device = phone("a")
    client = signed_in()
    poll = re.search(r'data-poll hx-get="([^"]+)"', page(client))
    assert poll is not None
    Device.objects.update(status=Device.Status.RETIRED, retired_reason="user removed management")

    for shown in (page(client, poll[1].replace("&amp;", "&")), page(client, f"/admin/devices/{device.uuid}")):
        assert ">Retired: user removed management</span>" in shown
    sheet = b"".join(client.get("/admin/devices?retired=1&columns=status&format=csv")).decode()
    assert sheet.split()[-1] == "Retired"


@pytest.mark.parametrize("asked", ["ids=x.-1.99999999999999999999", "ids=", "", "ids=1&seen=%00"])
def test_a_poll_for_nothing_gets_no_device(signed_in: SignedIn, asked: str) -> None:
    assert "badge" not in signed_in().get(f"/admin/devices/statuses?{asked}").content.decode()


@pytest.mark.parametrize(
    "asked", ["label=x", "label=99999999999", "status=NOTHING", "retired=2", "size=7", "sort=user", "after=x", "q=%00"]
)
def test_an_address_that_somebody_altered_shows_the_list(signed_in: SignedIn, asked: str) -> None:
    page(signed_in(), f"/admin/devices?{asked}")


def test_a_spreadsheet_gets_what_is_listed(signed_in: SignedIn) -> None:
    phone("b", serial_number="B1"), phone("a", serial_number="A1")

    answer = signed_in().get(
        "/admin/devices?columns=device_name,serial,status,country,labels&sort=device_name&format=csv"
    )
    lines = b"".join(answer).decode("utf-8-sig").splitlines()
    assert lines[0] == "Device name,Home country,Status,Serial number,Labels"
    assert lines[1:] == ["phone a,,Active,A1,", "phone b,,Active,B1,"]


@pytest.mark.parametrize("few", [0, label_members.FEW])
def test_the_devices_of_a_label(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(label_members, "FEW", few)
    chosen, _other = phone("a"), phone("b")
    label = labels.create("Sales", actor="test")
    labels.add(label, chosen, actor="test")

    shown = page(signed_in(), f"/admin/devices?label={label.pk}")
    assert names(shown) == ["phone a"]
    assert "Devices with the label “Sales”" in shown


@pytest.mark.parametrize("number", [10, 60])
def test_a_page_costs_as_much_with_many_devices(signed_in: SignedIn, number: int) -> None:
    client, anna = signed_in(), person()
    Device.objects.bulk_create(
        Device(
            user=anna,
            device_name=f"Anna's very long name of a phone {index}",
            serial_number=f"C02XYZ{index:05}",
            model_name="iPhone 16 Pro Max",
            platform="iOS",
            os_version="18.6.2",
            phone_number="+49170123456789",
            status="ACTIVE",
        )
        for index in range(number)
    )

    with CaptureQueriesContext(connection) as queries:
        shown = page(client)
    assert len(queries) <= 12
    assert len(shown) <= 60_000


def test_who_may_not_see_devices_gets_no_list(signed_in: SignedIn) -> None:
    client = signed_in("reader", roles=[AdminRole.LABEL_VIEW])

    assert client.get("/admin/devices").status_code == 403
    assert "/admin/devices" not in re.findall(r'href="(/admin/[a-z]+)"', page(client, "/admin/labels"))


def test_a_mac_of_an_own_kind_has_its_icon_and_name(signed_in: SignedIn) -> None:
    mac = device_of(enrolled(platform=Device.Platform.MACOS, device_name="Anna's Mac", os_version="15.6"))

    assert "macOS 15.6" in page(signed_in(), f"/admin/devices/{mac.uuid}")
    assert Enrollment.objects.count() == 1
