"use strict";

/** What tests can choose about the stand-ins, with what it is when they do not. */

/** Of a Live set. */
const LIVE = {
  version: [12, 1, 0],
  tempo: 120,
  signature: [4, 4],
  root: 0,
  scale: "Major",
  scaleMode: false,
  scenes: 8,
  // What Live makes of a file: warped or not, Live's warp mode (0 Beats), how long it looks (ms), and its error in the
  // number of beats (1 none, 2 double, 0.5 half, 1.013 ...).
  warp: {},
  // "deferred": LiveAPI's callbacks come later, as "all messages to and from the API are automatically deferred".
  // "immediate": the first call, with the present value, comes while the object is being made or its property set.
  // Scripts have met both, so devices should bear both.
  firstCall: "deferred",
  // "kept": text from a script is one symbol to Live. "split": it falls apart at its spaces unless it is in double
  // quotes, as has been said of `js` for years and found untrue of `v8`.
  text: "kept",
  // "post": a refusal is a line in the Max console and nothing is thrown, which is what Live's side of it does.
  // "throw": it is an exception as well, for tests of what a script would do with one.
  refusals: "post",
  // Max does not see Song.begin_undo_step in Live 12.0; true for a Live that shows it.
  undoSteps: false,
};

/** Of its warping: the option `warp`. */
const WARP = { warped: true, mode: 0, settle: 30, guess: 1 };

/** Of a device that is opened. */
const DEVICE = {
  live: null, // the set that the device is in; else a new one
  stored: {}, // values of parameters by their long names, as a Live set kept them
  track: null, // where the device sits: index, name or track; else the first
  order: "parameters first", // or "bang first"
  portTaken: "silent", // or "post": whether [udpreceive] speaks of a port that another holds
  clicks: "once", // or "twice": whether a button's click comes twice
  menuText: "symbol", // or "words": whether a menu's text is one symbol
};

/** Options over their defaults; one that there is not would be passed over in silence, and is an error instead. */
function chosen(name, defaults, options) {
  const unknown = Object.keys(options).filter((key) => !Object.hasOwn(defaults, key));
  if (unknown.length) {
    throw new Error(`${name} has no option ${unknown.join(", ")}; it has ${Object.keys(defaults).join(", ")}`);
  }
  return { ...defaults, ...options };
}

module.exports = { LIVE, WARP, DEVICE, chosen };
