"""axe-core in the page: what it finds there, a line for each element."""

from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page

# All rules, best practice as well.  Nothing on its way, nothing fading: half a color is no color.
FOUND: Final = """async ([where, rules]) => {
  const isCalm = () => !document.querySelector(".htmx-request, .htmx-added, .htmx-settling, .htmx-swapping")
    && !document.getAnimations().some((each) => each instanceof CSSTransition);
  for (let frames = 0; !isCalm(); frames++) {
    if (frames > 1000) throw new Error("it does not come to rest");
    await new Promise(requestAnimationFrame);
  }
  const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
  const {violations} = await axe.run(where || document, {resultTypes: ["violations"], ...only});
  const said = (id) => ({html, failureSummary}) => `${id}: ${html.slice(0, 160)} ${failureSummary}`;
  return violations.flatMap(({id, nodes}) => nodes.map(said(id)));
}"""
COLORS: Final = ("color-contrast", "link-in-text-block")


def bring(context: BrowserContext) -> None:
    """Into each page that is opened here: by the debugger, which no policy of a page binds."""
    context.add_init_script(AXE_SCRIPT)


def found(page: Page, where: str = "", *, rules: tuple[str, ...] = ()) -> list[str]:
    """In the whole page, or in what the selector `where` names; by all rules, or by these."""
    result: Any = page.evaluate(FOUND, [where, list(rules)])
    return [" ".join(str(line).split()) for line in result]
