"""What a browser makes of a page: its text, and its form as it would be sent."""

import re
from typing import Any

from django.test import Client

INPUT = re.compile(r"<input ([^>]*)>|<textarea ([^>]*)>([^<]*)</textarea>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


def text(response: Any) -> str:
    return str(response.content.decode())


def filled(client: Client, address: str, **changed: str | None) -> dict[str, str]:
    """The form as a browser sends it, with some fields changed; None unticks a box."""
    form = text(client.get(address)).partition('<form method="post" action="/admin/settings')[2].partition("</form>")[0]
    sent = {}
    for attributes, long, content in INPUT.findall(form):
        found = dict(ATTRIBUTE.findall(attributes or long))
        if found.get("type") != "checkbox" or "checked" in attributes:
            nothing = "on" if found.get("type") == "checkbox" else ""
            sent[found["name"]] = found.get("value", nothing) if attributes else content.strip()
    sent |= dict(re.findall(r'<select name="([^"]+)".*?<option value="([^"]+)" selected', form, re.DOTALL))
    for name, value in changed.items():
        sent.pop(name, None)
        if value is not None:
            sent[name] = value
    return sent
