"""Services > LDAP (portal specification, section 10)."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from epmm.numbers import grouped
from epmm.portal.lists import Badge
from users import permissions
from users.directory_forms import DirectoryForm, PersonNameForm
from users.errors import DirectoryError, InvalidPerson, NoLdap
from users.forms import TypedForm
from users.models import AdminRole, Directory, DirectorySync, Group
from users.services import directories, group_rules
from users.services.directory import client, groups
from users.services.directory.client import Entry
from users.services.directory.store import MOST_PROBLEMS
from users.views.chosen import keys
from users.views.dialogs import administrator

KINDS: Final = {Group.Kind.GROUP: gettext_lazy("Groups"), Group.Kind.UNIT: gettext_lazy("Organizational units")}
COUNTS: Final = {
    "people": gettext_lazy("People"),
    "read": gettext_lazy("Read"),
    "added": gettext_lazy("Added"),
    "changed": gettext_lazy("Changed"),
    "gone": gettext_lazy("Gone"),
    "returned": gettext_lazy("Back again"),
    "joined": gettext_lazy("Joined groups"),
    "left": gettext_lazy("Left groups"),
}


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    found = Directory.objects.select_related("sync").defer("bind_password", "certificates").order_by("name")
    rows = [(directory, state_of(directory)) for directory in found]
    return render(request, "portal/services/ldap.html", _common(request) | {"rows": rows})


def _common(request: HttpRequest) -> dict[str, Any]:
    return {
        "may_manage": permissions.may(request, AdminRole.SETTINGS_MANAGE),
        "missing": "" if client.is_installed() else str(NoLdap()),
    }


def _sync(directory: Directory) -> DirectorySync | None:
    return getattr(directory, "sync", None)


def state_of(directory: Directory) -> Badge:
    row = _sync(directory)
    if not directory.is_enabled:
        return Badge(_("Disabled"))
    if row is not None and row.error:
        return Badge(_("Not reached"), "bad")
    if row is None or row.began_at is None:
        return Badge(_("Not synced yet"), "waiting")
    if row.phase != DirectorySync.Phase.DONE:
        return Badge(row.get_phase_display(), "waiting")
    return (
        Badge(_("Problems: {n}").format(n=grouped(row.problem_count)), "waiting")
        if row.problem_count
        else Badge(_("Synced"), "good")
    )


@sensitive_post_parameters("bind_password")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    form = DirectoryForm(request.POST or None, Directory(kind=Directory.Kind.ACTIVE_DIRECTORY))
    if form.is_valid():
        directory, changed = form.filled()
        directories.save(directory, changed, actor=administrator(request).user_id)
        messages.success(request, _("{name} was added. Choose its groups next.").format(name=directory.name))
        return redirect("portal:services-ldap-edit", directory.pk)
    context = _common(request) | {"form": form, "directory": None}
    return render(request, "portal/services/ldap_form.html", context, status=422 if form.errors else 200)


@sensitive_post_parameters("bind_password")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    directory = get_object_or_404(Directory.objects.select_related("sync"), pk=number)
    is_read_only = not permissions.may(request, AdminRole.SETTINGS_MANAGE)
    if request.method == "POST":
        permissions.require(request, AdminRole.SETTINGS_MANAGE)
    name = directory.name
    form = DirectoryForm(request.POST or None, directory, is_read_only=is_read_only)
    if form.is_valid():
        changed = form.filled()[1]
        directories.save(directory, changed, actor=administrator(request).user_id)
        messages.success(request, _("Saved."))
        return redirect("portal:services-ldap-edit", directory.pk)
    context = _common(request) | {"form": form, "directory": directory, "name": name} | _standing(directory)
    return render(request, "portal/services/ldap_form.html", context, status=422 if form.errors else 200)


def _standing(directory: Directory) -> dict[str, Any]:
    row = _sync(directory)
    counts = row.counts if row is not None else {}
    chosen = Group.objects.filter(directory=directory).order_by("name")
    return {
        "sync": row,
        "state": state_of(directory),
        "counts": [(label, counts[what]) for what, label in COUNTS.items() if what in counts],
        "problems": row.problems[:MOST_PROBLEMS] if row is not None else [],
        "chosen": list(chosen.prefetch_related("roles")[:100]),
        "is_too_many_gone": row is not None and row.phase == DirectorySync.Phase.GONE and bool(row.error),
    }


@sensitive_post_parameters("bind_password")
@require_POST
def test(request: HttpRequest) -> HttpResponse:
    """**Test connection**: with what is entered, saved or not."""
    known = Directory.objects.filter(pk__in=keys([request.POST.get("row", "")])).first()
    if known is not None and "url" not in request.POST:
        return _findings(request, known)
    form = DirectoryForm(request.POST, known or Directory())
    if not form.is_valid():
        wrong = [(form.fields[name].label if name in form.fields else "", text) for name, text in form.errors.items()]
        return render(request, "portal/services/ldap_test.html", {"wrong": wrong}, status=422)
    return _findings(request, form.filled()[0])


def _findings(request: HttpRequest, directory: Directory) -> HttpResponse:
    good, bad = Badge(_("OK"), "good"), Badge(_("Look at this"), "bad")
    findings = [(finding, good if finding.is_good else bad) for finding in directories.tried(directory)]
    return render(request, "portal/services/ldap_test.html", {"findings": findings, "name": directory.name})


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, number: int) -> HttpResponse:
    """**Test user**: what the directory says of somebody, and what that would mean here."""
    directory = get_object_or_404(Directory, pk=number)
    form = PersonNameForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "directory": directory}
    status = 422 if form.errors else 200
    if form.is_valid():
        try:
            context["found"] = directories.look_at(directory, form.cleaned_data["person"])
        except DirectoryError as error:
            form.add_error("person", str(error))
            status = 422
    return render(request, "portal/services/ldap_person.html", context, status=status)


@require_POST
def sync_now(request: HttpRequest, number: int) -> HttpResponse:
    directory = get_object_or_404(Directory, pk=number, is_enabled=True)
    accepts = request.POST.get("accepts_losses") == "on"
    directories.ask_for_sync(directory, accepts_losses=accepts, actor=administrator(request).user_id)
    messages.success(request, _("The sync begins in a moment."))
    return redirect("portal:services-ldap-edit", directory.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, number: int) -> HttpResponse:
    """**LDAP Groups**: what the directory has, and what of it is used here."""
    directory = get_object_or_404(Directory, pk=number)
    kind = request.POST.get("kind") or request.GET.get("kind", "")
    kind = kind if kind in Group.Kind.values else Group.Kind.GROUP
    text = (request.POST.get("q") or request.GET.get("q", ""))[:100].replace("\0", "").strip()
    error = ""
    if request.method == "POST":
        permissions.require(request, AdminRole.SETTINGS_MANAGE)
        error = _chosen(request, directory, kind)
        if not error:
            return redirect(f"{request.path}?kind={kind}")
    available: list[Entry] = []
    try:
        with client.connected(directory) as connection:
            available = groups.offered(connection, text, kind)
    except DirectoryError as problem:
        error = error or str(problem)
    chosen = Group.objects.filter(directory=directory, kind=kind)
    selected = list(chosen.prefetch_related("roles").order_by("name"))
    taken = {client.same_dn(group.dn) for group in selected} if available else set()
    context = _common(request) | {
        "directory": directory,
        "kind": kind,
        "kinds": KINDS.items(),
        "text": text,
        "error": error,
        "available": [
            (entry.dn, groups.name_of(directory, entry, kind))
            for entry in available
            if client.same_dn(entry.dn) not in taken
        ],
        "is_cut": len(available) >= groups.MOST_OFFERED,
        "selected": selected,
        "ruled": group_rules.with_rule(directory=directory),
    }
    return render(request, "portal/services/ldap_groups.html", context, status=422 if error and request.POST else 200)


def _chosen(request: HttpRequest, directory: Directory, kind: str) -> str:
    """What was wrong."""
    actor = administrator(request).user_id
    wanted = [dn[:2000] for dn in request.POST.getlist("dn")][: groups.MOST_OFFERED]
    unwanted = keys(request.POST.getlist("group"))
    try:
        directories.choose_groups(directory, kind, wanted, unwanted, actor=actor)
    except DirectoryError as error:
        return str(error)
    return ""


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, number: int) -> HttpResponse:
    directory = get_object_or_404(Directory, pk=number)
    label = _("Type the name {name} to continue.").format(name=directory.name)
    form = TypedForm(request.POST or None, label=label, wanted=directory.name)
    if form.is_valid():
        try:
            directories.delete(directory, actor=administrator(request).user_id)
        except InvalidPerson as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("{name} was deleted.").format(name=directory.name))
            return HttpResponse(status=204, headers={"HX-Redirect": reverse("portal:services-ldap")})
    context = {"form": form, "directory": directory, "ruled": group_rules.with_rule(directory=directory)}
    return render(request, "portal/services/ldap_delete.html", context, status=422 if form.errors else 200)
