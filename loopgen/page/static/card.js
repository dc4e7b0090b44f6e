// One loop as a card: made once, filled with whichever loop has come into its place.

import { h, icon } from "/dom.js";
import { player } from "/sound.js";
import { drawWave, waveform } from "/wave.js";

export function makeCard(index, column) {
  const card = h(
    "div",
    { class: "card", role: "gridcell", draggable: "true", "data-index": index, "aria-colindex": column + 1 },
    h("div", { class: "wave" },
      h("canvas", { "aria-hidden": "true" }),
      h("div", { class: "head", "aria-hidden": "true" }),
      h("button", { class: "round play", tabindex: -1, "data-does": "play" }, icon("play"), icon("stop"))),
    h("div", { class: "name" },
      h("span", { class: "title" }),
      h("button", { class: "round favourite", tabindex: -1, "data-does": "favourite", "aria-label": "Favourite" }, icon("heart")),
      h("button", { class: "round more", tabindex: -1, "data-does": "more", "aria-label": "More", "aria-haspopup": "menu" }, icon("more"))),
    h("div", { class: "facts" }, h("b", { class: "bpm" }), h("span", { class: "bars" }), h("span", { class: "key" }), h("span", { class: "engine" })),
    h("div", { class: "summary" }),
    h("div", { class: "tags" }),
  );
  const find = (name) => card.querySelector(name);
  card.parts = {
    canvas: find("canvas"), head: find(".head"), play: find(".play"), favourite: find(".favourite"), title: find(".title"),
    bpm: find(".bpm"), bars: find(".bars"), key: find(".key"), engine: find(".engine"), summary: find(".summary"), tags: find(".tags"),
  };
  return card;
}

export function showCard(card, loop, isResized = false) {
  const parts = card.parts;
  if (card.loop !== loop) {
    const isOther = card.loop?.id !== loop?.id;
    card.loop = loop;
    card.classList.toggle("waiting", !loop);
    if (!loop) return;
    card.style.setProperty("--hue", hue(loop));
    parts.title.textContent = loop.title;
    parts.title.title = loop.name;
    parts.bpm.textContent = loop.bpm ? `${loop.bpm} BPM` : "no tempo";
    parts.bars.textContent = loop.bars ? `${loop.bars} ${loop.bars === 1 ? "bar" : "bars"}${(loop.meter ?? "4/4") === "4/4" ? "" : ` ${loop.meter}`}` : seconds(loop);
    parts.key.textContent = loop.key ?? "";
    parts.key.title = loop.camelot ? `${loop.camelot} on the wheel` : "";
    parts.engine.textContent = loop.origin === "foreign" ? "yours" : loop.engine ?? "";
    parts.summary.textContent = loop.away ? "its drive is not there" : loop.summary;
    parts.summary.title = [loop.warnings.join("\n") || loop.summary, doubt(loop)].filter(Boolean).join("\n");
    parts.summary.classList.toggle("weak", loop.warnings.length > 0 || loop.away);
    parts.favourite.setAttribute("aria-pressed", loop.favourite);
    parts.tags.replaceChildren(...loop.tags.map((tag) => h("button", { class: "tag", tabindex: -1, "data-tag": tag }, tag)));
    if (loop.rating) parts.tags.append(h("span", { class: "rating", "aria-label": `rated ${loop.rating} of 5` }, "★".repeat(loop.rating)));
    if (isOther) {
      parts.canvas.getContext("2d").clearRect(0, 0, parts.canvas.width, parts.canvas.height);
      paint(card);
    }
  } else if (isResized && loop) paint(card);
  if (loop) showPlaying(card);
}

export function paint(card) {
  const loop = card.loop;
  if (loop) waveform(loop.id, (peaks) => card.loop?.id === loop.id && drawWave(card.parts.canvas, peaks, loop.bars));
}

export function showPlaying(card) {
  const { loop, parts } = card;
  const state = player.state(loop.id);
  card.dataset.state = state;
  parts.play.setAttribute("aria-label", state === "silent" ? `Play ${loop.title}` : `Stop ${loop.title}`);
  card.setAttribute("aria-label", spoken(loop, state));
}

export function showHead(card) {
  const phase = card.loop ? player.phase(card.loop.id) : null;
  if (phase !== null) card.parts.head.style.transform = `translateX(${(phase * 100).toFixed(2)}%)`;
}

function spoken(loop, state) {
  const facts = [loop.title, loop.bpm && `${loop.bpm} BPM`, loop.bars && `${loop.bars} bars`, loop.key, loop.summary, doubt(loop)];
  if (loop.favourite) facts.push("favourite");
  if (loop.tags.length) facts.push(`tags ${loop.tags.join(", ")}`);
  if (state !== "silent") facts.push(state);
  return facts.filter(Boolean).join(", ");
}

const doubt = ({ rival }) => rival && `its beat 1 may be ${rival.place} (${rival.percent}%): the menu turns it`;

// Neighbours on the wheel of keys have neighbouring colours; without a key there is none.
function hue(loop) {
  return loop.camelot ? (parseInt(loop.camelot, 10) * 30 + 140) % 360 : "none";
}

const seconds = (loop) => `${loop.seconds.toFixed(1)} s`;

// What another program gets where a card is dropped. Chromium makes the file as it is dropped (DownloadURL), and turns
// addresses of files into about:blank#blocked, which a program might take instead: it gets none. Others let them out.
export function fillDrag(transfer, loop, isChromium = "userAgentData" in navigator) {
  transfer.effectAllowed = "copy";
  transfer.setData("DownloadURL", `${loop.media}:${loop.name}:${location.origin}${loop.file}`);
  if (!isChromium) transfer.setData("text/uri-list", loop.uri);
  transfer.setData("text/plain", loop.path);
}
