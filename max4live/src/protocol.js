// The server's protocol as the device speaks it: messages out of values, values out of messages.
//
// A message is an array of atoms as Max sends and gets them, ["/loopgen/ack", "5f0c21aa", 1]. [udpsend] makes OSC's i
// of whole numbers, f of others and s of text, whatever was meant; the server takes each of them for a number. Where
// the 24 bits of an f are too few (tempos, guidance) or the 31 of an i (seeds), the number goes as text, which the
// server reads exactly. tests/max4live/vectors.json holds this file and bridge/protocol.py to each other.
"use strict";

var VERSION = 1;
var PORT = 11200;
var NOTES_A_MESSAGE = 32;

// Keys that `generate` takes.
var KEYS = [
  "prompt", "tempo", "bars", "meter", "key", "preset", "engine", "variations", "rate", "folder", "takes",
  "temperature", "top_k", "top_p", "guidance", "negative", "count_in", "follow", "stretcher", "longest_fade",
  "preview", "continue", "vary", "seed", "melody", "chords", "num", "den"
];

// What the server sends: kind -> address and arguments, each with its OSC type.
var REPLIES = {};

// The same by address: "/loopgen/melody/ok" -> "melody_ok".
var KINDS = {};

function reply(name, signature) {
  var kind = name.replace("/", "_");
  var parts = signature.split(" ");
  var list = [];
  var i;
  for (i = 0; i < parts.length; i += 1) {
    list.push(parts[i].split(":"));
  }
  REPLIES[kind] = { address: "/loopgen/" + name, arguments: list };
  KINDS["/loopgen/" + name] = kind;
}

reply("welcome", "version:s protocol:i max_bytes:i output_root:s engine:s state:s licence:s");
reply("pong", "token:s");
reply("ok", "req:s");
reply("value", "req:s name:s value:any");
reply("melody/ok", "id:s count:i");
reply("accepted", "req:s job:s position:i");
reply("progress", "job:s fraction:f stage:s");
reply("preview", "job:s path:s seconds:f");
reply("done", "job:s req:s path:s bpm:f bars:i beats:f frames:i rate:i summary:s variation:i variations:i tempo:s " +
  "seed:s engine:s licence:s");
reply("cancelled", "job:s req:s");
reply("preset/item", "req:s number:i total:i name:s");
reply("engine/item", "req:s number:i total:i name:s licence:s");
reply("error", "req:s code:s message:s address:s");

// A value as its argument's type has it; undefined for a word where a number belongs. A number where text belongs is
// its digits, in case something on the way took "128" for one.
function typed(value, tag) {
  if (tag === "any") {
    return value;
  }
  if (tag === "s") {
    return String(value);
  }
  return typeof value === "number" ? value : undefined;
}

// A message of the server by its names, {kind: "ok", req: "r1"}; null for what is none. Arguments after those known
// belong to a later server and are passed over.
function read(atoms) {
  var kind = KINDS.hasOwnProperty(atoms[0]) ? KINDS[atoms[0]] : "";
  var list = kind ? REPLIES[kind].arguments : [];
  var message = { kind: kind };
  var i;
  if (!kind || atoms.length - 1 < list.length) {
    return null;
  }
  for (i = 0; i < list.length; i += 1) {
    message[list[i][0]] = typed(atoms[i + 1], list[i][1]);
    if (message[list[i][0]] === undefined) {
      return null;
    }
  }
  return message;
}

// The 32-bit float nearest to a number from 0 up, ties to even. Max's js has no Math.fround.
function float32(x) {
  var unit = Math.pow(2, -149);
  var units, whole, rest;
  while (unit * 16777216 <= x && x < Infinity) {
    unit *= 2;
  }
  units = x / unit;
  whole = Math.floor(units);
  rest = units - whole;
  if (rest > 0.5 || (rest === 0.5 && whole % 2 === 1)) {
    whole += 1;
  }
  return whole * unit;
}

// The shortest decimal that a 32-bit float cannot tell from a number: Live's dials and tempo are such floats, and
// what they mean by 60.22999954 is 60.23.
function decimal(x) {
  var single = float32(x);
  var places = 0;
  while (places < 9 && float32(Number(single.toFixed(places))) !== single) {
    places += 1;
  }
  return single.toFixed(places);
}

// Text as the server takes it, in one line: a prompt may have been typed in several.
function oneLine(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").replace(/^ +| +$/g, "");
}

// A value of `generate` as an atom that arrives unchanged.
function exact(value) {
  if (typeof value === "boolean") {
    return value ? 1 : 0;
  }
  if (typeof value !== "number") {
    return oneLine(String(value));
  }
  if (Math.floor(value) !== value) {
    return decimal(value);
  }
  return Math.abs(value) < 2147483648 ? value : value.toFixed(0);
}

// `client` names this device on the server's console; answers go to replyPort of this machine.
function hello(client, replyPort) {
  return ["/loopgen/hello", client, VERSION, replyPort];
}

function bye() {
  return ["/loopgen/bye"];
}

function subscribe(topic) {
  return ["/loopgen/subscribe", topic];
}

// variation 0: all of the job's.
function ack(job, variation) {
  return ["/loopgen/ack", job, variation];
}

function cancel(job) {
  return ["/loopgen/cancel", job];
}

// Have the server put a loop's path on the clipboard.
function copy(req, job, variation) {
  return ["/loopgen/copy", req, job, variation];
}

function job(req, id) {
  return ["/loopgen/job", req, id];
}

// loop: a job's id, "id/2" for its second loop, or a loop's file. Of a path only the name goes: the server looks no
// further, and takes no text as long as some paths are. bpm: a number or text.
function retempo(req, loop, bpm) {
  var name = /\.(wav|flac)$/i.test(loop) ? loop.replace(/^.*[\/\\]/, "") : loop;
  return ["/loopgen/retempo", req, name, typeof bpm === "number" ? decimal(bpm) : bpm];
}

function presetList(req) {
  return ["/loopgen/preset/list", req];
}

function engineList(req) {
  return ["/loopgen/engine/list", req];
}

// pairs: [["prompt", "dub techno"], ["bars", 4]]. An unknown key is a fault of the caller's and thrown.
function generate(req, pairs) {
  var atoms = ["/loopgen/generate", req];
  var i;
  for (i = 0; i < pairs.length; i += 1) {
    if (KEYS.indexOf(pairs[i][0]) < 0) {
      throw new Error("generate takes no " + pairs[i][0]);
    }
    atoms.push(pairs[i][0], exact(pairs[i][1]));
  }
  return atoms;
}

// The messages that carry a clip's notes from number `offset` on, and the end. Live's velocities may have fractions
// and are never 0; the server's are whole, and its 0 is silence.
function melodyFrom(id, clip, offset) {
  var messages = [];
  var atoms, note, at, i;
  for (at = offset; at < clip.notes.length; at += NOTES_A_MESSAGE) {
    atoms = ["/loopgen/melody/notes", id, at];
    for (i = at; i < clip.notes.length && i < at + NOTES_A_MESSAGE; i += 1) {
      note = clip.notes[i];
      atoms.push(note.pitch, note.start, note.duration, Math.max(1, Math.round(note.velocity)));
    }
    messages.push(atoms);
  }
  messages.push(["/loopgen/melody/end", id, clip.notes.length]);
  return messages;
}

// A whole clip: {length, notes: [{pitch, start, duration, velocity}]}, in beats.
function melody(id, clip) {
  return [["/loopgen/melody/begin", id, clip.notes.length, clip.length]].concat(melodyFrom(id, clip, 0));
}

exports.VERSION = VERSION;
exports.PORT = PORT;
exports.NOTES_A_MESSAGE = NOTES_A_MESSAGE;
exports.KEYS = KEYS;
exports.REPLIES = REPLIES;
exports.read = read;
exports.bpmText = decimal;
exports.hello = hello;
exports.bye = bye;
exports.subscribe = subscribe;
exports.ack = ack;
exports.cancel = cancel;
exports.copy = copy;
exports.job = job;
exports.retempo = retempo;
exports.presetList = presetList;
exports.engineList = engineList;
exports.generate = generate;
exports.melody = melody;
exports.melodyFrom = melodyFrom;
