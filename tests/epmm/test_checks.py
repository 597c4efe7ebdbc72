import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.checks.registry import registry

from epmm import checks, dev_tls


def found() -> list[str | None]:
    return [message.id for message in checks.installation()]


def test_every_start_checks() -> None:
    registered: dict[object, Any] = {each: each.tags for each in registry.get_checks()}

    assert registered[checks.installation] == (checks.INSTALLATION,)  # which `up` asks for


def test_a_sound_installation_passes(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    files = dev_tls.ensure(tmp_path / "tls", host="mdm.example.test", now=datetime.now(UTC))
    settings.DATA_DIR = tmp_path
    settings.SIGNING_CERTIFICATE, settings.SIGNING_KEY = files.certificate, files.key
    settings.EXTRA_DEVICE_CA = files.ca

    assert found() == []


def test_the_data_directory_must_be_there(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "absent"

    assert found() == ["epmm.E001"]


def test_the_data_directory_must_be_ours_to_write(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere

    assert found() == ["epmm.E001"]


def test_a_data_directory_that_all_may_read_is_a_warning(settings: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    settings.DATA_DIR = tmp_path

    assert found() == ["epmm.W002"]


@pytest.mark.parametrize("wrong", ["absent", "another key", "a locked key", "no key"])
def test_a_signing_pair_must_be_one(settings: Any, tmp_path: Path, wrong: str) -> None:
    files = dev_tls.ensure(tmp_path, host="mdm.example.test", now=datetime.now(UTC))
    settings.SIGNING_CERTIFICATE, settings.SIGNING_KEY = files.certificate, files.key
    match wrong:
        case "absent":
            files.certificate.unlink()
        case "another key":
            files.key.write_bytes((tmp_path / "ca.key").read_bytes())
        case "a locked key":
            files.key.write_bytes(locked(files.key.read_bytes()))
        case "no key":
            settings.SIGNING_KEY = None

    assert [message.id for message in checks.signing_pair_can_be_used()] == ["epmm.E003"]


def locked(key: bytes) -> bytes:
    return serialization.load_pem_private_key(key, password=None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a password"),
    )


@pytest.mark.parametrize("keys", ["", "k1", "k1:short", ":QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="])
def test_field_keys_must_be_readable(settings: Any, keys: str) -> None:
    settings.FIELD_KEYS = keys

    (message,) = checks.field_keys_can_be_read()
    assert (message.id, "EPMM_FIELD_KEYS" in message.msg) == ("epmm.E004", True)


def test_production_brings_its_own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPMM_DATABASE_URL", "postgresql://db.example.test/epmm")
    monkeypatch.delenv("EPMM_SECRET_KEY", raising=False)
    monkeypatch.setenv("EPMM_FIELD_KEYS", "given")
    (message,) = checks.production_has_its_own_secrets()
    assert (message.id, message.msg.split()[0]) == ("epmm.E005", "EPMM_SECRET_KEY")

    monkeypatch.setenv("EPMM_SECRET_KEY_FILE", "given")
    assert checks.production_has_its_own_secrets() == []


def test_one_machine_may_use_the_secrets_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EPMM_DATABASE_URL", "EPMM_SECRET_KEY", "EPMM_FIELD_KEYS"):
        monkeypatch.delenv(name, raising=False)

    assert checks.production_has_its_own_secrets() == []


@pytest.mark.parametrize("content", [None, b"", b"not PEM"], ids=["absent", "empty", "something else"])
def test_extra_device_authorities_must_be_certificates(settings: Any, tmp_path: Path, content: bytes | None) -> None:
    settings.EXTRA_DEVICE_CA = tmp_path / "ca.pem"
    if content is not None:
        settings.EXTRA_DEVICE_CA.write_bytes(content)

    assert [message.id for message in checks.extra_device_authorities_can_be_read()] == ["epmm.E006"]


def test_what_is_wrong_is_said_without_quoting_a_secret(settings: Any) -> None:
    settings.FIELD_KEYS = "k1:very-secret"

    assert "very-secret" not in str(checks.field_keys_can_be_read())
