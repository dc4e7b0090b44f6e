// The row of filters: a form that becomes a query.

import { options } from "/composer.js";
import { $, later } from "/dom.js";

export class Filters extends EventTarget {
  constructor() {
    super();
    this.form = $("#filters");
    this.count = $("#count");
    this.fields = this.form.elements;
    const soon = later(120, () => this.tell());
    this.form.addEventListener("input", (event) => (event.target.matches("input:not([type=checkbox])") ? soon() : this.tell()));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(() => this.tell()));
  }

  tell() {
    $("button[type=reset]", this.form).hidden = !this.isNarrow;
    this.dispatchEvent(new Event("change"));
  }

  get query() {
    const asked = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) if (value.trim()) asked.set(name, value === "on" ? "1" : value.trim());
    if (!asked.get("key")) asked.delete("compatible");
    if (asked.has("bpm")) asked.set("bpm", range(asked.get("bpm")));
    if (asked.get("order") === "name" || asked.get("order") === "bpm") asked.set("descending", "0");
    return asked.toString();
  }

  get isNarrow() {
    return [...new FormData(this.form)].some(([name, value]) => name !== "order" && value.trim());
  }

  get isTrash() {
    return this.fields.trashed.checked;
  }

  tag(tag) {
    if (![...this.fields.tags.options].some((one) => one.value === tag)) this.fields.tags.add(new Option(tag, tag));
    this.fields.tags.value = this.fields.tags.value === tag ? "" : tag;
    this.tell();
  }

  offer({ tags }) {
    const before = this.fields.tags.value;
    const shown = before && !tags.includes(before) ? [...tags, before] : tags;
    options(this.fields.tags, "any tag", shown.map((tag) => [tag, tag, tag]));
  }

  show(total) {
    this.count.textContent = total === 1 ? "1 loop" : `${total.toLocaleString("en")} loops`;
    this.refuse(null);
  }

  refuse(error) {
    for (const field of this.fields) field.removeAttribute?.("aria-invalid");
    if (!error) return;
    this.count.textContent = error.message;
    this.fields[error.field]?.setAttribute?.("aria-invalid", "true");
  }
}

// "120-130" as it is; one tempo stands for what is near it.
export function range(text) {
  const plain = text.replace(/\s|bpm/gi, "").replace("–", "-");
  if (!/^\d+(\.\d+)?$/.test(plain)) return plain;
  const bpm = Number(plain);
  return `${Math.max(20, bpm - 1)}-${Math.min(999, bpm + 1)}`;
}
