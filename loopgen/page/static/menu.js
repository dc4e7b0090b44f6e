// What can be done with a loop: one list for the menu, the keys and the buttons of a card.

import { post } from "/api.js";
import { ask, toast } from "/dialogs.js";
import { h } from "/dom.js";
import { player } from "/sound.js";
import { shownTempo } from "/transport.js";

export class Deeds {
  constructor(grid, composer) {
    this.grid = grid;
    this.composer = composer;
  }

  async change(loop, what, body) {
    try {
      const fresh = await post(`/api/loops/${loop.id}/${what}`, body);
      if (fresh.id) this.grid.replace(fresh);
      return fresh;
    } catch (error) {
      toast(error.message, { isBad: true });
      return null;
    }
  }

  play(loop) {
    if (loop.away) toast(`${loop.name} is on a drive that is not there.`, { isBad: true });
    else player.toggle(loop);
  }

  favourite(loop) {
    return this.change(loop, "mark", { favourite: !loop.favourite });
  }

  rate(loop, rating) {
    return this.change(loop, "mark", { rating });
  }

  async tag(loop) {
    const words = (text) => text.split(/[\s,]+/).filter(Boolean);
    await ask({
      title: "Tags", text: loop.title, action: "Save",
      fields: [{ name: "tags", label: "Words, with spaces between", value: loop.tags.join(" ") }],
      check: async ({ tags }) => {
        const given = words(tags.toLowerCase());
        const body = { add: given.filter((tag) => !loop.tags.includes(tag)), remove: loop.tags.filter((tag) => !given.includes(tag)) };
        this.grid.replace(await post(`/api/loops/${loop.id}/mark`, body));
      },
    });
  }

  async rename(loop) {
    await ask({
      title: "Rename", action: "Rename", fields: [{ name: "name", label: "File name", value: loop.name.replace(/\.[^.]+$/, "") }],
      check: async ({ name }) => this.grid.replace(await post(`/api/loops/${loop.id}/rename`, { name })),
    });
  }

  async preset(loop) {
    const name = loop.title.toLowerCase().split(",")[0].replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 32);
    const saved = await ask({
      title: "Save as preset", text: "Its prompt, tempo, bars, key and sampling, for loops to come.", action: "Save",
      fields: [{ name: "name", label: "Name", value: name }, { name: "description", label: "Description", value: loop.title }],
      check: (given) => post(`/api/loops/${loop.id}/preset`, given),
    });
    if (saved) toast(`The preset ${saved.name} is there.`);
  }

  async trash(loop) {
    const back = loop.trashed;
    player.stop(loop.id);
    const gone = await this.change(loop, back ? "restore" : "trash");
    if (!gone) return;
    const again = () => this.change(gone, back ? "trash" : "restore").then(() => this.grid.reload());
    toast(back ? `${loop.name} is back.` : `${loop.name} is in the trash.`, back ? {} : { action: "Undo", does: again });
    await this.grid.reload();
    if (document.activeElement === document.body || document.activeElement?.closest("#grid")) this.grid.activate(this.grid.active);
  }

  // Another loop made of this one, by a job.
  async make(loop, how, body) {
    try {
      this.composer.show(await post(`/api/loops/${loop.id}/${how}`, body));
    } catch (error) {
      toast(error.message, { isBad: true });
    }
  }

  reveal(loop) {
    return this.change(loop, "reveal");
  }

  async copy(loop) {
    try {
      await navigator.clipboard.writeText(loop.path);
      toast("The path is on the clipboard.");
    } catch {
      toast(loop.path);
    }
  }

  // Which beat is one: where it may well be, then a beat either way.
  turns(loop) {
    if (!loop.bars || loop.away || loop.trashed) return [];
    const turn = (text, beats) => [text, "", () => this.make(loop, "rotate", { beats })];
    const { rival } = loop;
    const there = rival?.place.replace(/^beat/, "on beat");
    return [
      ...(rival ? [turn(`Start ${there} (${rival.percent}%)`, rival.beats)] : []),
      turn("Start a beat later", "1"), turn("Start a beat earlier", "-1"),
    ];
  }

  open(card) {
    const loop = card.loop;
    const tempo = player.sync && loop.has_take && player.tempo !== loop.tempo && player.tempo;
    const deeds = [
      ["Play or stop", "Space", () => this.play(loop)],
      ["Favourite", "f", () => this.favourite(loop)],
      ["Tags …", "t", () => this.tag(loop)],
      ["Rename …", "r", () => this.rename(loop)],
      ["Save as preset …", "p", () => this.preset(loop)],
      ...(tempo ? [[`Keep it at ${shownTempo(tempo)} BPM`, "", () => this.make(loop, "retempo", { bpm: tempo })]] : []),
      ...this.turns(loop),
      ["Ask for more like it", "", () => this.composer.fill(loop)],
      ["Show in its folder", "", () => this.reveal(loop)],
      ["Copy the path", "", () => this.copy(loop)],
      [loop.trashed ? "Put back" : "Into the trash", "Del", () => this.trash(loop)],
    ];
    const menu = h("div", { class: "menu", role: "menu", popover: "auto", "aria-label": loop.title },
      deeds.map(([text, key, does]) =>
        h("button", { role: "menuitem", tabindex: -1, onclick: () => { menu.hidePopover(); does(); } }, text, key ? h("kbd", {}, key) : null)));
    menu.addEventListener("toggle", (event) => event.newState === "closed" && (menu.remove(), card.focus({ preventScroll: true })));
    menu.addEventListener("keydown", (event) => {
      const items = [...menu.children];
      const place = items.indexOf(document.activeElement);
      const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: items.length - 1 }[event.key];
      if (event.key === "Tab") menu.hidePopover();
      if (next === undefined) return;
      items[(next + items.length) % items.length].focus();
      event.preventDefault();
    });
    document.body.append(menu);
    menu.showPopover();
    const place = card.querySelector(".more").getBoundingClientRect();
    menu.style.left = `${Math.max(8, Math.min(place.left, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(place.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
    menu.firstChild.focus();
  }
}
