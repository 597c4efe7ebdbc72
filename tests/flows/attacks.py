"""What the curious and the hostile send: requests made of genuine ones that went wrong, and of nothing at all."""

import base64
import plistlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from asn1crypto import core
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from enrollment.simulator import cms, envelope, messages, scep, scep_message
from enrollment.simulator.messages import Channel
from tests import pki
from tests.enrollment.conftest import MACHINE_INFO
from tests.enrollment.protocol.scep.client import csr
from tests.flows.material import (
    FIELD,
    METHODS,
    TEXT,
    VALUES,
    altered,
    as_sent,
    binary,
    dumped,
    headers,
    mostly,
    one_line,
)
from tests.flows.target import PROXY, STRANGER, Request, Target
from tests.mutations import mutated
from tests.recorded import ENROLLMENT_REQUEST

Attack = Callable[[Target], SearchStrategy[Request]]

# --- Discovery --------------------------------------------------------------------------------------------------------


def discovery(_: Target) -> SearchStrategy[Request]:
    names = mostly(st.sampled_from([b"user-identifier", b"model-family", b"user%2Didentifier"]), FIELD)
    good = st.sampled_from(
        [b"anna@mdm.example.test", b"anna%40mdm.example.test", b"iPhone", b"Watch", b"%", b"%zz", b"%00"]
    )
    values = good | FIELD | st.text(max_size=400).map(lambda text: urlencode({"": text})[1:].encode())
    pairs = st.builds(lambda name, value: name + b"=" + value, names, values) | FIELD
    return st.builds(
        Request,
        method=mostly(st.just("GET"), METHODS),
        path=mostly(st.just("/.well-known/com.apple.remotemanagement"), TEXT.map("/.well-known/{}".format)),
        query=st.lists(pairs, max_size=6).map(b"&".join).map(as_sent),
        headers=headers("accept", "accept-language", "x-forwarded-for", "user-agent"),
        body=st.binary(max_size=10),
    )


# --- The enrollment request -------------------------------------------------------------------------------------------


def enrollment(target: Target) -> SearchStrategy[Request]:
    reference = urlsplit(target.visitor.server.base_url).path if target.visitor.server else ""
    genuine = [ENROLLMENT_REQUEST, target.visitor.enrollment_body, MACHINE_INFO, binary(MACHINE_INFO)]
    plists = altered(plistlib.loads(MACHINE_INFO), ["MEID"], st.sampled_from(["iPhone17,1", "Mac15,3", "18.2"]))
    signed = plists.map(lambda content: cms.sign(content, target.visitor.built_in))
    authorization = st.sampled_from([b"Bearer ", b"bearer\t", b"Basic ", b""])
    bearer = st.builds(lambda scheme, value: [(b"authorization", scheme + value)], authorization, FIELD)
    return st.builds(
        Request,
        method=mostly(st.just("POST"), METHODS),
        path=mostly(
            st.sampled_from(["/enroll/adde", "/enroll/aaue", "/enroll/adde/", reference, "/enroll/adde/" + "A" * 22]),
            TEXT.map("/enroll/adde/{}".format),
        ),
        headers=headers("content-type", "accept", "accept-language", "x-forwarded-for") | bearer,
        body=mostly(mutated(*genuine), st.binary(max_size=300)) | mostly(signed, plists),
    )


# --- Sign-in ----------------------------------------------------------------------------------------------------------


def sign_in(target: Target) -> SearchStrategy[Request]:
    """Forms with a right password, a right ticket, a right state: never with all that is needed."""
    page = urlsplit(target.visitor.sign_in_url or "").path
    state = page.rpartition("/")[2].encode()
    names = st.sampled_from(["user_id", "password", "pin", "ticket", "policy", "x"])
    typed = TEXT | st.sampled_from(["anna", "anna@mdm.example.test", "correct horse battery", "1", "00000000"])
    tickets = mutated(target.ticket.encode()).map(lambda raw: raw.decode("latin-1")) | st.just(target.ticket)
    forms = st.lists(st.tuples(names, typed) | st.tuples(st.just("ticket"), tickets), max_size=5)
    identifiers = st.text(max_size=400).map(lambda text: urlencode({"user-identifier": text}).encode())
    bodies = forms.map(lambda form: urlencode(form, errors="replace").encode()) | mutated(b"user_id=a&password=b")
    return st.builds(
        Request,
        method=mostly(st.sampled_from(["GET", "POST", "POST"]), METHODS),
        path=mostly(st.just(page), mutated(state).map(lambda raw: "/enroll/sign-in/" + raw.decode("latin-1"))),
        query=identifiers | FIELD.map(as_sent),
        headers=mostly(
            st.just([(b"content-type", b"application/x-www-form-urlencoded")]),
            st.just([(b"content-type", b"multipart/form-data; boundary=x")])
            | headers("content-type", "accept-language", "x-forwarded-for"),
        ),
        body=bodies,
    )


# --- SCEP -------------------------------------------------------------------------------------------------------------


def certificate(target: Target) -> SearchStrategy[Request]:
    profile = target.device.membership.profile.scep
    responder = scep.look_up(target.device.network.client, profile)
    genuine = scep_message.compose(profile, responder, pki.rsa_key(number=100), challenge="guess.guess")
    requester = genuine.requester
    inner = cms.verify(genuine.message)
    wishes = mutated(csr(pki.rsa_key(number=100), "guess.guess"))
    sealed = wishes.map(lambda wish: envelope.seal(wish, responder.ra)) | mutated(inner.content)
    attributes = {oid: value for oid, value in inner.attributes.items() if oid.startswith("2.16.840.1.113733.1.9.")}

    @st.composite
    def signed(draw: DrawFn) -> bytes:
        changed = {oid: core.load(value) for oid, value in attributes.items()}
        for oid in draw(st.lists(st.sampled_from([*changed]), max_size=2, unique=True)):
            changed[oid] = draw(
                st.builds(core.PrintableString, st.text("0123456789AB", max_size=70))
                | st.builds(core.OctetString, st.binary(max_size=20))
            )
        return cms.sign(draw(sealed), requester, attributes=changed)

    message = mostly(mutated(genuine.message) | signed(), st.binary(max_size=200))
    lookups = st.sampled_from([b"GetCACert", b"GetCACaps", b"GetNextCACert", b"", b"%50KIOperation"])
    operations = mostly(st.just(b"PKIOperation"), lookups)

    @st.composite
    def requests(draw: DrawFn) -> Request:
        query = b"operation=" + draw(mostly(operations, FIELD.map(as_sent)))
        raw, method = draw(message), draw(mostly(st.sampled_from(["GET", "POST"]), METHODS))
        if method == "GET":
            text = base64.b64encode(raw)
            forms = [text, text.replace(b"+", b"%2B"), text.replace(b"=", b""), raw.hex().encode()]
            query += b"&message=" + draw(st.sampled_from(forms))
        return Request(method=method, path="/scep", query=query, headers=draw(headers("content-type")), body=raw)

    return requests()


# --- MDM --------------------------------------------------------------------------------------------------------------


def forged_message(target: Target) -> SearchStrategy[Request]:
    """Without a certificate that we issued, or with one and no proof of its key."""
    body = _messages(target)[0]
    signature = base64.b64encode(cms.sign(body, target.visitor.built_in, detached=True))
    genuine = base64.b64encode(cms.sign(body + b" ", target.identity, detached=True))
    known = b":" + base64.b64encode(target.identity.der) + b":"
    fields = st.tuples(st.just(b"mdm-signature"), mutated(signature, genuine).map(one_line) | st.just(signature))
    certificates = st.tuples(st.sampled_from([b"client-cert", b"x-ssl-client-cert"]), st.just(known) | FIELD)
    return st.builds(
        Request,
        method=mostly(st.just("PUT"), METHODS),
        path=mostly(st.sampled_from(["/mdm/connect", "/mdm/checkin"]), TEXT.map("/mdm/{}".format)),
        query=FIELD.map(as_sent),
        headers=st.lists(fields | certificates | st.tuples(st.just(b"authorization"), FIELD), max_size=3),
        body=st.just(body) | st.binary(max_size=200),
    )


def forwarded_certificate(target: Target) -> SearchStrategy[Request]:
    """By way of a proxy that is trusted, with a certificate that is not."""
    pem = pki.authority().pem
    known = b":" + base64.b64encode(target.identity.der) + b":"
    broken = mutated(known, base64.b64encode(pem)).map(one_line) | FIELD
    return st.builds(
        lambda value, name, body: Request(
            method="PUT", path="/mdm/connect", headers=[(name, value)], body=body, address=PROXY
        ),
        broken.filter(lambda value: value != known),
        st.sampled_from([b"client-cert", b"x-ssl-client-cert"]),
        st.sampled_from(_messages(target)) | st.binary(max_size=100),
    )


def mad_device(target: Target) -> SearchStrategy[Request]:
    """An enrolled device gone mad: it signs whatever it sends."""
    genuine = _messages(target)
    fitting = st.sampled_from(genuine).flatmap(lambda raw: _altered(target, plistlib.loads(raw)))
    bodies = mostly(fitting, mutated(*genuine, *map(binary, genuine)) | VALUES.map(dumped))
    bearer = st.sampled_from([None, target.device.token, target.victim.token]).map(lambda token: (token or "").encode())
    return st.builds(
        lambda path, body, token, also: Request(
            method="PUT",
            path=path,
            headers=[
                (b"mdm-signature", base64.b64encode(cms.sign(body, target.identity, detached=True))),
                (b"authorization", b"Bearer " + token),
                *also,
            ],
            body=body,
            address=STRANGER,
        ),
        st.sampled_from(["/mdm/connect", "/mdm/checkin"]),
        bodies,
        bearer,
        headers("content-type", "accept", "x-forwarded-for"),
    )


def _altered(target: Target, message: Mapping[str, Any]) -> SearchStrategy[bytes]:
    own, other = target.device.membership, target.victim.membership
    known = [own.hardware.udid, other.hardware.udid, own.user_id, own.profile.topic, *target.commands]
    names = ["UDID", "EnrollmentID", "UserID", "EnrollmentUserID", "CommandUUID", "MessageType"]
    return altered(message, names, st.sampled_from(known))


def _messages(target: Target) -> list[bytes]:
    member = target.device.membership
    plain = {"MessageType": "", **messages.identifiers(member, Channel.DEVICE)}
    user = messages.identifiers(member, Channel.USER)
    found: list[dict[str, Any]] = [
        messages.idle(member, Channel.DEVICE),
        messages.idle(member, Channel.USER),
        *(messages.compose(member, name) for name in ("Authenticate", "TokenUpdate", "CheckOut")),
        messages.token_update(member, Channel.USER),
        plain | {"MessageType": "SetBootstrapToken", "BootstrapToken": b"t", "AwaitingConfiguration": False},
        plain | {"MessageType": "GetBootstrapToken"},
        plain | {"MessageType": "GetToken", "TokenServiceType": "com.apple.maid"},
        user | {"MessageType": "UserAuthenticate"},
        plain | {"MessageType": "DeclarativeManagement", "Endpoint": "tokens"},
        plain | {"MessageType": "DeclarativeManagement", "Endpoint": "status", "Data": b"{}"},
    ]
    for command in target.commands:
        for status in ("Acknowledged", "Error", "CommandFormatError", "NotNow"):
            answer: dict[str, Any] = {"Status": status, "CommandUUID": command, "QueryResponses": {"OSVersion": "18.2"}}
            found.append(messages.identifiers(member, Channel.DEVICE) | answer)
    return [plistlib.dumps(message) for message in found]


STRANGERS: Final[Sequence[Attack]] = (
    discovery,
    enrollment,
    sign_in,
    certificate,
    forged_message,
    forwarded_certificate,
)
