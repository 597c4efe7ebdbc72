"""A sign-in at an OpenID provider: the way there, and what comes back (code flow with PKCE, RFC 9700).

Nothing is stored on the way: what we must remember travels in a signed cookie of the browser that went, and its
`state` only there.  Each provider has a callback of its own, so that none can answer for another.
"""

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from django.core import signing
from django.db import IntegrityError, transaction
from django.http import HttpResponse

from epmm import outbound
from epmm.wire.errors import WireError
from users.errors import ProviderDoubted, ProviderDown, ProviderSaidNo, SignInStale
from users.models import IdentityProvider, SpentSignIn
from users.protocol import claims as codec
from users.protocol import id_token
from users.protocol.claims import Claimed, Names
from users.protocol.provider import load_object
from users.services.oidc import known
from users.services.oidc.known import Known

SECONDS: Final = 900  # from our page to the provider's callback
COOKIE: Final = "__Host-epmm-oidc-"
SALT: Final = "users.oidc"
LONGEST: Final = 4096  # of what a callback brings
WORD: Final = re.compile(r"[a-z_]{1,64}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a sign-in is for, and where its callback is."""

    name: str
    callback: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where the browser goes, and what it takes along."""

    address: str = field(repr=False)
    cookie: str
    value: str = field(repr=False)

    def respond(self) -> HttpResponse:
        response = HttpResponse(status=302, headers={"Location": self.address, "Cache-Control": "no-store"})
        self.pack(response)
        return response

    def pack(self, response: HttpResponse) -> None:
        # Lax: the way back is a navigation that another site begins
        response.set_cookie(self.cookie, self.value, max_age=SECONDS, secure=True, httponly=True, samesite="Lax")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody of whom the provider has said who it is."""

    claimed: Claimed
    id_token: str = field(repr=False)


def depart(
    provider: IdentityProvider, purpose: Purpose, *, keeps: str, login_hint: str = "", fresh: bool = False
) -> Departure:
    """`fresh`: the person is asked, whether or not the provider knows them already.  Raises ProviderRefused."""
    metadata = known.answering(provider.issuer).metadata
    state, nonce, verifier = (secrets.token_urlsafe(32) for _each in range(3))
    more = {"login_hint": login_hint} if login_hint else {}
    if fresh:
        more |= {"prompt": "login", "max_age": "0"}
    client = OAuth2Client(
        None,
        client_id=provider.client_id,
        scope=provider.scopes,
        redirect_uri=purpose.callback,
        code_challenge_method="S256",
    )
    address, _state = client.create_authorization_url(
        metadata.authorization_endpoint, state=state, code_verifier=verifier, nonce=nonce, **more
    )
    remembered = {
        "provider": provider.pk,
        "purpose": purpose.name,
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "keeps": keeps,
        "fresh": int(time.time()) if fresh else 0,
    }
    return Departure(address=address, cookie=_cookie(state), value=signing.dumps(remembered, salt=SALT, compress=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One that began in this very browser; whether it led anywhere, nobody has looked yet."""

    provider: IdentityProvider
    purpose: Purpose
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    keeps: str = field(repr=False)  # what was given along
    fresh: int  # since when the person must have been asked; 0: whenever

    @property
    def cookie(self) -> str:
        return _cookie(self.state)


def recall(
    provider: IdentityProvider, purpose: Purpose, *, query: Mapping[str, str], cookies: Mapping[str, str]
) -> Trip:
    """The browser is back.  Raises ProviderRefused."""
    state = query.get("state", "")
    if not 0 < len(state) <= LONGEST or not state.isascii():
        raise SignInStale("no state")
    try:
        remembered: dict[str, Any] = signing.loads(cookies.get(_cookie(state), ""), salt=SALT, max_age=SECONDS)
    except signing.BadSignature as error:
        raise SignInStale("no cookie of this sign-in") from error
    if not hmac.compare_digest(remembered["state"], state):
        raise SignInStale("another state")
    if (remembered.pop("provider"), remembered.pop("purpose")) != (provider.pk, purpose.name):
        raise ProviderDoubted("the callback of another provider or purpose")
    return Trip(provider=provider, purpose=purpose, **remembered)


def complete(trip: Trip, *, query: Mapping[str, str]) -> Arrival:
    """Who it is.  Raises ProviderRefused."""
    provider, found = trip.provider, known.of(trip.provider.issuer)
    _check_origin(found, query)
    if "error" in query:
        raise ProviderSaidNo(_word(query["error"]))
    code = query.get("code", "")
    if not 0 < len(code) <= LONGEST:
        raise ProviderDoubted("no code")
    tokens = _exchange(trip, found, code)
    claims = _believed(trip, found, tokens)
    _spend(trip.state)
    names = names_of(provider)
    if codec.lacks(claims, names) and found.metadata.userinfo_endpoint:
        claims = _userinfo(found, tokens["access_token"], claims) | claims
    return Arrival(claimed=codec.read(claims, names), id_token=tokens["id_token"])


def names_of(provider: IdentityProvider) -> Names:
    return Names(
        user_id=provider.user_id_claim,
        email=provider.email_claim,
        full_name=provider.name_claim,
        first_name=provider.first_name_claim,
        last_name=provider.last_name_claim,
        groups=provider.groups_claim,
        account=provider.account_claim,
    )


def sign_out_address(provider: IdentityProvider, *, id_token_hint: str, then: str) -> str:
    """Where the provider ends its own session (OpenID Connect RP-Initiated Logout); empty when it cannot."""
    try:
        endpoint = known.of(provider.issuer).metadata.end_session_endpoint
    except (ProviderDown, ProviderDoubted):
        return ""
    if not endpoint:
        return ""
    asked = {"client_id": provider.client_id, "post_logout_redirect_uri": then}
    if id_token_hint:
        asked["id_token_hint"] = id_token_hint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def _cookie(state: str) -> str:
    """One for each sign-in, so that two windows do not disturb each other."""
    return COOKIE + hashlib.sha256(state.encode()).hexdigest()[:16]


def _check_origin(found: Known, query: Mapping[str, str]) -> None:
    """RFC 9207: against a provider that passes on the code of another."""
    named = query.get("iss")
    if named is None and not found.metadata.names_itself:
        return
    if named != found.metadata.issuer:
        raise ProviderDoubted("the callback names another issuer")


def _word(error: str) -> str:
    """Of the codes in RFC 6749 and OpenID Connect; anybody can write anything there."""
    return error if WORD.fullmatch(error) else "an error"


def _exchange(trip: Trip, found: Known, code: str) -> dict[str, str]:
    provider = trip.provider
    secret = bytes(provider.client_secret).decode() if provider.client_secret else None
    client = OAuth2Client(
        _Session(),
        client_id=provider.client_id,
        client_secret=secret,
        token_endpoint_auth_method=found.metadata.auth_method(has_secret=secret is not None),
        redirect_uri=trip.purpose.callback,
    )
    try:
        tokens = client.fetch_token(
            found.metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=trip.verifier
        )
    except OAuth2Error as error:
        # `invalid_grant`: the code is spent or too old
        raise ProviderDoubted(f"token endpoint: {_word(str(error.error))}") from error
    except (ValueError, TypeError) as error:
        raise ProviderDoubted("token endpoint: an answer that cannot be read") from error
    if not all(isinstance(tokens.get(name), str) for name in ("access_token", "id_token")):
        raise ProviderDoubted("token endpoint: no ID token")
    return {name: tokens[name] for name in ("access_token", "id_token")}


def _believed(trip: Trip, found: Known, tokens: dict[str, str]) -> dict[str, Any]:
    provider = trip.provider
    expected = id_token.Expected(
        issuer=found.metadata.issuer,
        client_id=provider.client_id,
        nonce=trip.nonce,
        access_token=tokens["access_token"],
        signed_in_after=trip.fresh or None,
    )
    now = int(time.time())
    try:
        try:
            return id_token.read(tokens["id_token"], found.keys, expected, now=now)
        except id_token.UnknownKey:
            return id_token.read(tokens["id_token"], known.with_new_keys(provider.issuer).keys, expected, now=now)
    except WireError as error:
        log.warning("%s: %s", provider.name, error)
        raise ProviderDoubted(str(error)) from error


def _spend(state: str) -> None:
    """The database decides between two callbacks of one sign-in."""
    try:
        with transaction.atomic():
            SpentSignIn.objects.create(sha256=hashlib.sha256(state.encode()).digest())
    except IntegrityError as error:
        raise SignInStale("used before") from error


def _userinfo(found: Known, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
    """5.3.4: of the same person.  What the ID token says counts more."""
    try:
        more = load_object(known.get(found.metadata.userinfo_endpoint, bearer=access_token))
    except WireError as error:
        raise ProviderDoubted(f"userinfo: {error}") from error
    if more.get("sub") != claims["sub"]:
        raise ProviderDoubted("userinfo: another sub")
    return more


class _Session:
    """What Authlib posts its requests with."""

    def post(self, url: str, *, data: dict[str, str], headers: dict[str, str], auth: Any) -> "_Answer":
        url, headers, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        try:
            return _Answer(outbound.send("POST", url, headers=headers, content=body.encode()))
        except outbound.Unreachable as error:
            raise ProviderDown(str(error)) from error


class _Answer:
    def __init__(self, reply: outbound.Reply) -> None:
        self.status_code, self._body = reply.status, reply.body

    def json(self) -> dict[str, Any]:
        return load_object(self._body)

    def raise_for_status(self) -> None:
        raise ProviderDown(f"token endpoint answered {self.status_code}")
