"""Said by `check`: addresses of the API without a line in the table of permissions, and lines without an address."""

from collections.abc import Iterator
from typing import Any, Final

from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

NAMESPACE: Final = "api"
_METHODS: Final = ("get", "post", "put", "patch", "delete")


@register(Tags.urls)
def every_call_is_in_the_table(**_: Any) -> list[CheckMessage]:
    from users.api.permissions import MASKED, NEEDED  # with the framework, which most commands do without

    served = set(calls())
    missing = [
        Error(f"the API serves {call}, which users/api/permissions.py does not list", id="epmm.E010")
        for call in sorted(served - NEEDED.keys())
    ]
    gone = [
        Error(f"users/api/permissions.py lists {call}, which the API does not serve", id="epmm.E011")
        for call in sorted((NEEDED.keys() | MASKED) - served)
    ]
    return [*missing, *gone]


def calls() -> Iterator[str]:
    """As the table names them."""
    from users.api.permissions import UNKNOWN  # as above

    for pattern in routes():
        view = getattr(pattern.callback, "cls", None)
        if pattern.name != UNKNOWN and view is not None:
            yield from (f"{pattern.name} {method.upper()}" for method in _METHODS if hasattr(view, method))


def routes() -> Iterator[URLPattern]:
    """All of the namespace, in the order in which they are tried."""
    return _within(get_resolver().url_patterns, is_ours=False)


def _within(patterns: list[Any], *, is_ours: bool) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _within(pattern.url_patterns, is_ours=is_ours or pattern.app_name == NAMESPACE)
        elif is_ours:
            yield pattern
