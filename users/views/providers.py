"""Services > Identity providers: where people may sign in instead of with a password of ours."""

from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from epmm.portal.lists import Badge, Cell, Column, Link, Listing
from epmm.rate_limit import limited
from users import permissions
from users.errors import ProviderRefused
from users.models import AdminRole, Group, IdentityProvider
from users.provider_forms import ProviderForm
from users.services import group_rules
from users.services.oidc import known, providers
from users.views.dialogs import GO, administrator, refused
from users.views.group_list import roles_of

HERE: Final = "portal:services-providers"


def _name(provider: IdentityProvider) -> Cell:
    return Link(provider.name, reverse("portal:services-providers-edit", args=[provider.pk]))


def state_of(provider: IdentityProvider) -> Badge:
    return Badge(_("On"), "good") if provider.is_enabled else Badge(_("Off"), "plain")


def _purposes(provider: IdentityProvider) -> str:
    purposes = [
        (provider.for_enrollment, _("Enrollment")),
        (provider.for_self, _("User portal")),
        (provider.for_portal, _("Admin Portal")),
    ]
    return ", ".join(label for is_so, label in purposes if is_so)


def _find(found: QuerySet[IdentityProvider], text: str) -> QuerySet[IdentityProvider]:
    return found.filter(name__icontains=text) | found.filter(issuer__icontains=text)


LISTING: Final = Listing[IdentityProvider](
    name="services-providers",
    title=gettext_lazy("Identity providers"),
    columns=(
        Column(key="name", label=gettext_lazy("Name"), value=_name, order="name"),
        Column(key="issuer", label=gettext_lazy("Issuer"), value=lambda row: row.issuer),
        Column(key="state", label=gettext_lazy("State"), value=state_of),
        Column(key="purposes", label=gettext_lazy("Signs in to"), value=_purposes),
        Column(key="people", label=gettext_lazy("People"), value=lambda row: getattr(row, "people", 0)),
    ),
    sorted_by="name",
    find=_find,
    search_hint=gettext_lazy("Name, issuer"),
    empty=gettext_lazy("There are no identity providers yet. People sign in with passwords and PINs of this server."),
)


@require_safe
def listed(request: HttpRequest) -> HttpResponseBase:
    rows = IdentityProvider.objects.defer("client_secret").annotate(people=Count("entries"))
    view = LISTING.view(request, rows)
    if request.GET.get("format") == "csv":
        return view.csv()
    context = view.context() | {"may_manage": permissions.may(request, AdminRole.SETTINGS_MANAGE)}
    return render(request, "portal/services/providers.html", context)


@sensitive_post_parameters("client_secret")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    return _form(request, IdentityProvider())


@sensitive_post_parameters("client_secret")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    return _form(request, get_object_or_404(IdentityProvider, pk=number))


def _form(request: HttpRequest, provider: IdentityProvider) -> HttpResponse:
    may_manage = permissions.may(request, AdminRole.SETTINGS_MANAGE)
    if request.method == "POST":
        permissions.require(request, AdminRole.SETTINGS_MANAGE)
    form = ProviderForm(request.POST or None, instance=provider, is_read_only=not may_manage)
    if form.is_valid():
        given = form.cleaned_data
        provider.is_enabled = "is_enabled" in request.POST or provider.pk is None
        actor = administrator(request).user_id
        providers.save(form.instance, secret=given["client_secret"], groups=given["groups"], actor=actor)
        messages.success(request, _("Saved. Test it next."))
        return redirect("portal:services-providers-edit", provider.pk)
    context = {
        "form": form,
        "provider": provider,
        "may_manage": may_manage,
        "addresses": _addresses(provider),
        "groups": [(group, roles_of(group)) for group in _groups(provider)],
        "may_assign": permissions.may_open(request, "users-group-roles"),
    }
    return render(request, "portal/services/provider.html", context, status=422 if form.errors else 200)


def _groups(provider: IdentityProvider) -> Iterable[Group]:
    return provider.groups.order_by("name_folded").prefetch_related("roles") if provider.pk else ()


def _addresses(provider: IdentityProvider) -> list[tuple[str, str]]:
    """What is registered there."""
    if provider.pk is None:
        return []
    places = [
        (_("Redirect URL for enrollment"), reverse("provider-callback", args=[provider.pk])),
        (_("Redirect URL for the Admin Portal"), reverse("portal:sign-in-provider-callback", args=[provider.pk])),
        (_("Redirect URL for the user portal"), reverse("self:sign-in-provider-callback", args=[provider.pk])),
        (_("URL after signing out of the Admin Portal"), reverse("portal:sign-in")),
        (_("URL after signing out of the user portal"), reverse("self:home")),
    ]
    return [(label, f"{settings.PUBLIC_URL}{path}") for label, path in places]


@limited
@require_POST
def test(request: HttpRequest, number: int) -> HttpResponse:
    """**Test**.  Only what is stored is asked."""
    provider = get_object_or_404(IdentityProvider, pk=number)
    try:
        found = known.fetch(provider.issuer)
    except ProviderRefused as error:
        return refused(request, f"{error} {error.why}")
    metadata = found.metadata
    facts = [
        (_("Issuer"), metadata.issuer),
        (_("People sign in at"), metadata.authorization_endpoint),
        (_("Keys"), str(len(found.keys.keys))),
        (_("Sign-out"), metadata.end_session_endpoint or _("not offered")),
    ]
    context = {"provider": provider, "facts": facts, "addresses": _addresses(provider)}
    return render(request, "portal/services/provider_test.html", context)


@require_POST
def delete(request: HttpRequest, number: int) -> HttpResponse:
    provider = get_object_or_404(IdentityProvider, pk=number)
    if GO not in request.POST:
        ruled = group_rules.with_rule(provider=provider)
        context = {"provider": provider, "people": provider.entries.count(), "ruled": ruled}
        return render(request, "portal/services/provider_delete.html", context)
    if not providers.delete(provider, actor=administrator(request).user_id):
        return refused(request, _("People come from it. Switch it off instead, or delete them first."))
    messages.success(request, _("{name} is deleted.").format(name=provider.name))
    return HttpResponse(status=204, headers={"HX-Redirect": reverse(HERE)})
