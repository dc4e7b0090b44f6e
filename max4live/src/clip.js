"use strict";

/* The MIDI clip that the producer looks at, as a melody. */

/** What the server takes. */
var NOTES_MAX = 4096;

/** How far before its region a clip is searched for notes that still sound in it, in beats. */
var LOOK_BACK = 8192;

/** Beats: what is shorter is no note, and what overlaps by less does not. */
var TINY = 1e-6;

/** The MIDI clip in the detail view, else in the highlighted slot: `{node, where}`, or null. */
exports.find = function (live) {
  var view = live.at("live_set view");
  var slot = view.ref("highlighted_clip_slot");
  var places = [
    {node: view.ref("detail_clip"), where: "detail view"},
    {node: slot && slot.number("has_clip") ? slot.ref("clip") : null, where: "highlighted slot"}
  ];
  return places.filter(function (place) {
    return place.node && place.node.number("is_midi_clip") === 1;
  })[0] || null;
};

/**
 * Live's notes in a region, `[{pitch, start, duration, velocity}]` from its start, sorted; what begins before it or
 * reaches past its end is cut. Notes that never sound are left out: deactivated, of no chance, velocity or length.
 */
exports.melody = function (notes, start, end) {
  return notes.filter(function (note) {
    return !Number(note.mute) && note.probability !== 0 && Math.round(note.velocity) > 0;
  }).map(function (note) {
    var from = Math.max(note.start_time, start);
    var to = Math.min(note.start_time + note.duration, end);
    return {
      pitch: Math.round(note.pitch),
      start: from - start,
      duration: to - from,
      velocity: Math.min(Math.round(note.velocity), 127)
    };
  }).filter(function (note) {
    return note.duration > TINY;
  }).sort(function (a, b) {
    return a.start - b.start || a.pitch - b.pitch;
  });
};

/** Whether a clip plays drums: the notes of a Drum Rack name pads, not pitches. */
function playsDrums(clip) {
  var track = /^live_set tracks \d+/.exec(clip.path);
  var node = track && clip.live.at(track[0]);
  return node !== null && node.refs("devices").some(function (device) {
    return device.has("can_have_drum_pads") && device.number("can_have_drum_pads") === 1;
  });
}

/** Live's answer, JSON text in `js`, as a list of its notes. */
function notesOf(answer) {
  var value = typeof answer === "string" ? JSON.parse(answer) : answer;
  return value && Array.isArray(value.notes) ? value.notes : [];
}

/**
 * A MIDI clip as a melody: `{name, length, notes}`, in beats (quarter notes) from the start of what plays, or
 * `{problem}` in words. A clip that is deactivated can be read as well: its notes are still its notes.
 */
exports.read = function (clip) {
  var name, called, start, end, notes;
  if (!clip.alive()) {
    return {problem: "The clip is no longer there. Open a MIDI clip, or switch Clip off."};
  }
  name = clip.text("name");
  called = name ? 'The clip "' + name + '"' : "The clip";
  if (playsDrums(clip)) {
    return {problem: called + " plays a Drum Rack: drums are no melody. Open a clip with pitches, or switch Clip off."};
  }
  // Of a clip that does not loop these are its start and end; one that does begins at its start marker once, but what
  // comes round is the loop.
  start = clip.number("loop_start");
  end = clip.number("loop_end");
  // Live demands all 128 pitches at once, and gives the notes that begin in the time asked for.
  notes = exports.melody(
    notesOf(clip.call("get_notes_extended", 0, 128, start - LOOK_BACK, end - start + LOOK_BACK)), start, end
  );
  if (!notes.length) {
    return {problem: called + " has no notes that sound in its loop. Draw some, or switch Clip off."};
  }
  if (notes.length > NOTES_MAX) {
    return {
      problem: called + " has " + notes.length + " notes in its loop; up to " + NOTES_MAX +
        " can be followed. Shorten the loop."
    };
  }
  return {name: name, length: end - start, notes: notes};
};
