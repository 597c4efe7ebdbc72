"""Who is calling: every way a certificate may come, and every way it may not."""

import base64
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock, create_autospec
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.utils import timezone

from devices.door import caller
from devices.errors import DeviceRefused, ReauthenticationNeeded, UnrecognizedDevice
from devices.models import Command, Enrollment, Identity
from devices.protocol import credentials
from epmm import metrics, options, settings_store
from epmm.batching import BatchingStore
from tests import pki
from tests.devices.door.fakes import LAPTOP, PROXY, FakeDevice, Reply, Site

IDLE = {"Status": "Idle"}


def rfc9440(device: FakeDevice) -> str:
    return f":{base64.b64encode(device.identity.der).decode()}:"


def escaped_pem(device: FakeDevice) -> str:
    return quote(device.identity.pem.decode(), safe="")


def is_refused(reply: Reply) -> bool:
    """403 without a body: the device stays enrolled."""
    return (reply.status, reply.body, reply.headers["content-length"]) == (403, b"", "0")


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384"])
@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("key", [pki.rsa_key, pki.ec_key])
def test_a_signature_identifies(site: Site, key: Callable[[], pki.Key], digest: str, *, attributes: bool) -> None:
    device = FakeDevice.enrolled(site, key=key())
    body = device.message(IDLE)
    headers = {"Mdm-Signature": device.sign(body, digest=digest, attributes=attributes)}

    assert site.put(body, headers).command is None


def test_a_tampered_body_is_refused(device: FakeDevice) -> None:
    command = device.queue()
    body = device.message({"Status": "Acknowledged", "CommandUUID": str(command.uuid)})
    reply = device.site.put(body.replace(b"Acknowledged", b"NotNowAtAll?"), device.headers(body))

    assert (reply.status, reply.body) == (400, b"")
    assert device.idle().command == command.uuid


def test_two_signers_are_one_too_many(site: Site, device: FakeDevice) -> None:
    other = FakeDevice.enrolled(site)
    body = device.message(IDLE)
    signers = [pki.signer_info(body, each.identity) for each in (device, other)]
    message = pki.signed_data(None, signers, [device.identity, other.identity])

    assert site.put(body, {"Mdm-Signature": base64.b64encode(message).decode()}).status == 400


@pytest.mark.parametrize("value", ["!", "aGVsbG8=", "aGVsbG8", "MIIB"])
def test_what_is_no_signature_is_malformed(device: FakeDevice, value: str) -> None:
    assert device.site.put(device.message(IDLE), {"Mdm-Signature": value}).status == 400


@pytest.mark.parametrize("name", ["Client-Cert", "X-SSL-Client-Cert"])
@pytest.mark.parametrize("form", [rfc9440, escaped_pem])
def test_a_trusted_proxy_may_tell(device: FakeDevice, name: str, form: Callable[[FakeDevice], str]) -> None:
    command = device.queue()
    body = device.message(IDLE)

    assert device.site.put(body, {name: form(device)}, address=PROXY).command == command.uuid


@pytest.mark.parametrize("name", ["Client-Cert", "X-SSL-Client-Cert"])
@pytest.mark.parametrize("form", [rfc9440, escaped_pem])
def test_nobody_else_may_tell(device: FakeDevice, name: str, form: Callable[[FakeDevice], str]) -> None:
    device.queue()

    assert is_refused(device.site.put(device.message(IDLE), {name: form(device)}, address=LAPTOP))
    assert device.channel.last_seen_at is None


@pytest.mark.parametrize("address", [LAPTOP, PROXY])
def test_without_a_certificate_nothing_is_served(device: FakeDevice, address: str) -> None:
    headers = {"Authorization": "Bearer token-of-anna", "Client-Cert": ""}

    assert is_refused(device.site.put(device.message(IDLE), headers, address=address))


@pytest.mark.parametrize(
    "value", [":", "::", ":!:", ":aGVsbG8:", ":aGVsbG8=", "%", "hello", "-----BEGIN CERTIFICATE-----"]
)
def test_a_proxy_that_tells_nonsense_is_malformed(device: FakeDevice, value: str) -> None:
    assert device.site.put(device.message(IDLE), {"Client-Cert": value}, address=PROXY).status == 400


def test_the_signature_counts_where_there_is_a_header_too(site: Site, device: FakeDevice) -> None:
    other = FakeDevice.enrolled(site)
    command = device.queue()
    body = device.message(IDLE)

    reply = site.put(body, device.headers(body) | {"Client-Cert": rfc9440(other)}, address=PROXY)
    assert reply.command == command.uuid


def test_a_header_does_not_heal_a_bad_signature(device: FakeDevice) -> None:
    headers = {"Mdm-Signature": device.sign(b"another message"), "Client-Cert": rfc9440(device)}

    assert device.site.put(device.message(IDLE), headers, address=PROXY).status == 400


@pytest.mark.parametrize("name", ["Client-Cert", "Mdm-Signature", "Authorization"])
def test_credentials_come_once(device: FakeDevice, name: str) -> None:
    body = device.message(IDLE)
    values = device.headers(body) | {"Client-Cert": rfc9440(device)}
    headers = [*values.items(), (name, values[name])]

    assert device.site.put(body, headers, address=PROXY).status == 400


def test_a_proxy_that_lets_the_other_name_through_is_found_out(site: Site, device: FakeDevice) -> None:
    headers = {"Client-Cert": rfc9440(FakeDevice.enrolled(site)), "X-SSL-Client-Cert": escaped_pem(device)}

    assert is_refused(site.put(device.message(IDLE), headers, address=PROXY))


def test_a_message_may_not_name_another_device(site: Site, device: FakeDevice) -> None:
    site.handlers.explanation = DeviceRefused("the message names another device")
    victim = FakeDevice.enrolled(site)
    command = victim.queue()
    victim.idle()
    keys = {"UDID": victim.udid, "Status": "Acknowledged", "CommandUUID": str(command.uuid)}

    assert is_refused(device.send(keys))
    assert victim.idle().command == command.uuid
    assert [key for _, key in site.handlers.explained] == [victim.udid]


def test_an_unknown_certificate_is_explained_and_refused(site: Site, device: FakeDevice) -> None:
    stranger = FakeDevice(site, pki.issue("stranger", key=pki.ec_key(1)), device.udid, device.enrollment)

    assert is_refused(stranger.idle())
    assert [key for _, key in site.handlers.explained] == [device.udid]


def test_a_stranger_costs_one_check_and_one_statement(
    site: Site, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Mock(wraps=credentials.certificate_of_signature)
    ask = create_autospec(BatchingStore.ask, side_effect=BatchingStore.ask)
    monkeypatch.setattr(caller, "certificate_of_signature", check)
    monkeypatch.setattr(BatchingStore, "ask", ask)
    site.handlers.explanation = DeviceRefused("the certificate was not issued here")
    stranger = FakeDevice(site, pki.issue("stranger", key=pki.ec_key(1)), device.udid, device.enrollment)

    assert is_refused(stranger.idle())
    assert (check.call_count, ask.call_count, len(site.handlers.explained)) == (1, 1, 1)


@pytest.mark.parametrize("state", [state for state in Identity.State if state != Identity.State.CURRENT])
def test_a_certificate_that_is_not_in_force_is_not_served(device: FakeDevice, state: Identity.State) -> None:
    Identity.objects.update(state=state)
    device.site.handlers.explanation = DeviceRefused("not in force")

    assert is_refused(device.idle())


def test_an_expired_certificate_is_not_served(device: FakeDevice) -> None:
    Identity.objects.update(not_after=timezone.now() + timedelta(seconds=30))
    assert device.idle().status == 200

    Identity.objects.update(not_after=timezone.now() - timedelta(milliseconds=1))
    assert is_refused(device.idle())


def test_an_expired_certificate_is_served_where_administrators_let_it(device: FakeDevice) -> None:
    Identity.objects.update(not_after=timezone.now() - timedelta(days=1))
    settings_store.change(options.DENY_EXPIRED.name, "False", actor="test")
    assert device.idle().status == 200

    settings_store.change(options.DENY_EXPIRED.name, "on", actor="test")
    assert is_refused(device.idle())


@pytest.mark.parametrize("state", [state for state in Enrollment.State if state != Enrollment.State.ACTIVE])
def test_an_enrollment_that_is_not_active_gets_no_command(device: FakeDevice, state: Enrollment.State) -> None:
    device.queue()
    Enrollment.objects.update(state=state)
    device.site.handlers.explanation = UnrecognizedDevice()

    reply = device.idle()
    assert (reply.status, b"com.apple.unrecognized.device" in reply.body) == (403, True)
    assert device.channel.last_seen_at is None


def test_a_channel_that_no_token_update_opened_is_not_served(device: FakeDevice) -> None:
    user = FakeDevice(device.site, device.identity, device.udid, device.enrollment, device.bearer, user_id="U")

    assert is_refused(user.idle())


def test_a_mac_sends_no_bearer(device: FakeDevice) -> None:
    device.bearer = None

    assert device.idle().status == 200
    assert not device.site.handlers.explained


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  ", "token-of-anna"])
def test_what_is_no_bearer_is_not_looked_at(device: FakeDevice, value: str) -> None:
    body = device.message(IDLE)

    assert device.site.put(body, device.headers(body) | {"Authorization": value}).status == 200
    assert not device.site.handlers.explained


def test_the_scheme_of_a_bearer_ignores_case(device: FakeDevice) -> None:
    body = device.message(IDLE)

    assert device.site.put(body, device.headers(body) | {"Authorization": "bEARER token-of-anna"}).status == 200
    assert not device.site.handlers.explained


def test_a_dead_bearer_is_asked_about_and_may_go_on_without(device: FakeDevice) -> None:
    device.bearer = "an older token"
    command = device.queue()

    assert device.idle().command == command.uuid
    assert [key for _, key in device.site.handlers.explained] == [device.udid]


@pytest.mark.parametrize("status", ["Idle", "NotNow", "Acknowledged"])
def test_a_bearer_that_has_lapsed_is_asked_about(device: FakeDevice, status: str) -> None:
    """The one statement holds the bearer against its end; the queue stays as it is."""
    command = device.queue()
    handlers = device.site.handlers
    for minutes, is_explained in ((5, False), (-5, True)):
        device.enrollment.bearer_lapses_at = timezone.now() + timedelta(minutes=minutes)
        device.enrollment.save()
        handlers.explanation = ReauthenticationNeeded('Bearer method="apple-as-web", url="https://x.example/"')
        reply = device.idle() if status == "Idle" else device.report(status, uuid4())
        assert (reply.status, bool(handlers.explained)) == (401 if is_explained else 200, is_explained)

    assert reply.headers["www-authenticate"] == 'Bearer method="apple-as-web", url="https://x.example/"'
    assert (reply.body, reply.headers["cache-control"]) == (b"", "no-store")
    command.refresh_from_db()
    assert command.state == Command.State.OFFERED
    device.site.door._figures.end()
    counted = [
        metrics.registry.get_sample_value("epmm_door_answers_total", {"endpoint": "connect", "status": answer})
        for answer in ("401", "challenge")
    ]
    assert counted[0] == 0  # an alarm
    assert counted[1]
    device.bearer = None
    assert device.idle().command == command.uuid


def test_a_foreign_bearer_is_refused_when_the_explanation_says_so(device: FakeDevice) -> None:
    device.bearer = "token of another person"
    device.site.handlers.explanation = DeviceRefused("the token of another person")
    command = device.queue()

    assert is_refused(device.report("Acknowledged", uuid4()))
    device.site.handlers.explanation = None
    assert device.idle().command == command.uuid


def test_handlers_learn_who_and_from_where(device: FakeDevice) -> None:
    body = device.message({"MessageType": "CheckOut"})
    headers = {"Client-Cert": rfc9440(device), "Authorization": "Bearer x"}
    for forwarded in ("198.51.100.4", f"203.0.113.9, 198.51.100.4, {PROXY}", PROXY, "unknown"):
        device.site.put(body, headers | {"X-Forwarded-For": forwarded}, address=PROXY)
    device.site.put(body, device.headers(body) | {"X-Forwarded-For": "198.51.100.4"})

    seen = device.site.handlers.checked_in
    assert [request.address for request in seen] == ["198.51.100.4", "198.51.100.4", PROXY, PROXY, LAPTOP]
    assert {request.certificate for request in seen} == {device.identity.der}
    assert {request.body for request in seen} == {body}
    assert all(request.bearer_sha256 for request in seen)
