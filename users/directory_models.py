"""Where people come from when they are not local: directories, identity providers, and their groups."""

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ONE_ORIGIN: Final = Q(directory=None, provider__isnull=False) | Q(directory__isnull=False, provider=None)


class Directory(models.Model):
    """An LDAP server with its failover.  One that is disabled is invisible: nobody of it signs in."""

    name = models.CharField(max_length=100, unique=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "directories"

    def __str__(self) -> str:
        return self.name


class IdentityProvider(models.Model):
    """An OpenID provider that people sign in with.  Nobody of a disabled one signs in."""

    name = models.CharField(max_length=100, unique=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class DirectoryEntry(models.Model):
    """What a directory or an identity provider knows of a person.  A local user has none."""

    user = models.OneToOneField("users.User", on_delete=models.CASCADE, related_name="directory_entry")
    directory = models.ForeignKey(Directory, on_delete=models.PROTECT, null=True, related_name="entries")
    provider = models.ForeignKey(IdentityProvider, on_delete=models.PROTECT, null=True, related_name="entries")
    external_id = models.CharField(max_length=255)  # stays when somebody is renamed: objectGUID, entryUUID, sub
    dn = models.TextField(blank=True)
    attributes = models.JSONField(default=dict)  # name: list of texts
    gone_at = models.DateTimeField(null=True)  # since when it is not there any more

    class Meta:
        verbose_name_plural = "directory entries"
        constraints: ClassVar = [
            models.CheckConstraint(condition=ONE_ORIGIN, name="entry_has_one_origin"),
            models.UniqueConstraint(fields=["directory", "external_id"], name="entry_once_in_directory"),
            models.UniqueConstraint(fields=["provider", "external_id"], name="entry_once_at_provider"),
        ]

    def __str__(self) -> str:
        return self.dn or self.external_id


class Group(models.Model):
    """A group or organisational unit that an administrator chose to use here; its members inherit its roles."""

    class Kind(models.TextChoices):
        GROUP = "group", _("Group")
        UNIT = "unit", _("Organizational unit")

    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.GROUP)
    directory = models.ForeignKey(Directory, on_delete=models.CASCADE, null=True, related_name="groups")
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, null=True, related_name="groups")
    external_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    dn = models.TextField(blank=True)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=ONE_ORIGIN, name="group_has_one_origin"),
            models.UniqueConstraint(fields=["directory", "external_id"], name="group_once_in_directory"),
            models.UniqueConstraint(fields=["provider", "external_id"], name="group_once_at_provider"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Somebody is in a group, directly or through groups in it, as of the last sync or sign-in."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey("users.User", on_delete=models.CASCADE, db_index=False, related_name="memberships")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "group"], name="member_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}"


class GroupRole(models.Model):
    """A role that all members of a group have while they are in it."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, db_index=False, related_name="roles")
    key = models.CharField(max_length=32)
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["group", "key"], name="group_role_once")]

    def __str__(self) -> str:
        return f"{self.group_id}: {self.key}"
