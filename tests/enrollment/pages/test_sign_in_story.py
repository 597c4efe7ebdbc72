"""The web sign-in from beginning to end, as a person does it: the product's views in a real browser."""

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from enrollment.models import Acceptance, Attempt
from tests.enrollment.conftest import PASSWORD, Sheet, Switch, make_person
from tests.enrollment.pages import chromium

pytestmark = pytest.mark.service("chromium")


class Person:
    def __init__(self, page: Page) -> None:
        self.page = page

    def presses(self, button: str) -> None:
        self.page.get_by_role("button", name=button).click()

    def leaves_by_pressing(self, button: str) -> str:
        """The address outside the web that the last step opens; Chromium has no program for it."""
        with self.page.expect_event("requestfailed", lambda request: not request.url.startswith("http")) as leaving:
            self.presses(button)
        return str(leaving.value.url)

    def reads(self, role: Any) -> str:
        return " ".join(self.page.get_by_role(role).inner_text().split())


def arrive(sheet: Sheet, live_server: LiveServer) -> str:
    """What the device does before it shows the page."""
    sheet.discover()
    sheet.post()
    return f"{live_server.url}{sheet.url}?user-identifier={sheet.identifier}"


def test_a_german_person_mistypes_then_signs_in_and_accepts_without_scripts(
    sheet: Sheet, switch: Switch, live_server: LiveServer
) -> None:
    switch("registration.privacy_page", "on")
    switch("registration.terms", "Be kind.\n\n<b>Always.</b>")
    switch("general.enterprise_name", "Example Corp")
    address = arrive(sheet, live_server)

    with (
        chromium.start() as browser,
        browser.new_context(viewport=chromium.PHONE, locale="de-DE", java_script_enabled=False) as context,
    ):
        person = Person(context.new_page())
        person.page.goto(address)
        assert person.page.get_by_label("Benutzer-ID oder Arbeitsaccount").input_value() == "anna@mdm.example.test"
        person.page.get_by_label("Passwort").fill("wrong")
        person.presses("Fortfahren")
        assert person.reads("alert") == "Benutzer-ID, Passwort oder PIN ist nicht richtig. Code E-201"

        person.page.get_by_label("Passwort").fill(PASSWORD)
        person.presses("Fortfahren")
        assert person.reads("heading") == "Ihre Privatsphäre ist uns wichtig"
        person.presses("Akzeptieren")
        assert person.reads("heading") == "Nutzungsbedingungen"
        assert person.reads("article") == "Be kind. <b>Always.</b> Version 1"
        callback = person.leaves_by_pressing("Akzeptieren")

    # the page's policy would have stopped a form that leads anywhere else
    assert callback.startswith("apple-remotemanagement-user-login://authentication-results?access-token=")
    accepted = Acceptance.objects.order_by("pk")
    assert list(accepted.values_list("policy__kind", "policy__version", "policy__language")) == [
        ("privacy", 1, "de"),
        ("terms", 1, "de"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_person_without_the_role_reads_why(client: Client, adde: None, live_server: LiveServer) -> None:
    make_person("bob", roles=())
    address = arrive(Sheet(client, identifier="bob@mdm.example.test"), live_server)

    with chromium.start() as browser, browser.new_context(viewport=chromium.PHONE) as context:
        person = Person(context.new_page())
        person.page.goto(address)
        person.page.get_by_label("Password").fill(PASSWORD)
        person.presses("Continue")
        heading, alert = person.reads("heading"), person.reads("alert")

    assert heading == "Device Not Enrolled"
    assert "Ask your administrator" in alert
    assert "E-303" in alert
    assert Attempt.objects.get().last_code == "E-303"
