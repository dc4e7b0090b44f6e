// Finds a port for the answers, finds the server, keeps in touch with it. Nothing of Max is in here.
//
//   stopped --start--> opening --own knock heard--> searching --welcome--> connected
//                         ^ |                        | ^  | ^                 |
//              next port  +-+   <--knock not heard---+ +--+ +--two unanswered-+
//
// Several devices live in one set, and other programs hold ports too, but [udpreceive] does not say whether it got
// the port that it was told. So a device knocks at its port with a word that only it knows, and believes its ears.
// It knocks again while the server is silent, for somebody may have taken the port over. The server answers to the
// port that `hello` names, whichever port [udpsend] sends from; a server that was started anew has forgotten that, so
// hello is said as long as the device lives.
"use strict";

var protocol = require("./protocol");

var FIRST_PORT = 11201;
var LAST_PORT = 11264;

// Where the word of a knock comes back.
var KNOCK = "/loopgen/knock";

// All in milliseconds. After so many knocks of this period a port is given up: [udpreceive] may take a moment to open.
var KNOCKS = 3;
var KNOCK_PERIOD = 100;
var SEARCH_PERIOD = 1000;
var CONNECTED_PERIOD = 5000;

// After another server was named: a port that is dialled passes through many, and what the last one still has to say
// must not be taken for the next one's.
var SETTLE = 250;

// Hellos without an answer after which a server is gone, and after which the own port is doubted while one searches.
var PATIENCE = 2;
var DOUBT = 5;

// ports: {send(atoms), toServer(port), knock(port, atoms), listen(port), later(ms, fn) -> {cancel()}, token}, where
// token is text unique to this instance. on: {changed(state, welcome)}, told when either differs from before; state is
// "opening", "searching" or "connected", welcome the last one that this server sent, null before the first.
function Connection(ports, on) {
  this._ports = ports;
  this._on = on;
  this._state = "stopped";
  this._welcome = null;
  this._server = protocol.PORT;
  this._port = FIRST_PORT;
  this._knocks = 0;
  this._word = "";
  this._unanswered = 0;
  this._timers = {};
}

// Begin to look for the server at a port of this machine.
Connection.prototype.start = function (serverPort) {
  if (this._state !== "stopped") {
    this.toPort(serverPort);
    return;
  }
  this._server = serverPort;
  this._ports.toServer(serverPort);
  this._open(this._port === serverPort ? this._next() : this._port, null);
};

// Say bye and fall silent. Nothing happens later, and on.changed is not told.
Connection.prototype.stop = function () {
  var greeted = this._state === "searching" || this._state === "connected";
  this._forget("knock");
  this._forget("hello");
  this._state = "stopped";
  this._welcome = null;
  if (greeted) {
    this._ports.send(protocol.bye());
  }
};

// Look for the server at another port.
Connection.prototype.toPort = function (serverPort) {
  var state = this._state;
  if (serverPort === this._server) {
    return;
  }
  this._server = serverPort;
  if (state === "stopped") {
    return;
  }
  if (state === "connected") {
    this._ports.send(protocol.bye());
  }
  this._ports.toServer(serverPort);
  this._unanswered = 0;
  if (state === "opening") {
    this._become("opening", null);
  } else {
    this._after("hello", SETTLE, this._greet);
    this._become("searching", null);
  }
};

// Ask for a welcome at once, not when the next one is due. Before an order it makes sure that the answers come here,
// even from a server that was started anew a moment ago.
Connection.prototype.hello = function () {
  if (this._state === "searching" || this._state === "connected") {
    this._unanswered = this._unanswered || 1;
    this._say();
  }
};

// Any message of the server, as protocol.read gives it. While one searches, a welcome that nobody asked for is an
// earlier server's.
Connection.prototype.receive = function (message) {
  var found = this._state === "searching" && this._unanswered > 0;
  if (message.kind !== "welcome" || !(found || this._state === "connected")) {
    return;
  }
  this._unanswered = 0;
  this._word = "";
  this._forget("knock");
  if (found) {
    this._after("hello", CONNECTED_PERIOD, this._greet);
  }
  this._become("connected", message);
};

// What a knock at the own port brought. Other instances' knocks, and own ones at a port that was given up meanwhile,
// say nothing.
Connection.prototype.heard = function (word) {
  if (!this._word || word !== this._word) {
    return;
  }
  this._word = "";
  this._forget("knock");
  if (this._state === "opening") {
    this._unanswered = 0;
    this._after("hello", 0, this._greet);
    this._become("searching", this._welcome);
  }
};

// The port that answers come to; 0 while there is none for certain.
Connection.prototype.replyPort = function () {
  return this._state === "searching" || this._state === "connected" ? this._port : 0;
};

// Whoever is called back below may have called anything of this by then: state first, callback last.

Connection.prototype._become = function (state, welcome) {
  var differs = state !== this._state || JSON.stringify(welcome) !== JSON.stringify(this._welcome);
  this._state = state;
  this._welcome = welcome;
  if (differs) {
    this._on.changed(state, welcome);
  }
};

// Listen at a port and find out whether it is one's own.
Connection.prototype._open = function (port, welcome) {
  this._port = port;
  this._forget("hello");
  this._ports.listen(port);
  this._listen();
  this._become("opening", welcome);
};

Connection.prototype._next = function () {
  var port = this._port;
  do {
    port = port < LAST_PORT ? port + 1 : FIRST_PORT;
  } while (port === this._server);
  return port;
};

// Knock with a new word, so that one still under way from before is not mistaken for it.
Connection.prototype._listen = function () {
  this._knocks += 1;
  this._word = this._ports.token + "-" + this._knocks;
  this._after("knock", 0, function () {
    this._knock(KNOCKS);
  });
};

Connection.prototype._knock = function (left) {
  if (left === 0) {
    this._open(this._next(), this._welcome);
    return;
  }
  this._after("knock", KNOCK_PERIOD, function () {
    this._knock(left - 1);
  });
  this._ports.knock(this._port, [KNOCK, this._word]);
};

// Say hello and see to the next one; with too many unanswered, the server is gone, or the own port is.
Connection.prototype._greet = function () {
  if (this._port === this._server) { // whoever wants to start one there needs it
    this._open(this._next(), null);
    return;
  }
  if (this._state === "connected" && this._unanswered >= PATIENCE) {
    this._unanswered = 0;
    this._after("hello", 0, this._greet);
    this._listen();
    this._become("searching", this._welcome);
    return;
  }
  if (this._state === "searching" && this._unanswered > 0 && this._unanswered % DOUBT === 0) {
    this._listen();
  }
  this._after("hello", this._state === "connected" ? CONNECTED_PERIOD : SEARCH_PERIOD, this._greet);
  this._unanswered += 1;
  this._say();
};

// The name is this instance's own: the server takes one name at one port for one client.
Connection.prototype._say = function () {
  this._ports.send(protocol.hello("Max for Live " + this._ports.token, this._port));
};

// One timer a purpose; one that was replaced or forgotten does nothing, however late the clock is.
Connection.prototype._after = function (purpose, ms, then) {
  var self = this;
  var timer = {};
  this._forget(purpose);
  this._timers[purpose] = timer;
  timer.due = this._ports.later(ms, function () {
    if (self._timers[purpose] === timer) {
      self._timers[purpose] = null;
      then.call(self);
    }
  });
};

Connection.prototype._forget = function (purpose) {
  var timer = this._timers[purpose];
  this._timers[purpose] = null;
  if (timer) {
    timer.due.cancel();
  }
};

exports.Connection = Connection;
exports.KNOCK = KNOCK;
exports.FIRST_PORT = FIRST_PORT;
exports.LAST_PORT = LAST_PORT;
