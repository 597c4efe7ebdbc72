"""The pages as a person meets them, each with the variables its view gives."""

from typing import Any, Final

from django.template.loader import render_to_string
from django.utils.html import linebreaks
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from lxml import html

from enrollment import reasons

ORGANIZATION: Final = {"organization": "Example Corp"}
SIGN_IN: Final[dict[str, Any]] = ORGANIZATION | {
    "action": "/enroll/sign-in/7f3a",
    "identifier": "anna@mdm.example.test",
    "requirement": "password",
    "button": _("Continue"),
    "error": "",
    "code": "",
    "pin_length": 6,
    "kind": "adde",
    "hidden": {"step": "credentials"},
}
WRONG: Final = {"error": reasons.WRONG_CREDENTIALS.person, "code": reasons.WRONG_CREDENTIALS.code}
PARAGRAPH: Final = (
    "We manage this device so that you can work with it safely. We see its serial number, its model, the version of "
    "its system and the apps on it."
)
POLICY: Final[dict[str, Any]] = ORGANIZATION | {
    "title": _("Your Privacy Matters"),
    "text_html": linebreaks("\n\n".join([PARAGRAPH] * 3)),
    "action": "/enroll/sign-in/7f3a",
    "hidden": {"ticket": "9c1e", "policy": "3"},
    "button": _("Accept"),
    "kind": "privacy",
    "version": 3,
}
REFUSED: Final[dict[str, Any]] = ORGANIZATION | {
    "sentence": reasons.SIGN_IN_EXPIRED.person,
    "code": reasons.SIGN_IN_EXPIRED.code,
    "advice": "",
}
PROVIDERS: Final[dict[str, Any]] = ORGANIZATION | {
    "choices": [("Corp Login", "/enroll/provider/1/7f3a"), ("Subsidiary", "/enroll/provider/2/7f3a")],
}
SIGNED_IN: Final[dict[str, Any]] = ORGANIZATION | {
    "name": "Anna Berg",
    "action": "/enroll/sign-in/7f3a",
    "hidden": {"ticket": "9c1e"},
    "button": _("Continue"),
    "kind": "adde",
}
OWNER: Final[dict[str, Any]] = ORGANIZATION | {
    "owners": ["COMPANY", "EMPLOYEE"],
    "action": "/enroll/sign-in/7f3a",
    "hidden": {"ticket": "9c1e"},
    "kind": "adde",
}
HOME: Final[dict[str, Any]] = ORGANIZATION | {"example_address": "name@mdm.example.test", "enabled": True}

# name -> template, context
SAMPLES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "sign-in": ("enrollment/sign_in.html", SIGN_IN),
    "sign-in-wrong": ("enrollment/sign_in.html", SIGN_IN | WRONG),
    "sign-in-nameless": ("enrollment/sign_in.html", SIGN_IN | {"identifier": ""}),
    "sign-in-pin": ("enrollment/sign_in.html", SIGN_IN | {"requirement": "pin"}),
    "sign-in-both-wrong": ("enrollment/sign_in.html", SIGN_IN | WRONG | {"requirement": "password_and_pin"}),
    "sign-in-mac": ("enrollment/sign_in.html", SIGN_IN | {"button": _("Register")}),
    "sign-in-byod": ("enrollment/sign_in.html", SIGN_IN | {"kind": "aaue"}),
    "privacy": ("enrollment/policy.html", POLICY),
    "terms": ("enrollment/policy.html", POLICY | {"kind": "terms", "title": _("Terms of Service")}),
    "owner": ("enrollment/owner.html", OWNER),
    "refused": ("enrollment/refused.html", REFUSED),
    "refused-advised": ("enrollment/refused.html", REFUSED | {"advice": PARAGRAPH}),
    "providers": ("enrollment/providers.html", PROVIDERS),
    "signed-in": ("enrollment/signed_in.html", SIGNED_IN),
    "signed-in-byod": ("enrollment/signed_in.html", SIGNED_IN | {"kind": "aaue"}),
    "home": ("enrollment/home.html", HOME),
    "home-off": ("enrollment/home.html", HOME | {"enabled": False}),
    "400": ("400.html", {}),
    "403": ("403.html", {}),
    "404": ("404.html", {}),
    "500": ("500.html", {}),
}


def render(sample: str, language: str = "en", **changes: Any) -> str:
    template, context = SAMPLES[sample]
    with override(language):
        return render_to_string(template, context | changes)


def tree(sample: str, language: str = "en", **changes: Any) -> html.HtmlElement:
    return html.document_fromstring(render(sample, language, **changes))


def words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())
