"""Both doors on one real port, as `manage.py up` serves them, but for TLS."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import uvicorn
from django.http import StreamingHttpResponse

from epmm import asgi, gateway, metrics
from epmm.asgi import FRONT_BODY, Gateway
from tests.devices.door.fakes import FakeDevice, Site

SECONDS = 20


@pytest.fixture
def port(transactional_db: None) -> Iterator[int]:
    """A whole server in a thread: starts, serves, drains and stops."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(gateway.configuration(Gateway()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        deadline = time.monotonic() + SECONDS
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        number: int = listening.getsockname()[1]
        yield number
        server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.fixture
def client(port: int) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as client:
        yield client


def raw(port: int, request: bytes) -> bytes:
    """What a client that has never heard of HTTP gets."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := connection.recv(65_536)):
            answer += piece
    return answer


def test_a_device_and_a_browser_share_the_port(client: httpx2.Client, site: Site) -> None:
    device = FakeDevice.enrolled(site)
    command = device.queue()
    body = device.message({"Status": "Idle"})

    answer = client.put("/mdm/connect", content=body, headers=device.headers(body))
    assert (answer.status_code, answer.content) == (200, bytes(command.rendered))
    assert client.get("/healthz").status_code == 200
    assert client.get("/no/such/page").status_code == 404


def test_several_requests_share_a_connection(client: httpx2.Client, site: Site) -> None:
    device = FakeDevice.enrolled(site)
    body = device.message({"Status": "Idle"})

    answers = [client.put("/mdm/connect", content=body, headers=device.headers(body)) for _ in range(3)]
    assert [(answer.status_code, answer.content, answer.headers["content-length"]) for answer in answers] == [
        (200, b"", "0")
    ] * 3


@pytest.mark.parametrize("path", ["/mdm", "/mdm/", "/mdm/connect", "/mdm/x", "/mdm/%2e%2e/healthz"])
def test_nothing_under_mdm_reaches_django(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    def unreachable(*_arguments: object) -> None:
        pytest.fail("Django was asked")

    monkeypatch.setattr(asgi.FrontDoor, "__call__", unreachable)
    answer = client.get(path)

    assert answer.status_code in (404, 405)
    assert answer.content == b""


@pytest.mark.parametrize("size", [FRONT_BODY, FRONT_BODY + 1])
def test_the_front_door_takes_a_body_and_no_flood(client: httpx2.Client, size: int) -> None:
    assert (client.post("/healthz", content=bytes(size)).status_code == 413) == (size > FRONT_BODY)


@pytest.mark.parametrize(
    ("path", "says"), [("/admin/configurations/upload", "Dateien unter 1 MiB"), ("/api/v2/configurations", "")]
)
@pytest.mark.parametrize("dialog", [{}, {"HX-Request": "true"}])
def test_who_sends_too_large_a_file_from_a_browser_reads_why(
    client: httpx2.Client, path: str, says: str, dialog: dict[str, str]
) -> None:
    answer = client.post(path, content=bytes(FRONT_BODY + 1), headers={"Accept-Language": "de"} | dialog)

    assert answer.status_code == 413
    assert says in answer.text
    assert bool(answer.text) == bool(says)
    assert ("<html" in answer.text) == (bool(says) and not dialog)


def test_the_front_door_takes_any_bytes_in_a_query(port: int) -> None:
    answer = raw(port, b"GET /healthz?a=\xff&b=%FF+ HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert answer.split(b"\r\n")[0] in (b"HTTP/1.1 200 OK", b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize(
    "request_line",
    [
        b"PUT /mdm/connect",
        b"PUT /mdm/\xff",
        b"PUT http://[",
        b"PROPFIND /mdm/connect",
        b"PUT /mdm/connect?" + b"a" * 9000,
    ],
)
def test_no_request_line_gets_a_401_or_breaks_the_server(port: int, request_line: bytes) -> None:
    status = raw(port, request_line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").split(b" ")[1]

    assert status in (b"400", b"403", b"404", b"405")


def test_a_header_cannot_pose_as_another(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """WSGI writes `X-Forwarded-For` and `X_Forwarded_For` alike."""
    seen: list[str] = []

    def application(environ: dict[str, str], start_response: object) -> list[bytes]:
        seen.extend(name for name in environ if name.startswith("HTTP_X_"))
        start_response("200 OK", [])  # type: ignore[operator] # WSGI's
        return [environ["QUERY_STRING"].encode()]

    front = asgi.FrontDoor()
    front._wsgi.app = application
    transport = httpx2.ASGITransport(app=front)

    async def asked() -> bytes:
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as own:
            headers = {"X_Forwarded_For": "198.51.100.1", "X-Real": "1"}
            return (await own.get("/?q=%C3%BC", headers=headers)).content

    assert asyncio.run(asked()) == b"q=%C3%BC"
    assert seen == ["HTTP_X_REAL"]


def test_who_announces_much_and_sends_nothing_keeps_nobody_out(client: httpx2.Client, port: int, site: Site) -> None:
    device = FakeDevice.enrolled(site)
    body = device.message({"Status": "Idle", "Filler": "x" * 100_000})
    announced = b"PUT /mdm/connect HTTP/1.1\r\nHost: x\r\nMdm-Signature: x\r\nContent-Length: 16777216\r\n\r\n"
    with contextlib.ExitStack() as silent:
        for _ in range(16):
            silent.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SECONDS)).sendall(announced)

        # one after the other: what was announced has been seen when the second is asked
        answers = [client.put("/mdm/connect", content=body, headers=device.headers(body)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_before_the_start_a_device_is_asked_to_come_again() -> None:
    async def asked() -> int:
        transport = httpx2.ASGITransport(app=Gateway())
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as own:
            return (await own.put("/mdm/connect")).status_code

    assert asyncio.run(asked()) == 503


def front_door_answers(
    monkeypatch: pytest.MonkeyPatch, *messages: dict[str, object] | None, path: str = "/admin/users"
) -> list[int]:
    """The statuses that it sends; None in place of a message is one that never comes."""
    sent: list[int] = []
    coming = iter(messages)
    monkeypatch.setattr(asgi, "FRONT_BODY_SECONDS", 0.05)

    async def receive() -> dict[str, object]:
        message = next(coming)
        if message is None:
            await asyncio.sleep(60)
        return message or {}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append(message["status"])

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "headers": []}
    asyncio.run(asgi.FrontDoor()(scope | {"query_string": b""}, receive, send))
    return sent


@contextlib.contextmanager
def counted(outcome: str) -> Iterator[Callable[[], float]]:
    """Requests to the portal that ended so meanwhile."""

    def told() -> float:
        labels = {"endpoint": "admin", "status": outcome}
        return metrics.registry.get_sample_value("epmm_front_request_seconds_count", labels) or 0

    before = told()
    yield lambda: told() - before


def test_what_nobody_waits_for_is_not_made_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = map(str, range(1000))
    monkeypatch.setattr(asgi, "django_application", lambda *_: StreamingHttpResponse(rows))

    front_door_answers(monkeypatch, {"type": "http.request", "body": b""}, {"type": "http.disconnect"})

    assert 0 < int(next(rows)) < 999


def test_a_body_that_never_comes_takes_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = {"type": "http.request", "body": b"a", "more_body": True}

    with counted("4xx") as count:
        assert front_door_answers(monkeypatch, begun, None) == [408]
    assert count() == 1
    assert front_door_answers(monkeypatch, begun, {"type": "http.disconnect"}) == []


def test_the_front_door_lets_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so in its figures; it lives, whoever asks for that."""
    monkeypatch.setattr(asgi, "FRONT_REQUESTS", 0)

    with counted("5xx") as count:
        assert front_door_answers(monkeypatch, {"type": "http.request"}) == [503]
    assert count() == 1
    assert front_door_answers(monkeypatch, {"type": "http.request"}, path="/healthz") == [200]
