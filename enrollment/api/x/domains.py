"""Enrollment domains: what people may type after the @, and whether a device of theirs would find us."""

from collections.abc import Sequence

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from enrollment.services import domain_check, domains
from enrollment.services.domain_check import Way
from enrollment.services.findings import Verdict
from epmm import options
from epmm.api import problems
from epmm.api.fields import Given, Text, Told
from epmm.client_address import client_address
from epmm.option_texts import OFFERS
from epmm.settings_store import InvalidSetting
from users.api import throttling
from users.api.x.base import All, Done, XView
from users.services.idempotency import Answer


class DomainTold(Told):
    example = {"domain": "example.com", "own": False, "offers": ["adde/iPhone", "aaue/iPhone"]}
    domain = serializers.CharField()
    own = serializers.SerializerMethodField(help_text="The host of the public URL, which answers itself.")

    def get_own(self, row: dict[str, str]) -> bool:
        return domains.is_own(row["domain"])

    offers = serializers.SerializerMethodField(
        help_text="Kinds of enrollment, each with a kind of device; those that are switched off are not offered yet."
    )

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(OFFERS)))
    def get_offers(self, row: dict[str, str]) -> list[str]:
        present = options.domain_offers(row["domain"])
        return [offer for offer in OFFERS if offer in present]


class Offers(Given):
    example = {"offers": ["adde/iPhone", "aaue/iPhone"]}
    offers = serializers.ListField(child=serializers.ChoiceField(OFFERS), allow_empty=False, max_length=len(OFFERS))


class NewDomain(Given):
    example = {"domain": "example.com"}
    domain = Text(max_length=253)


class Domains(All, Done):
    says = {"GET": "The enrollment domains.", "POST": "Add an enrollment domain."}
    item = DomainTold
    takes = {"POST": NewDomain}
    tells = {"POST": DomainTold}
    status = {"POST": 201}

    def items(self) -> Sequence[dict[str, str]]:
        return [{"domain": domain} for domain in options.enrollment_domains()]

    def perform(self, _prepared: None) -> Answer:
        try:
            address = client_address(self.request._request)
            added = domains.add(self.given["domain"], actor=self.actor, address=address)
        except (InvalidSetting, ValueError) as error:
            accepted = str(error) if isinstance(error, InvalidSetting) else _("one domain at a time")
            sentence = _("This value is not possible. Accepted: %(values)s.") % {"values": accepted}
            raise problems.invalid_fields({"domain": [sentence]}) from error
        return self.answer({"domain": added})


class OneDomain(XView):
    says = {
        "DELETE": "Whoever has an account of this domain enrolls no more.",
        "PUT": "Leave the domain these kinds of enrollment for these kinds of device.",
    }
    takes = {"PUT": Offers}
    tells = {"DELETE": None, "PUT": DomainTold}

    def put(self, _request: Request, domain: str) -> Response:
        if domain not in options.enrollment_domains():
            raise Http404
        address = client_address(self.request._request)
        domains.narrow(domain, self.given["offers"], actor=self.actor, address=address)
        return Response(self.shown({"domain": domain}))

    def delete(self, _request: Request, domain: str) -> Response:
        if not domains.remove(domain, actor=self.actor, address=client_address(self.request._request)):
            raise Http404
        return Response(status=204)


class FindingTold(Told):
    subject = serializers.CharField()
    verdict = serializers.ChoiceField([each.value for each in Verdict])
    sentence = serializers.CharField()


class TestTold(Told):
    __test__ = False
    example = {
        "good": True,
        "way": "redirect",
        "findings": [
            {"subject": "BaseURL", "verdict": "ok", "sentence": "Devices are led to this server (example.com)."}
        ],
    }
    good = serializers.BooleanField(source="is_good")
    way = serializers.ChoiceField(
        [each.value for each in Way],
        allow_null=True,
        help_text="How the domain answers: `own`: it is this server; `apple`: not at all, so devices ask Apple.",
    )
    findings = FindingTold(many=True)


class TestDomain(XView):
    __test__ = False
    says = {"POST": "Ask the domain as a device does; that takes up to 15 seconds."}
    tells = {"POST": TestTold}

    def post(self, _request: Request, domain: str) -> Response:
        if domain not in options.enrollment_domains():
            raise Http404
        throttling.admit_elsewhere()
        outcome = domain_check.test(domain, actor=self.actor, address=client_address(self.request._request))
        return Response(self.shown(outcome))
