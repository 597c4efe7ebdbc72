"""What administrators write and choose about invitations."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import InvitationTemplate
from enrollment.services import invitation_texts
from enrollment.services.invitation_texts import Written
from enrollment.services.invitations import Draft
from enrollment.services.local_texts import CHOICES, LANGUAGES
from epmm import mail

DAYS: Final = (1, 2, 3, 7, 14)
MOST_REMINDERS: Final = 5


def languages() -> list[tuple[str, str]]:
    """Those that a text is written in, by hand or by us."""
    written = set(InvitationTemplate.objects.values_list("language", flat=True))
    built_in = {code for code, _name in settings.LANGUAGES}
    return sorted(
        ((code, LANGUAGES.get(code, code)) for code in written | built_in), key=lambda each: each[1].casefold()
    )


class InvitationForm(forms.Form):
    language = forms.ChoiceField(label=gettext_lazy("Language"))
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=mail.LONGEST_SUBJECT)
    text = forms.CharField(
        label=gettext_lazy("Text"), max_length=invitation_texts.LONGEST, widget=forms.Textarea(attrs={"rows": 12})
    )
    has_pin = forms.BooleanField(
        label=gettext_lazy("Send a registration PIN in the mail"),
        required=False,
        help_text=gettext_lazy(
            "Mail is no safe place: whoever reads it can enroll as this person. The PIN replaces the one before,"
            " and is kept here only until the mail has gone."
        ),
    )
    remind_after_days = forms.TypedChoiceField(
        label=gettext_lazy("Remind who has not enrolled"),
        required=False,
        coerce=int,
        empty_value=None,
    )
    reminders = forms.IntegerField(
        label=gettext_lazy("Reminders at most"),
        min_value=1,
        max_value=MOST_REMINDERS,
        initial=2,
        widget=forms.NumberInput(attrs={"class": "narrow"}),
    )

    def __init__(self, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial, auto_id="invite_%s")
        _offer(self.fields["language"], languages())
        after = [(str(days), _("after {n} days").format(n=days) if days > 1 else _("after a day")) for days in DAYS]
        _offer(self.fields["remind_after_days"], [("", _("Never")), *after])

    @property
    def written(self) -> Written:
        """As it was typed, right or wrong."""
        return Written(str(self.data.get("subject", "")), str(self.data.get("text", "")).replace("\r\n", "\n"))

    @property
    def draft(self) -> Draft:
        given = self.cleaned_data
        return Draft(
            language=given["language"],
            written=Written(given["subject"], given["text"]),
            has_pin=given["has_pin"],
            remind_after_days=given["remind_after_days"],
            reminders=given["reminders"],
        )


class TemplateForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("Type"), choices=InvitationTemplate.Kind.choices)
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=CHOICES)
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=mail.LONGEST_SUBJECT)
    text = forms.CharField(
        label=gettext_lazy("Text"), max_length=invitation_texts.LONGEST, widget=forms.Textarea(attrs={"rows": 14})
    )


def _offer(field: forms.Field, choices: list[tuple[str, str]]) -> None:
    if isinstance(field, forms.ChoiceField):
        field.choices = choices
