"""Settings > System Settings, as an administrator uses it."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import httpx2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from devices.models import PushCertificate, PushRequest
from devices.services import push_certificates, push_requests
from enrollment.services import domain_check
from enrollment.services.findings import Verdict
from epmm import options, rate_limit, settings_store
from epmm.models import AuditEntry, SettingRow
from epmm.portal import settings_tree
from tests import apple_portal, pki
from tests.portal.conftest import SignedIn
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
REGISTRATION = "/admin/settings/system/registration"
MDM = "/admin/settings/ios-mdm"
CERTIFICATE = "/admin/settings/ios-mdm/certificate"
DOMAINS = "/admin/settings/domains"
INPUT = re.compile(r"<input ([^>]*)>|<textarea ([^>]*)>([^<]*)</textarea>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """What a process remembers belongs to the test before."""
    settings_store.clear_cache()
    push_certificates.clear_cache()
    rate_limit.forget()
    yield
    settings_store.clear_cache()
    push_certificates.clear_cache()


def text(response: Any) -> str:
    return str(response.content.decode())


def filled(client: Client, address: str, **changed: str | None) -> dict[str, str]:
    """The form as a browser sends it, with some fields changed; None unticks a box."""
    form = text(client.get(address)).partition('<form method="post" action="/admin/settings')[2].partition("</form>")[0]
    sent = {}
    for attributes, long, content in INPUT.findall(form):
        found = dict(ATTRIBUTE.findall(attributes or long))
        if found.get("type") != "checkbox" or "checked" in attributes:
            sent[found["name"]] = found.get("value", "on") if attributes else content.strip()
    sent |= dict(re.findall(r'<select name="([^"]+)".*?<option value="([^"]+)" selected', form, re.DOTALL))
    for name, value in changed.items():
        sent.pop(name, None)
        if value is not None:
            sent[name] = value
    return sent


# --- Forms from typed settings ----------------------------------------------------------------------------------------


def test_every_page_of_the_tree_opens_with_few_queries(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    assert client.get("/admin/settings")["Location"] == "/admin/settings/system/enterprise"

    for node in settings_tree.nodes():
        with django_assert_max_num_queries(12):
            page = client.get(node.address)
        assert page.status_code == 200
        assert len(page.content) < 60_000
        assert 'style="' not in text(page)


def test_every_setting_stands_on_one_page() -> None:
    rows = [row.setting.name for node in settings_tree.nodes() for row in node.rows]

    elsewhere = [setting.name for setting in (options.ENROLLMENT_DOMAINS, options.PRIVACY_PAGE, options.TERMS)]
    assert sorted([*rows, *elsewhere]) == sorted(settings_store.REGISTRY)


def test_a_setting_without_a_place_is_found_under_other(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    new = settings_store.Setting(name="new.one", default="a", parse=str, accepts="anything", help="Something new.")
    monkeypatch.setitem(settings_store.REGISTRY, new.name, new)

    assert "Something new. Accepted: anything." in text(signed_in().get("/admin/settings/system/other"))


def test_only_what_was_changed_is_written_and_audited(signed_in: SignedIn) -> None:
    client = signed_in()
    changed = {"registration.pin_length": "8", "registration.device_limit": "3"}

    answer = client.post(REGISTRATION, filled(client, REGISTRATION, **changed))
    assert answer["Location"] == REGISTRATION
    assert {row.name: row.value for row in SettingRow.objects.all()} == {
        "registration.pin_length": "8",
        "registration.device_limit": "3",
    }
    entry = AuditEntry.objects.get(action="setting.changed", subject="registration.pin_length")
    assert (entry.actor, entry.address, entry.details) == ("admin", "127.0.0.1", {"from": "6", "to": "8"})

    again = client.post(REGISTRATION, filled(client, REGISTRATION), follow=True)
    assert "Nothing was changed." in text(again)
    assert AuditEntry.objects.filter(action="setting.changed").count() == 2


def test_a_text_of_several_lines_changes_once(signed_in: SignedIn) -> None:
    client, page = signed_in(), "/admin/settings/system/login"
    client.post(page, filled(client, page, **{"general.login_text": "Line one\r\n\r\nLine two"}))
    assert settings_store.read(options.LOGIN_TEXT) == "Line one\n\nLine two"

    client.post(page, filled(client, page))
    assert AuditEntry.objects.filter(action="setting.changed").count() == 1


def test_two_administrators_do_not_undo_each_others_work(signed_in: SignedIn) -> None:
    client = signed_in()
    mine = filled(client, REGISTRATION, **{"registration.pin_length": "9"})
    settings_store.change("registration.pin_expiry_hours", "2", actor="other")

    client.post(REGISTRATION, mine)
    assert settings_store.read(options.PIN_LENGTH) == 9
    assert settings_store.read(options.PIN_EXPIRY_HOURS) == 2


@pytest.mark.parametrize(
    ("address", "name", "value", "accepted"),
    [
        (REGISTRATION, "registration.pin_length", "5", "6..12"),
        (REGISTRATION, "registration.pin_length", "many", "6..12"),
        (REGISTRATION, "registration.device_limit", "51", "none, or 1 to 50"),
        ("/admin/settings/system/device-registration", "registration.requirement", "nothing", "password, pin"),
        ("/admin/settings/system/device-registration", "registration.minimum_os", "iOS", "none, or versions such as"),
    ],
)
def test_a_value_that_the_setting_does_not_take_changes_nothing(
    signed_in: SignedIn, address: str, name: str, value: str, accepted: str
) -> None:
    client = signed_in()

    answer = client.post(address, filled(client, address, **{name: value}))
    assert answer.status_code == 422
    assert f"This value is not possible. Accepted: {accepted}" in text(answer)
    assert not SettingRow.objects.exists()


def test_a_pin_that_stays_valid_for_long_is_warned_of(signed_in: SignedIn) -> None:
    client = signed_in()
    warning = "A PIN that stays valid longer than 4 hours is easier to misuse."
    assert text(client.get(REGISTRATION)).count(warning) == 1  # what the field says anyway

    client.post(REGISTRATION, filled(client, REGISTRATION, **{"registration.pin_expiry_hours": "5"}))
    assert text(client.get(REGISTRATION)).count(warning) == 2


def test_who_may_look_may_not_change(signed_in: SignedIn) -> None:
    reader = signed_in("reader", [AdminRole.SETTINGS_VIEW])

    page = text(reader.get(REGISTRATION))
    assert ">Save<" not in page
    assert page.count(" disabled") == 3
    assert reader.post(REGISTRATION, {"registration.pin_length": "8"}).status_code == 403
    for address in (CERTIFICATE, f"{DOMAINS}/remove?domain=mdm.example.test"):
        assert reader.get(address).status_code == 403
    for address in (f"{MDM}/request", f"{MDM}/signed", f"{DOMAINS}/add", f"{DOMAINS}/test"):
        assert reader.post(address).status_code == 403
    assert not SettingRow.objects.exists()


def test_a_page_that_is_none_is_not_there(signed_in: SignedIn) -> None:
    client = signed_in()

    assert client.get("/admin/settings/system/nothing").status_code == 404
    assert client.get("/admin/settings/system/domains").status_code == 404


# --- iOS > MDM --------------------------------------------------------------------------------------------------------


def test_account_driven_enrollment_is_switched_on(signed_in: SignedIn) -> None:
    client = signed_in()
    assert "Enable Account Driven Device Enrollment" in text(client.get(MDM))

    client.post(MDM, filled(client, MDM, **{options.ADDE.name: "on"}))
    assert settings_store.read(options.ADDE)
    client.post(MDM, filled(client, MDM, **{options.ADDE.name: None}))
    assert not settings_store.read(options.ADDE)


def upload(client: Client, file: bytes, **more: Any) -> Any:
    return client.post(CERTIFICATE, {"certificate": SimpleUploadedFile("c.pem", file), **more})


def test_the_three_steps_lead_to_a_certificate(signed_in: SignedIn) -> None:
    client = signed_in()
    assert "No MDM certificate is installed" in text(client.get(MDM))

    request = client.post(f"{MDM}/request")
    assert request["Content-Disposition"] == 'attachment; filename="epmm-push-request.pem"'
    assert request.content.startswith(b"-----BEGIN CERTIFICATE REQUEST-----")
    assert b"PRIVATE" not in request.content
    csr = bytes(PushRequest.objects.get().csr)
    answer = upload(client, apple_portal.answer(csr), apple_account="it@example.com")

    assert answer["Location"] == MDM
    page = text(client.get(MDM))
    assert "No MDM certificate is installed" not in page
    assert apple_portal.TOPIC in page
    assert "it@example.com" in page
    assert re.search(r"<dd>\s*36[45]\s*</dd>", page)
    assert AuditEntry.objects.get(action="push_certificate.installed").actor == "admin"


def test_a_renewed_one_takes_its_place_and_one_with_another_key_is_refused(signed_in: SignedIn) -> None:
    client = signed_in()
    csr = bytes(push_requests.request(actor="test").csr)
    upload(client, apple_portal.answer(csr, days=100))
    stranger = apple_portal.pem(apple_portal.issue(pki.rsa_key(number=3).public_key()))

    refused = upload(client, stranger)
    assert refused.status_code == 422
    assert "made for a key that this server does not have" in text(refused)
    client.post(f"{MDM}/request", {"anew": "on"})
    renewed = upload(client, apple_portal.answer(bytes(PushRequest.objects.get().csr), days=365))
    assert renewed.status_code == 302
    assert PushCertificate.objects.get().days_left(timezone.now()) > 300


@pytest.mark.parametrize("file", [b"nothing", b"x" * 70_000])
def test_a_file_that_is_no_certificate_is_refused_with_the_reason(signed_in: SignedIn, file: bytes) -> None:
    answer = upload(signed_in(), file)

    assert answer.status_code == 422
    assert "This file holds no certificate." in text(answer)
    assert "Choose the file first." in text(signed_in("other").post(CERTIFICATE, {"apple_account": "x"}))


def test_consequences_are_confirmed_without_choosing_the_file_again(signed_in: SignedIn) -> None:
    client = signed_in()
    csr = bytes(push_requests.request(actor="test").csr)

    asked = upload(client, apple_portal.answer(csr, issuer=apple_portal.LABORATORY))
    assert "only a push service of a laboratory will accept it" in text(asked)
    assert not PushCertificate.objects.exists()
    given = re.search(r'name="given" value="([^"]+)"', text(asked))
    assert given is not None
    assert client.post(CERTIFICATE, {"given": given[1], "confirmed": "on"}).status_code == 302
    assert PushCertificate.objects.exists()


def test_who_is_at_the_keyboard_is_asked_before_a_key_is_replaced(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in()
    now = time.time()
    monkeypatch.setattr("users.services.portal_sign_in.time.time", lambda: now + 301)
    confirm = "/admin/confirm?next=%2Fadmin%2Fsettings%2Fios-mdm%2Fcertificate"

    assert client.get(CERTIFICATE)["Location"] == confirm
    assert client.post(f"{MDM}/request")["Location"] == confirm
    assert client.post(f"{MDM}/signed")["Location"] == confirm
    assert not PushRequest.objects.exists()


def test_a_vendors_file_is_checked_before_apple_sees_it(signed_in: SignedIn) -> None:
    client = signed_in()
    push_requests.request(actor="test")

    answer = client.post(f"{MDM}/signed", {"signed": SimpleUploadedFile("s", b"nothing")})
    assert answer.status_code == 422
    assert "This is not a signed request." in text(answer)


# --- Enrollment domains -----------------------------------------------------------------------------------------------


def test_domains_are_added_and_removed(signed_in: SignedIn) -> None:
    client = signed_in()

    client.post(f"{DOMAINS}/add", {"domain": " Example.COM "})
    assert options.enrollment_domains() == ("mdm.example.test", "example.com")
    assert "example.com" in text(client.get(DOMAINS))
    assert "Remove example.com?" in text(client.get(f"{DOMAINS}/remove?domain=example.com"))
    client.post(f"{DOMAINS}/remove", {"domain": "example.com"})
    assert options.enrollment_domains() == ("mdm.example.test",)
    assert SettingRow.objects.get().value == ""
    assert AuditEntry.objects.filter(action="setting.changed").count() == 2


@pytest.mark.parametrize(
    "typed", ["", "nothing", "a.test,b.test", "127.0.0.1", "mdm.example.test", "x" * 300 + ".test"]
)
def test_what_is_no_new_domain_is_refused(signed_in: SignedIn, typed: str) -> None:
    answer = signed_in().post(f"{DOMAINS}/add", {"domain": typed})

    assert answer.status_code == 422
    assert "This value is not possible." in text(answer)
    assert not SettingRow.objects.exists()


def test_the_file_and_the_rules_of_each_server_are_shown(signed_in: SignedIn) -> None:
    client = signed_in()
    settings_store.change("enrollment.domains", "example.com", actor="test")
    settings_store.change(options.AAUE.name, "on", actor="test")

    file = text(client.get(f"{DOMAINS}/files?what=file&domain=example.com")).replace("&quot;", '"')
    document = re.search(r"<pre[^>]*>(.*?)</pre>", file, re.DOTALL)
    assert document is not None
    assert json.loads(document[1]) == {
        "Servers": [{"Version": "mdm-byod", "BaseURL": "https://mdm.example.test:8443/enroll/aaue"}]
    }
    rules = text(client.get(f"{DOMAINS}/files?what=rules&domain=example.com"))
    assert all(server in rules for server in ("nginx", "Apache", "IIS", "Cloudflare"))
    target = "https://mdm.example.test:8443/.well-known/com.apple.remotemanagement"
    assert f"return 307 {target}$is_args$args;" in rules
    assert rules.count(target) == 4
    assert client.get(f"{DOMAINS}/files?domain=elsewhere.test").status_code == 404


Handler = Callable[[httpx2.Request], httpx2.Response]
GOOD = {"Servers": [{"Version": "mdm-adde", "BaseURL": "https://mdm.example.test:8443/enroll/adde"}]}


def look(handler: Handler, *, seconds: float = 5.0) -> tuple[dict[str, Verdict], str]:
    findings = domain_check.check("example.com", inner=lambda: httpx2.MockTransport(handler), seconds=seconds)
    return {each.subject: each.verdict for each in findings}, " ".join(each.sentence for each in findings)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What names resolve to, as this test has it."""
    known = {"example.com": "93.184.215.14"}

    def resolve(host: str, *_rest: object, **_more: object) -> list[Any]:
        if host not in known:
            raise socket.gaierror
        return [(0, 0, 0, "", (address, 443)) for address in known[host].split()]

    monkeypatch.setattr("enrollment.services.domain_check.socket.getaddrinfo", resolve)
    return known


def test_a_domain_is_asked_as_a_device_asks_it(names: dict[str, str]) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json=GOOD)

    verdicts, sentences = look(answer)
    assert verdicts == {"HTTPS": Verdict.OK, "Answer": Verdict.OK, "BaseURL": Verdict.OK}
    assert "example.com at 93.184.215.14" in sentences
    (request,) = seen
    assert (request.url.host, request.headers["Host"]) == ("93.184.215.14", "example.com")
    assert request.extensions["sni_hostname"] == "example.com"
    assert request.url.params["user-identifier"] == "test@example.com"


def test_a_redirect_to_this_server_is_followed_and_no_other(names: dict[str, str]) -> None:
    def redirect(target: str) -> Handler:
        def answer(request: httpx2.Request) -> httpx2.Response:
            is_here = request.headers["Host"].startswith("mdm.example.test")
            return httpx2.Response(200, json=GOOD) if is_here else httpx2.Response(307, headers={"Location": target})

        return answer

    verdicts, sentences = look(redirect("https://mdm.example.test:8443/.well-known/com.apple.remotemanagement"))
    assert verdicts["Answer"] == Verdict.OK
    assert "mdm.example.test at 127.0.0.1" in sentences  # unknown to names, as in a laboratory

    for elsewhere in (
        "https://other.test/x",
        "https://example.com:8080/",
        "https://mdm.example.test/",
        "https://10.0.0.1/",
    ):
        verdicts, sentences = look(redirect(elsewhere))
        assert verdicts == {"HTTPS": Verdict.OK, "Redirect": Verdict.WARNING}, elsewhere
        assert "where this test does not go" in sentences
    verdicts, _ = look(redirect("http://example.com/"))
    assert verdicts["Answer"] == Verdict.STOPS


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "93.184.215.14 192.168.0.1", "fd00::1"]
)
def test_nobody_looks_into_the_networks_around(names: dict[str, str], address: str) -> None:
    names["example.com"] = address

    def answer(_request: httpx2.Request) -> httpx2.Response:
        raise AssertionError("asked")

    verdicts, sentences = look(answer)
    assert verdicts == {"Answer": Verdict.STOPS}
    assert "inside a network (not public)" in sentences


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:a00:1::",
        "100.64.0.1",
        "224.0.0.1",
        "0.0.0.0",
        "ff02::1",
    ],
)
def test_an_inner_address_in_disguise_is_one(address: str) -> None:
    assert not domain_check.is_public(ip_address(address))
    assert domain_check.is_public(ip_address("2606:2800:21f::1"))


def _slow() -> Iterator[bytes]:
    while True:
        time.sleep(0.05)
        yield b" "


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (lambda: httpx2.Response(404), "404"),
        (lambda: httpx2.Response(200, text="{}"), "not application/json"),
        (lambda: httpx2.Response(200, json=[]), "Servers is not a list"),
        (lambda: httpx2.Response(200, json={"Servers": [{"Version": "mdm-adde"}]}), "BaseURL is missing"),
        (lambda: httpx2.Response(200, json={"x": "x" * 20_000}), "far too large"),
        (lambda: httpx2.Response(200, content=_slow()), "took too long"),
    ],
)
def test_what_a_device_would_not_take_is_told(
    names: dict[str, str], response: Callable[[], httpx2.Response], sentence: str
) -> None:
    began = time.monotonic()
    verdicts, sentences = look(lambda _request: response(), seconds=1.0)

    assert verdicts["Answer"] == Verdict.STOPS
    assert sentence in sentences
    assert time.monotonic() - began < 5


def test_a_name_that_does_not_resolve_and_another_server_are_told(names: dict[str, str]) -> None:
    other = {"Servers": [{"Version": "mdm-adde", "BaseURL": "https://other.test/enroll"}]}
    verdicts, sentences = look(lambda _request: httpx2.Response(200, json=other))
    assert verdicts["BaseURL"] == Verdict.WARNING
    assert "which is not this server (mdm.example.test)" in sentences

    names.clear()
    assert "does not resolve" in look(lambda _request: httpx2.Response(200))[1]


def test_test_now_tells_what_was_found_and_leaves_a_line(signed_in: SignedIn, names: dict[str, str]) -> None:
    client = signed_in()
    names["example.com"] = "127.0.0.1"
    settings_store.change("enrollment.domains", "example.com", actor="test")

    answer = text(client.post(f"{DOMAINS}/test", {"domain": "example.com"}))
    assert "Stops enrollment" in answer
    entry = AuditEntry.objects.get(action="enrollment_domain.tested")
    assert (entry.subject, entry.status) == ("example.com", AuditEntry.Status.FAILED)
    assert client.post(f"{DOMAINS}/test", {"domain": "elsewhere.test"}).status_code == 404
