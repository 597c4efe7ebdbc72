"""The 401 on purpose, the token that answers it, and the URL that carries the token to the device.

Apple: "Implementing the simple authentication account-driven enrollment flow"; RFC 6750 and RFC 9110, 11.
"""

import re
from urllib.parse import urlsplit

CALLBACK_SCHEME = "apple-remotemanagement-user-login"

# base64url without padding (RFC 4648, 5): it travels in a header and in a URL as it is.
_TOKEN = r"[A-Za-z0-9_-]{1,512}"  # noqa: S105 -- a pattern, not a token
_BEARER = re.compile(rf"bearer +({_TOKEN})", re.ASCII | re.IGNORECASE)
# What may not stand in a quoted string, and what urlsplit would drop without a word.
_UNQUOTABLE = re.compile(r'["\\\s\x00-\x1f\x7f-\U0010ffff]')


def web_challenge(url: str) -> str:
    """`WWW-Authenticate` for the web sign-in that starts at `url`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or _UNQUOTABLE.search(url):
        raise ValueError("the sign-in URL has to be an absolute URL that can be quoted")
    return f'Bearer method="apple-as-web", url="{url}"'


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization` header; None when there is none, or it is not in the form we issue."""
    found = _BEARER.fullmatch(header or "")
    return found[1] if found else None


def callback_url(token: str) -> str:
    """Where the web sign-in ends: two slashes, and the token as an unescaped query item."""
    if not re.fullmatch(_TOKEN, token):
        raise ValueError("the token has to be base64url")
    return f"{CALLBACK_SCHEME}://authentication-results?access-token={token}"
