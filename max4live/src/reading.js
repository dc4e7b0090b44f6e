// What Live says of the set, kept in the device's state: read again when it has changed, and no oftener than it can be
// seen. Tempo automation tells of a change a hundred times a second, and a large set has hundreds of tracks.
"use strict";

var song = require("./song");
var clip = require("./clip");
var placement = require("./placement");

var PERIOD = 100; // milliseconds

// live: live.Live; later(ms, fn) -> {cancel()}; changed(): told when the state has been read anew.
function Reading(state, live, later, changed) {
  this._state = state;
  this._live = live;
  this._later = later;
  this._changed = changed;
  this._stale = {};
  this._task = null;
  this._watches = [];
}

Reading.prototype.start = function () {
  var self = this;
  this._watches.push(song.watch(this._live, function (property) {
    self.soon(property === "detail_clip" ? "clip" : "song");
  }));
  this._watches.push(this._live.observe("live_set", "tracks", function () {
    self.soon("tracks");
  }));
  ["song", "clip", "tracks"].forEach(function (what) {
    self.soon(what);
  });
};

Reading.prototype.stop = function () {
  while (this._watches.length > 0) {
    this._watches.pop().stop();
  }
  if (this._task) {
    this._task.cancel();
  }
};

// Observers only say that something has changed ("song", "clip" or "tracks"): Live is read when they have returned.
Reading.prototype.soon = function (what) {
  this._stale[what] = true;
  if (!this._task) {
    this._after(0);
  }
};

// Read what is stale by then, and rest for a period.
Reading.prototype._after = function (milliseconds) {
  var self = this;
  this._task = this._later(milliseconds, function () {
    self._task = null;
    if (Object.keys(self._stale).length > 0) {
      self._after(PERIOD);
      self._read();
      self._changed();
    }
  });
};

// All of it, at once: for what is made of it now.
Reading.prototype.now = function () {
  this._stale = { song: true, clip: true, tracks: true };
  this._read();
};

Reading.prototype._read = function () {
  var stale = this._stale;
  this._stale = {};
  if (stale.song) {
    this._state.song = song.read(this._live);
  }
  if (stale.clip) {
    this._readClip();
  }
  if (stale.tracks) {
    this._state.tracks = placement.tracks(this._live);
    this._follow();
  }
};

Reading.prototype._readClip = function () {
  var found = this._state.controls.melody ? clip.find(this._live) : null;
  this._state.clip = found ? found.node.text("name") : null;
};

// The chosen track stays the chosen one under another name: "2-Audio" becomes "3-Audio" by itself when a track is put
// before it, and its old name may be another's then. Only what a set was saved with is found by its name.
Reading.prototype._follow = function () {
  var state = this._state;
  var track = this._live.node(state.track);
  var named = state.tracks.filter(function (one) {
    return one.name === state.controls.target;
  })[0];
  if (track) {
    state.controls.target = track.text("name");
  } else if (!state.track && named) {
    state.track = named.id;
  }
};

exports.Reading = Reading;
