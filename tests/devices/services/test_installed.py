import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Enrollment, InstalledApplication, InstalledCertificate, InstalledProfile
from devices.services import installed, results
from tests.devices.services.rows import answered, channel_of, command, device_of, enrolled
from tests.devices.services.test_reading import certificate

pytestmark = pytest.mark.django_db


def application(number: int, **keys: Any) -> dict[str, Any]:
    return {"Identifier": f"com.example.app{number}", "Name": f"App {number}", "BundleSize": number, **keys}


def told(enrollment: Enrollment, request_type: str, items: list[Any]) -> None:
    keys: dict[str, Any] = {request_type: items}
    answered(command(channel_of(enrollment), request_type), **keys)
    results.read_results()


def test_each_answer_is_the_whole_set() -> None:
    enrollment = enrolled()
    told(enrollment, "InstalledApplicationList", [application(1), application(2), application(2)])
    told(enrollment, "InstalledApplicationList", [application(2), application(3, IsValidated=True)])

    stored = device_of(enrollment).applications.order_by("identifier")
    assert list(stored.values_list("identifier", "name", "bundle_size", "details")) == [
        ("com.example.app2", "App 2", 2, {}),
        ("com.example.app3", "App 3", 3, {"IsValidated": True}),
    ]


def test_only_what_differs_is_written() -> None:
    enrollment = enrolled()
    told(enrollment, "InstalledApplicationList", [application(1), application(2, Installing=False)])
    before = dict(InstalledApplication.objects.values_list("identifier", "pk"))

    told(enrollment, "InstalledApplicationList", [application(1), application(2, Installing=True)])

    after = dict(InstalledApplication.objects.values_list("identifier", "pk"))
    assert after["com.example.app1"] == before["com.example.app1"]
    assert after["com.example.app2"] != before["com.example.app2"]


def test_the_same_answer_again_writes_no_row() -> None:
    enrollment = enrolled()
    apps = [application(number) for number in range(5)]
    told(enrollment, "InstalledApplicationList", apps)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        told(enrollment, "InstalledApplicationList", apps)

    writes = [query["sql"] for query in queries if "installedapplication" in query["sql"]]
    assert [sql.split()[0] for sql in writes] == ["SELECT"]


def statements(enrollment: Enrollment, apps: list[dict[str, Any]]) -> int:
    answered(command(channel_of(enrollment), "InstalledApplicationList"), InstalledApplicationList=apps)
    with CaptureQueriesContext(connection) as queries:
        assert results.read_results() == 1
    return len(queries)


def test_the_number_of_statements_does_not_grow_with_the_applications() -> None:
    few, many = enrolled(), enrolled(udid="another")
    counts = [
        [statements(enrollment, [application(n + shift) for n in range(size)]) for shift in (0, size // 2)]
        for enrollment, size in ((few, 4), (many, 100))
    ]

    assert counts[0] == counts[1]


def test_a_set_that_is_new_throughout_replaces_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "MANY", 3)
    enrollment, another = enrolled(), enrolled(udid="another")
    told(another, "InstalledApplicationList", [application(1)])
    told(enrollment, "InstalledApplicationList", [application(n) for n in range(6)])

    told(enrollment, "InstalledApplicationList", [application(n) for n in range(5, 8)])

    stored = device_of(enrollment).applications.values_list("bundle_size", flat=True)
    assert set(stored) == {5, 6, 7}
    assert device_of(another).applications.count() == 1


def test_an_empty_or_missing_list_empties_the_table() -> None:
    enrollment = enrolled()
    told(enrollment, "ProfileList", [{"PayloadIdentifier": "a"}])
    assert InstalledProfile.objects.exists()

    told(enrollment, "ProfileList", [])

    assert not InstalledProfile.objects.exists()


def test_profiles() -> None:
    enrollment = enrolled()
    told(
        enrollment,
        "ProfileList",
        [
            {
                "PayloadIdentifier": "a",
                "PayloadUUID": "u",
                "PayloadDisplayName": "A",
                "IsManaged": True,
                "IsEncrypted": False,
            }
        ],
    )

    stored = InstalledProfile.objects.get()
    assert (stored.device, stored.identifier, stored.profile_uuid) == (enrollment.device, "a", "u")
    assert (stored.display_name, stored.is_managed, stored.details) == ("A", True, {"IsEncrypted": False})


def test_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = enrolled(platform=Device.Platform.MACOS)
    not_after = datetime(2027, 1, 1, tzinfo=UTC)
    der = certificate(not_after)
    identity = {"CommonName": "MDM", "IsIdentity": True, "Data": der}
    told(enrollment, "CertificateList", [identity])

    monkeypatch.delattr("devices.protocol.installed.expiry")  # known ones are not parsed again
    told(enrollment, "CertificateList", [identity])
    monkeypatch.undo()
    told(enrollment, "CertificateList", [identity, {"CommonName": "odd", "Data": b"?"}])

    odd, stored = InstalledCertificate.objects.order_by("-common_name")
    assert (stored.common_name, stored.is_identity, stored.not_after) == ("MDM", True, not_after)
    assert (stored.sha256, bytes(stored.der)) == (hashlib.sha256(der).hexdigest(), der)
    assert (odd.common_name, odd.is_identity, odd.not_after) == ("odd", False, None)
