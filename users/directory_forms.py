"""What an administrator enters about a directory (portal specification, section 10)."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from django import forms
from django.forms.boundfield import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from users.models import AccountSource, Directory
from users.services import account_patterns
from users.services.directory import filters, schema
from users.services.directory.schema import Nesting

ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
SCHEMA: Final = "schema_"
PLAIN: Final = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
# Whoever changes one of these sends the password to a server that it was not entered for.
ADDRESSES: Final = ("url", "failover_url", "starts_tls", "allows_plain", "certificates")
NAMES: Final[dict[str, str | Promise]] = {
    "user_filter": gettext_lazy("Filter for people"),
    "user_id": gettext_lazy("User ID attribute"),
    "external_id": gettext_lazy("Attribute that stays when somebody is renamed"),
    "first_name": gettext_lazy("First name attribute"),
    "last_name": gettext_lazy("Last name attribute"),
    "display_name": gettext_lazy("Display name attribute"),
    "email": gettext_lazy("Email attribute"),
    "upn": gettext_lazy("User principal name attribute"),
    "sam": gettext_lazy("SAM account name attribute"),
    "group_filter": gettext_lazy("Filter for groups"),
    "group_name": gettext_lazy("Group name attribute"),
    "member": gettext_lazy("Member attribute of a group"),
    "member_of": gettext_lazy("Member-of attribute of a person"),
    "nesting": gettext_lazy("Groups in groups"),
    "unit_filter": gettext_lazy("Filter for organizational units"),
    "unit_name": gettext_lazy("Unit name attribute"),
}
NESTINGS: Final[tuple[tuple[str, str | Promise], ...]] = (
    ("", gettext_lazy("As usual for this type")),
    (Nesting.NONE, gettext_lazy("Direct members only")),
    (Nesting.RULE, gettext_lazy("Found by the server (Active Directory)")),
    (Nesting.RECURSIVE, gettext_lazy("Followed group by group")),
)
ACCOUNT: Final = ("account_source", "account_attribute", "account_pattern")
SECTIONS: Final[tuple[tuple[str | Promise, tuple[str, ...], bool], ...]] = (
    (
        gettext_lazy("Server"),
        (
            "name", "kind", "url", "failover_url", "starts_tls", "allows_plain", "certificates", "bind_name",
            "bind_password", "connect_seconds", "search_seconds", "chases_referrals", "domain", "admin_state",
        ),
        True,
    ),
    (
        gettext_lazy("People"),
        ("user_base", "user_scope", *ACCOUNT, "searched_attributes", "sync_minutes"),
        True,
    ),
    (gettext_lazy("Groups and organizational units"), ("group_base", "group_scope", "unit_base", "unit_scope"), True),
    (gettext_lazy("Filters and names of attributes"), tuple(SCHEMA + name for name in NAMES), False),
)  # fmt: skip


def _line(label: Any, longest: int, help_text: Any = "", **more: Any) -> forms.CharField:
    widget = forms.TextInput(attrs=PLAIN)
    return forms.CharField(label=label, max_length=longest, help_text=help_text, widget=widget, **more)


def _seconds(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=1, max_value=300, widget=forms.NumberInput(attrs={"class": "narrow"})
    )


class DirectoryForm(forms.Form):
    name = _line(gettext_lazy("Name"), 100)
    kind = forms.ChoiceField(
        label=gettext_lazy("Directory Type"),
        choices=Directory.Kind.choices,
        widget=forms.Select(attrs={"data-usual-by": ""}),
    )
    url = _line(gettext_lazy("Directory URL"), 255, gettext_lazy("For example ldaps://dc1.example.com"))
    failover_url = _line(gettext_lazy("Directory Failover URL"), 255, required=False)
    starts_tls = forms.BooleanField(
        label=gettext_lazy("StartTLS on ldap:// addresses"), required=False
    )  # fmt: skip
    allows_plain = forms.BooleanField(
        label=gettext_lazy("Allow plain LDAP"),
        required=False,
        help_text=gettext_lazy("Everybody's passwords then travel unprotected. For laboratories."),
    )
    certificates = forms.CharField(
        label=gettext_lazy("Certificates of the directory's authority (PEM)"),
        required=False,
        max_length=65_536,
        widget=forms.Textarea(attrs=PLAIN | {"rows": 4}),
        help_text=gettext_lazy("Empty: those that this machine trusts."),
    )
    bind_name = _line(
        gettext_lazy("Directory UserID"),
        512,
        gettext_lazy("With its domain, as epmm@example.com, or a distinguished name. It needs to read, no more."),
    )
    bind_password = forms.CharField(
        label=gettext_lazy("Directory Password"),
        max_length=1024,
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    connect_seconds = _seconds(gettext_lazy("Connect Timeout (seconds)"))
    search_seconds = _seconds(gettext_lazy("Search Results Timeout (seconds)"))
    chases_referrals = forms.BooleanField(
        label=gettext_lazy("Chase Referrals"),
        required=False,
        help_text=gettext_lazy("The servers that are referred to are asked anonymously."),
    )
    domain = _line(
        gettext_lazy("Domain"), 253, gettext_lazy("What stands behind the @ of its user IDs."), required=False
    )
    admin_state = forms.ChoiceField(
        label=gettext_lazy("Admin State"),
        choices=(("enabled", gettext_lazy("Enable")), ("disabled", gettext_lazy("Disable"))),
        help_text=gettext_lazy("Nobody of a disabled directory signs in."),
    )
    user_base = _line(gettext_lazy("Base DN of people"), 512)
    user_scope = forms.ChoiceField(label=gettext_lazy("Search scope for people"), choices=Directory.Scope.choices)
    account_source = forms.ChoiceField(
        label=gettext_lazy("Managed Apple Accounts"), choices=AccountSource.choices, required=False
    )
    account_attribute = _line(gettext_lazy("Attribute for the Managed Apple Account"), 64)
    account_pattern = _line(gettext_lazy("Pattern for the Managed Apple Account"), 320, required=False)
    searched_attributes = _line(
        gettext_lazy("Further attributes"),
        500,
        gettext_lazy("Separated by commas. Devices can be searched for by them, as user.ldap.department."),
        required=False,
    )
    sync_minutes = forms.IntegerField(
        label=gettext_lazy("Sync interval (minutes)"),
        min_value=0,
        max_value=10_080,
        help_text=gettext_lazy("0: only when somebody asks for it."),
        widget=forms.NumberInput(attrs={"class": "narrow"}),
    )
    group_base = _line(gettext_lazy("Base DN of groups"), 512, required=False)
    group_scope = forms.ChoiceField(label=gettext_lazy("Search scope for groups"), choices=Directory.Scope.choices)
    unit_base = _line(gettext_lazy("Base DN of organizational units"), 512, required=False)
    unit_scope = forms.ChoiceField(label=gettext_lazy("Search scope for units"), choices=Directory.Scope.choices)

    def __init__(self, data: Any, directory: Directory, *, is_read_only: bool = False) -> None:
        super().__init__(data, initial=_initial(directory))
        self.directory = directory
        kind = data.get("kind") if data else directory.kind
        for name, label in NAMES.items():
            usual = {each: getattr(schema.USUAL[each], name) for each in Directory.Kind.values}
            self.fields[SCHEMA + name] = _schema_field(name, label, usual, kind)
        if directory.bind_password:
            self.fields["bind_password"].help_text = _("Empty: it stays.")
        for field in self.fields.values():
            field.disabled = is_read_only

    def sections(self) -> Iterator[tuple[str | Promise, Sequence[BoundField], bool]]:
        """The last is for who needs it, and open where it is at fault."""
        for label, names, is_open in SECTIONS:
            fields = [self[name] for name in names]
            yield label, fields, is_open or any(field.errors for field in fields)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if Directory.objects.exclude(pk=self.directory.pk).filter(name__iexact=name).exists():
            raise forms.ValidationError(_("There is a directory of this name."))
        return name

    def clean_url(self) -> str:
        return _address(self.cleaned_data["url"])

    def clean_failover_url(self) -> str:
        return _address(self.cleaned_data["failover_url"]) if self.cleaned_data["failover_url"] else ""

    def clean_certificates(self) -> str:
        pem = str(self.cleaned_data["certificates"]).strip()
        if pem:
            try:
                x509.load_pem_x509_certificates(pem.encode())
            except ValueError as error:
                raise forms.ValidationError(_("These are no certificates in PEM form.")) from error
        return pem

    def clean_account_attribute(self) -> str:
        return _attribute(self.cleaned_data["account_attribute"])

    def clean_account_source(self) -> str:
        return self.cleaned_data["account_source"] or self.directory.account_source

    def clean_account_pattern(self) -> str:
        return account_patterns.checked(self.cleaned_data["account_pattern"], self.cleaned_data.get("account_source"))

    def clean_searched_attributes(self) -> list[str]:
        given = [each.strip() for each in self.cleaned_data["searched_attributes"].split(",")]
        return [_attribute(each) for each in dict.fromkeys(given) if each]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        urls = [str(given.get(name) or "") for name in ("url", "failover_url")]
        if (
            any(url.startswith("ldap://") for url in urls)
            and not given.get("starts_tls")
            and not given.get("allows_plain")
        ):
            self.add_error("url", _("Plain LDAP is refused: use ldaps://, or StartTLS, or allow it below."))
        for name in schema.FILTERS:
            if (text := given.get(SCHEMA + name)) and not filters.is_filter(text):
                self.add_error(SCHEMA + name, _("A filter stands in parentheses, as (objectClass=person)."))
        for name in schema.NAMES:
            text = given.get(SCHEMA + name)
            if text and name not in schema.FILTERS | {"nesting"} and ATTRIBUTE.fullmatch(text) is None:
                self.add_error(SCHEMA + name, _("This is no name of an attribute."))
        if not given.get("bind_password"):
            if not self.directory.bind_password:
                self.add_error("bind_password", _("Nobody asks a directory without a password."))
            elif any(given.get(name) != getattr(self.directory, name) for name in ADDRESSES):
                self.add_error("bind_password", _("Enter the password again: it may go to another server now."))
        return given

    def filled(self) -> tuple[Directory, list[str]]:
        """The directory as entered, and the names of what was changed."""
        given = dict(self.cleaned_data)
        given["is_enabled"] = given.pop("admin_state") == "enabled"
        given["schema"] = {name: text for name in schema.NAMES if (text := given.pop(SCHEMA + name))}
        password = given.pop("bind_password")
        changed = [name for name, value in given.items() if getattr(self.directory, name) != value]
        for name, value in given.items():
            setattr(self.directory, name, value)
        if password:
            self.directory.bind_password = password.encode()
            changed.append("bind_password")
        return self.directory, changed


def _initial(directory: Directory) -> dict[str, Any]:
    names = (name for name in DirectoryForm.base_fields if name not in {"bind_password", "admin_state"})
    initial = {name: getattr(directory, name) for name in names}
    initial["searched_attributes"] = ", ".join(directory.searched_attributes)
    initial["admin_state"] = "enabled" if directory.is_enabled else "disabled"
    return initial | {SCHEMA + name: directory.schema.get(name, "") for name in schema.NAMES}


def _schema_field(name: str, label: Any, usual: dict[str, str], kind: str) -> forms.Field:
    """`usual`: by the type of the directory, for when another is chosen."""
    if name == "nesting":
        return forms.ChoiceField(label=label, choices=NESTINGS, required=False)
    longest = 1000 if name in schema.FILTERS else 64
    widget = forms.TextInput(attrs=PLAIN | {"placeholder": usual.get(kind, ""), "data-usual": json.dumps(usual)})
    return forms.CharField(label=label, max_length=longest, required=False, widget=widget)


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in {"ldap", "ldaps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        is_good = False
    if not is_good or parts.path.strip("/") or parts.query or parts.fragment or parts.username or " " in text:
        raise forms.ValidationError(_("Enter an address like ldaps://dc1.example.com or ldaps://dc1.example.com:636."))
    return f"{parts.scheme}://{parts.netloc}"


def _attribute(text: str) -> str:
    if ATTRIBUTE.fullmatch(text) is None:
        raise forms.ValidationError(_("{name} is no name of an attribute.").format(name=text))
    return text


class PersonNameForm(forms.Form):
    person = _line(gettext_lazy("User ID or email address"), 320)
