import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.models import PushCertificate
from devices.services import push_installation, push_requests
from enrollment.models import Authority
from enrollment.services import authorities
from tests import apple_portal
from tests.enrollment.conftest import Sheet
from users.models import User

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_attempts_show_each_step_and_what_to_do(sheet: Sheet) -> None:
    sheet.discover()
    sheet.post()
    sheet.sign_in(password="wrong")
    shown = run("attempts", "anna@mdm.example.test")

    assert "discovery            ok" in shown
    assert "credentials          refused  E-201 User ID, password or PIN was wrong." in shown


def test_attempts_as_json(sheet: Sheet) -> None:
    sheet.until_token()
    (attempt,) = json.loads(run("attempts", "anna", "--json"))

    assert attempt["user"] == "anna"
    steps = [step["step"] for step in attempt["steps"]]
    assert steps == ["discovery", "enrollment_request", "sign_in_page", "credentials", "policy", "token"]
    assert json.loads(run("attempts", "nobody", "--json")) == []


@pytest.mark.parametrize("limit", ["0", "-5", "99999999999999999999", "x"])
def test_attempts_are_some(limit: str) -> None:
    with pytest.raises(CommandError, match="must be a number from 1 to 10000"):
        run("attempts", "--limit", limit)


def test_prepare_makes_keys_and_the_first_administrator_once() -> None:
    authorities.forget_cached()
    first, second = run("prepare"), run("prepare")

    assert "one-time password" in first
    assert "one-time password" not in second
    assert "Push is not set up" in second
    assert "https://mdm.example.test:8443/" in second
    admin = User.objects.get(is_admin=True)
    assert (admin.user_id, admin.must_change_password) == ("admin", True)
    password = first.split("one-time password ")[1].split()[0]
    assert admin.check_password(password)
    assert set(Authority.objects.values_list("purpose", flat=True)) == {"device_ca", "scep_ra", "profile_signer"}


def test_prepare_says_that_the_push_certificate_has_expired() -> None:
    csr = bytes(push_requests.request(actor="test").csr)
    push_installation.install(apple_portal.answer(csr), actor="test")
    assert "The push certificate is valid until" in run("prepare")

    PushCertificate.objects.update(not_after=timezone.now() - timedelta(days=1))
    assert "no device can be woken. Renew it" in run("prepare")


def test_two_processes_that_make_a_key_at_once_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    authorities.forget_cached()
    ours = authorities.device_ca()
    authorities.forget_cached()
    real: Any = Authority.objects.filter

    class Late:
        def first(self) -> None:
            monkeypatch.setattr(Authority.objects, "filter", real)

    monkeypatch.setattr(Authority.objects, "filter", lambda **_: Late())
    assert authorities.device_ca().certificate == ours.certificate


def test_a_password_that_nobody_saw_is_not_kept() -> None:
    class Gone(StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        call_command("prepare", stdout=Gone())
    assert not User.objects.exists()
