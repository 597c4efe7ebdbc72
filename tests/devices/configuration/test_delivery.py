"""From an assignment to the device and back again."""

from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import (
    Command,
    ConfigurationDelivery,
    ConfigurationVersion,
    FinishedCommand,
    Payload,
)
from devices.protocol.commands import InstallProfile, SecurityInfo
from devices.services import cancelling, configuration_delivery, configuration_plan, configurations, queue, retire
from devices.services.configuration_delivery import Contents, Signing
from epmm.models import AuditEntry
from tests import pki
from tests.devices.configuration.lab import (
    ACKNOWLEDGED,
    ERROR,
    FORMAT_ERROR,
    State,
    answer,
    applied,
    assigned,
    delivery_of,
    installed_profile,
    let_time_pass,
    open_commands,
    refuse,
    reply,
    uploaded,
    work,
)
from tests.devices.configuration.profiles import PASSWORD, profile
from tests.devices.services.rows import NOW, channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db


def test_what_is_assigned_is_installed() -> None:
    iphone = enrolled()
    configuration = uploaded()
    configurations.assign(configuration, device_of(iphone), actor="anna")
    work()

    assert delivery_of(iphone).shown_state == State.PENDING
    command = Command.objects.get()
    assert installed_profile(command) == profile()
    Command.objects.update(state=Command.State.OFFERED)
    assert delivery_of(iphone).shown_state == State.SENT
    answer(iphone)

    row = delivery_of(iphone)
    assert (row.shown_state, row.installed, row.command_id, row.due_at) == (State.APPLIED, row.wanted, None, None)
    assert row.installed_at is not None
    assert open_commands(iphone) == []


def test_its_command_is_not_cancelled_with_others() -> None:
    iphone = enrolled()
    assigned(iphone)
    its = Command.objects.get()
    queue.queue(channel_of(iphone), SecurityInfo())

    with pytest.raises(queue.CommandRefused, match="belongs to a configuration"):
        cancelling.cancel(device_of(iphone), its.pk, actor="anna")
    assert cancelling.cancel_each(Command.objects.all(), actor="anna") == 1
    assert Command.objects.get() == its


def test_planning_and_delivering_again_changes_nothing() -> None:
    iphone = enrolled()
    configuration = assigned(iphone)
    for _ in range(2):
        configuration_plan.plan_everything()
        configuration_plan.plan_device(iphone.device_id or 0)
        ConfigurationDelivery.objects.update(due_at=timezone.now())
        work()

    assert open_commands(iphone) == ["InstallProfile"]
    answer(iphone)
    configuration_plan.plan_configuration(configuration.pk)
    ConfigurationDelivery.objects.update(due_at=timezone.now())
    work()
    assert open_commands(iphone) == []
    assert delivery_of(iphone).state == State.APPLIED


def test_a_new_version_replaces_the_old_one() -> None:
    iphone = enrolled()
    applied(iphone)
    uploaded(edition=2)
    work()

    row = delivery_of(iphone)
    assert (row.state, row.wanted and row.wanted.number, row.installed and row.installed.number) == (
        State.UPDATE_PENDING,
        2,
        1,
    )
    refuse(iphone)
    assert delivery_of(iphone).state == State.UPDATE_FAILED
    let_time_pass(timedelta(minutes=15))
    answer(iphone)
    row = delivery_of(iphone)
    assert (row.state, row.installed, row.error_text) == (State.APPLIED, row.wanted, "")


def test_a_version_that_no_device_has_seen_is_taken_back() -> None:
    iphone = enrolled()
    assigned(iphone)
    old = Command.objects.get()
    uploaded(edition=2)
    work()

    assert installed_profile(Command.objects.get()) == profile(edition=2)
    assert FinishedCommand.objects.get().uuid == old.uuid


def test_a_version_that_is_on_its_way_is_waited_for() -> None:
    iphone = enrolled()
    assigned(iphone)
    Command.objects.update(state=Command.State.NOT_NOW)
    uploaded(edition=2)
    work()

    assert open_commands(iphone) == ["InstallProfile"]
    answer(iphone)
    assert installed_profile(Command.objects.get()) == profile(edition=2)
    assert delivery_of(iphone).state == State.UPDATE_PENDING


def test_what_is_unassigned_is_removed() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()

    assert open_commands(iphone) == ["RemoveProfile"]
    answer(iphone)
    row = delivery_of(iphone)
    assert (row.state, row.wanted, row.installed, row.due_at) == (State.REVOKED, None, None, None)


def test_what_was_never_installed_is_never_removed() -> None:
    iphone = enrolled()
    configuration = assigned(iphone)
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()

    assert open_commands(iphone) == []
    assert delivery_of(iphone).state == State.REVOKED


def test_what_is_assigned_again_while_it_is_removed_is_installed_again() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()
    Command.objects.update(state=Command.State.OFFERED)
    configurations.assign(configuration, device_of(iphone), actor="anna")
    work()

    assert open_commands(iphone) == ["RemoveProfile"]
    answer(iphone)
    assert open_commands(iphone) == ["InstallProfile"]


def test_an_error_is_kept_and_tried_again_with_growing_pauses() -> None:
    iphone = enrolled()
    assigned(iphone)
    pauses = []
    while open_commands(iphone):
        refuse(iphone)
        row = delivery_of(iphone)
        assert (row.state, row.error_code, row.error_domain, row.error_text) == (
            State.FAILED,
            4001,
            "MCInstallationErrorDomain",
            "Invalid profile",
        )
        if row.due_at is not None:
            pauses.append(round((row.due_at - timezone.now()) / timedelta(minutes=1)))
        let_time_pass(timedelta(days=1))

    assert pauses == [15, 60, 240, 960]
    uploaded(edition=2)
    work()
    assert open_commands(iphone) == ["InstallProfile"]


def test_a_command_that_the_device_calls_malformed_is_not_repeated() -> None:
    iphone = enrolled()
    assigned(iphone)
    answer(iphone, FORMAT_ERROR)

    row = delivery_of(iphone)
    assert (row.state, row.due_at, row.error_text) == (
        State.FAILED,
        None,
        "The device could not, and did not say why.",
    )


@pytest.mark.parametrize("chain", [7, [], ["x"], [{"ErrorCode": "x", "ErrorDomain": 7}], [{"ErrorCode": 1 << 63}]])
def test_an_error_without_its_usual_words_is_one_too(chain: Any) -> None:
    iphone = enrolled()
    assigned(iphone)
    answer(iphone, ERROR, ErrorChain=chain)

    row = delivery_of(iphone)
    assert (row.state, row.error_code, row.error_text) == (
        State.FAILED,
        None,
        "The device could not, and did not say why.",
    )


def test_an_error_with_more_words_than_can_be_read_is_one_too() -> None:
    iphone = enrolled()
    assigned(iphone)
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    answer(iphone, ERROR, ErrorChain=[{"ErrorCode": 1}], Deep=deep)

    row = delivery_of(iphone)
    assert (row.state, row.error_code, row.error_text) == (
        State.FAILED,
        None,
        "The device could not, and did not say why.",
    )


def test_an_answer_to_somebody_elses_command_settles_nothing() -> None:
    iphone = enrolled()
    assigned(iphone)
    mine = Command.objects.get()
    queue.queue(channel_of(iphone), InstallProfile(profile=b"another"))
    other = Command.objects.exclude(pk=mine.pk).get()
    reply(other, ACKNOWLEDGED, None)

    assert delivery_of(iphone).command_id == mine.pk


def test_a_command_that_nobody_will_answer_leaves_a_doubt() -> None:
    iphone = enrolled()
    assigned(iphone)
    Command.objects.filter(channel__enrollment=iphone).cancel()
    configuration_plan.plan_everything()
    work()

    assert delivery_of(iphone).state == State.UNKNOWN
    assert open_commands(iphone) == ["ProfileList"]
    let_time_pass(timedelta(minutes=15))
    assert open_commands(iphone) == ["ProfileList", "InstallProfile"]


def test_in_doubt_it_is_removed() -> None:
    iphone = enrolled()
    configuration = assigned(iphone)
    Command.objects.filter(channel__enrollment=iphone).cancel()
    configuration_plan.plan_everything()
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()
    let_time_pass(timedelta(minutes=15))

    assert "RemoveProfile" in open_commands(iphone)


def test_what_a_retired_device_had_is_revoked() -> None:
    iphone = enrolled()
    applied(iphone)
    retire.end_enrollment(iphone, reason="x", now=NOW)
    work()

    row = delivery_of(iphone)
    assert (row.state, row.installed, row.due_at) == (State.REVOKED, None, None)
    assert open_commands(iphone) == []


def test_a_device_that_enrolls_again_gets_what_is_assigned() -> None:
    old = enrolled()
    configuration = applied(old)
    retire.end_enrollment(old, reason="x", now=NOW)
    new = enrolled(device=old.device)
    configuration_plan.plan_device(new.device_id or 0)
    work()

    assert open_commands(new) == ["InstallProfile"]
    assert delivery_of(new).configuration == configuration
    assert delivery_of(old).state == State.REVOKED


def test_an_unsigned_profile_is_signed_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[bytes] = []

    def sign(content: bytes) -> bytes:
        signed.append(content)
        return b"signed"

    monkeypatch.setattr(Signing, "sign", sign)
    configuration = uploaded()
    for number in range(3):
        configurations.assign(configuration, device_of(enrolled(udid=f"udid-{number}")), actor="anna")
    work()

    assert {installed_profile(row) for row in Command.objects.all()} == {b"signed"}
    assert len(signed) == 1
    assert Command.objects.values("payload").distinct().count() == 1


def test_a_signed_profile_is_delivered_as_it_was_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Signing, "sign", lambda _: b"signed by us")
    raw = pki.sign(profile(), pki.issue("Example Corp"))
    iphone = enrolled()
    configuration = configurations.upload(raw, actor="anna").configuration
    configurations.assign(configuration, device_of(iphone), actor="anna")
    work()

    assert installed_profile(Command.objects.get()) == raw


def test_a_batch_takes_the_same_number_of_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for count in (2, 20):
        for number in range(count):
            iphone = enrolled(udid=f"udid-{count}-{number}")
            configurations.assign(uploaded(), device_of(iphone), actor="anna")
        configuration_plan.plan_everything()
        contents = Contents()
        # savepoint twice, deliveries, the profile, payloads twice, commands, deliveries written
        with django_assert_num_queries(8 if count == 2 else 7):
            assert configuration_delivery.deliver_due(contents) == count


def test_a_plan_takes_the_same_number_of_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    configuration = uploaded()
    for count in (2, 20):
        for number in range(count):
            configuration.assignments.create(device=device_of(enrolled(udid=f"udid-{count}-{number}")))
        with django_assert_num_queries(6):
            configuration_plan.plan_configuration(configuration.pk)
    assert ConfigurationDelivery.objects.count() == 22


def test_a_long_list_is_planned_and_delivered_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_plan, "CHUNK", 2)
    monkeypatch.setattr(configuration_delivery, "BATCH", 2)
    configuration = uploaded()
    for number in range(5):
        configuration.assignments.create(device=device_of(enrolled(udid=f"udid-{number}")))
    work()
    assert Command.objects.count() == 5

    Command.objects.update(state=Command.State.OFFERED)
    uploaded(edition=2)
    work()
    assert set(ConfigurationDelivery.objects.values_list("wanted__number", flat=True)) == {2}
    configurations.remove(configuration, actor="anna")
    work()
    assert set(ConfigurationDelivery.objects.values_list("wanted", flat=True)) == {None}


def test_nothing_readable_of_the_profile_is_stored() -> None:
    assigned(enrolled())

    for model in (ConfigurationVersion, Payload, ConfigurationDelivery, AuditEntry):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")
            stored = [bytes(value) if isinstance(value, memoryview) else value for value in chain(*cursor.fetchall())]
        assert stored
        assert PASSWORD not in str(stored)
