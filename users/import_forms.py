"""A file of rows as an administrator chooses it."""

from django import forms
from django.utils.translation import gettext_lazy as _

from epmm import row_files


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, or JSON as an export writes it; also packed by gzip. At most 50,000 rows."),
        error_messages={"required": _("Choose the file first.")},
        widget=forms.FileInput(attrs={"accept": ".csv,.json,.gz", "data-pack": ""}),
    )
    partial = forms.BooleanField(label=_("Where some rows are wrong, go on with the others"), required=False)

    def content(self) -> str:
        """Raises ImportRefused."""
        return row_files.text(self.cleaned_data["file"].read())
