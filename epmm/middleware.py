from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase


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
