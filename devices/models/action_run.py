from typing import ClassVar

from django.db import models

from devices.models.device import Device
from epmm.run_models import Result, Run


class ActionRun(Run):
    """One action to more devices than a request has time for."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["created_at"], name="action_run_created")]


class ActionResult(Result):
    """A device it goes to, and what came of it."""

    run = models.ForeignKey(ActionRun, on_delete=models.CASCADE, related_name="results", db_index=False)
    # a record that is deleted leaves its number here, and nobody looks for its results by it
    device = models.ForeignKey(
        Device, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["run", "id"], name="action_result_of_run"),
            models.Index(fields=["run", "state", "id"], name="action_result_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.device_id}"
