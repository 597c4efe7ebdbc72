"""Devices & Users > Invitations: who was invited, and how far each has come."""

from collections.abc import Callable
from typing import Final

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from enrollment.models import Invitation
from enrollment.services import invitations
from enrollment.services.invitations import Uninvited
from epmm.models import Mail
from epmm.portal.filters import Filter, Filters
from epmm.portal.lists import MOST_TICKED, Action, Badge, Cell, Column, Link, Listing, ticked
from users import permissions
from users.views import chosen
from users.views.dialogs import GO, administrator, refused

ENDS: Final = {Invitation.End.ENROLLED: "good"}
MAILS: Final = {Mail.State.QUEUED: "waiting", Mail.State.SENT: "plain", Mail.State.FAILED: "bad"}
OPEN: Final = Q(end="")
UNSENT: Final = OPEN & Q(problem="") & (Q(mail=None, round__isnull=False) | Q(mail__state=Mail.State.QUEUED))
FAILED: Final = OPEN & (~Q(problem="") | Q(mail__state=Mail.State.FAILED))
STATES: Final = {
    "open": (gettext_lazy("Not enrolled yet"), OPEN),
    "unsent": (gettext_lazy("On the way"), UNSENT),
    "failed": (gettext_lazy("Failed"), FAILED),
    "opened": (gettext_lazy("Opened"), OPEN & Q(opened_at__isnull=False)),
    **{str(end): (end.label, Q(end=end)) for end in Invitation.End},
}


def state(invitation: Invitation) -> Badge:
    """One word, and the server's own where it matters."""
    sent = invitation.mail
    if invitation.end:
        end = Invitation.End(invitation.end)
        return Badge(end.label, ENDS.get(end, "plain"))
    if invitation.problem:
        return Badge(_("Failed"), "bad", note=invitation.problem)
    if invitation.round is None:
        return Badge(_("Announced"), "waiting")
    if sent is None:
        return Badge(_("Being written"), "waiting")
    if sent.state == Mail.State.SENT and invitation.opened_at is not None:
        return Badge(_("Opened"), "plain")
    return Badge(Mail.State(sent.state).label, MAILS.get(Mail.State(sent.state), "plain"), note=sent.answer)


def _sent(invitation: Invitation) -> Cell:
    mail = invitation.mail
    return mail.done_at if mail is not None and mail.state == Mail.State.SENT else None  # else given up at that time


def _reminders(invitation: Invitation) -> Cell:
    made = invitation.round
    return f"{invitation.reminded}/{made.reminders}" if made is not None and made.reminders else None


LISTING: Final = Listing[Invitation](
    name="invitations",
    title=gettext_lazy("Invitations"),
    columns=(
        Column(
            key="name",
            label=gettext_lazy("Name"),
            value=lambda each: Link(each.user.display_name, reverse("portal:users-edit", args=[each.user_id])),
        ),
        Column(key="email", label=gettext_lazy("Email"), value=lambda each: each.user.email),
        Column(key="state", label=gettext_lazy("State"), value=state),
        Column(key="created", label=gettext_lazy("Invited"), value=lambda each: each.created_at, order="created_at"),
        Column(key="sent", label=gettext_lazy("Mail sent"), value=_sent),
        Column(key="opened", label=gettext_lazy("Page opened"), value=lambda each: each.opened_at),
        Column(key="reminders", label=gettext_lazy("Reminders"), value=_reminders),
        Column(key="next", label=gettext_lazy("Next reminder"), value=lambda each: each.remind_at, is_shown=False),
        Column(key="expires", label=gettext_lazy("Expires"), value=lambda each: each.expires_at, is_shown=False),
        Column(
            key="by",
            label=gettext_lazy("Invited by"),
            value=lambda each: each.round.created_by if each.round else None,
            is_shown=False,
        ),
    ),
    sorted_by="-created",
    actions=(
        Action(label=gettext_lazy("Send again"), name="invitations-again", icon="send"),
        Action(label=gettext_lazy("Stop"), name="invitations-stop", icon="circle-off", is_dangerous=True),
    ),
    empty=gettext_lazy("Nobody has been invited yet. Tick people on the page of users and choose Send Invitation."),
)
FILTERS: Final = (
    Filter(key="round", label=gettext_lazy("Round"), lookup="round", means=lambda text: Q(round=_number(text))),
    Filter(
        key="state",
        label=gettext_lazy("State"),
        lookup="end",
        values=[(key, label) for key, (label, _condition) in STATES.items()],
        means=lambda text: STATES[text][1],
    ),
    Filter(key="user", label=gettext_lazy("User ID"), lookup="user__user_id"),
)


def _number(text: str) -> int:
    return next(iter(chosen.keys([text])), 0)


def _all() -> QuerySet[Invitation]:
    return Invitation.objects.select_related("user", "mail", "round")


@require_safe
def listed(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    filters = Filters(request, FILTERS)
    view = LISTING.view(request, filters.apply(_all()))
    if request.GET.get("format") == "csv":
        return view.csv()
    actions = [action for action in LISTING.actions if permissions.may_open(request, action.name)]
    context = view.context() | filters.context() | {"actions": actions} | _progress(request)
    return render(request, "portal/invitations/list.html", context)


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """How far one round has come; the page asks for it until it is done."""
    return render(request, "portal/invitations/progress.html", _progress(request))


def _progress(request: HttpRequest) -> dict[str, object]:
    number = _number(request.GET.get("round", ""))
    if not number:
        return {}
    counted = Invitation.objects.filter(round=number).aggregate(
        people=Count("pk"),
        waiting=Count("pk", filter=UNSENT),
        sent=Count("pk", filter=Q(mail__state=Mail.State.SENT)),
        failed=Count("pk", filter=FAILED),
        opened=Count("pk", filter=Q(opened_at__isnull=False)),
        enrolled=Count("pk", filter=Q(end=Invitation.End.ENROLLED)),
    )
    return {"round": number, "counted": counted, "done": counted["people"] - counted["waiting"]}


@require_POST
def again(request: HttpRequest) -> HttpResponse:
    explanation = _("The same text once more, with a new PIN where there was one.")
    return _deed(request, _("Send again"), explanation, invitations.again)


@require_POST
def stop(request: HttpRequest) -> HttpResponse:
    explanation = _("No reminders any more; what waits is not sent, and a PIN that was sent serves no more.")
    return _deed(request, _("Stop"), explanation, _stop)


def _stop(invitation: Invitation, *, actor: str) -> None:
    if not invitations.stop(invitation, actor=actor):
        raise Uninvited(_("This invitation has ended already."))


def _deed(request: HttpRequest, heading: str, explanation: str, do: Callable[..., None]) -> HttpResponse:
    found = _chosen(request)
    if not found:
        return refused(request, _("Nobody is selected. Tick the people first."))
    context = {"heading": heading, "explanation": explanation, "address": request.path, "number": len(found)}
    context |= {"names": [each.user.display_name for each in found[:3]], "more": max(0, len(found) - 3)}
    if GO not in request.POST:
        return render(request, "portal/deed.html", context | {"chosen": ",".join(str(each.pk) for each in found)})
    results = [(each.user, *_done(do, each, administrator(request).user_id)) for each in found]
    context |= {"results": results, "failed": sum(1 for _user, problem, _told in results if problem)}
    return render(request, "portal/people/results.html", context)


def _done(do: Callable[..., None], invitation: Invitation, actor: str) -> tuple[str, str]:
    try:
        do(invitation, actor=actor)
    except Uninvited as error:
        return str(error), ""
    return "", _("Done")


def _chosen(request: HttpRequest) -> list[Invitation]:
    given = str(request.POST["chosen"]).split(",") if "chosen" in request.POST else ticked(request)
    return list(_all().filter(pk__in=chosen.keys(given[:MOST_TICKED])).order_by("-created_at", "-pk"))
