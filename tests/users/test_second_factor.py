"""Keys of authenticators: closed in the database, and carried over from where they were open."""

import base64
import time
from importlib import import_module
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.db import connection
from django_otp import oath
from django_otp.oath import totp

from tests import factories
from users.errors import WrongCode
from users.models import Authenticator, BackupCode, User
from users.services import second_factor

KEY = bytes(range(20))


def code(key: bytes, *, step: int = 0) -> str:
    return f"{totp(key, t0=-30 * step):06}"


def switched_on(user: User) -> list[str]:
    begun = second_factor.begin(user)
    return second_factor.confirm(user, code(bytes(begun.key)))


@pytest.mark.django_db
def test_nobody_reads_a_key_or_a_backup_code_from_the_tables() -> None:
    user = factories.user("admin")
    codes = switched_on(user)

    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM users_authenticator")
        stored = bytes(cursor.fetchone()[0])
        cursor.execute("SELECT hashed FROM users_backupcode")
        hashes = [row[0] for row in cursor.fetchall()]
    key = bytes(Authenticator.objects.get().key)
    assert len(key) == second_factor.KEY_BYTES
    assert key not in stored
    assert key.hex().encode() not in stored
    assert len(hashes) == second_factor.CODES
    assert not set(codes) & set(hashes)
    with pytest.raises(WrongCode):
        second_factor.check(user, hashes[0])


@pytest.mark.django_db
def test_an_authenticator_is_told_whose_key_it_is() -> None:
    begun = second_factor.begin(factories.user("anna@example.com"))

    address = urlsplit(second_factor.address(begun))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/EPMM%3Aanna%40example.com")
    secret = parse_qs(address.query)["secret"][0]
    assert base64.b32decode(secret) == bytes(begun.key)
    assert second_factor.secret(begun).replace(" ", "") == secret


@pytest.mark.django_db
def test_each_code_is_taken_once_and_none_of_the_day_before() -> None:
    user = factories.user("admin")
    Authenticator.objects.create(user=user, key=KEY, confirmed=True)

    for wrong in ("", "12345", "1234567", "٣٤٥٦٧٨", code(KEY, step=-2880), code(KEY, step=3)):
        with pytest.raises(WrongCode):
            second_factor.check(user, wrong)
    good = code(KEY)
    second_factor.check(user, f"{good[:3]} {good[3:]}")
    with pytest.raises(WrongCode):
        second_factor.check(user, good)


@pytest.mark.django_db
def test_a_clock_that_is_off_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(oath, "time", lambda: now)
    user = factories.user("admin")
    Authenticator.objects.create(user=user, key=KEY, confirmed=True, drift=3, last_step=int(now) // 30)

    second_factor.check(user, code(KEY, step=4))
    assert Authenticator.objects.get().drift == 4


@pytest.mark.django_db
def test_backup_codes_count_only_beside_an_authenticator() -> None:
    user = factories.user("admin")
    codes = switched_on(user)
    second_factor.check(user, codes[0])
    second_factor.switch_off(user, actor="admin")

    assert not BackupCode.objects.exists()
    with pytest.raises(WrongCode):
        second_factor.check(user, codes[1])


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_carries_keys_over_closed_and_a_way_back_opens_them() -> None:
    user = factories.user("admin")
    old, static = apps.get_model("otp_totp", "TOTPDevice"), apps.get_model("otp_static", "StaticDevice")
    old.objects.create(user_id=user.pk, key=KEY.hex(), confirmed=True, last_t=7, drift=1)
    static.objects.create(user_id=user.pk).token_set.create(token="abcdefghjk")
    migration = import_module("users.migrations.0006_encrypt_second_factors")
    with connection.schema_editor() as editor:
        migration.encrypt(apps, editor)

        now = Authenticator.objects.get()
        assert (bytes(now.key), now.confirmed, now.last_step, now.drift) == (KEY, True, 7, 1)
        # the release before this one goes on asking, and nobody has the answer
        assert len(bytes.fromhex(old.objects.get().key)) == len(KEY)
        assert old.objects.get().key != KEY.hex()
        assert not static.objects.get().token_set.exists()
        assert BackupCode.objects.count() == 1

        migration.decrypt(apps, editor)
        assert (old.objects.get().key, old.objects.get().last_t) == (KEY.hex(), 7)
        assert not Authenticator.objects.exists()
        migration.encrypt(apps, editor)
    second_factor.check(user, code(KEY))


@pytest.mark.django_db(transaction=True)
def test_without_the_tables_of_the_release_before_there_is_nothing_to_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    migration = import_module("users.migrations.0006_encrypt_second_factors")
    monkeypatch.setattr(migration, "TABLE", "otp_totp_unheard_of")
    apps.get_model("otp_totp", "TOTPDevice").objects.create(user_id=factories.user("admin").pk, key=KEY.hex())

    with connection.schema_editor() as editor:
        migration.encrypt(apps, editor)

    assert not Authenticator.objects.exists()
