"""Devices & Users > Labels (portal specification, section 8)."""

from typing import Any, Final

from django.contrib import messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.action_forms import LabelForm
from devices.models import Label, LabelMember
from devices.services import label_editing
from devices.services import labels as service
from devices.services.labels import LabelRefused
from epmm.portal.lists import Action, Cell, Column, Link, Listing, ticked
from users import permissions
from users.models import AdminRole, User


def _name(label: Label) -> Cell:
    return Link(label.name, f"{reverse('portal:devices')}?label={label.pk}")


def _find(found: QuerySet[Label], text: str) -> QuerySet[Label]:
    return found.filter(name__istartswith=text)


def _size(label: Label) -> Cell:
    """Of a manual label: whom a filter label means is asked when somebody looks."""
    size: int = getattr(label, "size", 0)
    return None if label.is_filter else size


LISTING: Final = Listing[Label](
    name="labels",
    title=gettext_lazy("Labels"),
    columns=(
        Column(key="name", label=gettext_lazy("Name"), value=_name, order="name"),
        Column(key="description", label=gettext_lazy("Description"), value=lambda label: label.description),
        Column(key="devices", label=gettext_lazy("Devices"), value=_size),
        Column(key="kind", label=gettext_lazy("Type"), value=lambda label: label.get_kind_display()),
        Column(key="created", label=gettext_lazy("Created"), value=lambda label: label.created_at),
    ),
    sorted_by="name",
    find=_find,
    search_hint=gettext_lazy("Name"),
    empty=gettext_lazy("There are no labels yet. A label is a named set of devices."),
)


@require_safe
def labels(request: HttpRequest) -> HttpResponseBase:
    members = LabelMember.objects.filter(label=OuterRef("pk")).order_by().values("label")
    sizes = members.annotate(count=Count("pk")).values("count")
    view = LISTING.view(request, Label.objects.annotate(size=Coalesce(Subquery(sizes), 0)))
    if request.GET.get("format") == "csv":
        return view.csv()
    context: dict[str, Any] = view.context()
    if permissions.may(request, AdminRole.LABEL_MANAGE):
        context["actions"] = [
            Action(label=gettext_lazy("Edit"), name="labels-edit-ticked", icon="pencil"),
            Action(label=gettext_lazy("Delete"), name="labels-delete", icon="trash-2", is_dangerous=True),
        ]
        context["may_manage"] = True
    return render(request, "portal/labels.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    form = LabelForm(request.POST or None, auto_id="label_%s")
    if form.is_valid():
        try:
            service.create(
                form.cleaned_data["name"], description=form.cleaned_data["description"], actor=_actor(request)
            )
        except LabelRefused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The label is added."))
            return _again()
    return _form(request, form, _("Add Label"), reverse("portal:labels-add"))


@require_POST
def edit_ticked(request: HttpRequest) -> HttpResponse:
    """One of them, with its form."""
    chosen = list(_ticked(request)[:2])
    if len(chosen) != 1:
        return render(request, "portal/label_one.html", status=409)
    (label,) = chosen
    form = LabelForm(initial={"name": label.name, "description": label.description}, auto_id="label_%s")
    return _form(request, form, _("Edit Label"), reverse("portal:labels-edit", args=[label.pk]))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    label = get_object_or_404(Label, pk=number)
    initial = {"name": label.name, "description": label.description}
    form = LabelForm(request.POST or None, initial=initial, auto_id="label_%s")
    if form.is_valid():
        given = form.cleaned_data
        try:
            label_editing.edit(label, name=given["name"], description=given["description"], actor=_actor(request))
        except LabelRefused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The label is changed."))
            return _again()
    return _form(request, form, _("Edit Label"), reverse("portal:labels-edit", args=[number]))


@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    """Asks first; whatever is assigned to the labels goes from their devices."""
    chosen = list(_ticked(request))
    if "go" not in request.POST or not chosen:
        return render(request, "portal/label_delete.html", {"chosen": chosen})
    deleted = 0
    for label in chosen:
        try:
            service.delete(label, actor=_actor(request))
            deleted += 1
        except LabelRefused as refused:
            messages.error(request, str(refused))
    if deleted:
        says = ngettext("The label is deleted.", "The labels are deleted.", deleted)
        messages.success(request, says)
    return _again()


def _ticked(request: HttpRequest) -> QuerySet[Label]:
    return Label.objects.filter(pk__in=[int(key) for key in ticked(request) if key.isdecimal() and len(key) < 10])  # noqa: PLR2004


def _form(request: HttpRequest, form: LabelForm, title: str, address: str) -> HttpResponse:
    context = {"form": form, "title": title, "address": address}
    return render(request, "portal/label_form.html", context, status=422 if form.is_bound else 200)


def _again() -> HttpResponse:
    return HttpResponse(status=204, headers={"HX-Redirect": reverse("portal:labels")})


def _actor(request: HttpRequest) -> str:
    if not isinstance(request.user, User):
        raise TypeError
    return request.user.user_id
