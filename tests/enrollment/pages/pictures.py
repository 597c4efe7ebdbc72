"""Takes the pictures of what people see: `python -m tests.enrollment.pages.pictures`."""

import os
from pathlib import Path
from typing import Final, Literal

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs" / "pictures"
PICTURES: Final[list[tuple[str, str, Literal["light", "dark"]]]] = [
    ("sign-in.png", "sign-in", "light"),
    ("sign-in-dark.png", "sign-in", "dark"),
    ("home.png", "home", "light"),
]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from tests.enrollment.pages import chromium  # these need the settings
    from tests.enrollment.pages.site import serve

    FOLDER.mkdir(parents=True, exist_ok=True)
    with serve() as site, chromium.start() as browser:
        for name, sample, scheme in PICTURES:
            viewport = chromium.DESK if sample == "home" else chromium.PHONE
            scale = 1 if sample == "home" else 2
            with browser.new_context(viewport=viewport, color_scheme=scheme, device_scale_factor=scale) as context:
                page = context.new_page()
                page.goto(f"{site.url}/en/{sample}")
                page.screenshot(path=FOLDER / name)


if __name__ == "__main__":
    main()
