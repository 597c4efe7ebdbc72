"""Certificates that end soon are renewed by themselves."""

import logging
from datetime import datetime, timedelta
from math import inf
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Command, Device, Enrollment, Identity
from devices.services import pace
from enrollment import tasks
from enrollment.models import ScepChallenge
from enrollment.services import authorities, renewal
from epmm import jobs, options, settings_store
from tests.devices.services.rows import device_of, enrolled
from tests.enrollment.commands.test_renew import payload_of
from tests.enrollment.conftest import Switch
from tests.enrollment.phone import Phone

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keys() -> None:
    """Not made while statements are counted."""
    authorities.profile_signer()


def ends(enrollment: Enrollment, *, days: float) -> Identity:
    Identity.objects.filter(enrollment=enrollment).update(not_after=timezone.now() + timedelta(days=days))
    return Identity.objects.get(enrollment=enrollment)


def iphone(number: int = 0, *, days: float = 30, **fields: Any) -> Identity:
    return ends(enrolled(udid=f"device-{number}", **fields), days=days)


def sent() -> list[str]:
    rows = Command.objects.filter(request_type="InstallProfile").order_by("pk")
    return list(rows.values_list("channel__enrollment__device_key", flat=True))


def let_pass(**time: int) -> None:
    for row in Identity.objects.filter(renewal_asked_at__isnull=False):
        Identity.objects.filter(pk=row.pk).update(
            renewal_asked_at=row.renewal_asked_at and row.renewal_asked_at - timedelta(**time)
        )


def test_who_ends_within_the_time_is_sent_a_profile_once() -> None:
    soon = iphone(1, days=89)
    iphone(2, days=91)
    for _ in range(2):
        tasks.renew_identities()

    assert sent() == ["device-1"]
    soon.refresh_from_db()
    command = Command.objects.get()
    assert soon.renewal_command_id == command.pk
    assert soon.renewal_asked_at is not None
    assert timezone.now() - soon.renewal_asked_at < timedelta(minutes=1)
    (scep, mdm) = payload_of(command)["PayloadContent"]
    assert scep["PayloadContent"]["Challenge"].startswith(ScepChallenge.objects.get().reference)
    assert mdm["Topic"] == soon.enrollment.topic


@pytest.mark.parametrize("days", [89, 5])
def test_the_challenge_is_good_for_as_long_as_the_device_can_come(days: int) -> None:
    soon = iphone(days=days)
    tasks.renew_identities()

    least = timezone.now() + renewal.VALID_FOR - timedelta(minutes=1)
    assert ScepChallenge.objects.get().expires_at >= max(soon.not_after, least)


def test_while_one_waits_no_other_is_sent() -> None:
    iphone()
    tasks.renew_identities()
    let_pass(days=60)
    tasks.renew_identities()
    assert len(sent()) == 1

    Command.objects.update(state=Command.State.NOT_NOW)
    tasks.renew_identities()
    assert len(sent()) == 1


def test_what_came_to_nothing_is_tried_again_after_some_days(caplog: pytest.LogCaptureFixture) -> None:
    soon = iphone()
    tasks.renew_identities()
    Command.objects.all().delete()  # answered, and the certificate is the old one
    let_pass(days=6)
    tasks.renew_identities()
    assert sent() == []

    let_pass(days=2)
    with caplog.at_level(logging.WARNING):
        tasks.renew_identities()
    assert sent() == ["device-0"]
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert vars(said)["device"] == soon.enrollment.device_id


def test_one_that_was_sent_by_hand_counts(phone: Phone) -> None:
    phone.enroll()
    Command.objects.all().delete()
    ends(phone.enrollment, days=30)
    renewal.renew(Device.objects.get(), actor="anna")
    tasks.renew_identities()
    assert Command.objects.count() == 1

    Command.objects.all().delete()
    tasks.renew_identities()
    assert not Command.objects.exists()


def test_what_is_renewed_is_done_with(phone: Phone) -> None:
    phone.enroll()
    Command.objects.all().delete()
    old = ends(phone.enrollment, days=30)
    tasks.renew_identities()
    new = phone.new_identity()
    phone.send("authenticate-adde-ios", identity=new)
    phone.send("tokenupdate-adde-ios", identity=new)
    Command.objects.all().delete()
    let_pass(days=8)
    tasks.renew_identities()

    assert not Command.objects.exists()
    assert Identity.objects.get(state=Identity.State.CURRENT) == new != old


def test_only_managed_devices_are_sent_one() -> None:
    iphone(1, state=Enrollment.State.ENDED)
    forgotten = iphone(2)
    device_of(forgotten.enrollment).delete()
    Identity.objects.filter(pk=iphone(3).pk).update(state=Identity.State.REVOKED)
    iphone(4, kind=Enrollment.Kind.AAUE)
    tasks.renew_identities()

    assert Command.objects.count() == 1
    assert Command.objects.get().channel.enrollment.kind == Enrollment.Kind.AAUE


def test_where_profiles_may_not_be_installed_that_is_said_and_others_get_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    poor = iphone(1, days=10, access_rights=8191 - 2)
    iphone(2)
    with caplog.at_level(logging.WARNING):
        tasks.renew_identities()
        tasks.renew_identities()

    assert sent() == ["device-2"]
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert vars(said)["device"] == poor.enrollment.device_id
    assert "access right" in vars(said)["why"]
    assert ScepChallenge.objects.count() == 1


def test_what_has_expired_is_renewed_where_it_may_still_come(switch: Switch) -> None:
    iphone(days=-1)
    tasks.renew_identities()
    assert sent() == []

    switch("ios.mdm.deny_expired_identities", "off")
    tasks.renew_identities()
    assert sent() == ["device-0"]


def test_what_ends_with_our_authority_is_not_sent_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    end = timezone.now() + timedelta(days=30)

    class Ca:
        class certificate:  # noqa: N801 -- as the signer calls it
            not_valid_after_utc: datetime = end

    monkeypatch.setattr(authorities, "device_ca", lambda: Ca)
    Identity.objects.filter(pk=iphone(1).pk).update(not_after=end)
    tasks.renew_identities()

    assert sent() == []


def test_the_time_is_a_setting_and_never_means_never(switch: Switch) -> None:
    iphone(days=100)
    switch("ios.mdm.renewal_days", "0")
    tasks.renew_identities()
    assert sent() == []

    switch("ios.mdm.renewal_days", "120")
    tasks.renew_identities()
    assert sent() == ["device-0"]


def test_not_all_in_one_hour_and_the_first_that_ends_before_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LEAST", 3)
    monkeypatch.setattr(renewal, "AT_ONCE", 2)
    for number in range(5):
        iphone(number, days=50 - number)
    tasks.renew_identities()
    assert sent() == ["device-4", "device-3", "device-2"]

    tasks.renew_identities()
    assert sent()[3:] == ["device-1", "device-0"]


def test_many_take_the_statements_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    settings_store.read(options.RENEWAL_DAYS)
    monkeypatch.setattr(settings_store._cache, "_until", inf)
    counts = []
    for few in (2, 10):
        for number in range(few):
            iphone(10 * few + number)
        with CaptureQueriesContext(connection) as queries:
            tasks.renew_identities()
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert len(sent()) == 12


def test_who_is_due_is_found_by_an_index() -> None:
    iphone()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = renewal._due(timezone.now(), timedelta(days=90))[:20].explain()

    assert "identity_expires" in plan
    assert "TEMP B-TREE" not in plan


def test_the_worker_comes_each_hour() -> None:
    assert jobs.PERIODIC["enrollment.renew_identities"] == renewal.EVERY == timedelta(hours=1)
