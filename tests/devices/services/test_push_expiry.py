"""Nobody is surprised by the day on which the push certificate expires."""

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import PushCertificate
from devices.services import push_expiry, push_installation, push_requests
from devices.services.push_expiry import State
from devices.tasks import warn_of_push_expiry
from epmm import jobs
from epmm.models import AuditEntry
from tests import apple_portal

pytestmark = pytest.mark.django_db


def install(*, days: float, account: str | None = None) -> None:
    request = push_requests.request(actor="test")
    file = apple_portal.answer(bytes(request.csr), days=400)
    push_installation.install(file, apple_account=account, confirmed=True, actor="test")
    expire_in(days)


def expire_in(days: float) -> None:
    PushCertificate.objects.update(not_after=timezone.now() + timedelta(days=days, minutes=-1))


def warned() -> list[int]:
    entries = AuditEntry.objects.filter(action__startswith="push_certificate.expire").order_by("pk")
    return [entry.details["days"] for entry in entries]


@pytest.mark.parametrize(
    ("days", "threshold"),
    [(61.1, None), (60, 60), (30.1, 60), (30, 30), (14, 14), (7, 7), (1.1, 7), (1, 1), (0.1, 1), (0, 0), (-9, 0)],
)
def test_the_threshold_that_has_come(days: float, threshold: int | None) -> None:
    install(days=days)

    assert push_expiry.reached(PushCertificate.objects.get(), timezone.now()) == threshold


def test_each_threshold_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    install(days=90)
    for days in (90, 60, 59, 30, 14, 8, 7, 1, 0.5, 0, -1):
        expire_in(days)
        with caplog.at_level(logging.WARNING):
            warn_of_push_expiry()
            warn_of_push_expiry()

    assert warned() == [60, 30, 14, 7, 1, 0]
    assert [record.levelname for record in caplog.records] == [*["WARNING"] * 5, "ERROR"]
    assert AuditEntry.objects.latest("pk").action == "push_certificate.expired"


def test_after_a_long_silence_only_what_counts_now_is_told() -> None:
    install(days=5)
    push_expiry.warn()

    assert warned() == [7]


def test_a_renewed_certificate_has_warnings_of_its_own() -> None:
    install(days=5)
    push_expiry.warn()
    install(days=400)
    push_expiry.warn()
    expire_in(5)
    push_expiry.warn()

    assert warned() == [7, 7]


def test_one_that_was_renewed_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    install(days=5)
    real = push_expiry.reached

    def renewed_now(row: PushCertificate, now: object) -> int | None:
        install(days=400)
        return real(row, timezone.now())

    monkeypatch.setattr(push_expiry, "reached", renewed_now)
    push_expiry.warn()
    assert (warned(), PushCertificate.objects.get().warned_days) == ([], None)


def test_without_a_certificate_there_is_nothing_to_warn_of() -> None:
    push_expiry.warn()

    assert warned() == []


def test_the_worker_looks_every_hour() -> None:
    assert jobs.PERIODIC["devices.warn_of_push_expiry"] == timedelta(hours=1)


@pytest.mark.parametrize(
    ("days", "state", "says"),
    [
        (90, State.VALID, "valid until"),
        (20.1, State.EXPIRES, "(days left: 20). Renew it at Apple's portal under the same Apple Account (it@x.test)"),
        (-1, State.EXPIRED, "no device can be woken. Renew it at Apple's portal under the same Apple Account"),
    ],
)
def test_the_condition_says_what_to_do(days: float, state: State, says: str) -> None:
    install(days=days, account="it@x.test")
    condition = push_expiry.condition(timezone.now())

    assert condition.state == state
    assert says in condition.sentence
