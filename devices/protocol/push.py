"""What a push to APNs says, and what the answer to it means.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID, uuid4

# The push only says "connect", so a stored one is harmless, and a device that was off for the weekend still wakes.
LIFETIME: Final = timedelta(days=7)
LARGEST_BODY: Final = 4096
LARGEST_ANSWER: Final = 4096  # the longest that Apple sends is below a hundred bytes
# Apple fixes no length; a device must not choose one that ends the connection for all others.
LONGEST_TOKEN: Final = 256

_TOPIC: Final = re.compile(r"[A-Za-z0-9.-]{1,255}")
_REASON: Final = re.compile(r"[A-Za-z0-9]{1,64}")


class Verdict(Enum):
    ACCEPTED = "accepted"  # by APNs; the device has not been heard of yet
    UNREGISTERED = "unregistered"  # the token has been invalid since `timestamp`; a newer TokenUpdate revives it
    BAD_TOKEN = "bad_token"  # noqa: S105 - malformed, or of another environment
    WRONG_SERVER = "wrong_server"  # never of one push: so many bad tokens that it is not for the devices
    WRONG_TOPIC = "wrong_topic"  # our push certificate is not the one this device enrolled with
    BAD_CERTIFICATE = "bad_certificate"  # expired, revoked or wrong: no push can succeed
    OUR_FAULT = "our_fault"  # a request that Apple finds wrong
    TOO_MANY = "too_many"  # for this token; others may go on
    TRY_LATER = "try_later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    token: bytes = field(repr=False)
    magic: str = field(repr=False)
    topic: str
    expiration: int  # UNIX seconds; 0: one attempt, nothing stored
    priority: int = 10  # 5 may wait for a moment that suits the battery
    apns_id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    kind: Verdict
    status: int  # 0: APNs gave no answer
    reason: str  # Apple's word, or ours where Apple gave none
    timestamp: datetime | None = None
    apns_id: str


REASONS: Final[Mapping[tuple[int, str], Verdict]] = {
    (410, "Unregistered"): Verdict.UNREGISTERED,
    (410, "ExpiredToken"): Verdict.UNREGISTERED,
    (400, "BadDeviceToken"): Verdict.BAD_TOKEN,
    **dict.fromkeys(
        [(400, reason) for reason in ("DeviceTokenNotForTopic", "BadTopic", "MissingTopic", "TopicDisallowed")],
        Verdict.WRONG_TOPIC,
    ),
    # Those that speak of provider tokens (403 Expired-, Invalid-, UnrelatedKeyId-) are not for us: we send none.
    (403, "ExpiredProviderToken"): Verdict.OUR_FAULT,
    (403, "InvalidProviderToken"): Verdict.OUR_FAULT,
    (403, "UnrelatedKeyIdInToken"): Verdict.OUR_FAULT,
    (429, "TooManyProviderTokenUpdates"): Verdict.OUR_FAULT,
}
_CERTIFICATE_REASONS: Final = frozenset(
    {"BadCertificate", "BadCertificateEnvironment", "Forbidden", "MissingProviderToken"}
)
# The remaining reasons of Apple's page say no more than their status does.
_STATUSES: Final[Mapping[int, Verdict]] = {
    200: Verdict.ACCEPTED,
    403: Verdict.BAD_CERTIFICATE,
    410: Verdict.UNREGISTERED,
    429: Verdict.TOO_MANY,
}


def expiration(now: datetime, lifetime: timedelta = LIFETIME) -> int:
    return int((now + lifetime).timestamp())


def headers(push: Push, authority: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", authority),
        (b":path", b"/3/device/" + push.token.hex().encode()),
        (b"apns-push-type", b"mdm"),
        (b"apns-topic", push.topic.encode()),
        (b"apns-priority", b"%d" % push.priority),
        (b"apns-expiration", b"%d" % push.expiration),
        (b"content-type", b"application/json"),
        (b"apns-id", str(push.apns_id).encode()),
    ]


def body(push: Push) -> bytes:
    return b'{"mdm":%b}' % json.dumps(push.magic).encode()


def refusal(push: Push) -> Outcome | None:
    """What APNs would say to a push that is not fit to be sent; None for one that is."""
    if not 1 <= len(push.token) <= LONGEST_TOKEN:
        return _refused(push, Verdict.BAD_TOKEN, "BadDeviceToken")
    if not _TOPIC.fullmatch(push.topic):
        return _refused(push, Verdict.WRONG_TOPIC, "BadTopic")
    if len(body(push)) > LARGEST_BODY:
        return _refused(push, Verdict.OUR_FAULT, "PayloadTooLarge")
    return None


def _refused(push: Push, kind: Verdict, reason: str) -> Outcome:
    return Outcome(kind=kind, status=0, reason=reason, apns_id=str(push.apns_id))


def read_answer(*, status: int, body: bytes, apns_id: str) -> Outcome:
    if status == 200:  # noqa: PLR2004 - the usual case, whose body is empty
        return Outcome(kind=Verdict.ACCEPTED, status=status, reason="", apns_id=apns_id)
    answer = _json(body)
    reason = _reason(answer)
    return Outcome(
        kind=REASONS.get((status, reason)) or _by_status(status),
        status=status,
        reason=reason,
        timestamp=_timestamp(answer),
        apns_id=apns_id,
    )


def read_goaway(data: bytes) -> tuple[Verdict, str]:
    """Why APNs ends a connection; it is also how a revoked certificate is told."""
    reason = _reason(_json(data))
    return (Verdict.BAD_CERTIFICATE if reason in _CERTIFICATE_REASONS else Verdict.TRY_LATER), reason


def _by_status(status: int) -> Verdict:
    """4xx: what we sent is wrong.  All else (5xx, a redirection) comes from a service that is not itself now."""
    if verdict := _STATUSES.get(status):
        return verdict
    return Verdict.OUR_FAULT if 400 <= status < 500 else Verdict.TRY_LATER  # noqa: PLR2004 - RFC 9110, 15.5


def _json(raw: bytes) -> dict[str, Any]:
    if len(raw) > LARGEST_ANSWER:
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _reason(answer: Mapping[str, Any]) -> str:
    """It is logged and stored, so only what looks like a word of Apple's is taken."""
    reason = answer.get("reason")
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""


def _timestamp(answer: Mapping[str, Any]) -> datetime | None:
    milliseconds = answer.get("timestamp")
    if type(milliseconds) is not int:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
