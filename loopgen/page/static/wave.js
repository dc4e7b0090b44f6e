// Waveforms of the cards in view: asked for together, kept, drawn on canvas in the card's own colour.

import { get } from "/api.js";

const AT_ONCE = 60;
const KEPT = 5000;
const known = new Map(); // id -> Int8Array of low and high in turn; null where the file cannot be read
const asked = new Set();
let waiting = new Map();
let isScheduled = false;

export function waveform(id, draw) {
  if (known.has(id)) return draw(known.get(id));
  waiting.set(id, draw);
  if (!isScheduled) {
    isScheduled = true;
    requestAnimationFrame(ask);
  }
}

async function ask() {
  isScheduled = false;
  const ids = [...waiting.keys()].filter((id) => !asked.has(id));
  for (let place = 0; place < ids.length; place += AT_ONCE) {
    const some = ids.slice(place, place + AT_ONCE);
    some.forEach((id) => asked.add(id));
    try {
      const found = await get(`/api/waveforms?ids=${some.join(",")}`);
      for (const [id, text] of Object.entries(found)) {
        known.set(id, text && new Int8Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer));
        waiting.get(id)?.(known.get(id));
        waiting.delete(id);
      }
      while (known.size > KEPT) known.delete(known.keys().next().value);
    } catch {
      // the server is away: asked again when the card is drawn anew
    }
    some.forEach((id) => {
      asked.delete(id);
      waiting.delete(id);
    });
  }
}

const BAR = 2; // CSS pixels, and as much again between two bars' middles

export function drawWave(canvas, peaks, bars) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width || !height) return;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  pen.fillStyle = style.outlineColor; // as computed: a canvas knows no custom properties
  if (bars > 1 && bars <= 32) for (let bar = 1; bar < bars; bar++) pen.fillRect(Math.round((bar * width) / bars), 0, 1, height);
  pen.fillStyle = style.color;
  if (!peaks) return void pen.fillRect(0, height / 2, width, 1);
  const columns = peaks.length / 2;
  const count = Math.floor(width / (BAR + 1));
  const middle = height / 2;
  for (let place = 0; place < count; place++) {
    const first = Math.floor((place * columns) / count);
    const last = Math.max(first + 1, Math.floor(((place + 1) * columns) / count));
    let low = 0;
    let high = 0;
    for (let column = first; column < last; column++) {
      low = Math.min(low, peaks[2 * column]);
      high = Math.max(high, peaks[2 * column + 1]);
    }
    const top = middle - (high / 127) * (middle - 2);
    const bottom = middle - (low / 127) * (middle - 2);
    pen.beginPath();
    pen.roundRect((place * width) / count, Math.min(top, middle - 0.75), BAR, Math.max(bottom - top, 1.5), 1);
    pen.fill();
  }
}
