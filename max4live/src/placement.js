"use strict";

/* Finished loops become clips: which track and slot, and one after the other. What a clip needs is in settle.js. */

var settle = require("./settle");

/** The first Live whose API makes audio clips. */
var FIRST = [12, 0, 5];

var TRACK = /^live_set tracks (\d+)(?: |$)/;
var SLOT = /^live_set tracks (\d+) clip_slots (\d+)$/;
var SCENE = /^live_set scenes (\d+)$/;

/** Whether a track has slots that audio clips go into: an audio track, no group, no return and not Main. */
function takesAudio(track) {
  return track.number("has_audio_input") === 1 && track.number("is_foldable") === 0 && TRACK.test(track.path);
}

function isFrozen(track) {
  return track.number("is_frozen") === 1;
}

/** The set's audio tracks that take clips now: `[{id, name}]`. */
exports.tracks = function (live) {
  return live.at("live_set").refs("tracks").filter(function (track) {
    return takesAudio(track) && !isFrozen(track);
  }).map(function (track) {
    return {id: track.id, name: track.text("name")};
  });
};

/** The number in a path, or -1. */
function numberIn(pattern, node, group) {
  var match = node && pattern.exec(node.path);
  return match ? Number(match[group]) : -1;
}

/** The track of a path to it or to anything on it, or null. */
function trackOf(live, path) {
  var match = TRACK.exec(path);
  return match && live.at("live_set tracks " + match[1]);
}

/** The row that the producer is in: the highlighted slot's, else the selected scene's, else the first. */
function row(view, slot) {
  var scene = slot ? numberIn(SLOT, slot, 2) : numberIn(SCENE, view.ref("selected_scene"), 1);
  return Math.max(scene, 0);
}

/** The first slot from `from` on that is not taken, or -1. */
exports.choose = function (taken, from) {
  var i;
  for (i = Math.max(from, 0); i < taken.length; i += 1) {
    if (!taken[i]) {
      return i;
    }
  }
  return -1;
};

/** The slots of a track, and which of them are taken. */
function slotsOf(track) {
  var slots = track.refs("clip_slots");
  return {
    nodes: slots,
    taken: slots.map(function (slot) {
      return slot.number("has_clip") === 1;
    })
  };
}

/** The track that a wish means, as a node, or `{problem}`. */
function wanted(live, wish, slot) {
  var named = wish.track && live.at("live_set").refs("tracks").filter(function (track) {
    return takesAudio(track) && track.text("name") === wish.track;
  });
  var highlighted = slot && trackOf(live, slot.path);
  var own = wish.own ? trackOf(live, wish.own) : null;
  var chosen = wish.id ? live.node(wish.id) : null;
  if (wish.id) {
    return chosen && takesAudio(chosen) ? chosen :
      {problem: 'The track "' + wish.track + '" has been deleted. Choose another target.'};
  }
  if (named) {
    return named.filter(function (track) {
      return !isFrozen(track);
    })[0] || named[0] || {problem: 'There is no audio track "' + wish.track + '" in the set. Choose another target.'};
  }
  if (highlighted && takesAudio(highlighted)) {
    return highlighted;
  }
  if (own && takesAudio(own)) {
    return own;
  }
  return {problem: "No audio track to place the loop on. Highlight a slot of one, or choose one as target."};
}

/**
 * Where a loop that is asked for now will go. `wish`: {track: name, or "" for the highlighted slot, id: the track's
 * where it is known, own: the path of the device or of its track, for when that slot is on no audio track}. Gives {track: id, scene: row to begin from (0
 * is the first), words: where that will be} or {problem}.
 */
exports.aim = function (live, wish) {
  var view = live.at("live_set view");
  var slot = view.ref("highlighted_clip_slot");
  var track = wanted(live, wish, slot);
  var scene = row(view, slot);
  var at;
  if (track.problem) {
    return track;
  }
  if (isFrozen(track)) {
    return {problem: 'The track "' + track.text("name") + '" is frozen. Unfreeze it, or choose another target.'};
  }
  at = exports.choose(slotsOf(track).taken, scene);
  return {
    track: track.id, scene: scene, words: track.text("name") + (at < 0 ? ", a new scene" : ", scene " + (at + 1))
  };
};

/** Whether a version is at least another. */
function atLeast(version, first) {
  var i;
  for (i = 0; i < first.length; i += 1) {
    if (version[i] !== first[i]) {
      return version[i] > first[i];
    }
  }
  return true;
}

/**
 * Have Live make a clip of a file, and return it, or null. A refusal is posted to Max's console and looks like any
 * other answer: only the slot tells. To Live's parser a backslash is an escape, and it has been said to end a path at a
 * space that is not in quotes.
 */
function load(slot, path) {
  var text = /^([A-Za-z]:|\\\\)/.test(path) ? path.replace(/\\/g, "/") : path;
  var spellings = text.indexOf(" ") >= 0 ? [text, '"' + text + '"'] : [text];
  var fault = null;
  spellings.forEach(function (spelling) {
    try {
      if (slot.number("has_clip") !== 1) {
        slot.call("create_audio_clip", spelling);
      }
    } catch (error) {
      fault = error;
    }
  });
  if (slot.number("has_clip") !== 1 && fault) {
    throw fault;
  }
  return slot.number("has_clip") === 1 ? slot.ref("clip") : null;
}

/**
 * Places loops, one at a time, so that no two choose the same slot. `later(ms, fn)` runs tasks and gives {cancel()}:
 * all that is written to Live is written in one, never in a notification.
 */
function Placer(live, later) {
  this.live = live;
  this.later = later;
  this.waiting = [];
  this.current = null;
  this.task = null;
}

/**
 * Make a clip of a loop. `aim` is from `aim()`; `loop`: {path, beats, name, colour: 0xRRGGBB or none}. `done` gets
 * {placed: true, track: name, scene: from 1, repaired: whether Live's guess was wrong, clip: id, warning: words or ""}
 * or {placed: false, code, reason, path}, and then the set is as it was.
 */
Placer.prototype.place = function (aim, loop, done) {
  this.waiting.push({aim: aim, loop: loop, done: done, track: null, slot: null, clip: null, scene: null});
  if (!this.current) {
    this.next();
  }
};

/** Stop at once, for when the device goes. Loops that wait are not placed, and nobody is told. */
Placer.prototype.stop = function () {
  var job = this.current;
  this.waiting = [];
  this.current = null;
  if (this.task) {
    this.task.cancel();
  }
  if (job) {
    this.closeStep(job);
  }
};

Placer.prototype.next = function () {
  var placer = this;
  var job = this.waiting.shift() || null;
  this.current = job;
  if (job) {
    this.soon(0, function () {
      placer.create(job);
    });
  }
};

/** Do something in a task of its own. What goes wrong inside Live ends the job and not the device. */
Placer.prototype.soon = function (ms, fn) {
  var placer = this;
  this.task = this.later(ms, function () {
    var job = placer.current;
    try {
      fn();
    } catch (error) {
      if (placer.current !== job) {
        throw error; // the job has ended: this is not about it
      }
      placer.fail(job, "refused", "Live said: " + (error && error.message ? error.message : String(error)) + ".");
    }
  });
};

/*
 * One undo step. Live has begin_undo_step and end_undo_step, which its control surfaces use, but its list of what Max
 * may call (up to 12.4 at least) leaves them out, so a device cannot join its writes by itself. Where a Live's list has
 * them, they enclose everything, across tasks, since Live defers the switch of warping; an edit made by hand in that
 * half second joins the step. Elsewhere the best there is: little is written, only what is not yet as it must be, and
 * as much of it as possible in the task that makes the clip.
 */
Placer.prototype.openStep = function (job) {
  var set = this.live.at("live_set");
  job.open = set.has("begin_undo_step") && set.has("end_undo_step");
  if (job.open) {
    set.call("begin_undo_step");
  }
};

Placer.prototype.closeStep = function (job) {
  if (job.open) {
    job.open = false;
    this.live.at("live_set").call("end_undo_step");
  }
};

/** Why a job cannot even begin, as [code, reason], or null. Finds its track. */
Placer.prototype.refusal = function (job) {
  var version = this.live.version();
  if (version[0] && !atLeast(version, FIRST)) {
    return ["live_too_old", "Live " + version.join(".") + " cannot make the clip; Live " + FIRST.join(".") + " can."];
  }
  job.track = this.live.node(job.aim.track);
  if (!job.track) {
    return ["track_gone", "The track that the loop was for is no longer there."];
  }
  if (!takesAudio(job.track)) {
    return ["not_audio", 'The track "' + job.track.text("name") + '" takes no audio clips.'];
  }
  if (isFrozen(job.track)) {
    return ["track_frozen", 'The track "' + job.track.text("name") + '" is frozen.'];
  }
  return null;
};

/**
 * The slot for a job: the first empty one from its row on, else one of a new scene at the end, else (Live Lite and
 * Intro have few scenes) the first empty one above, else null.
 */
Placer.prototype.findSlot = function (job) {
  var set = this.live.at("live_set");
  var slots = slotsOf(job.track);
  var at = exports.choose(slots.taken, job.aim.scene);
  if (at < 0) {
    set.call("create_scene", -1);
    if (job.track.refs("clip_slots").length > slots.taken.length) {
      job.scene = set.refs("scenes").pop();
      slots = slotsOf(job.track);
    }
    at = exports.choose(slots.taken, slots.taken.length - 1);
  }
  if (at < 0) {
    at = exports.choose(slots.taken, 0);
  }
  return slots.nodes[at] || null;
};

Placer.prototype.create = function (job) {
  var refusal = this.refusal(job);
  if (refusal) {
    this.fail(job, refusal[0], refusal[1]);
    return;
  }
  this.openStep(job);
  job.slot = this.findSlot(job);
  if (!job.slot) {
    this.fail(job, "no_slot", 'The track "' + job.track.text("name") + '" is full, and Live added no scene.');
    return;
  }
  job.clip = load(job.slot, job.loop.path);
  if (!job.clip) {
    this.fail(job, "refused", "Live did not take the file: the track may be recording, or the file has been moved.");
    return;
  }
  settle.dress(job.clip, job.loop);
  this.settle(job);
};

/** See to it, look after look, that the clip is as it must be. */
Placer.prototype.settle = function (job) {
  var placer = this;
  var settling = new settle.Settling(job.clip, job.loop.beats);

  function look() {
    var state = settling.look();
    if (state.wait !== undefined) {
      placer.soon(state.wait, look);
    } else if (state.code) {
      placer.fail(job, state.code, state.reason);
    } else {
      placer.finish(job, {
        placed: true,
        track: job.track.text("name"),
        scene: numberIn(SLOT, job.slot, 2) + 1,
        repaired: state.repaired,
        clip: job.clip.id,
        warning: state.warning
      });
    }
  }

  look();
};

/** Take back what was made: the clip, and the scene if it is still empty. */
function takeBack(live, job) {
  var index;
  if (job.clip && job.clip.alive() && job.slot.alive()) {
    job.slot.call("delete_clip");
  }
  index = job.scene ? numberIn(SCENE, job.scene, 1) : -1;
  if (index >= 0 && job.scene.number("is_empty") === 1) {
    live.at("live_set").call("delete_scene", index);
  }
}

Placer.prototype.fail = function (job, code, reason) {
  var drag = " Drag the file into a slot.";
  try {
    takeBack(this.live, job);
  } catch (error) {
    drag += " A clip that is not warped right may be left behind.";
  }
  this.finish(job, {placed: false, code: code, reason: reason + drag, path: job.loop.path});
};

Placer.prototype.finish = function (job, result) {
  this.closeStep(job);
  this.current = null;
  try {
    job.done(result);
  } finally {
    if (!this.current) {
      this.next();
    }
  }
};

exports.Placer = Placer;
