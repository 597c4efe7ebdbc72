"""Devices & Users > Labels (portal specification, section 8)."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.action_forms import LabelForm, NewLabelForm
from devices.models import Label
from devices.services import label_editing, label_members, search
from devices.services import labels as service
from devices.services.labels import LabelRefused
from devices.services.search import SearchRefused
from devices.views.builder import Builder, written
from devices.views.wording import description_of
from epmm import spaces
from epmm.portal.lists import SIZES, Action, Badge, Cell, Column, Link, Listing, ticked
from users import permissions
from users.models import AdminRole, User

NAMED: Final = 3
SHOWN_CRITERIA: Final = 120
SECONDS: Final = 10.0  # for the sizes of one page


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 -- more is no row of ours


def _name(label: Label) -> Cell:
    """With retired devices, as its number counts them: its criteria may mean them."""
    return Link(label.name, f"{reverse('portal:devices')}?label={label.pk}&retired=1")


def _find(found: QuerySet[Label], text: str) -> QuerySet[Label]:
    return found.filter(name__istartswith=text)


def _size(label: Label) -> Cell:
    """Asked for once the page is there: whom a filter label means takes a moment to find out."""
    return Badge("…", key=f"n{label.pk}")


def _count(labels: Sequence[Label]) -> None:
    """For `_counted`, by as few statements as the page needs."""
    sizes = label_members.counts(labels, seconds=SECONDS * max(1, len(labels) // SIZES[1]))
    for label in labels:
        label.size = sizes[label.pk]  # type: ignore[attr-defined] # annotated


def _counted(label: Label) -> Cell:
    size = getattr(label, "size")  # noqa: B009 - annotated
    return None if size is None else str(size)


def _evaluated(label: Label) -> Cell:
    if not label.is_filter:
        return None
    return label.evaluated_at or _("Whenever it is looked at")


def _used_by(label: Label) -> Cell:
    names = service.used_by(label)
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" +{more}" if more > 0 else "")


def _criteria(label: Label) -> Cell:
    return Truncator(label.criteria).chars(SHOWN_CRITERIA)


def _kind(label: Label) -> Cell:
    kind = str(label.get_kind_display())
    return _("{kind}, built in").format(kind=kind) if label.is_built_in else kind


LISTING: Final = Listing[Label](
    name="labels",
    title=gettext_lazy("Labels"),
    columns=(
        Column(key="name", label=gettext_lazy("Name"), value=_name, order="name"),
        Column(key="description", label=gettext_lazy("Description"), value=description_of),
        Column(key="kind", label=gettext_lazy("Type"), value=_kind),
        Column(key="criteria", label=gettext_lazy("Criteria"), value=_criteria, told=lambda label: label.criteria),
        Column(key="devices", label=gettext_lazy("Devices"), value=_size, told=_counted),
        Column(key="space", label=gettext_lazy("Space"), value=lambda label: spaces.name_of(label.space_id)),
        Column(key="used_by", label=gettext_lazy("Configurations"), value=_used_by),
        Column(key="evaluated", label=gettext_lazy("Last evaluated"), value=_evaluated),
        Column(key="created", label=gettext_lazy("Created"), value=lambda label: label.created_at, is_shown=False),
    ),
    sorted_by="name",
    find=_find,
    gather=_count,
    search_hint=gettext_lazy("Name"),
    empty=gettext_lazy("There are no labels yet. A label is a named set of devices."),
)


@require_safe
def labels(request: HttpRequest) -> HttpResponseBase:
    view = LISTING.view(request, service.with_their_use())
    if request.GET.get("format") == "csv":
        return view.csv()
    context: dict[str, Any] = view.context()
    if permissions.may(request, AdminRole.LABEL_MANAGE):
        context["actions"] = [
            Action(label=gettext_lazy("Edit"), name="labels-edit-ticked", icon="pencil"),
            Action(label=gettext_lazy("Delete"), name="labels-delete", icon="trash-2", is_dangerous=True),
        ]
        context["may_manage"] = True
    if view.shown:
        ids = ".".join(str(label.pk) for label in view.shown)
        context["sizes_address"] = f"{reverse('portal:labels-sizes')}?ids={ids}"
    return render(request, "portal/labels.html", context)


@require_safe
def sizes(request: HttpRequest) -> HttpResponse:
    """How many devices each of the labels of a page has, as long as there is time."""
    ids = [int(text) for text in request.GET.get("ids", "").split(".") if is_number(text)]
    counts = label_members.counts(list(Label.objects.filter(pk__in=ids[: max(SIZES)])), seconds=SECONDS)
    shown = [(f"n{pk}", None if count is None else str(count)) for pk, count in counts.items()]
    return render(request, "portal/label_sizes.html", {"sizes": shown})


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    form = NewLabelForm(request.POST or None, auto_id="label_%s")
    criteria = written(request.POST.get("criteria", ""))
    if form.is_valid():
        given = form.cleaned_data
        is_filter = given["kind"] == Label.Kind.FILTER
        try:
            label = service.create(
                given["name"],
                description=given["description"],
                criteria=criteria if is_filter else None,
                actor=_actor(request),
            )
        except LabelRefused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The label “{name}” is added.").format(name=label.name))
            return _again()
    return _form(request, form, _("Add Label"), reverse("portal:labels-add"), criteria=criteria)


@require_POST
def from_search(request: HttpRequest) -> HttpResponse:
    """Save to Label: a search without retired devices becomes a label without them."""
    expression = written(request.POST.get("search", ""))
    try:
        search.understand(expression)
    except SearchRefused as refused:
        return render(request, "portal/label_save.html", {"refused": str(refused)}, status=422)
    criteria = search.without_retired(expression) if "standing" in request.POST else expression
    return _save_form(request, LabelForm(auto_id="label_%s"), criteria)


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    form, criteria = LabelForm(request.POST, auto_id="label_%s"), written(request.POST.get("criteria", ""))
    if form.is_valid():
        name, description = form.cleaned_data["name"], form.cleaned_data["description"]
        try:
            label = service.create(name, description=description, criteria=criteria, actor=_actor(request))
        except LabelRefused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The label “{name}” is saved.").format(name=label.name))
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return _save_form(request, form, criteria)


def _save_form(request: HttpRequest, form: LabelForm, criteria: str) -> HttpResponse:
    context = {"form": form, "criteria": criteria}
    return render(request, "portal/label_save.html", context, status=422 if form.is_bound else 200)


@require_POST
def edit_ticked(request: HttpRequest) -> HttpResponse:
    """One of them, with its form."""
    chosen = list(_ticked(request)[:2])
    if len(chosen) != 1:
        return render(request, "portal/label_one.html", status=409)
    return _edited(request, chosen[0], is_sent=False)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    return _edited(request, get_object_or_404(Label, pk=number), is_sent=request.method == "POST")


def _edited(request: HttpRequest, label: Label, *, is_sent: bool) -> HttpResponse:
    if label.is_built_in:
        return render(
            request,
            "portal/label_built_in.html",
            {"label": label, "description": description_of(label)},
            status=409 if is_sent else 200,
        )
    initial = {"name": label.name, "description": label.description}
    form = LabelForm(request.POST if is_sent else None, initial=initial, auto_id="label_%s")
    criteria = written(request.POST.get("criteria", label.criteria)) if label.is_filter else None
    if form.is_valid():
        given = form.cleaned_data
        name, description = given["name"], given["description"]
        try:
            label_editing.edit(label, name=name, description=description, criteria=criteria, actor=_actor(request))
        except LabelRefused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The label is changed."))
            return _again()
    return _form(request, form, _("Edit Label"), reverse("portal:labels-edit", args=[label.pk]), criteria=criteria)


@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    """Asks first; whatever is assigned to the labels goes from their devices."""
    ticked_ones = list(_ticked(request))
    chosen = [label for label in ticked_ones if not label.is_built_in]
    if "go" not in request.POST or not chosen:
        used = [(label, service.used_by(label)) for label in chosen]
        built_in = [label for label in ticked_ones if label.is_built_in]
        context = {"chosen": used, "built_in": built_in, "is_used": any(names for _label, names in used)}
        return render(request, "portal/label_delete.html", context)
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
    return service.with_their_use().filter(pk__in=[int(key) for key in ticked(request) if is_number(key)])


def _form(request: HttpRequest, form: LabelForm, title: str, address: str, *, criteria: str | None) -> HttpResponse:
    """`criteria`: None for a manual label."""
    context = {"form": form, "title": title, "address": address}
    if criteria is not None:
        context |= Builder.of_text("criteria", criteria).context()
    return render(request, "portal/label_form.html", context, status=422 if form.is_bound else 200)


def _again() -> HttpResponse:
    return HttpResponse(status=204, headers={"HX-Redirect": reverse("portal:labels")})


def _actor(request: HttpRequest) -> str:
    if not isinstance(request.user, User):
        raise TypeError
    return request.user.user_id
