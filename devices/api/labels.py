"""Labels, their devices, and the labels of a device."""

from collections.abc import Sequence
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api import asked
from devices.models import Label
from devices.services import actions, label_members, labels, listing
from devices.services.actions import BY_KEY, Order, Outcome
from epmm import spaces
from epmm.api import envelope
from epmm.api.envelope import Json
from epmm.api.errors import bad_parameter
from epmm.api.paging import FARTHEST, Window, ordered, page
from epmm.client_address import client_address
from epmm.numbers import grouped
from users.api.base import ApiView

SORTS: Final = {"name": "name", "id": "pk", "description": "description"}
COUNTING: Final = 10.0  # seconds; whatever takes longer has no number
REFUSED: Final = 1  # the code of whatever a device does not take


class Summary(ApiView):
    """`labels/label_summary`"""

    def get(self, _request: Request) -> Response:
        self.space  # noqa: B018 - looked at before anything else
        window = Window.read(self.parameters)
        found = Label.objects.all()
        if query := self.parameters.text("query").strip():
            found = found.filter(name__icontains=query)
        order = ordered(self.parameters, SORTS, "name")
        shown = page(found, order, window, name=(self.person.pk, "labels", query))
        sizes = label_members.counts(shown.rows, seconds=COUNTING, cap=FARTHEST)
        results = [_summary(label, sizes[label.pk]) for label in shown.rows]
        return Response(envelope.page(results, total=shown.total, has_more=shown.has_more))


class OneLabel(ApiView):
    def get(self, _request: Request, number: int) -> Response:
        [label] = labels.numbered([number])
        return Response(envelope.one(_label(label)))


class Labels(ApiView):
    """POST makes one; DELETE takes those that its body names."""

    told_parameters = frozenset({"name", "description", "static", "criteria", "labelIds", "reason"})

    def post(self, _request: Request) -> Response:
        criteria = self.parameters.text("criteria").strip() or None
        is_static = self.parameters.flag("static", default=criteria is None)
        if is_static and criteria:
            raise bad_parameter("criteria", _("A static label has no criteria."))
        label = labels.create(
            self.parameters.text("name", longest=labels.LONGEST_NAME * 4),
            description=self.parameters.text("description", longest=labels.LONGEST_DESCRIPTION * 4),
            criteria=None if is_static else criteria or "",
            actor=self.actor,
        )
        return Response(envelope.one(_label(label)))

    def delete(self, _request: Request) -> Response:
        keys = [int(text) for text in self.parameters.several("labelIds") if text.isdecimal() and len(text) < 19]  # noqa: PLR2004
        if not keys:
            raise bad_parameter("labelIds", _("labelIds names at least one label."))
        found = labels.numbered(keys)
        for label in found:
            labels.check_editable(label)
        for label in found:
            labels.delete(label, actor=self.actor)
        said = envelope.message("labels.deleted", _("Labels deleted: {n}").format(n=grouped(len(found))))
        return Response({"results": [each.name for each in found], "successful": True, "messages": [said]})


class OfDevice(ApiView):
    def get(self, _request: Request, uuid: str) -> Response:
        found = [_label(label) for label, _since in label_members.of_device(asked.device(uuid))]
        results = [each | {"id": str(each["id"])} for each in found]  # here, and nowhere else, clients compare a text
        return Response(envelope.page(results, total=len(results), has_more=False))


class _Members(ApiView):
    told_parameters = frozenset({"note", "reason"})
    action = ""

    def put(self, _request: Request, name: str) -> Response:
        self.space  # noqa: B018 - as above
        label = labels.find(name)
        uuids = asked.uuids(self.parameters, listing.MOST_CHOSEN)
        known = asked.known(uuids)
        order = Order(values={"label": label}, actor=self.actor, address=client_address(self.request._request))
        with self.noting():
            outcomes = list(actions.carry_out(BY_KEY[self.action], actions.subjects(known.values()), order))
        missing = [uuid for uuid in uuids if uuid.lower() not in known]
        return Response(self._told(label, outcomes, missing))

    def _told(self, label: Label, outcomes: Sequence[Outcome], missing: Sequence[str]) -> Json:
        devices = [_done(outcome) for outcome in outcomes]
        devices += [
            {"uuid": uuid, "message": _("There is no such device."), "failureCode": REFUSED} for uuid in missing
        ]
        is_done = all(each["failureCode"] is None for each in devices)
        return {
            "successful": is_done,
            "results": {"records": [{"label": label.name, "labelId": label.pk, "device": devices}]},
            "messages": [],
        }


class Add(_Members):
    action = "apply-label"


class Remove(_Members):
    action = "remove-label"


def _done(outcome: Outcome) -> dict[str, Any]:
    code = None if outcome.is_done else REFUSED
    return {"uuid": str(outcome.subject.device.uuid), "message": outcome.said, "failureCode": code}


def _label(label: Label) -> Json:
    return {
        "id": label.pk,
        "name": label.name,
        "description": label.description,
        "staticLabel": not label.is_filter,
        "criteria": label.criteria,
        "deviceSpaceId": label.space_id,
    }


def _summary(label: Label, size: Any) -> Json:
    return {
        "id": label.pk,
        "name": label.name,
        "description": label.description,
        "isStatic": not label.is_filter,
        "criteria": label.criteria,
        "deviceCount": None if size is None else size.number,
        "rowType": "LABEL",
        "deviceSpaceId": label.space_id,
        "deviceSpaceName": spaces.name_of(label.space_id),
        "deviceSpacePath": f"/{label.space_id}/",
    }
