"""What is to be on which device: deliveries made to agree with the assignments, for one configuration or one device.

Only what differs is touched, some hundred rows at a time, so a plan may be broken off and made again at any moment.
Whoever assigns a device need not know how: what counts is `assigned_devices` here and `_is_assigned` of deliveries.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from devices.models import (
    Channel,
    Command,
    Configuration,
    ConfigurationAssignment,
    ConfigurationDelivery,
    Device,
    Enrollment,
    LabelMember,
    Result,
)
from devices.models.delivery import DeliveryQuerySet
from devices.protocol.commands import Platform
from devices.services.target import target_of
from epmm.models import Job

CHUNK: Final = 500
_IS_MAC: Final = Q(enrollment__device__platform=Device.Platform.MACOS) | Q(
    enrollment__device__platform="", enrollment__family="Mac"
)
_IS_USER: Final = ~Q(user_key="")


def plan_soon(configuration: Configuration) -> None:
    """Not deduplicated: a plan that is being made already may have passed what has just changed."""
    Job.enqueue("devices.plan_configuration", configuration=configuration.pk)


def plan_device_soon(device_id: int) -> None:
    Job.enqueue("devices.plan_device", device=device_id)


def plan_configuration(configuration_id: int) -> None:
    configuration = Configuration.objects.filter(pk=configuration_id).first()
    if configuration is None:
        return
    _correct(ConfigurationDelivery.objects.filter(configuration=configuration))
    missing = _channels_without(configuration)
    for chunk in _chunks(missing):
        _add((channel_id, configuration) for channel_id in chunk)


def plan_device(device_id: int) -> None:
    _correct(ConfigurationDelivery.objects.filter(channel__enrollment__device=device_id))
    channels = Channel.objects.filter(enrollment__device=device_id, enrollment__state=Enrollment.State.ACTIVE)
    for channel in channels.select_related("enrollment__device"):
        _add((channel.pk, configuration) for configuration in _missing_on(channel, device_id))


def plan_everything() -> None:
    """What a change did not see, and commands that nobody will answer any more."""
    for configuration_id in Configuration.objects.order_by("pk").values_list("pk", flat=True):
        plan_configuration(configuration_id)
    lost = ConfigurationDelivery.objects.filter(command_id__isnull=False, due_at=None).exclude(
        Exists(Command.objects.filter(pk=OuterRef("command_id")))
        | Exists(Result.objects.filter(pk=OuterRef("command_id")))
    )
    for chunk in _chunks(lost):
        ConfigurationDelivery.objects.filter(pk__in=chunk).update(due_at=timezone.now())


def judge_again(device_ids: Collection[int]) -> None:
    """These devices are not what they were: perhaps they may have what we refused to send them."""
    deliveries = ConfigurationDelivery.objects.enrolled().filter(channel__enrollment__device__in=device_ids)
    deliveries.refused_by_us().update(due_at=timezone.now())


def assigned_devices(configuration: Configuration) -> Q:
    """A condition on channels."""
    assignments = ConfigurationAssignment.objects.filter(configuration=configuration, configuration__removed_at=None)
    members = LabelMember.objects.filter(label__in=assignments.filter(label__isnull=False).values("label"))
    single = assignments.filter(device__isnull=False).values("device")
    return Q(enrollment__device__in=single) | Q(enrollment__device__in=members.values("device"))


def _correct(deliveries: DeliveryQuerySet) -> None:
    enrolled = deliveries.enrolled()
    for differing, correct in (
        (enrolled.unassigned(), DeliveryQuerySet.want_nothing),
        (enrolled.outdated(), DeliveryQuerySet.want_current),
    ):
        _update(differing, correct)


def _update(differing: DeliveryQuerySet, correct: Callable[[DeliveryQuerySet], int]) -> None:
    for chunk in _chunks(differing):
        correct(ConfigurationDelivery.objects.filter(pk__in=chunk))


def _channels_without(configuration: Configuration) -> QuerySet[Channel]:
    fits = _IS_USER & _IS_MAC | ~_IS_USER & ~_IS_MAC if configuration.scope == Configuration.Scope.USER else ~_IS_USER
    there = ConfigurationDelivery.objects.filter(channel=OuterRef("pk"), configuration=configuration)
    channels = Channel.objects.filter(assigned_devices(configuration), enrollment__state=Enrollment.State.ACTIVE)
    return channels.filter(fits).exclude(Exists(there))


def _missing_on(channel: Channel, device_id: int) -> QuerySet[Configuration]:
    there = ConfigurationDelivery.objects.filter(channel=channel, configuration=OuterRef("pk"))
    assignments = ConfigurationAssignment.objects.filter(configuration=OuterRef("pk"))
    assigned = Exists(assignments.filter(device=device_id)) | Exists(
        assignments.filter(label__members__device=device_id)
    )
    scopes = [Configuration.Scope.USER] if channel.user_key else [Configuration.Scope.SYSTEM]
    if target_of(channel).platform is not Platform.MACOS:
        scopes = list(Configuration.Scope)
    return Configuration.objects.standing().filter(assigned, scope__in=scopes).exclude(Exists(there))


def _add(pairs: "Iterator[tuple[int, Configuration]]") -> None:
    ConfigurationDelivery.objects.bulk_create(
        [
            ConfigurationDelivery(
                channel_id=channel_id, configuration=configuration, wanted_id=configuration.current_id
            )
            for channel_id, configuration in pairs
        ],
        ignore_conflicts=True,
    )


def _chunks(rows: "QuerySet[Channel] | DeliveryQuerySet") -> Iterator[list[int]]:
    """Their keys in order, read again for each chunk: none is skipped, and none comes twice."""
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        yield chunk
        last = chunk[-1]
