"""Where requests come from, how many of them, and what monitoring is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client, RequestFactory
from django.utils import timezone

from epmm import asgi, health
from epmm.client_address import client_address, network
from epmm.models import Heartbeat
from epmm.rate_limit import Buckets


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),  # not a proxy of ours: its header means nothing
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.66, 203.0.113.9, 10.0.0.2", "203.0.113.9"),  # the first one may be forged
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "nonsense", None),
        ("10.0.0.1", "", None),
        ("", "", None),
    ],
)
def test_the_client_is_the_nearest_that_is_no_proxy_of_ours(
    rf: RequestFactory, settings: Any, peer: str, forwarded: str, expected: str | None
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    assert client_address(rf.get("/", headers=headers, REMOTE_ADDR=peer)) == expected


def test_a_bucket_empties_and_fills_again() -> None:
    buckets = Buckets(per_second=1, burst=2)

    assert [buckets.admit("a", 0.0) for _ in range(3)] == [True, True, False]
    assert buckets.admit("b", 0.0)
    assert buckets.admit("a", 1.0)
    assert not buckets.admit("a", 1.0)


def test_the_oldest_buckets_are_forgotten() -> None:
    buckets = Buckets(per_second=0, burst=1, remembered=2)
    for address in ("a", "b", "c"):
        assert buckets.admit(address, 0.0)

    assert buckets.admit("a", 0.0)
    assert not buckets.admit("c", 0.0)


def test_alive_needs_nothing(client: Client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_ready_needs_a_worker(client: Client) -> None:
    assert client.get("/readyz").json() == {"database": True, "worker": False, "clock": True}
    Heartbeat.objects.create(name="worker", at=timezone.now())
    assert client.get("/readyz").status_code == 200
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=5))
    assert client.get("/readyz").status_code == 503


def test_ready_needs_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise DatabaseError

    monkeypatch.setattr(health, "worker_beats", fail)
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"database": False})


def test_an_answer_says_how_long_it_is(client: Client) -> None:
    assert client.get("/healthz")["Content-Length"] == "3"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"text/plain; charset=hex", b"text/plain"),
        (b"multipart/form-data; charset=hex; boundary=x", b"multipart/form-data; boundary=x"),
        (b"application/xml", b"application/xml"),
        (b"", b""),
    ],
)
def test_no_caller_chooses_a_codec(sent: bytes, kept: bytes) -> None:
    """Django looks up whatever charset a request names, before any view, and fails where it is no text."""
    scope = {"headers": [(b"content-type", sent), (b"x_name", b"1")], "query_string": b"a=\xff"}

    assert asgi._cleaned(scope) == {"headers": [(b"content-type", kept)], "query_string": b"a=%FF"}


def test_callers_of_one_ipv6_network_share_a_bucket(rf: RequestFactory) -> None:
    assert network("2001:db8::1") == network("2001:db8::2") != network("2001:db8:0:1::1")
