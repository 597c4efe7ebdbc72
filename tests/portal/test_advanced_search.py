"""Devices & Users > Devices > Advanced Search: rows, expression and results."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Device
from devices.search.patience import SearchTooSlow, limited
from devices.services import long_expressions, search
from tests.devices.services.rows import device_of, enrolled
from tests.portal.conftest import SignedIn

pytestmark = pytest.mark.django_db(transaction=True)

DEVICE_ENROLLED = '"ios.account_driven_device_enrolled" = "true"'
Row = Sequence[str]  # its name, field, operator and value, and how a date is told


def page(client: Client, address: str = "/admin/devices", **asked: str) -> str:
    response = client.get(f"{address}?{urlencode(asked)}")
    assert response.status_code == 200
    return response.content.decode()


def names(text: str) -> list[str]:
    return re.findall(r">(phone [a-z]+)</td>", text)


def phone(name: str, **fields: object) -> Device:
    return device_of(enrolled(udid=name, device_name=f"phone {name}", **fields))  # type: ignore[arg-type] # as given


def form(*rows: Row, match: str = "all", **more: str) -> dict[str, object]:
    given: dict[str, object] = {"row": [row[0] for row in rows], "match": match, **more}
    for name, *said in rows:
        given |= {f"{key}-{name}": each for key, each in zip(("field", "operator", "value", "how"), said, strict=False)}
    return given


def translated(client: Client, given: dict[str, object]) -> str:
    answer: HttpResponse = client.post("/admin/devices/search/translate", given)  # type: ignore[assignment] # of a client
    assert answer.status_code == 200
    return answer.content.decode()


def expression(text: str) -> str:
    (found,) = re.findall(r"<textarea[^>]*>\n(.*)</textarea>", text, re.DOTALL)
    return unescape(found)


def rows(text: str) -> list[tuple[str, str]]:
    """Which fields stand in the rows, by the names of the rows."""
    return re.findall(r'name="field-([\d-]+)".*?<option value="([^"]*)"', text, re.DOTALL)


def test_a_device_is_found_by_how_it_is_enrolled(signed_in: SignedIn) -> None:
    phone("a"), phone("b", status=Device.Status.RETIRED, mdm_managed=False)
    Device.objects.create(user=device_of(enrolled(udid="c", device_name="phone c")).user, device_name="phone d")
    client = signed_in()

    answer = client.get("/admin/devices/search", {"search": DEVICE_ENROLLED, "standing": "1"})
    assert answer.status_code == 302
    address = answer.headers["Location"]
    assert parse_qs(urlsplit(address).query) == {"search": [DEVICE_ENROLLED]}
    shown = client.get(address).content.decode()
    assert names(shown) == ["phone a", "phone c"]
    assert "2 in all" in shown
    assert rows(shown) == [("0", "ios.account_driven_device_enrolled")]

    answer = client.post("/admin/devices/search", {"search": DEVICE_ENROLLED}, headers={"HX-Request": "true"})
    address = answer.headers["HX-Redirect"]
    assert parse_qs(urlsplit(address).query) == {"search": [DEVICE_ENROLLED], "retired": ["1"]}
    shown = client.get(address).content.decode()
    assert names(shown) == ["phone a", "phone b", "phone c"]
    assert 'name="standing" value="1">' in shown


def test_the_panel_is_shut_until_somebody_opens_it(signed_in: SignedIn) -> None:
    device, client = phone("a"), signed_in()

    shut = page(client)
    assert 'href="/admin/devices?advanced=1" aria-expanded="false"' in shut
    assert "search-form" not in shut
    opened = page(client, advanced="1")
    assert 'name="standing" value="1" checked>' in opened
    assert rows(opened) == [("0", "")]
    assert names(opened) == ["phone a"]
    assert 'href="/admin/devices?advanced=1"' in page(client, f"/admin/devices/{device.uuid}")


def test_a_search_is_kept_by_what_else_is_chosen(signed_in: SignedIn) -> None:
    phone("a"), phone("b"), phone("ab")
    shown = page(signed_in(), search="ios.DeviceName contains b", sort="-device_name", q="phone", size="25")

    assert names(shown) == ["phone b", "phone ab"]
    kept = "search=ios.DeviceName+contains+b"
    links = [unescape(link) for link in re.findall(r'href="(/admin/devices\?[^"]*)"', shown)]
    assert len([link for link in links if kept in link]) > 7
    (statuses,) = re.findall(r'<form class="menu-body" method="get">(.*?name="status".*?)</form>', shown, re.DOTALL)
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', statuses.split("<form")[-1]))
    assert sent == {"search": "ios.DeviceName contains b", "sort": "-device_name", "q": "phone", "size": "25"}
    assert '<input type="hidden" name="search" value="ios.DeviceName contains b">' in shown
    # another search keeps how the list is shown, and nothing that narrows it
    panel = shown.partition('id="search-form"')[2].partition("</form>")[0]
    hidden = r'<input type="hidden" name="(?!row)(\w+)"'
    assert re.findall(hidden, panel) == ["sort", "size"]


@pytest.mark.parametrize(
    ("wrong", "before", "marked", "after", "says"),
    [
        (
            "retired = false AND serialnumbr = x", "retired = false AND ", "serialnumbr", " = x",
            'Unknown field "serialnumbr". Did you mean "common.SerialNumber"?',
        ),
        ("retired =", "retired =", "", "", "Expected a value after = at character 10."),
        ("ios.Supervised > true", "ios.Supervised ", ">", " true", "> at character 16 does not fit ios.Supervised"),
        ('common.id = "a b"\r\nOR x', "common.id = ", '"a b"', "\nOR x", "common.id is compared with a number"),
    ],
)  # fmt: skip
def test_a_mistake_is_marked_where_it_is(
    signed_in: SignedIn, wrong: str, before: str, marked: str, after: str, says: str
) -> None:
    phone("a")
    client = signed_in()

    for shown in (page(client, search=wrong), translated(client, {"from": "text", "part": "rows", "search": wrong})):
        assert says in unescape(shown)
        assert f'<pre tabindex="0">{before}<mark>{marked}</mark>{after}</pre>' in unescape(shown)
        assert f'data-start="{len(before)}" data-end="{len(before + marked)}"' in shown
        assert "The expression has a mistake." in shown
    assert names(page(client, search=wrong)) == []


def test_a_place_is_told_as_browsers_count(signed_in: SignedIn) -> None:
    wrong = 'ios.DeviceName = "\N{SMILING FACE WITH SUNGLASSES}" AND nothing = 1'

    assert f'data-start="{wrong.index("nothing") + 1}"' in page(signed_in(), search=wrong)


@pytest.mark.parametrize("asked", ["format=csv&search=a+%3D", "search=%00", "search=a&advanced=2", "q=%01%22%5C"])
def test_an_address_that_somebody_altered_shows_the_page(signed_in: SignedIn, asked: str) -> None:
    assert signed_in().get(f"/admin/devices?{asked}").status_code == 200


@pytest.mark.parametrize(
    ("each", "number"), [("common.SerialNumber = a", 499), ("a" * 35, 499), (f"common.SerialNumber = {'a' * 350}", 48)]
)
def test_a_long_expression_has_a_short_address_that_can_be_kept(signed_in: SignedIn, each: str, number: int) -> None:
    """And its page is no larger than others."""
    [phone(f"b{number}", serial_number="B") for number in range(60)]
    client = signed_in()
    given = {"search": " OR ".join(["common.SerialNumber = b", *[each] * number]), "standing": "1"}

    answer = client.post("/admin/devices/search", given, headers={"HX-Request": "true"})
    address = answer.headers["HX-Redirect"]
    assert len(address) < 100
    shown = client.get(address).content.decode()
    assert given["search"] in shown
    assert "60 in all" in shown
    assert len(shown.encode()) < 60_000
    assert client.get("/admin/devices", given, follow=True).redirect_chain[0][0].startswith(address)
    action = client.post("/admin/devices/comment", {"all": "1", "matching": urlsplit(address).query})
    assert "60 devices:" in action.content.decode()

    later = timezone.now() + 2 * long_expressions.KEPT
    long_expressions.forget(later)
    assert "is kept no longer" in client.get(address).content.decode()


def test_the_search_box_takes_any_sign(signed_in: SignedIn) -> None:
    phone("a", serial_number='A"\\B'), phone("b", serial_number="AB")

    assert names(page(signed_in(), q='a"\\b')) == ["phone a"]


def test_a_spreadsheet_and_actions_get_what_was_found(signed_in: SignedIn) -> None:
    phone("a", serial_number="A1"), phone("b", serial_number="B1"), phone("c", serial_number="A2")
    client = signed_in()
    asked = urlencode({"search": "common.SerialNumber starts with a", "sort": "device_name"})

    answer = client.get(f"/admin/devices?{asked}&columns=device_name&format=csv")
    assert b"".join(answer).decode("utf-8-sig").splitlines() == ["Device name", "phone a", "phone c"]
    shown = client.get(f"/admin/devices?{asked}").content.decode()
    matching = re.search(r'name="matching" value="([^"]*)"', shown)
    assert matching is not None
    assert unescape(matching[1]) == asked
    dialog = client.post("/admin/devices/lock", {"all": "1", "matching": unescape(matching[1])}).content.decode()
    assert "phone a, phone c" in dialog
    assert "phone b" not in dialog


def test_actions_go_to_nobody_where_the_search_is_not_understood(signed_in: SignedIn) -> None:
    phone("a")
    dialog = signed_in().post("/admin/devices/lock", {"all": "1", "matching": "search=a+%3D"})

    assert "This can go to none" in dialog.content.decode()


def test_a_search_that_takes_too_long_says_so(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    phone("a")
    client = signed_in()

    left = [2]

    def slow_at_first(seconds: float) -> AbstractContextManager[None]:
        left[0] -= 1
        if left[0] >= 0:
            raise SearchTooSlow
        return limited(seconds)

    monkeypatch.setattr(search, "limited", slow_at_first)
    counted = client.post("/admin/devices/search/count", {"search": "a"})
    assert "The search takes too long." in counted.content.decode()
    shown = page(client, search="phone")
    assert "The search takes too long." in shown
    assert names(shown) == []


@pytest.mark.parametrize("number", [10, 60])
def test_a_search_costs_as_much_with_many_devices(signed_in: SignedIn, number: int) -> None:
    client, device = signed_in(), phone("a")
    Device.objects.bulk_create(
        Device(user=device.user, device_name=f"Anna's phone {index}", serial_number=f"C02XYZ{index:05}")
        for index in range(number)
    )
    asked = 'common.status = "ACTIVE" OR (user.user_id = anna AND "ios.DeviceName" contains "phone")'

    page(client)  # what a process asks once, and a session once a minute
    with CaptureQueriesContext(connection) as queries:
        shown = page(client, search=asked)
    assert len(queries) <= 12, "\n".join(query["sql"][:110] for query in queries)
    assert len(shown) <= 80_000  # the panel has all fields in it
