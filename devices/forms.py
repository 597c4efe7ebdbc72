"""What administrators type and upload about devices."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from devices.protocol.push_certificate import LARGEST


def content(upload: "UploadedFile[bytes] | None") -> bytes | None:
    """A byte more than is accepted says that there are too many."""
    if upload is None:
        return None
    upload.seek(0)
    return bytes(upload.read(LARGEST + 1))


class PushCertificateForm(forms.Form):
    certificate = forms.FileField(
        label=_("Certificate"),
        required=False,
        help_text=_("The file that Apple's portal gave you, usually MDM_Certificate.pem."),
    )
    # the certificate once more while its consequences are confirmed; it is public, its key is not sent back
    given = forms.CharField(required=False, max_length=2 * LARGEST, widget=forms.HiddenInput)
    apple_account = forms.CharField(
        label=_("Apple ID"),
        required=False,
        max_length=320,
        help_text=_("Whom Apple issued it to. Only this account can renew it, so note it for whoever comes after you."),
    )
    key = forms.FileField(
        label=_("Private key"),
        required=False,
        help_text=_("Only for a certificate from another server: PEM, without a password."),
    )
    confirmed = forms.BooleanField(label=_("Install it all the same"), required=False)

    def __init__(self, *arguments: Any, asks_confirmation: bool = False, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if not asks_confirmation:
            del self.fields["confirmed"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("certificate") and not cleaned.get("given"):
            self.add_error("certificate", _("Choose the file first."))
        return cleaned

    def certificate_bytes(self) -> bytes:
        chosen = content(self.cleaned_data["certificate"])
        try:
            return chosen if chosen is not None else b64decode(self.cleaned_data["given"], validate=True)
        except NotBase64:
            return b""

    def is_confirmed(self, certificate: bytes) -> bool:
        """What was said about one file says nothing about another that was chosen since."""
        return (
            bool(self.cleaned_data.get("confirmed")) and self.cleaned_data["given"] == b64encode(certificate).decode()
        )

    def asking(self, certificate: bytes) -> "PushCertificateForm":
        """The same once more, with the question whether the consequences are meant."""
        given = b64encode(certificate).decode()
        initial = {"given": given, "apple_account": self.cleaned_data["apple_account"]}
        form = PushCertificateForm(initial=initial, asks_confirmation=True)
        form.fields["certificate"].help_text = _("Your file is kept. Choose one only to install another instead.")
        if self.cleaned_data["key"] is not None:
            form.fields["key"].help_text = _("It was not kept: choose it once more.")
        return form


class SignedRequestForm(forms.Form):
    signed = forms.FileField(label=_("Signed request"), help_text=_("The file that the vendor made from the request."))
