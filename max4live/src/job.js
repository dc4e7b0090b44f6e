// What one press of a button makes: requests to the server, and each loop that comes back into a slot.
"use strict";

var protocol = require("./protocol");
var state = require("./state");
var order = require("./order");
var melodies = require("./melodies");

// device: {state, req(), tell(note, more), copy(loop, note, reason), changed(), ended(problem)}; placer: placement.Placer
function Job(device, ports, placer) {
  this._device = device;
  this._ports = ports;
  this._placer = placer;
  this._orders = []; // all of the job's
  this._fractions = [];
  this._open = 0; // how many have not ended
  this._sending = null;
  this._loops = [];
  this._problem = "";
}

// Loops by the device's controls; notes: a clip to be followed, or null; aim: where they are to go.
Job.prototype.generate = function (seed, notes, aim) {
  var self = this;
  var id = notes ? "clip-" + this._ports.token : "";
  function ask() {
    var pairs = state.order(self._device.state, seed, id);
    self._order(protocol.generate(self._device.req(), pairs), aim);
  }
  if (!notes) {
    ask();
    return;
  }
  this._stage("sending the clip");
  this._sending = new melodies.Sending(this._ports, id, notes, function (problem) {
    self._sending = null;
    if (problem) {
      self._device.ended(problem);
    } else {
      ask();
    }
  });
  this._sending.start();
};

// The same takes on another tempo, each into the next free slot from where its loop went.
Job.prototype.retempo = function (loops, bpm) {
  var at;
  for (at = 0; at < loops.length; at += 1) {
    this._order(protocol.retempo(this._device.req(), loops[at].path, bpm), loops[at].aim, loops[at].name);
  }
};

Job.prototype.cancel = function () {
  if (this._sending) {
    this._sending.drop();
    this._device.ended("");
    return;
  }
  this._orders.forEach(function (one) {
    one.cancel();
  });
};

// The device goes: no timer fires afterwards. The server's jobs go on.
Job.prototype.drop = function () {
  if (this._sending) {
    this._sending.drop();
  }
  this._orders.forEach(function (one) {
    one.drop();
  });
};

Job.prototype.reconnected = function () {
  this._orders.forEach(function (one) {
    one.reconnected();
  });
};

Job.prototype.receive = function (reply) {
  if (this._sending) {
    this._sending.receive(reply);
    return;
  }
  this._orders.some(function (one) {
    return one.receive(reply);
  });
};

Job.prototype._order = function (message, aim, name) {
  var self = this;
  var number = this._orders.length;
  var one = new order.Order(this._ports, message, {
    progress: function (fraction, stage) {
      self._fractions[number] = fraction;
      self._stage(stage);
    },
    loop: function (done) {
      self._made(done, aim, name);
    },
    ended: function (problem) {
      self._ended(number, problem);
    }
  });
  this._orders.push(one);
  this._fractions.push(0);
  this._open += 1;
  one.start();
};

Job.prototype._stage = function (stage) {
  var shown = this._device.state.job;
  var sum = this._fractions.reduce(function (total, fraction) {
    return total + fraction;
  }, 0);
  shown.fraction = sum / Math.max(1, this._fractions.length);
  shown.stage = stage;
  this._device.changed();
};

// A loop is on disk: into its slot with it. Several land in the slots that follow each other.
Job.prototype._made = function (done, aim, name) {
  var device = this._device;
  var loop = {
    path: done.path, job: done.job, variation: done.variation, tempo: done.tempo, seed: done.seed, engine: done.engine,
    licence: done.licence, summary: done.summary, aim: aim, name: name || state.clipName(device.state, done)
  };
  // A loop on another tempo keeps its name but for the tempo.
  loop.name = loop.name.replace(/ \S+( #\d+)?$/, " " + done.tempo + "$1");
  this._loops.push(loop);
  device.state.loops = this._loops;
  if (aim.problem) {
    device.copy(loop, "not placed", aim.problem);
    return;
  }
  this._placer.place(aim, {
    path: loop.path, beats: done.beats, bpm: done.tempo, name: loop.name, colour: state.COLOUR, seed: done.seed
  }, function (result) {
    if (result.placed) {
      device.tell(
        "placed on " + result.track + ", scene " + result.scene,
        (result.repaired ? "Live's guess of its tempo was mended. " : "") +
          (result.warning || loop.summary + ", seed " + loop.seed)
      );
    } else {
      device.copy(loop, "not placed", result.reason);
    }
  });
};

Job.prototype._ended = function (number, problem) {
  this._fractions[number] = 1;
  this._problem = this._problem || problem;
  this._open -= 1;
  if (this._open === 0) {
    this._device.ended(this._problem);
  }
};

exports.Job = Job;
