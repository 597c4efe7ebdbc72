"""A declaration for the devices of a label, or those that an expression finds."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Declaration, DeclarationAssignment, DeclarationRun, Device
from devices.services import archive, declaration_runs, declarations, labels
from devices.services.declarations import DeclarationRefused
from epmm.models import AuditEntry, Job
from tests.devices.commands_line.run import run, run_json
from tests.devices.declarations.rows import ENFORCE, channel, iphone, synchronize, work
from tests.devices.declarations.test_sets import AAUE, put

pytestmark = pytest.mark.django_db
EVERYBODY = "common.retired = false"
UPDATE = ("declaration", "update", "--version", "18.3", "--by", "2036-12-01T20:00:00")


def fleet(size: int, **fields: Any) -> list[Device]:
    return [iphone(udid=f"phone {number}", device_name=f"phone {number}", **fields) for number in range(size)]


def holds(device: Device) -> set[str]:
    return {
        each["Type"].rpartition(".")[2] for name, each in synchronize(channel(device)).items() if name[:5] != "epmm."
    }


def test_the_devices_of_a_label_get_it_and_give_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration_runs, "BITE", 2)
    *members, other = fleet(6)
    label = labels.create("Sales", actor="anna")
    for device in members:
        labels.add(label, device, actor="anna")
    put()
    begun = run("declaration", "assign", "passcode", "--label", "sales").strip()
    work()

    assert run_json("declaration", "run", begun) == {
        "declaration": "passcode", "changed": 5, "unchanged": 0, "refused": 0, "refusals": {}, "is_complete": True,
    }  # fmt: skip
    assert [holds(device) for device in members] == [{"settings"}] * 5
    assert not holds(other)
    (entry,) = AuditEntry.objects.filter(action="declaration.assigned_to_many")
    assert (entry.subject, entry.details) == ("passcode", {"run": begun, "label": "sales"})

    again = run("declaration", "assign", "passcode", "--search", EVERYBODY).strip()
    work()
    told = run_json("declaration", "run", again)
    assert (told["changed"], told["unchanged"]) == (1, 5)
    taken = run("declaration", "unassign", "passcode", "--label", "Sales").strip()
    work()
    assert "changed: 5" in run("declaration", "run", taken)
    assert list(DeclarationAssignment.objects.values_list("device", flat=True)) == [other.pk]


def test_an_update_for_a_fleet_is_one_declaration_and_takes_the_place_of_the_one_before() -> None:
    old = iphone(udid="old", os_version="16.0")
    own = iphone(udid="own", kind=AAUE)
    phones = fleet(3)
    declarations.enforce_update(phones[0], version="18.2.1", by="2036-11-30T20:00:00", actor="anna")
    begun = run_json(*UPDATE, "--search", EVERYBODY)["run"]
    work()

    told = run("declaration", "run", begun)
    assert "changed: 3" in told
    assert "refused for 1: " + ENFORCE + " needs iOS 17.0; this device has 16.0." in told
    assert "refused for 1: " + ENFORCE + " is not allowed on a device that is enrolled as a user's own." in told
    for phone in phones:
        (payload,) = (each["Payload"] for each in synchronize(channel(phone)).values() if each["Type"] == ENFORCE)
        assert payload["TargetOSVersion"] == "18.3"
    assert not any(holds(device) for device in (old, own))

    Declaration.objects.update(changed_at=timezone.now() - timedelta(days=2))
    declarations.refresh_all()
    assert [row.payload["TargetOSVersion"] for row in Declaration.objects.all()] == ["18.3"]


@pytest.mark.parametrize("bite", [3, 30])
def test_a_bite_takes_as_many_statements_for_many_as_for_few(monkeypatch: pytest.MonkeyPatch, bite: int) -> None:
    monkeypatch.setattr(declaration_runs, "BITE", bite)
    fleet(bite)
    begun = declaration_runs.begin(put(), selection={"search": EVERYBODY}, actor="anna")

    with CaptureQueriesContext(connection) as asked:
        assert declaration_runs._bite(begun.pk)
    assert len(asked) == 11


def test_what_takes_long_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.turns.SECONDS", 0.0)
    monkeypatch.setattr(declaration_runs, "BITE", 2)
    fleet(5)
    begun = declaration_runs.begin(put(), selection={"search": EVERYBODY}, actor="anna")

    declaration_runs.work(begun.pk)

    assert DeclarationAssignment.objects.count() == 2
    assert Job.objects.open().filter(kind=declaration_runs.KIND, arguments={"run": begun.pk}).count() == 2


def test_who_stops_it_keeps_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration_runs, "BITE", 2)
    fleet(5)
    begun = declaration_runs.begin(put(), selection={"search": EVERYBODY}, actor="anna")
    assert declaration_runs._bite(begun.pk)
    told = run_json("declaration", "run", str(begun.uuid), "--stop")
    work()

    assert (told["changed"], told["is_complete"]) == (2, True)
    assert DeclarationAssignment.objects.count() == 2
    assert not declaration_runs.stop(begun, actor="anna")


def test_what_is_removed_meanwhile_goes_to_nobody() -> None:
    phone = iphone()
    label = labels.create("Sales", actor="anna")
    labels.add(label, phone, actor="anna")
    declaration_runs.begin(put(), selection={"label": "Sales"}, actor="anna")
    labels.delete(label, actor="anna")
    work()
    assert not DeclarationAssignment.objects.exists()

    begun = declaration_runs.begin(declarations.get("passcode"), selection={"search": ""}, actor="anna")
    declarations.remove("passcode", actor="anna")
    declaration_runs.work(begun.pk)
    work()
    assert not Declaration.objects.exists()
    assert not DeclarationAssignment.objects.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("declaration", "assign", "passcode"), "Say which devices"),
        (("declaration", "assign", "passcode", "S1", "--label", "Sales"), "Say which devices"),
        (("declaration", "assign", "passcode", "--label", "Nobody"), "There is no label Nobody"),
        (("declaration", "assign", "passcode", "--search", "common.nonsense = 1"), "nonsense"),
        ((*UPDATE, "--search", "common.nonsense = 1"), "nonsense"),
        ((*UPDATE[:3], "soon", *UPDATE[4:], "--search", EVERYBODY), "TargetOSVersion is a version"),
        (UPDATE, "Say which devices"),
        (("declaration", "run", "nonsense"), "There is no run nonsense"),
    ],
)
def test_who_is_not_meant_clearly_is_not_meant(words: tuple[str, ...], sentence: str) -> None:
    put()
    with pytest.raises(CommandError, match=sentence):
        run(*words)

    assert Declaration.objects.count() == 1
    assert not DeclarationRun.objects.exists()


def test_a_run_is_for_many_and_forgotten_with_the_history_of_commands() -> None:
    with pytest.raises(DeclarationRefused, match="Say which devices"):
        declaration_runs.begin(put(), selection={"platform": "iOS"}, actor="anna")

    begun = declaration_runs.begin(put(), selection={"search": ""}, actor="anna")
    archive.expire(begun.created_at + timedelta(seconds=1))
    assert not DeclarationRun.objects.exists()
    declaration_runs.work(begun.pk)
