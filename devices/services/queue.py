"""Putting commands into the queue of a channel, and taking them out again."""

import logging
from collections.abc import Callable, Iterable, Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from devices.models import Channel, Command, Enrollment, Payload
from devices.protocol import commands
from devices.protocol.commands import Request, Target
from devices.protocol.stamp import NOBODY
from devices.services import departure
from devices.services.target import LOOKED_AT, target_of
from devices.services.wording import worded
from epmm import request_id
from epmm.logging import inform
from epmm.wire.errors import WireError

logger = logging.getLogger(__name__)


class CommandRefused(Exception):
    """Nothing was queued.  The argument is a sentence for the administrator."""


@transaction.atomic
def queue(channel: Channel, request: Request) -> Command:
    """Queue it, rendered once and for all; what cannot work there raises `CommandRefused` instead."""
    target = target_of(channel)
    # locked: who ends it meanwhile waits, and then takes this command out again
    if not Enrollment.objects.standing().select_for_update(no_key=True).filter(pk=channel.enrollment_id):
        raise CommandRefused(_("This enrollment has ended."))
    if sentence := commands.why_not(request, target):
        raise CommandRefused(worded(sentence))
    (command,) = _commands(channel, [request])
    command.save()
    _tell([command])
    departure.announce(channel.enrollment, request, target)
    return command


def queue_all(orders: Sequence[tuple[Channel, Request]], *, is_routine: bool = False) -> list[Command]:
    """Many at once, in a few statements, for callers who have asked `why_not`; what many get is rendered once."""
    rendered: dict[int, bytes] = {}
    for _channel, request in orders:
        if id(request) not in rendered:
            rendered[id(request)] = render(request)
    payloads = Payload.objects.of([rendered[id(request)] for _, request in orders])
    queued = Command.objects.bulk_create(
        _command(channel, request, payload, is_routine=is_routine)
        for (channel, request), payload in zip(orders, payloads, strict=True)
    )
    _tell(queued)
    return queued


@transaction.atomic
def queue_where_it_works(orders: Sequence[tuple[Channel, Request]]) -> list[Command]:
    """As `queue` for each, in a few statements: whoever has ended meanwhile, or cannot, is left out.

    Not for commands after which a device is gone, which its record tells of.
    """
    locked = Enrollment.objects.standing().select_for_update(no_key=True).order_by("pk")
    standing = set(locked.filter(pk__in={channel.enrollment_id for channel, _ in orders}).values_list("pk", flat=True))
    return queue_all(
        [
            (channel, request)
            for channel, request in orders
            if channel.enrollment_id in standing and commands.why_not(request, target_of(channel)) is None
        ]
    )


def ask(
    channels: QuerySet[Channel], questions: Callable[[Target], Iterable[Request]], *, is_routine: bool = False
) -> list[Command]:
    """Queue what each is to be asked, but nothing twice; in a few statements, however many they are.

    Who is being asked for a part of it is asked for the whole all the same.
    """
    found = list(channels.select_related("enrollment__device").only("user_key", *LOOKED_AT))
    whole = Command.objects.open().filter(channel__in=found, is_partial=False)
    is_open = set(whole.values_list("channel", "request_type"))
    alike: dict[Request, Request] = {}  # what many get is rendered once
    orders = [
        (channel, alike.setdefault(request, request))
        for channel in found
        for request in questions(target_of(channel))
        if (channel.pk, request.request_type) not in is_open
    ]
    return queue_all(orders, is_routine=is_routine)


def queue_first_inventory(enrollment: Enrollment) -> None:
    """Ask a new enrollment about itself, as far as its kind and platform allow."""
    channel = enrollment.channels.get(user_key="")
    channel.enrollment = enrollment
    requests = commands.first_inventory(target_of(channel))
    _tell(Command.objects.bulk_create(_commands(channel, requests)))


def render(request: Request) -> bytes:
    """Without its UUID, which each command gets when it goes out."""
    try:
        return commands.render(request, NOBODY)
    except WireError as error:
        raise CommandRefused(f"{request.request_type}: the {error}.") from error


def _commands(channel: Channel, requests: Sequence[Request]) -> list[Command]:
    payloads = Payload.objects.of([render(request) for request in requests])
    return [_command(channel, request, payload) for request, payload in zip(requests, payloads, strict=True)]


def _command(channel: Channel, request: Request, payload: Payload, *, is_routine: bool = False) -> Command:
    return Command(
        channel=channel,
        request_type=request.request_type,
        payload=payload,
        priority=commands.priority_of(request.request_type),
        is_routine=is_routine,
        # what is asked regularly is the whole; to find that out takes as long as making the question
        is_partial=not is_routine and commands.is_partial(request, target_of(channel)),
    )


def _tell(queued: Iterable[Command]) -> None:
    """Here the name of the request that caused it stands beside the command's, which is all that comes later."""
    for command in queued:
        about = {
            "command": str(command.uuid).upper(),  # as `send` prints it
            "request_type": command.request_type,
            "device": command.channel.enrollment.device_id,
        }
        inform(logger, "a command was queued", about, request_id.current())
