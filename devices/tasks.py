from datetime import timedelta

from django.utils import timezone

from devices.services import (
    action_runs,
    archive,
    configuration_delivery,
    configuration_drift,
    configuration_plan,
    configurations,
    contact,
    declaration_runs,
    declaration_status,
    declarations,
    declarative,
    departing,
    description,
    duplicates,
    identity_expiry,
    inventory_rounds,
    label_members,
    long_expressions,
    managed_applications,
    push,
    push_expiry,
    results,
    retired_records,
    waking,
)
from devices.services import broadcast as broadcasts
from devices.services.declaration_status import TOGETHER
from epmm import jobs


@jobs.handles("devices.read_results", outbox=results.waiting)
def read_results() -> None:
    while results.read_results(results.BATCH) == results.BATCH:
        pass


@jobs.handles("devices.read_status_reports", outbox=declaration_status.waiting)
def read_status_reports() -> None:
    while declaration_status.read_waiting() >= TOGETHER:  # what trickles in is read together at the next look
        pass


@jobs.handles("devices.copy_last_seen", every=timedelta(seconds=10))
def copy_last_seen() -> None:
    contact.copy_last_seen()


@jobs.handles("devices.tally_broadcasts", every=timedelta(seconds=30))
def tally_broadcasts() -> None:
    broadcasts.tally()


@jobs.handles(action_runs.KIND)
def act(run: int) -> None:
    action_runs.work(run)


@jobs.handles("devices.ask_for_inventories", every=inventory_rounds.EVERY)
def ask_for_inventories() -> None:
    inventory_rounds.ask_where_due()


@jobs.handles(archive.KIND, every=timedelta(days=1))
def keep_archive_in_shape() -> None:
    archive.keep_in_shape()


@jobs.handles(managed_applications.KIND)
def look_after_applications(devices: list[int], chain: int, look: int) -> None:
    managed_applications.look_again(devices, chain, look)


@jobs.handles("devices.warn_of_push_expiry", every=timedelta(hours=1))
def warn_of_push_expiry() -> None:
    push_expiry.warn()


@jobs.handles("devices.warn_of_identity_expiry", every=timedelta(hours=1))
def warn_of_identity_expiry() -> None:
    identity_expiry.warn(timezone.now())


@jobs.handles("devices.push", outbox=push.waiting)
def push_due() -> None:
    while push.push_due() == push.BATCH:
        pass


@jobs.handles("devices.push_after_the_clock_was_ahead", every=timedelta(minutes=1))
def push_after_the_clock_was_ahead() -> None:
    waking.after_the_clock_was_ahead()


@jobs.handles("devices.revive_heard", every=timedelta(minutes=1))
def revive_heard() -> None:
    waking.revive_heard()


@jobs.handles("devices.retry_pushes")
def retry_pushes() -> None:
    waking.retry()


@jobs.handles("devices.wake")
def wake(channel: int) -> None:
    """Of the release that had a job for each."""
    waking.wake_channels([channel])


@jobs.handles(broadcasts.QUEUE)
def queue_broadcast(broadcast: int) -> None:
    broadcasts.work(broadcast)


@jobs.handles(broadcasts.CALL_BACK)
def call_back(broadcast: int) -> None:
    broadcasts.call_back(broadcast)


@jobs.handles("devices.settle_broadcasts", every=timedelta(minutes=5))
def settle_broadcasts() -> None:
    broadcasts.settle()


@jobs.handles(declarations.CHANGED)
def declaration_changed(declaration: int, after: int = 0) -> None:
    declarations.spread_change(declaration, after)


@jobs.handles(declarations.ASSIGNED)
def declarations_assigned(devices: list[int]) -> None:
    declarations.tell_devices(devices)


@jobs.handles(declaration_runs.KIND)
def declare_to_many(run: int) -> None:
    declaration_runs.work(run)


@jobs.handles("devices.refresh_declarations", every=timedelta(days=1))
def refresh_declarations() -> None:
    declarations.refresh_all()


@jobs.handles(declarations.MORE)
def refresh_more_declarations(after: int) -> None:
    declarations.refresh_all(after)


@jobs.handles("devices.tidy_declarations", every=timedelta(minutes=5))
def tidy_declarations() -> None:
    declarative.tidy()


@jobs.handles("devices.deliver_configurations", outbox=configuration_delivery.waiting)
def deliver_configurations() -> None:
    configuration_delivery.deliver_all_due()


@jobs.handles("devices.plan_configuration")
def plan_configuration(configuration: int) -> None:
    configuration_plan.plan_configuration(configuration)


@jobs.handles("devices.plan_device")
def plan_device(device: int) -> None:
    configuration_plan.plan_device(device)


@jobs.handles("devices.look_after_configurations", every=timedelta(hours=1))
def look_after_configurations() -> None:
    configuration_plan.plan_everything()
    configuration_drift.ask_where_due()


@jobs.handles("devices.forget_removed_configurations", every=timedelta(minutes=1))
def forget_removed_configurations() -> None:
    configurations.forget_removed()


@jobs.handles("devices.evaluate_label")
def evaluate_label(label: int) -> None:
    label_members.evaluate(label)


@jobs.handles("devices.follow_changes", every=timedelta(seconds=10))
def follow_changes() -> None:
    label_members.follow_changes()


@jobs.handles("devices.follow_time", every=timedelta(hours=1))
def follow_time() -> None:
    description.describe_new()
    label_members.follow_time()


@jobs.handles("devices.look_after_records", every=timedelta(minutes=10))
def look_after_records() -> None:
    retired_records.begin_where_due()
    duplicates.begin_where_due()
    duplicates.look()
    long_expressions.forget(timezone.now())


@jobs.handles(retired_records.KIND)
def delete_retired(days: int) -> None:
    retired_records.delete_all(days)


@jobs.handles(duplicates.KIND)
def tidy_duplicates() -> None:
    duplicates.tidy_all()


@jobs.handles("devices.person_named")
def person_named(user: int) -> None:
    description.people_named([user])


@jobs.handles("devices.people_named")
def people_named(users: list[int]) -> None:
    description.people_named(users)


@jobs.handles("devices.role_revoked")
def role_revoked(user: int, role: str, actor: str) -> None:
    departing.role_revoked(user, role, actor=actor)


@jobs.handles("devices.retire_of_person")
def retire_of_person(user: int, actor: str) -> None:
    departing.retire_all(user, actor=actor)
