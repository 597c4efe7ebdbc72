"""What a device asks our authorization server (RFC 6749, 4.1 and 6; RFC 7636): a public client, one of its kind."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from enrollment.protocol.challenge import REDIRECT_URL

CLIENT_ID: Final = "apple-account-driven"
SCOPE: Final = "mdm"
LONGEST: Final = 8192  # of a request
LONGEST_STATE: Final = 1024
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, 4.1
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class OAuthError(Exception):
    """RFC 6749, 5.2: `code` is the word for the device."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    state: str = field(repr=False)
    login_hint: str = ""
    code_challenge: str = ""

    @classmethod
    def parse(cls, query: str) -> Self:
        """Apple's example has neither `scope` nor PKCE; both are taken as they come, and held to."""
        given = _pairs(query)
        _check_client(given)
        if given.get("response_type") != "code":
            raise OAuthError("unsupported_response_type")
        if given.get("scope", SCOPE) != SCOPE:
            raise OAuthError("invalid_scope")
        state = given.get("state", "")
        if not 0 < len(state) <= LONGEST_STATE or not state.isprintable():
            raise OAuthError("invalid_request")
        return cls(state=state, login_hint=given.get("login_hint", ""), code_challenge=_code_challenge(given))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    code: str = field(repr=False)
    code_verifier: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRequest:
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int

    def document(self) -> dict[str, Any]:
        return {
            "token_type": "Bearer",
            "scope": SCOPE,
            "access_token": self.access_token,
            "expires_in": self.expires_in,
            "refresh_token": self.refresh_token,
        }


def parse_token_request(body: str) -> CodeRequest | RefreshRequest:
    given = _pairs(body)
    match given.get("grant_type"):
        case "authorization_code":
            _check_client(given)
            return CodeRequest(code=_required(given, "code"), code_verifier=given.get("code_verifier", ""))
        case "refresh_token":
            _check_client(given | {"redirect_uri": REDIRECT_URL})
            return RefreshRequest(refresh_token=_required(given, "refresh_token"))
        case None:
            raise OAuthError("invalid_request")
        case _:
            raise OAuthError("unsupported_grant_type")


def proves(verifier: str, challenge: str) -> bool:
    """RFC 7636, 4.6, for S256.  Without a challenge nothing is to be proved."""
    if not challenge:
        return True
    if not _VERIFIER.fullmatch(verifier):
        return False
    made = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return compare_digest(made, challenge)


def _pairs(text: str) -> dict[str, str]:
    """3.1: no parameter comes twice."""
    if len(text) > LONGEST:
        raise OAuthError("invalid_request")
    pairs = parse_qsl(text, keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs):
        raise OAuthError("invalid_request")
    return given


def _check_client(given: Mapping[str, str]) -> None:
    if given.get("client_id") != CLIENT_ID:
        raise OAuthError("invalid_client")
    if given.get("redirect_uri") != REDIRECT_URL:
        raise OAuthError("invalid_request")


def _code_challenge(given: Mapping[str, str]) -> str:
    challenge = given.get("code_challenge", "")
    if not challenge and "code_challenge_method" not in given:
        return ""
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request")
    return challenge


def _required(given: Mapping[str, str], name: str) -> str:
    value = given.get(name, "")
    if not value:
        raise OAuthError("invalid_request")
    return value
