from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from devices.models import Channel, Enrollment, Wake
from devices.services import push_certificates
from epmm.models import AuditEntry
from tests.devices.services.rows import UDID, channel_of, enrolled

pytestmark = pytest.mark.django_db


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = SimpleNamespace(topic="com.apple.mgmt.External.test")
    monkeypatch.setattr(push_certificates, "current", lambda: credentials)


def test_a_device_is_woken(installed: None, capsys: pytest.CaptureFixture[str]) -> None:
    channel = channel_of(enrolled())
    Channel.objects.update(push_token=b"token", push_magic=b"magic")

    call_command("wake", UDID)

    assert Wake.objects.get().channel == channel
    assert AuditEntry.objects.get().action == "device.woken"
    assert "goes out" in capsys.readouterr().out


def test_a_device_without_a_token_cannot_be_woken(installed: None) -> None:
    enrolled()

    with pytest.raises(CommandError, match="cannot be woken"):
        call_command("wake", UDID)
    assert not Wake.objects.exists()


def test_a_device_under_another_topic_has_to_enroll_again(installed: None) -> None:
    enrolled()
    Channel.objects.update(push_token=b"token", push_magic=b"magic")
    Enrollment.objects.update(topic="com.apple.mgmt.External.another")

    with pytest.raises(CommandError, match=r"another push topic than the certificate.*until it enrolls again"):
        call_command("wake", UDID)
    assert not Wake.objects.exists()
    assert not AuditEntry.objects.exists()


def test_an_unknown_device_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no device"):
        call_command("wake", "unknown")


def test_without_a_push_certificate_it_says_how_to_get_one() -> None:
    push_certificates.clear_cache()
    enrolled()

    with pytest.raises(CommandError, match="push_certificate request"):
        call_command("wake", UDID)
