"""A configuration that a fleet has: who failed is found among all others, and whoever was assigned can be let go."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from devices.models import Channel, Command, Configuration, ConfigurationAssignment, ConfigurationDelivery, Device
from devices.services import configuration_status, labels
from epmm.models import AuditEntry
from tests.api.conftest import Script, basic, make_caller
from tests.api.x.conftest import X
from tests.devices.configuration import lab
from tests.devices.services import rows
from tests.portal.conftest import SignedIn
from tests.portal.pages import text
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/configurations"
UNASSIGN = f"{LIST}/unassign"
State = ConfigurationDelivery.State
SERIALS = re.compile(r">(C02\w+)</a>")


def fleet(size: int) -> list[Channel]:
    """Of as many iPhones."""
    enrollment = rows.enrolled(serial_number="C02000")
    numbers = range(1, size)
    devices = Device.objects.bulk_create(
        Device(user=enrollment.user, serial_number=f"C02{number:03}", udid=f"u{number}", status="ACTIVE")
        for number in numbers
    )
    enrollments = []
    for number, device in zip(numbers, devices, strict=True):
        enrollment.pk, enrollment.device, enrollment.udid, enrollment.device_key = (
            None,
            device,
            f"u{number}",
            f"{number}",
        )
        enrollment.save(force_insert=True)
        enrollments.append(enrollment.pk)
    channels = [Channel(enrollment_id=pk) for pk in enrollments]
    return [Channel.objects.get(enrollment__device__serial_number="C02000"), *Channel.objects.bulk_create(channels)]


def delivered(configuration: Configuration, channels: Iterable[Channel], states: Sequence[State]) -> None:
    """To each channel, in the states by turns; a refusal has a long text."""
    text_of = {State.FAILED: "Refused. " * 50}
    told = [(channel, states[number % len(states)]) for number, channel in enumerate(channels)]
    ConfigurationDelivery.objects.bulk_create(
        ConfigurationDelivery(
            channel=channel, configuration=configuration, state=state, error_text=text_of.get(state, ""), due_at=None
        )
        for channel, state in told
    )


def test_the_few_that_failed_are_found_among_the_many(signed_in: SignedIn) -> None:
    client, configuration = signed_in(), lab.uploaded()
    channels = fleet(120)
    delivered(configuration, channels, [State.FAILED, *[State.APPLIED] * 39])

    overview = text(client.get(f"{LIST}/{configuration.pk}"))
    address = re.search(r'<a href="([^"]+)"><span class="badge bad">Failed</span> 3</a>', overview)
    assert address is not None
    failed = text(client.get(address[1]))
    assert SERIALS.findall(failed) == ["C02000", "C02040", "C02080"]
    assert "Refused. " * 22 in failed
    assert "Refused. " * 23 not in failed  # a page has no room for more
    everybody = f"{LIST}/{configuration.pk}/devices"
    assert SERIALS.findall(text(client.get(everybody, {"q": "C02041"}))) == ["C02041"]
    assert "Nothing matches these filters." in text(client.get(everybody, {"state": "UNKNOWN"}))

    answer: Any = client.get(f"{address[1]}&format=csv")
    told = list(csv.DictReader(io.StringIO(answer.getvalue().decode().removeprefix("\N{BYTE ORDER MARK}"))))
    assert [(row["Device"], row["What the device says"].count("Refused.")) for row in told] == [
        ("C02000", 50), ("C02040", 50), ("C02080", 50),
    ]  # fmt: skip
    assert AuditEntry.objects.get(action="list.exported").subject == "configurations-devices"


def test_all_of_a_fleet_are_on_some_page_in_the_order_of_their_states(signed_in: SignedIn) -> None:
    client, configuration = signed_in(), lab.uploaded()
    delivered(configuration, fleet(120), [State.PENDING, State.REVOKED, State.APPLIED])

    address, seen, shown = f"{LIST}/{configuration.pk}/devices?size=25", [], []
    while address:
        page = text(client.get(address))
        seen += SERIALS.findall(page)
        shown += re.findall(r'<span class="badge \w+">(\w+)</span>', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = following[1].replace("&amp;", "&") if following else ""

    assert len(seen) == len(set(seen)) == 120
    assert shown == ["Applied"] * 40 + ["Pending"] * 40 + ["Revoked"] * 40


def test_what_is_sent_is_told_from_what_waits(signed_in: SignedIn) -> None:
    """The queue alone knows which it is."""
    client = signed_in()
    queued, sent = (rows.enrolled(udid=f"u{number}", serial_number=f"C02{number}") for number in range(2))
    for enrollment in (queued, sent):
        configuration = lab.assigned(enrollment)
    Command.objects.filter(channel__enrollment=sent).update(state=Command.State.OFFERED)
    make_caller()
    script = Script(basic("script"), base=X)

    address = f"{LIST}/{configuration.pk}/devices"
    for state, serial in ((State.PENDING, "C020"), (State.SENT, "C021")):
        assert SERIALS.findall(text(client.get(address, {"state": state}))) == [serial]
        for where in (f"configurations/{configuration.pk}/devices", f"devices/{device(serial).uuid}/configurations"):
            [told] = script.get(f"{where}?state={state}")["items"]
            assert (told["device"], told["state"]) == (str(device(serial).uuid), state)
    assert script.get(f"devices/{device('C021').uuid}/configurations?state=PENDING")["items"] == []


def device(serial: str) -> Device:
    return Device.objects.get(serial_number=serial)


def test_a_page_counts_no_further_than_it_says() -> None:
    configuration, other = lab.uploaded(), lab.uploaded(identifier="test.other")
    channels = fleet(9)
    delivered(configuration, channels, [State.PENDING, State.APPLIED, State.PENDING])
    delivered(other, channels[:2], [State.FAILED, State.REVOKED])
    waiting = rows.command(channels[0], "InstallProfile")
    Command.objects.filter(pk=waiting.pk).update(state=Command.State.QUEUED)
    pending = ConfigurationDelivery.objects.filter(state=State.PENDING).order_by("pk")
    pending.filter(pk__in=list(pending.values_list("pk", flat=True)[:2])).update(
        command_id=waiting.pk + 1
    )  # the queue has it no more
    pending.filter(command_id=None).update(command_id=waiting.pk)

    both = [configuration, other]
    exactly = configuration_status.told_counts(both)
    assert exactly == {
        configuration.pk: {State.PENDING: "4", State.SENT: "2", State.APPLIED: "3"},
        other.pk: {State.FAILED: "1"},
    }
    numbers = {pk: {state: int(number) for state, number in found.items()} for pk, found in exactly.items()}
    assert numbers == configuration_status.counts(both)
    both_as_one = configuration_status.told_counts(both, tells_sent=False)[configuration.pk]
    assert both_as_one == {State.PENDING: "6", State.APPLIED: "3"}
    cut = configuration_status.told_counts(both, cap=2)[configuration.pk]
    assert cut[State.APPLIED] == "2+"
    assert {state for state, number in cut.items() if number.endswith("+")} == cut.keys()


def test_a_list_counts_for_those_it_shows(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client, counted = signed_in(), list[str]()

    def told_counts(shown: Sequence[Configuration], **_how: int) -> dict[int, dict[State, str]]:
        counted.extend(row.identifier for row in shown)
        return {row.pk: {State.FAILED: "37"} for row in shown}

    monkeypatch.setattr(configuration_status, "told_counts", told_counts)
    for number in range(30):
        Configuration.objects.create(identifier=f"test.{number:02}", name="Wi-Fi", scope="System")

    page = text(client.get(LIST, {"size": "25"}))

    assert counted == [f"test.{number:02}" for number in range(25)]
    assert page.count("Failed: 37") == 25


def test_a_device_says_where_not_all_of_its_configurations_are_shown(signed_in: SignedIn) -> None:
    client, (channel,) = signed_in(), fleet(1)
    for number in range(100):
        made = Configuration.objects.create(identifier=f"test.{number:03}", name="Wi-Fi", scope="System")
        delivered(made, [channel], [State.APPLIED])
    address = f"/admin/devices/{rows.device_of(channel.enrollment).uuid}/configurations"
    cut = "The first 100 are shown."
    page = text(client.get(address))
    assert (page.count("test.0"), cut in page) == (100, False)

    delivered(lab.uploaded(), [channel], [State.FAILED])
    assert cut in text(client.get(address))


def test_whoever_was_assigned_last_can_be_let_go(signed_in: SignedIn) -> None:
    client, configuration = signed_in(), lab.uploaded()
    devices = [channel.enrollment.device for channel in fleet(130)]
    ConfigurationAssignment.objects.bulk_create(
        ConfigurationAssignment(configuration=configuration, device=each, created_by="anna") for each in devices
    )
    label = ConfigurationAssignment.objects.create(
        configuration=configuration, label=labels.create("Sales", actor="test"), created_by="anna"
    )
    overview = text(client.get(f"{LIST}/{configuration.pk}"))
    assert (overview.count(">Unassign<"), "The first 20 are shown." in overview) == (20, True)

    address = f"{LIST}/{configuration.pk}/assignments"
    assert SERIALS.findall(text(client.get(address, {"q": "C02129"}))) == ["C02129"]
    page = text(client.get(address, {"q": "sal", "size": "25"}))
    assert f'value="{label.pk}"' in page
    asked = text(client.post(UNASSIGN, {"row": str(label.pk)}))
    assert "Sales" in asked
    assert ConfigurationAssignment.objects.count() == 131
    client.post(UNASSIGN, {"go": "1", "chosen": str(label.pk)})
    assert "Assignments that are taken back: 1." in text(client.get(address))
    assert AuditEntry.objects.filter(action="configuration.unassigned", actor="admin").count() == 1
    assert "any more" in text(client.post(UNASSIGN, {"row": str(label.pk)}))


def test_all_that_match_are_those_of_one_configuration(signed_in: SignedIn) -> None:
    client, configuration, other = signed_in(), lab.uploaded(), lab.uploaded(identifier="test.other")
    devices = [channel.enrollment.device for channel in fleet(101)]
    for each in (configuration, other):
        ConfigurationAssignment.objects.bulk_create(
            ConfigurationAssignment(configuration=each, device=device, created_by="anna") for device in devices
        )
    everything = {"all": "1", "matching": "", "configuration": str(configuration.pk)}

    assert "at most 100" in text(client.post(UNASSIGN, everything))
    one = everything | {"matching": "q=C02007"}
    keys = re.search(r'name="chosen" value="(\d+)"', text(client.post(UNASSIGN, one)))
    assert keys is not None
    assert ConfigurationAssignment.objects.get(pk=keys[1]).configuration == configuration
    assert client.post(UNASSIGN, {"all": "1", "matching": ""}).status_code == 422  # of which, nobody has said
    reader = signed_in("reader", [AdminRole.CONFIGURATION_VIEW])
    assert reader.post(UNASSIGN, one).status_code == 403
    assert 'name="row"' not in text(reader.get(f"{LIST}/{configuration.pk}/assignments"))
