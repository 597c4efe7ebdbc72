"""Send Message: a mail to whoever has the device.  MDM knows no message without an app of ours on it."""

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.services.actions.base import Action, Order, Subject, Unmet
from epmm import mail
from epmm.mail import Letter, MailRefused
from users.models import AdminRole


class SendMessage(Action):
    key = "message"
    label = gettext_lazy("Send Message")
    explanation = gettext_lazy("By email to the person of each device. Nothing appears on the device itself.")
    button = gettext_lazy("Send")
    icon = "mail"
    role = AdminRole.DEVICE_MANAGE

    def why_not(self, subject: Subject) -> str | None:
        if not mail.is_set_up():
            return _("No mail server is set up. Enter one under Settings > Outgoing mail.")
        return None if subject.device.user.email else _("This person has no email address.")

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        user, text = device.user, order.values["message"]
        letter = Letter(
            recipient=user.email, recipient_name=user.display_name, subject=order.values["subject"], text=f"{text}\n"
        )
        try:
            mail.post(letter, kind="message")
        except MailRefused as refused:
            raise Unmet(str(refused)) from refused
        order.audit("device.message_sent", device, subject=letter.subject)
        return _("Queued")
