"""Devices & Users > Labels > Import."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from devices.services import label_files
from devices.services.labels import LabelRefused
from epmm.imports import ImportRefused
from users.views import imports
from users.views.imports import Importable

LABELS: Final = Importable(
    name="labels",
    title=_("Import labels"),
    about=_(
        "Adds and changes labels. What is not in the file stays as it is; a column that is not there says nothing, and"
        " an empty cell empties: without a device in its cell, a manual label has none."
    ),
    list_title=_("Labels"),
    columns=label_files.COLUMNS,
    rows=label_files.rows,
    needed=label_files.NEEDED,
    run=label_files.run,
    refusals=(ImportRefused, LabelRefused),
    asks_who=False,
)
labels = imports.page(LABELS)
