"""How people sign in: second factors, sessions, and what failed attempts leave."""

from typing import ClassVar

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone

from epmm.fields import EncryptedField


class FormerPassword(models.Model):
    """The hash of a password that somebody had, so that it does not come back."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, related_name="former_passwords")
    hashed = models.CharField(max_length=128)
    replaced_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Former password of {self.user_id}"


class PortalSession(AbstractBaseSession):
    """A session of the portal: whose it is, so that it can be found and ended."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, null=True, related_name="portal_sessions")
    address = models.GenericIPAddressField(null=True)
    started_at = models.DateTimeField(default=timezone.now)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        from users.sessions import SessionStore

        return SessionStore


class PersonSession(AbstractBaseSession):
    """A session of the user portal.  In a table of its own: the key of one opens nothing in the Admin Portal."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, null=True, related_name="person_sessions")
    started_at = models.DateTimeField(default=timezone.now)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        from users.self_sessions import PersonStore

        return PersonStore


class SignInFailures(models.Model):
    """Failures in a row for one name typed from one address or in one browser; unknown names are counted alike."""

    name_hash = models.CharField(max_length=64)
    address = models.CharField(max_length=64)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now, db_index=True)
    locked_until = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(null=True)  # in the audit, that somebody was kept waiting

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["name_hash", "address"], name="failures_once")]

    def __str__(self) -> str:
        return f"{self.count} failures"


class SignInBudget(models.Model):
    """What failed attempts have used up of a limit: as much as lies between now and `spent_until`."""

    key = models.CharField(max_length=64, unique=True)
    spent_until = models.DateTimeField(db_index=True)
    noted_at = models.DateTimeField(null=True)  # in the audit, that somebody was kept waiting

    def __str__(self) -> str:
        return f"Spent until {self.spent_until}"


class KnownNetwork(models.Model):
    """Somebody has signed in from there not long ago; whoever else comes from there is no stranger either."""

    network = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey("users.User", on_delete=models.CASCADE, related_name="known_networks")
    last_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"Network of {self.user_id}"


class Authenticator(models.Model):
    """A second factor: the key that somebody's authenticator makes its codes of (TOTP, RFC 6238)."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, related_name="authenticators")
    key = EncryptedField()
    confirmed = models.BooleanField(default=False)  # by a first code; until then it is not asked for
    last_step = models.BigIntegerField(default=-1)  # of the last code that was taken: each is taken once
    drift = models.SmallIntegerField(default=0)  # how many steps its clock is off ours
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "confirmed"], name="authenticator_once")]

    def __str__(self) -> str:
        return f"Authenticator of {self.user_id}"


class BackupCode(models.Model):
    """For whoever has lost the authenticator; only its hash is kept, and it goes with its use."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, related_name="backup_codes")
    hashed = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "hashed"], name="backup_code_once")]

    def __str__(self) -> str:
        return f"Backup code of {self.user_id}"
