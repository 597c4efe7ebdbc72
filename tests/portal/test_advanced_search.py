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

from devices.models import Device
from devices.search.patience import SearchTooSlow, limited
from devices.services import search
from tests.devices.services.rows import device_of, enrolled
from tests.portal.conftest import SignedIn
from users.models import AdminRole, CustomAttribute

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


# --- The list ---------------------------------------------------------------------------------------------------------


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
    assert len([link for link in links if kept in link]) > 8
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
        assert f"<pre>{before}<mark>{marked}</mark>{after}</pre>" in unescape(shown)
        assert f'data-start="{len(before)}" data-end="{len(before + marked)}"' in shown
        assert "The expression has a mistake." in shown
    assert names(page(client, search=wrong)) == []


def test_a_place_is_told_as_browsers_count(signed_in: SignedIn) -> None:
    wrong = 'ios.DeviceName = "\N{SMILING FACE WITH SUNGLASSES}" AND nothing = 1'

    assert f'data-start="{wrong.index("nothing") + 1}"' in page(signed_in(), search=wrong)


@pytest.mark.parametrize("asked", ["format=csv&search=a+%3D", "search=%00", "search=a&advanced=2", "q=%01%22%5C"])
def test_an_address_that_somebody_altered_shows_the_page(signed_in: SignedIn, asked: str) -> None:
    assert signed_in().get(f"/admin/devices?{asked}").status_code == 200


def test_an_expression_that_no_address_holds_is_told_of(signed_in: SignedIn) -> None:
    client, given = signed_in(), {"search": " OR ".join(f"a{number}" * 10 for number in range(450)), "standing": "1"}

    answer = client.post("/admin/devices/search", given, headers={"HX-Request": "true"})
    assert "too long for an address. Save it to a label" in answer.content.decode()
    assert "HX-Redirect" not in answer.headers
    answer = client.get("/admin/devices/search", given, follow=True)
    assert "too long for an address. Save it to a label" in answer.content.decode()


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


# --- Rows and expression ----------------------------------------------------------------------------------------------


def test_rows_make_the_expression(signed_in: SignedIn) -> None:
    client = signed_in()
    status, name = ("0", "common.status", "!=", "RETIRED"), ("1", "ios.DeviceName", "starts with", 'Anna "A"')

    assert expression(translated(client, form(status))) == '"common.status" != "RETIRED"'
    both = r'"common.status" != "RETIRED" {} "ios.DeviceName" "starts with" "Anna \"A\""'
    assert expression(translated(client, form(status, name))) == both.format("AND")
    assert expression(translated(client, form(status, name, match="any"))) == both.format("OR")


def test_a_group_is_in_parentheses(signed_in: SignedIn) -> None:
    given = form(
        ("0", "common.retired", "=", "false"),
        ("1",),
        ("1-0", "common.imei", "is empty", ""),
        ("1-1", "common.battery_level", "<", "20"),
        **{"match-1": "any"},
    )

    assert expression(translated(signed_in(), given)) == (
        '"common.retired" = "false" AND ("common.imei" "is empty" OR "common.battery_level" < "20")'
    )


@pytest.mark.parametrize(
    ("row", "value"),
    [
        (("0", "common.retired", "contains", "iPad"), '"common.retired" = "true"'),
        (("0", "common.owner", "=", "iPad"), '"common.owner" = "COMPANY"'),
        (("0", "common.owner", "!=", "employee"), '"common.owner" != "EMPLOYEE"'),
        (("0", "common.comment", "is empty", "left behind"), '"common.comment" "is empty"'),
        (("0", "common.comment"), ""),
        (("0", "", "=", "x"), ""),
        (("0", "no.such", "=", "x"), ""),
        (("0", "common.registration_date", ">=", "2026-01-31", "day"), '"common.registration_date" >= "2026-01-31"'),
        (("0", "common.registration_date", ">=", "30", "day"), ""),
        (("0", "common.registration_date", ">=", "30", "d"), '"common.registration_date" >= "now-30d"'),
        (("0", "common.registration_date", ">=", "12", "h"), '"common.registration_date" >= "now-12h"'),
        (("0", "common.registration_date", ">=", "2026-01-31", "w"), '"common.registration_date" >= "now-7w"'),
        (("0", "common.registration_date", ">=", "", "w"), ""),
        (("0", "common.registration_date", ">=", "today", "text"), '"common.registration_date" >= "today"'),
    ],
)
def test_a_row_says_what_fits_its_field(signed_in: SignedIn, row: Row, value: str) -> None:
    assert expression(translated(signed_in(), form(row))) == value


def test_a_row_without_a_value_is_left_out_and_this_is_said(signed_in: SignedIn) -> None:
    answer = translated(signed_in(), form(("0", "common.imei", "=", ""), ("1", "common.retired", "=", "false"), ("2",)))

    assert expression(answer) == '"common.retired" = "false"'
    assert "1 row has no value yet and is left out." in answer


def test_a_row_with_a_wrong_value_is_marked_in_the_expression(signed_in: SignedIn) -> None:
    answer = translated(signed_in(), form(("0", "common.battery_level", ">", "full")))

    assert "<mark>&quot;full&quot;</mark>" in answer


@pytest.mark.parametrize(
    ("kind", "operators"),
    [
        ("common.retired", ["="]),
        ("common.status", ["=", "!="]),
        ("common.imei", ["=", "!=", "contains", "does not contain", "starts with", "is empty", "is not empty"]),
        ("common.battery_level", ["=", "!=", ">", ">=", "<", "<=", "is empty", "is not empty"]),
        ("common.registration_date", ["=", "!=", ">", ">=", "<", "<=", "is empty", "is not empty"]),
        ("user.ldap.groups.name", ["contains", "does not contain", "is empty", "is not empty"]),
    ],
)
def test_a_field_offers_the_operators_of_its_kind(signed_in: SignedIn, kind: str, operators: list[str]) -> None:
    answer = translated(signed_in(), form(("0", kind), part="rest", at="0"))

    chosen = answer.partition('name="operator-0"')[2].partition("</select>")[0]
    assert [unescape(each) for each in re.findall(r'<option value="([^"]*)"', chosen)] == operators
    assert 'name="field-0"' not in answer  # somebody may be typing into it


def test_values_are_chosen_where_there_are_few(signed_in: SignedIn) -> None:
    client = signed_in()

    flags = translated(client, form(("0", "ios.Supervised"), part="rest", at="0"))
    assert '<option value="true" selected>true</option><option value="false">false</option>' in flags
    statuses = translated(client, form(("0", "common.status", "=", "LOST"), part="value", at="0"))
    assert '<option value="LOST" selected>Lost</option>' in statuses
    assert 'name="operator-0"' not in statuses
    assert 'name="value-0"' not in translated(client, form(("0", "common.imei", "is empty"), part="value", at="0"))


def test_rows_and_groups_are_added_and_removed(signed_in: SignedIn) -> None:
    client = signed_in()
    one = ("0", "common.imei", "=", "1")

    def after(do: str, at: str = "", *more: Row, **groups: str) -> list[str]:
        answer = translated(client, form(one, *more, part="rows", do=do, at=at, **groups))
        return [name for name, _field in rows(answer)]

    assert after("add") == ["0", "1"]
    assert after("add-group") == ["0", "1-0"]
    group: list[Row] = [("1",), ("1-0", "common.imsi", "=", "2"), ("1-1", "common.imsi", "=", "3")]
    assert after("add", "1", *group, **{"match-1": "any"}) == ["0", "1-0", "1-1", "1-2"]
    assert after("remove", "1-0", *group, **{"match-1": "any"}) == ["0", "1-0"]
    assert after("remove", "1-0", *group[:2], **{"match-1": "any"}) == ["0"]
    assert after("remove", "1", *group, **{"match-1": "any"}) == ["0"]
    assert after("remove", "0") == ["0"]
    assert after("remove", "7-7") == after("add", "7") == after("add", "x-y")[:1] == ["0"]


def test_the_expression_makes_the_rows(signed_in: SignedIn) -> None:
    asked = "retired = false AND (SerialNumber = c02x OR last_connected_at < now-30d OR ios.Supervised != TRUE)"
    answer = translated(signed_in(), {"from": "text", "part": "rows", "search": asked})

    assert rows(answer) == [
        ("0", "common.retired"),
        ("1-0", "common.SerialNumber"),
        ("1-1", "common.last_connected_at"),
        ("1-2", "ios.Supervised"),
    ]
    assert re.search(r'name="value-1-1" value="30"[^>]*type="number"', answer)
    assert '<option value="d" selected>days ago</option>' in answer
    assert '<option value="!=" selected>Does not equal</option>' in answer
    assert "<textarea" not in answer  # what somebody types stays as it is


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("NOT retired = true", "NOT cannot be shown as rows."),
        ("samsung", "A word without a field cannot be shown as a row."),
        ("a = 1", "The expression has a mistake."),
        (" AND ".join(["retired = false"] * 51), "More than 50 conditions are not shown as rows."),
    ],
)
def test_rows_that_cannot_say_it_stay_grey_with_the_reason(signed_in: SignedIn, asked: str, reason: str) -> None:
    given = form(("0", "common.imei", "=", "1")) | {"from": "text", "part": "rows", "search": asked}
    answer = translated(signed_in(), given)

    assert rows(answer) == [("0", "common.imei")]
    assert f"{reason}</span>" in answer
    assert " inert>" in answer


def test_a_row_more_than_a_page_shows_is_not_added(signed_in: SignedIn) -> None:
    many = [(str(number), "common.imei", "=", "1") for number in range(50)]

    assert len(rows(translated(signed_in(), form(*many, part="rows", do="add")))) == 50


def test_the_count_goes_with_the_expression(signed_in: SignedIn) -> None:
    phone("a"), phone("b", status=Device.Status.RETIRED, mdm_managed=False)
    client = signed_in()

    def counted(**given: str) -> str:
        return client.post("/admin/devices/search/count", given).content.decode().strip()

    assert counted(search="phone", standing="1") == "1 device matches"
    assert counted(search="phone") == "2 devices match"
    assert counted(search="retired =") == "Expected a value after = at character 10."
    criteria = client.post("/admin/labels/criteria/count", {"criteria": "phone", "standing": "1"})
    assert criteria.content.decode().strip() == "2 devices match"


def test_each_field_is_offered_in_its_group(signed_in: SignedIn) -> None:
    client = signed_in()
    (address,) = re.findall(r'id="search-fields" data-source="([^"]+)"', page(client, advanced="1"))
    answer = client.get(address)
    shown = answer.content.decode()

    assert answer.headers["Cache-Control"].startswith("private, max-age=")
    assert re.findall(r'<optgroup label="([^"]+)"', shown) == ["Common", "iOS", "User", "LDAP"]
    assert sorted(re.findall(r'<option value="(\w+\.[^"]+)"', shown)) == sorted(
        field.key for field in search.registry().fields
    )
    assert '<option value="common.imsi">IMSI, not known yet</option>' in shown


def test_what_is_offered_is_asked_for_anew_when_it_is_something_else(signed_in: SignedIn) -> None:
    client = signed_in()

    def address() -> str:
        return str(re.findall(r'id="search-fields" data-source="([^"]+)"', page(client, advanced="1"))[0])

    before = address()
    CustomAttribute.objects.create(subject="device", name="room", kind="text")
    with_attribute = address()
    client.post("/admin/language", {"language": "de", "next": "/admin/devices"})
    in_german = address()

    assert len({before, with_attribute, in_german}) == 3
    assert client.get(before).headers["Cache-Control"] == "no-store"  # none of what is offered now
    assert "custom.device.room" in client.get(in_german).content.decode()


def test_who_only_sees_devices_saves_no_label(signed_in: SignedIn) -> None:
    client = signed_in("reader", roles=[AdminRole.DEVICE_VIEW])

    assert "Save to Label" not in page(client, advanced="1")
    assert client.post("/admin/labels/save", {"name": "x", "criteria": "a"}).status_code == 403
