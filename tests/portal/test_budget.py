"""Each page, list, search, filter and dialog of the portal, with two hundred rows of everything: what it may cost.

Pages are not named here.  `bench/portal_pages.py` follows the addresses of the portal, so one that is added is counted.
"""

from uuid import UUID

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from pytest_django.fixtures import Settings

from bench import portal_rows
from bench.portal import excess
from bench.portal_pages import UnknownPage, names, walk
from bench.portal_people import MANY
from bench.portal_rows import Seeded
from bench.portal_seen import Answer, Ask, Visit
from enrollment.services import overview
from epmm import options, settings_store
from tests.portal.conftest import SignedIn
from users.middleware import POLL

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.service("database")]


SEEDED = Seeded(
    device=UUID(int=1),
    person=1,
    admin=1,
    label=1,
    large_label=2,
    attempt=1,
    command=1,
    configuration=1,
    attribute=1,
    provider=1,
    export=UUID(int=2),
    run=1,
    people_run=1,
    webhook=1,
    delivery=1,
    directory=1,
    text=1,
)


class Counting:
    """A browser that notes how many statements each page takes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.statements: dict[str, int] = {}

    def fetch(self, ask: Ask) -> Answer:
        """Without what a process does once a second or a minute: reading the settings, beginning idle time anew."""
        settings_store.clear_cache()
        settings_store.read(options.IDLE_MINUTES)
        overview.forget()
        send = self._client.get if ask.sent is None else self._client.post
        with CaptureQueriesContext(connection) as queries:
            response = send(ask.path, ask.sent, headers={POLL: "1"})
        self.statements[str(ask)] = len(queries)
        return Answer(response.status_code, response.getvalue().decode())

    def over(self, visit: Visit) -> str:
        statements, size = self.statements[str(visit.ask)], visit.size
        is_over = excess(visit.told, statements=statements, size=size)
        return f"{visit.page} ({visit.told}): {statements} statements, {size:,} bytes" if is_over else ""


def test_no_page_costs_more_than_it_may(signed_in: SignedIn) -> None:
    browser = Counting(signed_in())
    visits = list(walk(browser.fetch, portal_rows.seed(MANY, MANY)))

    pages = [visit for visit in visits if visit.is_page]
    over = list(filter(None, map(browser.over, pages)))
    assert not over, "\n".join(over)
    opened = {(visit.page, visit.told) for visit in pages}
    assert {page for page, _told in opened} > {"dashboard", "devices-apps", "users-edit", "settings-domains-show"}
    # the kinds of pages that lists have: if one is missing, nothing is measured
    assert {
        ("devices", "sort=-seen middle page"),
        ("devices", "sort=serial late page"),
        ("devices", "label, many"),
        ("devices", "q nosuchname"),
        ("devices", "all columns"),
        ("devices", "size=50"),
        ("logs-audit", "size=100"),
        ("devices-statuses", ""),
        ("devices-wipe", "dialog for 50"),
        ("logs-queue", "q TEST0000A123"),
        ("logs-queue-cancel", "dialog for 50"),
        ("users", "late page"),
        ("logs-audit", "actor nothing-has-this"),
        ("invitations", "late page"),
        ("self:home", ""),
        ("self:device", ""),
    } <= opened


def test_a_new_page_does_not_escape(settings: Settings) -> None:
    def careless(_request: HttpRequest, **_arguments: object) -> HttpResponse:
        return HttpResponse()

    def fetch(_ask: Ask) -> Answer:
        return Answer(404, "")

    settings.ROOT_URLCONF = (path("admin/", include(([path("new", careless, name="new")], "portal"))),)
    assert list(names()) == ["new"]
    with pytest.raises(UnknownPage, match="nothing has opened new"):
        list(walk(fetch, SEEDED))
    settings.ROOT_URLCONF = (path("admin/", include(([path("<int:key>", careless, name="new")], "portal"))),)
    with pytest.raises(UnknownPage, match="nothing is known to put for key"):
        list(walk(fetch, SEEDED))
