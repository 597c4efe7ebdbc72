"""Settings > iOS > MDM: the switches, and the certificate that wakes devices (portal specification, section 9.4)."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from devices.forms import PushCertificateForm, SignedRequestForm, content
from devices.models import Enrollment, PushCertificate, PushRequest
from devices.protocol.push_certificate import to_pem
from devices.services import push_expiry, push_installation, push_requests, push_topics
from devices.services.push_expiry import State
from devices.services.push_installation import ConfirmationNeeded
from devices.services.push_requests import PushCertificateRefused
from epmm import options, settings_store
from epmm.client_address import client_address
from epmm.portal import settings_tree
from epmm.portal.lists import COUNT_CAP, Badge, counted
from users import permissions
from users.services import portal_sign_in
from users.views.settings import form_of, may_change, saved

View = Callable[..., HttpResponseBase]
UPLOAD_PAGE: Final = "portal:settings-ios-mdm-certificate"
PEM: Final = "application/x-pem-file"


def confirmed_first(view: View) -> View:
    """Who is at the keyboard is asked once more, before a key is made or replaced."""

    @wraps(view)
    def asking(request: HttpRequest, *arguments: Any, **keywords: Any) -> HttpResponseBase:
        if portal_sign_in.is_confirmed(request):
            return view(request, *arguments, **keywords)
        return redirect(f"{reverse('portal:confirm')}?{urlencode({'next': reverse(UPLOAD_PAGE)})}")

    return asking


@require_http_methods(["GET", "HEAD", "POST"])
def mdm(request: HttpRequest) -> HttpResponse:
    form = form_of(request, settings_tree.IOS_MDM)
    if saved(request, form):
        return redirect("portal:settings-ios-mdm")
    context = _facts() | {"form": form, "can_change": may_change(request)}
    context["may_see_identities"] = permissions.may_open(request, "settings-ios-mdm-identities")
    return render(request, "portal/settings/ios_mdm.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def system(request: HttpRequest) -> HttpResponse:
    """Policies & Configs > Configurations > System - iOS MDM."""
    node = settings_tree.SYSTEM_IOS_MDM
    form = form_of(request, node)
    if saved(request, form):
        return redirect(node.address)
    rights = settings_store.read(options.ACCESS_RIGHTS)
    wanted = sum(int(right) for right in rights)
    # two ranges of its index, where "not equal" is all of it
    others = Q(access_rights__lt=wanted) | Q(access_rights__gt=wanted)
    found = Enrollment.objects.active().filter(others, kind=Enrollment.Kind.ADDE)
    context = {
        "node": node,
        "form": form,
        "can_change": may_change(request),
        "others": counted(found[: COUNT_CAP + 1].count()),
    }
    return render(request, "portal/configurations/system.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@confirmed_first
def certificate(request: HttpRequest) -> HttpResponse:
    """**Install MDM Certificate**: the three steps, in their order."""
    asks = request.POST.get("given", "") != ""
    form = PushCertificateForm(request.POST or None, request.FILES or None, asks_confirmation=asks)
    if not form.is_bound:
        form.initial["apple_account"] = PushCertificate.objects.values_list("apple_account", flat=True).first() or ""
    consequences: list[str] = []
    if form.is_valid():
        try:
            _install(request, form)
        except ConfirmationNeeded as needed:
            consequences = needed.consequences
            form = form.asking(form.certificate_bytes())
        except PushCertificateRefused as refused:
            form.add_error("certificate", str(refused))
        else:
            return redirect("portal:settings-ios-mdm")
    status = 422 if form.errors or consequences else 200
    return _steps(request, form=form, consequences=consequences, status=status)


def _install(request: HttpRequest, form: PushCertificateForm) -> None:
    given, certificate = form.cleaned_data, form.certificate_bytes()
    row = push_installation.install(
        certificate,
        key=content(given["key"]),
        apple_account=given["apple_account"].strip() or None,
        confirmed=form.is_confirmed(certificate),
        actor=str(request.user),
        address=client_address(request),
    )
    messages.success(
        request, _("The MDM certificate is installed, valid until %(date)s.") % {"date": row.not_after.date()}
    )


@require_POST
@confirmed_first
def request_file(request: HttpRequest) -> HttpResponse:
    """**Download Certificate Signing Request**: the open one, or a new one with a new key."""
    anew = request.POST.get("anew") == "on"
    made = push_requests.request(anew=anew, actor=str(request.user), address=client_address(request))
    return _file(to_pem(bytes(made.csr)), "epmm-push-request.pem", PEM)


@require_POST
@confirmed_first
def signed(request: HttpRequest) -> HttpResponse:
    """A vendor's signed request, checked before Apple's portal would refuse it with fewer words."""
    form = SignedRequestForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            return _file(
                push_requests.check_signed(content(form.cleaned_data["signed"]) or b""),
                "upload-to-apple.b64",
                "text/plain",
            )
        except PushCertificateRefused as refused:
            form.add_error("signed", str(refused))
    return _steps(request, signed_form=form, status=422)


def _steps(request: HttpRequest, *, status: int, **context: Any) -> HttpResponse:
    blank = {"form": PushCertificateForm(), "signed_form": SignedRequestForm()}
    return render(request, "portal/settings/certificate.html", _facts() | blank | context, status=status)


def _file(body: bytes, name: str, content_type: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(body, content_type=content_type, headers=headers)


def _facts() -> dict[str, Any]:
    """Of the certificate; its key is not even read."""
    now = timezone.now()
    row = PushCertificate.objects.defer("private_key", "certificate").first()
    state = push_expiry.state(row, now)
    opened = PushRequest.objects.values_list("created_at", flat=True).first()
    topic = row.topic if row else push_topics.lab_topic()
    return settings_tree.context(settings_tree.IOS_MDM) | {
        "push": row,
        "push_badge": push_badge(state),
        "is_present": row is not None,
        "days_left": row.days_left(now) if row else None,
        "topic": topic,
        "request_open_since": opened,
        "enrolled": push_topics.enrolled(topic),
        "left_behind": push_topics.left_behind(topic),
    }


def push_badge(state: State) -> Badge:
    return {
        State.NONE: Badge(_("Not installed"), "bad"),
        State.VALID: Badge(_("Valid"), "good"),
        State.EXPIRES: Badge(_("Expires soon"), "waiting"),
        State.EXPIRED: Badge(_("Expired"), "bad"),
    }[state]
