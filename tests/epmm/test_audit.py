from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from epmm import audit
from epmm.models import AuditEntry


@pytest.mark.django_db
def test_an_entry_says_who_did_what_to_whom_from_where() -> None:
    audit.record(
        "device.wiped",
        actor="root",
        subject_type="device",
        subject="C02",
        address="2001:db8::1",
        status=AuditEntry.Status.INITIATED,
        details={"note": "lost"},
    )

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject_type, entry.subject) == ("device.wiped", "root", "device", "C02")
    assert (entry.address, entry.status, entry.details) == ("2001:db8::1", "Initiated", {"note": "lost"})
    assert str(entry) == "device.wiped C02"


@pytest.mark.django_db
def test_an_entry_is_gone_when_its_change_is() -> None:
    with transaction.atomic():
        audit.record("user.created", actor="root", subject_type="user", subject="anna")
        transaction.set_rollback(True)

    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_long_names_are_cut() -> None:
    audit.record("user.created", actor="a" * 300, subject_type="user", subject="s" * 300)

    entry = AuditEntry.objects.get()
    assert (len(entry.actor), len(entry.subject)) == (255, 255)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), ("", None), ("testserver", None), ("192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1")],
)
def test_an_address_that_is_none_loses_no_entry(given: str | None, kept: str | None) -> None:
    audit.record("user.created", actor="root", subject_type="user", subject="anna", address=given)

    assert AuditEntry.objects.get().address == kept


@pytest.mark.django_db
def test_bounds_hold_for_one_action_alone() -> None:
    now = timezone.now()
    for days in range(5):
        for action in ("failed", "other"):
            audit.record(action, actor=str(days), subject_type="user", subject="anna")
        AuditEntry.objects.filter(actor=str(days)).update(at=now - timedelta(days=days))

    audit.bound("failed", since=now - timedelta(days=3), newest=10)
    assert set(AuditEntry.objects.filter(action="failed").values_list("actor", flat=True)) == {"0", "1", "2", "3"}
    audit.bound("failed", since=now - timedelta(days=3), newest=2)
    assert set(AuditEntry.objects.filter(action="failed").values_list("actor", flat=True)) == {"0", "1"}

    assert AuditEntry.objects.filter(action="other").count() == 5
