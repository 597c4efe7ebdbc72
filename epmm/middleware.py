import logging
import time
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from epmm import caller, metrics, request_id
from epmm.api.paths import is_api
from epmm.client_address import is_trusted_proxy

logger = logging.getLogger("epmm.front")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEADER: Final = "X-Request-ID"
MONITORING: Final = frozenset({"healthz", "readyz", "metrics", "status"})  # asks all day
ERRORS: Final = 400
TOO_MANY: Final = 429


def accounted(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Name each request, time it, and write a line about it: in our own words, for an address may hold a secret."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        is_proxy = is_trusted_proxy(request.META.get("REMOTE_ADDR", ""))
        name = request_id.given(request.headers.get(HEADER, "") if is_proxy else "")
        with request_id.known_as(name):
            response = get_response(request)
            seconds = time.perf_counter() - began
            metrics.observe_front(request.path, response.status_code, seconds)
            method = request.method if request.method in METHODS else "other"
            where = metrics.endpoint(request.path)
            level = logging.DEBUG if where in MONITORING and response.status_code < ERRORS else logging.INFO
            logger.log(level, "%s %s %d %.1f ms", method, where, response.status_code, seconds * 1000)
        response.headers[HEADER] = name
        return response

    return middleware


def content_length(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Say how long an answer is, as Apple's examples do; CommonMiddleware would, but asks for known host names."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not response.streaming and not response.has_header("Content-Length"):
            response.headers["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined] # not streaming
        return response

    return middleware


def recognized(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Know the browser again that somebody signs in with, and say how long to wait to whoever tries too often."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with caller.calling(request.COOKIES.get(caller.COOKIE, "")) as calling:
            response = get_response(request)
        if calling.signed_in is not None and not is_api(request.path_info):  # scripts keep no cookies
            sealed, age = calling.signed_in.seal(), caller.seconds()
            response.set_cookie(caller.COOKIE, sealed, max_age=age, secure=True, httponly=True, samesite="Lax")
        if response.status_code == TOO_MANY and calling.wait:
            response.headers["Retry-After"] = str(calling.wait)
        return response

    return middleware
