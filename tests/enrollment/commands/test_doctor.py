import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from devices.models import Device, PushCertificate
from devices.search import trigram_index
from devices.services import push_installation, push_requests
from enrollment.services import authorities, doctor, registration, ruling
from enrollment.services.ruling import Written
from enrollment.simulator.discovery import Server
from enrollment.simulator.refusal import NoAnswer, TurnedAway
from epmm.models import Heartbeat
from tests import apple_portal, pki
from tests.devices.services.rows import enrolled
from tests.enrollment.conftest import Switch, make_person
from tests.enrollment.phone import Phone
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network here; the whole doctor runs against a real port in the flows."""
    server = Server(version="mdm-adde", base_url="https://mdm.example.test:8443/enroll/adde/r")
    monkeypatch.setattr("enrollment.simulator.discovery.ask", lambda _client, _url: server)


def findings(*arguments: str) -> list[dict[str, str]]:
    out = StringIO()
    with suppress(CommandError):
        call_command("doctor", *arguments, "--json", stdout=out)
    found: list[dict[str, str]] = json.loads(out.getvalue())
    return found


def verdicts(identifier: str | None = None) -> dict[str, str]:
    return {each["subject"]: each["verdict"] for each in findings(*([identifier] if identifier else []))}


def stopped(identifier: str | None = None) -> list[str]:
    return [subject for subject, verdict in verdicts(identifier).items() if verdict == "stops"]


def test_nothing_stops_a_person_who_may(anna: User, adde: None) -> None:
    out = StringIO()
    call_command("doctor", "anna@mdm.example.test", stdout=out)

    assert "ok    person: anna" in out.getvalue()
    assert "warn  push: Push is not set up" in out.getvalue()


def test_exit_status_and_message_name_what_stops(anna: User) -> None:
    with pytest.raises(CommandError, match="feature"):
        call_command("doctor", stdout=StringIO())


@pytest.mark.parametrize("answer", [["a migration"], OperationalError("no route to host")])
def test_without_a_usable_database_it_says_so_and_asks_no_more(
    monkeypatch: pytest.MonkeyPatch, answer: list[str] | Exception
) -> None:
    def plan(*_: Any) -> list[str]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("enrollment.services.doctor.MigrationExecutor.migration_plan", plan)
    assert verdicts("anna") == {"database": "stops"}


def test_field_keys_that_do_not_open_what_is_stored_stop(anna: User, adde: None, settings: Settings) -> None:
    authorities.forget_cached()
    authorities.device_ca()
    assert verdicts()["field keys"] == "ok"
    other = b64encode(b"another " * 4).decode()
    for wrong in (f"k2:{other}", f"t1:{other}"):
        settings.FIELD_KEYS = wrong
        _database, keys = findings("anna")
        assert keys["verdict"] == "stops"
        assert "does not open stored secrets of enrollment.Authority (t1). Put" in keys["sentence"]


def test_a_record_whose_key_is_lost_stops_nothing(anna: User, adde: None, settings: Settings) -> None:
    kept = settings.FIELD_KEYS
    settings.FIELD_KEYS = f"k2:{b64encode(b'another ' * 4).decode()}"
    enrollment = enrolled(user=anna)
    enrollment.unlock_token = b"t"
    enrollment.save(update_fields=["unlock_token"])
    settings.FIELD_KEYS = kept

    told = {each["subject"]: each for each in findings("anna")}
    assert told["field keys"]["verdict"] == "warning"
    assert "devices.Enrollment (k2)" in told["field keys"]["sentence"]
    assert told["person"]["verdict"] == "ok"


def test_the_feature_off_and_an_unknown_person_stop(db: None) -> None:
    assert stopped("nobody@mdm.example.test") == ["feature", "person"]


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"is_active": False}, "adde: account enabled"),
        ({"managed_apple_account": None}, "adde: account present"),
        ({"managed_apple_account": "a@elsewhere.example"}, "adde: account in domain"),
        ({"password": "!"}, "password"),
        ({"must_change_password": True}, "password"),
    ],
)
def test_what_stands_against_a_person_is_named(anna: User, adde: None, change: dict[str, Any], subject: str) -> None:
    User.objects.filter(pk=anna.pk).update(**change)

    assert subject in stopped("anna")


@pytest.mark.parametrize(
    ("device", "wrong"),
    [
        ([], {"family allowed": ("warning", "iPhone, Mac, RealityDevice: E-307")}),
        (["--family=Mac"], {"family allowed": ("stops", "Mac: E-307")}),
        (["--family=iPad"], {}),
        (["--family=iPad", "--os-version=18.0.9"], {"system recent enough": ("stops", "iPad: E-308")}),
        (["--family=iPad", "--os-version=18.1"], {}),
    ],
    ids=" ".join,
)
def test_what_the_rules_say_of_a_device_is_asked_for_that_one_or_for_every_family(
    anna: User, adde: None, device: list[str], wrong: dict[str, tuple[str, str]]
) -> None:
    ruling.save(Written(group=None, families=["iPad"], minimum_os={"iPad": "18.1"}), actor="test")

    found = {each["subject"].removeprefix("adde: "): each for each in findings("anna", *device)}

    told = {subject: each for subject, each in found.items() if each["sentence"].endswith("(Local people)")}
    assert {name: (each["verdict"], each["sentence"][: len(wrong[name][1])]) for name, each in told.items()} == wrong


def test_a_device_limit_that_only_the_device_at_hand_escapes_is_a_warning(
    anna: User, adde: None, switch: Switch
) -> None:
    """It may be the one that is enrolled, which does not count against itself."""
    Device.objects.create(user=anna, udid="U1", family="iPad", status=Device.Status.ACTIVE, mdm_managed=True)
    switch("registration.device_limit", "1")
    assert verdicts("anna")["adde: within device limit"] == "warning"

    switch("registration.allowed_families", "Mac")
    assert stopped("anna") == ["adde: within device limit", "adde: family allowed"]


@pytest.mark.parametrize(
    "arguments",
    [["--family=Mac"], ["anna", "--os-version=18.0"], ["anna", "--family=Watch"],
     ["anna", "--family=Mac", "--os-version=new"]],
    ids=" ".join,
)  # fmt: skip
def test_a_device_that_cannot_be_meant_is_refused(db: None, arguments: list[str]) -> None:
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", *arguments, stdout=out)

    assert out.getvalue() == ""


def test_a_person_without_any_role(db: None, adde: None) -> None:
    make_person("ben", roles=())

    assert stopped("ben") == ["adde: role granted"]


def test_a_pin_must_be_at_hand_where_pins_are_asked_for(anna: User, adde: None, switch: Switch) -> None:
    switch("registration.requirement", "pin")
    assert stopped("anna") == ["pin"]
    registration.issue_pin(anna, "test")
    assert stopped("anna") == []


def test_the_worker_is_missed_and_found(adde: None) -> None:
    assert verdicts()["worker"] == "warning"
    Heartbeat.objects.create(name="worker", at=timezone.now() - timedelta(hours=1))
    assert "No worker has run since" in doctor.worker().sentence
    Heartbeat.objects.update(at=timezone.now())
    assert verdicts()["worker"] == "ok"


@pytest.mark.parametrize(
    "problem",
    [TurnedAway("stops", "403", status=403, sentence="Not here."), NoAnswer("reports", "no connection")],
)
def test_discovery_as_a_device_sees_it(adde: None, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def refuse(_client: object, _url: str) -> None:
        raise problem

    monkeypatch.setattr("enrollment.simulator.discovery.ask", refuse)
    assert stopped() == ["discovery"]


def test_certificates_are_watched(
    adde: None, settings: Any, tmp_path: Path, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    authorities.forget_cached()
    authorities.device_ca()
    tls = pki.issue("mdm.example.test", not_after=timezone.now() + timedelta(days=3))
    (tmp_path / "c.pem").write_bytes(tls.pem)
    settings.SIGNING_CERTIFICATE = tmp_path / "c.pem"
    found = verdicts()
    assert (found["certificate device_ca"], found["certificate that signs profiles"]) == ("ok", "warning")

    (tmp_path / "c.pem").write_bytes(pki.issue("x", not_after=timezone.now() - timedelta(days=1)).pem)
    assert stopped() == ["certificate that signs profiles"]


def test_a_clock_that_differs_stops(adde: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.health.clock_agrees", lambda: False)
    assert stopped() == ["clock"]


@pytest.mark.parametrize(("days", "verdict"), [(400, "ok"), (59, "warning"), (-1, "stops")])
def test_the_push_certificate_is_watched(adde: None, days: int, verdict: str) -> None:
    install_push_certificate()
    PushCertificate.objects.update(not_after=timezone.now() + timedelta(days=days))

    assert verdicts()["push"] == verdict
    assert stopped() == (["push"] if verdict == "stops" else [])


def test_devices_that_the_push_certificate_cannot_wake_are_named(phone: Phone) -> None:
    assert "push topic" not in verdicts()
    phone.enroll()
    install_push_certificate()

    (finding,) = [finding for finding in doctor.push() if finding.subject == "push topic"]
    assert finding.sentence.endswith("under another topic: 1 (TESTSERIAL01).")


def install_push_certificate() -> None:
    csr = bytes(push_requests.request(actor="test").csr)
    push_installation.install(apple_portal.answer(csr), confirmed=True, actor="test")


@pytest.mark.service("postgresql")
@pytest.mark.parametrize(
    ("gone", "lacks", "runs"),
    [
        ("EXTENSION pg_trgm CASCADE", "the extension pg_trgm", [trigram_index.EXTENSION, trigram_index.INDEX]),
        ("INDEX device_search_text", "the index that goes with pg_trgm", [trigram_index.INDEX]),
    ],
)
def test_a_search_without_its_index_is_told(gone: str, lacks: str, runs: list[str]) -> None:
    assert verdicts()["search"] == "ok"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP {gone}")

    found = doctor.search()

    assert (found.subject, found.verdict.value) == ("search", "warning")
    assert f"lacks {lacks}:" in found.sentence
    assert f"Run there: {'; '.join(runs)};" in found.sentence
    assert trigram_index.missing() == runs
