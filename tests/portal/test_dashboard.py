"""The Dashboard."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Enrollment, Identity
from enrollment.models import Attempt
from enrollment.services import authorities, charts, overview
from enrollment.services.overview import Day
from epmm import settings_store
from epmm.models import Heartbeat
from epmm.templatetags.portal import duration
from tests import factories
from tests.devices.services import rows
from tests.portal.conftest import SignedIn
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
DASHBOARD = "/admin/dashboard"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """What a process remembers belongs to the test before."""
    settings_store.clear_cache()
    authorities.forget_cached()
    overview.forget()
    yield
    overview.forget()
    authorities.forget_cached()


def text(response: Any) -> str:
    return str(response.content.decode())


def devices(count: int, **columns: Any) -> None:
    user = factories.user()
    given = {"status": "ACTIVE", "platform": "iOS", "enrollment_type": "adde", "os_version": "18.2", **columns}
    Device.objects.bulk_create(Device(user=user, **given) for _ in range(count))


def attempts(count: int, *, hours: float = 1, **columns: Any) -> None:
    at = timezone.now() - timedelta(hours=hours)
    known = Attempt.objects.count()
    Attempt.objects.bulk_create(
        Attempt(reference=f"r{known + number}", opened_at=at, **columns) for number in range(count)
    )


def test_it_is_the_first_page_of_whoever_may_see_it(signed_in: SignedIn) -> None:
    assert signed_in().get("/admin/")["Location"] == DASHBOARD
    assert signed_in("reader", [AdminRole.LOGS_VIEW]).get(DASHBOARD).status_code == 403


def test_an_empty_installation_says_so(signed_in: SignedIn) -> None:
    page = text(signed_in().get(DASHBOARD))

    assert page.count("No devices yet.") == 4
    assert "The last 30 days: 0 enrolled, 0 failed." in page


def test_devices_are_counted_by_what_they_are(signed_in: SignedIn) -> None:
    client = signed_in()
    devices(3)
    devices(2, platform="macOS", enrollment_type="aaue", os_version="15.1")
    devices(4, status="RETIRED", os_version="12.0")
    devices(1, status="IENROLL_INPROGRESS", platform="", os_version="")

    page = text(client.get(DASHBOARD))
    counted = dict(re.findall(r'<span>([^<]+)</span><span class="spring"></span><strong>(\d+)</strong>', page))
    assert counted["Active"] == "5"
    assert counted["Retired"] == "4"
    assert (counted["iOS"], counted["macOS"]) == ("3", "2")
    assert (counted["iOS 18.2"], counted["macOS 15.1"]) == ("3", "2")
    assert counted["Account-driven user enrollment"] == "2"
    assert "iOS 12.0" not in counted


def test_failures_of_the_last_day_lead_into_the_log(signed_in: SignedIn) -> None:
    client = signed_in()
    attempts(2, state=Attempt.State.FAILED, last_code="E-303")
    attempts(1, state=Attempt.State.FAILED, last_code="E-201")
    attempts(5, hours=30, state=Attempt.State.FAILED, last_code="E-308")
    attempts(4, state=Attempt.State.ACTIVE)

    page = text(client.get(DASHBOARD))
    assert page.index("E-303") < page.index("E-201")
    assert "E-308" not in page
    assert "The last 30 days: 4 enrolled, 8 failed." in page
    link = re.search(r'href="(/admin/logs/enrollment\?[^"]+)">E-303', page)
    assert link is not None
    assert text(client.get(link[1].replace("&amp;", "&"))).count("E-303</td>") == 2
    reader = signed_in("reader", [AdminRole.DEVICE_VIEW])
    assert "/admin/logs/enrollment" not in text(reader.get(DASHBOARD))


def test_certificates_that_expire_are_shown(signed_in: SignedIn) -> None:
    client = signed_in()
    authorities.device_ca()

    assert "Device CA" in text(client.get(DASHBOARD))


def test_devices_whose_certificate_ends_are_counted_and_lead_to_the_list_of_them(signed_in: SignedIn) -> None:
    client = signed_in()
    assert text(client.get(f"{DASHBOARD}/alert")).strip() == ""
    for number, days in enumerate((-2, -1, 0.1, 59, 61)):
        enrollment = rows.enrolled(udid=f"u{number}")
        until = timezone.now() + timedelta(days=days)
        Identity.objects.filter(enrollment=enrollment).update(not_after=until, state=Identity.State.CURRENT)
    Identity.objects.filter(enrollment=rows.enrolled(udid="left", state=Enrollment.State.ENDED)).update(
        not_after=timezone.now(), state=Identity.State.CURRENT
    )

    notice = text(client.get(f"{DASHBOARD}/alert"))
    link = re.search(r'<a href="([^"]+)">Expired and expiring</a>', notice)
    assert link is not None
    assert '<span class="badge bad">Expired: 2</span>' in notice
    assert '<span class="badge waiting">Expires soon: 2</span>' in notice
    assert text(client.get(link[1])).count("/admin/devices/") == 4


def test_the_state_of_queue_and_push_is_looked_at_apart(
    signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client = signed_in()
    with django_assert_max_num_queries(12):
        silent = text(client.get(f"{DASHBOARD}/state", headers={"X-Poll": "1"}))
    assert "Silent" in silent
    assert "No MDM certificate" in silent

    Heartbeat.objects.create(name="worker", at=timezone.now())
    assert "Working" in text(client.get(f"{DASHBOARD}/state"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 seconds"), (60, "1 minute"), (5_400, "1 hour"), (172_800, "2 days")],
)
def test_what_waits_for_long_is_not_told_to_the_second(seconds: int, said: str) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == said


def test_a_large_fleet_costs_what_a_small_one_does(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    authorities.device_ca()
    for number in range(60):
        devices(2, os_version=f"18.{number}")
        attempts(3, hours=number * 12, state=Attempt.State.FAILED, last_code=f"E-{number:03}")

    overview.forget()
    with django_assert_max_num_queries(12):
        page = client.get(DASHBOARD)
    assert len(page.content) < 60_000
    assert 'style="' not in text(page)
    assert "<script>" not in text(page)


@pytest.mark.parametrize(("largest", "top"), [(0, 1), (1, 1), (3, 5), (5, 5), (6, 10), (11, 20), (450, 500)])
def test_a_chart_ends_above_its_largest_day(largest: int, top: int) -> None:
    today = timezone.localdate()
    chart = charts.over_time([Day(today, largest, 0), Day(today, 0, 1)])

    assert chart.top == top
    assert chart.bars[-1].x + chart.bars[-1].width == pytest.approx(chart.width, abs=0.02)
    for bar in chart.bars:
        assert bar.enrolled_y + bar.enrolled_height == pytest.approx(chart.height, abs=0.02)
        assert bar.failed_y >= 0


def test_each_of_the_last_days_stands_in_the_chart() -> None:
    attempts(2, hours=0, state=Attempt.State.ACTIVE)
    attempts(1, hours=24 * 40, state=Attempt.State.ACTIVE)
    attempts(1, hours=0, state=Attempt.State.OPEN)

    now = timezone.now()
    days = overview.days(now)
    assert len(days) == overview.DAYS
    assert [day.enrolled for day in days if day.enrolled] == [2]
    assert days[-1].day == timezone.localdate(now)
