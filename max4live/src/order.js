// One request to the server, followed until it has ended: sent again while nobody answers, asked after when it falls
// silent, and ended exactly once. A loop that comes after the order was given up is delivered all the same.
"use strict";

var protocol = require("./protocol");

var UNANSWERED = 1500; // milliseconds after which a request, or a cancel, is sent again
var TRIES = 4;
var SILENT = 5000; // milliseconds without a word of the job after which it is asked for
var FORGOTTEN = "The server was started anew and has forgotten the job. Ask for the loop once more.";

// ports: {send(atoms), later(ms, fn) -> {cancel()}}; message: the request's atoms, its `req` second;
// on: {progress(fraction, stage), loop(done), ended(problem or "")}.
function Order(ports, message, on) {
  this.req = message[1];
  this.job = "";
  this.isCancelled = false;
  this._ports = ports;
  this._message = message;
  this._on = on;
  this._seen = {};
  this._loops = 0;
  this._tries = 0;
  this._timer = null;
  this._hasEnded = false;
}

Order.prototype.start = function () {
  this._send();
};

// Stop it. Without a job yet, the job is stopped as soon as there is one.
Order.prototype.cancel = function () {
  if (this._hasEnded || this.isCancelled) {
    return;
  }
  this.isCancelled = true;
  this._tries = 0;
  if (this.job) {
    this._cancel();
  }
};

// Give it up without a word: no timer fires afterwards.
Order.prototype.drop = function () {
  this._hasEnded = true;
  this._wait(0, null);
};

// Take an answer; says whether it was this order's.
Order.prototype.receive = function (reply) {
  // An answer to `cancel` brings the job back where others bring the request.
  var isOurs = reply.req === this.req || (this.job !== "" && (reply.job === this.job || reply.req === this.job));
  // What the server could not even read it answers without the request's id.
  var isUnread = reply.kind === "error" && reply.code === "too_large" && !this.job && !this._hasEnded;
  if (!isOurs && !isUnread) {
    return false;
  }
  if (reply.kind === "done") {
    this._done(reply);
  } else if (this._hasEnded) {
    return true;
  } else if (reply.kind === "accepted") {
    this._accepted(reply);
  } else if (reply.kind === "progress") {
    this._on.progress(reply.fraction, reply.stage);
    this._watch();
  } else if (reply.kind === "cancelled") {
    this._end(this.isCancelled ? "" : "The job was stopped by the server, or by another client.");
  } else if (reply.kind === "error") {
    this._end(reply.code === "unknown_job" ? FORGOTTEN : reply.message);
  }
  return true;
};

// The connection is back: whatever was said meanwhile is lost, so ask.
Order.prototype.reconnected = function () {
  if (this._hasEnded) {
    return;
  }
  if (this.job) {
    this._ask();
  } else {
    this._tries = 0;
    this._send();
  }
};

Order.prototype._accepted = function (reply) {
  var isNew = !this.job;
  this.job = reply.job;
  if (this.isCancelled) {
    this._cancel();
    return;
  }
  if (isNew || reply.position > 0) {
    this._on.progress(0, reply.position > 0 ? "waiting, " + reply.position + " before it" : "starting");
  }
  this._watch();
};

Order.prototype._done = function (reply) {
  this.job = reply.job;
  this._ports.send(protocol.ack(reply.job, reply.variation));
  // It comes again where the word that it has arrived was lost.
  if (this._seen.hasOwnProperty(reply.variation) || (this._hasEnded && this.isCancelled)) {
    return;
  }
  this._seen[reply.variation] = true;
  this._loops += 1;
  this._on.loop(reply);
  if (this._hasEnded) {
    return;
  }
  if (this._loops === reply.variations) {
    this._end("");
  } else {
    this._watch();
  }
};

Order.prototype._end = function (problem) {
  this.drop();
  this._on.ended(problem);
};

Order.prototype._send = function () {
  var self = this;
  this._tries += 1;
  this._ports.send(this._message);
  this._wait(UNANSWERED, function () {
    if (self._tries < TRIES) {
      self._send();
    } else {
      self._end("The server does not answer. Look whether `loopgen serve` still runs.");
    }
  });
};

Order.prototype._cancel = function () {
  var self = this;
  this._tries += 1;
  this._ports.send(protocol.cancel(this.job));
  this._wait(UNANSWERED, function () {
    if (self._tries < TRIES) { // a server that has gone confirms nothing
      self._cancel();
    } else {
      self._end("");
    }
  });
};

Order.prototype._watch = function () {
  var self = this;
  if (!this.isCancelled) {
    this._wait(SILENT, function () {
      self._ask();
    });
  }
};

Order.prototype._ask = function () {
  this._ports.send(protocol.job(this.req, this.job));
  this._watch();
};

Order.prototype._wait = function (milliseconds, then) {
  var self = this;
  if (this._timer) {
    this._timer.cancel();
  }
  this._timer = then && this._ports.later(milliseconds, function () {
    self._timer = null;
    then();
  });
};

exports.Order = Order;
