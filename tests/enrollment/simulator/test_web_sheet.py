import urllib.parse

import pytest

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from enrollment.simulator.web_sheet import WebSheet
from tests.enrollment.simulator.laboratory import ACCOUNT, ORIGIN, PASSWORD, TOKEN, Answer, Laboratory, Spoil, header

APP = "apple-remotemanagement-user-login"
PRIVACY = """<form method=post action="/sign-in"><input type=hidden name=page value=1>
    <p>We see your serial number.</p><button name=answer value=accept>Continue</button></form>"""
TERMS = """<form method=post><input type=hidden name=page value=2>
    <label><input type=checkbox name=agreed required> I agree</label><input type=submit value=Continue></form>"""
PIN = """<form method=post><input name=who autocomplete=username value=anna>
    <input name=pin autocomplete=one-time-code inputmode=numeric required><button>Continue</button></form>"""


@pytest.fixture
def device(laboratory: Laboratory) -> SimulatedDevice:
    device = laboratory.device()
    device.discover()
    device.request_challenge()
    return device


def posted(laboratory: Laboratory) -> list[dict[str, str]]:
    sent = [
        request for _, request in laboratory.requests if request.url.path == "/sign-in" and request.method == "POST"
    ]
    return [dict(urllib.parse.parse_qsl(request.content.decode(), keep_blank_values=True)) for request in sent]


def test_person_signs_in_as_on_any_page(laboratory: Laboratory, device: SimulatedDevice) -> None:
    assert device.sign_in(password=PASSWORD) == TOKEN

    first = laboratory.requests_of("page")[0]
    assert str(first.url) == f"{ORIGIN}/sign-in?s=1&user-identifier={ACCOUNT}"
    assert "Safari" in first.headers["User-Agent"]
    assert posted(laboratory) == [{"state": "a&b", "who": ACCOUNT, "word": PASSWORD}]
    # Fetch: a page that forbids referrers makes the origin of its forms opaque
    assert laboratory.requests_of("callback")[0].headers["Origin"] == "null"


def test_origin_is_told_where_referrers_are_allowed(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.spoiled["page"] = header("Referrer-Policy", "no-referrer, strict-origin-when-cross-origin")

    device.sign_in(password=PASSWORD)

    assert laboratory.requests_of("callback")[0].headers["Origin"] == ORIGIN


def test_privacy_and_terms_are_accepted_one_after_the_other(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.pages += [PRIVACY, TERMS]

    device.sign_in(password=PASSWORD)

    assert posted(laboratory)[1:] == [{"page": "1", "answer": "accept"}, {"page": "2", "agreed": "on"}]


def test_pin_goes_where_a_one_time_code_belongs(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.pages = [PIN]

    device.sign_in(pin="1234", user="other")
    device.sign_in(pin="1234", user="other", retype=True)

    assert posted(laboratory) == [{"who": "anna", "pin": "1234"}, {"who": "other", "pin": "1234"}]


def test_cookies_live_as_long_as_the_sheet(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.spoiled["page"] = header("Set-Cookie", "s=1; Path=/; Secure")

    device.sign_in(password=PASSWORD)
    device.fetch_profile()
    device.sign_in(password=PASSWORD)

    cookies = [request.headers.get("Cookie") for _, request in laboratory.requests]
    assert cookies == [None, None, None, "s=1", None, None, "s=1"]


def redirect_first_post(laboratory: Laboratory, status: int) -> None:
    redirect = Answer(status, headers={"Location": "/sign-in?s=2"})
    laboratory.spoiled["callback"] = lambda answer: redirect if len(posted(laboratory)) == 0 else answer


def test_redirect_that_keeps_the_method_keeps_what_was_typed(laboratory: Laboratory, device: SimulatedDevice) -> None:
    redirect_first_post(laboratory, 307)

    assert device.sign_in(password=PASSWORD) == TOKEN

    first, second = laboratory.requests_of("callback")
    assert second.url == f"{ORIGIN}/sign-in?s=2"
    assert second.content == first.content


def test_other_redirect_is_a_new_page(laboratory: Laboratory, device: SimulatedDevice) -> None:
    redirect_first_post(laboratory, 303)

    with pytest.raises(TurnedAway):  # the page of this server is the first one again
        device.sign_in(password=PASSWORD)

    last = laboratory.requests_of("page")[-1]
    assert (last.method, last.content, last.headers.get("Origin")) == ("GET", b"", None)


def test_wrong_password_is_told_with_sentence_and_code(laboratory: Laboratory, device: SimulatedDevice) -> None:
    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password="wrong")

    assert refusal.value.status == 403
    assert refusal.value.code == "E-201"
    assert refusal.value.sentence == "This password is wrong. (E-201)"
    assert device.token is None


def test_same_form_again_is_a_refusal_even_with_200(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.pages.append(laboratory.login_page().replace("</form>", "</form><p role=alert>Again, please.</p>"))

    with pytest.raises(TurnedAway, match="Again, please") as refusal:
        device.sign_in(password=PASSWORD)

    assert refusal.value.status == 200


def test_error_without_an_alert_shows_its_text(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.spoiled["page"] = lambda _: Answer(500, html="<title>x</title><style>p{}</style><h1>Broken</h1>")

    with pytest.raises(TurnedAway, match="500: Broken"):
        device.sign_in(password=PASSWORD)


def location(value: str) -> Spoil:
    return header("Location", value)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda a: Answer(302, headers=a.headers), "status 302"),
        (header("Cache-Control", "private"), "no-store"),
        (
            location(f"{APP}:/authentication-results?access-token=1"),
            "callback is not",
        ),
        (location(f"{APP}://results?access-token=1"), "callback is not"),
        (
            location(f"{APP}://authentication-results/?access-token=1"),
            "callback is not",
        ),
        (location(f"{APP}://authentication-results?token=1"), "exactly one access-token"),
        (location(f"{APP}://authentication-results?access-token="), "exactly one"),
        (location(f"{APP}://authentication-results?access-token=a%2Fb"), "URL-safe"),
        (location("other-app://authentication-results?access-token=1"), "scheme 'other-app'"),
        (location("http://mdm.example.test/"), "HTTPS only"),
        (location("/sign-in"), "redirects"),
    ],
)
def test_callback_is_taken_to_the_letter(
    laboratory: Laboratory, device: SimulatedDevice, spoil: Spoil, reason: str
) -> None:
    laboratory.spoiled["callback"] = spoil

    with pytest.raises(DeviceRefused, match=reason):
        device.sign_in(password=PASSWORD)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (header("Content-Security-Policy", "form-action 'self'"), "form-action"),
        (header("Content-Security-Policy", "form-action apple-remotemanagement-user-login:"), "form-action"),
        (header("Content-Security-Policy", "form-action 'none'"), "form-action"),
        (lambda a: Answer(200, html=a.text), "no Content-Security-Policy"),
        (header("Content-Type", "application/json"), "is no page"),
        (lambda _: Answer(204), "answered 204"),
    ],
)
def test_page_that_hinders_its_form_is_refused(
    laboratory: Laboratory, device: SimulatedDevice, spoil: Spoil, reason: str
) -> None:
    laboratory.spoiled["page"] = spoil

    with pytest.raises(DeviceRefused, match=reason):
        device.sign_in(password=PASSWORD)


@pytest.mark.parametrize(
    "policy",
    ["default-src 'none'", f"form-action {ORIGIN}/ apple-remotemanagement-user-login:", "FORM-ACTION https: *: 'self'"],
)
def test_policies_are_read_as_a_browser_reads_them(
    laboratory: Laboratory, device: SimulatedDevice, policy: str
) -> None:
    laboratory.spoiled["page"] = header("Content-Security-Policy", policy)

    if "*:" in policy:  # no such source: a scheme must be named
        with pytest.raises(DeviceRefused, match="form-action"):
            device.sign_in(password=PASSWORD)
    else:
        assert device.sign_in(password=PASSWORD) == TOKEN


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<button>Continue</button>", "", "has no button"),
        ("<button>", "<button type=button>", "has no button"),
        ("<form method=post", "<form method=post target=_blank", "new window"),
        (" autocomplete=current-password", "", "autocomplete=current-password"),
        ("name=word", "name=token autocomplete=one-time-code", "asks for a one-time-code"),
        ("autocomplete=username", "", "cannot know what belongs into the field 'who'"),
        ("<form", "<div", "no form"),
        ('action="/sign-in?s=1"', 'action="https://x:port"', "form-action"),
        ('action="/sign-in?s=1"', 'action="https://elsewhere.example/"', "form-action"),
    ],
)
def test_page_that_nobody_can_fill_is_refused(
    laboratory: Laboratory, device: SimulatedDevice, old: str, new: str, reason: str
) -> None:
    page = laboratory.login_page()
    if "one-time-code" in new:
        page = page.replace("autocomplete=current-password", "")
    laboratory.pages = [page.replace(old, new)]

    with pytest.raises(DeviceRefused, match=reason):
        device.sign_in(password=PASSWORD)


def test_form_that_gets_is_sent_as_a_query(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.pages = ["""<form><input type=hidden name=s value="é 1"><button>Go</button></form>"""]

    with pytest.raises(DeviceRefused, match="more than 20 pages"):
        device.sign_in(password=PASSWORD)

    assert laboratory.requests_of("page")[1].url.query == b"s=%C3%A9+1"


def test_form_of_an_earlier_page_cannot_be_sent(laboratory: Laboratory, device: SimulatedDevice) -> None:
    sheet = WebSheet(device.network.browser(), device.hardware)
    sheet.open(f"{ORIGIN}/sign-in")
    assert sheet.page is not None
    (form,) = sheet.page.forms
    laboratory.pages = [PIN]
    sheet.open(f"{ORIGIN}/sign-in")

    with pytest.raises(DeviceRefused, match="not on the page in sight"):
        sheet.submit(form)


def test_each_family_has_its_browser(laboratory: Laboratory) -> None:
    for family in Family:
        device = laboratory.device(family)
        device.discover()
        device.request_challenge()
        device.sign_in(password=PASSWORD)

    agents = {request.headers["User-Agent"] for request in laboratory.requests_of("page")}
    assert len(agents) == len(Family)
