"""Custom attributes of devices, set and taken away."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api import asked
from devices.models import Device
from devices.services import custom_attributes, listing
from users.api import attributes
from users.api.base import ApiView
from users.models import CustomAttribute


class OfDevices(ApiView):
    """PUT `devices/custom_attributes` sets the `attributes`; DELETE takes those that are named."""

    told_parameters = frozenset({"attributes"})

    def put(self, _request: Request) -> Response:
        return self._write(attributes.given(self.parameters.mapping("attributes"), CustomAttribute.Subject.DEVICE))

    def delete(self, _request: Request) -> Response:
        return self._write(attributes.emptied(self.parameters, CustomAttribute.Subject.DEVICE))

    def _write(self, texts: dict[CustomAttribute, str]) -> Response:
        self.space  # noqa: B018 - looked at before anything else
        uuids = asked.uuids(self.parameters, listing.MOST_CHOSEN)
        known = asked.known(uuids)
        results: dict[str, Any] = {}
        for uuid in uuids:
            results[uuid] = self._set(known.get(uuid.lower()), texts)
        is_done = all(result["successful"] for result in results.values())
        return Response({"results": results, "successful": is_done, "messages": []})

    def _set(self, device: Device | None, texts: dict[CustomAttribute, str]) -> dict[str, Any]:
        if device is None:
            return {"successful": False, "message": _("There is no such device.")}
        changed = custom_attributes.set_for_device(device, texts, actor=self.actor)
        return {"successful": True, "changed": changed}
