"""Sentences of the protocol in the language of whoever reads them; where nobody does, in English."""

from django.utils.translation import gettext

from devices.protocol.sentence import Sentence


def worded(told: str) -> str:
    """With the sentences in it; what is none stays as it is."""
    if not isinstance(told, Sentence):
        return told
    values = {name: worded(value) if isinstance(value, str) else value for name, value in told.values.items()}
    return gettext(told.pattern).format(**values)
