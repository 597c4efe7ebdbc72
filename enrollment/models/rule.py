from typing import Any, ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models import Device
from enrollment.models.consent import LONGEST_NAME
from epmm.spaces import InSpace
from users.models import Group

LONGEST_LIST: Final = 100


class RuleQuerySet(models.QuerySet["Rule"]):
    def in_order(self) -> "RuleQuerySet":
        """Of precedence: what stands first speaks first."""
        return self.order_by("position", "pk")


class Rule(InSpace):
    """What the people of a group may enroll.  What it leaves open, the rules below it and then the settings say."""

    class Audience(models.TextChoices):
        GROUP = "group", _("A group")
        LOCAL = "local", _("Local people")  # who come from no directory and no identity provider

    audience = models.CharField(max_length=5, choices=Audience.choices, default=Audience.GROUP)
    group = models.OneToOneField(Group, on_delete=models.CASCADE, null=True, related_name="enrollment_rule")
    position = models.PositiveIntegerField()
    kinds = models.CharField(max_length=LONGEST_LIST, blank=True)  # separated by commas, as all lists here
    device_limit = models.PositiveSmallIntegerField(null=True)  # 0: no device at all
    families = models.CharField(max_length=LONGEST_LIST, blank=True)
    minimum_os = models.CharField(max_length=LONGEST_LIST, blank=True)
    owner = models.CharField(max_length=8, choices=Device.Owner.choices, blank=True)
    terms = models.TextField(blank=True)  # for all languages in which those that are named are not written
    terms_name = models.CharField(max_length=LONGEST_NAME, blank=True, default="", db_default="")
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=255)

    objects = RuleQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(audience="group", group__isnull=False) | Q(audience="local", group=None),
                name="rule_has_one_audience",
            ),
            models.UniqueConstraint(fields=["audience"], condition=Q(audience="local"), name="rule_of_local_once"),
        ]

    def __str__(self) -> str:
        """Whom it is for, as administrators read it."""
        if self.group is None:
            return str(self.Audience.LOCAL.label)
        return f"{self.group.name} ({self.group.directory or self.group.provider})"

    def listed(self, name: str) -> tuple[str, ...]:
        text: Any = getattr(self, name)
        return tuple(filter(None, str(text).split(",")))
