from datetime import timedelta
from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models import Enrollment
from epmm.spaces import InSpace
from users.models import User

OPEN_FOR: Final = timedelta(hours=1)


class Attempt(InSpace):
    """The trace of one enrollment, from the first request to an active device.

    Its first rows come from anonymous requests: `enrollment/services/trace.py` bounds their number and age.
    """

    class State(models.TextChoices):
        OPEN = "open", _("In progress")
        WAITING_FOR_APPLE = "waiting", _("Waiting for Apple sign-in")
        ACTIVE = "active", _("Enrolled")
        FAILED = "failed", _("Failed")
        ABANDONED = "abandoned", _("Not finished")

    reference = models.CharField(max_length=32, unique=True)
    opened_at = models.DateTimeField(default=timezone.now, db_index=True)
    closed_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    address = models.GenericIPAddressField(null=True)
    network = models.CharField(max_length=64, blank=True)  # what one caller holds: the address, or its IPv6 /64
    identifier = models.CharField(max_length=320, blank=True, db_index=True)
    domain = models.CharField(max_length=253, blank=True)
    model_family = models.CharField(max_length=16, blank=True)
    product = models.CharField(max_length=64, blank=True)
    os_version = models.CharField(max_length=32, blank=True)
    kind = models.CharField(max_length=8, choices=Enrollment.Kind.choices, blank=True)
    owner = models.CharField(max_length=8, blank=True, default="", db_default="")  # of the device, as its person said
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="attempts")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.SET_NULL, null=True, related_name="attempts")
    last_code = models.CharField(max_length=8, blank=True, db_index=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["network", "opened_at"], condition=Q(user=None), name="attempt_anonymous"),
            # the newest of what somebody filters the log by, without a walk through all of it
            models.Index(fields=["domain", "opened_at", "id"], name="attempt_domain"),
            models.Index(fields=["state", "opened_at", "id"], name="attempt_state"),
            models.Index(fields=["model_family", "opened_at", "id"], name="attempt_model"),
        ]

    def __str__(self) -> str:
        return f"{self.identifier or self.reference} {self.opened_at:%Y-%m-%d %H:%M}"


class Step(models.TextChoices):
    """What an enrollment passes on its way; the key is what traces and scripts hold."""

    DISCOVERY = "discovery", _("Discovery")
    ENROLLMENT_REQUEST = "enrollment_request", _("First enrollment request")
    SIGN_IN_PAGE = "sign_in_page", _("Sign-in page shown")
    AUTHORIZE = "authorize", _("Authorization request (OAuth 2)")
    PROVIDER = "provider", _("Sent to the identity provider")
    CREDENTIALS = "credentials", _("Credentials")
    POLICY = "policy", _("Checks of person and device")
    OWNER = "owner", _("Owner of the device chosen")
    CONSENT = "consent", _("Text accepted")
    TOKEN = "token", _("Access token issued")
    PROFILE = "profile", _("Enrollment profile")
    CERTIFICATE_REQUEST = "certificate_request", _("Certificate request")
    CERTIFICATE_ISSUED = "certificate_issued", _("Identity certificate")
    AUTHENTICATE = "authenticate", _("Device introduces itself (Authenticate)")
    TOKEN_UPDATE = "token_update", _("Device can be reached (TokenUpdate)")
    FIRST_INVENTORY = "first_inventory", _("First device information")
    CHECK_OUT = "check_out", _("Management removed (CheckOut)")
    NOTICE = "notice", _("Mail to the person: not enrolled yet")
    WEB_REGISTRATION = "web_registration", _("Checks before an enrollment, at /go")


class AttemptStep(models.Model):
    class Result(models.TextChoices):
        OK = "ok", _("OK")
        NOTED = "noted", _("Noted")
        REFUSED = "refused", _("Refused")

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    step = models.CharField(max_length=32)
    result = models.CharField(max_length=8, choices=Result.choices)
    code = models.CharField(max_length=8, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.step} {self.result} {self.code}".strip()
