from django.db import models
from django.utils import timezone


class LongExpression(models.Model):
    """What was searched for, where it is too long for the addresses of a page."""

    digest = models.CharField(max_length=32, primary_key=True)  # of the text, and what addresses say instead of it
    text = models.TextField()
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.digest
