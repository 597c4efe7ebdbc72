"""On the way to a push certificate: our request for it, and the vendor's signature that Apple's portal asks for."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import PushRequest
from devices.protocol import push_certificate as codec
from devices.protocol.push_certificate import SignedRequest
from epmm import audit, options, settings_store
from epmm.wire.errors import SignatureMismatch, UntrustedCertificate, WireError


class PushCertificateRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the administrator."""


def request(*, anew: bool = False, actor: str, address: str | None = None) -> PushRequest:
    """The open request, or a new one with a new key; `anew` gives the open one up, and its key with it."""
    standing = PushRequest.objects.first()
    if standing is not None and not anew:
        return standing
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # takes a while: before the transaction
    try:
        with transaction.atomic():
            return _begin(key, anew=anew, actor=actor, address=address)
    except IntegrityError:  # somebody else was first
        return PushRequest.objects.get()


def _begin(key: rsa.RSAPrivateKey, *, anew: bool, actor: str, address: str | None) -> PushRequest:
    if anew:
        PushRequest.objects.all().delete()
    made = PushRequest.objects.create(
        private_key=to_der(key),
        key_sha256=codec.key_sha256(key.public_key()),
        csr=codec.build_csr(key, organization=settings_store.read(options.ENTERPRISE_NAME)),
    )
    audit.record(
        "push_certificate.requested",
        actor=actor,
        address=address,
        subject_type="push_certificate",
        subject=made.key_sha256.hex(),
    )
    return made


def sign(*, chain: bytes, key: bytes) -> bytes:
    """The file for Apple's portal, signed with a vendor's key that is not kept."""
    csr = _open_csr()
    try:
        certificates = codec.read_certificates(chain)
    except WireError as error:
        raise PushCertificateRefused(_incomplete_chain()) from error
    try:
        private_key = codec.read_key(key)
    except WireError as error:
        raise PushCertificateRefused(
            _("The vendor's key cannot be read. It must be an RSA private key in PEM without a password.")
        ) from error
    _check_chain(certificates, timezone.now())
    signed = SignedRequest.sign(csr, certificates, private_key)
    try:
        signed.verify()
    except SignatureMismatch as error:
        raise PushCertificateRefused(
            _("The vendor's key does not belong to the first certificate of the chain. Give the two that do.")
        ) from error
    return signed.render()


def check_signed(raw: bytes) -> bytes:
    """The file for Apple's portal, from a request that was signed elsewhere."""
    csr = _open_csr()
    try:
        signed = SignedRequest.read(raw)
    except WireError as error:
        raise PushCertificateRefused(
            _("This is not a signed request. It must be the file that the vendor made from the request.")
        ) from error
    if signed.csr != csr:
        raise PushCertificateRefused(
            _("Another request was signed than the one that is open here. Have the open one signed.")
        )
    try:
        signed.verify()
    except SignatureMismatch as error:
        raise PushCertificateRefused(
            _("The signature is not the vendor's: SHA256withRSA over the request in DER. Have it signed again.")
        ) from error
    _check_chain(signed.chain, timezone.now())
    return signed.render()


def to_der(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _open_csr() -> bytes:
    csr = PushRequest.objects.values_list("csr", flat=True).first()
    if csr is None:
        raise PushCertificateRefused(
            _("No request is open. Begin with one: %(command)s") % {"command": "manage.py push_certificate request"}
        )
    return bytes(csr)


def _check_chain(chain: list[x509.Certificate], now: datetime) -> None:
    """What Apple's portal would refuse, hours later and with fewer words."""
    try:
        codec.verify_chain(chain)
    except UntrustedCertificate as error:
        raise PushCertificateRefused(_incomplete_chain()) from error
    for certificate in chain:
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise PushCertificateRefused(
                _("The vendor's chain holds a certificate that is not valid now (%(name)s). Get its successor.")
                % {"name": certificate.subject.rfc4514_string()}
            )


def _incomplete_chain() -> str:
    return _(
        "The vendor's chain is not complete. It must be a PEM file with the MDM vendor certificate, Apple's "
        "intermediate and Apple's root, in this order."
    )
