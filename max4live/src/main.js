// The one file that touches Max: its objects become plain functions for the device, its messages calls of them.
"use strict";

var device = require("./device");

var TOKEN_CHARACTERS = 8;

this.inlets = 1;
this.outlets = 4;
this.autowatch = 0;

// Outlets, as the patch has them.
var TO_SERVER = 0;
var TO_OWN_EAR = 1;
var TO_RECEIVER = 2;
var TO_MEMORY = 3;

var patch = this.patcher;
var pending = {}; // tasks that are due: Max drops what nobody holds
var tasks = 0;

// Run a function on the main thread after so many milliseconds.
function later(milliseconds, then) {
  var number = tasks;
  var task;
  tasks += 1;
  task = new Task(function () {
    delete pending[number];
    guarded(then);
  });
  pending[number] = task;
  task.schedule(milliseconds);
  return {
    cancel: function () {
      if (pending.hasOwnProperty(number)) {
        delete pending[number];
        task.cancel();
      }
    }
  };
}

// Whatever goes wrong in here is told in the device, where it is seen, and stops no later message.
function guarded(run) {
  try {
    run();
  } catch (fault) {
    error("loopgen: " + fault + "\n");
    loopgen.tell("something went wrong", String(fault));
  }
}

// Max's own functions are called plainly: through `apply` some of them are known to crash.
function show(name, message, value) {
  var object = patch.getnamed(name);
  if (value === undefined) {
    object.message(message);
  } else {
    object.message(message, value);
  }
}

function token() {
  var letters = "";
  while (letters.length < TOKEN_CHARACTERS) {
    letters += Math.floor(Math.random() * 36).toString(36);
  }
  return letters;
}

// No message calls these: what comes in by name is for `anything`.
later.local = 1;
guarded.local = 1;
show.local = 1;
token.local = 1;

var loopgen = new device.Device({
  send: function (atoms) {
    outlet(TO_SERVER, atoms);
  },
  toServer: function (port) {
    outlet(TO_SERVER, "port", port);
  },
  knock: function (port, atoms) {
    outlet(TO_OWN_EAR, "port", port);
    outlet(TO_OWN_EAR, atoms);
  },
  listen: function (port) {
    outlet(TO_RECEIVER, "port", port);
  },
  remember: function (texts) {
    outlet(TO_MEMORY, texts);
  },
  show: show,
  later: later,
  now: function () {
    return new Date().getTime();
  },
  random: Math.random,
  token: token(),
  LiveAPI: LiveAPI
});

// Every message of the patch.
function anything() {
  var values = arrayfromargs(arguments);
  var name = messagename;
  guarded(function () {
    loopgen.message(name, values);
  });
}

// The device is taken out of the set, or the set is closed.
function notifydeleted() {
  guarded(function () {
    loopgen.stop();
  });
}
