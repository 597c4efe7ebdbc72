"""A bare 401 makes a device remove its management: whatever comes in, none goes out."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from devices.door.app import PATHS, Door
from devices.door.exchange import Answer, DeviceRequest
from devices.door.refusals import STATUS, refusal_for
from devices.door.store import NOT_FOUND, Exchange, Outcome
from devices.errors import (
    DeclarationGone,
    DeviceRefused,
    ReauthenticationNeeded,
    UnrecognizedDevice,
    UserNotManaged,
)
from devices.models import Payload
from devices.protocol.checkin import PARSERS, decode_checkin
from epmm.batching import StoreUnavailable
from epmm.wire.errors import WireError
from epmm.wire.plist import dump
from tests import pki
from tests.devices.door.fakes import LAPTOP, PROXY, Direct, only
from tests.mutations import mutated
from tests.recorded import VECTORS

IDENTITY = pki.issue("device")
MESSAGES = [path.read_bytes() for path in sorted(VECTORS.glob("examples/c*-*.plist"))]
REFUSALS: list[Exception] = [
    DeviceRefused("no"),
    UnrecognizedDevice(),
    UserNotManaged(),
    DeclarationGone(),
    WireError("no"),
    KeyError("no"),
]
OUTCOMES: list[Outcome | Exception] = [
    NOT_FOUND,
    Outcome(found=True),
    Outcome(found=True, command=UUID(int=1), sealed=Payload._meta.get_field("rendered").get_prep_value(dump({}))),
    StoreUnavailable("no"),
]


class DecodingHandlers:
    """As far as a message is read; then any refusal there is."""

    def __init__(self, refusal: Exception | None) -> None:
        self.refusal = refusal

    def check_in(self, request: DeviceRequest) -> Answer:
        decode_checkin(request.body)
        return self._answer()

    def recognize(self, request: DeviceRequest) -> None:  # noqa: ARG002 -- as the protocol has it
        self._answer()

    def explain(self, request: DeviceRequest, device_key: str) -> None:  # noqa: ARG002 -- as the protocol has it
        self._answer()

    def _answer(self) -> Answer:
        if self.refusal is not None:
            raise self.refusal
        return Answer.EMPTY


class FixedStore:
    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome = outcome

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def ask(self, exchange: Exchange, done: Callable[[Outcome | Exception], object]) -> None:  # noqa: ARG002 -- as above
        done(self.outcome)

    async def connect(self, exchange: Exchange) -> Outcome:  # noqa: ARG002 -- as the protocol has it
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def status_of(door: Door, scope: dict[str, Any], body: bytes) -> int:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    async def asked() -> int:
        await door(scope, receive, send)
        status: int = sent[0]["status"]
        headers = dict(scope["headers"])
        is_direct = len(headers) == len(scope["headers"]) and b"content-length" not in headers
        if scope["method"] == "PUT" and scope["path"] in PATHS and is_direct:
            client = scope["client"]
            direct = Direct(scope["path"], body, headers, client[0] if client else None)
            door.serve(direct, "request")  # type: ignore[arg-type] # what the door uses of it
            assert (await direct.answered).status == status
        await door.close()
        return status

    return asyncio.run(asked())


@pytest.fixture(autouse=True)
def _trusted(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [PROXY]


def signature(body: bytes) -> bytes:
    return base64.b64encode(pki.sign(body, IDENTITY, detached=True))


CREDENTIALS = [b"mdm-signature", b"client-cert", b"x-ssl-client-cert", b"authorization"]
OTHERS = [b"content-length", b"content-type", b"accept", b"x-forwarded-for", b"host"]
names = st.sampled_from(CREDENTIALS) | st.sampled_from(OTHERS)
values = st.binary(max_size=40) | st.sampled_from(
    [b":" + base64.b64encode(IDENTITY.der) + b":", b"Bearer x", b"Basic x", b"1", b"99999999999", b"application/xml"]
)
bodies = st.binary(max_size=200) | mutated(*MESSAGES) | st.sampled_from(MESSAGES)
paths = st.sampled_from(sorted(PATHS)) | st.text(max_size=20)
methods = st.sampled_from(["PUT", "PUT", "PUT", "GET", "POST", "OPTIONS", "401"])


@hypothesis_settings(deadline=None)
@given(st.data())
def test_no_input_gets_a_401(data: st.DataObject) -> None:
    body = data.draw(bodies)
    headers = data.draw(st.lists(st.tuples(names, values), max_size=4))
    if data.draw(st.booleans()):
        headers.append((b"mdm-signature", signature(body)))
    client = data.draw(st.sampled_from([(LAPTOP, 1), (PROXY, 1), None]))
    scope = {
        "type": "http",
        "method": data.draw(methods),
        "path": data.draw(paths),
        "headers": headers,
        "client": client,
    }
    refusal, outcome = data.draw(st.sampled_from([None, *REFUSALS])), data.draw(st.sampled_from(OUTCOMES))
    door = Door(handlers=DecodingHandlers(refusal), stores=only(FixedStore(outcome)))

    status = status_of(door, scope, body)
    assert status in {200, *STATUS.values()} | ({500} if isinstance(refusal, KeyError) else set())
    assert status != 401


@pytest.mark.parametrize("message_type", PARSERS)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_no_message_gets_a_401(message_type: str, refusal: Exception) -> None:
    body = dump({"MessageType": message_type, "UDID": "x", "Endpoint": "tokens"})
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/mdm/checkin",
        "headers": [(b"mdm-signature", signature(body))],
        "client": (LAPTOP, 1),
    }

    assert status_of(Door(handlers=DecodingHandlers(refusal), stores=only(FixedStore(NOT_FOUND))), scope, body) != 401


def test_the_table_has_none() -> None:
    assert 401 not in STATUS.values()


@pytest.mark.parametrize("challenge", ["", "Basic realm=x", "bearer", " Bearer method="])
def test_whoever_asks_for_a_sign_in_without_a_challenge_gets_a_500(challenge: str) -> None:
    assert refusal_for(ReauthenticationNeeded(challenge)).answer.status == 500


def test_a_challenge_is_never_bare_and_never_logged() -> None:
    refusal = refusal_for(ReauthenticationNeeded('Bearer method="apple-as-web", url="https://x.example/s=secret"'))

    assert refusal.answer.status == 401
    assert refusal.told_as == "challenge"  # in the figures: 401 is what pages somebody
    assert dict(refusal.headers)[b"www-authenticate"].startswith(b"Bearer method=")
    assert "secret" not in refusal.why
