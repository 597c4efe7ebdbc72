"""The tab of a device with what this installation keeps about it (portal specification, section 5.4)."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from devices.services import custom_attributes as service
from devices.views.device_page import device_or_404, tab
from epmm.client_address import client_address
from users import permissions
from users.attribute_forms import ValuesForm
from users.models import AdminRole, CustomAttribute
from users.services import custom_attributes
from users.views.dialogs import administrator


@require_http_methods(["GET", "HEAD", "POST"])
def attributes(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    is_sent = request.method == "POST"
    if is_sent:
        permissions.require(request, AdminRole.DEVICE_MANAGE)
    may_manage = permissions.may(request, AdminRole.DEVICE_MANAGE)
    form = ValuesForm(
        request.POST if is_sent else None,
        custom_attributes.defined(CustomAttribute.Subject.DEVICE),
        custom_attributes.texts_of(device.custom_attributes.all()),
        is_read_only=not may_manage,
    )
    if form.is_valid():
        who, address = administrator(request).user_id, client_address(request)
        changed = service.set_for_device(device, form.values, actor=who, address=address)
        messages.success(request, _("Saved.") if changed else _("Nothing was changed."))
        return redirect("portal:devices-attributes", uuid=uuid)
    may_define = permissions.may_open(request, "settings-attributes")
    return tab(
        request, device, "portal/device/attributes.html", form=form, may_manage=may_manage, may_define=may_define
    )
