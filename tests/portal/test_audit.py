"""The audit log as an administrator keeps it: notes, the chain, and a part of it as a file."""

import csv
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from epmm import audit, audit_chain, audit_checks, jobs, options, settings_store, tasks
from epmm.models import AuditCheck, AuditEntry, AuditExport, AuditExportPart, AuditSeal, Job
from tests.devices.services import rows
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled, text
from users import tasks as users_tasks
from users.models import AdminRole, User
from users.services import audit_export

pytestmark = pytest.mark.django_db(transaction=True)
SETTINGS = "/admin/settings/audit-logs"
EXPORT = "/admin/logs/audit/export"
EXPORTS = "/admin/logs/audit/exports"
WORKER = (tasks, users_tasks)  # whose import registers what it can do


def work_off(kind: str) -> None:
    for job in Job.objects.open().filter(kind=kind):
        jobs.run(job.kind, job.arguments)
        Job.objects.filter(pk=job.pk).update(done_at=timezone.now())


def export(client: Client, **filters: str) -> AuditExport:
    assert client.post(EXPORT, filters)["Location"] == EXPORTS
    work_off(audit_export.KIND)
    return AuditExport.objects.latest("pk")


def fetched(client: Client, made: AuditExport) -> list[list[str]]:
    answer = client.get(f"{EXPORTS}/{made.uuid}")
    assert answer.status_code == 200
    return list(csv.reader(b"".join(answer).decode("utf-8-sig").splitlines()))


# --- Exports ----------------------------------------------------------------------------------------------------------


def test_what_the_filters_say_is_made_by_the_worker_and_fetched(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "PART_ROWS", 2)
    client = signed_in()
    for number in range(5):
        audit.record("label.made", actor="boss", subject_type="label", subject=f"=label{number}", details={"n": number})

    audit.record("label.gone", actor="boss", subject_type="label", subject="=label0")
    asked = {"q": "boss", "action": "label.made"}
    client.post(EXPORT, asked)
    assert "Waiting" in text(client.get(EXPORTS))
    assert "data-poll" in text(client.get(EXPORTS))
    work_off(audit_export.KIND)
    made = AuditExport.objects.get()
    page = text(client.get(EXPORTS))
    assert "Ready" in page
    assert "q: boss" in page
    assert "data-poll" not in page
    lines = fetched(client, made)
    assert lines[0] == list(audit_export.HEADINGS)
    assert [line[5] for line in lines[1:]] == [f"'=label{number}" for number in (4, 3, 2, 1, 0)]
    assert lines[1][-1] == '{"n": 4}'
    assert made.parts.count() == 3
    told = AuditEntry.objects.filter(subject=str(made.uuid)).order_by("pk").values_list("action", "actor", "details")
    assert list(told) == [
        ("audit.export_asked", "admin", {"filters": asked}),
        ("audit.export_fetched", "admin", {"filters": asked}),
    ]


def test_an_export_is_closed_in_the_database(signed_in: SignedIn) -> None:
    client = signed_in()
    audit.record("label.made", actor="boss", subject_type="label", subject="a name")
    export(client)

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT content FROM {AuditExportPart._meta.db_table}")
        stored = bytes(cursor.fetchone()[0])
    assert b"a name" not in stored
    assert not stored.startswith(b"\x78")  # nor compressed alone


def test_an_export_that_was_interrupted_begins_anew(signed_in: SignedIn) -> None:
    client = signed_in()
    client.post(EXPORT, {"action": "nothing.at_all"})
    made = AuditExport.objects.get()
    AuditExport.objects.update(state=AuditExport.State.RUNNING, rows=7)
    AuditExportPart.objects.create(export=made, number=0, content=b"half")

    work_off(audit_export.KIND)
    assert fetched(client, made) == [list(audit_export.HEADINGS)]
    audit_export.make(made.pk)  # heard twice
    assert made.parts.count() == 1


def test_nobody_fetches_what_another_has_asked_for_nor_what_is_a_day_old(signed_in: SignedIn) -> None:
    mine, other = signed_in(), signed_in("other", [AdminRole.LOGS_VIEW])
    made = export(mine)
    address = f"{EXPORTS}/{made.uuid}"

    assert other.get(address).status_code == 404
    assert str(made.uuid) not in text(other.get(EXPORTS))
    User.objects.filter(user_id="admin").update(created_at=timezone.now() + timedelta(minutes=1))
    assert mine.get(address).status_code == 404  # another person with the same name
    User.objects.filter(user_id="admin").update(created_at=made.created_at - timedelta(days=2))
    assert mine.get(address).status_code == 200
    AuditExport.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert mine.get(address).status_code == 404
    jobs.run("users.forget_audit_exports", {})
    assert not AuditExport.objects.exists()
    assert not AuditExportPart.objects.exists()


def test_not_more_are_made_at_once_than_three(signed_in: SignedIn) -> None:
    client = signed_in()
    for _ in range(4):
        client.post(EXPORT)

    assert AuditExport.objects.count() == audit_export.MOST_AT_ONCE
    assert "Several exports are being made already." in text(client.get(EXPORTS))


def test_a_list_that_leaves_as_a_file_leaves_an_entry(signed_in: SignedIn) -> None:
    client = signed_in()
    b"".join(client.get("/admin/users?format=csv&q=adm"))

    told = AuditEntry.objects.get(action="list.exported")
    assert (told.actor, told.subject, told.details) == ("admin", "users", {"q": "adm"})


# --- Notes ------------------------------------------------------------------------------------------------------------


def test_a_note_is_asked_for_where_the_settings_say_so(signed_in: SignedIn) -> None:
    client = signed_in()
    device = rows.enrolled(device_name="Anna's iPhone").device
    assert device is not None
    dialog, sent = "/admin/devices/ownership", {"go": 1, "devices": str(device.uuid)}
    note = {"audit_note": " stolen\0 "}

    assert "audit_note" not in text(client.post(dialog, {"row": str(device.uuid)}))
    client.post(dialog, sent | {"owner": "EMPLOYEE"} | note)
    assert "note" not in AuditEntry.objects.get(action="device.owner_changed").details
    client.post(SETTINGS, filled(client, SETTINGS, **{options.AUDIT_NOTES.name: "on"}))
    assert 'name="audit_note"' in text(client.post(dialog, {"row": str(device.uuid)}))
    client.post(dialog, sent | {"owner": "COMPANY"} | note)

    entry = AuditEntry.objects.filter(action="device.owner_changed").latest("pk")
    assert entry.details == {"from": "EMPLOYEE", "to": "COMPANY", "note": "stolen"}
    audit.record("later", actor="admin", subject_type="user", subject="x")
    assert AuditEntry.objects.get(action="later").details == {}


@pytest.mark.parametrize("dialog", ["users/roles", "users/disable", "admins/roles"])
def test_the_dialogs_about_people_ask_for_it_too(signed_in: SignedIn, dialog: str) -> None:
    client = signed_in()
    settings_store.change(options.AUDIT_NOTES.name, "on", actor="test")

    assert 'name="audit_note"' in text(client.post(f"/admin/{dialog}", {"row": str(User.objects.get().pk)}))


# --- The chain --------------------------------------------------------------------------------------------------------


def test_the_page_says_how_the_chain_stands(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    assert re.search(r"Last check</dt>\s*<dd>\s*Never", text(client.get(SETTINGS)))
    audit_chain.seal()
    with django_assert_max_num_queries(12):
        page = text(client.get(SETTINGS))
    assert f"<dd>{AuditSeal.objects.count()}</dd>" in page
    assert "Linked" in page

    client.post(f"{SETTINGS}/check")
    client.post(f"{SETTINGS}/check")
    assert Job.objects.filter(kind=audit_checks.KIND).count() == 1
    assert "Being checked" in text(client.get(SETTINGS))
    work_off(audit_checks.KIND)
    assert "Whole" in text(client.get(SETTINGS))
    assert AuditCheck.objects.get().actor == "admin"


def test_the_dashboard_says_when_somebody_changed_the_past(signed_in: SignedIn) -> None:
    client = signed_in()
    audit_chain.seal()
    assert "note warning" not in text(client.get("/admin/dashboard/alert"))
    AuditEntry.objects.filter(action="portal.signed_in").update(actor="nobody")

    audit_checks.check(actor="test")
    assert "is not whole" in text(client.get("/admin/dashboard/alert"))
    assert "(portal.signed_in, " in text(client.get(SETTINGS))


def test_the_dashboard_says_when_nobody_links_entries(signed_in: SignedIn) -> None:
    client = signed_in()
    audit_chain.seal()
    audit.record("label.made", actor="boss", subject_type="label", subject="x")
    assert "note warning" not in text(client.get("/admin/dashboard/alert"))
    AuditEntry.objects.filter(action="label.made").update(at=timezone.now() - timedelta(minutes=11))

    assert "wait for their link" in text(client.get("/admin/dashboard/alert"))
    audit_chain.seal()
    assert "note warning" not in text(client.get("/admin/dashboard/alert"))


def test_only_the_newest_checks_are_kept() -> None:
    for _ in range(audit_checks.KEPT + 3):
        audit_checks.check(actor="test")

    assert AuditCheck.objects.count() == audit_checks.KEPT


def test_who_may_look_at_settings_does_not_start_a_check(signed_in: SignedIn) -> None:
    reader = signed_in("reader", [AdminRole.SETTINGS_VIEW])

    assert "Check now" not in text(reader.get(SETTINGS))
    assert reader.post(f"{SETTINGS}/check").status_code == 403
