"""The device's half of SCEP (RFC 8894): ask for a certificate, and take nothing else than what was asked for."""

import base64
import hashlib
from http import HTTPStatus
from typing import Literal, NoReturn
from urllib.parse import quote

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from enrollment.simulator import cms
from enrollment.simulator.challenge import turned_away
from enrollment.simulator.discovery import USER_AGENT
from enrollment.simulator.identity import Identity
from enrollment.simulator.network import media_type, send
from enrollment.simulator.profile import ScepSettings
from enrollment.simulator.refusal import DeviceRefused
from enrollment.simulator.scep_message import REACTION, Request, Responder, check_issuer, open_reply

Method = Literal["POST", "GET"]

_FINGERPRINTS = {16: "md5", 20: "sha1", 32: "sha256", 64: "sha512"}


def look_up(client: httpx2.Client, settings: ScepSettings) -> Responder:
    capabilities = _get(client, settings, "GetCACaps").text.split()
    lowered = {name.lower() for name in capabilities}
    if not lowered & {"sha-1", "sha-256", "sha-512", "scepstandard"}:
        _refuse("the server does not have the required capability: no SHA among its capabilities")
    if not lowered & {"aes", "des3", "scepstandard"}:
        _refuse("the server does not have the required capability: neither AES nor DES3")
    if not lowered & {"postpkioperation", "scepstandard"}:
        _refuse("the server does not have the required capability: no POSTPKIOperation")
    certificates = _certificates(_get(client, settings, "GetCACert"))
    ca = _authority(certificates)
    expected = settings.ca_fingerprint
    if expected is not None and expected != _fingerprint(ca, len(expected)):
        _refuse("the CA is not the one whose CAFingerprint the profile names")
    return Responder(capabilities=frozenset(lowered), ca=ca, ra=_registrar(certificates, ca))


def exchange(
    client: httpx2.Client, settings: ScepSettings, responder: Responder, request: Request, *, method: Method = "POST"
) -> Identity:
    response = send(client, _operation(client, settings, request, method))
    if response.status_code != HTTPStatus.OK:
        raise turned_away(response, REACTION)
    if media_type(response) != "application/x-pki-message":
        _refuse(f"the answer came as {media_type(response) or 'no type'}, not application/x-pki-message")
    return open_reply(response.content, responder, request)


def _get(client: httpx2.Client, settings: ScepSettings, operation: str) -> httpx2.Response:
    address = _address(settings, operation) + (f"&message={quote(settings.name)}" if settings.name else "")
    response = send(client, client.build_request("GET", address, headers={"User-Agent": USER_AGENT}))
    if response.status_code != HTTPStatus.OK:
        raise turned_away(response, REACTION)
    return response


def _operation(client: httpx2.Client, settings: ScepSettings, request: Request, method: Method) -> httpx2.Request:
    address, headers = _address(settings, "PKIOperation"), {"User-Agent": USER_AGENT}
    if method == "POST":
        headers["Content-Type"] = "application/x-pki-message"
        return client.build_request("POST", address, content=request.message, headers=headers)
    # macOS leaves "+" and "/" as they are and escapes "=" only
    message = base64.b64encode(request.message).decode().replace("=", "%3D")
    return client.build_request("GET", f"{address}&message={message}", headers=headers)


def _address(settings: ScepSettings, operation: str) -> str:
    return f"{settings.url}{'&' if '?' in settings.url else '?'}operation={operation}"


def _certificates(response: httpx2.Response) -> list[x509.Certificate]:
    kind = media_type(response)
    try:
        if kind == "application/x-x509-ca-cert":
            return [x509.load_der_x509_certificate(response.content)]
        if kind == "application/x-x509-ca-ra-cert":
            return cms.certificates_in(response.content)
    except (ValueError, cms.CmsError) as error:
        raise DeviceRefused(REACTION, f"GetCACert: {error}") from error
    raise DeviceRefused(REACTION, f"GetCACert came as {kind or 'no type'}")


def _authority(certificates: list[x509.Certificate]) -> x509.Certificate:
    authorities = [item for item in certificates if _is_ca(item)]
    if len(authorities) != 1:
        _refuse("GetCACert does not hold exactly one CA certificate")
    return authorities[0]


def _registrar(certificates: list[x509.Certificate], ca: x509.Certificate) -> x509.Certificate:
    """Whom to encrypt to: devices take the RSA certificate that may encipher keys (RFC 8894 section 2.1.2)."""
    others = [item for item in certificates if item is not ca] or [ca]
    if len(others) != 1:
        _refuse("GetCACert holds more than one RA certificate: a Mac may encrypt to the wrong one")
    ra = others[0]
    if not isinstance(ra.public_key(), rsa.RSAPublicKey):
        _refuse("the RA has no RSA key to encrypt to")
    try:
        usage = ra.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise DeviceRefused(REACTION, "the RA certificate has no key usage") from error
    if not (usage.key_encipherment and usage.digital_signature):
        _refuse("the RA's key usage is not keyEncipherment and digitalSignature")
    if ra is not ca:
        check_issuer(ra, ca)
    return ra


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _fingerprint(certificate: x509.Certificate, length: int) -> bytes:
    der = certificate.public_bytes(serialization.Encoding.DER)
    return hashlib.new(_FINGERPRINTS.get(length, "sha256"), der, usedforsecurity=False).digest()


def _refuse(reason: str) -> NoReturn:
    raise DeviceRefused(REACTION, reason)
