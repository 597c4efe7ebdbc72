"""The client against the stand-in over real TLS: what arrives there, and what the caller learns."""

import asyncio
import logging
import socket
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from devices.apns import ApnsClient
from devices.apns_standin.script import Answer, Script
from devices.apns_standin.server import StandIn
from devices.protocol.push import Outcome, Verdict
from tests.devices.apns.laboratory import QUICK, SILENT, TOPIC, Laboratory, a_push, pushes, token, until
from tests.ports import free_port

Client = ApnsClient


def answers(**by_number: Answer) -> dict[str, Answer]:
    return {token(int(name.removeprefix("n"))).hex(): answer for name, answer in by_number.items()}


def kinds(outcomes: list[Outcome]) -> Counter[Verdict]:
    return Counter(outcome.kind for outcome in outcomes)


def reasons(outcomes: list[Outcome]) -> set[str]:
    return {outcome.reason for outcome in outcomes}


def test_a_push_arrives_as_it_was_meant(laboratory: Laboratory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)  # at which libraries tell much
    outcomes = laboratory.play(lambda client, _: client.push([a_push(7)]))

    identifier = "00000000-0000-0000-0000-000000000007"
    assert outcomes == [Outcome(kind=Verdict.ACCEPTED, status=200, reason="", apns_id=identifier)]
    (seen,) = laboratory.seen
    assert seen.asked.body == b'{"mdm":"magic-7"}'
    headers = dict(seen.asked.headers)
    assert headers.pop(":authority").startswith("localhost:")
    assert headers == {
        ":method": "POST",
        ":scheme": "https",
        ":path": "/3/device/" + "00000007" * 8,
        "apns-push-type": "mdm",
        "apns-topic": TOPIC,
        "apns-priority": "10",
        "apns-expiration": "1795651200",
        "apns-id": identifier,
        "content-type": "application/json",
    }
    assert "00000007" not in caplog.text


def test_each_push_gets_its_own_answer(laboratory: Laboratory) -> None:
    script = Script(
        answers=answers(
            n2=Answer(status=410, reason="Unregistered", timestamp=1700000000000),
            n3=Answer(status=400, reason="BadDeviceToken"),
            n4=Answer(status=400, reason="DeviceTokenNotForTopic"),
            n5=Answer(status=429, reason="TooManyRequests"),
            n6=Answer(status=500, reason="InternalServerError"),
            n7=Answer(status=413, reason="PayloadTooLarge"),
        )
    )
    outcomes = laboratory.play(lambda client, _: client.push(pushes(8)), script)

    assert [(outcome.kind, outcome.reason) for outcome in outcomes] == [
        (Verdict.ACCEPTED, ""),
        (Verdict.UNREGISTERED, "Unregistered"),
        (Verdict.BAD_TOKEN, "BadDeviceToken"),
        (Verdict.WRONG_TOPIC, "DeviceTokenNotForTopic"),
        (Verdict.TOO_MANY, "TooManyRequests"),
        (Verdict.TRY_LATER, "InternalServerError"),
        (Verdict.OUR_FAULT, "PayloadTooLarge"),
        (Verdict.ACCEPTED, ""),
    ]
    assert outcomes[1].timestamp == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert [outcome.apns_id[-1] for outcome in outcomes] == list("12345678")


def test_thousands_share_one_connection(laboratory: Laboratory) -> None:
    """More than the first window of flow control and the first stream allow."""

    async def story(client: Client, stand_in: StandIn) -> list[Outcome]:
        outcomes = await client.push(pushes(3000))
        outcomes += await client.push(pushes(10))
        assert stand_in.connected == 1
        return outcomes

    assert kinds(laboratory.play(story)) == {Verdict.ACCEPTED: 3010}


def test_nothing_to_push_needs_no_connection(laboratory: Laboratory) -> None:
    async def story(client: Client, stand_in: StandIn) -> None:
        assert await client.push([]) == []
        (outcome,) = await client.push([replace(a_push(), token=b"")])
        assert outcome.kind is Verdict.BAD_TOKEN
        assert stand_in.connected == 0

    laboratory.play(story)


@pytest.mark.parametrize("streams", [1, 3])
def test_no_more_is_under_way_than_the_server_allows(laboratory: Laboratory, streams: int) -> None:
    nothing = {each.token.hex(): Answer(status=0) for each in pushes(10)}
    script = Script(first_streams=streams, streams=streams, answers=nothing)

    outcomes = laboratory.play(lambda client, _: client.push(pushes(10), seconds=10), script)

    assert len(laboratory.seen) == streams
    assert reasons(outcomes) == {"timeout"}


def test_many_callers_share_a_connection(laboratory: Laboratory) -> None:
    async def story(client: Client, stand_in: StandIn) -> None:
        found = await asyncio.gather(*(client.push([a_push(number)]) for number in range(50)))
        assert [outcomes[0].apns_id for outcomes in found] == [str(a_push(number).apns_id) for number in range(50)]
        assert stand_in.connected == 1

    laboratory.play(story)


# the server leaves


def test_after_a_goaway_the_rest_goes_over_new_connections(laboratory: Laboratory) -> None:
    async def story(client: Client, stand_in: StandIn) -> list[Outcome]:
        outcomes = await client.push(pushes(12))
        assert stand_in.connected == 3
        return outcomes

    script = Script(first_streams=6, streams=6, goaway_after=5, delay=0.05)
    assert kinds(laboratory.play(story, script)) == {Verdict.ACCEPTED: 12}
    assert len(laboratory.seen) == 12


def test_a_push_is_tried_twice_and_no_more(laboratory: Laboratory) -> None:
    script = Script(first_streams=10, streams=10, goaway_after=1)

    outcomes = laboratory.play(lambda client, _: client.push(pushes(10)), script)

    assert kinds(outcomes) == {Verdict.ACCEPTED: 2, Verdict.TRY_LATER: 8}
    assert reasons(outcomes) == {"", "GOAWAY"}


def test_a_lost_connection_is_made_good(laboratory: Laboratory) -> None:
    async def story(client: Client, stand_in: StandIn) -> list[Outcome]:
        outcomes = await client.push(pushes(15))
        assert stand_in.connected > 1
        return outcomes

    script = Script(first_streams=1, streams=10, drop_after=10)
    assert kinds(laboratory.play(story, script)) == {Verdict.ACCEPTED: 15}


def test_a_server_that_only_hangs_up_is_left_alone_after_two_attempts(laboratory: Laboratory) -> None:
    async def story(client: Client, stand_in: StandIn) -> list[Outcome]:
        outcomes = await client.push(pushes(15))
        assert stand_in.connected == 2
        return outcomes

    script = Script(first_streams=4, drop_after=-1)
    outcomes = laboratory.play(story, script)

    assert kinds(outcomes) == {Verdict.TRY_LATER: 15}
    assert {outcome.status for outcome in outcomes} == {0}


def test_a_refused_stream_is_opened_again(laboratory: Laboratory) -> None:
    outcomes = laboratory.play(lambda client, _: client.push(pushes(3)), Script(reset_every=3))

    assert kinds(outcomes) == {Verdict.ACCEPTED: 3}


def test_streams_that_are_always_refused_end(laboratory: Laboratory) -> None:
    outcomes = laboratory.play(lambda client, _: client.push(pushes(3)), Script(reset_every=1))

    assert kinds(outcomes) == {Verdict.TRY_LATER: 3}
    assert reasons(outcomes) == {"stream reset"}


def test_an_unavailable_server_is_left_for_a_new_connection(laboratory: Laboratory) -> None:
    async def story(client: Client, stand_in: StandIn) -> list[Outcome]:
        outcomes = await client.push(pushes(3))
        assert stand_in.connected == 2
        return outcomes

    script = Script(streams=1, answers=answers(n1=Answer(status=503, reason="Shutdown")))
    outcomes = laboratory.play(story, script)

    assert [outcome.kind for outcome in outcomes] == [Verdict.TRY_LATER, Verdict.ACCEPTED, Verdict.ACCEPTED]


def test_nobody_listens(laboratory: Laboratory) -> None:
    async def run() -> list[Outcome]:
        async with laboratory.client(free_port()) as client:
            return await client.push(pushes(3))

    outcomes = asyncio.run(run())
    assert kinds(outcomes) == {Verdict.TRY_LATER: 3}
    assert reasons(outcomes) <= {"ConnectionRefusedError", "OSError"}


def test_a_host_that_has_no_address(laboratory: Laboratory) -> None:
    async def run(host: str) -> list[Outcome]:
        server = replace(laboratory.server(1), host=host)
        async with ApnsClient(laboratory.identity, server, QUICK) as client:
            return await client.push([a_push()])

    assert reasons(asyncio.run(run("name.invalid"))) == {"name not found"}
    assert kinds(asyncio.run(run("x" * 70))) == {Verdict.TRY_LATER: 1}


def test_the_name_is_looked_up_for_each_connection(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    look_up = socket.getaddrinfo

    def count(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", count)
    laboratory.play(lambda client, _: client.push(pushes(2)), Script(goaway_after=1))

    assert asked.count("localhost") == 2


# time runs out


def test_a_server_that_answers_nothing(laboratory: Laboratory) -> None:
    nothing = {each.token.hex(): Answer(status=0) for each in pushes(2)}
    script = Script(first_streams=5, answers=nothing)

    outcomes = laboratory.play(lambda client, _: client.push(pushes(2)), script, limits=SILENT)

    assert kinds(outcomes) == {Verdict.TRY_LATER: 2}
    assert reasons(outcomes) == {"timeout"}


def test_one_push_without_an_answer_does_not_cost_the_others_their_connection(laboratory: Laboratory) -> None:
    async def story(client: Client, stand_in: StandIn) -> None:
        lonely = asyncio.create_task(client.push([a_push(1)]))
        while not lonely.done():
            assert kinds(await client.push([a_push(2)])) == {Verdict.ACCEPTED: 1}
            await asyncio.sleep(0.02)
        assert reasons(await lonely) == {"timeout"}
        assert stand_in.connected == 1

    limits = replace(SILENT, request_seconds=5)  # enough for the other ones
    laboratory.play(story, Script(first_streams=5, answers=answers(n1=Answer(status=0))), limits=limits)


def test_a_call_ends_when_its_time_is_up(laboratory: Laboratory) -> None:
    async def story(client: Client, _: StandIn) -> None:
        outcomes = await client.push(pushes(3), seconds=10)
        assert [outcome.kind for outcome in outcomes] == [Verdict.ACCEPTED, Verdict.TRY_LATER, Verdict.ACCEPTED]
        assert kinds(await client.push([a_push(4)])) == {Verdict.ACCEPTED: 1}

    laboratory.play(story, Script(answers=answers(n2=Answer(status=0))))


def test_a_server_that_never_allows_a_stream(laboratory: Laboratory) -> None:
    outcomes = laboratory.play(lambda client, _: client.push(pushes(3), seconds=0.2), Script(first_streams=0))

    assert kinds(outcomes) == {Verdict.TRY_LATER: 3}


def test_a_caller_that_goes_away_takes_its_pushes_along(laboratory: Laboratory) -> None:
    async def story(client: Client, _: StandIn) -> None:
        gone = asyncio.create_task(client.push(pushes(5)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        assert kinds(await client.push([a_push(9)])) == {Verdict.ACCEPTED: 1}

    laboratory.play(story)
    assert [seen.asked.token for seen in laboratory.seen] == [token(9).hex()]


def test_after_the_end_there_is_nothing_but_later(laboratory: Laboratory) -> None:
    async def story(client: Client, _: StandIn) -> list[Outcome]:
        waiting = asyncio.create_task(client.push([a_push(1)]))
        await until(lambda: laboratory.seen)
        await client.close()
        return await waiting + await client.push([a_push(2)])

    outcomes = laboratory.play(story, Script(answers=answers(n1=Answer(status=0))))
    assert kinds(outcomes) == {Verdict.TRY_LATER: 2}
    assert reasons(outcomes) == {"shut down"}


# certificates
