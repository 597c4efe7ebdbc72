"""Words that lead to a partial index: one over the rows where a column is set."""

from django.db.models import BooleanField, Func


class IsSet(Func):
    """Of a column of texts.  SQLite takes the index for the very words of its condition, not for a parameter."""

    output_field = BooleanField()
    conditional = True
    arity = 1
    template = "NOT (%(expressions)s = '')"
