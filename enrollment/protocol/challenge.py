"""The 401 on purpose, the token that answers it, and the URL that carries the token to the device.

Apple: "Implementing the simple authentication account-driven enrollment flow"; RFC 6750 and RFC 9110, 11.
"""

import re
from urllib.parse import quote, urlencode, urlsplit

CALLBACK_SCHEME = "apple-remotemanagement-user-login"
REDIRECT_URL = f"{CALLBACK_SCHEME}:/oauth2/redirection"  # one slash, and sent back exactly so

# base64url without padding (RFC 4648, 5): it travels in a header and in a URL as it is.
_TOKEN = r"[A-Za-z0-9_-]{1,512}"  # noqa: S105 -- a pattern, not a token
_BEARER = re.compile(rf"bearer +({_TOKEN})", re.ASCII | re.IGNORECASE)
# What may not stand in a quoted string, and what urlsplit would drop without a word.
_UNQUOTABLE = re.compile(r'["\\\s\x00-\x1f\x7f-\U0010ffff]')


def web_challenge(url: str) -> str:
    """`WWW-Authenticate` for the web sign-in that starts at `url`."""
    _check_url(url, "http", "https")
    return f'Bearer method="apple-as-web", url="{url}"'


def oauth_challenge(*, authorization_url: str, token_url: str, client_id: str, scope: str) -> str:
    """`WWW-Authenticate` for the OAuth 2 method (Apple: "Implementing the OAuth 2 authentication account-driven
    enrollment flow"); both addresses have to be https."""
    parameters = {
        "method": "apple-oauth2",
        "authorization-url": _check_url(authorization_url, "https"),
        "token-url": _check_url(token_url, "https"),
        "redirect-url": REDIRECT_URL,
        "client-id": client_id,
        "scope": scope,
    }
    if any(not value or _UNQUOTABLE.search(value) for value in parameters.values()):
        raise ValueError("a parameter cannot be quoted")
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def _check_url(url: str, *schemes: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname or _UNQUOTABLE.search(url):
        raise ValueError("the sign-in URL has to be an absolute URL that can be quoted")
    return url


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization` header; None when there is none, or it is not in the form we issue."""
    found = _BEARER.fullmatch(header or "")
    return found[1] if found else None


def callback_url(token: str) -> str:
    """Where the web sign-in ends: two slashes, and the token as an unescaped query item."""
    if not re.fullmatch(_TOKEN, token):
        raise ValueError("the token has to be base64url")
    return f"{CALLBACK_SCHEME}://authentication-results?access-token={token}"


def code_url(code: str, state: str) -> str:
    """Where the web part of the OAuth 2 method ends: the announced redirect URL, with what the device will check."""
    if not re.fullmatch(_TOKEN, code):
        raise ValueError("the code has to be base64url")
    return f"{REDIRECT_URL}?{urlencode({'code': code, 'state': state}, quote_via=quote, safe='')}"
