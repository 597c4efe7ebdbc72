"""Labels, configurations, declarations and certificates, as scripts see to them."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from devices.models import (
    Configuration,
    ConfigurationAssignment,
    Declaration,
    DeclarationAssignment,
    Device,
    Identity,
)
from devices.services import configuration_plan, labels, seeding
from epmm.models import AuditEntry
from tests.api.conftest import Script, basic, make_caller
from tests.api.x.conftest import X, problem
from tests.devices.configuration.profiles import IDENTIFIER, profile
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = "9b0da853-0000-0000-0000-000000000000"
PASSCODE = "com.apple.configuration.passcode.settings"
LEGACY = "com.apple.configuration.legacy"
KEY = "Idempotency-Key"


@pytest.fixture
def phones(script: Script) -> list[str]:
    """Some that are under management."""
    seeding.seed(devices=40, users=5)
    found = Device.objects.filter(status="ACTIVE", platform="iOS", enrollment_type="adde").order_by("pk")
    return [str(uuid) for uuid in found.values_list("uuid", flat=True)]


def upload(
    script: Script, where: str = "configurations", raw: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Any:
    return script.ask("POST", where, {"profile": b64encode(raw or profile()).decode()}, **(headers or {}))


def test_labels_are_made_edited_by_who_has_read_them_and_deleted(script: Script, phones: list[str]) -> None:
    made = script.ask("POST", "labels", {"name": "My phones", "criteria": 'common.platform = "iOS"'}, **{KEY: "one"})
    assert made.status_code == 201
    assert script.ask("POST", "labels", {"name": "My phones", "criteria": 'common.platform = "iOS"'}, **{KEY: "one"})[
        "Idempotency-Replayed"
    ]
    problem(script.ask("POST", "labels", {"name": "my Phones"}), 422)
    problem(script.ask("POST", "labels", {"name": "x", "criteria": "("}), 422)
    where = made["Location"]
    assert script.get(where)["device_count"] == Device.objects.filter(platform="iOS").count()

    problem(script.ask("PATCH", where, {"name": "x"}), 428)
    changed = script.ask("PATCH", where, {"criteria": 'common.platform = "macOS"'}, **{"If-Match": made["ETag"]})
    assert (changed.json()["name"], changed.json()["criteria"]) == ("My phones", 'common.platform = "macOS"')
    problem(script.ask("PATCH", where, {"name": "x"}, **{"If-Match": made["ETag"]}), 412)
    shown = script.get(where + "/devices?limit=200")["items"]
    assert {each["platform"] for each in shown} == {"macOS"}
    assert [each["name"] for each in script.get("labels?q=Y%20PHONES&kind=filter")["items"]] == ["My phones"]
    assert script.ask("DELETE", where, **{"If-Match": changed["ETag"]}).status_code == 204
    problem(script.ask("GET", where), 404)


def test_devices_come_to_manual_labels_and_go(script: Script, phones: list[str]) -> None:
    label = labels.create("Pilot", actor="test")
    where = f"labels/{label.pk}/devices"
    added = script.ask("POST", f"{where}/add", {"devices": phones[:2]}).json()["items"]
    assert [(each["device"], each["done"]) for each in added] == [(phones[0], True), (phones[1], True)]
    again = script.ask("POST", f"{where}/add", {"devices": phones[1:3]}).json()["items"]
    assert [each["done"] for each in again] == [False, True]
    told = problem(script.ask("POST", f"{where}/add", {"devices": [phones[3], NOBODY]}), 422)
    assert [each["pointer"] for each in told["errors"]] == ["#/devices/1"]
    assert script.ask("POST", f"{where}/remove", {"devices": phones[:2]}).status_code == 200
    assert [each["uuid"] for each in script.get(where)["items"]] == phones[2:3]
    assert "Pilot" in script.get(f"devices/{phones[2]}")["labels"]
    problem(script.ask("PATCH", f"labels/{label.pk}", {"criteria": "retired=false"}, **{"If-Match": "*"}), 422)


def test_a_configuration_is_uploaded_assigned_followed_and_removed(
    script: Script, phones: list[str], django_assert_max_num_queries: Any
) -> None:
    made = upload(script, headers={KEY: "one"})
    assert made.status_code == 201, made.content
    assert upload(script, headers={KEY: "one"}).json() == made.json()
    where = made["Location"]
    found = script.get(where)
    assert (found["identifier"], found["version"], found["versions"][0]["uploaded_by"]) == (IDENTIFIER, 1, "script")
    problem(upload(script), 409)
    edition, seen = profile(edition=2), {"If-Match": made["ETag"]}
    problem(upload(script, f"{where}/versions", edition), 428)
    second = upload(script, f"{where}/versions", edition, seen | {KEY: "two"})
    assert second.json()["version"] == 2
    problem(upload(script, f"{where}/versions", profile(edition=3), seen), 412)
    assert script.get(where) == upload(script, f"{where}/versions", edition, seen | {KEY: "two"}).json()
    assert script.ask("GET", where)["ETag"] == second["ETag"]
    other = profile(identifier="com.example.other")
    problem(upload(script, f"{where}/versions", other, {"If-Match": second["ETag"]}), 422)
    assert not Configuration.objects.filter(identifier="com.example.other").exists()

    label = labels.create("Pilot", actor="test")
    by_label = script.ask("POST", f"{where}/assignments", {"label": label.pk})
    by_device = script.ask("POST", f"{where}/assignments", {"device": phones[0]})
    assert (by_label.json()["label_name"], by_device.json()["device"]) == ("Pilot", phones[0])
    for wrong in ({}, {"label": 4711}, {"device": NOBODY}, {"label": label.pk, "device": phones[0]}):
        problem(script.ask("POST", f"{where}/assignments", wrong), 422)
    configuration_plan.plan_device(Device.objects.get(uuid=phones[0]).pk)
    with django_assert_max_num_queries(10):
        [delivery] = script.get(f"{where}/devices?state=PENDING")["items"]
    assert (delivery["device"], delivery["wanted_version"]) == (phones[0], 2)
    assert script.get(f"devices/{phones[0]}/configurations")["items"] == [delivery]
    with django_assert_max_num_queries(10):
        [listed] = script.get("configurations")["items"]
    assert (listed["assignment_count"], listed["states"]) == (2, {"PENDING": 1})

    problem(script.ask("GET", by_label["Location"].replace(where, f"{X}configurations/{2**70}")), 404)
    assert script.ask("DELETE", by_label["Location"]).status_code == 204
    assert ConfigurationAssignment.objects.count() == 1
    problem(script.ask("DELETE", where), 428)
    problem(script.ask("DELETE", where, **{"If-Match": made["ETag"]}), 412)
    assert script.ask("DELETE", where, **{"If-Match": second["ETag"]}).status_code == 204
    assert script.get(where)["removed_at"] is not None
    problem(upload(script, f"{where}/versions", profile(edition=4), {"If-Match": "*"}), 404)
    assert script.get(where)["removed_at"] is not None


def test_a_profile_may_be_larger_than_other_bodies_and_not_without_end(script: Script) -> None:
    large = {
        "PayloadType": "com.apple.webClip.managed",
        "URL": "https://example.com",
        "Label": "x",
        "Icon": b"x" * 300_000,
    }
    assert upload(script, raw=profile(large)).status_code in (201, 422)
    problem(upload(script, raw=b"x" * (2 << 20)), 413)
    problem(script.ask("POST", "configurations", {"profile": "no base64!"}), 422)
    problem(upload(script, raw=b"no profile"), 422)
    problem(script.ask("POST", "labels", {"name": "x" * 300_000}), 413)


def test_who_may_look_at_configurations_changes_none(script: Script) -> None:
    make_caller("viewer", [AdminRole.API, AdminRole.CONFIGURATION_VIEW])
    viewer = Script(basic("viewer"), base=X)
    script.ask("POST", "declarations", {"identifier": "code", "type": PASSCODE, "payload": {"MinimumLength": 6}})

    problem(upload(viewer), 403)
    assert viewer.get("declarations/code")["payload"] is None
    problem(viewer.ask("DELETE", "declarations/code", **{"If-Match": "*"}), 403)


def test_a_declaration_is_made_changed_assigned_and_removed(
    script: Script, phones: list[str], django_assert_max_num_queries: Any
) -> None:
    new = {"identifier": "code", "type": PASSCODE, "payload": {"MinimumLength": 6}}
    made = script.ask("POST", "declarations", new, **{KEY: "one"})
    assert made.status_code == 201, made.content
    assert script.ask("POST", "declarations", new, **{KEY: "one"}).json() == made.json()
    where = made["Location"]
    problem(script.ask("POST", "declarations", new), 409)
    problem(script.ask("POST", "declarations", new | {"identifier": "a b"}), 422)
    problem(script.ask("PATCH", where, {"payload": {"MinimumLength": 8}}), 428)
    problem(script.ask("PATCH", where, {"profile": "YWJj"}, **{"If-Match": "*"}), 422)
    for odd in ({"profile": "YWJj"}, {"type": LEGACY, "profile": b64encode(profile()).decode()}):
        problem(script.ask("POST", "declarations", new | {"identifier": "odd"} | odd), 422)
    problem(script.ask("PATCH", where, {"payload": {"Nonsense": 8}}, **{"If-Match": "*"}), 422)
    changed = script.ask("PATCH", where, {"payload": {"MinimumLength": 8}}, **{"If-Match": made["ETag"]})
    assert changed.json()["payload"] == {"MinimumLength": 8}
    problem(script.ask("PATCH", where, {"payload": {"MinimumLength": 9}}, **{"If-Match": made["ETag"]}), 412)

    assert script.ask("POST", f"{where}/assignments", {"devices": phones[:2]}).json() == {"assigned": 2}
    problem(script.ask("POST", f"{where}/assignments", {"devices": [NOBODY]}), 422)
    with django_assert_max_num_queries(10):
        assert [each["device"] for each in script.get(f"{where}/assignments")["items"]] == phones[:2]
    assert script.get(f"{where}/devices")["items"] == []  # nobody has said anything yet
    assert script.get(f"devices/{phones[0]}/declarations")["items"][0]["switched_on"] is False
    assert script.ask("DELETE", f"{where}/assignments/{phones[0]}").status_code == 204
    problem(script.ask("DELETE", f"{where}/assignments/{phones[0]}"), 404)
    assert DeclarationAssignment.objects.count() == 1
    assert script.ask("DELETE", where, **{"If-Match": changed["ETag"]}).status_code == 204
    assert Declaration.objects.get().removed_at is not None
    problem(script.ask("DELETE", where, **{"If-Match": "*"}), 422)


def test_certificates_are_found_and_revoked(
    script: Script, phones: list[str], django_assert_max_num_queries: Any
) -> None:
    script.get("devices/count")
    with django_assert_max_num_queries(9):
        page = script.get("certificates?state=current&sort=not_after&limit=200")["items"]
    assert [each["not_after"] for each in page] == sorted(each["not_after"] for each in page)
    problem(script.ask("GET", "certificates?sort=not_after"), 400)
    [own] = script.get(f"certificates?device={phones[0]}&state=current")["items"]
    where = f"certificates/{own['id']}"

    told = problem(script.ask("POST", f"{where}/revoke", {}), 422)
    assert "management" in told["detail"]
    body = {"ends_management": True, "note": "stolen"}
    assert script.ask("POST", f"{where}/revoke", body, **{KEY: "one"}).json()["state"] == "revoked"
    assert script.ask("POST", f"{where}/revoke", body, **{KEY: "one"}).status_code == 200
    problem(script.ask("POST", f"{where}/revoke", body), 422)
    assert Device.objects.get(uuid=phones[0]).status == "RETIRED"
    entry = AuditEntry.objects.get(action="certificate.revoked")
    assert (entry.subject, entry.details["note"]) == (phones[0], "stolen")


def test_a_certificate_that_nobody_uses_ends_nothing(script: Script, phones: list[str]) -> None:
    identity = Identity.objects.filter(enrollment__device__uuid=phones[0], state=Identity.State.CURRENT).get()
    Identity.objects.filter(pk=identity.pk).update(state=Identity.State.REPLACED)

    assert script.ask("POST", f"certificates/{identity.pk}/revoke", {}).status_code == 200
    assert Device.objects.get(uuid=phones[0]).status == "ACTIVE"
