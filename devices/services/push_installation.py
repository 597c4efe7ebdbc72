"""Installing a push certificate: the first one, a renewed one, or one from another server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import PushCertificate, PushRequest
from devices.protocol import push_certificate as codec
from devices.protocol.push_certificate import Facts
from devices.services import push_certificates, push_requests, push_topics, waking
from devices.services.push_requests import PushCertificateRefused
from epmm import audit
from epmm.numbers import grouped, in_utc
from epmm.wire.errors import WireError
from epmm.wire.x509 import sha256


class ConfirmationNeeded(PushCertificateRefused):
    """Nothing was changed: whoever installs is to say first that these consequences are meant."""

    def __init__(self, consequences: list[str]) -> None:
        super().__init__(" ".join(consequences))
        self.consequences = consequences


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A certificate that is to be installed."""

    der: bytes
    facts: Facts
    private_key: bytes | None = field(repr=False)  # of a certificate from another server
    apple_account: str | None  # None keeps the one that is known

    @property
    def sha256(self) -> bytes:
        return sha256(self.der)


def install(
    certificate: bytes,
    *,
    key: bytes | None = None,
    apple_account: str | None = None,
    confirmed: bool = False,
    actor: str,
    address: str | None = None,
) -> PushCertificate:
    """Raises PushCertificateRefused, or ConfirmationNeeded when it works with `confirmed` only."""
    given = _read(certificate, key, apple_account)
    _check_dates(given.facts, timezone.now())
    try:
        with transaction.atomic():
            row = _install(given, confirmed=confirmed, actor=actor, address=address)
            waking.revive_topic(row.topic)
            return row
    except IntegrityError as error:
        raise PushCertificateRefused(
            _("Somebody else installed a push certificate at this moment. Look at it before you try again.")
        ) from error


def _install(given: Given, *, confirmed: bool, actor: str, address: str | None) -> PushCertificate:
    # The request first: who waits for it then sees the certificate that it has become.
    request = PushRequest.objects.select_for_update().first()
    present = PushCertificate.objects.select_for_update().first()
    if present is not None and _is_installed(given, present):
        return present
    private_key = given.private_key or _key_for(given.facts, request, present)
    _check_topic(given.facts, present)
    consequences = list(_consequences(given.facts, present))
    if consequences and not confirmed:
        raise ConfirmationNeeded(consequences)
    before = bytes(present.sha256).hex() if present is not None else None
    row = _store(given, private_key, present)
    if request is not None and bytes(request.key_sha256) == given.facts.key_sha256:
        request.delete()
    audit.record(
        "push_certificate.installed",
        actor=actor,
        address=address,
        subject_type="push_certificate",
        subject=row.topic,
        details={
            "serial_number": row.serial_number,
            "sha256": row.sha256.hex(),
            "before": before,
            "not_after": row.not_after.isoformat(),
            "imported": given.private_key is not None,
            "confirmed": consequences,
        },
    )
    transaction.on_commit(push_certificates.clear_cache)
    return row


def _read(certificate: bytes, key: bytes | None, apple_account: str | None) -> Given:
    try:
        found = codec.read_certificates(certificate)
    except WireError as error:
        raise PushCertificateRefused(
            _("This file holds no certificate. Install the file that Apple's portal gave you.")
        ) from error
    for each in found:
        try:
            facts = Facts.of(each)
        except WireError:
            continue  # of the chain, in a file that brings it along
        private_key = None if key is None else _imported(key, facts)
        der = each.public_bytes(Encoding.DER)
        return Given(der=der, facts=facts, private_key=private_key, apple_account=apple_account)
    raise PushCertificateRefused(
        _(
            "This is not an MDM push certificate: its subject has no UID that begins with com.apple.mgmt. "
            "Install the file that Apple's portal gave you."
        )
    )


def _imported(key: bytes, facts: Facts) -> bytes:
    try:
        private_key = codec.read_key(key)
    except WireError as error:
        raise PushCertificateRefused(
            _("The key cannot be read. It must be an RSA private key in PEM without a password.")
        ) from error
    if codec.key_sha256(private_key.public_key()) != facts.key_sha256:
        raise PushCertificateRefused(
            _("The key does not belong to this certificate. Give the one that its request was made with.")
        )
    return push_requests.to_der(private_key)


def _check_dates(facts: Facts, now: datetime) -> None:
    if now > facts.not_after:
        raise PushCertificateRefused(
            _("This certificate expired on %(date)s. Renew it at Apple's portal, and install the new one.")
            % {"date": f"{facts.not_after:%Y-%m-%d}"}
        )
    if now < facts.not_before:
        raise PushCertificateRefused(
            _("This certificate is not valid before %(date)s. Is the clock of this server right?")
            % {"date": in_utc(facts.not_before)}
        )


def _is_installed(given: Given, present: PushCertificate) -> bool:
    return bytes(present.sha256) == given.sha256 and given.apple_account in {None, present.apple_account}


def _key_for(facts: Facts, request: PushRequest | None, present: PushCertificate | None) -> bytes:
    for row in (request, present):
        if row is not None and bytes(row.key_sha256) == facts.key_sha256:
            return bytes(row.private_key)
    raise PushCertificateRefused(
        _(
            "This certificate was made for a key that this server does not have. Install the one that Apple's portal "
            "made from the open request, or give its key as well."
        )
    )


def _check_topic(facts: Facts, present: PushCertificate | None) -> None:
    if present is None or present.topic == facts.topic:
        return
    count = push_topics.devices_by_topic().get(present.topic, 0)
    if count:
        raise PushCertificateRefused(
            _(
                "This certificate has another topic (%(new)s), which would leave devices under the present one "
                "(%(old)s) out of reach for ever; enrolled now: %(count)s. At Apple's portal, renew the existing "
                "certificate under the same Apple Account instead of making another."
            )
            % {"new": facts.topic, "old": present.topic, "count": grouped(count)}
        )


def _consequences(facts: Facts, present: PushCertificate | None) -> Iterator[str]:
    if not facts.is_by_apple:
        yield _("Its issuer (%(issuer)s) is not Apple's: only a push service of a laboratory will accept it.") % {
            "issuer": facts.issuer
        }
    if present is not None and facts.not_after < present.not_after:
        yield _("It expires before the installed one: on %(new)s instead of %(old)s.") % {
            "new": f"{facts.not_after:%Y-%m-%d}",
            "old": f"{present.not_after:%Y-%m-%d}",
        }
    if present is None or present.topic != facts.topic:
        yield from _devices_left_behind(facts.topic)


def _devices_left_behind(topic: str) -> Iterator[str]:
    left = push_topics.left_behind(topic)
    if left.count:
        yield _(
            "Devices enrolled under another topic cannot be woken until they enroll again: %(count)s (%(names)s)."
        ) % {
            "count": left.count,
            "names": left.names,
        }


def _store(given: Given, private_key: bytes, present: PushCertificate | None) -> PushCertificate:
    facts, row = given.facts, present or PushCertificate()
    row.private_key, row.key_sha256 = private_key, facts.key_sha256
    row.certificate, row.sha256 = given.der, given.sha256
    row.topic, row.serial_number, row.issuer = facts.topic, facts.serial_number, facts.issuer
    row.not_before, row.not_after = facts.not_before, facts.not_after
    row.installed_at, row.warned_days, row.refused_at = timezone.now(), None, None
    if given.apple_account is not None:
        row.apple_account = given.apple_account
    row.save(force_insert=present is None)
    return row
