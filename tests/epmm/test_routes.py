"""Deny by default: the one list of what strangers may ask for, and every route held against it."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path, reverse
from django.urls.converters import IntConverter, UUIDConverter
from django.utils import timezone
from pytest_django.fixtures import Settings

from enrollment.services.sign_in import State
from epmm import rate_limit
from epmm.models import Heartbeat
from tests.recorded import ENROLLMENT_REQUEST
from users.self_guard import is_behind

pytestmark = pytest.mark.django_db

# The names of the routes that anyone may use, each with what may be asked there.
ANONYMOUS: dict[str, list[str]] = {
    "healthz": ["/healthz"],
    "readyz": ["/readyz"],
    "too-large": ["/too-large"],
    "status": ["/status/status.html"],
    "metrics": ["/metrics"],  # a test's address is on its list; see tests/deploy/test_metrics.py
    "well-known": [
        "/.well-known/com.apple.remotemanagement",
        "/.well-known/com.apple.remotemanagement?user-identifier=anna@mdm.example.test&model-family=iPhone",
        "/.well-known/com.apple.remotemanagement?user-identifier=anna@mdm.example.test&model-family=Watch",
    ],
    "enroll-anyone": ["/enroll/adde", "/enroll/adde/", "/enroll/aaue"],
    "enroll": ["/enroll/adde/AAAAAAAAAAAAAAAAAAAAAA"],
    "sign-in": [
        "/enroll/sign-in/altered",
        "/enroll/sign-in/" + State(reference="", base_reference="", kind="adde").seal(),
    ],
    "sign-in-at-provider": [
        "/enroll/provider/1/altered",
        "/enroll/provider/1/" + State(reference="", base_reference="", kind="adde").seal(),
    ],
    "oauth-authorize": [
        "/enroll/oauth2/authorize/altered",
        "/enroll/oauth2/authorize/" + State(reference="", base_reference="", kind="adde").seal(),
    ],
    "oauth-token": ["/enroll/oauth2/token"],
    "provider-callback": ["/enroll/provider/1/callback", "/enroll/provider/1/callback?state=x&code=y"],
    "declared-profile": [f"/declarations/profile/1/{'0' * 64}/{'0' * 64}"],  # the address is the secret
    "invited": [],  # leads to the help
    "admin": [],  # leads to the portal
    "portal:sign-in": ["/admin/sign-in"],
    "portal:second-factor": [],  # these two lead to the first, for who has not been there
    "portal:new-password": [],
    "portal:sign-in-provider": [],
    "portal:sign-in-provider-callback": ["/admin/sign-in/provider/1/callback"],
    "portal:sign-out": [],
    "portal:theme": [],
    "portal:language": [],
    "self:home": ["/"],
    "self:go": ["/go"],
    "self:help": ["/help/enroll", "/help/enroll?for=altered"],
    "self:help-family": ["/help/enroll/iphone", "/help/enroll/mac", "/help/enroll/watch"],
    "self:privacy": ["/help/privacy", "/help/privacy?device=mac&kind=aaue", "/help/privacy?device=x&kind=x"],
    "self:sign-in": ["/my/sign-in"],
    "self:sign-in-code": [],  # these two lead to the first, for who has not been there
    "self:sign-in-password": [],
    "self:sign-out": [],
    "scep": ["/scep", "/scep?operation=GetCACaps", "/scep?operation=GetCACert", "/scep?operation=PKIOperation"],
}
PATHS = [path for paths in ANONYMOUS.values() for path in paths]
NOT_THERE = [
    "/nothing",
    "/enroll",
    "/enroll/tvos",
    "/mdm/connect",
    "/admin/nothing",
    "/static/nothing.css",
    "/my/nothing",
    "/help/nothing",
    "//",
    "/%00",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
EXAMPLES: dict[type, object] = {IntConverter: 1, UUIDConverter: UUID(int=0)}
REFUSED = {401, 403, 405}
TELLTALE = {"Server", "X-Powered-By", "Via", "X-AspNet-Version", "X-Django-Version"}
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


SCRIPTED = {"script-src": "'self'", "connect-src": "'self'", "manifest-src": "'self'"}


@pytest.fixture(autouse=True)
def nobody_has_called() -> None:
    """These ask more often than one address may, taken together."""
    rate_limit.forget()


def is_portal(where: str) -> bool:
    return where.startswith("/admin")


def has_forms(where: str) -> bool:
    """Pages whose forms rest on a cookie are known by where they come from."""
    path, _mark, _query = where.partition("?")
    return is_portal(where) or is_behind("/" if path == "//" else path)  # the test client reads that as a host


def cookies_at(where: str) -> set[str]:
    signs_in = where in ("/my/sign-in", "/go") or where.startswith("/admin/sign-in")
    return {"__Host-epmm-csrf"} if signs_in else set()


def routes(patterns: Any, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, f"{pattern.namespace}:" if pattern.namespace else namespace)
        else:
            yield namespace + (pattern.name or ""), pattern


def open_to_strangers(client: Client) -> set[str]:
    """The routes that do not refuse whoever comes without credentials, whatever the method."""
    return {
        name
        for name, route in routes(get_resolver().url_patterns)
        if name not in ANONYMOUS
        and not all(_is_refusal(client.generic(method, _example(name, route))) for method in METHODS)
    }


def _is_refusal(response: Any) -> bool:
    is_sent_away = response.status_code == 302 and response["Location"].startswith(("/admin/sign-in", "/my/sign-in"))
    return is_sent_away or response.status_code in REFUSED


def _example(name: str, route: URLPattern) -> str:
    """An address of it, with something in each place."""
    converters = route.pattern.converters
    found = {name: EXAMPLES.get(type(converter), "x") for name, converter in converters.items()}
    return reverse(name, kwargs=found)


def test_nothing_is_open_that_is_not_on_the_list(client: Client) -> None:
    assert open_to_strangers(client) == set()
    assert all(route.name for _, route in routes(get_resolver().url_patterns))


def test_the_list_names_no_route_that_is_gone() -> None:
    assert ANONYMOUS.keys() <= {name for name, _ in routes(get_resolver().url_patterns)}


def test_a_route_that_somebody_forgot_to_close_is_found(client: Client, settings: Settings) -> None:
    def careless(_request: HttpRequest, **_arguments: object) -> HttpResponse:
        return HttpResponse("everybody's secrets")

    def careful(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=403)

    settings.ROOT_URLCONF = (
        path("healthz", careless, name="healthz"),
        path("devices/<int:number>/<uuid:name>", careless, name="devices"),
        path("people", careful, name="people"),
    )

    assert open_to_strangers(client) == {"devices"}


@pytest.mark.parametrize("method", METHODS)
def test_no_answer_to_strangers_sets_a_cookie_redirects_or_tells_versions(client: Client, method: str) -> None:
    Heartbeat.objects.create(name="worker", at=timezone.now())
    for where in PATHS + NOT_THERE:
        response = client.generic(method, where, ENROLLMENT_REQUEST, content_type="application/octet-stream")

        assert response.status_code < 500, where
        assert response.status_code // 100 != 3, where
        assert response.cookies.keys() <= cookies_at(where), where
        assert not TELLTALE & set(response.headers), where
        assert response["X-Content-Type-Options"] == "nosniff", where
        assert response["Referrer-Policy"] == ("same-origin" if has_forms(where) else "no-referrer"), where
        if response.status_code == 401:
            assert response["WWW-Authenticate"].startswith('Bearer method="apple-as-web", url="https://'), where


def test_every_page_has_the_strict_policy(client: Client) -> None:
    pages = {}
    for where in PATHS + NOT_THERE:
        response = client.get(where)
        if response["Content-Type"].startswith("text/html"):
            pages[where] = response["Content-Security-Policy"]

    assert {"/", PATHS[PATHS.index("/enroll/sign-in/altered") + 1], "/nothing"} <= pages.keys()
    for where, policy in pages.items():
        directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
        targets = directives.pop("form-action").split()
        assert directives == POLICY | (SCRIPTED if is_portal(where) else {}), where
        callback = (
            ["apple-remotemanagement-user-login:"]
            if where.startswith(("/enroll/sign-in/", "/enroll/provider/1/callback"))
            else []
        )
        assert targets == ["'self'", *callback], where
