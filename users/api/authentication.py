"""Basic and bearer.  No session and no cookie: what a browser sends by itself opens nothing here."""

import binascii
from base64 import b64decode
from typing import Final

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from epmm.api.errors import ApiError, tells
from epmm.client_address import client_address
from users import errors
from users.api.caller import Caller
from users.models import User
from users.services import api_credentials, api_tokens, sign_in

CHALLENGE: Final = 'Basic realm="EPMM", charset="UTF-8"'
LONGEST: Final = 4096

tells(errors.PeopleError, 400, "request.refused")
tells(errors.UnknownPerson, 404, "user.not.found")
tells(errors.TooManyAttempts, 429, "too.many.attempts")
tells(errors.DirectoryUnavailable, 503, "directory.unavailable")


class _Scheme(BaseAuthentication):
    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        return CHALLENGE


class Basic(_Scheme):
    """A password, unless its owner has a second factor: this would be a way round it."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        credentials = _given(request, "basic")
        if credentials is None:
            return None
        name, colon, password = _decoded(credentials).partition(":")
        if not colon:
            raise AuthenticationFailed
        try:
            user = api_credentials.proven(name, password, client_address(request))
        except (errors.TooManyAttempts, errors.DirectoryUnavailable):
            raise
        except errors.SignInRefused as refusal:
            raise _refused(refusal) from refusal
        return user, Caller.of(user)


class Bearer(_Scheme):
    """A token; where it was guessed, the address is slowed down as one that guesses passwords."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        given = _given(request, "bearer")
        if given is None:
            return None
        now, address = timezone.now(), client_address(request)
        token = api_tokens.find(given, now)
        if token is None or not sign_in.is_switched_on(token.user):
            api_credentials.admit(address)
            raise AuthenticationFailed
        api_tokens.touch(token, address, now)
        return token.user, Caller.of(token.user, token)


def _given(request: Request, scheme: str) -> str | None:
    header = str(request.META.get("HTTP_AUTHORIZATION", ""))
    name, _space, credentials = header.strip().partition(" ")
    if name.lower() != scheme:
        return None
    if len(credentials) > LONGEST:
        raise AuthenticationFailed
    return credentials.strip()


def _decoded(credentials: str) -> str:
    """UTF-8 as we ask for it, or the older way (RFC 7617, 2.1)."""
    try:
        raw = b64decode(credentials, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AuthenticationFailed from error
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _refused(refusal: errors.SignInRefused) -> Exception:
    if isinstance(refusal, errors.WrongCredentials):
        return AuthenticationFailed()
    keys: dict[type, str] = {
        errors.SecondFactorNeeded: "second.factor",
        errors.PasswordMustChange: "password.must.change",
        errors.AccountDisabled: "account.disabled",
    }
    key = keys.get(type(refusal), "credentials.wrong")
    return ApiError(401, key, str(refusal), {"WWW-Authenticate": CHALLENGE})
