"""Secrets at rest, on the column that keeps a device's unlock token."""

import base64

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pytest_django import Settings

from devices.models import Enrollment
from epmm.fields import FieldKeys
from tests import factories

OLD, NEW = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (251, 252))
SECRET = b"unlock me \x00\xff"


def stored(column: str = "unlock_token") -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM devices_enrollment")
        return bytes(cursor.fetchone()[0])


def overwrite(column: str, value: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE devices_enrollment SET {column} = %s", [value])


def enroll(**columns: bytes | None) -> Enrollment:
    return Enrollment.objects.create(user=factories.user(), kind=Enrollment.Kind.ADDE, **columns)


@pytest.mark.django_db
def test_a_secret_is_sealed_in_the_database_and_plain_in_python() -> None:
    enrollment = enroll(unlock_token=SECRET)

    assert SECRET not in stored()
    assert stored().startswith(b"t1:")
    enrollment.refresh_from_db()
    assert enrollment.unlock_token == SECRET
    assert Enrollment.objects.values_list("unlock_token", flat=True).get() == SECRET


@pytest.mark.django_db
def test_the_same_secret_is_sealed_differently_each_time() -> None:
    enrollment = enroll(unlock_token=SECRET)
    first = stored()

    Enrollment.objects.update(unlock_token=SECRET)

    assert stored() != first
    enrollment.refresh_from_db()
    assert enrollment.unlock_token == SECRET


@pytest.mark.django_db
@pytest.mark.parametrize("value", [None, b""])
def test_nothing_and_the_empty_secret_are_two_things(value: bytes | None) -> None:
    enrollment = enroll(unlock_token=value)

    enrollment.refresh_from_db()
    assert enrollment.unlock_token == value
    assert Enrollment.objects.filter(unlock_token__isnull=True).exists() == (value is None)


@pytest.mark.django_db
def test_a_secret_is_bound_to_its_column() -> None:
    enroll(unlock_token=SECRET)
    overwrite("bootstrap_token", stored("unlock_token"))

    with pytest.raises(ImproperlyConfigured, match="does not open"):
        Enrollment.objects.get()


@pytest.mark.django_db
def test_an_altered_secret_does_not_open() -> None:
    enroll(unlock_token=SECRET)
    sealed = bytearray(stored())
    sealed[-1] ^= 1
    overwrite("unlock_token", bytes(sealed))

    with pytest.raises(ImproperlyConfigured, match="does not open"):
        Enrollment.objects.get()


@pytest.mark.django_db
def test_a_new_key_in_front_seals_and_the_old_one_still_opens(settings: Settings) -> None:
    settings.FIELD_KEYS = f"k1:{OLD}"
    enrollment = enroll(unlock_token=SECRET)

    settings.FIELD_KEYS = f"k2:{NEW}, k1:{OLD}"
    enrollment.refresh_from_db()
    assert enrollment.unlock_token == SECRET
    enrollment.save()
    assert stored().startswith(b"k2:")

    settings.FIELD_KEYS = f"k2:{NEW}"
    enrollment.refresh_from_db()
    assert enrollment.unlock_token == SECRET
    settings.FIELD_KEYS = f"k1:{OLD}"
    with pytest.raises(ImproperlyConfigured, match="lacks the key"):
        enrollment.refresh_from_db()


@pytest.mark.django_db
def test_a_sealed_column_cannot_be_searched() -> None:
    with pytest.raises(TypeError, match="cannot be searched"):
        Enrollment.objects.filter(unlock_token=SECRET).exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no key"),
        (",", "names no key"),
        (f":{OLD}", "names no key"),
        ("k1", "list like"),
        ("k1:", "list like"),
        ("k1:short", "list like"),
        ("k1:c2hvcnQ=", "list like"),
        (f"ключ:{OLD}", "list like"),
    ],
)
def test_keys_that_do_not_serve_are_named_without_quoting_them(text: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence) as error:
        FieldKeys.parse(text)

    assert "EPMM_FIELD_KEYS" in str(error.value)
    assert "c2hvcnQ" not in str(error.value)
