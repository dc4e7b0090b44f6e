// The prompt box, and what is being made.

import { post } from "/api.js";
import { toast } from "/dialogs.js";
import { $, h, icon } from "/dom.js";

const SHOWN = 4; // jobs

export class Composer {
  constructor() {
    this.form = $("#composer");
    this.refused = $("#refused");
    this.list = $("#jobs");
    this.jobs = new Map();
    this.ended = new Set(); // the answer to an order may come after the end of its job
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    $(".main", this.form).disabled = false; // pressed before now, nobody would have heard it
    this.form.addEventListener("input", () => this.refuse(null));
    this.form.elements.preset.addEventListener("change", () => this.hint());
  }

  async submit() {
    const asked = Object.fromEntries([...new FormData(this.form)].filter(([, value]) => value.trim()));
    this.refuse(null);
    try {
      const job = await post("/api/jobs", asked);
      for (const note of job.notes) toast(note);
      this.show(job);
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error) {
    for (const input of this.form.elements) input.removeAttribute?.("aria-invalid");
    this.refused.hidden = !error;
    this.refused.textContent = error?.message ?? "";
    const field = error && this.form.elements[error.field];
    if (field) {
      field.setAttribute("aria-invalid", "true");
      field.focus();
    }
  }

  // What a preset leaves for the form: its values stand where nothing is given.
  hint() {
    const preset = this.presets?.find((one) => one.name === this.form.elements.preset.value);
    const plain = { prompt: "Describe a loop: dub techno, rolling bass, rainy", bpm: "auto", bars: "4", key: "any" };
    for (const [name, text] of Object.entries(plain)) this.form.elements[name].placeholder = preset?.[name] ?? text;
  }

  fill(loop) {
    const given = { prompt: loop.prompt || loop.title, bpm: loop.bpm, bars: loop.bars, key: loop.key, seed: "" };
    for (const [name, value] of Object.entries(given)) this.form.elements[name].value = value ?? "";
    this.form.elements.prompt.focus();
  }

  offer({ engines, presets }) {
    this.presets = presets;
    options(this.form.elements.preset, "none", presets.map(({ name, description }) => [name, name, description]));
    options(this.form.elements.engine, "auto", engines.filter((one) => one.available).map(({ name, licence }) => [name, name, licence]));
    this.hint();
  }

  restore(jobs) {
    for (const [id, job] of this.jobs) if (!job.ended && !jobs.some((one) => one.id === id && !one.ended)) this.jobs.delete(id);
    for (const job of [...jobs].reverse()) if (!job.ended) this.show(job);
    this.draw();
  }

  show(job) {
    if (this.ended.has(job.id)) return;
    if (job.ended) this.ended.add(job.id);
    this.jobs.set(job.id, job);
    if (job.state === "done") {
      const [first, ...more] = job.loops;
      toast(`${first.name}${more.length ? ` and ${more.length} more` : ""}: ${first.summary}`);
      for (const note of job.notes) toast(note);
    }
    if (job.state === "done" || job.state === "cancelled") this.jobs.delete(job.id);
    this.draw();
  }

  draw() {
    const jobs = [...this.jobs.values()].slice(-SHOWN);
    for (const old of [...this.list.children]) if (!jobs.some((job) => job.id === old.dataset.job)) old.remove();
    for (const job of jobs) {
      let row = [...this.list.children].find((one) => one.dataset.job === job.id);
      if (!row) this.list.append((row = this.row(job)));
      row.classList.toggle("bad", job.state === "error");
      $("progress", row).value = job.fraction;
      $("progress", row).hidden = job.ended;
      $(".stage", row).textContent = stage(job);
      $("button", row).setAttribute("aria-label", job.ended ? "Close" : `Cancel ${job.title}`);
    }
    const hidden = this.jobs.size - jobs.length;
    this.list.dataset.more = hidden > 0 ? `and ${hidden} more` : "";
  }

  row(job) {
    return h("li", { "data-job": job.id },
      h("span", { class: "title" }, job.title),
      h("progress", { max: 1, "aria-label": job.title }),
      h("span", { class: "stage" }),
      h("button", { class: "round", onclick: () => this.cancel(job.id) }, icon("close")));
  }

  async cancel(id) {
    if (this.jobs.get(id)?.ended) {
      this.jobs.delete(id);
      return this.draw();
    }
    try {
      await post(`/api/jobs/${id}/cancel`);
    } catch (error) {
      toast(error.message, { isBad: true });
    }
  }
}

function stage(job) {
  if (job.state === "error") return job.message;
  if (job.state === "queued") return job.position ? `waits for ${job.position}` : "waiting for the worker";
  const made = job.loops.length ? `, ${job.loops.length} done` : "";
  return `${Math.round(job.fraction * 100)}% ${job.stage}${made}`;
}

export function options(select, first, rows) {
  const before = select.value;
  select.replaceChildren(h("option", { value: "" }, first), ...rows.map(([value, text, title]) => h("option", { value, title }, text)));
  select.value = rows.some(([value]) => value === before) ? before : "";
}
