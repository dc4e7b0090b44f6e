"use strict";

/*
 * From a clip that Live has just made to one that loops in time. Live defers the switch of warping and may still be
 * reading the file, so what was set is looked at in later tasks, set again or mended, and in the end confirmed.
 */

var warp = require("./warp");

/** Milliseconds after each look that found something to mend; when they are used up, that was it. */
var WAITS = [50, 50, 100, 200, 400, 800, 1600];

/**
 * Milliseconds after which all must still be as it was found right, and so many more for each second of audio: Live
 * goes on to analyse the file, and what it finds may change the grid.
 */
var CONFIRM = 200;
var CONFIRM_A_SECOND = 20;

/** Give a clip its name: Live's parser may keep only the first of several words, unless they stand in quotes. */
function rename(clip, name) {
  var text = name.replace(/[\u0000-\u001f"\\]+/g, " ").replace(/^ +| +$/g, "");
  if (!text) {
    return;
  }
  clip.set("name", text);
  if (clip.text("name") !== text) {
    clip.set("name", '"' + text + '"');
    if (clip.text("name") !== text) {
      clip.set("name", text); // neither came out as it is: rather cut than in quotes
    }
  }
}

/** What can be set once and for all. Live takes the nearest colour that its palette has. */
exports.dress = function (clip, loop) {
  rename(clip, String(loop.name || ""));
  if (typeof loop.colour === "number") {
    clip.set("color", loop.colour);
  }
};

/** A clip on its way to be `beats` long and on the grid. */
function Settling(clip, beats) {
  this.clip = clip;
  this.beats = beats;
  this.attempt = 0;
  this.right = false;
  this.repaired = false;
  this.guess = null;
}

/**
 * Look, and mend what is wrong. Gives {wait: milliseconds until the next look}, or {repaired, warning} when all is
 * right and has stayed so, or {code, reason} when the clip is gone or the tries are used up.
 */
Settling.prototype.look = function () {
  var faults;
  if (!this.clip.alive()) {
    return {code: "clip_gone", reason: "The clip was removed while it was being set up."};
  }
  faults = warp.faults(this.clip, this.beats);
  if (faults.indexOf("warping") < 0 && (this.guess === null || faults.indexOf("region") >= 0)) {
    this.guess = warp.guess(this.clip); // while it can be seen: setting the region hides it
  }
  if (faults.length === 0 || faults.join() === "blind") {
    if (this.right) {
      return {repaired: this.repaired, warning: faults.length ? this.doubt() : ""};
    }
    this.right = true;
    return {wait: CONFIRM + CONFIRM_A_SECOND * warp.duration(this.clip)};
  }
  this.right = false;
  if (this.attempt === WAITS.length) {
    return {code: "warp", reason: this.complaint(faults)};
  }
  this.repaired = this.repaired || faults.indexOf("grid") >= 0;
  warp.mend(this.clip, this.beats, faults, this.attempt);
  this.attempt += 1;
  return {wait: WAITS[this.attempt - 1]};
};

/** A number of beats in words, without what nobody hears. */
function beatsOf(number) {
  return String(Math.round(number * 100) / 100) + " beats";
}

/** For a Live that does not tell its warp markers: the clip is as long as it must be, but perhaps stretched. */
Settling.prototype.doubt = function () {
  return Math.abs(this.guess - this.beats) < 0.001 ? "" :
    "Live took the file for " + beatsOf(this.guess) + " instead of " + beatsOf(this.beats) + ": look at its markers.";
};

Settling.prototype.complaint = function (faults) {
  if (faults.indexOf("warping") >= 0) {
    return "Live did not switch Warp on for the clip.";
  }
  if (faults.indexOf("file") >= 0) {
    return "Live did not finish reading the file.";
  }
  if (faults.indexOf("grid") >= 0) {
    return "Live takes the file for " + beatsOf(warp.guess(this.clip)) + " instead of " + beatsOf(this.beats) +
      " and took no other warp markers.";
  }
  return "Live did not make the clip loop over its " + beatsOf(this.beats) + ".";
};

exports.Settling = Settling;
