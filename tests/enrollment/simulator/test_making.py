"""What a simulated device is made of: names that look real, and certificates that a laboratory can trust."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enrollment.simulator import cms
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.identity import Authority, forge, name_of, new_rsa_key


@pytest.mark.parametrize("family", list(Family))
def test_every_device_is_another(family: Family) -> None:
    devices = [Hardware.new(family) for _ in range(20)]

    assert len({device.udid for device in devices}) == len({device.serial for device in devices}) == 20
    assert all(len(device.serial) == 10 for device in devices)
    assert {device.imei is not None for device in devices} == {family is Family.IPHONE}
    assert {device.supervised for device in devices} == {family is Family.MAC}


def test_device_can_be_played_again() -> None:
    again = Hardware.new(Family.MAC, udid="UDID", serial="SERIAL")

    assert (again.udid, again.serial) == ("UDID", "SERIAL")
    assert again.name == "MacBook Pro RIAL"


def test_imei_has_its_check_digit() -> None:
    digits = [int(digit) for digit in str(Hardware.new().imei)]

    doubled = [2 * digit for digit in digits[-2::-2]]
    assert (sum(digits[::-2]) + sum(value // 10 + value % 10 for value in doubled)) % 10 == 0


def test_laboratory_keeps_its_maker(tmp_path: Path) -> None:
    first = Authority.in_folder(tmp_path / "lab")
    second = Authority.in_folder(tmp_path / "lab")

    assert first.identity.certificate == second.identity.certificate
    assert {path.name for path in (tmp_path / "lab").iterdir()} == {"device-ca.pem", "device-ca.key"}
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]
    assert stat.S_IMODE((tmp_path / "lab" / "device-ca.key").stat().st_mode) == 0o600
    assert b"PRIVATE" not in (tmp_path / "lab" / "device-ca.pem").read_bytes()
    device = second.issue(name_of("device"), new_rsa_key()).certificate
    device.verify_directly_issued_by(first.identity.certificate)


def test_second_of_two_makers_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    existed = iter([False])
    first = Authority.in_folder(tmp_path / "lab")
    monkeypatch.setattr(Path, "is_file", lambda _: next(existed))  # both looked before either had written

    second = Authority.in_folder(tmp_path / "lab")

    assert second.identity.certificate == first.identity.certificate
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]


def test_foreign_key_in_the_folder_is_refused(tmp_path: Path) -> None:
    Authority.in_folder(tmp_path)
    ed25519 = "MC4CAQAwBQYDK2VwBCIEIBERERERERERERERERERERERERERERERERERERERERER"
    (tmp_path / "device-ca.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{ed25519}\n-----END PRIVATE KEY-----\n")

    with pytest.raises(TypeError, match="neither an RSA nor an EC key"):
        Authority.in_folder(tmp_path)


def test_forgery_differs_in_nothing_but_its_key() -> None:
    genuine = Authority.new(name_of("CA")).issue(name_of("device"), ec.generate_private_key(ec.SECP256R1()))
    forged = forge(genuine)

    assert forged.certificate.subject == genuine.certificate.subject
    assert forged.certificate.issuer == genuine.certificate.issuer
    assert forged.certificate.serial_number == genuine.certificate.serial_number
    forged.certificate.verify_directly_issued_by(forged.issuers[0])
    with pytest.raises(InvalidSignature):
        forged.certificate.verify_directly_issued_by(genuine.issuers[0])


@pytest.mark.parametrize("key", [new_rsa_key(), ec.generate_private_key(ec.SECP256R1())], ids=["RSA", "EC"])
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("attributes", [True, False])
def test_own_signatures_hold(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, digest: cms.DigestName, *, attributes: bool
) -> None:
    identity = Authority.new(name_of("CA")).issue(name_of("device"), key)
    form = cms.SignatureForm(digest=digest, signed_attributes=attributes)

    message = cms.sign(b"content", identity, form=form)

    assert cms.verify(message).content == b"content"
    assert cms.verify(message, signer=identity.certificate).signer == identity.certificate
    with pytest.raises(cms.CmsError):
        cms.verify(message.replace(b"content", b"CONTENT"))


def test_message_of_a_real_iphone_is_read() -> None:
    vectors = Path(__file__).parents[2] / "vectors" / "account-driven"
    body = base64.b64decode((vectors / "enroll_body.b64").read_text())

    signed = cms.verify(body)

    assert signed.digest == "sha1"
    assert b"<key>PRODUCT</key>" in signed.content
    with pytest.raises(cms.CmsError, match="not what was signed"):
        cms.verify(body.replace(b"iPhone", b"iPhOne", 1))


@pytest.mark.parametrize("damage", [b"", b"0", b"\x30\x80", b"0" * 5000, b"\x30\x03\x06\x01\x2a"])
def test_what_is_no_message_is_one_error(damage: bytes) -> None:
    for reader in (cms.verify, cms.certificates_in):
        with pytest.raises(cms.CmsError):
            reader(damage)
