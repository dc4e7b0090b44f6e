"use strict";

const { test } = require("node:test");
const assert = require("node:assert/strict");
const { loopFile } = require("./loop_files");
const { Live } = require("./stand_in/live");

/** A file of so many seconds of silence; its path, with spaces in it. */
function wav(seconds) {
  return loopFile({ beats: seconds, bpm: 60 });
}

function set(options) {
  const live = new Live(options);
  live.addAudioTrack("Drums");
  live.addMidiTrack("Keys");
  const at = (where) => new live.LiveAPI(where);
  return { live, at, api: live.LiveAPI };
}

/** A script's observer: what it was told, in order. */
function observed(live, where, property) {
  const told = [];
  const api = new live.LiveAPI((args) => told.push(args), where);
  if (property) {
    api.property = property;
  }
  return { told, api };
}

const slotPath = (track, scene) => `live_set tracks ${track} clip_slots ${scene}`;

test("ids are text, children are id and number, paths come with and without quotes", () => {
  const { live, at } = set();
  const track = at("live_set tracks 0");
  assert.match(track.id, /^[1-9]\d*$/);
  assert.equal(track.path, '"live_set tracks 0"');
  assert.equal(track.unquotedpath, "live_set tracks 0");
  assert.equal(track.type, "Track");
  const slots = track.get("clip_slots");
  assert.equal(slots.length, 16);
  assert.deepEqual([slots[0], typeof slots[1]], ["id", "number"]);
  const slot = at(`id ${slots[3]}`);
  assert.equal(slot.unquotedpath, slotPath(0, 1));
  assert.deepEqual(slot.get("clip"), ["id", 0]);
  assert.equal(at(["id", slots[3]]).id, slot.id);
  assert.equal(at("live_set").getcount("tracks"), 2);
  assert.deepEqual(live.console, []);
});

test("get gives arrays, of numbers, text and truths", () => {
  const { live, at } = set({ tempo: 60.23 });
  const song = at("live_set");
  assert.deepEqual(song.get("tempo"), [Math.fround(60.23)]);
  assert.deepEqual(song.get("is_playing"), [0]);
  assert.deepEqual(song.get("scale_name"), ["Major"]);
  live.rename(live.tracks[0], "808");
  assert.deepEqual(at("live_set tracks 0").get("name"), [808]);
  live.rename(live.tracks[0], "Big Drums");
  assert.deepEqual(at("live_set tracks 0").get("name"), ["Big Drums"]);
  assert.equal(at("live_set tracks 0").getstring("name"), "Big Drums");
});

test("nothing at a path, no such root, no such property: id 0, and lines in the console", () => {
  const { live, at } = set();
  assert.equal(at("live_set tracks 7").id, "0");
  assert.equal(at("live_set tracks 0 clip_slots 0 clip").id, "0");
  assert.deepEqual(live.console, []);
  assert.equal(at("live_sets").id, "0");
  assert.equal(at("live_set tempo").id, "0");
  assert.equal(at("id 4711").id, "0");
  assert.equal(at("live_set").get("tempi"), 1);
  assert.equal(at("live_set tracks 7").get("name"), 1);
  at("live_set tracks 7").set("name", "x");
  assert.equal(at("live_set tracks 7").call("stop_all_clips"), null);
  assert.deepEqual(live.console, [
    "jsliveapi: set path: invalid path",
    "jsliveapi: component 'tempo' is not an object",
    "jsliveapi: set id: invalid id",
    "jsliveapi: 'Song' object has no attribute 'tempi'",
    "jsliveapi: get: no valid object set",
    "jsliveapi: set: no valid object set",
    "jsliveapi: call stop_all_clips: no valid object set",
  ]);
});

test("the constructor's forms: patcher first, callback or none, path later", () => {
  const { live, api } = set();
  const patcher = { getnamed() {} };
  assert.equal(new api(patcher, () => {}, "live_set").type, "Song");
  assert.equal(new api(null, "live_set").type, "Song");
  const late = new api();
  assert.equal(late.id, "0");
  late.path = "live_app";
  assert.equal(late.call("get_major_version"), 12);
  late.goto("live_set view");
  assert.equal(late.type, "View");
  late.goto("up");
  assert.equal(late.type, "Song");
  late.id = live.idOf(live.tracks[1]);
  assert.deepEqual(late.get("name"), ["Keys"]);
});

test("setting is checked by type, in Live's words", () => {
  const { live, at } = set();
  const song = at("live_set");
  song.set("tempo", 127.9);
  assert.equal(live.song.tempo, Math.fround(127.9));
  song.set("tempo", "fast");
  song.set("tempo", 1000);
  song.set("signature_numerator", 3.5);
  song.set("tracks", 3);
  song.set("song_length", 3);
  at("live_set view").set("selected_track", "Drums");
  assert.deepEqual(
    live.console.map((line) => line.replace("jsliveapi: ", "")),
    [
      "set: type mismatch",
      "Tempo is out of range",
      "set: invalid value",
      "set: unsupported property type",
      "property of 'Song' object has no setter",
      "set: no valid object id",
    ],
  );
  at("live_set view").set("selected_track", "id", live.tracks[1].id);
  assert.equal(live.view.selected_track, live.tracks[1]);
  at("live_set view").set("selected_track", `id ${live.tracks[0].id}`);
  assert.equal(live.view.selected_track, live.tracks[0]);
  assert.equal(live.refused.length, 6);
});

test("a colour becomes the nearest of Live's chooser", () => {
  const { live, at } = set();
  at("live_set tracks 0").set("color", 0xff3737);
  assert.equal(live.tracks[0].color, 0xff3636);
  assert.deepEqual(at("live_set tracks 0").get("color"), [0xff3636]);
});

test("text is one symbol, or falls apart at its spaces where Live is told so", () => {
  const kept = set();
  kept.at("live_set tracks 0").set("name", "dub techno 1");
  assert.equal(kept.live.tracks[0].name, "dub techno 1");
  const split = set({ text: "split" });
  split.at("live_set tracks 0").set("name", "dub techno 1");
  assert.equal(split.live.tracks[0].name, "dub");
  split.at("live_set tracks 0").set("name", '"dub techno 1"');
  assert.equal(split.live.tracks[0].name, "dub techno 1");
  assert.equal(split.at(slotPath(0, 0)).call("create_audio_clip", "/a folder/b.wav"), null);
  assert.deepEqual(split.live.console, ["jsliveapi: Invalid arguments: 'create_audio_clip /a folder/b.wav'"]);
});

test("observers: the id, the present value, then each change; later, and one after the other", async () => {
  const { live } = set();
  const { told } = observed(live, "live_set", "tempo");
  assert.deepEqual(told, [], "nothing while the script still runs");
  live.setTempo(90);
  live.setTempo(91);
  assert.deepEqual(told, []);
  await live.idle();
  assert.deepEqual(told, [
    ["id", live.song.id],
    ["tempo", 120],
    ["tempo", 90],
    ["tempo", 91],
  ]);
  live.setTempo(91);
  await live.idle();
  assert.equal(told.length, 4, "no change, no call");
});

test("the first call may come while the object is made", async () => {
  const live = new Live({ firstCall: "immediate" });
  let api;
  const told = [];
  api = new live.LiveAPI((args) => told.push([api === undefined, ...args]), "live_set");
  api.property = "tempo";
  assert.deepEqual(told, [
    [true, "id", live.song.id],
    [false, "tempo", 120],
  ]);
  live.setTempo(90);
  assert.equal(told.length, 2, "a change still comes later");
  await live.idle();
  assert.deepEqual(told[2], [false, "tempo", 90]);
});

test("children are observed by their ids, notes by a bang", async () => {
  const { live } = set();
  const clip = live.addMidiClip(1, 0);
  const detail = observed(live, "live_set view", "detail_clip");
  const tracks = observed(live, "live_set", "tracks");
  const notes = observed(live, `${slotPath(1, 0)} clip`, "notes");
  const slot = observed(live, slotPath(1, 1), "clip");
  live.showInDetail(clip);
  const added = live.addAudioTrack("New");
  clip.addNotes([{ pitch: 60, start_time: 0, duration: 1 }]);
  const second = live.addMidiClip(1, 1);
  await live.idle();
  assert.deepEqual(detail.told.slice(1), [
    ["detail_clip", "id", 0],
    ["detail_clip", "id", clip.id],
  ]);
  assert.deepEqual(tracks.told.at(-1), ["tracks", "id", live.tracks[0].id, "id", live.tracks[1].id, "id", added.id]);
  assert.deepEqual(notes.told.slice(1), [
    ["notes", "bang"],
    ["notes", "bang"],
  ]);
  assert.deepEqual(slot.told.slice(1), [
    ["clip", "id", 0],
    ["clip", "id", second.id],
  ]);
  live.deleteClip(1, 0);
  await live.idle();
  assert.deepEqual(detail.told.at(-1), ["detail_clip", "id", 0]);
  assert.deepEqual(notes.told.at(-1), ["id", 0]);
});

test("the highlighted slot cannot be observed, and what is not there is passed over", async () => {
  const { live } = set({ version: [11, 3, 0] });
  const { told } = observed(live, "live_set view", "highlighted_clip_slot");
  assert.deepEqual(live.console, ["jsliveapi: property cannot be listened to"]);
  observed(live, "live_set", "scale_mode");
  live.select(0, 2);
  await live.idle();
  assert.equal(live.console.length, 1);
  assert.deepEqual(told, [["id", live.view.id]]);
  assert.deepEqual(new live.LiveAPI("live_set view").get("highlighted_clip_slot"), ["id", live.tracks[0].slots[2].id]);
});

test("nothing can be changed from a callback; what is deferred can", async () => {
  const { live, at } = set();
  const track = at("live_set tracks 0");
  let value = null;
  const seen = new live.LiveAPI((args) => {
    if (args[0] === "tempo" && args[1] === 90) {
      value = at("live_set").get("tempo");
      track.set("name", "Too early");
      at(slotPath(1, 0)).call("create_clip", 4);
      setImmediate(() => track.set("name", "In time"));
    }
  }, "live_set");
  seen.property = "tempo";
  live.setTempo(90);
  await live.idle();
  assert.deepEqual(value, [90], "reading is fine");
  assert.equal(live.tracks[0].name, "In time");
  assert.equal(live.tracks[1].slots[0].clip, null);
  const words = "Changes cannot be triggered by notifications. You will need to defer your response.";
  assert.deepEqual(live.console, [`jsliveapi: ${words}`, `jsliveapi: ${words}: 'create_clip 4'`]);
});

test("an object that goes takes its id with it; one that moves keeps it", async () => {
  const { live, at } = set();
  const { told, api } = observed(live, "live_set tracks 0");
  const keys = at("live_set tracks 1");
  const slot = at(slotPath(1, 0));
  const id = keys.id;
  const gone = live.tracks[0].id;
  live.deleteTrack(0);
  assert.equal(api.id, "0");
  assert.equal(keys.id, id);
  assert.equal(keys.unquotedpath, "live_set tracks 0");
  assert.equal(slot.unquotedpath, slotPath(0, 0));
  assert.equal(at(`id ${gone}`).id, "0");
  assert.equal(at("live_set tracks 0").id, id);
  await live.idle();
  assert.deepEqual(told, [
    ["id", gone],
    ["id", 0],
  ]);
  assert.deepEqual(live.console, []);
  live.deleteTrack(0);
  assert.equal(slot.id, "0");
});

test("mode 1 follows the path", async () => {
  const { live } = set();
  const { told, api } = observed(live, "live_set tracks 0", "name");
  api.mode = 1;
  live.deleteTrack("Drums");
  await live.idle();
  assert.deepEqual(told.slice(-2), [
    ["id", live.tracks[0].id],
    ["name", "Keys"],
  ]);
});

test("scenes and tracks are made where Live lets them be", () => {
  const { live, at } = set();
  const song = at("live_set");
  const made = song.call("create_scene", -1);
  assert.deepEqual(made, ["id", live.scenes[8].id]);
  assert.equal(live.tracks[0].slots.length, 9);
  song.call("create_scene", 10);
  assert.match(live.console.pop(), /Invalid syntax: 'create_scene 10'/);
  song.call("delete_scene", 8);
  assert.equal(live.tracks[1].slots.length, 8);
  assert.equal(at(`id ${made[1]}`).id, "0");
  song.call("create_audio_track", 0);
  assert.deepEqual(
    live.tracks.map((track) => track.name),
    ["1-Audio", "Drums", "Keys"],
  );
  const one = new Live({ scenes: 1 });
  new one.LiveAPI("live_set").call("delete_scene", 0);
  assert.equal(one.scenes.length, 1);
});

test("undo steps: each write is one; Max sees no bracket around several, unless Live shows it", () => {
  const { live, at } = set();
  const track = at("live_set tracks 0");
  track.set("name", "a");
  track.set("mute", 1);
  track.set("mute", 0.5);
  assert.equal(live.undoSteps, 2);
  assert.equal(at("live_set").call("begin_undo_step"), null);
  assert.match(live.console.at(-1), /'Song' object has no attribute 'begin_undo_step'/);
  const shown = set({ undoSteps: true });
  const song = shown.at("live_set");
  song.call("begin_undo_step");
  shown.at("live_set tracks 0").set("name", "a");
  shown.at("live_set tracks 0").set("mute", 1);
  assert.equal(shown.live.undoSteps, 0);
  song.call("end_undo_step");
  song.call("begin_undo_step");
  song.call("end_undo_step");
  song.call("end_undo_step");
  assert.equal(shown.live.undoSteps, 1);
});

test("this device: its path, and nothing outside of one", () => {
  const { live } = set();
  assert.equal(new live.LiveAPI("this_device").id, "0");
  assert.deepEqual(live.console, ["jsliveapi: The this_device root is only available inside a Max for Live device"]);
  const device = live.addDevice("Keys");
  const lines = [];
  let isReady = false;
  const API = live.apiFor({ post: (line) => lines.push(line), ready: () => isReady, device });
  assert.equal(new API("this_device").id, "0");
  assert.deepEqual(lines, [
    "jsliveapi: Live API is not initialized, use live.thisdevice to determine when initialization is complete",
  ]);
  isReady = true;
  const own = new API("this_device");
  assert.equal(own.unquotedpath, "live_set tracks 1 devices 0");
  assert.deepEqual(own.get("canonical_parent"), ["id", live.tracks[1].id]);
  assert.match(own.info, /^id \d+\ntype MaxDevice\n/);
});

test("a moment of the set can be held against another", () => {
  const { live } = set();
  live.addAudioClip(0, 2, wav(2));
  const before = live.snapshot();
  assert.deepEqual(live.snapshot(), before);
  live.tracks[0].slots[2].clip.put("name", "other");
  assert.notDeepEqual(live.snapshot(), before);
});

test("an option that there is not is an error, not passed over", () => {
  assert.throws(() => new Live({ guess: 2 }), /Live has no option guess; it has version, tempo/);
  assert.throws(
    () => new Live({ warp: { guesses: 2 } }),
    /warp has no option guesses; it has warped, mode, settle, guess/,
  );
});
