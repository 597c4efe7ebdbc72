"""Enrollments made by the services themselves, without HTTP."""

import hashlib
import plistlib
from dataclasses import dataclass
from typing import Any

from devices.door.exchange import Answer, DeviceRequest
from devices.models import Enrollment, Identity
from enrollment.checkin import CheckinHandlers
from enrollment.services import issuance, policy, profiles, tokens
from tests import pki
from tests.recorded import VECTORS
from users.models import User

UDID = "00008140-000A1B2C3D4E5F60"
TOPIC = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"


@dataclass
class Phone:
    """A device with an identity, speaking straight to the check-in handlers."""

    enrollment: Enrollment
    identity: Identity
    bearer: bytes | None
    key: str = UDID
    address: str | None = None

    def send(self, example: str, *, identity: Identity | None = None, bearer: Any = "own", **changes: Any) -> Answer:
        message = plistlib.loads((VECTORS / f"examples/checkin-{example}.plist").read_bytes())
        message |= {"Topic": self.enrollment.topic}
        if "UDID" in message:
            message["UDID"] = self.key
        if "EnrollmentID" in message:
            message["EnrollmentID"] = self.key
        message |= changes
        body = plistlib.dumps({key: value for key, value in message.items() if value is not None})
        return CheckinHandlers().check_in(self.request(body, identity=identity, bearer=bearer))

    def request(self, body: bytes = b"", *, identity: Identity | None = None, bearer: Any = "own") -> DeviceRequest:
        used = identity or self.identity
        return DeviceRequest(
            body=body,
            certificate=bytes(used.der),
            certificate_sha256=bytes(used.sha256),
            bearer_sha256=self.bearer if bearer == "own" else bearer,
            address=self.address,
        )

    def enroll(self) -> None:
        self.send("authenticate-adde-ios")
        self.send("tokenupdate-adde-ios")

    def reload(self) -> Enrollment:
        return Enrollment.objects.get(pk=self.enrollment.pk)

    def new_identity(self, number: int = 40) -> Identity:
        """As SCEP gives it for a renewed profile."""
        return identity_for(self.enrollment, number)


def identity_for(enrollment: Enrollment, number: int) -> Identity:
    challenge = issuance.new_challenge(enrollment)
    key = pki.rsa_key(number=number).public_key()
    return issuance.issue(
        challenge=issuance.challenge_text(challenge), public_key=key, transaction_id=f"t{challenge.pk}"
    )


def new_phone(user: User, *, kind: str = "adde", key: str = UDID, number: int = 41) -> Phone:
    token = tokens.issue(user=user, kind=Enrollment.Kind(kind), reference="", attempt=None, device=None)
    profiles.deliver(token=token, reference="", facts=policy.Facts(kind=Enrollment.Kind(kind)))
    digest = hashlib.sha256(token.encode()).digest()
    enrollment = Enrollment.objects.get(bearer_sha256=digest)
    return Phone(enrollment=enrollment, identity=identity_for(enrollment, number), bearer=digest, key=key)
