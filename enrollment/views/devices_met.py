"""Which device somebody reads a page on, by what its browser says of itself: good for a hint, not for more."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

from devices.protocol.target import Platform


@dataclass(frozen=True, slots=True)
class Met:
    slug: str
    name: str
    family: str  # Apple's name of it, where we use it
    platform: Platform


MET: Final = (
    Met("iphone", "iPhone", "iPhone", Platform.IOS),
    Met("ipad", "iPad", "iPad", Platform.IOS),
    Met("mac", "Mac", "Mac", Platform.MACOS),
    Met("vision", "Apple Vision Pro", "RealityDevice", Platform.VISIONOS),
)
BY_SLUG: Final = {met.slug: met for met in MET}


def met(request: HttpRequest) -> Met | None:
    """An iPad that asks for the pages of a desk calls itself a Mac: pages for a Mac show the way to the others."""
    agent = request.headers.get("User-Agent", "")
    for mark, slug in (("iPhone", "iphone"), ("iPad", "ipad"), ("Apple Vision", "vision"), ("Macintosh", "mac")):
        if mark in agent:
            return BY_SLUG[slug]
    return None


def family_of(request: HttpRequest) -> str:
    """For what is decided by it: a Mac is not told from an iPad, so neither is claimed."""
    found = met(request)
    return found.family if found is not None and found.slug in ("iphone", "ipad") else ""
