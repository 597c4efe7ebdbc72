from typing import ClassVar

from django.db import models

from epmm.fields import EncryptedField
from epmm.run_models import Result, Run


class PeopleRun(Run):
    """One action to more people than a request has time for."""

    # since when what its results say in secret is handed out no more: fetched, or nobody came for it
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["created_at"], name="people_run_created")]


class PeopleResult(Result):
    """A person it goes to, and what came of it."""

    run = models.ForeignKey(PeopleRun, on_delete=models.CASCADE, related_name="results", db_index=False)
    # who is deleted leaves their number here, and nobody looks for their results by it
    user = models.ForeignKey(
        "users.User", on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    secret = EncryptedField(null=True)  # a password or PIN, until whoever ordered it has fetched it

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["run", "id"], name="people_result_of_run"),
            models.Index(fields=["run", "state", "id"], name="people_result_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.user_id}"
