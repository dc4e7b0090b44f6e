// What one press of a button makes: requests to the server, and each loop that comes back into a slot.
"use strict";

var protocol = require("./protocol");
var state = require("./state");
var order = require("./order");
var melodies = require("./melodies");

// device: {state, req(), aim(earlier), tell(note, more), copy(loop, note, reason), changed(), ended(problem, hasMade)};
// placer: placement.Placer
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
  var device = this._device;
  var id = notes ? "clip-" + device.req() : ""; // an answer about an earlier clip says nothing of this one
  var message = protocol.generate(device.req(), state.order(device.state, seed, id));
  var origin = { aim: aim, sound: state.sound(device.state) };
  function ask() {
    self._order(message, origin);
  }
  if (!notes) {
    ask();
    return;
  }
  this._stage("sending the clip");
  this._sending = new melodies.Sending(this._ports, id, notes, function (problem) {
    self._sending = null;
    if (problem) {
      device.ended(problem, false);
    } else {
      ask();
    }
  });
  this._sending.start();
};

// The same takes on another tempo, each into the next free slot from where its loop went.
Job.prototype.retempo = function (loops, bpm) {
  var self = this;
  loops.forEach(function (loop) {
    self._order(protocol.retempo(self._device.req(), loop.path, bpm), loop);
  });
};

Job.prototype.cancel = function () {
  if (this._sending) {
    this._sending.drop();
    this._device.ended("", false);
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

// Take an answer, also after the end, when a loop may still come; says whether it was this job's.
Job.prototype.receive = function (reply) {
  if (this._sending) {
    return this._sending.receive(reply);
  }
  return this._orders.some(function (one) {
    return one.receive(reply);
  });
};

// origin: {aim, sound} of new loops, or the loop that is laid on another tempo.
Job.prototype._order = function (message, origin) {
  var self = this;
  var number = this._orders.length;
  var one = new order.Order(this._ports, message, {
    progress: function (fraction, stage) {
      self._fractions[number] = fraction;
      self._stage(stage);
    },
    loop: function (done) {
      self._problem = self._open > 0 ? self._problem : ""; // it was given up too early
      self._made(done, origin);
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
Job.prototype._made = function (done, origin) {
  var self = this;
  var device = this._device;
  var aim = device.aim(origin.aim);
  var mark = done.variations > 1 ? " #" + done.variation : "";
  var loop = {
    path: done.path, job: done.job, variation: done.variation, tempo: done.tempo, seed: done.seed, engine: done.engine,
    licence: done.licence, summary: done.summary, aim: aim, sound: origin.sound, mark: origin.mark || mark
  };
  this._loops.push(loop);
  device.state.loops = this._loops;
  if (aim.problem) {
    device.copy(loop, "not placed", aim.problem);
    return;
  }
  device.tell("placing the loop", loop.summary);
  this._placer.place(aim, {
    path: loop.path, beats: done.beats, name: state.clipName(loop), colour: state.COLOUR
  }, function (result) {
    if (result.placed) {
      device.tell(
        "placed on " + result.track + ", scene " + result.scene,
        self._problem || (result.repaired ? "Live's guess of its tempo was mended. " : "") +
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
    this._device.ended(this._problem, this._loops.length > 0);
  }
};

exports.Job = Job;
