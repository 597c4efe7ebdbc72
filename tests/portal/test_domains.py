"""Settings > Enrollment domains: what people type after the @, what stands there, and a test that is no probe."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import httpx2
import pytest

from enrollment.services import domain_check
from enrollment.services.findings import Verdict
from epmm import options, outbound, settings_store
from epmm.models import AuditEntry, SettingRow
from epmm.option_texts import OFFERS
from tests.portal.conftest import SignedIn
from tests.portal.pages import text

pytestmark = pytest.mark.django_db(transaction=True)
DOMAINS = "/admin/settings/domains"


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


@pytest.mark.parametrize("host", ["localhost", "192.0.2.7"])
def test_a_host_that_is_no_domain_makes_room_for_the_first_one(signed_in: SignedIn, settings: Any, host: str) -> None:
    """As `./run` is called at first."""
    client = signed_in()
    settings.PUBLIC_HOST = host

    client.post(f"{DOMAINS}/add", {"domain": "example.com"})
    assert options.enrollment_domains() == ("example.com",)
    client.post(f"{DOMAINS}/add", {"domain": "corp.example.com"})
    assert options.enrollment_domains() == ("example.com", "corp.example.com")
    for domain in ("example.com", "corp.example.com"):
        client.post(f"{DOMAINS}/remove", {"domain": domain})
    assert options.enrollment_domains() == (host,)


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


def test_what_a_domain_offers_is_narrowed_in_a_dialog(signed_in: SignedIn) -> None:
    client = signed_in()
    settings_store.change("enrollment.domains", "example.com,other.test", actor="test")
    settings_store.change(options.ADDE.name, "on", actor="test")
    assert text(client.get(f"{DOMAINS}/offers?domain=example.com")).count("checked") == len(OFFERS)

    nothing = client.post(f"{DOMAINS}/offers", {"domain": "example.com", "go": "1"})
    assert (nothing.status_code, options.domain_offers("example.com")) == (422, frozenset(OFFERS))
    assert "at least" in text(nothing)
    chosen = {"domain": "example.com", "go": "1", "adde": ["Mac", "iPad"], "aaue": ["iPhone"]}
    assert client.post(f"{DOMAINS}/offers", chosen).status_code == 204
    assert options.domain_offers("example.com") == {"adde/iPad", "adde/Mac", "aaue/iPhone"}
    assert options.domain_offers("other.test") == set(OFFERS)
    entry = AuditEntry.objects.get(subject=options.DOMAIN_OFFERS.name)
    assert (entry.actor, entry.details["from"]) == ("admin", "")
    page = text(client.get(DOMAINS))
    assert re.findall(r': <span class="quiet">(.*?)<', page) == [
        "iPad, Mac",
        "iPhone, iPad, Mac, Apple Vision Pro",
    ]  # of the kind that is switched on
    assert "mdm-byod" not in text(client.get(f"{DOMAINS}/files?what=file&domain=example.com"))

    client.post(f"{DOMAINS}/remove", {"domain": "example.com"})
    client.post(f"{DOMAINS}/add", {"domain": "example.com"})
    assert options.domain_offers("example.com") == set(OFFERS)


Handler = Callable[[httpx2.Request], httpx2.Response]
GOOD = {"Servers": [{"Version": "mdm-adde", "BaseURL": "https://mdm.example.test:8443/enroll/adde"}]}


def look(handler: Handler, *, seconds: float = 5.0) -> tuple[dict[str, Verdict], str]:
    findings = domain_check.check("example.com", inner=lambda: httpx2.MockTransport(handler), seconds=seconds).findings
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
    assert not outbound.is_public(ip_address(address))
    assert outbound.is_public(ip_address("2606:2800:21f::1"))


def _slow() -> Iterator[bytes]:
    while True:
        time.sleep(0.05)
        yield b" "


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (lambda: httpx2.Response(404), "404"),
        (lambda: httpx2.Response(503), "ask Apple next"),
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
    verdicts, sentences = look(lambda _request: response(), seconds=2.0)

    assert verdicts["Answer"] == Verdict.STOPS
    assert sentence in sentences


def test_a_name_that_does_not_resolve_and_another_server_are_told(names: dict[str, str]) -> None:
    other = {"Servers": [{"Version": "mdm-adde", "BaseURL": "https://other.test/enroll"}]}
    verdicts, sentences = look(lambda _request: httpx2.Response(200, json=other))
    assert verdicts["BaseURL"] == Verdict.WARNING
    assert "which is not this server (mdm.example.test)" in sentences

    names.clear()
    assert "does not resolve" in look(lambda _request: httpx2.Response(200))[1]


def _answered(request: httpx2.Request) -> httpx2.Response:
    """Each domain in its own way."""
    match request.headers["Host"].partition(":")[0]:
        case "redirect.test":
            return httpx2.Response(
                307, headers={"Location": f"https://mdm.example.test:8443{request.url.raw_path.decode()}"}
            )
        case "file.test" | "mdm.example.test":
            family = request.url.params["model-family"]
            return httpx2.Response(200, json=GOOD) if family == "Mac" else httpx2.Response(403)
        case _:
            return httpx2.Response(404)


def test_the_page_says_how_each_domain_answered_when_it_was_tested(
    signed_in: SignedIn, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {
        "mdm.example.test": "This server is the domain.",
        "redirect.test": "Redirect",
        "file.test": "Static file",
        "nothing.test": "By Apple only: the domain itself does not answer.",
        "unknown.test": "Its web server redirects to this one, or serves a file.",  # nobody is reached
    }
    names |= dict.fromkeys(("redirect.test", "file.test", "nothing.test"), "93.184.215.14")
    monkeypatch.setattr(domain_check, "_tls", lambda: httpx2.MockTransport(_answered))
    client = signed_in()
    settings_store.change("enrollment.domains", ",".join(ways), actor="test")
    settings_store.change(options.ADDE.name, "on", actor="test")
    # asked as what it offers something to
    settings_store.change(options.DOMAIN_OFFERS.name, ",".join(f"{each}=adde/Mac" for each in ways), actor="test")

    for domain in ways:
        client.post(f"{DOMAINS}/test", {"domain": domain})

    row = r"<td><strong>(\S+)</strong>.*?</td>\s*<td>.*?</td>\s*<td>(.*?)</td>\s*<td>.*?>(OK|Failed)<"
    rows = re.findall(row, text(client.get(DOMAINS)), re.DOTALL)
    assert {domain: way for domain, way, _verdict in rows} == ways
    assert [verdict for *_row, verdict in rows] == ["OK", "OK", "OK", "Failed", "Failed"]


def test_test_now_tells_what_was_found_and_leaves_a_line(signed_in: SignedIn, names: dict[str, str]) -> None:
    client = signed_in()
    names["example.com"] = "127.0.0.1"
    settings_store.change("enrollment.domains", "example.com", actor="test")
    assert "Never tested" in text(client.get(DOMAINS))

    answer = text(client.post(f"{DOMAINS}/test", {"domain": "example.com"}))
    assert "Stops enrollment" in answer
    entry = AuditEntry.objects.get(action="enrollment_domain.tested")
    assert (entry.subject, entry.status) == ("example.com", AuditEntry.Status.FAILED)
    assert ">Failed</span>" in text(client.get(DOMAINS))
    assert client.post(f"{DOMAINS}/test", {"domain": "elsewhere.test"}).status_code == 404
