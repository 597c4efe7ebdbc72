from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from devices import tasks
from devices.models import Channel, Device, Enrollment
from devices.services import contact
from epmm import jobs
from tests.devices.services.rows import NOW, channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=1)


def heard(enrollment: Enrollment, at: datetime, user_key: str = "") -> None:
    Channel.objects.filter(pk=channel_of(enrollment, user_key).pk).update(last_seen_at=at)


def test_the_record_follows_the_latest_channel() -> None:
    enrollment = enrolled(platform=Device.Platform.MACOS)
    heard(enrollment, NOW)
    heard(enrollment, LATER, "user")

    tasks.copy_last_seen()

    assert device_of(enrollment).last_seen_at == LATER


@pytest.mark.parametrize(("copy", "after"), [(None, NOW), (NOW - timedelta(seconds=1), NOW), (LATER, LATER)])
def test_the_copy_only_moves_forward(copy: datetime | None, after: datetime) -> None:
    enrollment = enrolled(last_seen_at=copy)
    heard(enrollment, NOW)

    assert contact.copy_last_seen() == (after != copy)

    assert device_of(enrollment).last_seen_at == after


def test_where_nothing_was_heard_nothing_is_written(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    current = enrolled(last_seen_at=NOW)
    heard(current, NOW)
    enrolled(udid="never heard of")

    with django_assert_num_queries(1):
        assert contact.copy_last_seen() == 0


def test_an_enrollment_that_has_ended_moves_nothing() -> None:
    ended = enrolled(state=Enrollment.State.ENDED)
    heard(ended, NOW)
    heard(enrolled(device=ended.device, state=Enrollment.State.AUTHENTICATED), LATER)

    assert contact.copy_last_seen() == 0


def test_many_devices_are_moved_by_the_hundred(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(contact, "CHUNK", 2)
    enrollments = [enrolled(udid=f"device-{number}") for number in range(5)]
    for enrollment in enrollments:
        heard(enrollment, NOW)

    with django_assert_num_queries(1 + 3 * (2 + 2)):  # with the two of a nested transaction
        assert contact.copy_last_seen() == 5

    assert {device_of(enrollment).last_seen_at for enrollment in enrollments} == {NOW}


def test_the_worker_keeps_copying() -> None:
    assert jobs.PERIODIC["devices.copy_last_seen"] == timedelta(seconds=10)
    assert "devices.read_results" in jobs.OUTBOXES
