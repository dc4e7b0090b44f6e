"use strict";

/* The Live set: tempo, meter, scale, and what loopgen calls its key. */

var SONG = [
  "tempo", "signature_numerator", "signature_denominator", "root_note", "scale_name", "scale_mode", "is_playing"
];

/** Spelled as loopgen spells them. */
var TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"];

/** Live's names of scales -> what follows the tonic in a key. Live's other scales have no such word. */
var MODES = {
  "Major": "", "Minor": "m", "Dorian": " dorian", "Mixolydian": " mixolydian", "Lydian": " lydian",
  "Phrygian": " phrygian", "Locrian": " locrian", "Harmonic Minor": " harmonic minor", "Melodic Minor": " melodic minor"
};

/**
 * What the set is like now: bpm (quarter notes a minute), num and den of the meter, root (0 is C) and scale (Live's
 * name for it), whether the scale is switched on (before Live 12 there is no such switch: on), and playing.
 */
exports.read = function (live) {
  var set = live.at("live_set");
  return {
    bpm: set.number("tempo"),
    num: set.number("signature_numerator"),
    den: set.number("signature_denominator"),
    root: set.number("root_note"),
    scale: set.text("scale_name"),
    scaleOn: !set.has("scale_mode") || set.number("scale_mode") === 1,
    playing: set.number("is_playing") === 1
  };
};

/**
 * Tell `changed(property)` of each property above, and of `detail_clip`, at once and whenever it changes.
 * It is told inside Live's notification, so it must not read or write Live: note it, and do the work in a task.
 */
exports.watch = function (live, changed) {
  var set = live.at("live_set");
  var observers = [];

  function watch(path, property) {
    observers.push(live.observe(path, property, function () {
      changed(property);
    }));
  }

  SONG.forEach(function (property) {
    if (set.has(property)) {
      watch("live_set", property);
    }
  });
  watch("live_set view", "detail_clip");
  return {
    stop: function () {
      observers.forEach(function (observer) {
        observer.stop();
      });
    }
  };
};

/** The key as loopgen reads it, "F#m" or "D dorian"; empty for a scale that it has no word for. */
exports.key = function (root, scale) {
  return MODES.hasOwnProperty(scale) && TONICS[root] ? TONICS[root] + MODES[scale] : "";
};
