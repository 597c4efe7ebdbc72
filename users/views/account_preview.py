"""What Managed Apple Accounts a directory or an identity provider would give its people, before it does."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from epmm import audit
from epmm.numbers import grouped
from epmm.portal.lists import Badge, Cell, csv_answer
from users.directory_forms import ATTRIBUTE, PLAIN
from users.models import AccountSource, Directory, DirectoryEntry, IdentityProvider
from users.services import account_conflicts, account_patterns, directories
from users.services.account_mapping import CLAIM, FAILING, Outcome, Rule
from users.services.accounts import State
from users.services.directory.entries import attribute_names
from users.services.oidc import providers
from users.views.chosen import keys
from users.views.dialogs import GO, administrator

SIZE: Final = 50
SCANNED: Final = 500  # people of one request, who are counted and among whom those that would fail are looked for
EXPORTED_AT_ONCE: Final = 2_000
ANEW: Final = {"after": "", "failing": "", "looked": "", "found": ""}
Origin = Directory | IdentityProvider


class MappingForm(forms.Form):
    account_source = forms.ChoiceField(label=gettext_lazy("Managed Apple Accounts"), choices=AccountSource.choices)
    name = forms.CharField(max_length=100, required=False, widget=forms.TextInput(attrs=PLAIN))
    account_pattern = forms.CharField(
        label=gettext_lazy("Pattern"), max_length=320, required=False, widget=forms.TextInput(attrs=PLAIN)
    )

    def __init__(self, data: Any, origin: Origin) -> None:
        source, pattern = origin.account_source, origin.account_pattern
        initial = {"account_source": source, "name": _name(origin), "account_pattern": pattern}
        super().__init__(data or initial, initial=initial)
        self.origin = origin
        self.fields["name"].label = _("Attribute") if isinstance(origin, Directory) else _("Claim")
        self.fields["account_pattern"].help_text = ", ".join(f"{{{name}}}" for name in account_patterns.VALUES)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if isinstance(self.origin, Directory) and ATTRIBUTE.fullmatch(name) is None:
            raise forms.ValidationError(_("{name} is no name of an attribute.").format(name=name))
        return name

    def clean_account_pattern(self) -> str:
        return account_patterns.checked(self.cleaned_data["account_pattern"], self.cleaned_data.get("account_source"))

    @property
    def rule(self) -> Rule:
        given = self.cleaned_data
        name = given["name"] if isinstance(self.origin, Directory) or not given["name"] else CLAIM
        return Rule(source=given["account_source"], name=name, pattern=given["account_pattern"])

    def use(self, actor: str) -> None:
        """From the next sync on, which begins at once, or from each person's next sign-in."""
        given, origin = self.cleaned_data, self.origin
        origin.account_source, origin.account_pattern = given["account_source"], given["account_pattern"]
        if isinstance(origin, Directory):
            origin.account_attribute = given["name"]
            directories.save(origin, ["account_source", "account_attribute", "account_pattern"], actor=actor)
        else:
            origin.account_claim = given["name"]
            groups = origin.groups.values_list("external_id", flat=True)
            providers.save(origin, secret="", groups=list(groups), actor=actor)


def _name(origin: Origin) -> str:
    return origin.account_attribute if isinstance(origin, Directory) else origin.account_claim


@require_http_methods(["GET", "HEAD", "POST"])
def of_directory(request: HttpRequest, number: int) -> HttpResponseBase:
    return _page(request, get_object_or_404(Directory, pk=number), "portal:services-ldap-edit")


@require_http_methods(["GET", "HEAD", "POST"])
def of_provider(request: HttpRequest, number: int) -> HttpResponseBase:
    return _page(request, get_object_or_404(IdentityProvider, pk=number), "portal:services-providers-edit")


def _page(request: HttpRequest, origin: Origin, back: str) -> HttpResponseBase:
    is_use = request.method == "POST" and GO in request.POST
    form = MappingForm(request.POST if is_use else request.GET if "account_source" in request.GET else None, origin)
    context: dict[str, Any] = {"form": form, "origin": origin, "back": reverse(back, args=[origin.pk])}
    if not form.is_valid():
        return render(request, "portal/services/accounts_preview.html", context, status=422)
    if is_use:
        form.use(administrator(request).user_id)
        messages.success(request, _("Saved. Accounts follow at the next sync, or at each person's next sign-in."))
        return redirect(request.path)
    if request.GET.get("format") == "csv":
        return _csv(request, origin, form.rule)
    asked, is_failing = request.GET.dict(), "failing" in request.GET
    window = _window(origin, form.rule, _number(asked, "after"), is_failing=is_failing)
    # those that would fail are looked for until there is a page of them
    looked_at, found = _number(asked, "looked") + window.looked_at, _number(asked, "found") + len(window.shown)
    is_seeking = is_failing and found < SIZE and bool(window.after)
    sought = {"looked": str(looked_at) if is_failing else "", "found": str(found) if is_seeking else ""}
    context |= {
        "rows": [(each, _badge(each)) for each in window.shown],
        "counts": window.counts,
        "looked_at": grouped(looked_at),
        "is_failing": is_failing,
        "is_seeking": is_seeking,
        "is_unread": _is_unread(origin, form.rule, form.cleaned_data["name"]),
        "is_changed": form.has_changed(),
        "next_address": _address(asked, after=str(window.after), **sought) if window.after else "",
        "all_address": _address(asked, **ANEW),
        "failing_address": _address(asked, **ANEW | {"failing": "1"}),
        "csv_address": _address(asked, **ANEW, format="csv"),
    }
    return render(request, "portal/services/accounts_preview.html", context)


@dataclass(frozen=True, slots=True)
class _Window:
    shown: list[Outcome]
    counts: list[tuple[str, str]]
    looked_at: int
    after: int  # where to go on; 0: that was all


def _number(asked: dict[str, str], name: str) -> int:
    return next(iter(keys([asked.get(name, "")])), 0)


def _window(origin: Origin, rule: Rule, start: int, *, is_failing: bool) -> _Window:
    entries = list(account_conflicts.of_origin(origin).filter(pk__gt=start)[:SCANNED])
    outcomes = account_conflicts.foretold(origin, rule, entries)
    wanted = [each for each in outcomes if each.state in FAILING] if is_failing else outcomes
    shown = wanted[:SIZE]
    end = entries[-1].pk if len(entries) == SCANNED else 0
    last = shown[-1].wanted.entry.pk if len(wanted) > SIZE else end
    found = Counter(_group(each) for each in outcomes)
    labels = ((_("As they are"), "same"), (_("New or another"), "new"), (_("Would fail"), "failing"))
    counts = [(label, grouped(found[key])) for label, key in labels]
    return _Window(shown, counts, len(entries), last)


def _group(outcome: Outcome) -> str:
    return "failing" if outcome.state in FAILING else "new" if outcome.changes else "same"


def _badge(outcome: Outcome) -> Badge:
    if outcome.state != State.FINE:
        return Badge(State(outcome.state).label, "bad" if outcome.state in FAILING else "waiting")
    return Badge(_("New or another"), "good") if outcome.changes else Badge(_("As it is"))


def _is_unread(origin: Origin, rule: Rule, name: str) -> bool:
    """Whether nobody knows yet what the origin says there."""
    if rule.source != AccountSource.SAID:
        return False
    if isinstance(origin, Directory):
        return name.lower() not in {each.lower() for each in attribute_names(origin)}
    return name != origin.account_claim


def _address(asked: dict[str, str], **changed: str) -> str:
    return f"?{urlencode({name: value for name, value in (asked | changed).items() if value})}"


def _csv(request: HttpRequest, origin: Origin, rule: Rule) -> StreamingHttpResponse:
    """Every value, and each that would fail; some people in memory at a time."""
    audit.record(
        "list.exported",
        actor=administrator(request).user_id,
        subject_type="list",
        subject=f"accounts of {origin}"[:255],
        details={"source": rule.source, "name": rule.name, "pattern": rule.pattern},
    )
    headings = (_("User ID"), _("Mapped"), _("Account"), _("State"), _("Problem"))
    return csv_answer("accounts.csv", headings, _tables(origin, rule))


def _tables(origin: Origin, rule: Rule) -> Iterator[list[list[Cell]]]:
    given: dict[str, tuple[int, str]] = {}
    last = 0
    while some := list(account_conflicts.of_origin(origin).filter(pk__gt=last)[:EXPORTED_AT_ONCE]):
        last = some[-1].pk
        yield [_cells(each) for each in account_conflicts.foretold(origin, rule, some, given)]


def _cells(outcome: Outcome) -> list[Cell]:
    entry: DirectoryEntry = outcome.wanted.entry
    state = str(State(outcome.state).label)
    return [entry.user.user_id, outcome.wanted.mapped.text, outcome.account, state, outcome.problem]
