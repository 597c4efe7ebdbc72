"""Services > Overview: what this server is connected to, and whether it is (portal specification, section 1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from devices.models import PushCertificate
from devices.services import push_expiry
from devices.views.mdm_settings import push_badge
from devices.views.wording import validity
from enrollment.models import Authority
from enrollment.services import authorities
from epmm import mail
from epmm.models import Mail, Webhook
from epmm.portal.lists import Badge
from users.models import Directory, IdentityProvider
from users.views import directories, providers, webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    kind: str | Promise
    name: str
    page: str  # where it is looked after
    of: tuple[int, ...] = ()
    state: Badge
    at: datetime | None = None  # when it was last asked, whatever came of it
    said: str = ""


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    found = [_push(), _mail(), *_authority(), *_directories(), *_providers(), *_webhooks()]
    may_open = request.may_open  # type: ignore[attr-defined] # users/middleware.py
    shown = [(each, reverse(f"portal:{each.page}", args=each.of) if may_open(each.page) else "") for each in found]
    context = {"connections": shown, "was_any_asked": any(each.at for each in found)}
    return render(request, "portal/services/overview.html", context)


def _push() -> Connection:
    row = PushCertificate.objects.defer("private_key", "certificate").first()
    state = push_badge(push_expiry.state(row, timezone.now()))
    return Connection(
        kind=_("Apple's push service"),
        name=row.topic if row else _("MDM certificate"),
        page="settings-ios-mdm",
        state=Badge(_("Refused by Apple"), "bad") if row and row.refused_at else state,
    )


def _mail() -> Connection:
    if not mail.is_set_up():
        state = Badge(_("Not set up"))
    elif Mail.objects.waiting().filter(attempts__gt=0).exists():
        state = Badge(_("Not reached"), "bad")
    else:
        state = Badge(_("On"), "good")
    return Connection(
        kind=_("Mail"),
        name=_("Outgoing mail"),
        page="settings-mail",
        state=state,
    )


def _authority() -> Iterator[Connection]:
    for purpose, certificate in authorities.known():
        if purpose == Authority.Purpose.DEVICE_CA:
            yield Connection(
                kind=_("Certificate authority"),
                name=_("Local"),
                page="services-certificates",
                state=validity(certificate.not_valid_after_utc - timezone.now()),
            )


def _directories() -> Iterator[Connection]:
    found = Directory.objects.select_related("sync").defer("bind_password", "certificates")
    for directory in found.order_by("name"):
        sync = getattr(directory, "sync", None)
        yield Connection(
            kind="LDAP",
            name=directory.name,
            page="services-ldap-edit",
            of=(directory.pk,),
            state=directories.state_of(directory),
            at=sync.ended_at if sync else None,
            said=sync.error if sync else "",
        )


def _providers() -> Iterator[Connection]:
    for provider in IdentityProvider.objects.defer("client_secret").order_by("name"):
        yield Connection(
            kind=_("Identity provider"),
            name=provider.name,
            page="services-providers-edit",
            of=(provider.pk,),
            state=providers.state_of(provider),
        )


def _webhooks() -> Iterator[Connection]:
    for webhook in Webhook.objects.defer("secret", "former_secret").order_by("name"):
        yield Connection(
            kind="Webhook",
            name=webhook.name,
            page="services-webhooks-edit",
            of=(webhook.pk,),
            state=webhooks.state(webhook),
        )
