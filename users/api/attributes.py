"""Custom attributes: what there is, and what a call says about them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from epmm.api import envelope
from epmm.api.errors import ApiError, bad_parameter
from epmm.api.paging import FARTHEST, LARGEST_PAGE, Window
from epmm.api.parameters import Parameters
from epmm.numbers import grouped
from users.api.base import ApiView
from users.api.people import people_of
from users.models import CustomAttribute
from users.services import custom_attributes

KINDS: Final = {
    CustomAttribute.Kind.TEXT: "TEXT",
    CustomAttribute.Kind.NUMBER: "NUMBER",
    CustomAttribute.Kind.DATE: "DATE",
    CustomAttribute.Kind.BOOLEAN: "BOOLEAN",
}


class Definitions(ApiView):
    told_parameters = frozenset({"type", "status", "keyword"})

    def get(self, _request: Request) -> Response:
        subject = self.parameters.choice("type", CustomAttribute.Subject.values, "")
        keyword = self.parameters.text("keyword").strip().casefold()
        window = Window.read(self.parameters, limit=LARGEST_PAGE)
        found = [
            each
            for each in custom_attributes.defined(subject)
            if keyword in each.name.casefold() or keyword in each.description.casefold()
        ]
        # EPMM has attributes that are switched off; here there are none
        found = [] if self.parameters.text("status").strip().lower() == "inactive" else found
        shown = found[window.offset : window.offset + (window.limit or FARTHEST)]
        has_more = window.offset + len(shown) < len(found)
        return Response(envelope.page([_told(each) for each in shown], total=len(found), has_more=has_more))


class OfUsers(ApiView):
    """PUT `users/custom_attributes` sets the `attributes`; DELETE takes those that are named."""

    told_parameters = frozenset({"attributes", "userUuids"})

    def put(self, _request: Request) -> Response:
        return self._write(given(self.parameters.mapping("attributes"), CustomAttribute.Subject.USER))

    def delete(self, _request: Request) -> Response:
        return self._write(emptied(self.parameters, CustomAttribute.Subject.USER))

    def _write(self, texts: dict[CustomAttribute, str]) -> Response:
        self.space  # noqa: B018 - looked at before anything else
        uuids = self.parameters.several("userUuids")
        if not 0 < len(uuids) <= LARGEST_PAGE:
            raise bad_parameter("userUuids", _("userUuids names 1 to {n} users.").format(n=grouped(LARGEST_PAGE)))
        known, results = people_of(uuids), {}
        for uuid in uuids:
            user = known.get(uuid)
            if user is None:
                results[uuid] = {"successful": False, "message": _("There is no such user.")}
            else:
                changed = custom_attributes.set_for_user(user, texts, actor=self.actor)
                results[uuid] = {"successful": True, "changed": changed}
        is_done = all(result["successful"] for result in results.values())
        return Response({"results": results, "successful": is_done, "messages": []})


def given(values: Mapping[str, Any], subject: str) -> dict[CustomAttribute, str]:
    """By their names, in any case; a null takes a value away.  All are looked at before anything is set."""
    known, texts = _known(values, subject), {}
    for name, value in values.items():
        attribute = known[name]
        if isinstance(value, dict | list):
            raise bad_parameter("attributes", _("{name} is a text.").format(name=name))
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        custom_attributes.stored(attribute, text)
        texts[attribute] = text
    if not texts:
        raise bad_parameter("attributes", _("{name} is missing.").format(name="attributes"))
    return texts


def emptied(parameters: Parameters, subject: str) -> dict[CustomAttribute, str]:
    texts = dict.fromkeys(_known(parameters.several("attributes"), subject).values(), "")
    if not texts:
        raise bad_parameter("attributes", _("{name} is missing.").format(name="attributes"))
    return texts


def _known(names: Iterable[str], subject: str) -> dict[str, CustomAttribute]:
    """By the names as they were written.  Raises ApiError."""
    defined = {each.name.lower(): each for each in custom_attributes.defined(subject)}
    try:
        return {name: defined[name.removeprefix(f"custom.{subject}.").lower()] for name in names}
    except KeyError as unknown:
        sentence = _("There is no custom attribute of this name.")
        raise ApiError(404, "attribute.not.found", sentence) from unknown


def _told(attribute: CustomAttribute) -> dict[str, object]:
    return {
        "id": attribute.pk,
        "name": attribute.name,
        "key": attribute.key,
        "type": attribute.subject,
        "dataType": KINDS[CustomAttribute.Kind(attribute.kind)],
        "description": attribute.description,
        "status": "active",
    }
