"""`devices --search` and `label --criteria`."""

import pytest
from django.core.management import CommandError

from devices.models import Device, Label
from tests.devices.commands_line.run import run, run_json
from tests.devices.services.rows import enrolled

pytestmark = pytest.mark.django_db


def test_only_what_is_searched_for_is_listed() -> None:
    enrolled(serial_number="AAAA1111BBBB")
    enrolled(udid="other", serial_number="CCCC2222DDDD")

    assert [row["serial_number"] for row in run_json("devices", "--search", "serialnumber starts with cccc")] == [
        "CCCC2222DDDD"
    ]


def test_retired_devices_are_searched_on_request() -> None:
    enrolled(status=Device.Status.RETIRED, mdm_managed=False)

    assert run_json("devices", "--search", "common.retired = true") == []
    assert len(run_json("devices", "--search", "common.retired = true", "--all")) == 1


def test_a_mark_stands_below_the_mistake() -> None:
    with pytest.raises(CommandError) as caught:
        run("devices", "--search", "retired = false AND serialnumbr = x")

    assert str(caught.value).splitlines() == [
        'Unknown field "serialnumbr". Did you mean "common.SerialNumber"?',
        "retired = false AND serialnumbr = x",
        "                    ^",
    ]


def test_a_label_by_criteria() -> None:
    enrolled(serial_number="AAAA1111BBBB", device_name="Anna's iPhone")
    assert run("label", "create", "Ours", "--criteria", "SerialNumber = aaaa1111bbbb") == "Created.\n"

    (ours,) = [row for row in run_json("label", "list") if not row["is_built_in"]]
    (member,) = run_json("label", "list", "ours")

    assert ours == {
        "name": "Ours",
        "description": "",
        "kind": "filter",
        "criteria": "SerialNumber = aaaa1111bbbb",
        "is_built_in": False,
        "devices": 1,
        "is_capped": False,
    }
    assert member["name"] == "Anna's iPhone"
    assert "Ours  1  SerialNumber = aaaa1111bbbb" in run("label", "list").splitlines()


def test_its_criteria_change() -> None:
    run("label", "create", "Ours", "--criteria", "SerialNumber = aaaa1111bbbb")

    assert run("label", "change", "Ours", "--criteria", "common.comment is empty") == "Changed.\n"
    with pytest.raises(CommandError, match="Expected a value after = at character 9"):
        run("label", "change", "Ours", "--criteria", "model = ")

    assert Label.objects.get(name="Ours").criteria == "common.comment is empty"


def test_a_label_that_is_not_understood_does_not_hide_the_others() -> None:
    """Its criteria name a field of an earlier release."""
    enrolled()
    Label.objects.create(name="Lost", kind=Label.Kind.FILTER, criteria="common.gone = 1")
    Label.objects.create(name="Zero")

    lines = run("label", "list").splitlines()

    assert "Lost  ?  common.gone = 1" in lines
    assert "Zero  0" in lines
