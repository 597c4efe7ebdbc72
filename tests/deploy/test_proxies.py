"""The real nginx and HAProxy, with the files of `deploy/`, before real processes of the production profile."""

import base64
import plistlib
import re
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.identity import Identity, forge
from enrollment.simulator.mdm_link import Proof
from enrollment.simulator.network import Network
from tests.deploy.production import HOST, PASSWORD, Production, eventually, written

SPOOFED = ("Client-Cert", "X-SSL-Client-Cert", "client-cert", "Client_Cert")
DECLARED = """
from devices.models import Channel, DeclarationAssignment
from devices.services import declarations, declared_profiles
from tests.devices.configuration.profiles import profile
row = declarations.put("wifi", "com.apple.configuration.legacy", profile=profile(), actor="test")
channel = Channel.objects.latest("last_seen_at")
DeclarationAssignment.objects.get_or_create(declaration=row, device=channel.enrollment.device)
print(declared_profiles.url_for(channel, row.profile_sha256))
"""


@pytest.fixture(scope="module")
def device(proxied: Production) -> Iterator[SimulatedDevice]:
    """Enrolled through the proxy, which saw its certificate: its messages are not signed."""
    proxied.switch("enrollment.sign_message", "off")
    made = proxied.device()
    made.enroll(password=PASSWORD)
    yield made
    made.network.close()


def in_words(identity: Identity) -> dict[str, str]:
    """How a header would name it, in either of the two spellings."""
    pem = identity.certificate.public_bytes(Encoding.PEM)
    return {"rfc9440": f":{base64.b64encode(identity.der).decode()}:", "escaped": quote(pem, safe="")}


def test_a_device_that_shows_its_certificate_enrolls_and_works(device: SimulatedDevice) -> None:
    executed = device.connect()

    assert {item.status for item in executed} <= {"Acknowledged"}
    assert device.connect() == []


def test_a_device_that_signs_its_messages_needs_no_client_certificate(proxied: Production) -> None:
    proxied.switch("enrollment.sign_message", "on")
    mac = proxied.device(Family.MAC)
    mac.enroll(password=PASSWORD)

    assert {item.status for item in mac.connect()} == {"Acknowledged"}
    mac.proof = Proof.NONE
    assert mac.send_status("Idle").status_code == 200, "the proxy showed it"
    mac.network.close()


def test_without_a_certificate_there_is_no_way_in(proxied: Production, device: SimulatedDevice) -> None:
    with_none = Network(trust=proxied.tls.ca)
    response = with_none.client.put(device.membership.profile.server_url, content=b"<plist/>")

    assert (response.status_code, response.content) == (403, b"")
    with_none.close()


def test_a_foreign_certificate_is_nobody(proxied: Production, device: SimulatedDevice) -> None:
    assert device.identity is not None
    genuine = device.identity
    device.identity = forge(genuine)
    try:
        response = device.send_status("Idle")
    finally:
        device.identity = genuine

    assert (response.status_code, response.content) == (403, b"")


@pytest.mark.parametrize("spelling", ["rfc9440", "escaped"])
@pytest.mark.parametrize("header", SPOOFED)
def test_a_header_from_outside_proves_nothing(
    proxied: Production, device: SimulatedDevice, header: str, spelling: str
) -> None:
    """The thief has seen the certificate, which is no secret, and has not the key."""
    assert device.identity is not None
    thief = Network(trust=proxied.tls.ca)
    forged = {header: in_words(device.identity)[spelling], "X-Forwarded-For": "127.0.0.1"}
    body = b'<plist version="1.0"><dict/></plist>'
    response = thief.client.put(device.membership.profile.server_url, content=body, headers=forged)

    assert (response.status_code, response.content) == (403, b"")
    thief.close()


def test_a_forged_header_does_not_replace_what_was_shown(device: SimulatedDevice) -> None:
    assert device.identity is not None
    other = in_words(forge(device.identity))

    for header in SPOOFED:
        assert device.send_status("Idle", headers={header: other["rfc9440"]}).status_code == 200


def test_a_resumed_session_still_shows_the_certificate(
    proxied: Production, device: SimulatedDevice, tmp_path: Path
) -> None:
    assert device.identity is not None
    pem = tmp_path / "identity.pem"
    pem.write_bytes(device.identity.key_pem + device.identity.pem)
    context = ssl.create_default_context(cafile=proxied.tls.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its session is there when the handshake ends
    context.load_cert_chain(pem)
    first = tls_connection(context, proxied.port, None)
    session = first.session
    first.close()
    second = tls_connection(context, proxied.port, session)
    body = idle(device)
    head = f"PUT /mdm/connect HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n"
    second.sendall(head.encode() + body)

    assert second.session_reused
    assert second.recv(65_536).startswith(b"HTTP/1.1 200 ")
    second.close()


def tls_connection(
    context: ssl.SSLContext, port: int, session: ssl.SSLSession | None, address: str = "127.0.0.1"
) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(address, 0))
    return context.wrap_socket(plain, server_hostname=HOST, session=session)


def idle(device: SimulatedDevice) -> bytes:
    return plistlib.dumps({"UDID": device.hardware.udid, "Status": "Idle"})


@pytest.mark.parametrize(
    ("size", "statuses"), [(15 << 20, {400}), ((16 << 20) + 1, {413})], ids=["fits", "does not fit"]
)
def test_bodies_of_16_mib(device: SimulatedDevice, size: int, statuses: set[int]) -> None:
    url = device.membership.profile.server_url
    assert device.identity is not None
    client = device.network.presenting(device.identity)

    assert client.put(url, content=bytes(size)).status_code in statuses


@pytest.mark.parametrize(("size", "pages"), [(32 << 10, 0), (37 << 10, 1)], ids=["fits", "does not fit"])
def test_headers_of_32_kib(proxied: Production, size: int, pages: int) -> None:
    """The proxies have room for 36 KiB, and refuse more with a page; the door refuses what is no signature without."""
    head = f"PUT /mdm/connect HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: 0\r\nMdm-Signature: "
    with tls_connection(ssl.create_default_context(cafile=proxied.tls.ca), proxied.port, None) as connection:
        connection.sendall(f"{head:A<{size - 4}}\r\n\r\n".encode())
        status, _, content = connection.makefile("rb").read().partition(b" ")[2].partition(b"\r\n\r\n")

    assert (status[:3], content.count(b"<h1>400 Bad")) == (b"400", pages)


@pytest.mark.parametrize("path", ["/mdm", "/mdm/", "/mdm/connect", "/mdm/checkin", "/mdm/x", "//mdm/connect"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PROPFIND"])
def test_no_answer_below_mdm_is_a_401(proxied: Production, method: str, path: str) -> None:
    network = Network(trust=proxied.tls.ca)
    response = network.client.request(method, f"https://{HOST}:{proxied.port}{path}")

    assert response.status_code in (400, 403, 404, 405)
    network.close()


def test_a_device_that_calls_without_end_is_slowed_down_without_a_401(
    proxied: Production, device: SimulatedDevice
) -> None:
    assert device.identity is not None
    client = device.network.presenting(forge(device.identity))  # whoever it is: the proxy counts by the certificate
    url, body = device.membership.profile.server_url, idle(device)
    client.put(url, content=body)  # it looks the name up, which it cannot in several threads at once
    statuses: set[int] = set()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            statuses.update(pool.map(lambda _: client.put(url, content=body).status_code, range(600)))
            if 503 in statuses:
                break

    assert statuses == {403, 503}
    assert device.send_status("Idle").status_code == 200, "another one is not slowed down"


def test_strangers_without_a_certificate_are_slowed_down_by_their_address(
    proxied: Production, device: SimulatedDevice
) -> None:
    context = ssl.create_default_context(cafile=proxied.tls.ca)
    with tls_connection(context, proxied.port, None, address="127.0.0.2") as stranger:
        statuses = statuses_of_many(stranger, 4000, until=b"503")
    with tls_connection(context, proxied.port, None) as another:
        [of_another] = statuses_of_many(another, 1)

    assert statuses == {b"403", b"503"}
    assert of_another == b"403"
    assert device.send_status("Idle").status_code == 200, "one with a certificate is not slowed down"


def test_a_fleet_fetches_a_declared_profile_from_one_address_and_who_guesses_there_is_slowed_down(
    proxied: Production, device: SimulatedDevice
) -> None:
    """More at once than people may ask for."""
    context = ssl.create_default_context(cafile=proxied.tls.ca)
    right = f"GET {urlsplit(proxied.python(DECLARED).strip()).path}"
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")

    def ask(what: str, count: int, until: bytes = b"") -> set[bytes]:
        with tls_connection(context, proxied.port, None, address="127.0.0.3") as connection:
            return statuses_of_many(connection, count, what, until=until)

    with ThreadPoolExecutor(4) as pool:
        assert set.union(*pool.map(lambda _: ask(right, 300), range(4))) == {b"200"}
        assert set.union(*pool.map(lambda _: ask(wrong, 4000, until=b"429"), range(4))) == {b"404", b"429"}
    assert ask(right, 1) == {b"200"}


def statuses_of_many(
    connection: ssl.SSLSocket, count: int, what: str = "PUT /mdm/connect", *, until: bytes = b""
) -> set[bytes]:
    """Of one and the same message, many times: faster than a client would, who waits for each answer."""
    message = f"{what} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n".encode()
    at_once, statuses = min(count, 50), set[bytes]()
    for _ in range(count // at_once):
        connection.sendall(message * at_once)
        answers = b""
        while answers.count(b"HTTP/1.1 ") < at_once and (more := connection.recv(65_536)):
            answers += more
        statuses.update(re.findall(rb"HTTP/1\.1 (\d{3}) ", answers))
        if until in statuses:
            break
    return statuses


def test_figures_are_for_those_who_may_see_them(proxied: Production, device: SimulatedDevice) -> None:
    assert device.send_status("Idle").status_code == 200
    outside = Network(trust=proxied.tls.ca)
    base = f"https://{HOST}:{proxied.port}"
    hidden = outside.client.get(f"{base}/metrics", headers={"X-Forwarded-For": "127.0.0.1"})

    def inside(path: str) -> httpx2.Response:
        return httpx2.get(f"http://127.0.0.1:{proxied.figures_port}/{path}", timeout=60)

    assert hidden.status_code == 404
    assert (inside("metrics").status_code, inside("").status_code) == (200, 404)
    counted = re.compile(r'epmm_door_answers_total\{endpoint="connect",status="200"\} [1-9]')
    eventually(lambda: counted.search(inside("metrics").text))  # the doors write it down each second
    assert 'epmm_certificate_expiry_days{certificate="device_ca"}' in inside("metrics").text
    outside.close()


def test_a_request_has_one_name_from_the_proxy_to_the_log(proxied: Production) -> None:
    network = Network(trust=proxied.tls.ca)
    answer = network.client.get(f"https://{HOST}:{proxied.port}/", headers={"X-Request-ID": "chosen-outside"})
    name = answer.headers["X-Request-ID"]
    network.close()

    assert name != "chosen-outside"
    assert re.fullmatch(r"[A-Za-z0-9-]{16,64}", name)
    # both write a moment later
    eventually(lambda: any(f"request_id={name}" in proxied.log(web) for web in ("web-1", "web-2")))
    eventually(lambda: f"request_id={name}" in said_by_the_proxy(proxied))


def said_by_the_proxy(machine: Production) -> str:
    return written(machine.directory, "*/output") + written(machine.directory, "*/epmm.log")


def test_logs_hold_no_path_and_no_person(proxied: Production, device: SimulatedDevice) -> None:
    logs = said_by_the_proxy(proxied)
    logs += "".join(proxied.log(name) for name in ("web-1", "web-2", "gateway-1", "gateway-2"))

    assert "sign-in" not in logs
    assert "anna" not in logs
    assert "user-identifier" not in logs
    assert device.hardware.udid not in logs
