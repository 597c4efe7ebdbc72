"""The OpenAPI document, read from what the views say of themselves; see `users/api/x/base.py`."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from django.utils import translation
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from epmm.api import compat_document, etags, problems, v1_document
from epmm.api.fields import Told
from users.api import permissions
from users.api.checks import routes
from users.api.x.base import KEY, REPLAYED, All, Listed, XView
from users.models import AdminRole

JSON: Final = "application/json"
TEXT: Final = {"type": "string"}
BASE: Final = "/api/v2/x/"
OURS, OLD = "x-", "v1-"  # how the names of addresses of our own API begin, and those of the Web Services API
OF_EPMM: Final = {**compat_document.CALLS, **v1_document.CALLS}
HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "RateLimit-Policy": ("", 'How many calls in how many seconds: `"calls";q=2000;w=20`.'),
    "RateLimit": ("", "How many are left, and in how many seconds all are."),
    "Retry-After": ("429", "In so many seconds."),
    "WWW-Authenticate": ("401", "Basic; tokens go as Bearer."),
}
FAILURES: Final = ("Retry-After", "WWW-Authenticate")
WHEN: Final[Mapping[int, str]] = {
    400: "The address or the body cannot be read.",
    401: "No credentials, or wrong ones.",
    403: "A role or the device space is missing.",
    404: "No such row.",
    405: "Not by this method.",
    409: "A call with this Idempotency-Key is being carried out.",
    412: "Changed since it was read.",
    413: "The body is too large.",
    422: "Read, and refused; `errors` says where.",
    428: "If-Match is missing.",
    429: "Too many calls.",
    500: "Our fault. `instance` is what the log is searched for.",
    503: "The database cannot be reached just now.",
}


class Place(Told):
    detail = serializers.CharField()
    pointer = serializers.CharField(required=False, help_text="In the body, as a JSON pointer.")
    parameter = serializers.CharField(required=False, help_text="In the address.")


class ProblemDetails(Told):
    """RFC 9457."""

    type = serializers.CharField(help_text="For programs; it does not change with the language.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="For people, in the language of Accept-Language.")
    instance = serializers.CharField(help_text="Names this failure in the server's log.")
    errors = Place(many=True, required=False)  # type: ignore[assignment] # the framework has the name, too


class _Credentials(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # untyped there
    target_class = "users.api.authentication.Basic"
    name = "password"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "Of a user with the role API."}


class _Token(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # untyped there
    target_class = "users.api.authentication.Bearer"
    name = "token"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "Made in the portal, with roles and an end."}


class Schema(AutoSchema):
    """Of a view; which of the surfaces it belongs to decides who describes it."""

    @property
    def said(self) -> Any:
        """By the view, of itself."""
        return self.view

    @property
    def call(self) -> str:
        """As the table of permissions names it."""
        return f"{self.said.url_name} {self.method}"

    @property
    def is_ours(self) -> bool:
        return isinstance(self.said, XView)

    @property
    def compat(self) -> compat_document.Call:
        return OF_EPMM[self.call]

    @property
    def is_old(self) -> bool:
        return self.call.startswith(OLD)

    def get_operation_id(self) -> str:
        name, _space, method = self.call.partition(" ")
        named = name if self.is_old else name.removeprefix(OURS) if self.is_ours else f"v2-{name}"
        return f"{method.lower()}-{named}".replace("-", "_")

    def get_tags(self) -> list[str]:
        if self.is_ours:
            return [self.path.removeprefix(BASE).partition("/")[0]]
        return ["EPMM V1" if self.is_old else "EPMM V2"]

    def get_summary(self) -> str | None:
        return str(self.said.says.get(self.method, "")) if self.is_ours else self.compat.summary

    def get_description(self) -> str:  # type: ignore[override] # as spectacular's
        needed = permissions.NEEDED[self.call]
        if needed == permissions.CALLER:
            return "Needs the role `api`."
        return f"Needs the roles `api` and `{AdminRole(needed).value}`."

    def get_request_serializer(self) -> Any:
        if self.is_ours:
            return self.said.takes.get(self.method)
        return None if self.compat.request is None else {JSON: self.compat.request}

    def get_override_parameters(self) -> list[Any]:
        return list(self._parameters())

    def _parameters(self) -> Iterator[Any]:
        if not self.is_ours:
            yield from self.compat.parameters
            yield from _headers(FAILURES)
            return
        if self.method in self.said.asking and self.said.asks().fields:
            yield self.said.asks
        if self.method in self.said.keyed:
            yield OpenApiParameter(
                KEY,
                str,
                OpenApiParameter.HEADER,
                description="Sent again within 24 hours, the call is carried out once and answered as the first time.",
                pattern=r'^("[ !#-~]{1,255}"|[!#-~]{1,255})$',
            )
            yield _header(REPLAYED, self._success, "`true` where the answer is that of an earlier call.")
        if self.method in self.said.matched:
            yield OpenApiParameter(
                "If-Match",
                str,
                OpenApiParameter.HEADER,
                required=True,
                description="The ETag that was read, or `*`.",
                pattern=f"^{etags.TAGS}$",
            )
        if self.method in self.said.tagged:
            yield _header("ETag", self._success, "The state of this row.")
        if self.method == "GET" and isinstance(self.said, Listed):
            yield _header("Link", self._success, '`<…>; rel="next"` where more rows come.')
        yield from _headers()

    @property
    def _success(self) -> str:
        return str(int(self.said.status.get(self.method, 204 if self.method == "DELETE" else 200)))

    def get_response_serializers(self) -> Any:
        if not self.is_ours:
            return self._of_compat()
        media = self.said.media if self.method == "GET" and self.said.media else {JSON: None}
        return {(self._success, each): self._answer(example) for each, example in media.items()} | {
            (str(status), problems.MEDIA_TYPE): OpenApiResponse(ProblemDetails, WHEN[status])
            for status in self._failures()
        }

    def _answer(self, example: Any) -> Any:
        if self.method == "GET" and isinstance(self.said, Listed | All):
            kind, is_paged = self.said.item, isinstance(self.said, Listed)
            items = {"type": "array", "items": self.resolve_serializer(kind, "response").ref}
            following = {"next": {"type": ["string", "null"]}} if is_paged else {}
            properties = {"items": items} | following
            schema = {"type": "object", "properties": properties, "required": list(properties)}
            return OpenApiResponse(schema, "A page." if is_paged else "All.", _examples(kind, properties))
        kind = self.said.tells.get(self.method)
        if kind is None:
            return OpenApiResponse(None, "Done.")
        examples = _examples(kind) if example is None else [OpenApiExample("Example", example)]
        return OpenApiResponse(kind, HTTPStatus(int(self._success)).phrase, examples)

    def _failures(self) -> list[int]:
        view, method = self.said, self.method
        told = {400, 401, 403, 429, 500, 503}
        told |= {409, 422} if method in view.keyed else set()
        told |= {422} if method in view.takes else set()
        told |= {413} if method in ("POST", "PUT", "PATCH") else set()
        told |= {412, 428} if method in view.matched else set()
        told |= {404} if "{" in self.path else set()
        return sorted(told | set(view.fails.get(method, ())))

    def _of_compat(self) -> Any:
        call = self.compat
        examples = [OpenApiExample("Example", call.example)] if call.example is not None else []
        media = v1_document.MEDIA if self.is_old else (call.media_type,)
        statuses = v1_document.STATUSES if self.is_old else compat_document.STATUSES
        failure = v1_document.SAID if self.is_old else compat_document.ENVELOPE_OF_ERRORS
        answer = {("200", each): OpenApiResponse(call.response, "OK", examples) for each in media}
        return (answer if call.response is not None else {}) | {
            (str(status), each): OpenApiResponse(failure, WHEN[status])
            for status in statuses
            for each in (v1_document.MEDIA if self.is_old else (JSON,))
        }

    def get_examples(self) -> list[OpenApiExample]:
        kind = self.get_request_serializer() if self.method in ("POST", "PUT", "PATCH") else None
        example = getattr(kind, "example", None) if self.is_ours else self.compat.request_example
        return [OpenApiExample("Example", example, request_only=True)] if example is not None else []


def _examples(kind: type[Told], page: Iterable[str] = ()) -> list[OpenApiExample]:
    """Alone, or among what a page has."""
    example = getattr(kind, "example", None)
    if example is None:
        return []
    in_page = {name: [example] if name == "items" else None for name in page}
    return [OpenApiExample("Example", in_page or example)]


def _header(name: str, status: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, response=[status], description=description)


def _headers(names: Iterable[str] = ()) -> Iterator[OpenApiParameter]:
    for name in names or HEADERS:
        status, description = HEADERS[name]
        response = [status] if status else True
        yield OpenApiParameter(name, str, OpenApiParameter.HEADER, response=response, description=description)


def finished(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What spectacular has no word for: bodies take no other names than those that stand there."""
    schemas = result.get("components", {}).get("schemas", {})
    for name, schema in schemas.items():
        if name.endswith("Request") and schema.get("type") == "object":
            schema["additionalProperties"] = False
    return result


class Generator(SchemaGenerator):
    """Of the API's own addresses, each of which knows its name."""

    def _initialise_endpoints(self) -> None:
        super()._initialise_endpoints()  # type: ignore[no-untyped-call] # untyped there
        self._names = {route.callback: str(route.name) for route in routes() if route.name != permissions.UNKNOWN}
        self.endpoints = [each for each in self.endpoints or () if each[3] in self._names]  # type: ignore[misc] # four, not three

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call] # as above
        view.url_name = self._names[callback]
        return view


@cache
def document() -> dict[str, Any]:
    """In English whoever asks: it is for programs, and made once."""
    with translation.override("en"):
        generator: Any = Generator()  # type: ignore[no-untyped-call] # as above
        found: dict[str, Any] = generator.get_schema(request=None, public=True)
    return found
