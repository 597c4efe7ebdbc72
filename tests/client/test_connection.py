import json

import httpx2
import pytest

from epmm_client import Ambiguous, NotConfigured, Refused, Server, Unreachable
from tests.client.conftest import ADDRESS, TOKEN, client

BUSY = httpx2.Response(503, headers={"Retry-After": "7"})


def test_a_call_that_is_tried_again_has_the_key_of_the_first() -> None:
    keys: list[str] = []
    slept: list[float] = []

    def server(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx2.ReadTimeout("slow")
        return BUSY if len(keys) == 2 else httpx2.Response(201, json={"user_id": "mia"})

    assert client(server, slept).users.add(user_id="mia") == {"user_id": "mia"}
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert slept[1] == 7


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (httpx2.ReadTimeout("slow"), 1),  # who knows what was done
        (httpx2.Response(503), 1),
        (httpx2.Response(500), 1),
        (httpx2.ConnectError("refused"), 4),
        (httpx2.Response(429, headers={"Retry-After": "1"}), 4),
    ],
)
def test_what_has_no_key_is_tried_again_only_if_nothing_was_done(
    failure: httpx2.Response | httpx2.TransportError, tries: int
) -> None:
    seen: list[str] = []

    def server(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.path)
        if isinstance(failure, httpx2.TransportError):
            raise failure
        return failure

    with pytest.raises((Unreachable, Refused)):
        client(server).call("POST", "devices/action")
    assert len(seen) == tries


def test_pages_are_read_as_they_are_needed_and_nowhere_else() -> None:
    asked: list[str] = []

    def server(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        first = "cursor" not in request.url.params
        following = "/api/v2/x/users?cursor=abc" if first else "https://elsewhere.test/api/v2/x/users?cursor=def"
        return httpx2.Response(200, json={"items": [{"user_id": "a" if first else "b"}], "next": following})

    people = client(server).users.list(q="m", enabled=True)
    assert next(people) == {"user_id": "a"}
    assert asked == [f"{ADDRESS}/api/v2/x/users?q=m&enabled=true"]
    assert next(people) == {"user_id": "b"}
    with pytest.raises(Unreachable, match="another server"):
        next(people)
    assert len(asked) == 2


def test_devices_are_read_in_pages_until_none_is_left() -> None:
    offsets: list[str] = []

    def server(request: httpx2.Request) -> httpx2.Response:
        offsets.append(request.url.params["offset"])
        rows = [{"common.uuid": str(number)} for number in range(200 if len(offsets) == 1 else 3)]
        return httpx2.Response(200, json={"results": rows, "hasMore": len(offsets) == 1})

    assert len(list(client(server).devices.search("x"))) == 203
    assert offsets == ["0", "200"]


@pytest.mark.parametrize(("rows", "said"), [(0, "No device"), (2, "2 devices")])
def test_a_serial_number_names_one_device_or_none(rows: int, said: str) -> None:
    def server(request: httpx2.Request) -> httpx2.Response:
        assert r'"common.SerialNumber" = "A\"B\\"' in request.url.params["query"]
        return httpx2.Response(200, json={"results": [{"common.uuid": "u"}] * rows, "hasMore": False})

    with pytest.raises(Ambiguous, match=said):
        client(server).devices.uuid_of('A"B\\')


def test_a_refusal_tells_what_and_where() -> None:
    problem = {
        "type": "urn:problem-type:epmm:fields.invalid",
        "detail": "Some fields are not right.",
        "instance": "urn:request:abc123",
        "errors": [{"pointer": "#/user_id", "detail": "Too long."}],
    }
    answers = [
        httpx2.Response(422, json=problem),
        httpx2.Response(400, json={"messages": [{"messageKey": "epmm.q", "localizedMessage": "Not this."}]}),
        httpx2.Response(502, text="<html>"),
    ]

    def refused() -> Refused:
        with pytest.raises(Refused) as raised:
            client(lambda _request: answers.pop(0)).call("PUT", "x/users")
        return raised.value

    first = refused()
    assert str(first) == "Some fields are not right.\nuser_id: Too long."
    assert (first.status, first.request) == (422, "abc123")
    assert str(refused()) == "Not this."
    assert refused().status == 502


@pytest.mark.parametrize(
    "address", ["http://mdm.example.test", "mdm.example.test", "https://a:b@mdm.test", "https://", ""]
)
def test_credentials_go_over_tls_to_an_address_that_is_one(address: str) -> None:
    with pytest.raises(NotConfigured):
        Server(address=address, token=TOKEN)
    assert TOKEN not in repr(Server(address="http://localhost:8000", token=TOKEN))


def test_what_is_not_json_is_no_server_of_ours() -> None:
    with pytest.raises(Unreachable, match="JSON"):
        client(lambda _request: httpx2.Response(200, text="Welcome to nginx!")).version()


def test_bodies_are_json() -> None:
    def server(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        return httpx2.Response(200, json=json.loads(request.content))

    assert client(server).users.add(user_id="ä") == {"user_id": "ä"}
