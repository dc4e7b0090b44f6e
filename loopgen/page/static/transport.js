// The bar at the bottom: what sounds, how loud, and on which tempo.

import { toast } from "/dialogs.js";
import { $, h, icon } from "/dom.js";
import { player } from "/sound.js";

export class Transport {
  constructor() {
    this.tempo = $("#tempo");
    this.sync = $("#sync");
    this.list = $("#playing");
    $("#stop").addEventListener("click", () => player.stopAll());
    $("#volume").addEventListener("input", (event) => player.setVolume((event.target.value / 100) ** 2));
    player.setVolume(0.64);
    this.sync.addEventListener("change", () => player.setSync(this.sync.checked));
    this.tempo.addEventListener("change", () => this.choose());
    this.tempo.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!step || !Number(this.tempo.value)) return;
      event.preventDefault();
      this.tempo.value = String(Number((Number(this.tempo.value) + step).toFixed(4)));
      this.choose();
    });
    player.addEventListener("change", () => this.draw());
    player.addEventListener("refused", (event) => toast(`${event.detail.loop.title}: ${event.detail.error.message}`, { isBad: true }));
    this.draw();
  }

  choose() {
    const text = this.tempo.value.trim().replace(",", ".");
    const bpm = Number(text);
    const isUsable = text === "" || (bpm >= 20 && bpm <= 999);
    this.tempo.setAttribute("aria-invalid", String(!isUsable));
    if (!isUsable) return toast(`${text} is no tempo: give 20 to 999 quarters a minute.`, { isBad: true });
    if (text && !this.sync.checked) {
      this.sync.checked = true;
      player.tempo = text;
      player.setSync(true);
    } else player.setTempo(text);
    return undefined;
  }

  draw() {
    const voices = [...player.voices.values()];
    $("#stop").disabled = voices.length === 0;
    this.sync.checked = player.sync;
    if (document.activeElement !== this.tempo) this.tempo.value = player.tempo ? shownTempo(player.tempo) : "";
    this.list.replaceChildren(...voices.map(({ loop, state }) =>
      h("li", { class: state }, h("button", { class: "chip", "aria-label": `Stop ${loop.title}`, onclick: () => player.stop(loop.id) },
        h("span", {}, loop.title), icon("close")))));
  }
}

// An exact tempo as people read it.
export function shownTempo(tempo) {
  const [top, bottom] = tempo.split("/").map(Number);
  return String(Number((top / (bottom || 1)).toFixed(4)));
}
