"""Profiles that devices download because a declaration says so.

Whether a device signs that request is nowhere stated, so the address itself is the secret: one for each channel and
profile, made with our key, and good for as long as the device keeps in touch.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from devices.models import Channel, Declaration, Enrollment
from devices.protocol.configuration_profile import Payload, judge
from devices.protocol.declarations.legacy import read_profile
from devices.protocol.target import Target

PATH: Final = "declarations/profile"
GOOD_FOR: Final = timedelta(days=7)  # of silence: as it comes, a device is asked for its inventory every day


@dataclass(frozen=True, slots=True)
class Outline:
    """What decides where a profile may go, without its values."""

    identifier: str
    payloads: tuple[Payload, ...]


class ProfileGone(Exception):
    """404, whatever the reason: an address that is wrong learns nothing."""


def digest(profile: bytes) -> str:
    return hashlib.sha256(profile).hexdigest()


def why_not(sha256: str, target: Target) -> str | None:
    """A device would refuse the profile for what is in it.  Raises InvalidDeclaration."""
    outline = _outline(sha256)
    return judge(outline.identifier, outline.payloads, target).refusal


@lru_cache(maxsize=256)
def _outline(sha256: str) -> Outline:
    """The same for ever: the hash is that of the profile."""
    row = Declaration.objects.filter(profile_sha256=sha256).only("profile").first()
    profile = read_profile(bytes(row.profile or b"") if row is not None else b"")
    return Outline(profile.identifier, profile.payloads)


def url_for(channel: Channel, sha256: str) -> str:
    return f"{settings.PUBLIC_URL}/{PATH}/{channel.pk}/{sha256}/{_mac(channel.pk, sha256)}"


def is_ours(channel: int, sha256: str, mac: str) -> bool:
    """Nobody can make up an address: whoever has one that is right had it from us."""
    return hmac.compare_digest(mac.encode(), _mac(channel, sha256).encode())


def fetch(channel: int, sha256: str) -> bytes:
    """The profile behind an address of ours, while the device is managed and meant to have it."""
    in_touch = Channel.objects.filter(
        pk=channel,
        enrollment__state=Enrollment.State.ACTIVE,
        enrollment__channels__last_seen_at__gte=timezone.now() - GOOD_FOR,  # users of a Mac have hardly any contact
    )
    device = in_touch.values_list("enrollment__device", flat=True).first()
    if device is None:
        raise ProfileGone
    assigned = Declaration.objects.filter(profile_sha256=sha256, removed_at=None, assignments__device=device).first()
    if assigned is None or assigned.profile is None:
        raise ProfileGone
    return bytes(assigned.profile)


def _mac(channel: int, sha256: str) -> str:
    return salted_hmac("devices.declared_profile", f"{channel}/{sha256}", algorithm="sha256").hexdigest()
