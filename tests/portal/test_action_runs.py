"""Select all that match: what goes to more devices than a request has time for, the worker does."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices import tasks
from devices.models import ActionResult, ActionRun, Command, Device, DeviceAttribute, Label
from devices.services import action_runs, actions, labels
from devices.services.actions import Order
from epmm import options, runs, settings_store
from epmm.models import AuditEntry, Job
from tests.devices.services.rows import device_of, enrolled
from tests.portal.conftest import PASSWORD, SignedIn
from tests.portal.test_devices_actions import forget_who
from users.middleware import POLL
from users.models import AdminRole, CustomAttribute, User

pytestmark = pytest.mark.django_db(transaction=True)
MATCHING = {"all": "1", "matching": "q=phone"}


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.views.device_actions.MOST_CHOSEN", 2)
    monkeypatch.setattr(action_runs, "BITE", 2)


def phones(number: int = 5, **fields: Any) -> list[Device]:
    return [device_of(enrolled(udid=f"u{n}", device_name=f"phone {n}", **fields)) for n in range(number)]


def ask(client: Client, key: str) -> str:
    answer = client.post(f"/admin/devices/{key}", MATCHING)
    assert answer.status_code == 200
    return answer.content.decode()


def go(client: Client, key: str, number: int = 5, /, **values: Any) -> Any:
    return client.post(f"/admin/devices/{key}", {"go": "1", "number": number, **MATCHING, **values})


def work() -> None:
    for job in Job.objects.open().filter(kind=action_runs.KIND).order_by("pk"):
        with Job.leased(job.pk) as leased:
            assert leased is not None
            tasks.act(**job.arguments)


def results(client: Client, run: ActionRun, query: str = "") -> list[tuple[str, str]]:
    shown = client.get(f"/admin/logs/actions/{run.pk}{query}").content.decode()
    cells = re.findall(r'<td><a href="/admin/devices/[^"]+">([^<]+)</a></td><td><span class="[^"]+">([^<]+)<', shown)
    return [(name, said.strip()) for name, said in cells]


def test_all_that_match_are_acted_on_and_each_says_what_came_of_it(signed_in: SignedIn) -> None:
    *_others, lost = phones()
    Device.objects.filter(pk=lost.pk).update(status=Device.Status.LOST)
    client = signed_in()

    dialog = ask(client, "lost")
    assert "5 devices:" in dialog
    assert "phone 0, phone 1 and 3 more" in dialog.replace("\n", " ")
    answer = go(client, "lost")
    run = ActionRun.objects.get()
    assert answer.headers["HX-Redirect"] == f"/admin/logs/actions/{run.pk}"
    assert not Device.objects.filter(status=Device.Status.LOST).exclude(pk=lost.pk).exists()
    assert "0 of 5 devices" in client.get(f"/admin/logs/actions/{run.pk}").content.decode()

    work()

    assert Device.objects.filter(status=Device.Status.LOST).count() == 5
    page = client.get(f"/admin/logs/actions/{run.pk}").content.decode()
    assert "5 of 5 devices: done for 4, 1 skipped." in page
    already = "Skipped: This device is marked as lost already."
    assert sorted(results(client, run)) == [*((f"phone {n}", "Done: Marked") for n in range(4)), ("phone 4", already)]
    assert results(client, run, "?result=2") == [("phone 4", already)]
    assert "Lost" in client.get("/admin/logs/actions").content.decode()
    assert AuditEntry.objects.filter(action="device.lost", actor="admin").count() == 4
    begun = AuditEntry.objects.get(action="device.action_begun")
    assert (begun.details["devices"], begun.details["asked"]) == (5, "q=phone")


def test_who_matches_later_is_not_meant_and_who_no_longer_matches_is(signed_in: SignedIn) -> None:
    first, *_others = phones()
    client = signed_in()
    go(client, "comment", comment="Collect")

    late = device_of(enrolled(udid="late", device_name="phone late"))
    Device.objects.filter(pk=first.pk).update(device_name="renamed", search_text="renamed")
    work()

    assert Device.objects.filter(comment="Collect").count() == 5
    late.refresh_from_db()
    assert late.comment == ""


def test_what_destroys_goes_to_the_number_that_was_agreed_to(signed_in: SignedIn) -> None:
    phones()
    client = signed_in()
    forget_who(client)
    assert "This erases 5 devices completely and cannot be undone. Type 5 to continue." in ask(client, "wipe")

    typed: dict[str, Any] = {"reason": "stolen", "typed": "5"}
    assert go(client, "wipe", **typed).status_code == 422  # and who is it?
    device_of(enrolled(udid="late", device_name="phone late"))
    answer = go(client, "wipe", password=PASSWORD, **typed)
    assert answer.status_code == 422
    assert "Type 6 to continue" in answer.content.decode()
    retired = go(client, "retire", 5, password=PASSWORD)
    assert retired.status_code == 409
    assert "By now other devices match." in retired.content.decode()
    assert not ActionRun.objects.exists()
    assert not ActionResult.objects.exists()

    assert go(client, "wipe", 6, reason="stolen", typed="6").status_code == 204
    work()
    assert Command.objects.filter(request_type="EraseDevice").count() == 6


def test_few_that_are_left_are_looked_at_anew(signed_in: SignedIn) -> None:
    first, *others = phones(3)
    client = signed_in()
    Device.objects.filter(pk__in=[first.pk, others[0].pk]).update(search_text="")

    dialog = go(client, "lost", 3)
    assert dialog.status_code == 200
    assert "1 device:" in dialog.content.decode()
    assert not Device.objects.filter(status=Device.Status.LOST).exists()


def test_stopping_leaves_the_rest_alone(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    phones()
    client = signed_in()
    go(client, "lost")
    run = ActionRun.objects.get()
    carry_out = actions.carry_out

    def stopped_after_three(*given: Any) -> Any:
        yield from carry_out(*given)
        if Device.objects.filter(status=Device.Status.LOST).count() == 3:
            action_runs.stop(run, actor="other")

    monkeypatch.setattr(actions, "carry_out", stopped_after_three)
    work()

    assert Device.objects.filter(status=Device.Status.LOST).count() == 3
    assert "Stopped" in client.get("/admin/logs/actions").content.decode()
    page = client.get(f"/admin/logs/actions/{run.pk}").content.decode()
    assert "Not done" in page
    assert "Waiting" not in page
    assert client.post(f"/admin/logs/actions/{run.pk}/stop").status_code == 302  # it was over before
    assert AuditEntry.objects.filter(action="device.action_stopped").count() == 1


def test_what_takes_long_lets_others_have_their_turn(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.turns.SECONDS", 0.0)
    phones()
    go(signed_in(), "lost")
    Job.enqueue("tests.other")

    work()
    assert Device.objects.filter(status=Device.Status.LOST).count() == 2
    kinds = Job.objects.due(timezone.now()).order_by("run_at").values_list("kind", flat=True)
    assert [kind for kind in kinds if kind in ("tests.other", action_runs.KIND)] == ["tests.other", action_runs.KIND]
    work()
    work()
    work()

    run = ActionRun.objects.get()
    assert (run.done, run.done_at is not None) == (5, True)
    assert not Job.objects.open().filter(kind=action_runs.KIND).exists()


def test_a_worker_that_dies_is_followed_by_one_that_goes_on(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones()
    go(signed_in(), "lost")
    record, seen = actions.BY_KEY["lost"].run, []

    def die(device: Device, order: Order) -> str:
        seen.append(device.pk)
        if len(seen) == 4:
            record(device, order)
            raise KeyboardInterrupt
        return record(device, order)

    monkeypatch.setattr(actions.BY_KEY["lost"], "run", die)
    with pytest.raises(KeyboardInterrupt):
        action_runs.work(ActionRun.objects.get().pk)
    assert Device.objects.filter(status=Device.Status.LOST).count() == 3
    action_runs.work(ActionRun.objects.get().pk)

    run = ActionRun.objects.get()
    assert (run.done, run.skipped) == (5, 0)
    assert seen.count(seen[3]) == 2
    assert len(seen) == 6


def test_one_device_that_fails_keeps_nothing_from_the_next(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, *others = phones()
    others[-1].enrollments.all().delete()
    others[-1].delete()
    go(signed_in(), "comment", 4, comment="x")
    Device.objects.filter(pk=others[0].pk).update(comment="x")
    record = actions.BY_KEY["comment"].run

    def fail(device: Device, order: Order) -> str:
        if device.pk == first.pk:
            raise RuntimeError
        return record(device, order)

    monkeypatch.setattr(actions.BY_KEY["comment"], "run", fail)
    work()

    run = ActionRun.objects.get()
    assert (run.done, run.skipped) == (2, 2)
    assert "an action failed on a device" in caplog.text
    assert "This failed." in run.results.get(device=first.pk).said


def test_a_record_that_is_deleted_is_named_by_its_number(signed_in: SignedIn) -> None:
    (first, *_others) = phones(3, status=Device.Status.RETIRED, mdm_managed=False)
    client = signed_in()
    for device in Device.objects.all():
        device.enrollments.all().delete()
    forget_who(client)
    given = {"all": "1", "matching": "q=phone&retired=1"}
    client.post("/admin/devices/delete-retired", {"go": "1", "number": 3, **given, "password": PASSWORD})
    work()

    assert not Device.objects.exists()
    page = client.get(f"/admin/logs/actions/{ActionRun.objects.get().pk}").content.decode()
    assert f"Record {first.pk}, deleted" in page


@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_was_chosen_for_it_is_there_or_it_comes_to_nothing(signed_in: SignedIn, is_deleted: bool) -> None:  # noqa: FBT001
    phones()
    client, label = signed_in(), labels.create("Sales", actor="test")
    go(client, "apply-label", label=label.pk)
    if is_deleted:
        labels.delete(label, actor="test")
    work()

    run = ActionRun.objects.get()
    assert (run.done, run.refusal) == ((0, "What it was to be done with has been deleted.") if is_deleted else (5, ""))
    assert Label.objects.filter(members__device__device_name="phone 0").exists() != is_deleted


def test_attributes_and_another_user_are_kept_for_the_worker(signed_in: SignedIn) -> None:
    phones()
    client = signed_in()
    room = CustomAttribute.objects.create(subject="device", name="room", kind="text")
    zoe = User.objects.create(user_id="zoe")
    given: dict[str, Any] = {f"attribute_{room.pk}": "B 214"}
    go(client, "assign-attributes", **given)
    go(client, "user", user="zoe")
    work()

    attributes, user = ActionRun.objects.order_by("pk")
    assert (attributes.done, attributes.skipped) == (5, 0)
    assert (user.done, user.skipped) == (0, 5)  # they are enrolled with somebody else
    assert DeviceAttribute.objects.filter(attribute=room, text="B 214").count() == 5
    assert not zoe.devices.exists()


def test_what_was_typed_is_not_readable_in_the_database(signed_in: SignedIn) -> None:
    phones()
    go(signed_in(), "lock", message="Bring me back")

    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "values" FROM {ActionRun._meta.db_table}')
        (stored,) = cursor.fetchone()
    assert b"Bring me back" not in bytes(stored)


def test_sentences_come_in_the_language_of_who_ordered_it(signed_in: SignedIn) -> None:
    phones()
    client = signed_in()
    client.post("/admin/language", {"language": "de", "next": "/admin/devices"})
    go(client, "lost")
    work()

    assert set(ActionResult.objects.values_list("said", flat=True)) == {"Markiert"}


def test_the_progress_is_polled_while_it_runs(signed_in: SignedIn) -> None:
    phones()
    client = signed_in()
    go(client, "lost")
    address = f"/admin/logs/actions/{ActionRun.objects.get().pk}"

    running = client.get(address, headers={"HX-Request": "true"})
    assert "<html" not in running.content.decode()
    assert f'hx-get="{address}"' in running.content.decode()
    work()
    over = client.get(address, headers={"HX-Request": "true"})
    assert over.headers["HX-Refresh"] == "true"
    assert "hx-get" not in over.content.decode()


def test_ordering_costs_the_same_however_many_match(signed_in: SignedIn) -> None:
    counted = []
    client = signed_in()
    ordered = {"all": "1", "matching": "status=ACTIVE", "go": "1", "number": "1", "comment": "x"}
    for number in (3, 9):
        [enrolled(udid=f"{number}.{n}") for n in range(number)]
        settings_store.clear_cache()
        settings_store.read(options.IDLE_MINUTES)
        with CaptureQueriesContext(connection) as queries:
            answer = client.post("/admin/devices/comment", ordered, headers={POLL: "1"})
        assert answer.status_code == 204
        counted.append(len(queries))
    assert counted[0] == counted[1]
    assert ActionResult.objects.count() == 3 + 12


def test_old_ones_are_forgotten_with_their_results(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "AT_ONCE", 2)
    phones()
    go(signed_in(), "lost")
    created = ActionRun.objects.get().created_at

    action_runs.forget(created)
    assert ActionResult.objects.count() == 5
    action_runs.forget(created + timedelta(days=366))
    assert not ActionRun.objects.exists()
    assert not ActionResult.objects.exists()


def test_who_only_looks_stops_nothing(signed_in: SignedIn) -> None:
    phones()
    go(signed_in(), "lost")
    run = ActionRun.objects.get()
    reader = signed_in("reader", roles=[AdminRole.DEVICE_VIEW])

    assert "/stop" not in reader.get(f"/admin/logs/actions/{run.pk}").content.decode()
    assert reader.post(f"/admin/logs/actions/{run.pk}/stop").status_code == 403
