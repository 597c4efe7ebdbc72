"""axe on the pages that people with devices meet: all of it in light on a desk, colors again in dark on a phone."""

import pytest

from tests.enrollment.pages import chromium
from tests.enrollment.pages.axe import COLORS, bring, found
from tests.enrollment.pages.samples import SAMPLES
from tests.enrollment.pages.site import serve

pytestmark = pytest.mark.service("chromium")


def test_axe_finds_nothing() -> None:
    seen = {}
    with serve() as site, chromium.start() as browser, browser.new_context() as context:
        bring(context)
        page = context.new_page()
        for sample in SAMPLES:
            page.set_viewport_size(chromium.DESK)
            page.emulate_media(color_scheme="light")
            page.goto(f"{site.url}/en/{sample}")
            seen[sample] = found(page)
            page.set_viewport_size(chromium.PHONE)
            page.emulate_media(color_scheme="dark")
            seen[sample] += found(page, rules=COLORS)

    assert {sample: lines for sample, lines in seen.items() if lines} == {}
