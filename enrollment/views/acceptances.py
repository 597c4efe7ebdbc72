"""What somebody has accepted, and each text as people saw it."""

from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from enrollment.models import Acceptance, PolicyText
from enrollment.views.wording import TEXTS
from epmm.portal.lists import Column, Link, Listing
from users import permissions
from users.models import User

NEWEST: Final = 5


def _text(row: Acceptance) -> Link:
    return Link(str(TEXTS[row.policy.kind]), reverse("portal:texts-version", args=[row.policy_id]))


def _listing(request: HttpRequest) -> Listing[Acceptance]:
    may_see_attempts = permissions.may_open(request, "logs-enrollment-attempt")

    def attempt(row: Acceptance) -> Link | None:
        """Its trace, as long as that is kept."""
        if row.attempt_id is None or not may_see_attempts:
            return None
        return Link(_("Trace"), reverse("portal:logs-enrollment-attempt", args=[row.attempt_id]))

    return Listing[Acceptance](
        name="users-acceptances",
        title=gettext_lazy("Privacy page and terms"),
        columns=(
            Column(key="text", label=gettext_lazy("Text"), value=_text),
            Column(key="version", label=gettext_lazy("Version"), value=lambda row: row.policy.version),
            Column(key="language", label=gettext_lazy("Language"), value=lambda row: row.policy.language),
            Column(key="at", label=gettext_lazy("Accepted"), value=lambda row: row.accepted_at, order="id"),
            Column(key="address", label=gettext_lazy("Address"), value=lambda row: row.address),
            Column(key="attempt", label=gettext_lazy("Enrollment attempt"), value=attempt),
        ),
        sorted_by="-at",
        empty=gettext_lazy("Nothing was accepted yet."),
    )


def _of(user: User) -> QuerySet[Acceptance]:
    return Acceptance.objects.filter(user=user).select_related("policy").defer("policy__text")


@require_safe
def newest(request: HttpRequest, number: int) -> HttpResponse:
    """A part of the person's page."""
    user = get_object_or_404(User, pk=number)
    found = list(_of(user).order_by("-pk")[: NEWEST + 1])
    columns = _listing(request).columns
    rows = [[column.value(row) for column in columns] for row in found[:NEWEST]]
    context = {"person": user, "rows": rows, "has_more": len(found) > NEWEST}
    return render(request, "portal/people/accepted.html", context)


@require_safe
def listed(request: HttpRequest, number: int) -> HttpResponse:
    user = get_object_or_404(User, pk=number)
    view = _listing(request).view(request, _of(user))
    back = Link(user.display_name, reverse("portal:users-edit", args=[user.pk]))
    return render(request, "portal/people/acceptances.html", view.context() | {"back": back})


@require_safe
def version(request: HttpRequest, number: int) -> HttpResponse:
    text = get_object_or_404(PolicyText, pk=number)
    return render(request, "portal/people/text.html", {"text": text, "title": TEXTS[text.kind]})
