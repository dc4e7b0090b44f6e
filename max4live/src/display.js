// What the device shows: each object is told what it does not show yet.
"use strict";

// show(name, message, value): a message to an object of the patch.
function Display(show) {
  this._send = show;
  this._shown = {};
}

// view: as state.view gives it.
Display.prototype.show = function (view) {
  var self = this;
  Object.keys(view).forEach(function (name) {
    var now = JSON.stringify(view[name]);
    var before = self._shown[name];
    if (before !== now) {
      self._shown[name] = now;
      self._showOne(name, view[name], before ? JSON.parse(before) : {});
    }
  });
};

Display.prototype._showOne = function (name, what, before) {
  var send = this._send;
  if (what.hasOwnProperty("text")) {
    send(name, "set", what.text);
  } else if (what.hasOwnProperty("active")) {
    send(name, "active", what.active ? 1 : 0);
  } else if (what.hasOwnProperty("percent")) {
    send(name, "set", what.percent);
  } else {
    if (JSON.stringify(what.items) !== JSON.stringify(before.items)) {
      send(name, "clear");
      what.items.forEach(function (item) {
        send(name, "append", item);
      });
    }
    send(name, "set", what.at);
  }
};

exports.Display = Display;
