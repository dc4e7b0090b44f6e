"use strict";

const test = require("node:test");
const assert = require("node:assert");

const { Live: Set } = require("./stand_in/live");
const { Live } = require("../../max4live/src/live");

/** A set with two tracks, the door to it, and how many LiveAPI objects have been made. */
function studio(options = {}) {
  const set = new Set({ scenes: 3, ...options });
  set.addAudioTrack("Drums");
  set.addMidiTrack("Keys");
  const made = [];
  class Counted extends set.LiveAPI {
    constructor(...args) {
      super(...args);
      made.push(this);
    }
  }
  return { set, made, live: new Live(Counted) };
}

test("the door can be made without new, and asks nothing until it is asked", () => {
  const { made } = studio();
  const silent = Live(function LiveAPI() {
    throw new Error("not before live.thisdevice");
  });
  assert.ok(silent instanceof Live);
  assert.deepStrictEqual(made, []);
});

test("what is at a path, or null where nothing is", () => {
  const { set, live } = studio();
  assert.strictEqual(live.at("live_set tracks 1").id, set.tracks[1].id);
  assert.strictEqual(live.at("live_set tracks 1").text("name"), "Keys");
  assert.strictEqual(live.at("live_set tracks 7"), null);
  assert.strictEqual(live.at("live_set view detail_clip"), null);
  assert.strictEqual(live.at("live_set tracks 0 clip_slots 0 clip"), null);
  assert.deepStrictEqual(set.console, []);
});

test("values come as values", () => {
  const { set, live } = studio({ tempo: 127.5 });
  const song = live.at("live_set");
  assert.strictEqual(song.get("tempo"), 127.5);
  assert.strictEqual(song.get("is_playing"), 0);
  assert.deepStrictEqual(song.get("scale_intervals"), [0, 2, 4, 5, 7, 9, 11]);
  assert.strictEqual(song.ref("view").ref("detail_clip"), null);
  assert.deepStrictEqual(song.refs("tracks").map((track) => track.id), set.tracks.map((track) => track.id));
  assert.deepStrictEqual(song.refs("return_tracks"), []);
});

for (const name of ["Drums", "808", "4.5", "a b c", ""]) {
  test(`a track named "${name}" has that name as text`, () => {
    const { set, live } = studio();
    set.rename(set.tracks[0], name);
    assert.strictEqual(live.at("live_set tracks 0").text("name"), name);
  });
}

test("one LiveAPI object serves all questions", () => {
  const { made, live } = studio();
  const tracks = live.at("live_set").refs("tracks");
  tracks.forEach((track) => track.refs("clip_slots").forEach((slot) => slot.number("has_clip")));
  live.version();
  assert.strictEqual(live.node(tracks[0].id).text("name"), "Drums");
  assert.strictEqual(made.length, 1);
});

test("nodes keep apart what they are, in whichever order they are asked", () => {
  const { live } = studio();
  const [drums, keys] = live.at("live_set").refs("tracks");
  assert.deepStrictEqual([drums.text("name"), keys.text("name"), drums.text("name")], ["Drums", "Keys", "Drums"]);
  keys.set("name", "Organ");
  assert.deepStrictEqual([drums.text("name"), keys.text("name")], ["Drums", "Organ"]);
});

test("a node follows its object when it moves", () => {
  const { set, live } = studio();
  const keys = live.at("live_set tracks 1");
  assert.strictEqual(keys.path, "live_set tracks 1");
  set.deleteTrack(0);
  assert.strictEqual(keys.path, "live_set tracks 0");
  assert.strictEqual(keys.text("name"), "Keys");
});

test("a node whose object is gone is dead, reads as nothing, and is not found again", () => {
  const { set, live } = studio();
  const keys = live.at("live_set tracks 1");
  set.deleteTrack(1);
  assert.strictEqual(keys.alive(), false);
  assert.strictEqual(keys.path, "");
  assert.strictEqual(live.node(keys.id), null);
  assert.strictEqual(keys.get("name"), undefined);
  assert.strictEqual(keys.text("name"), "");
  assert.strictEqual(keys.number("has_midi_input"), 0);
  assert.deepStrictEqual(keys.refs("clip_slots"), []);
  keys.set("name", "Organ");
  assert.strictEqual(keys.call("stop_all_clips"), undefined);
  assert.strictEqual(live.at("live_set tracks 0").text("name"), "Drums");
});

test("an id that never was is nothing", () => {
  const { live } = studio();
  assert.strictEqual(live.node(4711), null);
  assert.strictEqual(live.node(0), null);
});

test("Live that keeps the id of what is gone, as it has been seen to do, is not believed", () => {
  let path = "live_set tracks 0";
  class Stale {
    constructor() {
      this.id = "5";
    }
    goto() {}
    get path() {
      return `"${path}"`;
    }
  }
  const node = new Live(Stale).at("live_set tracks 0");
  assert.strictEqual(node.alive(), true);
  path = "";
  assert.strictEqual(node.alive(), false);
});

test("calls give what Live gives, unwrapped", () => {
  const { live } = studio();
  assert.strictEqual(live.at("live_app").call("get_major_version"), 12);
  const clip = live.at("live_set tracks 1 clip_slots 0");
  clip.call("create_clip", 4);
  assert.strictEqual(typeof clip.ref("clip").call("get_notes_extended", 0, 128, 0, 4), "string");
});

for (const version of [[12, 0, 5], [11, 3, 13], [12, 1, 0]]) {
  test(`the version is ${version.join(".")}`, () => {
    const { set, live } = studio({ version });
    assert.deepStrictEqual(live.version(), version);
    assert.deepStrictEqual(set.console, []);
  });
}

test("what a Live has can be asked without a line in the console", () => {
  for (const [version, has] of [[[11, 3, 0], false], [[12, 1, 0], true]]) {
    const { set, live } = studio({ version });
    const song = live.at("live_set");
    assert.deepStrictEqual([song.has("scale_mode"), song.has("tempo"), song.has("temp")], [has, true, false]);
    assert.strictEqual(song.has("create_scene"), true);
    assert.strictEqual(song.has("begin_undo_step"), false);
    assert.strictEqual(live.at("live_set view").has("selected_scene"), true);
    assert.strictEqual(live.at("live_app view").has("selected_scene"), false);
    assert.deepStrictEqual(set.console, []);
  }
});

for (const firstCall of ["deferred", "immediate"]) {
  test(`an observer is told the value, then each change, until it is stopped (${firstCall})`, async () => {
    const { set, live } = studio({ firstCall });
    const told = [];
    const observer = live.observe("live_set", "tempo", (value) => told.push(value));
    await set.idle();
    assert.deepStrictEqual(told, [120]);
    set.setTempo(90);
    set.setTempo(91);
    await set.idle();
    assert.strictEqual(told.at(-1), 91);
    const before = [...told];
    set.setTempo(95); // Live has yet to tell of this one
    observer.stop();
    assert.ok(![...set.observers].some((one) => one.watches(set.song, ["tempo"])), "Live is still watching");
    set.setTempo(100);
    await set.idle();
    observer.stop();
    assert.deepStrictEqual(told, before);
    assert.deepStrictEqual(set.console, []);
  });
}

test("an observer of text of several words, and one of an object", async () => {
  const { set, live } = studio();
  const told = [];
  live.observe("live_set", "scale_name", (value) => told.push(value));
  live.observe("live_set view", "detail_clip", (value) => told.push(value));
  set.setScale(0, "Harmonic Minor");
  set.showInDetail(set.addMidiClip("Keys", 0));
  await set.idle();
  assert.ok(told.includes("Harmonic Minor"));
  assert.ok(told.some((value) => Array.isArray(value) && value[0] === "id" && value[1] === set.view.detail_clip.id));
});
