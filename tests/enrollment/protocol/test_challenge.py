"""The 401 on purpose, the bearer that answers it, the callback that ends the sign-in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrollment.protocol.challenge import bearer, callback_url, code_url, oauth_challenge, web_challenge

TOKEN = "Zk3p-opaque_0"


def test_challenge_as_apple_prints_it() -> None:
    url = "https://mdm.corp.example/account-enroll/sign-in?s=9c1e"

    assert web_challenge(url) == f'Bearer method="apple-as-web", url="{url}"'


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/enroll/sign-in",
        "//mdm.corp.example/",
        "https:///path",
        "ftp://mdm.corp.example/",
        'https://mdm.corp.example/"',
        "https://mdm.corp.example/\\",
        "https://mdm.corp.example/ x",
        "https://mdm.corp.example/\r\nX-Header: 1",
        "https://mdm.corp.example/ü",
        "https://mdm.corp.example/\x7f",
    ],
)
def test_url_that_cannot_be_announced(url: str) -> None:
    with pytest.raises(ValueError, match="absolute"):
        web_challenge(url)


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN}"])
def test_bearer(header: str) -> None:
    assert bearer(header) == TOKEN


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer\t{TOKEN}",
        f"Bearer{TOKEN}",
        f" Bearer {TOKEN}",
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN}\n",
        f"Bearer {TOKEN} x",
        f"Bearer {TOKEN},Bearer x",
        f'Bearer "{TOKEN}"',
        f"Bearer {TOKEN}==",
        f"Bearer {TOKEN}.x",
        "Bearer tökén",
        "Bearer \N{LATIN SMALL LETTER LONG S}",  # ignoring case, this one is an s
        "Bearer " + "x" * 513,
    ],
)
def test_no_bearer(header: str | None) -> None:
    assert bearer(header) is None


@settings(deadline=None)
@given(st.text())
def test_bearer_survives_any_header(text: str) -> None:
    token = bearer(f"Bearer {text}")

    assert token is None or (token == text.lstrip(" ") and callback_url(token).isascii())


def test_callback_as_apple_prints_it() -> None:
    assert callback_url(TOKEN) == f"apple-remotemanagement-user-login://authentication-results?access-token={TOKEN}"


@pytest.mark.parametrize("token", ["", "a b", "a&b=c", "a\n", "ü", "x" * 513])
def test_token_that_would_need_escaping(token: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        callback_url(token)


OAUTH = {
    "authorization_url": "https://mdm.corp.example/oauth2/authorize",
    "token_url": "https://mdm.corp.example/oauth2/token",
    "client_id": "apple-adde",
    "scope": "mdm",
}


def test_oauth_challenge_as_apple_prints_it() -> None:
    assert oauth_challenge(**OAUTH) == (
        'Bearer method="apple-oauth2", authorization-url="https://mdm.corp.example/oauth2/authorize", '
        'token-url="https://mdm.corp.example/oauth2/token", '
        'redirect-url="apple-remotemanagement-user-login:/oauth2/redirection", client-id="apple-adde", scope="mdm"'
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"authorization_url": "http://mdm.corp.example/"},
        {"token_url": "http://mdm.corp.example/"},
        {"token_url": 'https://mdm.corp.example/"'},
        {"client_id": ""},
        {"client_id": 'a"'},
        {"scope": "a\r\nb"},
    ],
)
def test_oauth_challenge_that_cannot_be_made(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"quoted|absolute"):
        oauth_challenge(**OAUTH | wrong)


def test_the_code_goes_back_with_the_state_as_it_came() -> None:
    assert code_url("C1", "S 1&x=%2f/") == (
        "apple-remotemanagement-user-login:/oauth2/redirection?code=C1&state=S%201%26x%3D%252f%2F"
    )
    with pytest.raises(ValueError, match="base64url"):
        code_url("C&1", "S1")
