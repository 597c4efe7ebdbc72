"""A rule as an administrator fills it in."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Enrollment
from enrollment.models import Rule
from enrollment.services import local_texts, outlook, rules, ruling
from enrollment.services.ruling import RuleRefused, Written
from epmm.option_texts import FAMILIES
from users.models import Group

LOCAL: Final = "local"
SYSTEM: Final = "system_"
OFFERED: Final = 500
PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


class RuleForm(forms.Form):
    audience = forms.ChoiceField(label=gettext_lazy("For"))
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Kinds of enrollment"),
        choices=[(str(kind), outlook.KINDS[kind]) for kind in Enrollment.Kind],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    device_limit = forms.IntegerField(
        label=gettext_lazy("Device limit"),
        required=False,
        min_value=0,
        max_value=ruling.MOST_DEVICES,
        widget=forms.NumberInput(attrs={"class": "narrow"}),
        help_text=gettext_lazy("0: no device at all."),
    )
    families = forms.MultipleChoiceField(
        label=gettext_lazy("Kinds of device"),
        choices=outlook.FAMILY_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    owner = forms.ChoiceField(
        label=gettext_lazy("Owner"),
        required=False,
        choices=[("", gettext_lazy("Not said here")), *Device.Owner.choices],
        help_text=gettext_lazy("By user enrollment a device is the employee's in any case."),
    )
    terms_name = forms.ChoiceField(
        label=gettext_lazy("Terms by language"),
        required=False,
        help_text=gettext_lazy("Those that have a name, under Privacy and terms."),
    )
    terms = forms.CharField(
        label=gettext_lazy("Terms"),
        required=False,
        max_length=local_texts.LONGEST,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy(
            "In the place of the End User Terms of Service, for all languages in which the named terms are not written."
        ),
    )

    def __init__(self, data: Any = None, *, rule: Rule | None = None) -> None:
        super().__init__(data, initial=_initial(rule))
        self.rule = rule
        self._groups: dict[str, Group | None] = _audiences(rule)
        audience = self.fields["audience"]
        assert isinstance(audience, forms.ChoiceField)  # noqa: S101 - it stands above
        audience.choices = [(key, str(Rule(group=group))) for key, group in self._groups.items()]
        named = self.fields["terms_name"]
        assert isinstance(named, forms.ChoiceField)  # noqa: S101 - it stands above
        named.choices = [("", _("Not said here")), *((name, name) for name in local_texts.names())]
        for family in FAMILIES:
            self.fields[SYSTEM + family] = forms.CharField(
                label=_("Oldest allowed system: {family}").format(family=outlook.FAMILY_NAMES.get(family, family)),
                required=False,
                max_length=11,
                widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal", **PLAIN}),
            )
        self.order_fields(["audience", "kinds", "device_limit", "families", *(SYSTEM + family for family in FAMILIES)])

    @property
    def group(self) -> Group | None:
        return self._groups[self.cleaned_data["audience"]]

    def save(self, actor: str) -> Rule | None:
        """None when something is wrong, which the form then says."""
        given = self.cleaned_data
        written = Written(
            group=self.group,
            kinds=given["kinds"],
            device_limit=given["device_limit"],
            families=given["families"],
            minimum_os={family: given[SYSTEM + family] for family in FAMILIES},
            owner=given["owner"],
            terms=given["terms"],
            terms_name=given["terms_name"],
        )
        try:
            return ruling.save(written, actor=actor, row=self.rule)
        except RuleRefused as refused:
            self.add_error(None, str(refused))
            return None


def _audiences(rule: Rule | None) -> dict[str, Group | None]:
    """Whom it may be for; one that is there stays with its group."""
    if rule is not None:
        return {str(rule.group.pk) if rule.group else LOCAL: rule.group}
    local: dict[str, Group | None] = {}
    if not Rule.objects.filter(audience=Rule.Audience.LOCAL).exists():
        local[LOCAL] = None
    return local | {str(group.pk): group for group in ruling.without_rule()[:OFFERED]}


def _initial(rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        return {}
    minima = {SYSTEM + family: rules.of_family(rule.listed("minimum_os"), family) for family in FAMILIES}
    lists = {name: rule.listed(name) for name in ("kinds", "families")}
    others = {name: getattr(rule, name) for name in ("device_limit", "owner", "terms", "terms_name")}
    return minima | lists | others
