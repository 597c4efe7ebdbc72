"""Logs: who did what, why an enrollment stopped, and what devices have not answered."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from devices.models import Broadcast, Command, Device
from devices.services import broadcast
from devices.views import command_queue
from enrollment.models import Attempt, AttemptStep
from epmm import audit, settings_store
from epmm.models import AuditEntry
from tests.devices.services import rows
from tests.devices.services.test_broadcast import fleet
from tests.portal.conftest import SignedIn
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
AUDIT = "/admin/logs/audit"
ENROLLMENT = "/admin/logs/enrollment"
QUEUE = "/admin/logs/queue"
BROADCASTS = "/admin/logs/broadcasts"


def text(response: Any) -> str:
    return str(response.content.decode())


def subjects(client: Client, query: str) -> list[str]:
    """Of the table, newest first."""
    page = text(client.get(f"{AUDIT}?columns=subject&{query}"))
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r"<td>([^<]*)</td>", body)


def entry(subject: str, *, days: float = 0, **columns: Any) -> None:
    given = {"action": "user.created", "actor": "root", "subject_type": "user", "status": "Success", **columns}
    AuditEntry.objects.create(at=timezone.now() - timedelta(days=days), subject=subject, **given)


# --- Audit Logs -------------------------------------------------------------------------------------------------------


def test_entries_are_found_by_what_they_say(signed_in: SignedIn) -> None:
    client = signed_in()
    AuditEntry.objects.all().delete()
    entry("anna", days=3)
    entry("berta", days=2, action="device.wiped", status="Failed")
    entry("carla", days=1, actor="boss", details={"note": "lost"})
    day = f"{timezone.localdate(AuditEntry.objects.get(subject='berta').at):%Y-%m-%d}"

    assert subjects(client, "") == ["carla", "berta", "anna"]
    assert subjects(client, "action=device.wiped") == ["berta"]
    assert subjects(client, "status=Failed") == ["berta"]
    assert subjects(client, "actor=boss&status=Success") == ["carla"]
    assert subjects(client, "subject=anna") == ["anna"]
    assert subjects(client, "q=boss") == ["carla"]
    assert subjects(client, "q=berta&status=Failed") == ["berta"]
    assert subjects(client, "q=berta&status=Success") == []
    assert subjects(client, f"from={day}") == ["carla", "berta"]
    assert subjects(client, f"to={day}") == ["berta", "anna"]
    assert subjects(client, f"from={day}&to={day}") == ["berta"]
    assert subjects(client, "sort=at") == ["anna", "berta", "carla"]
    assert "<td>lost</td>" in text(client.get(AUDIT))
    assert subjects(client, "action=device.wiped,user.created&sort=at") == ["anna", "berta", "carla"]
    boxes = re.findall(
        r'type="checkbox" value="(device[^"]*)"( checked)?', text(client.get(f"{AUDIT}?action=device.lost"))
    )
    assert boxes == [("device.lost", " checked"), ("device.wiped", "")]


def test_entries_about_one_device_are_found_by_what_it_is_called(signed_in: SignedIn) -> None:
    client = signed_in()
    device = rows.enrolled(udid="UDID-1", serial_number="C02X").device
    assert device is not None
    entry("anna")
    entry(str(device.uuid), subject_type="device")
    entry("C02X", subject_type="label")

    for typed in ("C02X", "UDID-1", str(device.uuid)):
        assert subjects(client, f"device={typed}") == [str(device.uuid)]
    assert subjects(client, "q=C02X") == ["C02X", str(device.uuid)]
    gone = str(device.uuid)
    Device.objects.filter(uuid=gone).delete()
    assert subjects(client, f"device={gone}") == [gone]
    assert subjects(client, "device=C02X") == []


@pytest.mark.parametrize("query", ["from=yesterday", "to=9999-12-31", "status=Perhaps", "from=0000", "q=%00"])
def test_a_filter_that_means_nothing_filters_nothing(signed_in: SignedIn, query: str) -> None:
    client = signed_in()
    AuditEntry.objects.all().delete()
    entry("anna")

    assert subjects(client, query) == ["anna"]


def test_nothing_found_is_said_and_the_way_back_shown(signed_in: SignedIn) -> None:
    page = text(signed_in().get(f"{AUDIT}?actor=nobody"))

    assert "Nothing matches these filters." in page
    assert f'href="{AUDIT}"' in page


@pytest.mark.parametrize("column", ["actor", "action", "subject", "status"])
def test_entries_are_sorted_by_what_they_say_and_then_by_time(signed_in: SignedIn, column: str) -> None:
    client = signed_in()
    AuditEntry.objects.all().delete()
    for number in range(60):
        given = {"actor": f"a{number % 3}", "action": f"b{number % 2}", "status": ["Failed", "Success"][number % 2]}
        entry(f"s{number % 7}", days=(number * 37) % 60, **given)
    wanted = AuditEntry.objects.order_by(column, "at").values_list("subject", flat=True)

    pages, query = [], f"size=25&sort={column}"
    while query:
        page = text(client.get(f"{AUDIT}?columns=subject&{query}"))
        pages += subjects(client, query)
        following = re.search(r'rel="next" href="[^"?]+\?([^"]+)"', page)
        query = following[1].replace("&amp;", "&") if following else ""
    assert pages == list(wanted)
    assert subjects(client, f"size=25&sort=-{column}") == list(reversed(wanted))[:25]


def test_a_filter_goes_along_to_the_next_page(signed_in: SignedIn) -> None:
    client = signed_in()
    for number in range(30):
        audit.record("label.made", actor="boss", subject_type="label", subject=f"=label{number}")

    page = text(client.get(f"{AUDIT}?actor=boss&size=25"))
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    assert len(subjects(client, following[1].replace("&amp;", "&").partition("?")[2])) == 5


def test_a_page_costs_the_same_however_long_the_log_is(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    for number in range(200):
        entry(f"person{number}", details={"note": "x" * 400})

    for address in (AUDIT, f"{AUDIT}?size=25&actor=root"):
        with django_assert_max_num_queries(12):
            page = client.get(address)
        assert len(page.content) < 60_000


def test_who_may_not_look_at_logs_does_not(signed_in: SignedIn) -> None:
    client = signed_in("reader", [AdminRole.USER_VIEW])

    assert [client.get(page).status_code for page in (AUDIT, ENROLLMENT, f"{ENROLLMENT}/1", QUEUE, BROADCASTS)] == [
        403
    ] * 5


# --- Enrollment log ---------------------------------------------------------------------------------------------------


def attempt(identifier: str, **columns: Any) -> Attempt:
    given = {"domain": identifier.partition("@")[2], "model_family": "iPhone", "kind": "adde", **columns}
    return Attempt.objects.create(reference=identifier, identifier=identifier, **given)


def found(client: Client, query: str) -> list[str]:
    return re.findall(r'<a href="/admin/logs/enrollment/\d+">([^<]+)</a>', text(client.get(f"{ENROLLMENT}?{query}")))


def test_attempts_are_found_by_user_domain_model_and_code(signed_in: SignedIn) -> None:
    client = signed_in()
    attempt("anna@a.test")
    boris = rows.person("boris")
    attempt("berta@b.test", model_family="Mac", user=boris, state=Attempt.State.FAILED, last_code="E-303")

    assert found(client, "") == ["berta@b.test", "anna@a.test"]
    assert found(client, "user=anna@a.test") == ["anna@a.test"]
    for typed in ("ber", "boris", "e-303"):
        assert found(client, f"q={typed}") == ["berta@b.test"]
    assert found(client, "q=nna") == []
    assert found(client, "domain=B.test") == ["berta@b.test"]
    assert found(client, "model=Mac") == ["berta@b.test"]
    assert found(client, "code=E-303&state=failed") == ["berta@b.test"]
    assert found(client, "code=E-201") == []


def test_an_attempt_tells_each_step_and_what_to_do(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    row = attempt("anna@a.test", state=Attempt.State.FAILED, last_code="E-303")
    row.steps.create(step="discovery", result=AttemptStep.Result.OK, details={"kind": "adde"})
    row.steps.create(step="policy", result=AttemptStep.Result.REFUSED, code="E-303")

    with django_assert_max_num_queries(12):
        page = text(client.get(f"{ENROLLMENT}/{row.pk}"))
    assert page.index("<td>Discovery</td>") < page.index("<td>Checks of person and device</td>")
    assert page.count("The person lacks the role for this enrollment.") == 2
    assert '<p class="quiet">Kind: Account-driven device enrollment</p>' in page
    assert client.get(f"{ENROLLMENT}/{row.pk + 1}").status_code == 404


def test_an_attempt_leads_to_its_person_and_device_whoever_may_see_them(signed_in: SignedIn) -> None:
    enrollment = rows.enrolled()
    device = enrollment.device
    assert device is not None
    row = attempt("anna@a.test", user=enrollment.user, enrollment=enrollment)
    address = f"{ENROLLMENT}/{row.pk}"

    page = text(signed_in().get(address))
    assert f'<a href="/admin/users/{enrollment.user.pk}">' in page
    assert f'<a href="/admin/devices/{device.uuid}">' in page
    page = text(signed_in("reader", roles=[AdminRole.LOGS_VIEW]).get(address))
    assert enrollment.user.user_id in page
    assert "/admin/users/" not in page
    assert "/admin/devices/" not in page


def test_the_steps_of_an_attempt_are_named_in_the_language_of_the_reader(signed_in: SignedIn) -> None:
    row = attempt("anna@a.test")
    row.steps.create(step="sign_in_page", result=AttemptStep.Result.OK)
    row.steps.create(step="token_update", result=AttemptStep.Result.OK, details={"first": True})
    row.steps.create(step="of_an_earlier_release", result=AttemptStep.Result.OK, details={"seconds": 3})

    page = text(signed_in().get(f"{ENROLLMENT}/{row.pk}", headers={"Accept-Language": "de"}))
    assert "<td>Anmeldeseite angezeigt</td>" in page
    assert '<p class="quiet">Zum ersten Mal: ja</p>' in page
    assert "<td>of_an_earlier_release</td>" in page
    assert '<p class="quiet">seconds: 3</p>' in page


def test_silence_at_apples_sign_in_is_no_error(signed_in: SignedIn) -> None:
    row = attempt("anna@a.test", state=Attempt.State.WAITING_FOR_APPLE)

    assert "Silence is no error here" in text(signed_in().get(f"{ENROLLMENT}/{row.pk}"))


def test_many_attempts_cost_what_few_do(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    for number in range(120):
        attempt(f"person{number}@a.test", product="iPhone17,1", os_version="18.2")

    with django_assert_max_num_queries(12):
        page = client.get(ENROLLMENT)
    assert len(page.content) < 60_000


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"from": "EMPLOYEE", "to": "COMPANY", "note": "bought"}, "EMPLOYEE → COMPANY"),
        ({"from": "", "to": 7}, "\N{EN DASH} → 7"),
        ({"terms": {"from": False, "to": True}}, "terms: false → true"),
        (
            {"name": [None, "Ticket system"], "events": [["a"], ["a", "b"]]},
            'name: Ticket system, events: [["a"], ["a", "b"]]',
        ),
        ({"by": 3, "to": "b", "from": "a"}, "by: 3, to: b, from: a"),  # as PostgreSQL orders them
        ({"user": None, "kinds": [], "number": 0}, "number: 0"),
        ({"note": "bought"}, ""),
    ],
)
def test_details_of_a_change_are_what_was_and_what_is(signed_in: SignedIn, details: dict[str, Any], said: str) -> None:
    client = signed_in()
    entry("anna", details=details)

    row = text(client.get(f"{AUDIT}?columns=details&subject=anna")).partition("<tbody>")[2]
    assert re.findall(r"<td>(.*?)</td>", row) == [f'<span class="told">{escape(said)}</span>' if said else ""]


# --- MDM command queue ------------------------------------------------------------------------------------------------


def test_open_commands_are_listed_with_their_devices(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    fleet(60)
    broadcast.work(broadcast.begin("SecurityInfo", selection={}, actor="admin").pk)

    with django_assert_max_num_queries(12):
        page = client.get(QUEUE)
    assert text(page).count("<td>SecurityInfo</td>") == 50
    assert len(page.content) < 60_000
    assert "SecurityInfo" not in text(client.get(f"{QUEUE}?command=RestartDevice")).partition("<tbody>")[2]
    assert text(client.get(f"{QUEUE}?state=0&size=25")).count("<td>SecurityInfo</td>") == 25


def test_ticked_commands_are_cancelled_after_a_question(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in()
    for name in ("anna", "ben", "carl"):
        rows.enrolled(udid=name, serial_number=f"C02{name}", device_name=f"{name}'s", user=rows.person(name))
    broadcast.work(broadcast.begin("SecurityInfo", selection={}, actor="admin").pk)

    for typed, whose in {"C02anna": ["anna"], "ben": ["ben"], "C02": []}.items():
        assert re.findall(r'<td><a href="[^"]+">(\w+)&#x27;s</a></td>', text(client.get(QUEUE, {"q": typed}))) == whose
    asked = text(client.post(f"{QUEUE}/cancel", {"all": "1", "matching": "q=ben&state=0"}))
    assert "SecurityInfo (ben&#x27;s)" in asked
    chosen = re.search(r'name="chosen" value="([^"]+)"', asked)
    assert chosen is not None
    assert Command.objects.count() == 3
    done = client.post(f"{QUEUE}/cancel", {"chosen": chosen[1], "go": "1"})
    assert done["HX-Refresh"] == "true"
    assert "Commands that are cancelled: 1." in (page := text(client.get(QUEUE)))
    assert "ben&#x27;s" not in page
    told = AuditEntry.objects.get(action="command.cancelled")
    assert (told.actor, told.address, told.details["request_type"]) == ("admin", "127.0.0.1", "SecurityInfo")
    assert client.post(f"{QUEUE}/cancel", {"chosen": chosen[1], "go": "1"}).status_code == 422
    monkeypatch.setattr(command_queue, "MOST_TICKED", 1)
    refused = client.post(f"{QUEUE}/cancel", {"all": "1"})
    assert (refused.status_code, Command.objects.count()) == (422, 2)
    assert "at most 1 commands at once" in text(refused)


def test_broadcasts_show_how_far_they_have_come(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    fleet(3)
    client.get(BROADCASTS)  # what a process asks once
    counts = []
    for _ in range(2):
        for _ in range(5):
            broadcast.work(broadcast.begin("SecurityInfo", selection={}, actor="admin").pk)
        settings_store.clear_cache()  # what it asks once a second, it asks now
        with django_assert_max_num_queries(12) as captured:
            page = text(client.get(BROADCASTS))
        counts.append(len(captured))
    assert page.count("Under way") == 10
    assert not [asked["sql"] for asked in captured if '"selection"' in asked["sql"] or '"request"' in asked["sql"]]
    assert counts[0] == counts[1]


def test_a_broadcast_that_every_device_refused_is_not_done(signed_in: SignedIn) -> None:
    client = signed_in()
    fleet(2)
    lock = {"PIN": "123456"}
    row = broadcast.begin("DeviceLock", selection={}, payload=lock, actor="admin")  # a Mac would have taken it
    broadcast.work(row.pk)

    page = text(client.get(BROADCASTS))
    assert '<span class="badge bad">Refused</span>' in page
    assert "badge good" not in page


def test_a_broadcast_is_called_back_after_a_question(signed_in: SignedIn) -> None:
    client = signed_in()
    fleet(3)
    row = broadcast.begin("SecurityInfo", selection={}, actor="admin")
    broadcast.work(row.pk)

    asked = text(client.post(f"{BROADCASTS}/call-back", {"row": [row.pk]}))
    assert "Broadcasts: 1 (SecurityInfo)" in asked
    assert Command.objects.count() == 3
    done = client.post(f"{BROADCASTS}/call-back", {"row": [row.pk], "sure": "1"})
    assert done["HX-Redirect"] == BROADCASTS
    broadcast.call_back(row.pk)  # which the worker does
    assert not Command.objects.exists()
    assert AuditEntry.objects.get(action="broadcast.cancelled").actor == "admin"
    page = text(client.get(BROADCASTS))
    assert "Open commands that are called back: 3." in page
    assert "None of these can be called back" in text(client.post(f"{BROADCASTS}/call-back", {"row": [row.pk, "x"]}))


def test_calling_back_needs_the_right_to_manage_devices(signed_in: SignedIn) -> None:
    client = signed_in("reader", [AdminRole.LOGS_VIEW])
    row = Broadcast.objects.create(request_type="SecurityInfo", actor="admin")

    assert "call-back" not in text(client.get(BROADCASTS))
    assert "queue/cancel" not in text(client.get(QUEUE))
    assert client.post(f"{BROADCASTS}/call-back", {"row": [row.pk], "sure": "1"}).status_code == 403
    row.refresh_from_db()
    assert row.cancelled_at is None
