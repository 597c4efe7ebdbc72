"""The whole way on the command line, as an administrator goes it."""

from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.models import PushCertificate, PushRequest
from devices.services import push_certificates, push_topics
from epmm.models import AuditEntry
from tests import apple_portal, pki
from tests.apple_portal import TOPIC
from tests.devices.commands_line.run import run, run_json
from tests.devices.services.rows import enrolled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    push_certificates.clear_cache()
    yield
    push_certificates.clear_cache()


def file(folder: Path, content: bytes, name: str = "given.pem") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def csr() -> bytes:
    printed = run("push_certificate", "request").encode()
    return x509.load_pem_x509_csr(printed).public_bytes(Encoding.DER)


def vendor(folder: Path) -> list[str]:
    chain = apple_portal.vendor()
    return [
        *("--vendor-certificate", file(folder, apple_portal.chain_pem(chain), "chain.pem")),
        *("--vendor-key", file(folder, chain[0].key_pem, "key.pem")),
    ]


def test_from_the_request_to_the_certificate(tmp_path: Path) -> None:
    upload = tmp_path / "upload.b64"
    request = csr()
    said = run("push_certificate", "sign", *vendor(tmp_path), "--output", str(upload))
    assert "https://identity.apple.com/pushcert" in said
    assert run("push_certificate", "check-signed", str(upload)).strip().encode() == upload.read_bytes()
    assert b"PushCertSignature" in b64decode(upload.read_bytes())

    said = run("push_certificate", "install", file(tmp_path, apple_portal.answer(request)))

    assert said.startswith(f"Installed: {TOPIC}, valid until ")
    assert push_certificates.current() is not None


def test_the_request_is_printed_again_until_a_new_one_is_wanted() -> None:
    first = run("push_certificate", "request")

    assert run("push_certificate", "request") == first
    assert run("push_certificate", "request", "--new") != first


def test_the_request_as_a_file(tmp_path: Path) -> None:
    target = tmp_path / "request.der"
    said = run("push_certificate", "request", "--der", "--output", str(target))

    assert said == f"Written to {target}. Have it signed by your MDM vendor.\n"
    assert target.read_bytes() == csr()
    assert "PRIVATE" not in run("push_certificate", "request")


def test_a_new_request_that_cannot_be_written_leaves_the_open_one(tmp_path: Path) -> None:
    first = run("push_certificate", "request")
    with pytest.raises(CommandError, match="No such file"):
        run("push_certificate", "request", "--new", "--output", str(tmp_path / "none" / "request.pem"))

    assert run("push_certificate", "request") == first
    assert AuditEntry.objects.filter(action="push_certificate.requested").count() == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["request", "--der"], "--der needs --output"),
        (["request", "--output", "{}/none/request.pem"], "No such file"),
        (["install", "{}/none.pem"], "No such file"),
        (["check-signed", "{}/none.pem"], "No such file"),
        (["sign", "--vendor-certificate", "{}/none.pem", "--vendor-key", "{}/none.pem"], "No such file"),
    ],
)
def test_a_wrong_call_is_one_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run("push_certificate", *(argument.format(tmp_path) for argument in arguments))


def test_a_refusal_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no certificate"):
        run("push_certificate", "install", file(tmp_path, b"nothing"))


def test_consequences_are_named_and_need_yes(tmp_path: Path) -> None:
    enrolled(device_name="Anna's iPad")
    given = file(tmp_path, apple_portal.answer(csr(), issuer=apple_portal.LABORATORY))

    with pytest.raises(CommandError, match=r"CN=Laboratory.*Anna's iPad.*Nothing was changed\. Add --yes"):
        run("push_certificate", "install", given)
    assert not PushCertificate.objects.exists()
    assert PushRequest.objects.exists()

    assert "Installed" in run("push_certificate", "install", given, "--yes", "--apple-account", "it@corp.example")
    assert PushCertificate.objects.get().apple_account == "it@corp.example"


def test_a_certificate_from_another_server_brings_its_key(tmp_path: Path) -> None:
    key = pki.rsa_key(number=75)
    certificate = apple_portal.issue(key.public_key())
    brought = file(tmp_path, pki.Identity(certificate, key).key_pem, "key.pem")

    said = run("push_certificate", "install", file(tmp_path, apple_portal.pem(certificate)), "--key", brought)
    assert TOPIC in said


def test_what_is_shown_before_anything_is_set_up() -> None:
    text = run("push_certificate", "show")

    assert text.startswith("Push is not set up")
    assert run_json("push_certificate", "show") == {
        "state": "none",
        "topic": push_topics.lab_topic(),
        "request_open_since": None,
        "devices_by_topic": {},
    }


def test_what_is_shown_of_a_certificate(tmp_path: Path) -> None:
    run("push_certificate", "install", file(tmp_path, apple_portal.answer(csr(), days=20.5)), "--apple-account", "it@x")
    enrolled()
    shown: dict[str, Any] = run_json("push_certificate", "show")

    row = PushCertificate.objects.get()
    assert (shown["state"], shown["topic"], shown["days_left"]) == ("expires", TOPIC, 20)
    assert (shown["serial_number"], shown["sha256"]) == (row.serial_number, row.sha256.hex())
    assert shown["devices_by_topic"] == {"com.apple.mgmt.External.test": 1}
    text = run("push_certificate", "show")
    assert "days left: 20" in text
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    assert ["apple_account", "it@x"] in lines
    assert ["devices", "1 under com.apple.mgmt.External.test"] in lines
    assert ["not_after", f"{row.not_after:%Y-%m-%d %H:%M:%S} UTC"] in lines
    assert "PRIVATE" not in text


def test_after_the_last_day_it_says_so(tmp_path: Path) -> None:
    run("push_certificate", "install", file(tmp_path, apple_portal.answer(csr())))
    PushCertificate.objects.update(not_after=timezone.now() - timedelta(days=1))

    assert run_json("push_certificate", "show")["state"] == "expired"
    assert "expired on" in run("push_certificate", "show")


def test_an_action_is_needed() -> None:
    with pytest.raises(CommandError, match="action"):
        call_command("push_certificate", stdout=StringIO())
