import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Final, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm import masking
from epmm.fields import EncryptedField
from epmm.folding import FoldedField, fold
from epmm.indexed import Lowered
from epmm.models import Job
from epmm.spaces import GLOBAL_SPACE
from users.api_models import ApiToken, IdempotentCall
from users.attribute_models import AttributeValue, CustomAttribute, UserAttribute
from users.directory_models import (
    AccountSource,
    Directory,
    DirectoryEntry,
    DirectorySync,
    DirectoryValue,
    Group,
    GroupRole,
    IdentityProvider,
    Membership,
    ProviderLink,
    SpentSignIn,
)
from users.people_run_models import PeopleResult, PeopleRun
from users.sign_in_models import (
    Authenticator,
    BackupCode,
    FormerPassword,
    KnownNetwork,
    PersonSession,
    PortalSession,
    SignInBudget,
    SignInFailures,
)

__all__ = [
    "AccountSource",
    "AdminGrant",
    "AdminRole",
    "ApiToken",
    "AttributeValue",
    "Authenticator",
    "BackupCode",
    "CustomAttribute",
    "Directory",
    "DirectoryEntry",
    "DirectorySync",
    "DirectoryValue",
    "FormerPassword",
    "Group",
    "GroupRole",
    "IdempotentCall",
    "IdentityProvider",
    "KnownNetwork",
    "Membership",
    "PeopleResult",
    "PeopleRun",
    "PersonSession",
    "PinFile",
    "PinQuerySet",
    "PortalSession",
    "ProviderLink",
    "RegistrationPin",
    "Role",
    "RoleGrant",
    "SignInBudget",
    "SignInFailures",
    "SpentSignIn",
    "User",
    "UserAttribute",
    "acting",
]


class Role(models.TextChoices):
    """Keys as stored and as `assign_role` takes them; labels as in the Assign Roles dialog."""

    PORTAL = "portal", _("User Portal")
    PORTAL_WIPE = "portal.wipe", _("Wipe Device")
    PORTAL_LOCK = "portal.lock", _("Lock Device")
    PORTAL_UNLOCK = "portal.unlock", _("Unlock Device")
    PORTAL_LOCATE = "portal.locate", _("Locate Device")
    PORTAL_RETIRE = "portal.retire", _("Retire Device")
    PORTAL_REGISTER = "portal.register", _("Register Device")
    PORTAL_CHANGE_OWNER = "portal.change_owner", _("Change Device Ownership")
    PORTAL_RESET_PIN = "portal.reset_pin", _("Reset PIN")
    PORTAL_RESET_SECURE_APPS = "portal.reset_secure_apps", _("Reset Secure Apps Passcode")
    ADDE = "apple.adde", _("Allow Account Driven Apple Device Enrollment")
    AAUE = "apple.aaue", _("Allow Account Driven Apple User Enrollment")


PORTAL_CHILDREN: Final = frozenset(role for role in Role if role.startswith(f"{Role.PORTAL}."))
NAMES: Final = frozenset({"user_id", "first_name", "last_name", "full_name", "email"})
ACCOUNT_DRIVEN: Final = frozenset({Role.ADDE, Role.AAUE})


def acting(held: Iterable[str]) -> frozenset[str]:
    """Those that count: without User Portal nothing that is done in it."""
    keys = frozenset(held)
    return keys if Role.PORTAL in keys else keys - PORTAL_CHILDREN


class AdminRole(models.TextChoices):
    """What an administrator may do in the portal and the API; grouped by what stands before the dot."""

    DEVICE_VIEW = "device.view", _("View dashboard, device page, device details")
    DEVICE_ENROLL = "device.enroll", _("Manage device enrollment (iOS only)")
    DEVICE_MANAGE = "device.manage", _("Manage devices")
    DEVICE_WIPE = "device.wipe", _("Wipe device")
    DEVICE_DELETE_RETIRED = "device.delete_retired", _("Delete retired device")
    USER_VIEW = "user.view", _("View user")
    USER_MANAGE = "user.manage", _("Manage user")
    LABEL_VIEW = "label.view", _("View label")
    LABEL_MANAGE = "label.manage", _("Manage label")
    LABEL_APPLY = "label.apply", _("Apply and remove label")
    CONFIGURATION_VIEW = "configuration.view", _("View configuration")
    CONFIGURATION_MANAGE = "configuration.manage", _("Manage configuration")
    LOGS_VIEW = "logs.view", _("View logs and events")
    SETTINGS_VIEW = "settings.view", _("View settings")
    SETTINGS_MANAGE = "settings.manage", _("Manage settings")
    ADMIN_MANAGE = "admin.manage", _("Manage administrators and device spaces")
    API = "api", _("API")


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(user_id__iexact=username)

    def enabled(self) -> models.QuerySet["User"]:
        return self.filter(is_active=True)


class User(AbstractBaseUser):
    """A person: administrator, device user, or both."""

    class Source(models.TextChoices):
        LOCAL = "local", _("Local")
        LDAP = "ldap", _("LDAP")
        OIDC = "oidc", _("Identity provider")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user_id = models.CharField(max_length=150, unique=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    full_name = models.CharField(max_length=300, blank=True)
    email = models.EmailField(max_length=320, blank=True)
    managed_apple_account = models.CharField(  # noqa: DJ001 - null: none, which many may have
        max_length=320, null=True, blank=True
    )
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.LOCAL)
    is_active = models.BooleanField(default=True)
    is_admin = models.BooleanField(default=False)  # may sign in to the portal; AdminGrant says what for
    last_portal_login_at = models.DateTimeField(null=True, blank=True)
    last_portal_login_from = models.GenericIPAddressField(null=True, blank=True)
    must_change_password = models.BooleanField(default=False)
    password_changed_at = models.DateTimeField(
        null=True, blank=True
    )  # null: as old as the account, as far as anybody knows
    hides_personal_data = models.BooleanField(default=False, db_default=False)  # from this administrator: GDPR Profile
    # whom a directory knows under this name; federated Managed Apple Accounts normally equal it
    upn = models.CharField(max_length=320, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)
    space_id = models.PositiveIntegerField(default=GLOBAL_SPACE)
    first_name_folded = FoldedField()
    last_name_folded = FoldedField()

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "user_id"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["email", "id"], name="user_email_order"),  # of the list
            # whoever is looked for is named by how one of these begins
            models.Index(fields=["first_name_folded"], name="user_first_name"),
            models.Index(fields=["last_name_folded"], name="user_last_name"),
            models.Index(Lowered("user_id"), name="user_id_begins"),
            models.Index(Lowered("full_name"), name="user_full_name_begins"),
            models.Index(Lowered("email"), name="user_email_begins"),
            models.Index(Lowered("managed_apple_account"), name="user_account_begins"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("user_id"), name="user_id_ignores_case"),
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="user_email_ignores_case"),
            # an index of those who have one: to SQLite, all who have none are alike, and it would rather read everybody
            models.UniqueConstraint(
                fields=["managed_apple_account"],
                condition=Q(managed_apple_account__isnull=False),
                name="user_account_is_one_persons",
            ),
            models.CheckConstraint(
                condition=Q(managed_apple_account=None) | Q(managed_apple_account=Lower(F("managed_apple_account"))),
                name="user_account_is_lower_case",
            ),
        ]

    def __str__(self) -> str:
        return self.user_id

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        if update_fields is not None:
            update_fields = frozenset(update_fields)
        is_new = self._state.adding
        is_named = update_fields is None or update_fields & NAMES
        if is_named:
            self.first_name_folded, self.last_name_folded = fold(self.first_name), fold(self.last_name)
            update_fields = update_fields and update_fields | {"first_name_folded", "last_name_folded"}
        with transaction.atomic():
            super().save(*args, update_fields=update_fields, **options)
            if is_named and not is_new:
                # the records of devices hold copies; they belong to another app, and the handler of this kind with them
                Job.enqueue("devices.person_named", user=self.pk)

    @property
    def display_name(self) -> str:
        return self.full_name or f"{self.first_name} {self.last_name}".strip() or self.user_id

    def granted_role_keys(self) -> frozenset[str]:
        """What was granted to this very person."""
        return frozenset(self.role_grants.values_list("key", flat=True))

    def role_keys(self) -> frozenset[str]:
        """With what groups hand down.  Read each time: a revoked role acts at once."""
        own = self.role_grants.order_by().values_list("key")
        theirs = GroupRole.objects.filter(group__memberships__user=self).order_by().values_list("key")
        return acting(key for (key,) in own.union(theirs))

    def admin_role_keys(self) -> frozenset[str]:
        """Read each time, as `role_keys`."""
        return frozenset(self.admin_grants.values_list("key", flat=True)) if self.is_admin else frozenset()

    def has_perm(self, perm: str, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_active and self.is_admin

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_active and self.is_admin


masking.personal(
    User,
    {
        "user_id": "user_id",
        "first_name": "name",
        "last_name": "name",
        "full_name": "name",
        "display_name": "name",
        "first_name_folded": "name",
        "last_name_folded": "name",
        "email": "email",
        "managed_apple_account": "email",
        "last_portal_login_from": "ip",
    },
)


class RoleGrant(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_grants")
    key = models.CharField(max_length=32, choices=Role.choices)
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="role_granted_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.key}"


class AdminGrant(models.Model):
    """One administrator's role in one device space."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="admin_grants")
    key = models.CharField(max_length=32, choices=AdminRole.choices)
    space_id = models.PositiveIntegerField(default=GLOBAL_SPACE)
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key", "space_id"], name="admin_role_granted_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.key}"


class PinQuerySet(models.QuerySet["RegistrationPin"]):
    def standing(self) -> Self:
        """Neither revoked nor replaced: at most one for each person, perhaps used or expired."""
        return self.filter(revoked_at=None)


class RegistrationPin(models.Model):
    """A one-time PIN for enrolling a device; only its hash is kept."""

    class State(models.TextChoices):
        ISSUED = "issued", _("Issued")
        USED = "used", _("Used")
        REVOKED = "revoked", _("Revoked")
        REPLACED = "replaced", _("Replaced")
        EXPIRED = "expired", _("Expired")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="registration_pins")
    hashed = models.CharField(max_length=255)
    issued_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    # who took it back; empty when a later one replaced it
    revoked_by = models.CharField(max_length=255, blank=True, default="", db_default="")
    used_at = models.DateTimeField(null=True)
    # the sign-in that used it may be repeated after a lost answer; nobody else may
    used_for = models.CharField(max_length=64, blank=True)

    objects = PinQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user"], condition=Q(revoked_at=None), name="pin_standing_once"),
        ]

    def __str__(self) -> str:
        return f"PIN of {self.user_id}"

    def expired(self, now: datetime) -> bool:
        return now >= self.expires_at

    def state(self, now: datetime) -> "RegistrationPin.State":
        if self.used_at is not None:
            return self.State.USED
        if self.revoked_at is not None:
            return self.State.REVOKED if self.revoked_by else self.State.REPLACED
        return self.State.EXPIRED if self.expired(now) else self.State.ISSUED


class PinFile(models.Model):
    """PINs for many, as a file: made by the worker for the one who asked, fetched once, gone after an hour."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="pin_files")
    people = models.JSONField(default=list)  # the keys of their rows
    done = models.PositiveIntegerField(default=0)
    content = EncryptedField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    ready_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"PINs for {len(self.people)}"
