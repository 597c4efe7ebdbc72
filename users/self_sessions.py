"""Sessions of the user portal: rows of their own, a cookie of their own."""

import time
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from users.models import PersonSession

SERVER_ERROR: Final = 500


class PersonStore(SessionStore):
    @classmethod
    def get_model_class(cls) -> type[PersonSession]:
        return PersonSession

    def create_model_instance(self, data: dict[str, Any]) -> PersonSession:
        row = super().create_model_instance(data)
        if not isinstance(row, PersonSession):
            raise TypeError
        user_id = data.get(SESSION_KEY)
        row.user_id = int(user_id) if user_id else None
        return row


def opened(request: HttpRequest) -> PersonStore:
    return PersonStore(request.COOKIES.get(settings.PERSON_COOKIE_NAME))


def keep(session: PersonStore, request: HttpRequest, response: HttpResponseBase) -> None:
    """What Django does for its own: save what has changed, and take the cookie of what has ended."""
    name = settings.PERSON_COOKIE_NAME
    if session.is_empty():
        if name in request.COOKIES and session.accessed:
            response.delete_cookie(name, samesite="Lax")
        return
    if not session.modified or response.status_code >= SERVER_ERROR:
        return
    try:
        session.save()
    except UpdateError:  # ended while this was answered: it stays ended
        response.delete_cookie(name, samesite="Lax")
        return
    seconds = session.get_expiry_age()
    response.set_cookie(
        name,
        str(session.session_key),
        max_age=seconds,
        expires=http_date(time.time() + seconds),
        secure=settings.PERSON_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
