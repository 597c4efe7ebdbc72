"""A field key is put away: whatever it closed is opened by the new one."""

import io
from base64 import b64encode

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from devices.models import Enrollment
from enrollment.models import Authority
from tests.devices.services import rows

pytestmark = pytest.mark.django_db
OLD, NEW, OTHER = (f"{name}:{b64encode(name.encode() * 16).decode()}" for name in ("k1", "k2", "k0"))


def reencrypt() -> str:
    said = io.StringIO()
    call_command("reencrypt", stdout=said)
    return said.getvalue()


def test_every_secret_moves_to_the_new_key_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.sealed.BATCH", 2)
    Authority.objects.all().delete()
    settings.FIELD_KEYS = OLD
    for number in range(3):
        enrollment = rows.enrolled(udid=str(number))
        enrollment.unlock_token = b"secret %d" % number
        enrollment.save()
    rows.enrolled(udid="without one")
    Authority.objects.create(purpose="scep_ra", certificate=b"", private_key=b"a key", is_current=False)
    settings.FIELD_KEYS = f"{NEW},{OLD}"

    assert reencrypt() == "4 secrets are now under the key k2; no stored secret needs another\n"
    assert reencrypt().startswith("0 secrets")
    settings.FIELD_KEYS = NEW
    tokens = Enrollment.objects.order_by("udid").values_list("unlock_token", flat=True)
    assert list(tokens) == [b"secret 0", b"secret 1", b"secret 2", None]
    assert Authority.objects.get().private_key == b"a key"


def test_a_secret_of_a_key_that_is_gone_is_counted_and_stays(settings: Settings) -> None:
    Authority.objects.all().delete()
    settings.FIELD_KEYS = OLD
    Authority.objects.create(purpose="scep_ra", certificate=b"", private_key=b"a key", is_current=False)
    settings.FIELD_KEYS = OTHER
    Authority.objects.create(purpose="device_ca", certificate=b"", private_key=b"other", is_current=False)
    settings.FIELD_KEYS = f"{NEW},{OTHER}"
    with pytest.raises(CommandError, match=r"1 secrets are now under the key k2; 1 cannot be opened.*made with: k1\."):
        reencrypt()

    settings.FIELD_KEYS = f"{NEW},{OLD}"
    assert {each.private_key for each in Authority.objects.all()} == {b"a key", b"other"}


def test_a_key_of_the_same_name_with_other_bytes_is_found_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epmm.sealed.BATCH", 2)
    Authority.objects.all().delete()
    settings.FIELD_KEYS = NEW
    for number in range(5):
        enrollment = rows.enrolled(udid=str(number))
        enrollment.unlock_token = b"secret"
        enrollment.save()
    settings.FIELD_KEYS = f"k2:{OLD.partition(':')[2]}"

    with pytest.raises(CommandError, match=r"0 secrets are now .* 5 cannot be opened.*made with: k2\."):
        reencrypt()
