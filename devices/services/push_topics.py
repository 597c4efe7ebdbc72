"""Which push topic enrollments have.  A profile keeps its topic for ever, and only its own topic can wake a device."""

from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from devices.models import Device, Enrollment, PushCertificate
from devices.services import search

NAMED: Final = 3


def lab_topic() -> str:
    """Until a push certificate brings its own: nobody can push to it, everything else works."""
    return f"com.apple.mgmt.External.{uuid5(NAMESPACE_URL, settings.PUBLIC_URL)}"


def for_new_enrollments() -> str:
    """Read anew each time: an enrollment that begins with the wrong one stays out of reach."""
    return PushCertificate.objects.values_list("topic", flat=True).first() or lab_topic()


def devices_by_topic() -> dict[str, int]:
    """How many devices stand under each; one that enrolls once more counts once."""
    device = Count("device", distinct=True) + Count("pk", filter=Q(device=None))
    return dict(Enrollment.objects.standing().values_list("topic").annotate(devices=device).order_by("topic"))


def enrolled(topic: str, most: int = search.CAP) -> search.Count:
    """The devices under this one: nobody reads the difference between 61,212 and 61,213, and it takes a while."""
    # a device has one, or two while it enrolls once more
    some = Enrollment.objects.standing().filter(topic=topic).values("device")[: 2 * (most + 1)]
    found = some.aggregate(devices=Count("device", distinct=True), named=Count("device"), rows=Count("*"))
    number = found["devices"] + found["rows"] - found["named"]
    return search.Count(min(number, most), is_capped=number > most)


def why_not(device: Device, topic: str) -> str | None:
    """Why a certificate for this topic cannot wake the device, as a sentence."""
    topics = set(Enrollment.objects.active().filter(device=device).values_list("topic", flat=True))
    if not topics or topic in topics:
        return None
    return _(
        "This device stands under another push topic than the certificate, and cannot be woken until it enrolls again."
    )


@dataclass(frozen=True, slots=True)
class LeftBehind:
    count: int
    names: str  # the first few


def left_behind(topic: str) -> LeftBehind:
    """The devices that stand under any other topic: a certificate for this one cannot wake them."""
    # as an index is entered, from either side: nearly each installation has one topic, and to walk past it takes long
    standing = Enrollment.objects.standing().select_related("device", "user").order_by("topic", "state", "device")
    others = [*standing.filter(topic__lt=topic)[:NAMED], *standing.filter(topic__gt=topic)[:NAMED]]
    names = list(dict.fromkeys(str(each.device or each.user) for each in others[:NAMED]))
    count = sum(devices for other, devices in devices_by_topic().items() if other != topic) if names else 0
    return LeftBehind(count, ", ".join(names) + (", ..." if count > len(names) else ""))
