"""Commands and actions, as scripts of our own API order them."""

from typing import Any

import pytest

from devices.action_forms import FORMS
from devices.api.x import orders
from devices.models import ActionRun, Broadcast, Command, Declaration, Device, Enrollment
from devices.services import action_runs, broadcast, labels, seeding
from epmm import options, settings_store
from epmm.models import AuditEntry
from tests.api.conftest import Script, basic, make_caller
from tests.api.x.conftest import X, problem
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
LOCK = {"request_type": "DeviceLock", "payload": {"Message": "Call us."}}
NOBODY = "9b0da853-0000-0000-0000-000000000000"
KEY = "Idempotency-Key"


@pytest.fixture
def phones(script: Script) -> list[str]:
    """Some that are under management."""
    seeding.seed(devices=40, users=5)
    Enrollment.objects.update(unlock_token=b"t")
    Command.objects.all().delete()
    found = Device.objects.filter(status="ACTIVE", platform="iOS", enrollment_type="adde").order_by("pk")
    return [str(uuid) for uuid in found.values_list("uuid", flat=True)]


def without_wiping() -> Script:
    make_caller("helper", set(AdminRole.values) - {AdminRole.DEVICE_WIPE})
    return Script(basic("helper"), base=X)


def test_a_command_is_queued_once_read_and_cancelled(script: Script, phones: list[str]) -> None:
    where = f"devices/{phones[0]}/commands"
    made = script.ask("POST", where, LOCK | {"note": "left in a taxi"}, **{KEY: "one"})
    assert made.status_code == 201
    assert script.ask("POST", where, LOCK | {"note": "left in a taxi"}, **{KEY: "one"}).json() == made.json()
    command = Command.objects.get()
    entry = AuditEntry.objects.filter(action="command.queued").last()
    assert entry is not None
    assert entry.details["note"] == "left in a taxi"

    found = script.get(made["Location"])
    assert (found["state"], found["request"]["Message"], found["answer"]) == ("queued", "Call us.", None)
    [queued] = script.get("commands?request_type=DeviceLock&state=queued")["items"]
    assert (queued["device"], queued["uuid"]) == (phones[0], str(command.uuid))
    assert script.ask("DELETE", made["Location"]).status_code == 204
    problem(script.ask("DELETE", made["Location"]), 422)
    assert script.get(made["Location"])["state"] == "cancelled"
    problem(script.ask("GET", f"{where}/999999"), 404)
    problem(script.ask("GET", f"devices/{phones[1]}/commands/{command.pk}"), 404)


def test_the_history_of_a_device_goes_on_from_table_to_table(
    script: Script, phones: list[str], django_assert_max_num_queries: Any
) -> None:
    where = f"devices/{phones[0]}/commands"
    ids = [script.ask("POST", where, LOCK).json()["id"] for _ in range(5)]
    for number in ids[:3]:
        script.ask("DELETE", f"{where}/{number}")

    place, seen = f"{where}?limit=2", []
    while place:
        with django_assert_max_num_queries(11):
            page = script.get(place)
        seen += [each["id"] for each in page["items"]]
        place = page["next"]
    assert seen == ids[::-1]
    problem(script.ask("GET", f"{where}?cursor=x"), 400)


@pytest.mark.parametrize(
    ("body", "key", "told"),
    [
        ({"request_type": "DeviceLok"}, "command.refused", ""),
        ({"request_type": "DeviceLock", "payload": {"Mesage": "x"}}, "command.refused", "Did you mean Message?"),
        ({"request_type": "InstallProfile", "payload": {"Payload": "x!"}}, "fields.invalid", "#/payload/Payload"),
        ({"request_type": "DeviceLock", "payload": {"Message": None}}, "fields.invalid", "#/payload/Message"),
        ({"request_type": "DeviceLock", "payload": {"Message": "\ud800"}}, "fields.invalid", "#/payload"),
        ({"request_type": "DeviceLock", "payload": {"Message": "a\uffff"}}, "command.refused", "no form as a property"),
        ({"request_type": "Settings", "payload": {"Settings": [{"Item": "Nothing"}]}}, "command.refused", "Nothing"),
        ({"request_type": "EraseDevice", "payload": {}}, "management.ends", ""),
        ({"request_type": "DeviceLock", "user_key": "x"}, "command.refused", "no user x"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_device_does_not_take_is_told(script: Script, phones: list[str], body: Any, key: str, told: str) -> None:
    answer = problem(script.ask("POST", f"devices/{phones[0]}/commands", body), 422)

    assert answer["type"].endswith(f":{key}")
    assert told in str(answer)
    assert not Command.objects.exists()


def test_data_of_a_payload_is_written_in_base64(script: Script, phones: list[str]) -> None:
    body = {
        "request_type": "Settings",
        "payload": {"Settings": [{"Item": "Wallpaper", "Image": "aGFsbG8=", "Where": 1}]},
    }
    answer = script.ask("POST", f"devices/{phones[0]}/commands", body)

    # supervised devices alone take a picture: the reason is told, and it is not the form of the data
    assert "base64" not in answer.content.decode()


def test_a_wipe_needs_its_role_its_word_and_no_other_wipe(script: Script, phones: list[str]) -> None:
    wipe = {"request_type": "EraseDevice", "ends_management": True, "note": "stolen"}
    where = f"devices/{phones[0]}/commands"
    helper = without_wiping()
    problem(helper.ask("POST", where, wipe), 403)
    problem(helper.ask("POST", f"devices/{phones[0]}/actions", {"action": "wipe", "values": {"reason": "x"}}), 403)
    problem(helper.ask("POST", "actions", {"action": "wipe", "devices": phones[:1], "values": {"reason": "x"}}), 403)
    assert not Command.objects.exists()

    assert script.ask("POST", where, wipe).status_code == 201
    entry = AuditEntry.objects.get(action="device.wipe_ordered")
    assert entry.details["reason"] == "stolen"
    assert "pending" in problem(script.ask("POST", where, wipe), 422)["detail"]
    problem(script.ask("POST", "broadcasts", wipe | {"everybody": True}), 422)


@pytest.mark.parametrize(
    ("action", "values", "pointers"),
    [
        ("update-os", {}, ["#/values/by", "#/values/version"]),
        ("update-os", {"version": "soon", "by": "2020-12-01T20:00"}, ["#/values/by", "#/values/version"]),
        (
            "update-os",
            {"version": "18.3", "by": "2036-12-01T20:00", "details_url": "ftp://x"},
            ["#/values/details_url"],
        ),
        ("roaming", {}, ["#/values/switch"]),
        ("roaming", {"switch": "ENABLE_WIFI"}, ["#/values/switch"]),
        ("lock", {"message": "a\uffff"}, []),
        ("lock", {"phone_number": "\ufffe"}, []),
    ],
    ids=str,
)
def test_an_action_without_what_it_needs_does_nothing(
    script: Script, phones: list[str], action: str, values: Any, pointers: list[str]
) -> None:
    asked = {"action": action, "values": values}
    told = problem(script.ask("POST", f"devices/{phones[0]}/actions", asked), 422)

    assert sorted(each["pointer"] for each in told.get("errors", [])) == pointers
    if pointers:
        problem(script.ask("POST", "actions", asked | {"devices": phones[:1]}), 422)
    assert not ActionRun.objects.exists()
    assert not Command.objects.exists()


def test_systems_are_updated_and_settings_switched(script: Script, phones: list[str]) -> None:
    Device.objects.update(os_version="18.2")
    where = f"devices/{phones[0]}/actions"
    update = {"version": "18.3", "by": "2036-12-01T20:00", "details_url": "https://example.com"}
    assert script.ask("POST", where, {"action": "update-os", "values": update}).status_code == 200
    [declared] = Declaration.objects.all()
    assert declared.payload["TargetLocalDateTime"] == "2036-12-01T20:00:00"
    assert declared.payload["DetailsURL"] == "https://example.com"

    assert (
        script.ask("POST", where, {"action": "roaming", "values": {"switch": "DISABLE_DATA_ROAMING"}}).status_code
        == 200
    )
    [_found] = script.get("commands?request_type=Settings")["items"]


def test_the_actions_ask_for_what_the_portal_asks_for() -> None:
    """But for what is typed there to confirm it."""
    for key, form in FORMS.items():
        typed = set(form.base_fields) - {"typed"}
        asked = set(orders.VALUES[key]().fields) if key in orders.VALUES else set()
        assert asked == typed, key


def test_an_action_on_one_device_is_done_or_refused_with_its_reason(script: Script, phones: list[str]) -> None:
    where = f"devices/{phones[0]}/actions"
    assert script.ask("POST", where, {"action": "ownership", "values": {"owner": "EMPLOYEE"}}).json() == {
        "action": "ownership", "said": "Changed",
    }  # fmt: skip
    again = problem(script.ask("POST", where, {"action": "ownership", "values": {"owner": "EMPLOYEE"}}), 422)
    assert again["type"].endswith(":action.refused")
    told = problem(script.ask("POST", where, {"action": "lock", "values": {"pin": "12"}}), 422)
    assert [each["pointer"] for each in told["errors"]] == ["#/values/pin"]
    problem(script.ask("POST", where, {"action": "lock", "values": {"nonsense": 1}}), 422)
    problem(script.ask("POST", where, {"action": "nonsense"}), 422)
    problem(script.ask("POST", f"devices/{NOBODY}/actions", {"action": "lock"}), 404)


def test_many_are_acted_on_watched_and_stopped(
    script: Script, phones: list[str], django_assert_max_num_queries: Any
) -> None:
    label = labels.create("Pilot", actor="test")
    body = {"action": "apply-label", "values": {"label": label.pk}, "query": 'common.platform = "iOS"'}
    begun = script.ask("POST", "actions", body, **{KEY: "one"})
    assert begun.status_code == 202
    script.ask("POST", "actions", body, **{KEY: "one"})
    run = ActionRun.objects.get()
    assert begun.json()["number"] == Device.objects.filter(platform="iOS").exclude(status="RETIRED").count()

    action_runs.work(run.pk)
    done = script.get(begun["Location"])
    assert (done["state"], done["done"] + done["skipped"]) == ("done", done["number"])
    with django_assert_max_num_queries(10):
        results = script.get(f"actions/{run.pk}/results?limit=200")["items"]
    assert len(results) == done["number"]
    assert label.members.count() == done["done"]

    second = script.ask("POST", "actions", {"action": "comment", "values": {"comment": "x"}, "label": label.pk})
    stopped = script.ask("POST", f"{second['Location']}/stop").json()
    assert stopped["state"] == "stopped"
    assert [each["action"] for each in script.get("actions")["items"]] == ["comment", "apply-label"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"query": "", "number": 1}, 409), ({"query": ""}, 422), ({}, 422), ({"label": 4711, "number": 1}, 422),
        ({"devices": [NOBODY]}, 422), ({"devices": [NOBODY], "query": ""}, 422), ({"query": "(", "number": 1}, 400),
    ],
    ids=str,
)  # fmt: skip
def test_what_destroys_goes_to_as_many_as_somebody_agreed_to(
    script: Script, phones: list[str], change: Any, status: int
) -> None:
    problem(script.ask("POST", "actions", {"action": "retire"} | change), status)
    assert not ActionRun.objects.exists()


def test_more_wipes_than_are_allowed_are_refused_together(script: Script, phones: list[str]) -> None:
    settings_store.change(options.API_WIPE_LIMIT.name, "1", actor="test")
    body = {"action": "wipe", "values": {"reason": "x"}, "devices": phones[:2]}
    assert "at most 1" in problem(script.ask("POST", "actions", body), 400)["detail"]
    assert not ActionRun.objects.exists()

    assert script.ask("POST", "actions", body | {"devices": phones[:1]}).json()["number"] == 1


def test_one_command_to_many_by_expression_or_label(
    script: Script, phones: list[str], django_assert_max_num_queries: Any
) -> None:
    label = labels.create("Pilot", actor="test")
    for device in Device.objects.filter(uuid__in=phones[:3]):
        labels.add(label, device, actor="test")
    body = {"request_type": "DeviceInformation", "label": label.pk, "query": 'common.platform = "iOS"'}
    begun = script.ask("POST", "broadcasts", body, **{KEY: "one"})
    assert begun.status_code == 202
    row = Broadcast.objects.get()
    broadcast.work(row.pk)

    found = script.get(begun["Location"])["progress"]
    assert (found["queued"], found["open"], found["is_complete"]) == (3, 3, True)
    called_back = script.ask("POST", f"broadcasts/{row.uuid}/cancel").json()
    assert called_back["cancelled_at"] is not None
    broadcast.call_back(row.pk)
    script.ask("POST", "broadcasts", {"request_type": "ProfileList", "devices": phones[:2]})
    with django_assert_max_num_queries(11) as captured:
        assert [each["progress"]["open"] for each in script.get("broadcasts")["items"]] == [0, 0]
    assert not [asked["sql"] for asked in captured if '"selection"' in asked["sql"]]


def test_a_label_that_is_deleted_meanwhile_means_nobody(script: Script, phones: list[str]) -> None:
    label = labels.create("Pilot", actor="test")
    script.ask("POST", "broadcasts", {"request_type": "ProfileList", "label": label.pk})
    labels.delete(label, actor="test")
    broadcast.work(Broadcast.objects.get().pk)

    assert not Command.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"request_type": "ProfileList"}, 422),
        ({"request_type": "ProfileList", "query": "("}, 400),
        ({"request_type": "ProfileList", "label": 4711}, 422),
        ({"request_type": "ProfileList", "devices": [NOBODY]}, 422),
        ({"request_type": "ClearPasscode", "everybody": True}, 422),
        ({"request_type": "DeviceInfomation", "everybody": True}, 422),
        ({"request_type": "DeviceLock", "everybody": True, "payload": {"Mesage": "x"}}, 422),
        ({"request_type": "RemoveProfile", "everybody": True, "payload": {"Identifier": "x"}}, 422),
        ({"request_type": "DeviceLock", "everybody": True, "payload": {"Message": "a\ufffe"}}, 422),
        ({"request_type": "ProfileList", "user_id": "nobody"}, 422),
    ],
    ids=str,
)
def test_a_broadcast_that_is_not_right_is_not_begun(script: Script, body: Any, status: int) -> None:
    problem(script.ask("POST", "broadcasts", body), status)
    assert not Broadcast.objects.exists()
