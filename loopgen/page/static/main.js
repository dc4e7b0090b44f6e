// The page: its parts, and the wires between them.

import { get } from "/api.js";
import { fillDrag, paint, showHead, showPlaying } from "/card.js";
import { Composer } from "/composer.js";
import { help, showNotes, toast } from "/dialogs.js";
import { $, h, later } from "/dom.js";
import { Filters } from "/filters.js";
import { Grid } from "/grid.js";
import { listen } from "/live.js";
import { Deeds } from "/menu.js";
import { player } from "/sound.js";
import { Transport } from "/transport.js";

const filters = new Filters();
const grid = new Grid($("#shelf"), $("#grid"));
const composer = new Composer();
const transport = new Transport();
const deeds = new Deeds(grid, composer);
let state = { folder: "", there: true, indexing: null, trouble: "", notes: [] };
let isLost = false;

grid.search(filters.query); // before all else: what the eye waits for

const TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"];
$("#keys").append(...TONICS.flatMap((tonic) => [tonic, `${tonic}m`]).map((value) => h("option", { value })));

// -- what is shown ------------------------------------------------------------------------------------------------------

function say() {
  const banner = $("#banner");
  const text = isLost
    ? "The server has stopped. Start `loopgen library open` again: this page comes back by itself."
    : !state.there
      ? `The folder ${state.folder} is not there, or empty. Is its drive away? Its loops are back as soon as it is.`
      : state.trouble || (state.indexing !== null ? `Looking through the folder: ${Math.round(state.indexing * 100)}%` : "");
  banner.textContent = text;
  banner.hidden = !text;
  const notes = $("#notes");
  notes.hidden = !state.notes.length;
  notes.textContent = state.notes.length === 1 ? "1 note" : `${state.notes.length} notes`;
  banner.classList.toggle("bad", isLost || !state.there || Boolean(state.trouble));
  nothing();
}

function nothing() {
  const place = $("#nothing");
  place.hidden = grid.total !== 0 || isLost;
  if (place.hidden) return;
  const isEmpty = !filters.isNarrow;
  place.replaceChildren(
    h("h2", {}, filters.isTrash ? "The trash is empty." : isEmpty ? "No loops yet." : "No loop is like that."),
    h("p", {}, isEmpty ? `Describe one above, or put recordings of yours into ${state.folder}.` : "Ask for less, or clear the filters."),
  );
}

async function refreshState() {
  try {
    const fresh = await get("/api/state");
    const isSame = JSON.stringify([fresh.engines, fresh.presets, fresh.tags]) === JSON.stringify([state.engines, state.presets, state.tags]);
    state = fresh;
    if (!isSame) {
      composer.offer(state);
      filters.offer(state);
    }
    composer.restore(state.jobs);
  } catch {
    // said by the events' stream
  }
  say();
  if (!isLost && (!state.there || state.trouble)) again(); // the server may have seen less of it than we
}
const again = later(2000, () => refresh());

const refresh = later(150, () => {
  refreshState();
  grid.reload();
});

filters.addEventListener("change", () => grid.search(filters.query));
grid.addEventListener("found", () => {
  filters.show(grid.total);
  nothing();
});
grid.addEventListener("refused", (event) => filters.refuse(event.detail));

listen({
  hello: () => {
    isLost = false;
    refresh();
    say();
  },
  job: (job) => composer.show(job),
  library: refresh,
  lost: () => {
    isLost = true;
    say();
  },
});

// -- what is done with a card ---------------------------------------------------------------------------------------------

$("#grid").addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (!card?.loop) return;
  const deed = event.target.closest("[data-does]")?.dataset.does;
  const tag = event.target.closest("[data-tag]")?.dataset.tag;
  grid.activate(Number(card.dataset.index));
  if (deed === "play") deeds.play(card.loop);
  else if (deed === "favourite") deeds.favourite(card.loop);
  else if (deed === "more") deeds.open(card);
  else if (tag) filters.tag(tag);
  else if (event.target.closest(".wave")) deeds.play(card.loop);
});
$("#grid").addEventListener("contextmenu", (event) => {
  const card = event.target.closest(".card");
  if (!card?.loop) return;
  event.preventDefault();
  grid.activate(Number(card.dataset.index));
  deeds.open(card);
});
$("#grid").addEventListener("dragstart", (event) => {
  const card = event.target.closest?.(".card");
  if (card?.loop) fillDrag(event.dataTransfer, card.loop);
});

function cards() {
  return [...document.querySelectorAll("#grid .card")];
}

let isDrawing = false;
function drawHeads() {
  const playing = cards().filter((card) => card.dataset.state === "playing");
  playing.forEach(showHead);
  isDrawing = playing.length > 0;
  if (isDrawing) requestAnimationFrame(drawHeads);
}
player.addEventListener("change", () => {
  cards().filter((card) => card.loop).forEach(showPlaying);
  if (!isDrawing) drawHeads();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cards().forEach(paint));

// -- keys -----------------------------------------------------------------------------------------------------------------

function move(key) {
  const columns = grid.columns;
  return {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -grid.screenful, PageDown: grid.screenful,
    Home: -grid.active, End: grid.total - 1 - grid.active,
  }[key];
}

const ON_CARD = {
  f: (loop) => deeds.favourite(loop), t: (loop) => deeds.tag(loop), r: (loop) => deeds.rename(loop), F2: (loop) => deeds.rename(loop),
  p: (loop) => deeds.preset(loop), Delete: (loop) => deeds.trash(loop), Backspace: (loop) => deeds.trash(loop),
  " ": (loop) => deeds.play(loop), Enter: (loop) => deeds.play(loop), m: () => deeds.open(grid.card(grid.active)),
  ContextMenu: () => deeds.open(grid.card(grid.active)),
};
for (const rating of [0, 1, 2, 3, 4, 5]) ON_CARD[rating] = (loop) => deeds.rate(loop, rating);

const ANYWHERE = {
  "/": () => filters.fields.words.focus(), n: () => $("#prompt").focus(), Escape: () => player.stopAll(),
  s: () => $("#sync").click(), "?": () => help(state.folder),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
  if (event.target.closest("dialog, .menu")) return;
  if (event.target.closest("input:not([type=checkbox], [type=range]), select, textarea")) {
    if (event.key === "Escape") {
      event.target.blur();
      grid.activate(grid.active);
      event.preventDefault();
    }
    if (event.key === "ArrowDown" && event.target.closest("[type=search]")) grid.activate(grid.active);
    return;
  }
  const isOnCard = event.target.closest("#grid") || event.target === document.body || event.target.id === "shelf";
  const steps = isOnCard ? move(event.key) : undefined;
  if (steps !== undefined) grid.activate(grid.active + steps);
  else if (isOnCard && grid.current && ON_CARD[event.key] && !event.target.closest("button")) ON_CARD[event.key](grid.current);
  else if (ANYWHERE[event.key]) ANYWHERE[event.key]();
  else return;
  event.preventDefault();
});
$("#notes").addEventListener("click", () => showNotes(state.notes));
$("#help").addEventListener("click", () => help(state.folder));

export { composer, deeds, filters, grid, player, toast, transport };
