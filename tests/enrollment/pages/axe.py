"""axe-core in the page: what it finds there, a line for each element."""

from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# All rules, best practice as well.  Evaluated by the debugger, which no policy of a page binds.
FOUND: Final = """async ([where, rules]) => {
  const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
  const {violations} = await axe.run(where || document, {resultTypes: ["violations"], ...only});
  const said = (id) => ({html, failureSummary}) => `${id}: ${html.slice(0, 160)} ${failureSummary}`;
  return violations.flatMap(({id, nodes}) => nodes.map(said(id)));
}"""
# Nothing on its way, nothing fading: half a color is no color.
CALM: Final = """() => !document.querySelector(".htmx-request, .htmx-added, .htmx-settling, .htmx-swapping")
  && !document.getAnimations().some((each) => each instanceof CSSTransition)"""
COLORS: Final = ("color-contrast", "link-in-text-block")


def found(page: Page, where: str = "", *, rules: tuple[str, ...] = ()) -> list[str]:
    """In the whole page, or in what the selector `where` names; by all rules, or by these."""
    page.wait_for_function(CALM)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    result: Any = page.evaluate(FOUND, [where, list(rules)])
    return [" ".join(str(line).split()) for line in result]
