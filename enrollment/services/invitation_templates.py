"""Texts that administrators keep for a language, instead of the built-in ones."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import InvitationTemplate
from enrollment.services import invitation_texts
from enrollment.services.invitation_texts import TextRefused, Written
from epmm import audit


def save(
    kind: str, language: str, written: Written, *, actor: str, row: InvitationTemplate | None = None
) -> InvitationTemplate:
    """Raises TextRefused; then nothing is changed."""
    checked = invitation_texts.checked(written)
    template = row or InvitationTemplate()
    template.kind, template.language = kind, language
    template.subject, template.text = checked.subject, checked.text
    template.changed_at, template.changed_by = timezone.now(), actor
    try:
        with transaction.atomic():
            template.save()
            _record("template.saved", template, actor)
    except IntegrityError as error:
        raise TextRefused(_("There is a text for {tag} already.").format(tag=language)) from error
    return template


@transaction.atomic
def delete(template: InvitationTemplate, *, actor: str) -> None:
    _record("template.deleted", template, actor)
    template.delete()


def _record(action: str, template: InvitationTemplate, actor: str) -> None:
    subject = f"{template.kind} {template.language}"
    audit.record(action, actor=actor, subject_type="template", subject=subject)
