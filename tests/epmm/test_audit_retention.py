"""The oldest entries go, in a way that nobody else can imitate."""

import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from epmm import audit, audit_chain, audit_checkpoint, audit_retention, settings_store
from epmm.audit_checkpoint import Checkpoint
from epmm.models import AuditCheckpoint, AuditEntry, AuditSeal
from epmm.snapshot import one_snapshot
from tests.epmm.test_audit_chain import problems, write

pytestmark = pytest.mark.django_db
OTHER_KEY = "t2:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="


@pytest.fixture
def head() -> str:
    """Of the log before anything is forgotten: four entries, two of them old, and retention of 60 days."""
    for days in (100, 90, 40, 0):
        write(f"{days}", days_ago=days)
    audit_chain.seal()
    assert audit_retention.forget() == 0
    report = audit_chain.verify()
    settings_store.change("general.audit_days", "60", actor="anna")
    return f"{report.position}:{report.head.hex()}"


@pytest.fixture
def forgotten(head: str) -> str:
    audit_chain.seal()
    assert audit_retention.forget() == 2
    audit_chain.seal()
    return head


def verified(**options: str) -> str:
    printed = StringIO()
    call_command("verify_audit", stdout=printed, stderr=printed, **options)
    return printed.getvalue()


def test_they_go_from_the_beginning_and_the_rest_verifies(forgotten: str) -> None:
    assert not AuditEntry.objects.filter(action__in=["100", "90"]).exists()
    assert AuditEntry.objects.get(action="audit.forgotten").details["through"] == 2
    assert problems() == []
    assert audit_retention.forget() == 0

    said = verified(head=forgotten)
    assert "Forgotten are 2 entries through 2, the newest of " in said
    day = f"{audit_checkpoint.read().at:%Y-%m-%d}"
    assert f"on {day}, when general.audit_days was 60. Now general.audit_days is 60." in said


def test_however_many_there_are(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_retention, "BITE", 1)
    audit_chain.seal()

    assert audit_retention.forget() == 2

    audit_chain.seal()
    assert problems() == []
    assert audit_checkpoint.read().entries == 2
    assert AuditEntry.objects.filter(action="audit.forgotten").count() == 1


def take_the_beginning() -> None:
    AuditEntry.objects.filter(action="40").delete()
    AuditSeal.objects.filter(action="40").delete()


def say_it_was_forgotten() -> None:
    """As the worker says it, but without its keys."""
    link = AuditSeal.objects.get(action="40")
    take_the_beginning()
    details = {"through": link.position, "digest": bytes(link.digest).hex(), "entries": 1}
    audit.record("audit.forgotten", actor="worker", subject_type="audit", subject="through 3", details=details)
    audit_chain.seal()


def forge_the_checkpoint(settings: Settings) -> None:
    link = AuditSeal.objects.get(action="40")
    take_the_beginning()
    keys, settings.FIELD_KEYS = settings.FIELD_KEYS, OTHER_KEY
    audit_checkpoint.write(checkpoint(link, newest=link.at, days=30))
    settings.FIELD_KEYS = keys


def checkpoint(link: AuditSeal, **told: object) -> Checkpoint:
    known = {"through": link.position, "digest": bytes(link.digest), "entries": 3, "at": timezone.now()}
    return Checkpoint(**{**known, **told})  # type: ignore[arg-type] # of a test


def remove_the_checkpoint(_: Settings) -> None:
    AuditCheckpoint.objects.all().delete()


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda _: take_the_beginning(), "begins at 4; what was forgotten ends at 2"),
        (lambda _: say_it_was_forgotten(), "begins at 4; what was forgotten ends at 2"),
        (forge_the_checkpoint, "its keys do not open the checkpoint"),
        (remove_the_checkpoint, "begins at 3; what was forgotten ends at 0"),
        (lambda _: AuditSeal.objects.all().delete(), "Nothing is left after 2"),
    ],
    ids=["taken", "said", "forged", "without", "nothing left"],
)
def test_nobody_else_can_forget(
    forgotten: str, settings: Settings, deed: Callable[[Settings], None], told: str
) -> None:
    deed(settings)

    assert told in " ".join(problems())
    with pytest.raises(CommandError, match="not whole"):
        verified()


def test_nothing_is_forgotten_on_top_of_what_was_taken(forgotten: str, caplog: pytest.LogCaptureFixture) -> None:
    """Else the worker's own checkpoint would cover it."""
    write("later")
    audit_chain.seal()
    AuditSeal.objects.filter(action="40").delete()
    AuditSeal.objects.exclude(action="later").update(at=timezone.now() - timedelta(days=70))
    before = AuditEntry.objects.count()

    assert audit_retention.forget() == 0

    assert AuditEntry.objects.count() == before
    assert "is not whole, so nothing is forgotten" in caplog.text


def test_what_was_too_young_to_be_forgotten_is_told(forgotten: str) -> None:
    link = AuditSeal.objects.get(action="40")
    take_the_beginning()
    audit_checkpoint.write(checkpoint(link, newest=link.at, days=60))

    assert problems() == ["Entries were forgotten that were younger than 60 days."]


def test_a_position_that_was_noted_and_is_forgotten_cannot_be_compared(forgotten: str) -> None:
    known = audit_checkpoint.read()
    verified(head=f"2:{known.digest.hex()}")

    for head, told in {f"2:{'0' * 64}": "not the digest", f"1:{'0' * 64}": "before the beginning, 3"}.items():
        errors = StringIO()
        with pytest.raises(CommandError, match="not whole"):
            call_command("verify_audit", head=head, stdout=StringIO(), stderr=errors)
        assert told in errors.getvalue()


def test_a_key_that_is_put_away_takes_no_checkpoint_along(forgotten: str, settings: Settings) -> None:
    old = settings.FIELD_KEYS
    settings.FIELD_KEYS = f"{OTHER_KEY},{old}"
    call_command("reencrypt", stdout=StringIO())
    settings.FIELD_KEYS = OTHER_KEY

    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_written_meanwhile_is_not_seen() -> None:
    """And he who writes does not wait."""
    write("before")

    def write_elsewhere() -> None:
        write("meanwhile")
        connection.close()

    with one_snapshot():
        assert AuditEntry.objects.count() == 1
        writer = threading.Thread(target=write_elsewhere)
        writer.start()
        writer.join(10)
        assert not writer.is_alive()
        assert AuditEntry.objects.count() == 1
    assert AuditEntry.objects.count() == 2
    with transaction.atomic():
        write("and after")
