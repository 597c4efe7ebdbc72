"""The push client: its certificate, and whom it trusts."""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.apns import ApnsClient, Limits, PushIdentity, Server, UnusableIdentity
from devices.apns.identity import tls_context
from devices.apns_standin import lab
from devices.apns_standin.script import Answer, Script
from devices.apns_standin.server import StandIn
from devices.protocol.push import Outcome, Verdict
from epmm.dev_tls import ServerFiles
from tests.devices.apns.laboratory import QUICK, TOPIC, Laboratory, a_push, pushes, until
from tests.devices.apns.test_client import Client, answers, kinds, reasons


@pytest.mark.parametrize("reason", ["BadCertificate", "BadCertificateEnvironment", "Forbidden", "MissingProviderToken"])
def test_a_refused_certificate_stops_everything(laboratory: Laboratory, reason: str) -> None:
    async def story(client: Client, stand_in: StandIn) -> list[Outcome]:
        outcomes = await client.push(pushes(500))
        assert stand_in.connected == 1
        await until(lambda: not stand_in.connections)
        return outcomes

    script = Script(streams=10, answers=answers(n1=Answer(status=403, reason=reason)))
    outcomes = laboratory.play(story, script)

    assert kinds(outcomes) == {Verdict.BAD_CERTIFICATE: 500}
    assert reasons(outcomes) == {reason}
    assert len(laboratory.seen) == 1


def test_a_goaway_about_the_certificate_stops_everything_too(laboratory: Laboratory) -> None:
    script = Script(first_streams=5, streams=5, goaway_after=2, goaway_reason="BadCertificate", delay=0.05)

    assert kinds(laboratory.play(lambda client, _: client.push(pushes(20)), script)) == {Verdict.BAD_CERTIFICATE: 20}


def test_a_new_call_after_a_refused_certificate_asks_again(laboratory: Laboratory) -> None:
    async def story(client: Client, _: StandIn) -> list[Outcome]:
        return await client.push([a_push(1)]) + await client.push([a_push(2)])

    outcomes = laboratory.play(story, Script(answers=answers(n1=Answer(status=403, reason="BadCertificate"))))
    assert [outcome.kind for outcome in outcomes] == [Verdict.BAD_CERTIFICATE, Verdict.ACCEPTED]


@pytest.mark.parametrize("age", [timedelta(days=400), None], ids=["expired", "of another authority"])
def test_a_certificate_that_tls_refuses(laboratory: Laboratory, tmp_path: Path, age: timedelta | None) -> None:
    now = datetime.now(UTC)
    files = laboratory.files if age else lab.ensure(tmp_path, host="localhost", now=now)
    laboratory.pem = lab.make_push_certificate(files, topic=TOPIC, now=now - (age or timedelta()))

    outcomes = laboratory.play(lambda client, _: client.push(pushes(3)))

    assert kinds(outcomes) == {Verdict.BAD_CERTIFICATE: 3}
    assert "ALERT" in outcomes[0].reason
    assert laboratory.seen == []


def test_the_certificate_of_another_topic(laboratory: Laboratory) -> None:
    outcomes = laboratory.play(lambda client, _: client.push([a_push(topic="com.apple.mgmt.External.other")]))

    assert [(outcome.kind, outcome.reason) for outcome in outcomes] == [(Verdict.WRONG_TOPIC, "TopicDisallowed")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"], ids=["not trusted", "of another name"])
def test_nothing_is_sent_to_a_server_that_is_not_known(laboratory: Laboratory, tmp_path: Path, host: str) -> None:
    other = lab.ensure(tmp_path, host="localhost", now=datetime.now(UTC))

    async def run() -> list[Outcome]:
        async with laboratory.stand_in() as stand_in:
            trust = other.ca if host == "localhost" else laboratory.files.ca
            server = replace(laboratory.server(stand_in.port), host=host, trust=trust)
            if host != "localhost":
                await stand_in.close()
                await stand_in.start(host=host)
                server = replace(server, port=stand_in.port)
            async with ApnsClient(laboratory.identity, server, QUICK) as client:
                return await client.push(pushes(2))

    assert reasons(asyncio.run(run())) == {"server certificate not trusted"}
    assert laboratory.seen == []


def test_a_laboratory_s_server_is_not_trusted_without_its_authority(laboratory: Laboratory) -> None:
    async def run() -> list[Outcome]:
        async with laboratory.stand_in() as stand_in:
            server = replace(laboratory.server(stand_in.port), trust=None)
            async with ApnsClient(laboratory.identity, server, QUICK) as client:
                return await client.push([a_push()])

    assert reasons(asyncio.run(run())) == {"server certificate not trusted"}


def test_a_server_that_speaks_http_1_only(laboratory: Laboratory) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    async def run() -> list[Outcome]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(laboratory.files.certificate, laboratory.files.key)
        server = await asyncio.start_server(serve, "127.0.0.1", ssl=context)
        async with server, laboratory.client(server.sockets[0].getsockname()[1]) as client:
            return await client.push([a_push()])

    assert reasons(asyncio.run(run())) == {"not HTTP/2"}
    assert not any(b"magic" in each for each in heard)


def test_old_versions_of_tls_are_refused(laboratory: Laboratory) -> None:
    context = tls_context(laboratory.identity)

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_key_is_on_disk_for_a_moment_and_not_readable(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found: list[tuple[int, bytes]] = []
    load = ssl.SSLContext.load_cert_chain

    def look(context: ssl.SSLContext, path: str, **more: str) -> None:
        found.append((Path(path).stat().st_mode & 0o777, Path(path).read_bytes()))
        load(context, path, **more)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", look)
    tls_context(laboratory.identity)

    ((mode, content),) = found
    assert mode == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", ["no certificate", "no key", "not a pair", "a locked key"])
def test_what_is_no_identity(laboratory: Laboratory, lab_files: ServerFiles, case: str) -> None:
    good = laboratory.identity
    bad = {
        "no certificate": replace(good, certificate=b"text"),
        "no key": replace(good, key=b"secret text"),
        "not a pair": replace(good, key=lab_files.key.read_bytes()),
        "a locked key": replace(good, key=good.key.replace(b"PRIVATE", b"ENCRYPTED PRIVATE")),
    }[case]

    with pytest.raises(UnusableIdentity, match="cannot be used together") as refused:
        ApnsClient(bad)
    assert "secret" not in str(refused.value)


def test_secrets_do_not_show(laboratory: Laboratory) -> None:
    assert repr(laboratory.identity) == "PushIdentity()"
    assert repr(PushIdentity(certificate=b"", key=b"")) == "PushIdentity()"


def test_the_defaults_lead_to_apple() -> None:
    assert (Server().host, Server().port, Server().trust) == ("api.push.apple.com", 443, None)
    assert Server().authority == b"api.push.apple.com"
    assert Server(port=2197).authority == b"api.push.apple.com:2197"
    assert Server(host="::1", port=2197).authority == b"[::1]:2197"
    assert Limits().streams == 1000
