"""Who has signed in on a device, and is heard of no more for an hour, is told by mail: once, and how to go on."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from enrollment import tasks
from enrollment.models import AccessToken, Attempt, AttemptStep, Step
from enrollment.services import trace
from epmm.models import Mail
from tests import smtp
from tests.enrollment.conftest import Sheet, Switch
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(sheet: Sheet, anna: User, switch: Switch) -> Attempt:
    """Long ago, on a device that speaks German."""
    for name, value in {"mail.host": "localhost", "mail.from": smtp.SENDER, "ios.mdm.profile_notice": "on"}.items():
        switch(name, value)
    User.objects.filter(pk=anna.pk).update(email="anna@example.test")
    sheet.until_token()
    attempt = Attempt.objects.get()
    attempt.opened_at = timezone.now() - timedelta(hours=2)
    attempt.save()
    attempt.steps.update(at=attempt.opened_at)
    token = AccessToken.objects.get()
    assert token.device is not None
    token.device.language = "de-DE"
    token.device.save()
    return attempt


def test_they_are_told_once_in_the_language_of_the_device(signed_in: Attempt) -> None:
    for _again in range(2):
        tasks.tidy()

    letter = Mail.objects.get()
    assert (letter.recipient, letter.kind) == ("anna@example.test", "profile")
    text = bytes(letter.content or b"").decode()
    assert "Content-Language: de" in text
    assert "/help/enroll" in text
    signed_in.refresh_from_db()
    assert signed_in.state == Attempt.State.ABANDONED
    assert signed_in.steps.filter(step="notice", result="noted").count() == 1


@pytest.mark.parametrize(
    "why",
    [
        {"setting": ("ios.mdm.profile_notice", "off")},
        {"setting": ("mail.host", "")},
        {"user": {"email": ""}},
        {"user": {"email": "nobody"}},
        {"user": {"is_active": False}},
        {"last_heard": timedelta(minutes=50)},
        {"attempt": {"state": Attempt.State.ACTIVE}},
        {"later": True},
    ],
    ids=str,
)
def test_nobody_is_told(signed_in: Attempt, anna: User, switch: Switch, why: dict[str, Any]) -> None:
    if "setting" in why:
        switch(*why["setting"])
    User.objects.filter(pk=anna.pk).update(**why.get("user", {"first_name": "Anna"}))
    Attempt.objects.update(**why.get("attempt", {"domain": ""}))
    if "last_heard" in why:
        trace.step(signed_in, Step.CERTIFICATE_REQUEST)
        AttemptStep.objects.filter(step=Step.CERTIFICATE_REQUEST).update(at=timezone.now() - why["last_heard"])
    if "later" in why:
        Attempt.objects.create(reference="later", user=anna)
    tasks.tidy()

    assert not Mail.objects.exists()
