"""The stand-in refuses what Apple refuses."""

import ast
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded

from devices.apns_standin import lab
from devices.apns_standin.rules import Asked, find_fault
from devices.apns_standin.script import Answer, Script, UnreadableAnswer, read_answers
from tests.devices.apns.laboratory import TOPIC, Laboratory
from tests.devices.apns.test_threaded import standing_in

ROOT = Path(__file__).resolve().parents[3]
HEADERS = {
    ":method": "POST",
    ":scheme": "https",
    ":authority": "localhost",
    ":path": "/3/device/00010203",
    "apns-push-type": "mdm",
    "apns-topic": TOPIC,
    "apns-priority": "10",
    "apns-expiration": "1795651200",
    "apns-id": "0F1E2D3C-0000-4000-8000-000000000002",
}
BODY = b'{"mdm":"magic"}'


def judged(headers: dict[str, str | None], body: bytes = BODY, *more: tuple[str, str]) -> str:
    merged = [(name, value) for name, value in (HEADERS | headers).items() if value is not None]
    fault = find_fault(Asked(headers=[*merged, *more], body=body), topics=[TOPIC])
    return f"{fault.status} {fault.reason}" if fault else "accepted"


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({":method": "GET"}, "405 MethodNotAllowed"),
        ({":path": "/"}, "404 BadPath"),
        ({":path": "/2/device/00"}, "404 BadPath"),
        ({":path": "/3/device/"}, "400 MissingDeviceToken"),
        ({":path": "/3/device/0"}, "400 BadDeviceToken"),
        ({":path": "/3/device/xy"}, "400 BadDeviceToken"),
        ({":path": "/3/device/AB"}, "400 BadDeviceToken"),
        ({":path": "/3/device/00/"}, "400 BadDeviceToken"),
        ({"apns-push-type": "alert"}, "400 InvalidPushType"),
        ({"apns-priority": "7"}, "400 BadPriority"),
        ({"apns-expiration": "tomorrow"}, "400 BadExpirationDate"),
        ({"apns-expiration": "-1"}, "400 BadExpirationDate"),
        ({"apns-id": "1"}, "400 BadMessageId"),
        ({"apns-collapse-id": "x" * 65}, "400 BadCollapseId"),
        ({"apns-topic": "with space"}, "400 BadTopic"),
        ({"apns-topic": TOPIC + "x"}, "400 TopicDisallowed"),
    ],
)
def test_a_wrong_header_has_its_reason(headers: dict[str, str | None], verdict: str) -> None:
    assert judged(headers) == verdict


@pytest.mark.parametrize("name", ["apns-push-type", "apns-topic", "apns-priority", "apns-expiration", "apns-id"])
def test_what_may_be_left_out(name: str) -> None:
    assert judged({name: None}) == "accepted"


def test_a_header_may_come_once() -> None:
    assert judged({}, BODY, ("apns-priority", "5")) == "400 DuplicateHeaders"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"magic", b'{"mdm":""}', b'{"mdm":1}', b'{"mdm":"m","aps":{}}', b'{"aps":{}}', b"[" * 4000],
)
def test_a_body_that_no_device_understands(body: bytes) -> None:
    assert judged({}, body) == "400 PayloadEmpty"


@pytest.mark.parametrize(("size", "verdict"), [(4096, "accepted"), (4097, "413 PayloadTooLarge")])
def test_the_body_has_a_limit(size: int, verdict: str) -> None:
    assert judged({}, b'{"mdm":"%b"}' % (b"x" * (size - 10))) == verdict


@pytest.mark.parametrize(
    ("topics", "reason"), [(None, "MissingProviderToken"), ([], "MissingTopic"), ([TOPIC, "b"], "MissingTopic")]
)
def test_the_certificate_decides_whether_a_topic_may_be_missing(topics: list[str] | None, reason: str) -> None:
    headers = [(name, value) for name, value in HEADERS.items() if name != "apns-topic"]
    fault = find_fault(Asked(headers=headers, body=BODY), topics=topics)

    assert fault is not None
    assert fault.reason == reason


# over the network, by a client that shares nothing with ours


@contextmanager
def line(laboratory: Laboratory, port: int, *, certificate: bool = True, alpn: str = "h2") -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=laboratory.files.ca)
    context.set_alpn_protocols([alpn])
    if certificate:
        pem = laboratory.files.ca.parent / "client.pem"
        pem.write_bytes(laboratory.pem.certificate + laboratory.pem.key)
        context.load_cert_chain(pem)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        yield secured


def ask(secured: ssl.SSLSocket, headers: dict[str, str], body: bytes = BODY) -> list[Event]:
    http = H2Connection(H2Configuration(header_encoding="utf-8"))
    http.initiate_connection()
    http.send_headers(1, list(headers.items()))
    http.send_data(1, body, end_stream=True)
    secured.sendall(http.data_to_send())
    events: list[Event] = []
    while data := secured.recv(65536):
        events += http.receive_data(data)
        if any(isinstance(event, StreamEnded | ConnectionTerminated) for event in events):
            break
    return events


def read(events: list[Event]) -> tuple[dict[str, str], bytes]:
    (response,) = [event for event in events if isinstance(event, ResponseReceived)]
    headers = {str(name): str(value) for name, value in response.headers}
    return headers, b"".join(event.data for event in events if isinstance(event, DataReceived))


def test_a_good_push_is_accepted_with_its_id(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, line(laboratory, stand_in.port) as secured:
        assert read(ask(secured, HEADERS)) == ({":status": "200", "apns-id": HEADERS["apns-id"]}, b"")


def test_a_refusal_is_json(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, line(laboratory, stand_in.port) as secured:
        headers, body = read(ask(secured, HEADERS | {":path": "/3/device/xyz"}))

    assert (headers[":status"], body) == ("400", b'{"reason": "BadDeviceToken"}')


def test_a_gone_token_comes_with_a_date(laboratory: Laboratory) -> None:
    script = Script(answers=read_answers(["00010203=410:Unregistered:1700000000000"]))
    with standing_in(laboratory, script) as stand_in, line(laboratory, stand_in.port) as secured:
        headers, body = read(ask(secured, HEADERS))

    assert (headers[":status"], body) == ("410", b'{"reason": "Unregistered", "timestamp": 1700000000000}')


def test_without_a_certificate_a_token_is_missed(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, line(laboratory, stand_in.port, certificate=False) as secured:
        headers, body = read(ask(secured, HEADERS))

    assert (headers[":status"], body) == ("403", b'{"reason": "MissingProviderToken"}')


def test_http_1_is_not_spoken(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, line(laboratory, stand_in.port, alpn="http/1.1") as secured:
        secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert secured.recv(1) == b""


def test_what_is_not_http_2_is_cut_off(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, line(laboratory, stand_in.port) as secured:
        secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = b"".join(iter(lambda: secured.recv(65536), b""))

    events = H2Connection().receive_data(said)
    assert not any(isinstance(event, ResponseReceived) for event in events)


# what a laboratory sets up


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("00ff=410:Unregistered", Answer(status=410, reason="Unregistered")),
        ("00ff=410:Unregistered:17", Answer(status=410, reason="Unregistered", timestamp=17)),
        ("00ff=500", Answer(status=500)),
        ("00ff=none", Answer(status=0)),
    ],
)
def test_answers_are_read_from_lines(text: str, answer: Answer) -> None:
    assert read_answers(["", f"  {text}\n"]) == {"00ff": answer}


@pytest.mark.parametrize("text", ["00ff", "0=500", "00FF=500", "00ff=600", "00ff=410:two words", "00ff=410::x"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(UnreadableAnswer, match="is not TOKENHEX="):
        read_answers([text])


def test_the_push_certificate_is_shaped_like_apple_s(laboratory: Laboratory) -> None:
    certificate = x509.load_pem_x509_certificate(laboratory.pem.certificate)
    authority = x509.load_pem_x509_certificate(laboratory.files.ca.read_bytes())

    assert lab.topics_of(certificate) == [TOPIC]
    certificate.verify_directly_issued_by(authority)
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc


def test_it_shares_no_code_with_the_client_it_judges() -> None:
    sources = [ast.parse(path.read_text()) for path in (ROOT / "devices/apns_standin").glob("*.py")]
    imported = {
        node.module or "" for source in sources for node in ast.walk(source) if isinstance(node, ast.ImportFrom)
    }

    ours = {name for name in imported if name.startswith("devices")}
    assert ours
    assert [name for name in ours if not name.startswith("devices.apns_standin.")] == []
