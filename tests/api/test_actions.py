"""What connectors order: actions on devices (specification of the REST API, 4.4)."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from devices.api.actions import KNOWN
from devices.models import Command, Device, Enrollment
from devices.services import seeding
from epmm import mail_options, options, settings_store
from epmm.models import AuditEntry, Mail
from tests.api.conftest import Script, basic, make_caller
from users.models import AdminRole
from users.services import administrators, api_tokens, people

pytestmark = pytest.mark.django_db(transaction=True)
SUCCESSFUL, FAILED, NOT_FOUND, NOT_SUPPORTED = (
    f"com.mobileiron.vsp.messages.device.action.{word}"
    for word in ("successful", "failed", "not.found", "not.supported")
)
NOBODY = "9b0da853-0000-0000-0000-000000000000"


@pytest.fixture
def phones(script: Script) -> list[str]:
    """Some that are under management."""
    seeding.seed(devices=40, users=5)
    Enrollment.objects.update(unlock_token=b"t")
    found = Device.objects.filter(status="ACTIVE", platform="iOS", enrollment_type="adde").order_by("pk")
    return [str(uuid) for uuid in found.values_list("uuid", flat=True)]


def order(script: Script, name: str, uuids: list[str], **more: Any) -> Any:
    response = script.ask(
        "POST", f"devices/action?adminDeviceSpaceId=1&actionType={name}", {"deviceUuids": uuids, **more}
    )
    assert response.status_code == 200, response.content
    return response.json()


def types() -> list[str]:
    return list(Command.objects.order_by("pk").values_list("request_type", flat=True))


def test_the_example_of_the_specification(script: Script, phones: list[str]) -> None:
    before = len(types())

    assert order(script, "UNLOCK_DEVICE_ONLY", phones[:2], note="lost the code") == {
        "actionType": "UNLOCK_DEVICE_ONLY",
        "deviceResults": {phones[0]: SUCCESSFUL, phones[1]: SUCCESSFUL},
        "successful": True,
    }
    assert types()[before:] == ["ClearPasscode", "ClearPasscode"]
    entry = AuditEntry.objects.filter(action="command.queued").last()
    assert entry is not None
    assert (entry.actor, entry.details["note"]) == ("script", "lost the code")


@pytest.mark.parametrize(
    ("name", "request_type"),
    [("LOCK_DEVICE", "DeviceLock"), ("RETIRE", "RemoveProfile"), ("WIPE_DEVICE", "EraseDevice"),
     ("UNLOCK_DEVICE_ONLY", "ClearPasscode"), ("ENABLE_VOICE_ROAMING", "Settings"),
     ("DISABLE_VOICE_ROAMING", "Settings"), ("ENABLE_DATA_ROAMING", "Settings"), ("disable_data_roaming", "Settings"),
     ("ENABLE_PERSONAL_HOTSPOT", "Settings"), ("DISABLE_PERSONAL_HOTSPOT", "Settings")],
)  # fmt: skip
def test_each_action_is_the_command_it_is_in_the_portal(
    script: Script, phones: list[str], name: str, request_type: str
) -> None:
    before = len(types())

    assert order(script, name, phones[:1])["successful"] is True
    assert types()[before:] == [request_type]


def test_the_system_of_a_mac_is_updated_to_the_newest_that_it_has_named(script: Script, phones: list[str]) -> None:
    mac = Device.objects.filter(status="ACTIVE", platform="macOS", enrollment_type="adde").earliest("pk")
    for version in ("15.10", "15.9"):
        mac.available_updates.create(product_key=version, version=version)

    assert order(script, "UPDATE_OS", [str(mac.uuid)])["successful"] is True
    command = Command.objects.latest("pk")
    assert (command.request_type, b"15.10" in bytes(command.payload.rendered)) == ("ScheduleOSUpdate", True)


def test_each_action_needs_its_role(script: Script, phones: list[str]) -> None:
    """All the others are not enough."""
    roles, person, callers = set(AdminRole.values) - {AdminRole.API}, people.by_user_id("script"), {}
    for name, known in KNOWN.items():
        if known.action is None:
            continue
        if (role := known.action.role) not in callers:
            _row, token = api_tokens.create(person, name=role, scopes=roles - {role}, days=1, actor="test")
            callers[role] = Script(f"Bearer {token}")
        body = {"deviceUuids": phones[:1]}
        assert callers[role].ask("POST", f"devices/action?actionType={name}", body).status_code == 403, name
    assert types() == []


@pytest.mark.parametrize("mode", ["pns", "sms"])
@pytest.mark.parametrize("name", ["LOCATE", "UNLOCK_APP_CONNECT_CONTAINER", "SEND_MESSAGE"])
def test_what_no_device_here_can_do(script: Script, phones: list[str], name: str, mode: str) -> None:
    more = {"additionalParameters": {"message": "Hello", "mode": mode, "subject": ""}}

    told = order(script, name, phones[:1], **more)
    assert (told["deviceResults"], told["successful"]) == ({phones[0]: NOT_SUPPORTED}, False)


def test_one_devices_refusal_keeps_nothing_from_the_others(script: Script, phones: list[str]) -> None:
    Device.objects.filter(uuid=phones[0]).update(status="RETIRED")
    told = order(script, "LOCK_DEVICE", [phones[0], NOBODY, phones[1].upper(), "nonsense"])

    assert told["successful"] is False
    assert told["deviceResults"] == {
        phones[0]: FAILED, NOBODY: NOT_FOUND, phones[1].upper(): SUCCESSFUL, "nonsense": NOT_FOUND,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["retire", "lock", "unlock"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_all_in_the_address_and_no_body(script: Script, phones: list[str], path: str, method: str) -> None:
    """One client sends everything as query parameters, with no content type."""
    query = urlencode([("adminDeviceSpaceId", 1), *(("deviceUuids", uuid) for uuid in phones[:2]), ("note", "x")])
    response = script.ask(method, f"devices/{path}/?{query}", content_type="")

    assert response.status_code == 200
    assert response.json()["deviceResults"] == {phones[0]: SUCCESSFUL, phones[1]: SUCCESSFUL}


def test_the_body_goes_before_the_address(script: Script, phones: list[str]) -> None:
    where = f"devices/lock?adminDeviceSpaceId=1&deviceUuids={phones[0]}"
    told = script.ask("PUT", where, {"deviceUuids": [phones[1]], "actionType": "LOCK_DEVICE"}).json()

    assert list(told["deviceResults"]) == [phones[1]]


def test_waking_without_a_push_certificate_fails_for_each(script: Script, phones: list[str]) -> None:
    told = script.ask("PUT", "devices/wakeup?adminDeviceSpaceId=1", {"deviceUuids": phones[:1]}).json()

    assert (told["actionType"], told["deviceResults"]) == ("WAKE_UP", {phones[0]: FAILED})
    assert "certificate" in told["messages"][0]["localizedMessage"]


def test_a_message_by_mail_and_a_change_of_owner(script: Script, phones: list[str]) -> None:
    settings_store.change(mail_options.HOST.name, "mail.example.test", actor="test")
    settings_store.change(mail_options.FROM.name, "mdm@example.test", actor="test")
    letter = {"additionalParameters": {"message": "Hello", "mode": "email", "subject": "News"}}

    assert order(script, "SEND_MESSAGE", phones[:1], **letter)["successful"] is True
    assert Mail.objects.count() == 1
    owner = Device.objects.get(uuid=phones[0]).owner
    other = "EMPLOYEE" if owner == "COMPANY" else "COMPANY"
    assert order(script, "CHANGE_OWNERSHIP", phones[:1], additionalParameters={"owner": other})["successful"] is True
    assert Device.objects.get(uuid=phones[0]).owner == other


@pytest.mark.parametrize(
    ("query", "body"),
    [("actionType=FLY", {"deviceUuids": [NOBODY]}), ("", {"deviceUuids": [NOBODY]}), ("actionType=RETIRE", {}),
     ("actionType=RETIRE", {"deviceUuids": [[]]}), ("actionType=RETIRE", {"deviceUuids": [NOBODY], "note": {}}),
     ("actionType=RETIRE", b"[1]"), ("actionType=RETIRE", b'{"deviceUuids": ["x'),
     ("actionType=RETIRE", b'{"deviceUuids": "\\ud800"}'), ("actionType=RETIRE", b"[" * 90_000),
     ("actionType=CHANGE_OWNERSHIP", {"deviceUuids": [NOBODY], "additionalParameters": {"owner": "ME"}}),
     ("actionType=RETIRE", {"deviceUuids": [f"{n}" for n in range(1001)]})],
)  # fmt: skip
def test_what_is_no_order_changes_nothing(script: Script, phones: list[str], query: str, body: Any) -> None:
    before = len(types())
    response = script.ask("POST", f"devices/action?{query}", body)

    assert response.status_code == 400, response.content
    assert response.json()["messages"][0]["type"] == "Error"
    assert len(types()) == before


def test_a_body_too_large_is_refused(script: Script) -> None:
    assert script.ask("POST", "devices/action?actionType=RETIRE", b" " * 300_000).status_code == 413


def test_wiping_is_limited_and_needs_its_role(script: Script, phones: list[str]) -> None:
    settings_store.change(options.API_WIPE_LIMIT.name, "1", actor="test")
    for where in ("devices/wipe?adminDeviceSpaceId=1", "devices/action?actionType=WIPE_DEVICE"):
        method = "PUT" if "wipe?" in where else "POST"
        assert script.ask(method, where, {"deviceUuids": phones[:2]}).status_code == 400
        make_caller(f"other{method}", [AdminRole.API, AdminRole.DEVICE_VIEW, AdminRole.DEVICE_MANAGE])
        assert Script(basic(f"other{method}")).ask(method, where, {"deviceUuids": phones[:1]}).status_code == 403
    user = people.by_user_id("script")
    _row, token = api_tokens.create(user, name="n", scopes=[AdminRole.DEVICE_MANAGE], days=1, actor="script")
    scoped = Script(f"Bearer {token}")
    assert scoped.ask("PUT", "devices/wipe", {"deviceUuids": phones[:1]}).status_code == 403
    assert scoped.ask("PUT", "devices/lock", {"deviceUuids": phones[:1]}).status_code == 200
    assert "EraseDevice" not in types()


def test_what_the_gdpr_profile_keeps_from_the_portal_it_keeps_from_scripts(script: Script, phones: list[str]) -> None:
    settings_store.change(options.HIDDEN_FIELDS.name, "email", actor="test")
    administrators.set_gdpr_profile(people.by_user_id("script"), hides=True, actor="test")
    body = {"deviceUuids": phones[:1], "additionalParameters": {"message": "x", "mode": "email"}}

    assert script.ask("POST", "devices/action?actionType=SEND_MESSAGE", body).status_code == 403
    assert script.ask("POST", "devices/action?actionType=LOCK_DEVICE", body).status_code == 200


def test_what_is_typed_for_a_device_is_not_audited(script: Script, phones: list[str]) -> None:
    order(script, "LOCK_DEVICE", phones[:1], additionalParameters={"message": "call Mia", "pin": "482916"})

    told = json.dumps(list(AuditEntry.objects.values_list("details", flat=True)))
    assert "482916" not in told
    assert "call Mia" not in told
    assert phones[0] in told
