"""Enrollment domains: what people may type after the @, and what the web server of each has to say."""

from collections.abc import Collection
from dataclasses import dataclass
from string import Template
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from devices.models import Enrollment
from enrollment.protocol import discovery as protocol
from enrollment.services import discovery, policy
from epmm import options, settings_store
from epmm.models import SettingRow
from epmm.option_texts import DOMAIN, OFFERS
from epmm.settings_store import InvalidSetting
from users.models import User

PATH: Final = "/.well-known/com.apple.remotemanagement"


@dataclass(frozen=True, slots=True)
class Rules:
    server: str
    where: str
    text: str


def is_own(domain: str) -> bool:
    return domain == settings.PUBLIC_HOST


def add(domain: str, *, actor: str, address: str | None) -> str:
    """The domain as it is kept.  Raises InvalidSetting."""
    (added,) = options.ENROLLMENT_DOMAINS.parse(domain) or ("",)
    if not added:
        raise InvalidSetting(_("a domain, for example example.com"))
    with transaction.atomic():
        present = _locked()
        if added in present:
            raise InvalidSetting(_("a domain that is not in the list yet"))
        _write((*present, added), actor=actor, address=address)
    return added


def remove(domain: str, *, actor: str, address: str | None) -> bool:
    """False when it was not there.  Without any the host of the public URL stands in."""
    with transaction.atomic():
        present = _locked()
        if domain not in present:
            return False
        _write(tuple(each for each in present if each != domain), actor=actor, address=address)
        _write_offers(domain, (), actor=actor, address=address)
    return True


def narrow(domain: str, offers: Collection[str], *, actor: str, address: str | None) -> None:
    """Leave it these (`adde/iPhone`) of what is switched on.  Raises InvalidSetting."""
    if not offers:
        raise InvalidSetting(_("one kind of enrollment for one kind of device at least; or remove the domain"))
    with transaction.atomic():
        _locked()
        _write_offers(domain, () if set(OFFERS) <= set(offers) else offers, actor=actor, address=address)


def offered(domain: str) -> dict[Enrollment.Kind, list[str]]:
    """The kinds that it offers, each with the kinds of device that the settings allow, too."""
    allowed = settings_store.read(options.ALLOWED_FAMILIES)
    by_family = {family: policy.offered(domain, family) for family in allowed}
    return {kind: [family for family, kinds in by_family.items() if kind in kinds] for kind in policy.offered(domain)}


def accounts_in(domain: str) -> int:
    """How many people could no longer enroll without it."""
    return User.objects.filter(managed_apple_account__endswith=f"@{domain}").count()


def _locked() -> tuple[str, ...]:
    """As they stand now, not as this process last read them; two who change them at once wait for one another."""
    names = (options.ENROLLMENT_DOMAINS.name, options.DOMAIN_OFFERS.name)
    list(SettingRow.objects.select_for_update().filter(name__in=names).order_by("name"))
    settings_store.clear_cache()
    return options.enrollment_domains()


def _write(domains: tuple[str, ...], *, actor: str, address: str | None) -> None:
    """The public host alone is what an empty list says, whatever it will be called; `localhost` no list can hold."""
    only_own = all(map(is_own, domains))
    text = "" if only_own else ",".join(each for each in domains if DOMAIN.fullmatch(each))
    settings_store.change(options.ENROLLMENT_DOMAINS.name, text, actor=actor, address=address)


def _write_offers(domain: str, offers: Collection[str], *, actor: str, address: str | None) -> None:
    present = settings_store.read(options.DOMAIN_OFFERS)
    others = [item for item in present if not item.startswith(f"{domain}=")]
    items = (*others, *(f"{domain}={offer}" for offer in offers))
    if items != present:
        settings_store.change(options.DOMAIN_OFFERS.name, ",".join(items), actor=actor, address=address)


def files(domain: str) -> list[tuple[str, str]]:
    """The document as a file, one for each kind that the domain offers: a file cannot tell people or devices apart."""
    kinds = policy.offered(domain) or [Enrollment.Kind.ADDE]
    base = f"{settings.PUBLIC_URL}/enroll"
    return [
        (discovery.VERSION[kind], protocol.document(discovery.VERSION[kind], f"{base}/{kind.value}").decode())
        for kind in kinds
    ]


def rules(domain: str) -> list[Rules]:
    """A redirect that keeps the query, which devices do not add again."""
    values = {
        "domain": domain,
        "path": PATH,
        "pattern": PATH.replace(".", r"\."),
        "url": f"{settings.PUBLIC_URL}{PATH}",
    }
    values["iis"] = values["pattern"].removeprefix("/")
    return [Rules(server, where, Template(text).substitute(values)) for server, where, text in _RULES]


_RULES: Final = (
    (
        "nginx",
        "server { … }",
        """location = $path {
    return 307 $url$$is_args$$args;
}
""",
    ),
    (
        "Apache",
        "<VirtualHost> / .htaccess",
        """RedirectMatch 307 "^$pattern$$" "$url"
""",
    ),
    (
        "IIS",
        "web.config, URL Rewrite",
        """<rule name="Apple device enrollment" stopProcessing="true">
  <match url="^$iis$$" />
  <action type="Redirect" url="$url"
          appendQueryString="true" redirectType="Temporary" />
</rule>
""",
    ),
    (
        "Cloudflare",
        "Rules > Redirect Rules",
        """When:  http.host eq "$domain" and http.request.uri.path eq "$path"
Then:  Static, URL $url
       Status code 307, Preserve query string: on
""",
    ),
)
