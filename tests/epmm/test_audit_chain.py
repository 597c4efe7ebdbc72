"""Whoever changes the past of the audit log is found out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from epmm import audit, audit_chain
from epmm.models import AuditEntry, AuditSeal

pytestmark = pytest.mark.django_db


def write(*actions: str, days_ago: int = 0) -> None:
    for action in actions:
        audit.record(action, actor="anna", subject_type="user", subject="bert", details={"ä": [1, 2.5, None]})
        if days_ago:
            newest = AuditEntry.objects.order_by("-pk").values("pk")[:1]
            AuditEntry.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).update(
                at=timezone.now() - timedelta(days=days_ago)
            )


def problems() -> list[str]:
    return audit_chain.verify().problems


def test_an_empty_log_is_whole() -> None:
    assert audit_chain.seal() == 0
    assert problems() == []


def test_each_entry_gets_its_link_once() -> None:
    write("a", "b")
    assert audit_chain.verify().waiting == 2
    assert audit_chain.seal() == 2
    write("c")
    assert audit_chain.seal() == 1
    assert audit_chain.seal() == 0

    report = audit_chain.verify()
    assert (report.sealed, report.waiting, report.position, report.problems) == (3, 0, 3, [])
    assert list(AuditSeal.objects.order_by("position").values_list("action", flat=True)) == ["a", "b", "c"]


def test_a_long_past_is_linked_in_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_chain, "BITE", 2)
    for days in (90, 60, 30, 1, 0):
        write(f"{days}", days_ago=days)

    assert audit_chain.seal() == 5
    assert problems() == []


def test_who_commits_late_is_linked_late() -> None:
    write("first", "second")
    late = AuditEntry.objects.get(action="first")
    AuditEntry.objects.filter(pk=late.pk).delete()
    audit_chain.seal()
    late.save(force_insert=True)

    assert audit_chain.seal() == 1
    assert problems() == []


@pytest.mark.parametrize("days", [3, -3], ids=["behind", "ahead"])
def test_clocks_that_are_far_apart_leave_the_log_whole(days: int) -> None:
    """Of two machines, or of one whose clock was put right."""
    write("a", days_ago=days)
    audit_chain.seal()
    write("b")
    write("c", days_ago=days)

    assert audit_chain.seal() == 2
    report = audit_chain.verify()
    assert (report.problems, report.waiting) == ([], 0)
    assert [note.partition(" ")[0] for note in report.notes] == ["1"]
    assert "time more than an hour before" in report.notes[0]


def _change() -> None:
    AuditEntry.objects.filter(action="b").update(actor="somebody else")


def _change_details() -> None:
    AuditEntry.objects.filter(action="b").update(details={})


def _move() -> None:
    AuditEntry.objects.filter(action="b").update(space_id=2)


def _remove() -> None:
    AuditEntry.objects.filter(action="b").delete()


def _remove_with_its_link() -> None:
    AuditEntry.objects.filter(action="b").delete()
    AuditSeal.objects.filter(action="b").delete()


def _remove_the_beginning() -> None:
    AuditEntry.objects.filter(action="a").delete()
    AuditSeal.objects.filter(action="a").delete()


def _call_it_bounded() -> None:
    AuditEntry.objects.filter(action="b").delete()
    AuditSeal.objects.filter(action="b").update(action="sign_in.failed")


def _write_into_the_past() -> None:
    """Its number is one that was given away long ago."""
    first = AuditEntry.objects.get(action="a")
    AuditEntry.objects.create(pk=first.pk - audit_chain.LATE, action="d", actor="anna", status="Success")
    assert audit_chain.seal() == 0


def _change_both() -> None:
    _change()
    entry = AuditEntry.objects.get(action="b")
    AuditSeal.objects.filter(action="b").update(entry_sha256=audit_chain.entry_sha256(entry))


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (_change, "2: the entry"),
        (_change_details, "was changed"),
        (_move, "was changed"),
        (_remove, "was removed"),
        (_remove_with_its_link, "2: missing, up to 2"),
        (_remove_the_beginning, "begins at 2"),
        (_call_it_bounded, "does not follow"),
        (_write_into_the_past, "was written afterwards"),
        (_change_both, "does not follow"),
    ],
)
def test_a_changed_past_is_found(deed: Callable[[], None], told: str) -> None:
    write("a", "b", "c")
    audit_chain.seal()
    assert problems() == []

    deed()
    assert told in " ".join(problems())
    with pytest.raises(CommandError, match="not whole"):
        call_command("verify_audit", stderr=StringIO())


def test_an_entry_from_before_there_were_spaces_keeps_its_link() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    entry = AuditEntry(
        pk=7, at=at, actor="anna", address="192.0.2.1", action="a", subject_type="user", subject="bert",
        status="Success", details={"ä": [1, 2.5, None]},
    )  # fmt: skip

    assert audit_chain.entry_sha256(entry).hex() == "7f1f7ecd51002f7e724ace4da95f76c7e61be3d711550663f30f840ad299baac"


def test_what_strangers_cause_may_go_before_its_time() -> None:
    write("a", "sign_in.failed", "b")
    audit_chain.seal()

    assert audit_chain.verify().notes == []

    audit.bound("sign_in.failed", since=timezone.now(), newest=0)
    assert problems() == []
    printed = StringIO()
    call_command("verify_audit", stdout=printed)
    assert "1 failed sign-ins have a link and no entry" in printed.getvalue()


def test_the_head_that_somebody_noted_shows_a_log_that_was_cut_or_written_anew() -> None:
    write("a", "b")
    audit_chain.seal()
    printed = StringIO()
    call_command("verify_audit", stdout=printed)
    head = printed.getvalue().split()[-1]
    call_command("verify_audit", head=head, stdout=StringIO())

    AuditEntry.objects.filter(action="b").delete()
    AuditSeal.objects.filter(action="b").delete()
    assert problems() == []
    with pytest.raises(CommandError):
        call_command("verify_audit", head=head, stderr=StringIO())
    write("other")
    audit_chain.seal()
    with pytest.raises(CommandError):
        call_command("verify_audit", head=head, stderr=StringIO())
    with pytest.raises(CommandError, match="POSITION:DIGEST"):
        call_command("verify_audit", head="nonsense")


def test_two_workers_make_one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a", "b")
    links = audit_chain._links

    def overtaken(*given: object) -> list[AuditSeal]:
        monkeypatch.setattr(audit_chain, "_links", links)
        audit_chain.seal()
        return links(*given)  # type: ignore[arg-type] # passed on as they come

    monkeypatch.setattr(audit_chain, "_links", overtaken)
    assert audit_chain.seal() == 0
    assert AuditSeal.objects.count() == 2
    assert problems() == []
