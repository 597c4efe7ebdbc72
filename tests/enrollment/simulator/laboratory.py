"""A server in miniature that answers as the protocol asks, so that each answer can be spoiled on its own."""

import base64
import json
import plistlib
import secrets
import urllib.parse
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx2
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import AttributeOID, ExtendedKeyUsageOID

from enrollment.simulator import cms, envelope
from enrollment.simulator.cms import verify
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.identity import Authority, Identity, name_of, new_rsa_key
from enrollment.simulator.network import Network

ORIGIN = "https://mdm.example.test:8443"
TOPIC = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"
CSP = "default-src 'none'; form-action 'self' apple-remotemanagement-user-login:"
ACCOUNT = "anna@mdm.example.test"
PASSWORD = "correct horse"
TOKEN = "opaque-Token_1"
DER = serialization.Encoding.DER
SCEP = "2.16.840.1.113733.1.9."

Answer = httpx2.Response
Spoil = Callable[[Answer], Answer]
KEY_USAGE = {
    "content_commitment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "encipher_only": False,
    "decipher_only": False,
    "crl_sign": False,
}


@cache
def keys() -> tuple[rsa.RSAPrivateKey, ...]:
    """Some keys are enough for all tests of this folder: the CA's, the RA's, a device's and another's."""
    return tuple(new_rsa_key() for _ in range(4))


def issue(authority: Authority, key: rsa.RSAPublicKey, **changes: Any) -> x509.CertificateBuilder:
    """A certificate for a device or an RA, still without its signature."""
    ca = authority.identity.certificate
    usage = KEY_USAGE | {"digital_signature": True, "key_encipherment": True, "key_cert_sign": False}
    options: dict[str, Any] = {"ca": False, "purpose": ExtendedKeyUsageOID.CLIENT_AUTH, "usage": {}} | changes
    return (
        x509.CertificateBuilder()
        .subject_name(name_of("issued by the laboratory"))
        .issuer_name(ca.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(options.get("begin", ca.not_valid_before_utc))
        .not_valid_after(ca.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=options["ca"], path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**(usage | options["usage"])), critical=True)
        .add_extension(x509.ExtendedKeyUsage([options["purpose"]]), critical=False)
    )


class Laboratory:
    """`spoiled` alters one kind of answer on its way out; the other attributes alter what is put in."""

    def __init__(self) -> None:
        self.spoiled: dict[str, Spoil] = {}
        self.requests: list[tuple[str, httpx2.Request]] = []
        self.authority = Authority.new(name_of("Laboratory CA"), keys()[0])
        self.ra = self.make_ra()
        self.version = "mdm-adde"
        self.profile_change: Callable[[dict[str, Any]], object] = lambda _: None
        self.signed_profile = True
        self.certifies = True
        self.reply: dict[str, Any] = {}  # changed attributes of CertRep, and of the certificate in it
        self.commands: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self.check_ins: list[dict[str, Any]] = []
        self.pages = [self.login_page()]

    def make_ra(self, key: rsa.RSAPrivateKey | None = None, **changes: Any) -> Identity:
        key = key or keys()[1]
        certificate = issue(self.authority, key.public_key(), **changes).sign(keys()[0], hashes.SHA256())
        return Identity(key=key, certificate=certificate)

    def device(self, family: Family = Family.IPHONE, **options: Any) -> SimulatedDevice:
        network = Network(transport=httpx2.MockTransport(self.handle))
        hardware = Hardware.new(family)
        ready: dict[str, Any] = {"network": network, "hardware": hardware, "ports": {"mdm.example.test": 8443}}
        return SimulatedDevice(ACCOUNT, **(ready | {"new_key": lambda: keys()[2]} | options))

    def requests_of(self, kind: str) -> list[httpx2.Request]:
        return [request for name, request in self.requests if name == kind]

    def handle(self, request: httpx2.Request) -> Answer:
        kind, answer = self.answer(request)
        answer = self.spoiled[kind](answer) if kind in self.spoiled else answer
        self.requests.append((kind, request))
        return answer

    def answer(self, request: httpx2.Request) -> tuple[str, Answer]:
        if request.url.path == "/enroll":
            return (
                ("profile", self.profile()) if "Authorization" in request.headers else ("challenge", self.challenge())
            )
        answers: dict[str, Callable[[httpx2.Request], tuple[str, Answer]]] = {
            "/.well-known/com.apple.remotemanagement": lambda _: ("discovery", self.discovery()),
            "/sign-in": self.sign_in,
            "/scep": self.scep,
            "/mdm/checkin": lambda request: ("check-in", self.check_in(request)),
            "/mdm/connect": lambda request: ("connect", self.connect(request)),
        }
        return answers[request.url.path](request)

    def discovery(self) -> Answer:
        return Answer(200, json={"Servers": [{"Version": self.version, "BaseURL": f"{ORIGIN}/enroll"}]})

    def challenge(self) -> Answer:
        field = f'Bearer method="apple-as-web", url="{ORIGIN}/sign-in?s=1"'
        return Answer(401, headers={"WWW-Authenticate": field})

    # --- The web ------------------------------------------------------------------------------------------------------

    def login_page(self) -> str:
        return """<!doctype html><html lang=en><title>Sign in</title><form method=post action="/sign-in?s=1">
            <input type=hidden name=state value="a&amp;b">
            <label>Account <input name=who autocomplete=username required></label>
            <label>Password <input type=password name=word autocomplete=current-password required></label>
            <button>Continue</button></form>"""

    def sign_in(self, request: httpx2.Request) -> tuple[str, Answer]:
        if request.method == "POST":
            form = dict(urllib.parse.parse_qsl(request.content.decode(), keep_blank_values=True))
            if "word" in form and form["word"] != PASSWORD:
                return "page", self.page('<p role="alert">This password is wrong. (E-201)</p>' + self.pages[0], 403)
            done = int(form.get("page", "0")) + 1
            if done == len(self.pages):
                return "callback", self.callback()
            return "page", self.page(self.pages[done])
        return "page", self.page(self.pages[0])

    def page(self, html: str, status: int = 200) -> Answer:
        return Answer(status, html=html, headers={"Content-Security-Policy": CSP, "Referrer-Policy": "no-referrer"})

    def callback(self) -> Answer:
        location = f"apple-remotemanagement-user-login://authentication-results?access-token={TOKEN}"
        return Answer(308, headers={"Location": location, "Cache-Control": "no-store"})

    # --- The profile --------------------------------------------------------------------------------------------------

    def profile(self) -> Answer:
        return Answer(200, content=self.profile_bytes(), headers={"Content-Type": "application/x-apple-aspen-config"})

    def profile_bytes(self) -> bytes:
        keys_ = self.profile_keys()
        self.profile_change(keys_)
        raw = plistlib.dumps(keys_)
        if not self.signed_profile:
            return raw
        builder = pkcs7.PKCS7SignatureBuilder().set_data(raw)
        key = self.ra.key
        assert isinstance(key, rsa.RSAPrivateKey)
        signer = builder.add_signer(self.ra.certificate, key, hashes.SHA256())
        return signer.sign(DER, [pkcs7.PKCS7Options.Binary])

    def profile_keys(self) -> dict[str, Any]:
        mode = {"mdm-adde": "ADDE", "mdm-byod": "BYOD"}[self.version]
        scep = {
            "URL": f"{ORIGIN}/scep",
            "Name": "devices",
            "Subject": [[["O", "Example"]], [["CN", "one-time reference"]]],
            "Challenge": "challenge-1",
            "Key Type": "RSA",
            "Keysize": 2048,
            "Key Usage": 5,
        }
        mdm = payload("com.apple.mdm", 2) | {
            "IdentityCertificateUUID": payload("", 1)["PayloadUUID"],
            "Topic": TOPIC,
            "ServerURL": f"{ORIGIN}/mdm/connect",
            "CheckInURL": f"{ORIGIN}/mdm/checkin",
            "SignMessage": True,
            "CheckOutWhenRemoved": True,
            "ServerCapabilities": ["com.apple.mdm.per-user-connections", "com.apple.mdm.bootstraptoken"],
            "EnrollmentMode": mode,
            "AssignedManagedAppleID": ACCOUNT,
        }
        content = [
            payload("com.apple.security.scep", 1) | {"PayloadContent": scep},
            mdm | ({"AccessRights": 8191} if mode == "ADDE" else {}),
        ]
        return payload("Configuration", 0) | {"PayloadDisplayName": "Management", "PayloadContent": content}

    # --- SCEP ---------------------------------------------------------------------------------------------------------

    def scep(self, request: httpx2.Request) -> tuple[str, Answer]:
        operation = request.url.params["operation"]
        if operation == "GetCACaps":
            text = "Renewal\nSHA-1\nSHA-256\nAES\nDES3\nSCEPStandard\nPOSTPKIOperation"
            return operation, Answer(200, text=text)
        if operation == "GetCACert":
            bundle = pkcs7.serialize_certificates([self.ra.certificate, self.authority.identity.certificate], DER)
            return operation, Answer(200, content=bundle, headers={"Content-Type": "application/x-x509-ca-ra-cert"})
        if not self.certifies:
            return operation, Answer(503)
        raw = request.content if request.method == "POST" else query_message(request)
        return operation, Answer(200, content=self.certify(raw), headers={"Content-Type": "application/x-pki-message"})

    def certify(self, raw: bytes) -> bytes:
        """CertRep; the envelope of the request is opened by OpenSSL, by way of `cryptography`."""
        request = verify(raw)
        key = self.ra.key
        assert isinstance(key, rsa.RSAPrivateKey)
        wish = x509.load_der_x509_csr(pkcs7.pkcs7_decrypt_der(request.content, self.ra.certificate, key, []))
        challenge = wish.attributes.get_attribute_for_oid(AttributeOID.CHALLENGE_PASSWORD).value
        public = wish.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        good = challenge == b"challenge-1"
        signer = self.reply.get("issuer", self.authority.identity.key)
        issued = issue(self.authority, self.reply.get("key", public), **self.reply.get("certificate", {}))
        bundle = pkcs7.serialize_certificates([issued.sign(signer, hashes.SHA256())], DER)
        attributes: dict[str, core.Asn1Value] = {
            SCEP + "2": core.PrintableString("3"),
            SCEP + "3": core.PrintableString("0" if good else "2"),
            SCEP + "5": core.OctetString(secrets.token_bytes(16)),
            SCEP + "6": core.load(request.attributes[SCEP + "5"]),
            SCEP + "7": core.load(request.attributes[SCEP + "7"]),
        } | ({} if good else {SCEP + "4": core.PrintableString("2")})
        content = b""
        if good:
            recipient = self.reply.get("recipient", request.signer)
            content = envelope.seal(bundle, recipient, cipher=self.reply.get("cipher", "aes128_cbc"))
        changed = {oid: value for oid, value in (attributes | self.reply.get("attributes", {})).items() if value}
        return cms.sign(content, self.reply.get("ra", self.ra), attributes=changed, form=self.reply.get("form"))

    # --- MDM ----------------------------------------------------------------------------------------------------------

    def check_in(self, request: httpx2.Request) -> Answer:
        message = plistlib.loads(request.content)
        self.check_ins.append(message)
        if message["MessageType"] == "DeclarativeManagement":
            return self.declarative(message["Endpoint"])
        return Answer(200)

    def declarative(self, endpoint: str) -> Answer:
        if endpoint == "tokens":
            return Answer(200, json={"SyncTokens": {"Timestamp": "2026-11-22T10:00:00Z", "DeclarationsToken": "t-1"}})
        if endpoint == "declaration-items":
            kinds: dict[str, Any] = {name: [] for name in ("Activations", "Configurations", "Assets", "Management")}
            kinds["Management"] = [{"Identifier": "organization", "ServerToken": "o-1"}]
            return Answer(200, json={"Declarations": kinds, "DeclarationsToken": "t-1"})
        if endpoint == "declaration/management/organization":
            payload_ = {"Name": "Example"}
            name = "com.apple.management.organization-info"
            return Answer(
                200,
                json={"Type": name, "Identifier": "organization", "ServerToken": "o-1", "Payload": payload_},
            )
        return Answer(200)

    def connect(self, request: httpx2.Request) -> Answer:
        self.results.append(plistlib.loads(request.content))
        if not self.commands:
            return Answer(200)
        return Answer(200, content=plistlib.dumps(self.commands.pop(0)), headers={"Content-Type": "application/xml"})

    def order(self, request_type: str, **keys_: Any) -> None:
        identifier = f"00000000-0000-4000-8000-{len(self.commands):012}"
        self.commands.append({"CommandUUID": identifier, "Command": {"RequestType": request_type, **keys_}})


def payload(kind: str, number: int) -> dict[str, Any]:
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"test.example.mdm.{number}",
        "PayloadUUID": f"00000000-0000-4000-8000-00000000000{number}",
    }


def query_message(request: httpx2.Request) -> bytes:
    """As a careful server reads it: what a Mac leaves unescaped is not a blank."""
    value = request.url.query.decode().partition("message=")[2]
    return base64.b64decode(urllib.parse.unquote(value), validate=True)


def document(**changes: Any) -> Spoil:
    """A JSON answer with other keys."""
    return lambda answer: Answer(200, json=json.loads(answer.content) | changes)


def header(name: str, value: str) -> Spoil:
    def spoil(answer: Answer) -> Answer:
        answer.headers[name] = value
        return answer

    return spoil
