// A loop's path on its way to the clipboard, which Max cannot reach and the server can.
"use strict";

var protocol = require("./protocol");

var PATIENCE = 3000; // milliseconds after which nobody will answer

// ports: {send(atoms), later(ms, fn) -> {cancel()}}; told(isCopied): what has come of the last path, once.
function Clipboard(ports, told) {
  this._ports = ports;
  this._told = told;
  this._req = "";
  this._timer = null;
}

Clipboard.prototype.copy = function (req, loop) {
  var self = this;
  this.stop();
  this._req = req;
  this._timer = this._ports.later(PATIENCE, function () {
    self._end(false);
  });
  this._ports.send(protocol.copy(req, loop.job, loop.variation));
};

// Take an answer; says whether it was about this.
Clipboard.prototype.receive = function (reply) {
  var isOurs = this._req !== "" && reply.req === this._req;
  if (isOurs) {
    this._end(reply.kind === "ok");
  }
  return isOurs;
};

// Nobody wants to know any more.
Clipboard.prototype.stop = function () {
  this._req = "";
  if (this._timer) {
    this._timer.cancel();
  }
  this._timer = null;
};

Clipboard.prototype._end = function (isCopied) {
  this.stop();
  this._told(isCopied);
};

exports.Clipboard = Clipboard;
