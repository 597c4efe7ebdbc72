"""Where this server goes on an administrator's behalf, and how long it stays there."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from epmm import outbound
from epmm.outbound import Unreachable

PUBLIC = "93.184.215.14"
Fixture = pytest.MonkeyPatch


class Far(httpx2.BaseTransport):
    def __init__(self, answer: Any) -> None:
        self.requests: list[httpx2.Request] = []
        self._answer = answer

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer: httpx2.Response = self._answer() if callable(self._answer) else self._answer
        return answer


def resolving(monkeypatch: Fixture, *addresses: str) -> None:
    found = [(0, 0, 0, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)


def answering(monkeypatch: Fixture, answer: Any) -> Far:
    far = Far(answer)
    monkeypatch.setattr(outbound, "transport", lambda: far)
    return far


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: Fixture) -> None:
    resolving(monkeypatch, PUBLIC)
    far = answering(monkeypatch, httpx2.Response(200, json={"a": 1}))

    reply = outbound.send("GET", "https://login.example/x", headers={"Accept": "application/json"})

    assert (reply.status, reply.media_type, reply.body) == (200, "application/json", b'{"a":1}')
    request = far.requests[0]
    assert (request.url.host, request.headers["Host"]) == (PUBLIC, "login.example")
    assert request.extensions["sni_hostname"] == "login.example"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.7"])
def test_networks_around_here_are_left_alone(monkeypatch: Fixture, settings: Any, address: str) -> None:
    resolving(monkeypatch, PUBLIC, address)
    far = answering(monkeypatch, httpx2.Response(200))

    with pytest.raises(Unreachable, match="EPMM_OUTBOUND_NETWORKS"):
        outbound.send("GET", "https://login.example/")
    assert far.requests == []

    settings.OUTBOUND_NETWORKS = ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/0"]
    assert outbound.send("GET", "https://login.example/").status == 200


@pytest.mark.parametrize(
    "address", ["http://login.example/", "https://a:b@login.example/", "file:///etc/passwd", "x", ""]
)
def test_addresses_that_are_not_called(monkeypatch: Fixture, address: str) -> None:
    resolving(monkeypatch, PUBLIC)
    far = answering(monkeypatch, httpx2.Response(200))

    with pytest.raises(Unreachable):
        outbound.send("GET", address)
    assert far.requests == []


def test_redirects_are_not_followed(monkeypatch: Fixture) -> None:
    resolving(monkeypatch, PUBLIC)
    far = answering(monkeypatch, httpx2.Response(302, headers={"Location": "https://10.0.0.1/"}))

    assert outbound.send("GET", "https://login.example/").status == 302
    assert len(far.requests) == 1


class Drip(httpx2.SyncByteStream):
    def __init__(self, size: int, pause: float) -> None:
        self._size, self._pause = size, pause

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(100):
            time.sleep(self._pause)
            yield b"x" * self._size


def test_a_large_answer(monkeypatch: Fixture) -> None:
    resolving(monkeypatch, PUBLIC)
    answering(monkeypatch, lambda: httpx2.Response(200, stream=Drip(10_000, 0)))

    with pytest.raises(Unreachable, match="too large"):
        outbound.send("GET", "https://login.example/")


def test_a_slow_answer_holds_nobody(monkeypatch: Fixture) -> None:
    resolving(monkeypatch, PUBLIC)
    answering(monkeypatch, lambda: httpx2.Response(200, stream=Drip(1, 0.05)))

    with pytest.raises(Unreachable, match="too long"):
        outbound.send("GET", "https://login.example/", seconds=0.2)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "certificate"),
        (httpx2.ConnectError("refused"), "does not answer"),
        (httpx2.ReadTimeout("slow"), "too long"),
    ],
)
def test_why_nobody_answered(monkeypatch: Fixture, error: Exception, sentence: str) -> None:
    def fails() -> httpx2.Response:
        raise error

    resolving(monkeypatch, PUBLIC)
    answering(monkeypatch, fails)

    with pytest.raises(Unreachable, match=sentence):
        outbound.send("GET", "https://login.example/")


def test_a_name_that_nobody_has(monkeypatch: Fixture) -> None:
    def unknown(*_args: object, **_more: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(Unreachable, match="does not resolve"):
        outbound.send("GET", "https://login.example/")
