// What the device knows, as plain values; what it asks the server for, and what it shows, follow from it.
"use strict";

var protocol = require("./protocol");
var song = require("./song");

var OTHER_VERSION = "The server is of another version. Run `loopgen max4live install` and put the device in anew.";
var NO_PRESET = "No preset";
var AUTO = "auto";
var HIGHLIGHTED = "Highlighted slot";
var GUIDANCE = 3; // audiocraft's defaults: what is not moved from them is left to the preset and the server
var TEMPERATURE = 1;
var SEEDS = 10000000; // parameters of Live are 32-bit floats: whole numbers are exact below 2^24
var COLOUR = 0x2ec4b6;
var NAME_CHARACTERS = 40;

function initial() {
  return {
    controls: {
      prompt: "", preset: "", bars: 4, variations: 1, engine: AUTO, seed: 0, lock: 0, guidance: GUIDANCE,
      temperature: TEMPERATURE, melody: 0, scale: 1, target: "", port: protocol.PORT
    },
    song: null, // as song.read gives it; null before Live has been asked
    link: "opening", // opening, searching, connected
    welcome: null,
    presets: [],
    engines: [],
    tracks: [], // audio tracks, {id, name}
    track: 0, // the target's id, once it has been seen
    clip: null, // name of the MIDI clip that would be followed
    job: null, // {kind, fraction, stage, isCancelled} while something is made
    loops: [], // those of the last job that made any, in the order of their variations
    note: "", // the last thing that happened, in a line
    more: "" // what there is to add: scores, a path, a reason
  };
}

// The prompt as one line: the server takes no line breaks.
function line(text) {
  return String(text).replace(/[\x00-\x20\x7f]+/g, " ").replace(/^ | $/g, "");
}

// The set's key where it is to be followed, as loopgen reads it, or "".
function keyOf(state) {
  var set = state.song;
  return state.controls.scale && set.scaleOn ? song.key(set.root, set.scale) : "";
}

// Keys and values of `generate`; melody: the id of a clip that the server has, or "".
function order(state, seed, melody) {
  var controls = state.controls;
  var set = state.song;
  var key = keyOf(state);
  var pairs = [];
  function add(name, value, isAsked) {
    if (isAsked) {
      pairs.push([name, value]);
    }
  }
  add("prompt", line(controls.prompt), line(controls.prompt) !== "");
  add("preset", controls.preset, controls.preset !== "");
  add("tempo", protocol.bpmText(set.bpm), true);
  add("num", set.num, true);
  add("den", set.den, true);
  add("bars", controls.bars, true);
  add("variations", controls.variations, true);
  add("seed", seed, true);
  add("engine", controls.engine, controls.engine !== "" && controls.engine !== AUTO);
  add("key", key, key !== "");
  add("guidance", controls.guidance, controls.guidance !== GUIDANCE);
  add("temperature", controls.temperature, controls.temperature !== TEMPERATURE);
  add("melody", melody, melody !== "");
  return pairs;
}

function noServer(state) {
  var port = state.controls.port === protocol.PORT ? "" : " --port " + state.controls.port;
  return "Run `loopgen serve" + port + "` in a terminal; the device finds it by itself.";
}

// Why no loop can be asked for now, or "".
function hindrance(state) {
  if (state.link !== "connected") {
    return noServer(state);
  }
  if (state.job) {
    return "A loop is being made: wait, or cancel it.";
  }
  if (line(state.controls.prompt) === "" && state.controls.preset === "") {
    return "Type a prompt, or choose a preset.";
  }
  return "";
}

// The seed of the next job: the one shown, or any other.
function drawnSeed(state, random) {
  return state.controls.lock ? state.controls.seed : Math.floor(random * SEEDS) % SEEDS;
}

// The seed after those that the last loops were made with.
function nextSeed(state) {
  var last = state.controls.seed;
  var at;
  for (at = 0; at < state.loops.length; at += 1) {
    last = Math.max(last, Number(state.loops[at].seed) || 0);
  }
  return (last + 1) % SEEDS;
}

// What is asked for, in few words; no character is cut in halves.
function sound(state) {
  var text = line(state.controls.prompt) || state.controls.preset;
  if (text.length > NAME_CHARACTERS) {
    text = text.slice(0, NAME_CHARACTERS).replace(/\s+\S*$|[\ud800-\udbff]$/, "");
  }
  return text;
}

// What the clip is called in Live: the sound, its tempo, and which of several it is.
function clipName(loop) {
  return loop.sound + " " + loop.tempo + loop.mark;
}

// Whether the set plays at another tempo than the last loops have.
function isOtherTempo(state) {
  return state.loops.length > 0 && state.song !== null && protocol.bpmText(state.song.bpm) !== state.loops[0].tempo;
}

function isSpeakingOtherwise(state) {
  return state.welcome !== null && state.welcome.protocol !== protocol.VERSION;
}

function linkWords(state) {
  if (state.link === "connected") {
    if (isSpeakingOtherwise(state)) {
      return "other version";
    }
    return state.welcome && state.welcome.state === "starting" ? "starting" : "connected";
  }
  return state.link === "searching" ? "no server" : "opening";
}

// What is happening, in a line, and what there is to say of it.
function words(state) {
  if (state.job && state.link === "connected") {
    return [state.job.isCancelled ? "cancelling" : state.job.stage, state.more];
  }
  if (state.job) {
    return ["waiting for the server", "loopgen does not answer. " + noServer(state)];
  }
  if (state.link === "searching") {
    return ["loopgen is not running", noServer(state)];
  }
  if (state.link === "connected" && isSpeakingOtherwise(state)) {
    return ["another version", OTHER_VERSION];
  }
  return [state.note || (state.link === "connected" ? "ready" : ""), state.more];
}

// What Live says, as it goes into the request.
function factWords(state) {
  var set = state.song;
  var words;
  if (!set) {
    return "";
  }
  words = [protocol.bpmText(set.bpm) + " BPM", set.num + "/" + set.den, keyOf(state)];
  if (state.controls.melody) {
    words.push(state.clip === null ? "no MIDI clip" : "clip " + (state.clip || "without a name"));
  }
  words.push(set.playing ? "playing" : "");
  return words.filter(function (word) {
    return word !== "";
  }).join(", ");
}

function licenceWords(state) {
  var loop = state.loops[0];
  if (loop) {
    return loop.engine + ": " + loop.licence;
  }
  return state.welcome && state.welcome.licence ? state.welcome.engine + ": " + state.welcome.licence : "";
}

// Engines that sample heed guidance and temperature; the embedded one does not.
function isSampling(state) {
  var engine = state.controls.engine;
  if (engine === "" || engine === AUTO) {
    engine = state.welcome ? state.welcome.engine : AUTO;
  }
  return engine !== "sketch";
}

function menu(first, items, chosen) {
  var all = [first].concat(items);
  if (chosen !== "" && all.indexOf(chosen) < 0) {
    all.push(chosen); // what the set was saved with, though it is not here now
  }
  return { items: all, at: chosen === "" ? 0 : all.indexOf(chosen) };
}

// Tracks may share a name.
function targets(state) {
  var shown = menu(HIGHLIGHTED, state.tracks.map(function (track) {
    return track.name || "no name"; // a menu may leave out what is empty, and count the others wrongly
  }), state.controls.target);
  state.tracks.forEach(function (track, at) {
    if (track.id === state.track) {
      shown.at = at + 1;
    }
  });
  return shown;
}

// What an item of a menu stands for: {text, track: its id, if it is one}; null where there is no such item.
function chosen(state, name, at) {
  var text = view(state)[name].items[at];
  var track = name === "target" && state.tracks[at - 1];
  if (text === undefined) {
    return null;
  }
  return { text: at > 0 || name === "engine" ? text : "", track: track ? track.id : 0 };
}

// Everything shown, by the object that shows it: {text}, {active}, {percent} or {items, at}.
function view(state) {
  var isConnected = state.link === "connected";
  var isFree = isConnected && !state.job;
  var controls = state.controls;
  var said = words(state);
  return {
    link: { text: linkWords(state) },
    status: { text: said[0] },
    detail: { text: said[1] },
    facts: { text: factWords(state) },
    licence: { text: licenceWords(state) },
    progress: { percent: state.job ? Math.round(100 * state.job.fraction) : 0 },
    preset: menu(NO_PRESET, state.presets, controls.preset),
    engine: menu(AUTO, state.engines, controls.engine),
    target: targets(state),
    generate: { active: isFree },
    cancel: { active: state.job !== null && !state.job.isCancelled },
    again: { active: isFree && state.loops.length > 0 },
    retempo: { active: isFree && isOtherTempo(state) },
    copy: { active: isConnected && state.loops.length > 0 },
    guidance: { active: isSampling(state) },
    temperature: { active: isSampling(state) }
  };
}

exports.AUTO = AUTO;
exports.COLOUR = COLOUR;
exports.initial = initial;
exports.order = order;
exports.hindrance = hindrance;
exports.drawnSeed = drawnSeed;
exports.nextSeed = nextSeed;
exports.sound = sound;
exports.clipName = clipName;
exports.isOtherTempo = isOtherTempo;
exports.chosen = chosen;
exports.view = view;
