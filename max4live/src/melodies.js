// A clip on its way to the server: sent in pieces, and again where pieces were lost.
"use strict";

var protocol = require("./protocol");

var UNANSWERED = 1000; // milliseconds after which all of it is sent again
var TRIES = 4;

// ports: {send(atoms), later(ms, fn) -> {cancel()}}; clip: {length, notes};
// arrived(problem): called once, with "" when the server has the whole clip.
function Sending(ports, id, clip, arrived) {
  this._ports = ports;
  this._id = id;
  this._clip = clip;
  this._arrived = arrived;
  this._tries = 0;
  this._timer = null;
  this._hasEnded = false;
}

Sending.prototype.start = function () {
  this._send(protocol.melody(this._id, this._clip));
};

Sending.prototype.drop = function () {
  this._hasEnded = true;
  if (this._timer) {
    this._timer.cancel();
  }
  this._timer = null;
};

// Take an answer; says whether it was about this clip.
Sending.prototype.receive = function (reply) {
  var missing;
  if (this._hasEnded) {
    return false;
  }
  if (reply.kind === "melody_ok" && reply.id === this._id) {
    this._end("");
    return true;
  }
  if (reply.kind === "error" && reply.req === this._id) {
    missing = reply.code === "melody_incomplete" ? /offset (\d+)/.exec(reply.message) : null;
    if (missing && this._tries < TRIES) {
      this._send(protocol.melodyFrom(this._id, this._clip, Number(missing[1])));
    } else if (reply.code === "melody_unknown" && this._tries < TRIES) {
      this._send(protocol.melody(this._id, this._clip)); // its beginning was lost
    } else {
      this._end(reply.message);
    }
    return true;
  }
  return false;
};

Sending.prototype._send = function (messages) {
  var self = this;
  var at;
  this._tries += 1;
  if (this._timer) {
    this._timer.cancel();
  }
  for (at = 0; at < messages.length; at += 1) {
    this._ports.send(messages[at]);
  }
  this._timer = this._ports.later(UNANSWERED, function () {
    self._timer = null;
    if (self._tries < TRIES) {
      self._send(protocol.melody(self._id, self._clip));
    } else {
      self._end("The clip did not reach the server. Look whether `loopgen serve` still runs.");
    }
  });
};

Sending.prototype._end = function (problem) {
  this.drop();
  this._arrived(problem);
};

exports.Sending = Sending;
