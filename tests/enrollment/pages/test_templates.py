"""What the pages hold, before any browser."""

import pytest
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from django.views import defaults
from lxml import html

from tests.enrollment.pages.samples import SAMPLES, tree, words

PAGES = [pytest.param(sample, language, id=f"{sample}-{language}") for sample in SAMPLES for language in ("en", "de")]


def title(page: html.HtmlElement) -> str:
    return words(page.xpath("//title")[0])


@pytest.mark.parametrize(("sample", "language"), PAGES)
def test_every_page_has_the_same_frame(sample: str, language: str) -> None:
    page = tree(sample, language)

    assert page.xpath("/html/@lang | /html/@dir") == [language, "ltr"]
    assert len(page.xpath("//header")) == len(page.xpath("//main")) == len(page.xpath("//main//h1")) == 1
    assert words(page.xpath("//h1")[0]) in title(page)
    assert page.xpath("//meta[@name='viewport']/@content") == [
        "width=device-width, initial-scale=1, viewport-fit=cover"
    ]
    assert page.xpath("//link[@rel='stylesheet']/@href") == ["/static/css/enroll.css"]


@pytest.mark.parametrize(("sample", "language"), PAGES)
def test_no_page_needs_what_the_policy_forbids(sample: str, language: str) -> None:
    page = tree(sample, language)

    assert not page.xpath("//script | //style | //iframe | //object | //@style | //@*[starts-with(name(), 'on')]")
    assert not page.xpath("//@target")  # the sign-in sheet of a device has one window
    addresses = page.xpath("//@src | //link/@href")
    assert addresses
    assert all(address.startswith("/static/") for address in addresses)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if not sample.isdecimal()])
def test_pages_name_the_organization(sample: str) -> None:
    page = tree(sample)

    assert words(page.xpath("//header")[0]) == "Example Corp"
    assert title(page).endswith(" \N{EN DASH} Example Corp")


def test_a_language_that_runs_from_right_to_left_turns_the_page() -> None:
    assert tree("sign-in", "ar").get("dir") == "rtl"


@pytest.mark.parametrize(
    ("requirement", "fields"),
    [
        ("password", ["user_id", "password"]),
        ("pin", ["user_id", "pin"]),
        ("password_and_pin", ["user_id", "password", "pin"]),
    ],
)
def test_sign_in_asks_for_what_the_setting_says(requirement: str, fields: list[str]) -> None:
    [form] = tree("sign-in", requirement=requirement).forms

    assert form.xpath(".//input[not(@type='hidden')]/@name") == fields
    assert form.xpath(".//label/@for") == form.xpath(".//input[@id]/@id") == fields
    assert form.xpath(".//input[@required]/@name") == fields


def test_fields_suit_keyboards_and_password_managers() -> None:
    page = tree("sign-in", requirement="password_and_pin")
    name, password, pin = page.xpath("//form//input[not(@type='hidden')]")

    wanted = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false", "inputmode": "email"}
    assert wanted.items() <= dict(name.attrib).items()
    assert [field.get("autocomplete") for field in (name, password, pin)] == [
        "username",
        "current-password",
        "one-time-code",
    ]
    assert (name.value, password.get("type"), pin.get("inputmode")) == ("anna@mdm.example.test", "password", "numeric")
    assert not password.get("value")
    assert not pin.get("value")


@pytest.mark.parametrize(
    ("identifier", "requirement", "focused"),
    [
        ("", "password", "user_id"),
        ("", "pin", "user_id"),
        ("anna", "password", "password"),
        ("anna", "pin", "pin"),
        ("anna", "password_and_pin", "password"),
    ],
)
def test_typing_starts_in_the_first_empty_field(identifier: str, requirement: str, focused: str) -> None:
    page = tree("sign-in", identifier=identifier, requirement=requirement)

    assert page.xpath("//input[@autofocus]/@name") == [focused]


def test_an_error_is_announced_and_tied_to_the_fields() -> None:
    page = tree("sign-in-both-wrong")
    [alert] = page.xpath("//*[@role='alert']")

    assert words(alert) == "The user ID, password or PIN is not right. Code E-201"
    described = [field.get("aria-describedby").split() for field in page.xpath("//form//input[@id]")]
    assert described == [["error"], ["error"], ["pin-hint", "error"]]
    assert alert.get("id") == "error"
    assert words(page.get_element_by_id("pin-hint")) == "6 digits, from your administrator"
    assert title(page).startswith("Error: ")


def test_without_an_error_nothing_is_announced() -> None:
    page = tree("sign-in")

    assert not page.xpath("//*[@role='alert'] | //@aria-describedby")
    assert title(page) == "Sign In \N{EN DASH} Example Corp"


@pytest.mark.parametrize("sample", ["sign-in", "privacy"])
def test_a_form_goes_back_where_it_came_from_with_what_the_view_hid_in_it(sample: str) -> None:
    context = SAMPLES[sample][1]
    [form] = tree(sample).forms
    hidden = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}

    assert (form.method, form.get("action"), hidden) == ("POST", context["action"], context["hidden"])
    assert [words(button) for button in form.xpath(".//button[@type='submit']")] == [str(context["button"])]


def test_what_was_typed_stays_text() -> None:
    typed = '"><script>alert(1)</script>'
    page = tree("sign-in", identifier=typed, error=typed, code=typed, organization=typed, hidden={typed: typed})

    assert not page.xpath("//script")
    assert page.get_element_by_id("user_id").value == typed


def test_device_enrollment_says_how_far_it_reaches() -> None:
    reach = words(tree("sign-in").xpath("//section")[0])

    assert reach.startswith("What Example Corp can see and do")
    for word in ("serial number", "all apps", "erase everything"):
        assert word in reach


def test_user_enrollment_leaves_the_personal_side_alone() -> None:
    reach = words(tree("sign-in-byod").xpath("//section")[0])

    assert reach.startswith("Your personal data stays invisible")
    assert "cannot erase your device" in reach
    assert "erase everything" not in reach


@pytest.mark.parametrize("sample", ["sign-in", "sign-in-byod"])
def test_a_wrong_account_has_a_way_out(sample: str) -> None:
    assert "Wrong account? Close this window and start again in Settings." in words(tree(sample))


@pytest.mark.parametrize("sample", ["privacy", "terms"])
def test_a_policy_is_accepted_with_one_button_or_declined_by_closing(sample: str) -> None:
    page = tree(sample)
    [button] = page.xpath("//button")
    decline = page.get_element_by_id(button.get("aria-describedby"))

    assert not page.xpath("//form//input[not(@type='hidden')]")
    assert words(decline).startswith("If you do not accept, close this window.")
    assert len(page.xpath("//article/p[not(@class)]")) == 3
    assert "Version 3" in words(page.xpath("//article")[0])


def test_a_refusal_says_why_with_a_code_to_pass_on() -> None:
    page = tree("refused", advice="Ask for help.")
    [alert] = page.xpath("//*[@role='alert']")

    assert words(alert).startswith("This sign-in is no longer valid.")
    assert alert.xpath(".//code/text()") == ["E-206"]
    assert "Ask for help." in words(page.xpath("//main")[0])


@pytest.mark.parametrize(
    ("language", "paths"),
    [
        (
            "en",
            [
                "Settings General VPN & Device Management Sign In to Work or School Account",
                "System Settings General Device Management Sign In to Work or School Account",
                "Settings General VPN & Device Management Sign In to Work or School Account",
            ],
        ),
        (
            "de",
            [
                "Einstellungen Allgemein VPN & Geräteverwaltung Bei Arbeits- oder Schulaccount anmelden",
                "Systemeinstellungen Allgemein Geräteverwaltung Bei Arbeits- oder Schulaccount anmelden",
                "Einstellungen Allgemein VPN & Geräteverwaltung Bei Arbeits- oder Schulaccount anmelden",
            ],
        ),
    ],
)
def test_the_public_page_leads_to_the_right_place_in_settings(language: str, paths: list[str]) -> None:
    assert [words(path) for path in tree("home", language).find_class("path")] == paths


def test_the_public_page_shows_the_address_to_type_and_what_to_beware_of() -> None:
    page = tree("home")

    assert page.xpath("//code/text()") == ["name@mdm.example.test"]
    assert "Save the data of your work apps before you sign out" in words(page)
    assert "restart the device" in words(page)


def test_the_public_page_sends_nobody_to_an_enrollment_that_is_switched_off() -> None:
    page = tree("home-off")

    assert not page.find_class("path")
    assert "switched off on this server" in words(page)


@pytest.mark.parametrize(
    ("status", "heading"),
    [
        (400, "Request Not Understood"),
        (403, "Not Allowed"),
        (404, "Page Not Found"),
        (500, "Something Went Wrong"),
    ],
)
def test_djangos_own_error_views_wear_the_same_clothes(status: int, heading: str) -> None:
    request = RequestFactory().get("/nowhere")
    answers: dict[int, HttpResponse] = {
        400: defaults.bad_request(request, ValueError()),
        403: defaults.permission_denied(request, PermissionError()),
        404: defaults.page_not_found(request, Http404()),
        500: defaults.server_error(request),
    }
    page: html.HtmlElement = html.document_fromstring(answers[status].content)

    assert answers[status].status_code == status
    assert words(page.xpath("//h1")[0]) == heading
    assert page.xpath("//link[@rel='stylesheet']/@href") == ["/static/css/enroll.css"]
    assert "nowhere" not in words(page)
