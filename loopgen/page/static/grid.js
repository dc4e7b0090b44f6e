// The cards in view, out of as many as there are: rows are made as they come into view, loops fetched by the page.

import { get } from "/api.js";
import { makeCard, showCard } from "/card.js";

const PAGE = 100;
const GAP = 14;
const LEAST = 250; // a card's least width, CSS pixels
const HEIGHT = 168; // of a row without its gap, as in cards.css
const BEYOND = 2; // rows that are ready above and below

export class Grid extends EventTarget {
  constructor(scroller, element) {
    super();
    this.scroller = scroller;
    this.element = element;
    this.pages = new Map();
    this.rows = new Map();
    this.query = "";
    this.total = null;
    this.active = 0;
    this.generation = 0;
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(scroller);
    element.addEventListener("focusin", (event) => {
      const card = event.target.closest(".card");
      if (card) this.activate(Number(card.dataset.index), false);
    });
    this.measure();
  }

  // -- what there is ----------------------------------------------------------------------------------------------------

  search(query) {
    this.query = query;
    this.scroller.scrollTop = 0;
    this.active = 0;
    return this.reload();
  }

  // The same question again; cards stay until their successors are there.
  async reload() {
    const generation = ++this.generation;
    this.asking?.abort();
    this.asking = new AbortController();
    const wanted = this.pagesInView();
    try {
      const fresh = await Promise.all(wanted.map((page) => this.fetch(page)));
      if (generation !== this.generation) return;
      this.pages = new Map(wanted.map((page, place) => [page, fresh[place].loops]));
      this.total = fresh[0].total;
      this.active = Math.max(0, Math.min(this.active, this.total - 1));
      this.draw();
      this.dispatchEvent(new Event("found"));
    } catch (error) {
      if (error.name !== "AbortError") this.dispatchEvent(new CustomEvent("refused", { detail: error }));
    }
  }

  fetch(page) {
    return get(`/api/loops?${this.query}&offset=${page * PAGE}&limit=${PAGE}`, this.asking?.signal);
  }

  async need(page) {
    if (this.pages.has(page)) return;
    this.pages.set(page, null);
    const generation = this.generation;
    try {
      const answer = await this.fetch(page);
      if (generation !== this.generation) return;
      this.pages.set(page, answer.loops);
      this.draw();
    } catch {
      if (generation === this.generation) this.pages.delete(page);
    }
  }

  loop(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  // A loop that has changed, in place.
  replace(loop) {
    for (const loops of this.pages.values()) {
      const place = loops?.findIndex((one) => one.id === loop.id) ?? -1;
      if (place >= 0) loops[place] = loop;
    }
    this.draw();
  }

  // -- what is in view --------------------------------------------------------------------------------------------------

  measure() {
    const style = getComputedStyle(this.scroller);
    const width = this.scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const columns = Math.max(1, Math.floor((width + GAP) / (LEAST + GAP)));
    const isOther = columns !== this.columns;
    this.columns = columns;
    if (isOther) for (const place of [...this.rows.keys()]) this.drop(place);
    this.draw(true);
  }

  rowsInView() {
    const step = HEIGHT + GAP;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / step) - BEYOND);
    const last = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / step) + BEYOND;
    return [first, Math.min(last, this.total === null ? 4 : Math.ceil(this.total / this.columns))];
  }

  pagesInView() {
    const [first, last] = this.rowsInView();
    const top = Math.floor((first * this.columns) / PAGE);
    const bottom = Math.floor(Math.max(first * this.columns, Math.min(last * this.columns, this.total ?? PAGE) - 1) / PAGE);
    return Array.from({ length: bottom - top + 1 }, (_, place) => top + place);
  }

  draw(isResized = false) {
    if (this.total === null) return;
    const count = Math.ceil(this.total / this.columns);
    this.element.style.height = `${Math.max(0, count * (HEIGHT + GAP) - GAP)}px`;
    this.element.setAttribute("aria-rowcount", count);
    this.element.setAttribute("aria-colcount", this.columns);
    const [first, last] = this.rowsInView();
    const activeRow = Math.floor(this.active / this.columns);
    const wanted = new Set();
    for (let place = first; place < last; place++) wanted.add(place);
    if (activeRow < count) wanted.add(activeRow); // the focus must not vanish as its card scrolls out of view
    for (const place of [...this.rows.keys()]) if (!wanted.has(place)) this.drop(place);
    for (const place of [...wanted].sort((a, b) => a - b)) this.drawRow(place, isResized);
  }

  drawRow(place, isResized) {
    let row = this.rows.get(place);
    if (!row) {
      row = document.createElement("div");
      row.className = "row";
      row.setAttribute("role", "row");
      row.setAttribute("aria-rowindex", place + 1);
      row.style.transform = `translateY(${place * (HEIGHT + GAP)}px)`;
      row.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
      this.rows.set(place, row);
      const next = [...this.element.children].find((other) => Number(other.getAttribute("aria-rowindex")) > place + 1);
      this.element.insertBefore(row, next ?? null); // in reading order
    }
    const count = Math.min(this.columns, this.total - place * this.columns);
    while (row.children.length > count) row.lastChild.remove();
    while (row.children.length < count) row.append(makeCard(place * this.columns + row.children.length, row.children.length));
    [...row.children].forEach((card, column) => {
      const index = place * this.columns + column;
      const loop = this.loop(index);
      if (!loop) this.need(Math.floor(index / PAGE));
      card.tabIndex = index === this.active ? 0 : -1;
      showCard(card, loop, isResized);
    });
  }

  drop(place) {
    this.rows.get(place).remove();
    this.rows.delete(place);
  }

  // -- where we are -----------------------------------------------------------------------------------------------------

  card(index) {
    return this.rows.get(Math.floor(index / this.columns))?.children[index % this.columns];
  }

  get current() {
    return this.loop(this.active);
  }

  activate(index, isFocused = true) {
    if (this.total === null || !this.total) return;
    const before = this.card(this.active);
    if (before) before.tabIndex = -1;
    this.active = Math.max(0, Math.min(index, this.total - 1));
    if (isFocused) this.show();
    this.draw();
    if (isFocused) this.card(this.active)?.focus({ preventScroll: true });
  }

  show() {
    const step = HEIGHT + GAP;
    const top = Math.floor(this.active / this.columns) * step;
    const view = this.scroller;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + step + GAP > view.scrollTop + view.clientHeight) view.scrollTop = top + step + GAP - view.clientHeight;
  }

  get screenful() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / (HEIGHT + GAP))) * this.columns;
  }
}
