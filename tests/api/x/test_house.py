"""Domains, attempts, audit log and settings, as scripts see to them."""

from typing import Any

import pytest

from enrollment import reasons
from enrollment.models import AttemptStep, Step
from enrollment.services import domain_check, trace
from enrollment.services.domain_check import Outcome
from enrollment.services.findings import Finding
from epmm import mail_options, options, settings_store
from epmm.models import AuditEntry, Job
from epmm.option_texts import OFFERS
from epmm.rate_limit import Buckets
from tests import factories
from tests.api.conftest import Script
from tests.api.x.conftest import problem
from users.api import throttling

pytestmark = pytest.mark.django_db(transaction=True)


def test_domains_come_and_go(script: Script) -> None:
    [own] = script.get("enrollment_domains")["items"]
    assert own["own"] is True

    assert script.ask("POST", "enrollment_domains", {"domain": "Corp.example.test"}).status_code == 201
    told = problem(script.ask("POST", "enrollment_domains", {"domain": "corp.example.test"}), 422)
    assert told["errors"][0]["pointer"] == "#/domain"
    problem(script.ask("POST", "enrollment_domains", {"domain": "no domain"}), 422)
    assert {each["domain"] for each in script.get("enrollment_domains")["items"]} == {
        own["domain"], "corp.example.test",
    }  # fmt: skip
    left = {"offers": ["adde/Mac"]}
    assert script.ask("PUT", "enrollment_domains/corp.example.test", left).json()["offers"] == ["adde/Mac"]
    assert script.get("enrollment_domains")["items"][0]["offers"] == list(OFFERS)
    problem(script.ask("PUT", "enrollment_domains/corp.example.test", {"offers": []}), 422)
    problem(script.ask("PUT", "enrollment_domains/elsewhere.test", left), 404)
    assert script.ask("DELETE", "enrollment_domains/corp.example.test").status_code == 204
    problem(script.ask("DELETE", "enrollment_domains/corp.example.test"), 404)


def test_a_domain_is_tested_as_often_as_it_helps(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding.stops("Answer", "The name does not resolve.")
    monkeypatch.setattr(domain_check, "check", lambda _domain: Outcome(findings=[finding], way=None))
    monkeypatch.setattr(throttling, "_elsewhere", Buckets(per_second=0.001, burst=1))
    [domain] = options.enrollment_domains()

    problem(script.ask("POST", "enrollment_domains/elsewhere.test/test"), 404)
    told = script.ask("POST", f"enrollment_domains/{domain}/test").json()
    assert told == {
        "good": False,
        "way": None,
        "findings": [{"subject": "Answer", "verdict": "stops", "sentence": "The name does not resolve."}],
    }
    assert AuditEntry.objects.get(action="enrollment_domain.tested").status == AuditEntry.Status.FAILED
    late = script.ask("POST", f"enrollment_domains/{domain}/test")
    problem(late, 429)
    assert late["Retry-After"] == "5"


def test_an_attempt_tells_where_it_stopped(script: Script, django_assert_max_num_queries: Any) -> None:
    mia = factories.user("mia")
    for name in ("mia@example.test", "ben@example.test", "mia@example.test"):
        attempt = trace.open_known(name + name, identifier=name, address="192.0.2.7")
    trace.move(attempt, attempt.State.OPEN, user=mia)
    trace.step(attempt, Step.POLICY, result=AttemptStep.Result.REFUSED, reason=reasons.ROLE_MISSING)

    script.get("enrollment_attempts?limit=1")
    with django_assert_max_num_queries(8):
        [found] = script.get("enrollment_attempts?state=failed&user=mia")["items"]
    assert (found["code"], found["user_id"], found["device"]) == ("E-303", "mia", None)
    traced = script.get(f"enrollment_attempts/{found['id']}")
    assert [(step["step"], step["result"], step["code"]) for step in traced["steps"]] == [
        ("policy", "refused", "E-303")
    ]  # fmt: skip
    assert "Assign Roles" in traced["steps"][0]["advice"]
    problem(script.ask("GET", "enrollment_attempts/1000001"), 404)
    problem(script.ask("GET", "enrollment_attempts?code=E-999"), 400)


def test_the_audit_log_is_read_by_what_is_looked_for(script: Script) -> None:
    script.ask("POST", "users", {"user_id": "mia"})
    script.ask("POST", "users", {"user_id": "ben"})

    [entry] = script.get("audit?action=user.created,user.deleted&subject=mia&since=2020-01-01T00:00:00Z")["items"]
    assert (entry["actor"], entry["action"], entry["subject"]) == ("script", "user.created", "mia")
    assert script.get("audit?until=2020-01-01T00:00:00%2B02:00")["items"] == []
    problem(script.ask("GET", "audit?since=yesterday"), 400)
    page = script.get("audit?limit=1&action=user.created&sort=at")
    assert [each["subject"] for each in page["items"]] == ["mia"]
    assert [each["subject"] for each in script.get(page["next"])["items"]] == ["ben"]


def test_the_chain_tells_how_it_stands_and_is_checked_when_asked(script: Script) -> None:
    before = script.get("audit/chain")
    assert (before["broken"], before["being_checked"], before["last_check"]) == (False, False, None)

    asked = script.ask("POST", "audit/chain/check")
    assert (asked.status_code, asked.json()["being_checked"]) == (202, True)
    assert Job.objects.filter(kind="epmm.check_audit").count() == 1
    assert AuditEntry.objects.filter(action="audit.check_asked", actor="script").count() == 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("registration.pin_length", 8, 8),
        ("registration.device_limit", None, None),
        ("scep.legacy_ciphers", True, True),
        ("registration.allowed_families", ["iPhone", "iPad"], ["iPhone", "iPad"]),
        ("general.login_text", "One\r\nTwo", "One\nTwo"),
    ],
)
def test_a_setting_is_written_as_its_kind(script: Script, name: str, value: Any, told: Any) -> None:
    read = script.ask("GET", f"settings/{name}")
    assert read.status_code == 200

    written = script.ask("PUT", f"settings/{name}", {"value": value}, **{"If-Match": read["ETag"]})
    assert written.status_code == 200, written.content
    assert written.json()["value"] == told
    assert written.json()["changed_by"] == "script"
    problem(script.ask("PUT", f"settings/{name}", {"value": value}, **{"If-Match": read["ETag"]}), 412)
    problem(script.ask("PUT", f"settings/{name}", {"value": value}), 428)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("registration.pin_length", 99, 422),
        ("registration.pin_length", "\0", 422),
        ("general.enterprise_name", "Corp\uffff", 422),  # no profile could be made of it
        ("general.login_text", "a\x01", 422),
        ("scep.legacy_ciphers", {"on": True}, 422),
        ("enrollment.domains", "corp.example.test", 409),  # there is a resource for it
        ("nonsense", 1, 404),
    ],
)
def test_what_a_setting_does_not_take_changes_nothing(script: Script, name: str, value: Any, status: int) -> None:
    told = problem(script.ask("PUT", f"settings/{name}", {"value": value}, **{"If-Match": "*"}), status)

    assert status != 422 or told["errors"][0]["pointer"] == "#/value"
    assert not AuditEntry.objects.filter(action="setting.changed").exists()


def test_a_secret_is_written_and_never_read(script: Script) -> None:
    answer = script.ask("PUT", "settings/mail.password", {"value": "hush hush"}, **{"If-Match": "*"})

    assert (answer.json()["kind"], answer.json()["value"], answer.json()["set"]) == ("secret", None, True)
    assert settings_store.reveal(mail_options.PASSWORD) == "hush hush"
    everything = script.ask("GET", "settings").content + script.ask("GET", "audit").content
    assert b"hush" not in everything


def test_all_settings_cost_few_queries(script: Script, django_assert_max_num_queries: Any) -> None:
    script.get("settings")
    with django_assert_max_num_queries(7):
        found = script.get("settings")["items"]
    assert {each["name"] for each in found} == settings_store.REGISTRY.keys()
