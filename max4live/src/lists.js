// A list that the server tells item by item (presets, engines): collected, and asked for again where one was lost.
"use strict";

var PATIENCE = 1000; // milliseconds without a new item after which the list is asked for again
var TRIES = 4;

// ports: {send(atoms), later(ms, fn) -> {cancel()}}; ask(req) -> the message that asks; kind: of its answers;
// changed(items): told each whole list, as the server sent it, without `req`, `number` and `total`.
function ServerList(ports, ask, kind, changed) {
  this._ports = ports;
  this._ask = ask;
  this._kind = kind;
  this._changed = changed;
  this._req = "";
  this._items = {};
  this._timer = null;
  this._tries = 0;
}

ServerList.prototype.refresh = function (req) {
  this.stop();
  this._tries = 0;
  this._begin(req);
};

ServerList.prototype.stop = function () {
  if (this._timer) {
    this._timer.cancel();
  }
  this._timer = null;
  this._req = "";
};

// Take an answer; says whether it was one of this list.
ServerList.prototype.receive = function (reply) {
  var items = [];
  var number;
  if (reply.kind !== this._kind || reply.req !== this._req || !this._req) {
    return false;
  }
  this._items[reply.number] = reply;
  for (number = 1; number <= reply.total; number += 1) {
    if (!this._items.hasOwnProperty(number)) {
      this._wait();
      return true;
    }
    items.push(this._items[number]);
  }
  this.stop();
  this._changed(items);
  return true;
};

ServerList.prototype._begin = function (req) {
  this._req = req;
  this._items = {};
  this._tries += 1;
  this._ports.send(this._ask(req));
  this._wait();
};

ServerList.prototype._wait = function () {
  var self = this;
  if (this._timer) {
    this._timer.cancel();
  }
  this._timer = this._ports.later(PATIENCE, function () {
    self._timer = null;
    if (self._tries < TRIES) {
      self._begin(self._req);
    } else {
      self._req = "";
    }
  });
};

exports.ServerList = ServerList;
