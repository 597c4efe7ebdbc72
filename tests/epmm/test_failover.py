"""After a failover the former primary may live on, read-only; and a database may be away for a moment."""

import pytest
from django.db import InterfaceError, InternalError, OperationalError, close_old_connections, connection
from django.test import Client
from psycopg.errors import InternalError_
from psycopg.pq import DiagnosticField

from epmm import jobs, tasks
from epmm.models import Job, SettingRow
from users.services import portal_sign_in

SIGN_IN = "/admin/sign-in"
TYPED = {"user_id": "anna", "password": "wrong"}
FULL = "could not write to log file 000000010000000000000032 at offset 1540096, length 8192: File too large"


def internal(severity: str) -> InternalError:
    """As Django passes on what the server says of itself."""
    error = InternalError(FULL)
    error.__cause__ = InternalError_(FULL, info={DiagnosticField.SEVERITY_NONLOCALIZED: severity.encode()})
    return error


def become_read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("away"), 503),
        (InterfaceError("closed"), 503),
        (internal("PANIC"), 503),
        (internal("ERROR"), 500),
        (InternalError("why"), 500),
        (KeyError(), 500),
    ],
)
@pytest.mark.django_db
def test_a_database_that_is_away_is_no_fault(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(portal_sign_in, "begin", fail)
    answer = client.post(SIGN_IN, TYPED)

    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)
    assert b"Something Went Wrong" in answer.content


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_web_process_leaves_a_former_primary_at_once(client: Client) -> None:
    become_read_only()
    left = connection.connection
    answer = client.post(SIGN_IN, TYPED)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")

    close_old_connections()  # what ends a request outside a test
    assert connection.connection is not left
    assert client.post(SIGN_IN, TYPED).status_code == 200


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_worker_leaves_it_too_and_the_job_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def write() -> None:
        SettingRow.objects.create(name="a", value="b")

    monkeypatch.setitem(jobs.HANDLERS, "test.write", write)
    Job.enqueue("test.write")
    job = Job.objects.get()
    become_read_only()
    tasks.run_job(job.pk)
    assert not SettingRow.objects.exists()

    close_old_connections()  # what ends a task outside a test
    tasks.run_job(job.pk)
    assert SettingRow.objects.exists()


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_whoever_only_reads_keeps_the_connection() -> None:
    become_read_only()
    kept = connection.connection
    assert not SettingRow.objects.exists()

    close_old_connections()
    assert connection.connection is kept
    connection.close()
