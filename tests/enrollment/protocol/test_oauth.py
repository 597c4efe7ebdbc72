"""What a device asks the authorization server; Apple's example and all that is not one."""

import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import urlencode

import pytest

from enrollment.protocol import oauth
from enrollment.protocol.oauth import AuthorizationRequest, CodeRequest, OAuthError, RefreshRequest, Tokens

REDIRECT = "apple-remotemanagement-user-login:/oauth2/redirection"
ASKED = {
    "response_type": "code",
    "client_id": "apple-account-driven",
    "redirect_uri": REDIRECT,
    "state": "S1",
    "login_hint": "anna@corp.example",
}
CODE = {
    "grant_type": "authorization_code",
    "code": "C1",
    "redirect_uri": REDIRECT,
    "client_id": "apple-account-driven",
}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "R1", "client_id": "apple-account-driven"}
CHALLENGE = "x" * 43


def test_the_request_as_apple_prints_it() -> None:
    found = AuthorizationRequest.parse(urlencode(ASKED))

    assert (found.state, found.login_hint, found.code_challenge) == ("S1", "anna@corp.example", "")


def test_scope_and_pkce_are_taken_where_they_come() -> None:
    more = {"scope": "mdm", "code_challenge": CHALLENGE, "code_challenge_method": "S256", "unknown": "x"}

    assert AuthorizationRequest.parse(urlencode(ASKED | more)).code_challenge == CHALLENGE


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"client_id": "another"}, "invalid_client"),
        ({"redirect_uri": "apple-remotemanagement-user-login://oauth2/redirection"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"state": "x" * 1025}, "invalid_request"),
        ({"state": "a\nb"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"login_hint": "x" * 9000}, "invalid_request"),
    ],
)
def test_what_is_no_authorization_request(wrong: dict[str, str], code: str) -> None:
    with pytest.raises(OAuthError) as error:
        AuthorizationRequest.parse(urlencode(ASKED | wrong))

    assert error.value.code == code


@pytest.mark.parametrize("asked", ["", urlencode(ASKED) + "&state=S2", "%ff"])
def test_what_cannot_be_read(asked: str) -> None:
    with pytest.raises(OAuthError):
        AuthorizationRequest.parse(asked)


def test_token_requests() -> None:
    assert oauth.parse_token_request(urlencode(CODE)) == CodeRequest(code="C1")
    assert oauth.parse_token_request(urlencode(CODE | {"code_verifier": "v"})) == CodeRequest(
        code="C1", code_verifier="v"
    )
    assert oauth.parse_token_request(urlencode(REFRESH)) == RefreshRequest(refresh_token="R1")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "invalid_request"),
        (urlencode(CODE | {"grant_type": "password"}), "unsupported_grant_type"),
        (urlencode(CODE | {"client_id": "x"}), "invalid_client"),
        (urlencode(CODE | {"redirect_uri": "x"}), "invalid_request"),
        (urlencode(CODE | {"code": ""}), "invalid_request"),
        (urlencode(CODE) + "&code=C2", "invalid_request"),
        (urlencode(REFRESH | {"client_id": "x"}), "invalid_client"),
        (urlencode(REFRESH | {"refresh_token": ""}), "invalid_request"),
        ("x" * 8193, "invalid_request"),
    ],
)
def test_what_is_no_token_request(body: str, code: str) -> None:
    with pytest.raises(OAuthError) as error:
        oauth.parse_token_request(body)

    assert error.value.code == code


def test_the_answer() -> None:
    tokens = Tokens(access_token="A", refresh_token="R", expires_in=3600)

    assert tokens.document() == {
        "token_type": "Bearer",
        "scope": "mdm",
        "access_token": "A",
        "expires_in": 3600,
        "refresh_token": "R",
    }
    assert "'A'" not in repr(tokens)


def test_pkce() -> None:
    verifier = "v" * 43
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()

    assert oauth.proves(verifier, challenge)
    assert oauth.proves("", "")
    for wrong in ("", "w" * 43, "v" * 42, challenge):
        assert not oauth.proves(wrong, challenge)
