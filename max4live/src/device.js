// The device: what is typed, pressed, observed and received becomes state, requests and clips.
"use strict";

var protocol = require("./protocol");
var state = require("./state");
var clip = require("./clip");
var live = require("./live");
var placement = require("./placement");
var connection = require("./connection");
var lists = require("./lists");
var job = require("./job");
var reading = require("./reading");
var display = require("./display");
var clipboard = require("./clipboard");

var CLICK = 300; // milliseconds in which a button's second message is the same click
var TEXTS = ["prompt", "preset", "engine", "target"]; // kept with the set by the device's memory, in this order
var MENUS = ["preset", "engine", "target"];
var NUMBERS = ["bars", "variations", "seed", "lock", "guidance", "temperature", "melody", "scale"];
var BUTTONS = ["generate", "cancel", "again", "retempo", "copy"];

// A text as one word, which comes back whole however Live writes it down: without spaces, commas and quotes, no number.
function word(text) {
  return "=" + encodeURIComponent(text).replace(/%20/g, "+");
}

function textOf(kept) {
  return decodeURIComponent(String(kept).slice(1).replace(/\+/g, " "));
}

// ports: {send(atoms), toServer(port), knock(port, atoms), listen(port), remember(four texts), show(name, message ...),
// later(ms, fn) -> {cancel()}, now() -> ms, random() -> 0..1, token, LiveAPI}
function Device(ports) {
  var self = this;
  this.state = state.initial();
  this._ports = ports;
  this._live = null;
  this._placer = null;
  this._reading = null;
  this._display = new display.Display(ports.show);
  this._pressed = {};
  this._count = 0;
  this._job = null;
  this._past = null; // the job before: a loop of it may still come
  this._kept = this._words().join();
  this._clipboard = new clipboard.Clipboard(ports, function (isCopied) {
    self.tell(self.state.note + (isCopied ? ", its path is copied" : ", and its path not copied"), self.state.more);
  });
  this._presets = new lists.ServerList(ports, protocol.presetList, "preset_item", function (items) {
    self._listed("presets", items);
  });
  this._engines = new lists.ServerList(ports, protocol.engineList, "engine_item", function (items) {
    self._listed("engines", items);
  });
  this._connection = new connection.Connection(ports, {
    changed: function (link, welcome) {
      self._linked(link, welcome);
    }
  });
}

// A message from the patch: an object's name and its value, or `heard` and a message from the network, which can be
// anybody's and is none of the patch's own.
Device.prototype.message = function (name, values) {
  if (name === "heard") {
    this._receive(values);
  } else if (name === "init") {
    this._init();
  } else if (name === "memory") {
    this._recall(values);
  } else if (name === "prompt") {
    this._type(values.slice(values[0] === "text" ? 1 : 0).join(" ")); // [textedit] says `text dub techno`
  } else if (MENUS.indexOf(name) >= 0) {
    this._choose(name, Number(values[0]));
  } else if (NUMBERS.indexOf(name) >= 0) {
    this._turn(name, Number(values[0]));
  } else if (name === "port") {
    this.state.controls.port = Number(values[0]);
    this._connection.toPort(this.state.controls.port);
  } else if (BUTTONS.indexOf(name) >= 0) {
    this._press(name);
  } else {
    return;
  }
  this._show();
};

// The device is removed from the set.
Device.prototype.stop = function () {
  this._clipboard.stop();
  this._presets.stop();
  this._engines.stop();
  if (this._job) {
    this._job.drop();
  }
  if (this._placer) {
    this._placer.stop();
  }
  if (this._reading) {
    this._reading.stop();
  }
  this._connection.stop();
};

// An id that no other request of any instance has.
Device.prototype.req = function () {
  this._count += 1;
  return this._ports.token + "-" + this._count;
};

// -- from the patch ---------------------------------------------------------------------------------------------------

// Live can be asked from now on.
Device.prototype._init = function () {
  var self = this;
  if (this._live) {
    return;
  }
  this._live = live.Live(this._ports.LiveAPI);
  this._placer = new placement.Placer(this._live, this._ports.later);
  this._reading = new reading.Reading(this.state, this._live, this._ports.later, function () {
    self._keep(); // the target may have another name now
    self._show();
  });
  this._reading.start();
  this._connection.start(this.state.controls.port);
};

Device.prototype._recall = function (values) {
  var controls = this.state.controls;
  var at;
  for (at = 0; at < TEXTS.length; at += 1) {
    if (values[at] !== undefined) {
      controls[TEXTS[at]] = textOf(values[at]);
    }
  }
  controls.engine = controls.engine || state.AUTO;
  this.state.track = 0;
  this._kept = this._words().join();
  if (this._reading) {
    this._reading.soon("tracks");
  }
  this._ports.show("prompt", "set", controls.prompt);
};

Device.prototype._type = function (prompt) {
  this.state.controls.prompt = prompt;
  this._keep();
};

// A menu says which item was chosen by its number: names may be numbers, words that Max knows, or twice there.
Device.prototype._choose = function (name, at) {
  var item = state.chosen(this.state, name, at);
  if (item) {
    this.state.controls[name] = item.text;
    this.state.track = name === "target" ? item.track : this.state.track;
    this._keep();
  }
};

Device.prototype._words = function () {
  var controls = this.state.controls;
  return TEXTS.map(function (name) {
    return word(controls[name]);
  });
};

// Have the texts kept with the set, if they are others than before.
Device.prototype._keep = function () {
  var words = this._words();
  if (words.join() !== this._kept) {
    this._kept = words.join();
    this._ports.remember(words);
  }
};

Device.prototype._turn = function (name, value) {
  if (isFinite(value)) {
    // A float of 32 bits says 0.7 as 0.699999988: two decimals are what the boxes show.
    this.state.controls[name] = Math.round(value * 100) / 100;
    if (name === "melody" && this._reading) {
      this._reading.soon("clip");
    }
  }
};

Device.prototype._press = function (name) {
  var now = this._ports.now();
  if (this._pressed.hasOwnProperty(name) && now - this._pressed[name] < CLICK) {
    return;
  }
  this._pressed[name] = now;
  if (name === "generate") {
    this._generate(state.drawnSeed(this.state, this._ports.random()));
  } else if (name === "again") {
    this._generate(state.nextSeed(this.state));
  } else if (name === "retempo") {
    this._retempo();
  } else if (name === "cancel" && this._job) {
    this.state.job.isCancelled = true;
    this._job.cancel();
  } else if (name === "copy" && this.state.loops.length > 0) {
    this.copy(this.state.loops[this.state.loops.length - 1], "last loop", "");
  }
};

// -- from Live --------------------------------------------------------------------------------------------------------

// Path of the track that the device is on.
Device.prototype._ownTrack = function () {
  var device = this._live.at("this_device");
  var found = device ? /^live_set tracks \d+/.exec(device.path) : null;
  return found ? found[0] : "";
};

// -- from the server --------------------------------------------------------------------------------------------------

Device.prototype._linked = function (link, welcome) {
  var isBack = link === "connected" && this.state.link !== "connected";
  this.state.link = link;
  this.state.welcome = welcome;
  if (isBack) {
    this._refresh();
    if (this._job) {
      this._job.reconnected();
    }
  }
  this._show();
};

Device.prototype._refresh = function () {
  this._presets.refresh(this.req());
  this._engines.refresh(this.req());
};

Device.prototype._listed = function (name, items) {
  this.state[name] = items.map(function (item) {
    return item.name;
  }).filter(function (item) {
    return item !== "";
  });
};

Device.prototype._receive = function (atoms) {
  var reply;
  if (atoms[0] === "/loopgen/knock") {
    this._connection.heard(String(atoms[1]));
    return;
  }
  reply = protocol.read(atoms);
  if (!reply) {
    return;
  }
  this._connection.receive(reply);
  [this._clipboard, this._presets, this._engines, this._job, this._past].some(function (one) {
    return one !== null && one.receive(reply);
  });
};

// -- jobs -------------------------------------------------------------------------------------------------------------

Device.prototype._generate = function (seed) {
  var problem = state.hindrance(this.state);
  var found = null;
  var notes = null;
  var aim;
  if (problem) {
    this.tell("not yet", problem);
    this._connection.hello();
    return;
  }
  this._reading.now();
  if (this.state.controls.melody) {
    found = clip.find(this._live);
    notes = found ? clip.read(found.node) : { problem: "No MIDI clip is selected. Select one, or switch Clip off." };
    if (notes.problem) {
      this.tell("no melody", notes.problem);
      return;
    }
  }
  aim = this.aim(null);
  if (aim.problem) {
    this.tell("no place yet", aim.problem); // while it is made another slot can be highlighted
  }
  this._showSeed(seed);
  this._begin("generate");
  this._job.generate(seed, notes, aim);
};

// `assign` is what Max documents to leave Live's undo history alone. It says the value back to this script, so it comes
// when the present message has been dealt with.
Device.prototype._showSeed = function (seed) {
  var show = this._ports.show;
  this.state.controls.seed = seed;
  this._ports.later(0, function () {
    show("seed", "assign", seed);
  });
};

Device.prototype._retempo = function () {
  var problem = state.hindrance(this.state);
  if (!problem) {
    this._reading.now();
    problem = state.isOtherTempo(this.state) ? "" : "The last loop has the set's tempo already.";
  }
  if (problem) {
    this.tell("not yet", problem);
    return;
  }
  this._begin("retempo");
  this._job.retempo(this.state.loops, protocol.bpmText(this.state.song.bpm));
};

Device.prototype._begin = function (kind) {
  this.state.job = { kind: kind, fraction: 0, stage: "asking", isCancelled: false };
  this._job = new job.Job(this, this._ports, this._placer);
  this._connection.hello(); // a server that was started anew a moment ago has to know where the answers go
};

// Where a loop goes: to where an earlier aim was, as long as that can be, else to what is highlighted or chosen now.
Device.prototype.aim = function (earlier) {
  if (earlier && !earlier.problem && this._live.node(earlier.track)) {
    return earlier;
  }
  return placement.aim(this._live, {
    track: this.state.controls.target, id: this.state.track, own: this._ownTrack()
  });
};

// The job has ended: cancelled, with a problem or with "".
Device.prototype.ended = function (problem, hasMade) {
  var isCancelled = this.state.job.isCancelled;
  this._past = this._job;
  this._job = null;
  this.state.job = null;
  if (isCancelled) {
    this.tell("cancelled", "");
  } else if (problem) {
    this.tell(hasMade ? "not every loop was made" : "no loop", problem);
  }
  this._refresh(); // presets may have been saved meanwhile, and models pulled
  this._connection.hello(); // the licence is known once an engine is loaded
  this._show();
};

// -- to the person ----------------------------------------------------------------------------------------------------

// The last thing that happened, and what there is to add.
Device.prototype.tell = function (note, more) {
  this._clipboard.stop();
  this.state.note = note;
  this.state.more = more;
  this._show();
};

// Show a loop's path, and have it put on the clipboard.
Device.prototype.copy = function (loop, note, reason) {
  this.tell(note, (reason ? reason + " " : "") + loop.path);
  this._connection.hello();
  this._clipboard.copy(this.req(), loop);
};

Device.prototype.changed = function () {
  this._show();
};

Device.prototype._show = function () {
  this._display.show(state.view(this.state));
};

exports.Device = Device;
