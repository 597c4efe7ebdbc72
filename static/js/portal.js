// The little that HTML cannot do alone: menus, ticked rows, dialogs, idle time.  All works on what the server sent.
"use strict";

const one = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// --- Menus: one open at a time, gone through with the arrow keys, closed by Escape, a click or the focus elsewhere ---
document.addEventListener("click", (event) => {
  const disabled = event.target.closest("summary[aria-disabled='true']");
  if (disabled) event.preventDefault();
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = one("details.menu[open]");
    if (menu) {
      event.preventDefault(); // of a menu in a dialog: that stays
      menu.open = false;
      one("summary", menu).focus();
    }
  }
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && one("[data-search]")) {
    event.preventDefault();
    one("[data-search]").focus();
  }
});

const MENU_STEPS = { ArrowDown: 1, ArrowUp: -1 };
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest("details.menu");
  const step = MENU_STEPS[event.key];
  if (!step || !menu || one("summary[aria-disabled='true']", menu)) return;
  event.preventDefault();
  menu.open = true;
  const items = all("a[href], button, input", menu).filter((item) => !item.disabled && item.checkVisibility());
  const next = items[items.indexOf(event.target) + step] ?? items.at(step > 0 ? 0 : -1);
  next?.focus();
});

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

// --- Ticked rows ---
function showTicked() {
  const rows = one("#rows");
  if (!rows || !one("[data-ticked]", rows)) return;
  const boxes = all("tbody input[name='row']", rows);
  const ticked = boxes.filter((box) => box.checked).length;
  const text = one("[data-ticked-text]", rows);
  text.textContent = ticked === 1 ? text.dataset.one : text.dataset.many.replace("#", ticked);
  one("[data-ticked]", rows).hidden = !ticked;
  const heading = one("[data-tick-all]", rows);
  if (heading) {
    heading.checked = ticked > 0 && ticked === boxes.length;
    heading.indeterminate = ticked > 0 && ticked < boxes.length;
  }
  if (ticked < boxes.length) one("[data-all-input]", rows).value = "";
  const everything = one("[data-all]", rows);
  if (everything) everything.hidden = false;
  const actions = one("[data-actions] > summary");
  if (actions) actions.setAttribute("aria-disabled", String(!ticked));
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-tick-all]")) {
    for (const box of all("#rows tbody input[name='row']")) box.checked = event.target.checked;
  }
  showTicked();
});

document.addEventListener("click", (event) => {
  const everything = event.target.closest("[data-all]");
  if (!everything) return;
  for (const box of all("#rows tbody input[name='row']")) box.checked = true;
  showTicked();
  one("[data-all-input]").value = "1";
  one("[data-ticked-text]").textContent = everything.dataset.all;
  everything.hidden = true;
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-columns]")) return;
  const chosen = all("input[type='checkbox']:checked", event.target).map((box) => box.value);
  one("input[name='columns']", event.target).value = chosen.join(",");
});

// Boxes of which any number may be ticked travel as one word with commas.
document.addEventListener("submit", (event) => {
  for (const group of all("[data-joined]", event.target)) {
    const chosen = all("input[type='checkbox']:checked", group).map((box) => box.value);
    one("input[type='hidden']", group).value = chosen.join(",");
  }
});

// --- Two lists of boxes: one that is ticked goes over, to its place there, and the focus on to the next of those left ---
document.addEventListener("change", ({ target: box }) => {
  const lists = box.closest("[data-lists]");
  if (!lists) return;
  const item = box.closest("li");
  const list = all("ul", lists)[Number(box.checked)];
  const left = item.nextElementSibling ?? item.previousElementSibling ?? item;
  list.insertBefore(item, all("li", list).find((each) => Number(each.dataset.place) > Number(item.dataset.place)) ?? null);
  one("input", left).focus();
  one("[role=status]", lists).textContent = `${list.previousElementSibling.textContent}: ${item.textContent.trim()}`;
});

// --- A table or text that is larger than its frame is moved with the arrow keys: the frame is a stop, with a name ---
const frames = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const isCut = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    target.toggleAttribute("tabindex", isCut);
    if (!isCut) continue;
    target.tabIndex = 0;
    target.role ??= "group";
    target.ariaLabel ??= one("h1, h2, h3", target.closest("section, .card, dialog, main"))?.textContent.trim() ?? document.title;
  }
});
const watch = (inside) => all("div.table-frame:not([role]), pre:not([tabindex])", inside).forEach((frame) => frames.observe(frame));
document.addEventListener("htmx:load", (event) => watch(event.detail.elt));

// --- Dialogs: what the server sends into #dialog is shown at once, and goes on where something is to be done ---
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = event.detail.target;
  if (!dialog.matches("dialog")) return;
  if (dialog.open && !dialog.contains(document.activeElement)) one("[aria-invalid='true'], .dialog-buttons .primary, [data-close]", dialog)?.focus();
  if (dialog.childElementCount && !dialog.open) {
    for (const menu of all("details.menu[open]")) {
      if (menu.contains(document.activeElement)) one("summary", menu).focus(); // which the dialog gives the focus back to
      menu.open = false;
    }
    dialog.showModal();
  }
});

// A row's panel opens beside the list, and the address says which; with Ctrl, Command or Shift its page opens, as everywhere.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-panel]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  showOpen(link.pathname.split("/").pop());
  htmx.ajax("GET", `${link.pathname}/panel`, "#dialog");
});

function showOpen(key) {
  const here = new URL(location.href);
  if (key) here.searchParams.set("open", key);
  else here.searchParams.delete("open");
  if (here.href !== location.href) history.replaceState(history.state, "", here);
}

// What came of an action is shown in a dialog; the page below it is old then, and a panel that was open comes back.
document.addEventListener("close", (event) => {
  if (!event.target.matches("#dialog")) return;
  if (one("[data-reload]", event.target)) location.reload();
  else showOpen("");
}, true);

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

// --- Boxes with three states: some have it, all, none.  `mixed` is sent for those that stay as they are. ---
function showState(box, state) {
  box.dataset.mixed = state;
  box.indeterminate = state === "mixed";
  one(`input[name='mixed'][value='${CSS.escape(box.value)}']`, box.form).disabled = state !== "mixed";
}

function showForm(form) {
  for (const children of all("[data-children-of]", form)) {
    const parent = one(`input[value='${CSS.escape(children.dataset.childrenOf)}'][type='checkbox']`, form);
    const isCleared = !parent.checked && !parent.indeterminate;
    for (const box of all("input[type='checkbox']", children)) {
      if (isCleared) {
        if (box.dataset.mixed) showState(box, "set");
        box.checked = false;
      }
      box.disabled = isCleared;
    }
  }
  const kind = one("[data-usual-by]", form)?.value;
  for (const field of all("[data-usual]", form)) field.placeholder = JSON.parse(field.dataset.usual)[kind];
  const source = one("[data-source]", form);
  if (!source) return;
  for (const part of all("[data-for-source]", form)) part.hidden = !part.dataset.forSource.split(" ").includes(source.value);
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!box.form) return;
  // a browser goes from some to all and to none; back to some leads from none
  if (box.dataset.mixed === "mixed") showState(box, "set");
  else if (box.dataset.mixed && box.checked) {
    box.checked = false;
    showState(box, "mixed");
  }
  showForm(box.form);
}, true);

document.addEventListener("htmx:load", (event) => {
  for (const box of all("[data-mixed='mixed']", event.detail.elt)) box.indeterminate = true;
  const form = event.detail.elt.closest("form") || one("form", event.detail.elt);
  if (form) showForm(form);
});

// --- Long lists of options are fetched once, kept by the browser, and filled into each of their boxes ---
const fetched = {};
function optionsFrom(address) {
  fetched[address] ??= fetch(address, { credentials: "same-origin" }).then((answer) => {
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.text();
  });
  return fetched[address];
}

async function fillOptions(box) {
  const template = one(box.dataset.options);
  const { source } = template.dataset;
  try {
    template.innerHTML = await optionsFrom(source);
  } catch {
    delete fetched[source];  // what is chosen can still be read, and the next row asks again
    return;
  }
  const chosen = box.value;
  box.replaceChildren(...(chosen ? [] : [box.firstElementChild]), template.content.cloneNode(true));
  box.value = chosen;
}

document.addEventListener("htmx:load", (event) => {
  for (const box of all("select[data-options]", event.detail.elt)) fillOptions(box);
});

// --- What somebody is writing is not overwritten by an answer that comes late ---
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const text = event.detail.target;
  if (text === document.activeElement && text.matches("textarea") && text.value !== text.defaultValue) event.detail.shouldSwap = false;
});

// --- Places in a text: a button marks its own ---
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-select]");
  if (!button) return;
  const text = one(button.dataset.select);
  text.focus();
  text.setSelectionRange(Number(button.dataset.start), Number(button.dataset.end));
});

// An answer of 4xx to a form is the form again, with what is wrong in it.
document.addEventListener("htmx:beforeSwap", (event) => {
  if ([400, 403, 404, 409, 413, 422, 429].includes(event.detail.xhr.status)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// --- Files: a long one goes packed, for the server takes a megabyte; an answer that is a file leaves the page as it is ---
document.addEventListener("change", async (event) => {
  const input = event.target;
  const file = input.matches("[data-pack]") && input.files[0];
  if (!file || file.size < 500000 || file.name.endsWith(".gz")) return;
  const packed = await new Response(file.stream().pipeThrough(new CompressionStream("gzip"))).blob();
  const files = new DataTransfer();
  files.items.add(new File([packed], `${file.name}.gz`));
  if (input.files[0] === file) input.files = files.files;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-file]");
  if (!button) return;
  button.form.action = button.dataset.file;
  button.form.submit(); // which tells nobody, so that the answer is not taken for a part of the page
});

// --- A row of tabs that is longer than its place shows the one that is open ---
document.addEventListener("htmx:load", (event) => {
  for (const open of all(":is(.tabs, .pages, .subtabs) > [aria-current]", event.detail.elt)) {
    const strip = open.parentElement;
    strip.scrollLeft = open.offsetLeft - strip.offsetLeft - (strip.clientWidth - open.offsetWidth) / 2;
  }
});

// --- Pages that look for news stop while nobody sees them ---
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.matches("[data-poll]") && document.hidden) event.preventDefault();
});

// --- Idle time ---
const idle = one("#idle");
if (idle && Number(idle.dataset.seconds)) {
  const seconds = Number(idle.dataset.seconds);
  const warning = Math.min(120, seconds / 3);
  let last = Date.now();
  let told = Date.now();
  const keep = () => {
    last = told = Date.now();
    fetch(idle.dataset.keep, { credentials: "same-origin" });
  };
  for (const sign of ["keydown", "pointerdown", "scroll"]) {
    document.addEventListener(sign, () => { if (!idle.open) last = Date.now(); }, { passive: true });
  }
  one("[data-idle-keep]", idle).addEventListener("click", () => { idle.close(); keep(); });
  setInterval(() => {
    const quiet = (Date.now() - last) / 1000;
    if (quiet >= seconds) location.assign(`${idle.dataset.leave}?next=${encodeURIComponent(location.pathname + location.search)}`);
    else if (quiet >= seconds - warning && !idle.open) idle.showModal();
    else if (quiet < 60 && Date.now() - told > 60000) keep();
  }, 5000);
}

showTicked();
