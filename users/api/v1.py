"""The older Web Services API, for connectors that still speak it: what V2 does, in its words, and in XML for some."""

from collections.abc import Mapping
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from django.utils.translation import gettext as _
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from epmm import masking
from epmm.api.errors import ApiError, Problem
from epmm.api.parameters import AnyCase
from users.api.base import ApiView, Unknown
from users.errors import UnknownPerson
from users.models import User
from users.services import people

ROOT: Final = "response"
NOT_FOUND: Final = 404
# Control characters, which XML 1.0 cannot hold (2.2).
_NEVER: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535))
SOURCES: Final = {User.Source.LOCAL: "L", User.Source.LDAP: "D", User.Source.OIDC: "O"}


class XmlRenderer(BaseRenderer):
    media_type = "application/xml"
    format = "xml"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002 - the framework's signature
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> bytes:
        root = Element(ROOT)
        _fill(root, data or {})
        rendered: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
        return rendered


def _fill(element: Element, value: Any) -> None:
    """A list is the same name again and again."""
    if not isinstance(value, Mapping):
        element.text = _text(value)
        return
    for name, each in value.items():
        for item in each if isinstance(each, list) else [each]:
            _fill(SubElement(element, name), item)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).translate(_NEVER)


class XmlWhereAsked(BaseContentNegotiation):
    """Clients that read JSON accept anything, or do not say what."""

    def select_parser(self, request: Request, parsers: Any) -> Any:  # noqa: ARG002 - the framework's signature
        return next(iter(parsers))

    def select_renderer(
        self,
        request: Request,
        renderers: Any,
        format_suffix: str | None = None,  # noqa: ARG002 - as above
    ) -> tuple[Any, str]:
        json, xml = renderers
        accepted = request.META.get("HTTP_ACCEPT", "").lower()
        chosen = xml if "xml" in accepted and "json" not in accepted else json
        return chosen, chosen.media_type


class V1View(ApiView):
    renderer_classes = (JSONRenderer, XmlRenderer)
    content_negotiation_class = XmlWhereAsked
    told_parameters = frozenset({"action", "reason", "status", "mode"})
    reads = AnyCase

    def tell(self, problem: Problem) -> Response:
        """Where nothing was found, with their number: by it clients know that the address was right."""
        counted = {"totalCount": 0} if problem.status == NOT_FOUND else {}
        return Response(_said(problem) | counted, status=problem.status)


class V1Unknown(Unknown):
    renderer_classes = (JSONRenderer, XmlRenderer)
    content_negotiation_class = XmlWhereAsked

    def tell(self, problem: Problem) -> Response:
        return Response(_said(problem), status=problem.status)


def _said(problem: Problem) -> dict[str, Any]:
    return {"messages": {"message": problem.sentence}}


class OneUser(V1View):
    """`sm/users/{id}`"""

    def get(self, _request: Request, name: str) -> Response:
        seen = masking.seen(known(name))
        told = {
            "userId": seen.user_id,
            "principal": seen.user_id,
            "uuid": str(seen.uuid),
            "displayName": seen.display_name,
            "firstName": seen.first_name,
            "lastName": seen.last_name,
            "emailAddress": seen.email,
            "enabled": seen.is_active,
            "userSource": SOURCES[User.Source(seen.source)],
        }
        return Response({"user": told, "totalCount": 1})


def known(name: str) -> User:
    try:
        return people.by_user_id(name)
    except UnknownPerson:
        return found(None)


def found(user: User | None) -> User:
    """Raises ApiError."""
    if user is None:
        raise ApiError(404, "user.not.found", _("There is no such user."))
    return user
