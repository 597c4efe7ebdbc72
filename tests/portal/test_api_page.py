"""Admin > API: Swagger's page under the policy of the portal, without an exception."""

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from tests.enrollment.pages import chromium
from tests.epmm.processes import eventually
from tests.portal.test_browser import signed_in, site

__all__ = ["site"]  # a fixture
pytestmark = [pytest.mark.service("chromium"), pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_the_document_is_shown_and_tried_out_with_credentials_of_its_own(site: LiveServer) -> None:
    """That nothing stands in the console, which holds all that the policy forbids, `chromium` sees to."""
    with signed_in(site, chromium.DESK) as page:
        page.goto(f"{site.url}/admin/api")
        page.locator(".opblock").first.hover()
        block = page.locator("#operations-roles-get_roles")

        def is_drawn() -> bool:  # what is in sight is
            page.mouse.wheel(0, 600)
            return block.count() > 0

        eventually(is_drawn)
        block.locator(".opblock-summary-control").click()
        expect(block.locator(".opblock-description")).to_contain_text("Needs the role api")
        block.get_by_role("button", name="Try it out").click()
        seen: list[dict[str, str]] = []
        page.on("request", lambda request: seen.append(request.headers) if "/api/v2/" in request.url else None)
        page.route("**/api/v2/**", lambda route: route.fulfill(json={"items": []}))  # a refusal would be in the console
        block.get_by_role("button", name="Execute").click()
        expect(block.locator(".live-responses-table")).to_be_visible()
        [headers] = seen
        assert "cookie" not in headers
        assert "authorization" not in headers
