"""What APNs finds wrong with a request, in its order and its words.

https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

LARGEST_BODY: Final = 4096
_PATH: Final = "/3/device/"
_HEX: Final = re.compile(r"([0-9a-f]{2})+")
_TOPIC: Final = re.compile(r"[A-Za-z0-9.-]+")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_PRIORITIES: Final = ("1", "5", "10")
_LONGEST_COLLAPSE_ID: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    status: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came: nothing is believed yet."""

    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)

    @cached_property
    def fields(self) -> Mapping[str, str]:
        return dict(self.headers)

    @cached_property
    def token(self) -> str:
        return self.fields.get(":path", "").removeprefix(_PATH)


def find_fault(asked: Asked, *, topics: Sequence[str] | None) -> Refusal | None:
    """`topics`: those of the client's certificate; None when it showed none."""
    if topics is None:
        return Refusal(status=403, reason="MissingProviderToken")
    for faults in (_faults_of_address, _faults_of_headers, _faults_of_topic, _faults_of_body):
        for status, reason in faults(asked, topics):
            return Refusal(status=status, reason=reason)
    return None


Faults = Iterator[tuple[int, str]]


def _faults_of_address(asked: Asked, _: Sequence[str]) -> Faults:
    if asked.fields.get(":method") != "POST":
        yield 405, "MethodNotAllowed"
    if not asked.fields.get(":path", "").startswith(_PATH):
        yield 404, "BadPath"
    if not asked.token:
        yield 400, "MissingDeviceToken"
    if not _HEX.fullmatch(asked.token):
        yield 400, "BadDeviceToken"


def _faults_of_headers(asked: Asked, _: Sequence[str]) -> Faults:
    if _repeats(name for name, _ in asked.headers):
        yield 400, "DuplicateHeaders"
    for name, fits, reason in _HEADERS:
        value = asked.fields.get(name)
        if value is not None and not fits(value):
            yield 400, reason


def _faults_of_topic(asked: Asked, topics: Sequence[str]) -> Faults:
    topic = asked.fields.get("apns-topic")
    if topic is None:
        if len(topics) != 1:
            yield 400, "MissingTopic"
    elif not _TOPIC.fullmatch(topic):
        yield 400, "BadTopic"
    elif topic not in topics:
        yield 400, "TopicDisallowed"


def _faults_of_body(asked: Asked, _: Sequence[str]) -> Faults:
    if len(asked.body) > LARGEST_BODY:
        yield 413, "PayloadTooLarge"
    # Apple has no word for a body that no device understands; this one comes nearest.
    if read_magic(asked.body) is None:
        yield 400, "PayloadEmpty"


def read_magic(body: bytes) -> str | None:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(payload, dict) or payload.keys() != {"mdm"}:
        return None
    magic = payload["mdm"]
    return magic if isinstance(magic, str) and magic else None


def _repeats(names: Iterable[str]) -> bool:
    return any(count > 1 for count in Counter(names).values())


_HEADERS: Final[Sequence[tuple[str, Callable[[str], object], str]]] = (
    ("apns-push-type", lambda value: value == "mdm", "InvalidPushType"),
    ("apns-id", _UUID.fullmatch, "BadMessageId"),
    ("apns-priority", lambda value: value in _PRIORITIES, "BadPriority"),
    ("apns-expiration", _SECONDS.fullmatch, "BadExpirationDate"),
    ("apns-collapse-id", lambda value: len(value.encode()) <= _LONGEST_COLLAPSE_ID, "BadCollapseId"),
)
