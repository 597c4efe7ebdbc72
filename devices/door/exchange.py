"""What passes between the door and the services behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, Protocol

from django.utils import timezone

PLIST: Final = "application/xml; charset=UTF-8"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A request whose signature or client certificate has been read; whether it may is for the services to say."""

    body: bytes = field(repr=False)
    certificate: bytes = field(repr=False)  # DER
    certificate_sha256: bytes
    bearer_sha256: bytes | None = field(default=None, repr=False)
    address: str | None = None
    came_at: datetime = field(default_factory=timezone.now)  # what it asks may be done much later


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    about: Mapping[str, str] = field(default_factory=dict)  # for the log: which commands

    EMPTY: ClassVar["Answer"]


Answer.EMPTY = Answer()


class Handlers(Protocol):
    """What `epmm/asgi.py` hands to the door; called in a thread, with Django's ORM at hand.

    They raise WireError (400) and the exceptions of `devices/errors.py`.
    """

    def check_in(self, request: DeviceRequest) -> Answer:
        """Authenticate, TokenUpdate, CheckOut and the other check-in messages."""

    def recognize(self, request: DeviceRequest) -> int | None:
        """Before what is costly to read is read, and before a check-in; what it tells once is remembered for a while.

        Returns the device's number, for the log.  Raises for a certificate that was not issued here or has expired.
        """

    def explain(self, request: DeviceRequest, device_key: str) -> None:
        """A connect that matched no active enrollment: raise why, or return when it may go on without its bearer."""
