"""The 401 on purpose, the bearer that answers it, the callback that ends the sign-in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrollment.protocol.challenge import bearer, callback_url, web_challenge

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
