// Questions, toasts, and the list of keys.

import { $, h, icon } from "/dom.js";

// Ask for one line or more; resolves to an object of the fields, or null where it was cancelled.
export function ask({ title, text, fields, action, check }) {
  return new Promise((resolve) => {
    const refused = h("p", { class: "refused", role: "alert", hidden: true });
    const inputs = fields.map(({ name, label, value, ...more }) =>
      h("label", {}, label, h("input", { name, value: value ?? "", ...more })));
    const form = h("form", { method: "dialog" },
      h("h2", { id: "asked" }, title), text ? h("p", {}, text) : null, inputs, refused,
      h("div", { class: "buttons" },
        h("button", { type: "button", class: "quiet", onclick: () => close(null) }, "Cancel"),
        h("button", { class: "main" }, action)));
    const dialog = h("dialog", { "aria-labelledby": "asked" }, form);
    const before = document.activeElement;
    let isClosed = false;
    function close(answer) {
      if (isClosed) return;
      isClosed = true;
      dialog.close();
      dialog.remove();
      before?.focus?.({ preventScroll: true });
      resolve(answer);
    }
    dialog.addEventListener("cancel", () => close(null));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(form));
      try {
        close((await check?.(given)) ?? given);
      } catch (error) {
        refused.textContent = error.message;
        refused.hidden = false;
      }
    });
    document.body.append(dialog);
    dialog.showModal();
    $("input", dialog)?.select();
  });
}

export function toast(text, { action, does, isBad = false } = {}) {
  const one = h("div", { class: isBad ? "toast bad" : "toast" }, h("span", {}, text));
  const leave = () => one.remove();
  if (action) one.append(h("button", { class: "quiet", onclick: () => { leave(); does(); } }, action));
  one.append(h("button", { class: "round", "aria-label": "Close", onclick: leave }, icon("close")));
  $("#toasts").append(one);
  while ($("#toasts").children.length > 3) $("#toasts").firstChild.remove();
  setTimeout(leave, isBad ? 12000 : 7000);
}

const KEYS = [
  ["arrows, Home, End, Page", "from card to card"], ["Space or Enter", "play, stop"], ["Esc", "stop all"],
  ["f", "favourite"], ["t", "tags"], ["1 to 5, 0", "rate"], ["r or F2", "rename"], ["p", "save as preset"],
  ["Delete", "into the trash; out of it, back"], ["m", "menu"], ["/", "find"], ["n", "describe a new loop"],
  ["s", "in sync"], ["?", "this list"],
];

export function help(folder) {
  show("Keys and help",
    h("h2", {}, "Keys"),
    h("dl", {}, KEYS.flatMap(([key, does]) => [h("dt", {}, key), h("dd", {}, does)])),
    h("h2", {}, "Which beat is one"),
    h("p", {}, "A loop that begins on another beat than it should is turned by its menu, to where beat 1 may well be or a " +
      "beat at a time. The turned loop is another file; nothing is generated anew."),
    h("h2", {}, "Into the DAW"),
    h("p", {}, "Drag a card onto the desktop or a folder (Chrome, Edge and their kin make the file as you drop it). Whether a DAW " +
      "takes it straight from the browser is up to the DAW and the system; where it does not, \u201cShow in its folder\u201d " +
      "opens the system's file manager, and every DAW takes the file from there."),
    h("p", { class: "folder" }, `The loops lie in ${folder}`));
}

export function showNotes(lines) {
  show("Notes", h("h2", {}, "What you should know"), h("ul", { class: "notes" }, lines.map((line) => h("li", {}, line))));
}

function show(label, ...parts) {
  const dialog = h("dialog", { class: "help", "aria-label": label }, parts,
    h("form", { method: "dialog", class: "buttons" }, h("button", { class: "main" }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
