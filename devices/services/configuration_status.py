"""What stands where: for lists, and for one device or configuration."""

from collections.abc import Sequence
from typing import Final

from django.db.models import Count, Max, OuterRef, QuerySet

from devices.models import Configuration, ConfigurationAssignment, ConfigurationDelivery, Device
from devices.models.delivery import is_sent
from devices.protocol.sentence import unpacked
from devices.services.wording import worded
from epmm.numbers import grouped
from epmm.portal.counting import CountedTo
from epmm.portal.lists import COUNT_CAP, counted

State = ConfigurationDelivery.State
# What somebody has to look at comes first.
COUNTED: Final = (
    State.FAILED,
    State.UPDATE_FAILED,
    State.UNKNOWN,
    State.PENDING,
    State.SENT,
    State.UPDATE_PENDING,
    State.APPLIED,
)
# Neither contents nor the secrets of an enrollment are read for a list.
SHOWN: Final = (
    "state", "command_id", "command_uuid", "attempts", "error_code", "error_domain", "error_text", "error_parts",
    "changed_at", "installed_at", "checked_at", "due_at",
    "configuration__identifier", "wanted__number", "installed__number",
    "channel__user_key", "channel__user_short_name",
    "channel__enrollment__device__uuid",
    "channel__enrollment__device__device_name",
    "channel__enrollment__device__serial_number",
)  # fmt: skip


def all_configurations() -> QuerySet[Configuration]:
    """Those on their way out too, as long as a device has them."""
    return Configuration.objects.select_related("current").defer("current__content").order_by("identifier")


def assigned_counts(configurations: Sequence[Configuration]) -> dict[int, int]:
    rows = ConfigurationAssignment.objects.filter(configuration__in=configurations).order_by()
    return dict(rows.values_list("configuration").annotate(number=Count("pk")))


def counts(configurations: Sequence[Configuration]) -> dict[int, dict[State, int]]:
    """Deliveries by configuration and state; those that are over are not counted."""
    deliveries = ConfigurationDelivery.objects.filter(configuration__in=configurations).exclude(state=State.REVOKED)
    found: dict[int, dict[State, int]] = {}
    states = deliveries.annotate(is_sent=is_sent()).values_list("configuration", "state", "is_sent")
    for configuration_id, state, sent, number in states.annotate(number=Count("pk")).order_by("configuration", "state"):
        shown = State.SENT if sent and state == State.PENDING else State(state)
        by_state = found.setdefault(configuration_id, {})
        by_state[shown] = by_state.get(shown, 0) + number
    return found


class _SentOf(CountedTo):
    """Of as many as are counted: those that are sent."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted WHERE counted.is_sent)"


def told_counts(
    configurations: Sequence[Configuration], *, cap: int = COUNT_CAP, tells_sent: bool = True
) -> dict[int, dict[State, str]]:
    """The same as a page tells it: no further than to a cap, for it waits neither for a fleet nor for its queue.

    Without `tells_sent` what is sent counts as pending: of many configurations it would take a walk through the queue.
    """
    deliveries = ConfigurationDelivery.objects.filter(configuration=OuterRef("pk"))
    columns = {
        state.name: CountedTo(deliveries.filter(state=state), cap=cap) for state in COUNTED if state != State.SENT
    }
    if tells_sent:
        pending = deliveries.with_sent().filter(state=State.PENDING)
        columns[State.SENT.name] = _SentOf(pending, cap=cap, column="is_sent")
    rows = Configuration.objects.filter(pk__in=[row.pk for row in configurations]).annotate(**columns)
    return {row["pk"]: _told(row, cap) for row in rows.values("pk", *columns)}


def _told(row: dict[str, int], cap: int) -> dict[State, str]:
    row = {State.SENT.name: 0, **row}
    sent, is_cut = row[State.SENT.name], row[State.PENDING.name] > cap
    told: dict[State, str] = {}
    for state in COUNTED:
        number = row[state.name] - (sent if state == State.PENDING else 0)
        if number and state in (State.PENDING, State.SENT):  # which of more are sent nobody has looked at
            told[state] = grouped(min(number, cap)) + ("+" if is_cut else "")
        elif number:
            told[state] = counted(number, cap)
    return told


def of_configuration(configuration: Configuration) -> QuerySet[ConfigurationDelivery]:
    return _deliveries().filter(configuration=configuration)


def of_device(device: Device) -> QuerySet[ConfigurationDelivery]:
    """Of its newest enrollment that has any: those before say nothing now."""
    newest = ConfigurationDelivery.objects.filter(channel__enrollment__device=device).aggregate(
        newest=Max("channel__enrollment")
    )
    return _deliveries().filter(channel__enrollment=newest["newest"] or 0)


def error_of(row: ConfigurationDelivery) -> str:
    """In the language of whoever reads it; what a device says stays as it is."""
    return worded(unpacked(row.error_parts)) if row.error_parts else row.error_text


def assignments_of(configuration: Configuration) -> QuerySet[ConfigurationAssignment]:
    return configuration.assignments.select_related("device", "label").order_by("pk")


def _deliveries() -> QuerySet[ConfigurationDelivery]:
    rows = ConfigurationDelivery.objects.with_sent().select_related(
        "configuration", "wanted", "installed", "channel__enrollment__device"
    )
    return rows.only(*SHOWN).order_by("pk")
