"use strict";

/*
 * A clip's grid: which beat of the clip sounds at which second of its file. Live guesses it when a file comes in (from
 * the set's tempo of that moment, or by listening), and a wrong guess cannot be seen in the clip's length, which is
 * only where its loop ends. So the grid itself is read, from the warp markers, and made what it must be: a straight
 * line from the first sample, beat 0, to the end of the file, beat `beats`.
 */

/** In beats: half a millisecond at 120 BPM. A file of whole frames is never exactly its beats long. */
var NEAR = 0.001;

/** In beats: a loop of nearly the right length would drift. Every meter's lengths are numbers that doubles hold. */
var EXACT = 1e-6;

/** In seconds: markers closer than this are at the same place of the file. */
var SAME = 0.0005;

/** Warp mode Beats: it plays the file as it is while the set has the file's tempo. Complex colours it always. */
var BEATS_MODE = 0;

/** Warp markers as Live tells them, sorted: `[{sample_time (seconds), beat_time}]`; the last one is hidden. */
function markersOf(clip) {
  var value = clip.get("warp_markers");
  var markers;
  try {
    value = typeof value === "string" ? JSON.parse(value) : value;
  } catch (error) {
    value = null;
  }
  markers = value && Array.isArray(value.warp_markers) ? value.warp_markers : [];
  return markers.map(function (marker) {
    return {seconds: Number(marker.sample_time), beat: Number(marker.beat_time)};
  }).sort(function (a, b) {
    return a.seconds - b.seconds;
  });
}

/** The beat that sounds at a second of the file: on straight lines between markers, the outer ones going on. */
exports.beatAt = function (markers, seconds) {
  var i = 1;
  var a, b;
  while (i < markers.length - 1 && markers[i].seconds < seconds) {
    i += 1;
  }
  a = markers[i - 1];
  b = markers[i];
  return a.beat + (b.beat - a.beat) * (seconds - a.seconds) / (b.seconds - a.seconds);
};

/** Whether markers make the straight line from 0 to `beats` at `duration` seconds. */
exports.straight = function (markers, duration, beats) {
  function right(seconds) {
    return Math.abs(exports.beatAt(markers, seconds) - beats * seconds / duration) <= NEAR;
  }
  return markers.length > 1 && right(0) && right(duration) && markers.every(function (marker) {
    return marker.seconds > duration || right(marker.seconds);
  });
};

/** How long the clip's file is, in seconds; 0 while Live has not read it yet. */
exports.duration = function (clip) {
  var rate = clip.number("sample_rate");
  return rate > 0 ? clip.number("sample_length") / rate : 0;
};

/**
 * What is not yet as it must be: some of "warping", "looping", "file" (not read yet), "grid", "blind" (Live does not
 * tell the markers), "region".
 */
exports.faults = function (clip, beats) {
  var faults = [];
  var duration = exports.duration(clip);
  var markers;
  if (clip.number("warping") !== 1) {
    return ["warping"]; // until then all positions are seconds
  }
  if (clip.number("looping") !== 1) {
    faults.push("looping");
  }
  markers = markersOf(clip);
  if (!duration) {
    faults.push("file");
  } else if (markers.length < 2) {
    faults.push("blind");
  } else if (!exports.straight(markers, duration, beats)) {
    faults.push("grid");
  }
  if (["loop_start", "start_marker"].some(function (name) {
    return Math.abs(clip.number(name)) > EXACT;
  }) || ["loop_end", "end_marker", "length"].some(function (name) {
    return Math.abs(clip.number(name) - beats) > EXACT;
  })) {
    faults.push("region");
  }
  return faults;
};

/** How many beats Live takes the whole file for. */
exports.guess = function (clip) {
  var markers = markersOf(clip);
  return markers.length > 1 ? exports.beatAt(markers, exports.duration(clip)) : clip.number("end_marker");
};

/**
 * Straighten the grid. Live takes a marker only between its neighbours, and only where neither side's tempo leaves 5 to
 * 999 BPM, and says nothing when it does not take one; so each try does what can be done from how things stand.
 * `short`: pin the last frame instead of the file's very end, for when Live finds the end to lie outside of the file.
 */
function straighten(clip, beats, short) {
  var duration = exports.duration(clip);
  var end = short ? duration - 1 / clip.number("sample_rate") : duration;
  var visible;

  function inside(marker) {
    return marker.seconds > SAME && marker.seconds < duration - SAME;
  }

  markersOf(clip).slice(0, -1).filter(inside).reverse().forEach(function (marker) {
    clip.call("remove_warp_marker", marker.beat);
  });
  visible = markersOf(clip).slice(0, -1);
  visible.forEach(function (marker) {
    var right = beats * marker.seconds / duration;
    if (Math.abs(marker.beat - right) > NEAR / 10) {
      clip.call("move_warp_marker", marker.beat, right - marker.beat);
    }
  });
  if (!visible.some(function (marker) {
    return marker.seconds >= duration - SAME;
  })) {
    clip.call("add_warp_marker", {beat_time: beats * end / duration, sample_time: end});
  }
  if (!visible.some(function (marker) {
    return marker.seconds <= SAME;
  })) {
    clip.call("add_warp_marker", {beat_time: 0, sample_time: 0});
  }
}

/** Set a property that is not as it must be: each write may be a step of Live's undo. */
function put(clip, property, value) {
  if (Math.abs(clip.number(property) - value) > EXACT) {
    clip.set(property, value);
  }
}

/** Set what plays: starts before ends, since no end may lie before its start, and both starts are 0. */
function frame(clip, beats) {
  put(clip, "loop_start", 0);
  put(clip, "loop_end", beats);
  put(clip, "start_marker", 0);
  put(clip, "end_marker", beats);
}

/** Do something about the faults, at the `attempt`-th time (from 0). Whether it helped is seen later. */
exports.mend = function (clip, beats, faults, attempt) {
  put(clip, "warping", 1);
  put(clip, "looping", 1);
  put(clip, "warp_mode", BEATS_MODE);
  if (faults.indexOf("grid") >= 0) {
    straighten(clip, beats, attempt % 2 === 1);
  }
  if (faults.indexOf("warping") < 0) {
    frame(clip, beats); // the markers may have moved it along
  }
};
