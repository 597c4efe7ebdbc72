"""Where people come from when they are not local: directories, identity providers, and their groups."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm.fields import EncryptedField
from epmm.folding import FoldedField, fold

LONGEST_VALUE: Final = 512  # of what is searched for; an index row of PostgreSQL holds 2,704 bytes
ONE_ORIGIN: Final = Q(directory=None, provider__isnull=False) | Q(directory__isnull=False, provider=None)


class AccountSource(models.TextChoices):
    """Where the Managed Apple Accounts of people come from."""

    TYPED = "typed", _("Typed by administrators")
    SAID = "said", _("What the directory or the identity provider says")  # in an attribute, or in a claim
    PATTERN = "pattern", _("From a pattern")


class Directory(models.Model):
    """An LDAP server with its failover.  One that is disabled is invisible: nobody of it signs in."""

    class Kind(models.TextChoices):
        ACTIVE_DIRECTORY = "ad", _("Active Directory")
        DOMINO = "domino", "Domino"
        OTHER = "other", _("Other")

    class Scope(models.TextChoices):
        TREE = "sub", _("All levels")
        ONE = "one", _("One level")

    name = models.CharField(max_length=100, unique=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    url = models.CharField(max_length=255, blank=True, default="", db_default="")
    failover_url = models.CharField(max_length=255, blank=True, default="", db_default="")
    starts_tls = models.BooleanField(default=False, db_default=False)
    allows_plain = models.BooleanField(default=False, db_default=False)
    certificates = models.TextField(blank=True, default="", db_default="")  # PEM; empty: those that the machine trusts
    bind_name = models.CharField(max_length=512, blank=True, default="", db_default="")
    bind_password = EncryptedField(null=True)
    search_seconds = models.PositiveSmallIntegerField(default=30, db_default=30)
    connect_seconds = models.PositiveSmallIntegerField(default=30, db_default=30)
    chases_referrals = models.BooleanField(default=False, db_default=False)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.OTHER, db_default=Kind.OTHER)
    domain = models.CharField(max_length=253, blank=True, default="", db_default="")
    user_base = models.CharField(max_length=512, blank=True, default="", db_default="")
    user_scope = models.CharField(max_length=4, choices=Scope.choices, default=Scope.TREE, db_default=Scope.TREE)
    group_base = models.CharField(max_length=512, blank=True, default="", db_default="")
    group_scope = models.CharField(max_length=4, choices=Scope.choices, default=Scope.TREE, db_default=Scope.TREE)
    unit_base = models.CharField(max_length=512, blank=True, default="", db_default="")
    unit_scope = models.CharField(max_length=4, choices=Scope.choices, default=Scope.TREE, db_default=Scope.TREE)
    # filters and names of attributes, where they are others than is usual with this kind
    schema = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    # can be searched for, beyond those of the schema
    searched_attributes = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    account_attribute = models.CharField(max_length=64, default="userPrincipalName", db_default="userPrincipalName")
    account_source = models.CharField(
        max_length=8, choices=AccountSource.choices, default=AccountSource.SAID, db_default=AccountSource.SAID
    )
    account_pattern = models.CharField(max_length=320, blank=True, default="", db_default="")
    sync_minutes = models.PositiveIntegerField(default=60, db_default=60)  # 0: when somebody asks for it

    class Meta:
        verbose_name_plural = "directories"

    def __str__(self) -> str:
        return self.name


class IdentityProvider(models.Model):
    """An OpenID provider that people sign in with.  Nobody of a disabled one signs in."""

    class Match(models.TextChoices):
        """By what people of a directory are known again."""

        USER_ID = "user_id", _("User ID, or user principal name")
        EMAIL = "email", _("Email address that the provider has verified")

    name = models.CharField(max_length=100, unique=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    position = models.PositiveSmallIntegerField(default=0, db_default=0)  # of its button among the others
    for_portal = models.BooleanField(default=True, db_default=True)
    for_enrollment = models.BooleanField(default=True, db_default=True)
    # of those that were there before, nobody has registered its redirect URL yet
    for_self = models.BooleanField(default=True, db_default=False)

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
    account_source = models.CharField(
        max_length=8, choices=AccountSource.choices, default=AccountSource.SAID, db_default=AccountSource.SAID
    )
    account_pattern = models.CharField(max_length=320, blank=True, default="", db_default="")

    allowed_groups = models.TextField(blank=True, default="", db_default="")  # one a line; none: everybody
    creates_people = models.BooleanField(default=True, db_default=True)  # at their first sign-in
    links_people = models.BooleanField(default=False, db_default=False)  # to whom was added beforehand, by user ID
    directory = models.ForeignKey(
        Directory, on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="providers"
    )
    matches_by = models.CharField(
        max_length=8, choices=Match.choices, default=Match.USER_ID, db_default=Match.USER_ID
    )  # its people with those of the directory

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

    class AccountState(models.IntegerChoices):
        """How the Managed Apple Account of the person goes with what is mapped for them; the gravest first."""

        FINE = 0, _("In step")
        TAKEN = 1, _("Another person has it")
        INVALID = 2, _("No possible account")
        FOREIGN = 3, _("Outside the enrollment domains")
        ENROLLED = 4, _("Devices are enrolled with another")
        KEPT = 5, _("An administrator entered another")
        MISSING = 6, _("Nothing to map from")
        DIFFERS = 7, _("Differs from the directory's name")

    user = models.OneToOneField("users.User", on_delete=models.CASCADE, related_name="directory_entry")
    directory = models.ForeignKey(Directory, on_delete=models.PROTECT, null=True, related_name="entries")
    provider = models.ForeignKey(IdentityProvider, on_delete=models.PROTECT, null=True, related_name="entries")
    external_id = models.CharField(max_length=255)  # stays when somebody is renamed: objectGUID, entryUUID, sub
    dn = models.TextField(blank=True)
    dn_key = models.CharField(max_length=32, blank=True, default="", db_default="")  # what it is found by
    attributes = models.JSONField(default=dict)  # name: list of texts
    digest = models.CharField(max_length=32, blank=True, default="", db_default="")  # of all that was read of it
    gone_at = models.DateTimeField(null=True)  # since when it is not there any more
    disabled_by_sync = models.BooleanField(default=False, db_default=False)  # so it enables the person again
    account = models.CharField(max_length=320, blank=True, default="", db_default="")  # what is mapped, good or not
    account_state = models.PositiveSmallIntegerField(
        choices=AccountState.choices, default=AccountState.FINE, db_default=AccountState.FINE
    )

    class Meta:
        verbose_name_plural = "directory entries"
        indexes: ClassVar = [
            models.Index(fields=["dn_key"], name="entry_dn_key"),
            models.Index(fields=["gone_at"], condition=Q(gone_at__isnull=False), name="entry_gone"),
            models.Index(fields=["account_state", "id"], name="entry_account_state"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=ONE_ORIGIN, name="entry_has_one_origin"),
            models.UniqueConstraint(fields=["directory", "external_id"], name="entry_once_in_directory"),
            models.UniqueConstraint(fields=["provider", "external_id"], name="entry_once_at_provider"),
        ]

    def __str__(self) -> str:
        return self.dn or self.external_id


class ProviderLink(models.Model):
    """Somebody of a directory, as a provider that speaks for this directory knows them."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, db_index=False, related_name="provider_links")
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, db_index=False, related_name="links")
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "subject"], name="link_once_at_provider"),
            models.UniqueConstraint(fields=["user", "provider"], name="link_once_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.subject}"


class DirectoryValue(models.Model):
    """One value of an attribute that is searched for.  Nothing set is no row."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, db_index=False, related_name="directory_values")
    name = models.CharField(max_length=64)  # in lower case
    text = models.CharField(max_length=LONGEST_VALUE)
    folded = FoldedField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "name"], name="directory_value_user"),
            models.Index(fields=["name", "folded"], name="directory_value_text"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class DirectorySync(models.Model):
    """How far the copy of a directory's people has come.  What was begun and not ended goes on where it was."""

    class Phase(models.TextChoices):
        PEOPLE = "people", _("Reading people")
        GONE = "gone", _("Looking for people who are gone")
        GROUPS = "groups", _("Reading groups")
        DONE = "done", _("Done")

    directory = models.OneToOneField(Directory, on_delete=models.CASCADE, related_name="sync")
    phase = models.CharField(max_length=8, choices=Phase.choices, default=Phase.DONE)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    is_full = models.BooleanField(default=True)  # this run; else what has changed since `mark`
    full_at = models.DateTimeField(null=True)  # when all were last read
    mark = models.JSONField(default=dict)
    next_mark = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=32, blank=True)  # of how it was configured then
    accepts_losses = models.BooleanField(default=False)  # an administrator has said that so many are gone
    counts = models.JSONField(default=dict)
    problems = models.JSONField(default=list)  # the first of them, as sentences
    problem_count = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.directory_id}: {self.phase}"


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
    name_folded = FoldedField()
    dn = models.TextField(blank=True)
    gone_at = models.DateTimeField(null=True)
    people = models.PositiveIntegerField(default=0, db_default=0)  # in it: see users/services/group_sizes.py

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=ONE_ORIGIN, name="group_has_one_origin"),
            models.UniqueConstraint(fields=["directory", "external_id"], name="group_once_in_directory"),
            models.UniqueConstraint(fields=["provider", "external_id"], name="group_once_at_provider"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        self.name_folded = fold(self.name)
        if update_fields is not None:
            update_fields = {*update_fields, "name_folded"}
        super().save(*args, update_fields=update_fields, **options)


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
