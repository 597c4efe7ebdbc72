"""One name for all that a request causes, from the answer to the worker."""

import logging
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from pytest_django.fixtures import Settings

from epmm import asgi, jobs, request_id
from epmm.logging import LineFormatter
from epmm.models import Job
from epmm.tasks import run_job

PROXY, STRANGER = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def proxy(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [PROXY]


@pytest.mark.parametrize(
    ("peer", "sent", "names"),
    [
        (PROXY, "0f8fad5b-d9cb-469f-a165-70867728950e", 1),
        (STRANGER, "0f8fad5b-d9cb-469f-a165-70867728950e", 3),
        (PROXY, "short", 3),
        (PROXY, "x" * 65, 3),
        (PROXY, "with a line\nbreak", 3),
        (PROXY, "", 3),
    ],
)
def test_a_name_is_taken_from_our_proxy_when_it_can_stand_in_a_log(
    client: Client, peer: str, sent: str, names: int
) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": sent}, REMOTE_ADDR=peer)
    at_the_door = asgi._name(sent.encode(), peer)

    assert len({answer["X-Request-ID"], at_the_door, sent}) == names


def test_each_request_has_a_name_and_none_remains(client: Client) -> None:
    first, second = (client.get("/healthz")["X-Request-ID"] for _ in range(2))

    assert first != second
    assert request_id.current() == ""


@pytest.mark.django_db
def test_a_job_runs_under_the_name_of_the_request_that_caused_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[str] = []

    def handler() -> None:
        logging.getLogger("tests").warning("at work")
        Job.enqueue("tests.follow_up")

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(LineFormatter().format(record))

    monkeypatch.setitem(jobs.HANDLERS, "tests.named", handler)
    logging.getLogger("tests").addHandler(listening := Lines())
    with request_id.known_as("request-of-anna"):
        Job.enqueue("tests.named")
    run_job(Job.objects.get(kind="tests.named").pk)
    logging.getLogger("tests").removeHandler(listening)

    assert [line.partition(": ")[2] for line in lines] == ["at work request_id=request-of-anna"]
    assert set(Job.objects.values_list("request_id", flat=True)) == {"request-of-anna"}, "and so do its own jobs"
    assert request_id.current() == ""


@pytest.mark.django_db
def test_a_job_that_fails_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(jobs.HANDLERS, "tests.failing", fail)
    monkeypatch.setattr("epmm.tasks.logger.exception", lambda *_, **__: named.append(request_id.current()))
    with request_id.known_as("request-of-anna"):
        Job.enqueue("tests.failing")
    run_job(Job.objects.get().pk)

    assert named == ["request-of-anna"]


@pytest.mark.django_db
def test_a_job_of_a_release_that_knew_no_names_has_none() -> None:
    Job.enqueue("tests.periodic")

    assert Job.objects.get().request_id is None


def test_the_line_of_a_request_holds_no_address(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    state = signing.dumps("secret state")
    with caplog.at_level(logging.DEBUG):
        client.get(f"/nothing/{state}", query_string=f"token={state}")
        client.get("/healthz")

    records: list[Any] = [record for record in caplog.records if record.name == "epmm.front"]
    assert [(record.levelname, record.message.rpartition(" ")[0].rpartition(" ")[0]) for record in records] == [
        ("INFO", "GET other 404"),
        ("DEBUG", "GET healthz 200"),
    ]
    assert not any(state in record.getMessage() for record in records)
