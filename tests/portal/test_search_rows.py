"""Advanced Search: rows and the expression that they write."""

import re
from html import unescape

import pytest

from devices.models import Device
from devices.services import search
from tests.portal.conftest import SignedIn
from tests.portal.test_advanced_search import Row, expression, form, page, phone, rows, translated
from users.models import AdminRole, CustomAttribute

pytestmark = pytest.mark.django_db(transaction=True)


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
