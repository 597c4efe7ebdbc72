"""A profile that a declaration leads to: its address is the secret."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Channel, Declaration, DeclarationAssignment, Device, Enrollment
from devices.services import declarations, declared_profiles
from epmm import rate_limit
from tests.devices.configuration.profiles import PASSWORD, profile
from tests.devices.declarations.rows import announcements, answer_commands, channel, iphone, set_of, synchronize, work

pytestmark = pytest.mark.django_db

LEGACY = "com.apple.configuration.legacy"
PROFILE, OTHER = profile(), profile(edition=2)


@pytest.fixture
def phone() -> Device:
    device = iphone()
    put(PROFILE)
    declarations.assign("wifi", [device], actor="anna")
    work()
    return device


def put(profile: bytes) -> None:
    declarations.put("wifi", LEGACY, profile=profile, actor="anna")


def address(device: Device) -> str:
    """As the device reads it, which is heard of with that."""
    Channel.objects.filter(pk=channel(device).pk).update(last_seen_at=timezone.now())
    return str(synchronize(channel(device))["wifi"]["Payload"]["ProfileURL"])


def wrong(path: str) -> str:
    return path[:-1] + ("0" if path[-1] != "0" else "1")


def test_the_device_finds_its_profile(client: Client, phone: Device) -> None:
    url = address(phone)

    answer = client.get(urlsplit(url).path)

    assert url.startswith("https://mdm.example.test:8443/declarations/profile/")
    assert (answer.status_code, answer.content) == (200, PROFILE)
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/x-apple-aspen-config", "no-store")
    assert client.post(urlsplit(url).path).status_code == 405


def test_each_device_has_an_address_of_its_own_that_stays(phone: Device) -> None:
    other = iphone(udid="other")
    declarations.assign("wifi", [other], actor="anna")
    work()

    assert address(phone) == address(phone) != address(other)


def test_a_changed_profile_is_a_changed_declaration(client: Client, phone: Device) -> None:
    before, token = address(phone), set_of(phone).token
    put(OTHER)
    work()

    after = address(phone)

    assert set_of(phone).token != token
    assert client.get(urlsplit(before).path).status_code == 404
    assert client.get(urlsplit(after).path).content == OTHER


def test_a_guessed_address_leads_nowhere(client: Client, phone: Device) -> None:
    path = urlsplit(address(phone)).path
    other = iphone(udid="other")

    for guess in (
        wrong(path),
        path.replace(f"/{channel(phone).pk}/", f"/{channel(other).pk}/"),
        path.replace(declared_profiles.digest(PROFILE), declared_profiles.digest(OTHER)),
    ):
        assert client.get(guess).status_code == 404
    with override_settings(SECRET_KEY="another"):
        assert client.get(path).status_code == 404


def test_with_another_secret_key_the_daily_refresh_tells_of_another_address(client: Client, phone: Device) -> None:
    """As the manual has it, under "A new secret key"."""
    before = urlsplit(address(phone)).path
    answer_commands()

    with override_settings(SECRET_KEY="another"):
        declarations.refresh_all()
        work()

        assert len(announcements(phone)) == 1
        assert client.get(before).status_code == 404
        assert client.get(urlsplit(address(phone)).path).content == PROFILE


def test_the_address_ends_with_the_enrollment_the_assignment_and_the_contact(client: Client, phone: Device) -> None:
    path = urlsplit(address(phone)).path

    be_silent()
    assert client.get(path).status_code == 404
    address(phone)
    assert client.get(path).status_code == 200
    Enrollment.objects.update(state=Enrollment.State.ENDED)
    assert client.get(path).status_code == 404
    Enrollment.objects.update(state=Enrollment.State.ACTIVE)
    declarations.unassign("wifi", [phone], actor="anna")
    assert client.get(path).status_code == 404


def be_silent() -> None:
    Channel.objects.update(last_seen_at=timezone.now() - declared_profiles.GOOD_FOR - timedelta(minutes=1))


def test_a_device_that_connects_is_in_touch_though_it_reports_nothing(client: Client) -> None:
    """Until iOS 17 and macOS 14 there is no daily report, and a predicate may become true after months."""
    mac = iphone(platform=Device.Platform.MACOS, os_version="13.6", os_version_number=13_006_000, switched_on=False)
    put(PROFILE)
    DeclarationAssignment.objects.create(declaration=Declaration.objects.get(), device=mac, for_users=True)
    path = urlsplit(declared_profiles.url_for(channel(mac, "USER"), declared_profiles.digest(PROFILE))).path
    be_silent()
    assert client.get(path).status_code == 404

    Channel.objects.filter(pk=channel(mac).pk).update(last_seen_at=timezone.now())

    assert client.get(path).status_code == 200, "the Mac speaks for its users"


def test_a_fleet_behind_one_address_gets_its_profile(
    client: Client, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in no time: the limit of one address does not fill again meanwhile."""
    monkeypatch.setattr(rate_limit, "_buckets", rate_limit.Buckets(per_second=0))
    row = Declaration.objects.get()
    paths = []
    for number in range(int(rate_limit.BURST) + 5):
        other = iphone(udid=f"phone {number}", switched_on=False)
        DeclarationAssignment.objects.create(declaration=row, device=other)
        paths.append(urlsplit(declared_profiles.url_for(channel(other), row.profile_sha256)).path)
    Channel.objects.update(last_seen_at=timezone.now())

    assert {client.get(path).status_code for path in paths} == {200}
    assert client.get("/help/enroll").status_code == 200, "and nothing of it is counted against the people there"


def test_who_guesses_is_slowed_down_and_takes_nothing_from_devices(
    client: Client, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_buckets", rate_limit.Buckets(per_second=0, burst=2))
    path = urlsplit(address(phone)).path

    assert [client.get(wrong(path)).status_code for _ in range(3)] == [404, 404, 429]
    assert client.get(path).status_code == 200


def test_a_guess_costs_the_database_nothing_and_a_fetch_two_statements(
    client: Client, phone: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    path = urlsplit(address(phone)).path

    with django_assert_num_queries(0):
        assert client.get(wrong(path)).status_code == 404
    with django_assert_num_queries(2):
        assert client.get(path).status_code == 200


def test_the_profile_is_sealed_in_the_database_and_in_no_declaration(phone: Device) -> None:
    row = Declaration.objects.extra(select={"sealed": "profile"}).get()

    assert PASSWORD.encode() not in bytes(row.sealed)
    assert row.profile is not None
    assert row.payload == {}
