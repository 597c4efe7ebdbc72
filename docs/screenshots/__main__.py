"""Renews the pictures of the administrator's guide: `.venv/bin/python -m docs.screenshots [FOLDER]`, with Chromium.

Starts the product as `./run` does, in a directory of its own, fills it with invented people and devices, lets simulated
ones enroll, and takes the pictures on the way through the guide.
"""

import base64
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs" / "pictures"
FONTS: Final = Path(__file__).with_name("fonts.conf")
QUALITY: Final = 70
HEIGHT: Final = 760


def main(folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    os.environ["FONTCONFIG_FILE"] = str(FONTS)
    import django

    django.setup()
    from docs.screenshots.walk import PEOPLE, walk  # these need the settings
    from tests.portal.product import browser, opened

    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="epmm-pictures-") as directory,
        opened(Path(directory), PEOPLE) as product,
        browser(product, viewport={"width": 1280, "height": HEIGHT}) as context,
    ):
        page = context.new_page()
        walk(page, product, lambda name, of=page: take(of, folder / f"{name}.webp"))


def take(page: Any, path: Path) -> None:
    """Pointer and cursor out of the way; WebP, which Playwright itself does not write."""
    page.mouse.move(0, 0)
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-added, .htmx-settling')")
    session = page.context.new_cdp_session(page)
    picture = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})["data"]
    session.detach()
    path.write_bytes(base64.b64decode(picture))
    sys.stdout.write(f"{path.name} {path.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
