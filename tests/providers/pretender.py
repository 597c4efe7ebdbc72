"""An OpenID provider of our own for tests: it does what the protocol asks, and whatever wrong a test wants of it.

It answers at `https://login.example.test`, for our server (in the place of the network) and for browsers alike.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from epmm import outbound
from tests import pki
from users.models import IdentityProvider
from users.services.oidc import known

ISSUER: Final = "https://login.example.test"
CLIENT: Final = "epmm"
SECRET: Final = "a secret between the two of them"
PASSWORD: Final = "a password for the provider"
Claims = dict[str, Any]


def rsa(number: int) -> RSAKey:
    return RSAKey.import_key(
        pki.Identity(pki.issue("x").certificate, pki.rsa_key(number=number)).key_pem, {"kid": f"k{number}"}
    )


@dataclass
class Pretender(httpx2.BaseTransport):
    person: Claims = field(default_factory=lambda: {"sub": "s-anna", "preferred_username": "anna", "name": "Anna Berg"})
    issuer: str = ISSUER
    is_down: bool = False
    asks: bool = True  # for a password; else everybody is signed in already
    says_no: str = ""
    key: int = 80
    changed: Callable[[Claims], Claims] = lambda claims: claims  # the ID token, before it is signed
    signed: Callable[[str], str] = lambda token: token  # and after
    metadata: Claims = field(default_factory=dict)
    callback: Claims = field(default_factory=dict)  # more of what its callback says
    userinfo: Claims | None = None  # None: all in the ID token
    asked: list[dict[str, str]] = field(default_factory=list)  # authorization requests
    calls: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(request.url.path)
        if self.is_down:
            raise httpx2.ConnectError("nobody is there", request=request)
        query = dict(parse_qsl(request.url.query.decode()))
        form = dict(parse_qsl(request.read().decode()))
        match request.url.path:
            case "/.well-known/openid-configuration":
                answer = httpx2.Response(200, json=self._metadata())
            case "/keys":
                answer = httpx2.Response(200, json={"keys": [rsa(self.key).as_dict(private=False)]})
            case "/authorize":
                self.asked.append(query)
                answer = self._page(query) if self.asks and not self.says_no else self._back(query)
            case "/login":
                answer = self._back(form) if form.pop("password") == PASSWORD else self._page(form)
            case "/token":
                answer = self._tokens(form, request.headers.get("Authorization", ""))
            case "/userinfo":
                answer = httpx2.Response(200, json=self.userinfo)
            case _:
                answer = httpx2.Response(404)
        return answer

    def _metadata(self) -> Claims:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "end_session_endpoint": f"{ISSUER}/logout",
        }
        return said | ({"userinfo_endpoint": f"{ISSUER}/userinfo"} if self.userinfo else {}) | self.metadata

    def _page(self, query: dict[str, str]) -> httpx2.Response:
        hidden = "".join(f'<input type="hidden" name="{n}" value="{escape(v)}">' for n, v in query.items())
        user = escape(query.get("login_hint", ""))
        page = f"""<!doctype html><title>Sign in</title><form method="post" action="/login">{hidden}
            <input name="username" autocomplete="username" value="{user}">
            <input name="password" type="password" autocomplete="current-password"><button>Go</button></form>"""
        # as strict as they come: whoever submits this form is not led to another scheme by what follows
        ours = httpx2.URL(query["redirect_uri"])
        policy = f"default-src 'none'; form-action 'self' {ours.scheme}://{ours.netloc.decode()}"
        return httpx2.Response(200, html=page, headers={"Content-Security-Policy": policy})

    def _back(self, query: dict[str, str]) -> httpx2.Response:
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        said = {"error": self.says_no} if self.says_no else {"code": code}
        said |= {"state": query["state"]} | self.callback
        return httpx2.Response(302, headers={"Location": f"{query['redirect_uri']}?{urlencode(said)}"})

    def _tokens(self, form: dict[str, str], authorization: str) -> httpx2.Response:
        known_as = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != f"Basic {known_as}":
            return httpx2.Response(401, json={"error": "invalid_client"})
        asked = self.codes.pop(form["code"], None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"] or not _proves(form, asked):
            return httpx2.Response(400, json={"error": "invalid_grant"})
        access = secrets.token_urlsafe(16)
        return httpx2.Response(
            200, json={"access_token": access, "token_type": "Bearer", "id_token": self._id_token(asked, access)}
        )

    def _id_token(self, asked: dict[str, str], access: str) -> str:
        now = int(time.time())
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims = self.person | {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": asked["nonce"],
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        key = rsa(self.key)
        return self.signed(jwt.encode({"alg": "RS256", "kid": key.kid}, self.changed(claims), key))


def _proves(form: dict[str, str], asked: dict[str, str]) -> bool:
    """RFC 7636, 4.6."""
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]


def row(**changes: Any) -> IdentityProvider:
    """As an administrator has set it up."""
    values: dict[str, Any] = {"name": "Corp Login", "issuer": ISSUER, "client_id": CLIENT} | changes
    return IdentityProvider.objects.create(client_secret=SECRET.encode(), **values)


@contextmanager
def in_place() -> Iterator[Pretender]:
    """Our server finds it wherever it asks."""
    pretender = Pretender()
    known.forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbound, "transport", lambda: pretender)
        patch.setattr(outbound, "permitted_address", lambda host, _port, **_more: host)
        yield pretender
    known.forget()


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    with in_place() as made:
        yield made
