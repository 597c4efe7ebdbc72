"""What stands where: for lists, and for one device or configuration."""

from collections.abc import Sequence

from django.db.models import Count, Max, QuerySet

from devices.models import Configuration, ConfigurationAssignment, ConfigurationDelivery, Device
from devices.models.delivery import is_sent
from devices.protocol.sentence import unpacked
from devices.services.wording import worded

State = ConfigurationDelivery.State


def all_configurations() -> QuerySet[Configuration]:
    """Those on their way out too, as long as a device has them."""
    rows = Configuration.objects.select_related("current").defer("current__content")
    return rows.annotate(assigned=Count("assignments")).order_by("identifier")


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
    secrets = ("wanted__content", "installed__content", "channel__push_magic", "channel__enrollment__unlock_token")
    wide = ("channel__enrollment__bootstrap_token", "channel__enrollment__device__details")
    return rows.defer(*secrets, *wide).order_by("pk")
