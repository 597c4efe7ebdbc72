"""Where people come from when they are not local: directories, identity providers, and their groups."""

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm.fields import EncryptedField

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
    position = models.PositiveSmallIntegerField(default=0, db_default=0)  # of its button among the others
    for_portal = models.BooleanField(default=True, db_default=True)
    for_enrollment = models.BooleanField(default=True, db_default=True)

    issuer = models.CharField(max_length=500, default="", db_default="")
    client_id = models.CharField(max_length=255, default="", db_default="")
    client_secret = EncryptedField(null=True)  # null: a public client
    scopes = models.CharField(max_length=255, default="openid profile email", db_default="openid profile email")

    # Names of claims; empty: not taken from there.
    user_id_claim = models.CharField(max_length=100, default="preferred_username", db_default="preferred_username")
    email_claim = models.CharField(max_length=100, blank=True, default="email", db_default="email")
    name_claim = models.CharField(max_length=100, blank=True, default="name", db_default="name")
    first_name_claim = models.CharField(max_length=100, blank=True, default="given_name", db_default="given_name")
    last_name_claim = models.CharField(max_length=100, blank=True, default="family_name", db_default="family_name")
    groups_claim = models.CharField(max_length=100, blank=True, default="groups", db_default="groups")
    account_claim = models.CharField(max_length=100, blank=True, default="", db_default="")

    allowed_groups = models.TextField(blank=True, default="", db_default="")  # one a line; none: everybody
    creates_people = models.BooleanField(default=True, db_default=True)  # at their first sign-in
    links_people = models.BooleanField(default=False, db_default=False)  # to whom was added beforehand, by user ID

    class Meta:
        ordering: ClassVar = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def allowed(self) -> frozenset[str]:
        return frozenset(filter(None, map(str.strip, self.allowed_groups.splitlines())))


class SpentSignIn(models.Model):
    """The state of a sign-in at a provider that was completed here, so that its callback counts once."""

    sha256 = models.BinaryField(max_length=32, unique=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"spent at {self.at:%Y-%m-%d %H:%M}"


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
