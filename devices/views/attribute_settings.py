"""Settings > Users & Devices > Custom Attributes."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from devices.services import custom_attributes as service
from epmm.portal import settings_tree
from users import permissions
from users.attribute_forms import AttributeForm, DescriptionForm
from users.models import AdminRole, CustomAttribute
from users.services import custom_attributes
from users.services.custom_attributes import InvalidAttribute
from users.views.dialogs import GO, administrator, done
from users.views.settings import may_change


@require_http_methods(["GET", "HEAD", "POST"])
def listed(request: HttpRequest) -> HttpResponse:
    form = AttributeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        permissions.require(request, AdminRole.SETTINGS_MANAGE)
        if form.is_valid() and _is_defined(request, form):
            return redirect("portal:settings-attributes")
    attributes = CustomAttribute.objects.order_by("subject", "name")
    context = settings_tree.context(settings_tree.CUSTOM_ATTRIBUTES)
    context |= {"attributes": attributes, "form": form, "can_change": may_change(request)}
    return render(request, "portal/settings/attributes.html", context, status=422 if form.errors else 200)


def _is_defined(request: HttpRequest, form: AttributeForm) -> bool:
    given = form.cleaned_data
    try:
        attribute = custom_attributes.define(
            given["subject"],
            given["name"],
            given["kind"],
            description=given["description"],
            actor=administrator(request).user_id,
        )
    except InvalidAttribute as error:
        form.add_error("name", str(error))
        return False
    messages.success(request, _("{name} is defined.").format(name=attribute.key))
    return True


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    attribute = get_object_or_404(CustomAttribute, pk=number)
    data = request.POST if request.method == "POST" else None
    form = DescriptionForm(data, initial={"description": attribute.description})
    if form.is_valid():
        try:
            custom_attributes.describe(
                attribute, form.cleaned_data["description"], actor=administrator(request).user_id
            )
        except InvalidAttribute as error:
            form.add_error("description", str(error))
        else:
            return done(request, _("Saved."))
    context = {"attribute": attribute, "form": form}
    return render(request, "portal/settings/attribute_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, number: int) -> HttpResponse:
    """The dialog says what would go, and what is in the way."""
    attribute = get_object_or_404(CustomAttribute, pk=number)
    if request.method == "POST" and GO in request.POST:
        try:
            service.delete(attribute, actor=administrator(request).user_id)
        except InvalidAttribute:
            pass  # the dialog says it again
        else:
            return done(request, _("{name} is deleted.").format(name=attribute.key))
    labels, number_of_values = service.labels_naming(attribute), service.count_values(attribute)
    context = {"attribute": attribute, "labels": labels, "values": number_of_values}
    status = 422 if labels and request.method == "POST" else 200
    return render(request, "portal/settings/attribute_delete.html", context, status=status)
