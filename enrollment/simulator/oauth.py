"""The device's side of `apple-oauth2`: a public client, as strict as Apple's page has it (RFC 6749)."""

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from enrollment.simulator.challenge import Asked
from enrollment.simulator.network import media_type, send
from enrollment.simulator.refusal import DeviceRefused, TurnedAway

_REACTION = "closes the sheet and cancels the enrollment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One authorization request; Apple's example has no PKCE, so it is sent only where a test asks for it."""

    asked: Asked
    identifier: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    verifier: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        asked = self.asked
        query = {"response_type": "code", "client_id": asked.client_id, "redirect_uri": asked.redirect_url}
        query |= {"state": self.state, "login_hint": self.identifier}
        if self.verifier:
            digest = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
            query |= {"code_challenge": digest, "code_challenge_method": "S256"}
        separator = "&" if urlsplit(asked.address).query else "?"
        return f"{asked.address}{separator}{urlencode(query)}"

    def code(self, response: httpx2.Response) -> str:
        """The one end of the sheet: the announced address to the letter, 308, and the state that was sent."""
        location = response.headers["Location"]
        if response.status_code != HTTPStatus.PERMANENT_REDIRECT:
            raise DeviceRefused(_REACTION, f"the callback came with status {response.status_code}, not 308")
        address, _, query = location.partition("?")
        if address != self.asked.redirect_url or "#" in query:
            raise DeviceRefused(_REACTION, "the callback is not the announced redirect-url")
        given = parse_qsl(query, keep_blank_values=True)
        if len(dict(given)) != len(given) or dict(given).get("state") != self.state:
            raise DeviceRefused(_REACTION, "the callback does not bring the state back")
        if "no-store" not in response.headers.get("Cache-Control", ""):
            raise DeviceRefused(_REACTION, "the answer with the code may be stored: Cache-Control lacks no-store")
        if not (code := dict(given).get("code")):
            raise DeviceRefused(_REACTION, "the callback brings no code")
        return code


def exchange(client: httpx2.Client, request: Request, code: str) -> Tokens:
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": request.asked.redirect_url}
    return _ask(client, request.asked, fields | ({"code_verifier": request.verifier} if request.verifier else {}))


def renew(client: httpx2.Client, asked: Asked, refresh_token: str) -> Tokens:
    return _ask(client, asked, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def _ask(client: httpx2.Client, asked: Asked, fields: Mapping[str, str]) -> Tokens:
    body = urlencode({**fields, "client_id": asked.client_id}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    response = send(client, client.build_request("POST", asked.token_url, content=body, headers=headers))
    if response.status_code != HTTPStatus.OK:
        error = str(_object(response).get("error", ""))
        raise TurnedAway("gets no token", f"the token endpoint answered {response.status_code} {error}",
                         status=response.status_code, code=error, sentence="")  # fmt: skip
    given = _object(response)
    if str(given.get("token_type", "")).lower() != "bearer" or not isinstance(given.get("access_token"), str):
        raise DeviceRefused("gets no token", "the answer of the token endpoint has no bearer token")
    if given.get("scope", asked.scope) != asked.scope or "no-store" not in response.headers.get("Cache-Control", ""):
        raise DeviceRefused("gets no token", "another scope, or an answer that may be stored")
    return Tokens(
        access_token=given["access_token"],
        refresh_token=given.get("refresh_token"),
        expires_in=int(given.get("expires_in", 0)),
    )


def _object(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content) if media_type(response) == "application/json" else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DeviceRefused("gets no token", "the answer of the token endpoint is no JSON object")
    return found
