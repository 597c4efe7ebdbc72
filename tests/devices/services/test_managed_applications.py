"""What becomes of an application that was ordered is asked for until it is known, and not for ever."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices import tasks
from devices.models import Command, Device, Enrollment, InstalledApplication, ManagedApplication, Result
from devices.protocol import installed
from devices.services import inventory_rounds, managed_applications, results
from devices.services.managed_applications import KIND, LIST, LOOKS
from epmm.models import Job
from epmm.tasks import run_job
from tests.devices.commands import schema
from tests.devices.services.rows import answered, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db
READER, CALENDAR = "org.example.reader", "org.example.calendar"


class Clock:
    """What was put off comes due, and the worker does it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: self.now)

    def let_pass(self, time: timedelta) -> None:
        self.now += time
        for job in Job.objects.due(self.now).filter(kind=KIND).order_by("pk"):
            run_job(job.pk)

    def due_in(self) -> list[timedelta]:
        waiting = Job.objects.open().filter(kind=KIND).order_by("run_at").values_list("run_at", flat=True)
        return [at - self.now for at in waiting]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def said(enrollment: Enrollment, row: Command, at: datetime, **keys: Any) -> None:
    Result.objects.filter(pk=answered(row, **keys).pk).update(received_at=at)
    results.read_results()


def ordered(enrollment: Enrollment, clock: Clock, identifier: str = READER, state: str = "Prompting") -> None:
    row = command(channel_of(enrollment), "InstallApplication")
    said(enrollment, row, clock.now, Identifier=identifier, State=state)


def lists(enrollment: Enrollment) -> int:
    return Command.objects.filter(channel__enrollment=enrollment, request_type=LIST).count()


def told(enrollment: Enrollment, clock: Clock, **states: str) -> None:
    """Its answer to the list that it was asked for."""
    row = Command.objects.get(channel__enrollment=enrollment, request_type=LIST)
    listed = {f"org.example.{name}": {"Status": state} for name, state in states.items()}
    said(enrollment, row, clock.now, ManagedApplicationList=listed)


def stored(enrollment: Enrollment) -> dict[str, str]:
    return dict(device_of(enrollment).managed_applications.values_list("identifier", "state"))


@pytest.mark.service("apple-schema")
def test_every_state_of_apples_schema_is_known() -> None:
    [install, listed] = (schema.schemas()[name] for name in ("InstallApplication", LIST))
    [of_install] = (key for key in install["responsekeys"] if key["key"] == "State")
    [of_list] = listed["responsekeys"][0]["subkeys"][0]["subkeys"][:1]

    known = installed.UNDER_WAY | installed.STANDING | installed.TOLD_ONCE
    assert set(of_install["rangelist"]) == set(of_list["rangelist"]) == known


def test_what_the_person_has_not_answered_is_asked_for_later_and_later_and_then_no_more(clock: Clock) -> None:
    iphone = enrolled()
    ordered(iphone, clock)
    assert clock.due_in() == [LOOKS[0]]

    for look, wait in enumerate(LOOKS):
        clock.let_pass(wait - timedelta(seconds=1))
        assert lists(iphone) == 0
        clock.let_pass(timedelta(seconds=1))
        assert lists(iphone) == 1
        told(iphone, clock, reader="Prompting")
        assert clock.due_in() == list(LOOKS[look + 1 : look + 2])

    clock.let_pass(timedelta(days=30))
    assert lists(iphone) == 0


@pytest.mark.parametrize("state", sorted(installed.STANDING | installed.TOLD_ONCE))
def test_what_is_decided_is_asked_for_no_more(clock: Clock, state: str) -> None:
    iphone = enrolled()
    ordered(iphone, clock)
    clock.let_pass(LOOKS[0])
    told(iphone, clock, reader=state)
    assert stored(iphone) == {READER: state}

    clock.let_pass(LOOKS[1])
    assert lists(iphone) == 0
    assert clock.due_in() == []


@pytest.mark.parametrize("state", ["Managed", "Failed"])
def test_what_is_decided_at_once_needs_no_look(clock: Clock, state: str) -> None:
    ordered(enrolled(), clock, state=state)

    assert clock.due_in() == []


def test_a_device_that_is_off_has_the_question_in_its_queue_once(clock: Clock) -> None:
    iphone = enrolled()
    ordered(iphone, clock)
    for wait in LOOKS:
        clock.let_pass(wait)

    assert lists(iphone) == 1
    assert Command.objects.get(request_type=LIST).is_routine


def test_many_orders_one_after_the_other_cost_no_list_each(clock: Clock) -> None:
    iphone = enrolled()
    for number in range(4):
        ordered(iphone, clock, f"org.example.app{number}")
        clock.let_pass(timedelta(minutes=1))

    asked = 0
    for _ in range(100):
        clock.let_pass(timedelta(minutes=1))
        if lists(iphone):
            asked += 1
            told(iphone, clock, **{f"app{number}": "Prompting" for number in range(4)})
    assert asked == len(LOOKS)


def test_many_devices_are_followed_by_the_statements_of_few(clock: Clock) -> None:
    counts = []
    for few in (2, 20):
        fleet = [enrolled(udid=f"device-{few}-{number}") for number in range(few)]
        for each in fleet:
            answered(command(channel_of(each), "InstallApplication"), Identifier=READER, State="Prompting")
        results.read_results()
        [job] = Job.objects.open().filter(kind=KIND)
        with CaptureQueriesContext(connection) as queries:
            tasks.look_after_applications(**job.arguments)
        counts.append(len(queries))
        assert [lists(each) for each in fleet] == [1] * few
        Job.objects.all().delete()

    assert counts[1] <= counts[0]


def test_a_look_that_was_killed_before_it_was_noted_leaves_one_behind(clock: Clock) -> None:
    iphone = enrolled()
    ordered(iphone, clock)
    [job] = Job.objects.open().filter(kind=KIND)
    Job.objects.filter(pk=job.pk).update(lease_until=clock.now)
    for _ in range(2):
        tasks.look_after_applications(**job.arguments)

    assert lists(iphone) == 1
    assert Job.objects.open().filter(kind=KIND).exclude(pk=job.pk).count() == 1


def test_a_mac_that_says_nothing_of_its_installation_is_asked(clock: Clock) -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    said(mac, command(channel_of(mac), "InstallEnterpriseApplication"), clock.now)
    clock.let_pass(LOOKS[0])
    told(mac, clock, reader="Installing")
    clock.let_pass(LOOKS[1])
    told(mac, clock, reader="Managed")

    assert stored(mac) == {READER: "Managed"}
    assert clock.due_in() == [LOOKS[2]]
    clock.let_pass(LOOKS[2])
    assert lists(mac) == 0


def test_a_mac_of_which_nothing_is_known_yet_is_asked_again(clock: Clock) -> None:
    """Its first list came before the installation showed."""
    mac = enrolled(platform=Device.Platform.MACOS)
    said(mac, command(channel_of(mac), "InstallEnterpriseApplication"), clock.now)
    clock.let_pass(LOOKS[0])
    told(mac, clock)
    clock.let_pass(LOOKS[1])
    told(mac, clock, reader="Managed")

    assert stored(mac) == {READER: "Managed"}
    clock.let_pass(LOOKS[2])
    assert clock.due_in() == []
    assert lists(mac) == 0


def test_a_list_that_somebody_asked_for_is_followed_and_one_that_comes_round_is_not(clock: Clock) -> None:
    iphone = enrolled()
    command(channel_of(iphone), LIST)
    told(iphone, clock, reader="Updating")
    assert clock.due_in() == [LOOKS[0]]

    Job.objects.all().delete()
    Command.objects.filter(pk=command(channel_of(iphone), LIST).pk).update(is_routine=True)
    told(iphone, clock, reader="Updating")
    assert clock.due_in() == []


def test_an_order_that_was_refused_begins_nothing(clock: Clock) -> None:
    answered(command(channel_of(enrolled()), "InstallApplication"), Command.State.ERROR)
    results.read_results()

    assert clock.due_in() == []


def test_who_has_left_or_may_not_be_asked_is_left_alone(clock: Clock) -> None:
    gone, leaving, limited = enrolled(), enrolled(udid="leaving"), enrolled(udid="limited", access_rights=8191 - 4096)
    for each in (gone, leaving, limited):
        ordered(each, clock)
    Enrollment.objects.filter(pk=gone.pk).update(state=Enrollment.State.ENDED)
    Device.objects.filter(pk=device_of(leaving).pk).update(status=Device.Status.WIPE_PENDING)
    clock.let_pass(LOOKS[0])

    assert [lists(each) for each in (gone, leaving, limited)] == [0, 0, 0]


def test_what_a_device_tells_once_stands_until_there_is_news_of_it(clock: Clock) -> None:
    """The next list leaves it out, and says nothing of what became of it."""
    iphone = enrolled()
    for states in ({"reader": "UserRejected", "calendar": "Managed"}, {"calendar": "Managed"}, {}):
        command(channel_of(iphone), LIST)
        told(iphone, clock, **states)
    assert stored(iphone) == {READER: "UserRejected"}

    ordered(iphone, clock)
    assert stored(iphone) == {READER: "Prompting"}
    command(channel_of(iphone), LIST)
    told(iphone, clock, reader="Managed")
    assert stored(iphone) == {READER: "Managed"}


def test_what_was_removed_is_on_the_device_no_more(clock: Clock) -> None:
    iphone, other = enrolled(), enrolled(udid="another")
    for enrollment in (iphone, other):
        for identifier in (READER, CALENDAR):
            ordered(enrollment, clock, identifier, "Managed")
            InstalledApplication.objects.create(device=device_of(enrollment), identifier=identifier)
    said(iphone, command(channel_of(iphone), "RemoveApplication", Identifier=READER), clock.now)

    assert stored(iphone) == {CALENDAR: "Managed"}
    assert device_of(iphone).applications.get().identifier == CALENDAR
    assert len(stored(other)) == device_of(other).applications.count() == 2


def test_what_was_not_removed_stays(clock: Clock) -> None:
    iphone = enrolled()
    ordered(iphone, clock, state="Managed")
    answered(command(channel_of(iphone), "RemoveApplication", Identifier=READER), Command.State.ERROR)
    results.read_results()

    assert stored(iphone) == {READER: "Managed"}


def test_what_is_removed_and_ordered_again_is_there(clock: Clock) -> None:
    """Both answers are read together."""
    iphone = enrolled()
    ordered(iphone, clock, state="Managed")
    answered(command(channel_of(iphone), "RemoveApplication", Identifier=READER))
    ordered(iphone, clock)

    assert stored(iphone) == {READER: "Prompting"}


def test_the_inventory_asks_for_the_list_where_there_is_one() -> None:
    """Also where the looks have ended: whoever agrees the next day is heard of then."""
    with_apps, without = enrolled(), enrolled(udid="another")
    ManagedApplication.objects.create(device=device_of(with_apps), identifier=READER, state="Prompting")
    long_ago = timezone.now() - timedelta(days=2)
    Enrollment.objects.update(inventory_asked_at=long_ago)
    inventory_rounds.ask_where_due()

    assert [lists(each) for each in (with_apps, without)] == [1, 0]
    assert Command.objects.get(request_type=LIST).is_routine
    assert managed_applications.KIND not in Job.objects.values_list("kind", flat=True)
