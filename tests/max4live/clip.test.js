"use strict";

const test = require("node:test");
const assert = require("node:assert");

const { Live: Set } = require("./stand_in/live");
const { Live } = require("../../max4live/src/live");
const clip = require("../../max4live/src/clip");
const { loopFile } = require("./loop_files");

function note(pitch, start_time, duration, more = {}) {
  return { note_id: 1, pitch, start_time, duration, velocity: 100, mute: 0, probability: 1, ...more };
}

function heard(pitch, start, duration, velocity = 100) {
  return { pitch, start, duration, velocity };
}

const MELODIES = {
  "a plain riff": [[note(60, 0, 1), note(64, 1, 0.5)], 0, 4, [heard(60, 0, 1), heard(64, 1, 0.5)]],
  "times are from the region's start": [
    [note(60, 8, 1), note(62, 9.25, 1)],
    8, 12, [heard(60, 0, 1), heard(62, 1.25, 1)],
  ],
  "a region before 1.1.1": [[note(60, -2, 1)], -4, 0, [heard(60, 2, 1)]],
  "what begins before is cut to what sounds inside": [[note(60, 3, 3)], 4, 8, [heard(60, 0, 2)]],
  "what ends before, or just then, is not there": [[note(60, 0, 2), note(62, 3, 1)], 4, 8, []],
  "what reaches past the end is cut": [[note(60, 7, 4)], 4, 8, [heard(60, 3, 1)]],
  "what begins at the end or after is not there": [[note(60, 8, 1), note(62, 11, 1)], 4, 8, []],
  "a drone through all of it": [[note(48, 0, 100)], 4, 8, [heard(48, 0, 4)]],
  "deactivated notes": [
    [note(60, 0, 1, { mute: 1 }), note(62, 1, 1, { mute: true }), note(64, 2, 1)],
    0, 4, [heard(64, 2, 1)],
  ],
  "chance": [
    [[60, 0], [62, 0.5], [64, undefined]].map(([pitch, probability], at) => note(pitch, at, 1, { probability })),
    0, 4, [heard(62, 1, 1), heard(64, 2, 1)],
  ],
  "velocities are whole, from 1 to 127": [
    [[60, 0], [61, 0.4], [62, 63.5], [63, 127]].map(([pitch, velocity]) => note(pitch, 0, 1, { velocity })),
    0, 4, [heard(62, 0, 1, 64), heard(63, 0, 1, 127)],
  ],
  "no length": [[note(60, 0, 0), note(62, 1, 1e-9), note(64, 2, 0.0625)], 0, 4, [heard(64, 2, 0.0625)]],
  "sorted by time, then pitch": [
    [note(67, 2, 1), note(64, 0, 1), note(60, 0, 1), note(55, 1, 1)],
    0, 4, [heard(60, 0, 1), heard(64, 0, 1), heard(55, 1, 1), heard(67, 2, 1)],
  ],
  "a region of an odd length": [[note(60, 3, 4), note(62, 6.5, 4)], 0, 7.25, [heard(60, 3, 4), heard(62, 6.5, 0.75)]],
  "no notes": [[], 0, 4, []],
};

for (const [name, [notes, start, end, expected]] of Object.entries(MELODIES)) {
  test(`a melody: ${name}`, () => {
    assert.deepStrictEqual(clip.melody(notes, start, end), expected);
  });
}

test("Live's notes are left as they were", () => {
  const notes = [note(60, 3, 3)];
  const before = structuredClone(notes);
  clip.melody(notes, 4, 5);
  assert.deepStrictEqual(notes, before);
});

// --------------------------------------------------------------------------------------------------- in a set

const RIFF = [
  { pitch: 57, start: 0, duration: 1, velocity: 90 },
  { pitch: 60, start: 1, duration: 0.5, velocity: 100 },
  { pitch: 64, start: 6, duration: 4, velocity: 110 },
];

/** A set with an audio track and a MIDI track. */
function studio(options = {}) {
  const set = new Set({ scenes: 4, ...options });
  set.addAudioTrack("Drums");
  set.addMidiTrack("Keys");
  return { set, live: new Live(set.LiveAPI) };
}

/** What is read of a clip of these details. */
function readOf(details) {
  const { set, live } = studio();
  set.showInDetail(set.addMidiClip("Keys", 0, { name: "riff", length: 8, notes: RIFF, ...details }));
  const result = clip.read(clip.find(live).node);
  assert.deepStrictEqual(set.console, []);
  return result;
}

test("the clip in the detail view comes before the one in the highlighted slot", () => {
  const { set, live } = studio();
  assert.strictEqual(clip.find(live), null);
  set.addMidiClip("Keys", 1, { name: "low" });
  set.select("Keys", 1);
  assert.strictEqual(clip.find(live).where, "highlighted slot");
  assert.strictEqual(clip.find(live).node.text("name"), "low");
  set.showInDetail(set.addMidiClip("Keys", 2, { name: "high" }));
  assert.strictEqual(clip.find(live).where, "detail view");
  assert.strictEqual(clip.find(live).node.text("name"), "high");
  assert.deepStrictEqual(set.console, []);
});

test("audio clips, empty slots and the main track hold no melody", () => {
  const { set, live } = studio();
  set.showInDetail(set.addAudioClip("Drums", 0, loopFile()));
  set.select("Drums", 0);
  assert.strictEqual(clip.find(live), null);
  set.select("Keys", 0);
  assert.strictEqual(clip.find(live), null);
  set.view.put("selected_track", set.song.master_track);
  assert.strictEqual(clip.find(live), null);
  assert.deepStrictEqual(set.console, []);
});

test("an audio clip in the detail view leaves the highlighted MIDI clip", () => {
  const { set, live } = studio();
  set.showInDetail(set.addAudioClip("Drums", 0, loopFile()));
  set.addMidiClip("Keys", 3, { name: "riff" });
  set.select("Keys", 3);
  assert.strictEqual(clip.find(live).node.text("name"), "riff");
});

test("a looping clip is its loop", () => {
  assert.deepStrictEqual(readOf({ loop: [1, 8], markers: [0, 8] }), {
    name: "riff",
    length: 7,
    notes: [heard(60, 0, 0.5, 100), heard(64, 5, 2, 110)],
  });
});

test("a clip that does not loop is what lies between its markers", () => {
  assert.deepStrictEqual(readOf({ looping: false, loop: [0, 2], markers: [0.5, 8] }), {
    name: "riff",
    length: 7.5,
    notes: [heard(57, 0, 0.5, 90), heard(60, 0.5, 0.5, 100), heard(64, 5.5, 2, 110)],
  });
});

test("a note from before the loop that still sounds is found", () => {
  assert.deepStrictEqual(readOf({ loop: [7, 8] }).notes, [heard(64, 0, 1, 110)]);
});

test("notes before 1.1.1 are found", () => {
  const notes = [{ pitch: 60, start: -3, duration: 1, velocity: 80 }];
  assert.deepStrictEqual(readOf({ loop: [-4, 0], markers: [-4, 0], notes }).notes, [heard(60, 1, 1, 80)]);
});

test("a clip that is deactivated is read as well", () => {
  const { set, live } = studio();
  const riff = set.addMidiClip("Keys", 0, { notes: RIFF, length: 8 });
  riff.put("muted", true);
  set.showInDetail(riff);
  assert.strictEqual(clip.read(clip.find(live).node).notes.length, 3);
});

test("a name of digits, and none", () => {
  assert.strictEqual(readOf({ name: "303" }).name, "303");
  assert.strictEqual(readOf({ name: "" }).name, "");
});

function many(count) {
  return Array.from({ length: count }, (_, at) => heard(at % 128, (at * 8) / count, 0.001));
}

test("as many notes as the server takes", () => {
  assert.strictEqual(readOf({ notes: many(4096) }).notes.length, 4096);
});

const PROBLEMS = {
  "no notes": [{ notes: [] }, /"riff" has no notes that sound.*switch Clip off/],
  "no notes in the loop": [{ loop: [2, 5] }, /"riff" has no notes that sound/],
  "only deactivated notes": [{ notes: RIFF.map((one) => ({ ...one, mute: 1 })) }, /no notes that sound/],
  "too many notes": [{ notes: many(4097) }, /"riff" has 4097 notes in its loop; up to 4096.*Shorten/],
  "no name": [{ name: "", notes: [] }, /^The clip has no notes/],
};

for (const [name, [details, problem]] of Object.entries(PROBLEMS)) {
  test(`a clip with ${name} is told as a problem`, () => {
    const result = readOf(details);
    assert.deepStrictEqual(Object.keys(result), ["problem"]);
    assert.match(result.problem, problem);
  });
}

test("a clip that is gone is told as a problem", () => {
  const { set, live } = studio();
  set.showInDetail(set.addMidiClip("Keys", 0, { notes: RIFF }));
  const { node } = clip.find(live);
  set.deleteClip("Keys", 0);
  assert.match(clip.read(node).problem, /no longer there/);
});

for (const [device, drums] of [[{ can_have_drum_pads: 1 }, true], [{ can_have_drum_pads: 0 }, false], [{}, false]]) {
  test(`on a track with a device ${JSON.stringify(device)}, a clip is ${drums ? "drums" : "a melody"}`, () => {
    const rack = { has: (name) => name in device, number: (name) => device[name] };
    const track = { refs: (name) => (name === "devices" ? [rack] : []) };
    const beat = {
      path: "live_set tracks 3 arrangement_clips 0",
      live: { at: (path) => (path === "live_set tracks 3" ? track : null) },
      alive: () => true,
      text: () => "beat",
      number: (name) => ({ looping: 1, loop_start: 0, loop_end: 4 })[name],
      call: () => JSON.stringify({ notes: [note(36, 0, 1)] }),
    };
    const result = clip.read(beat);
    if (drums) {
      assert.match(result.problem, /"beat" plays a Drum Rack.*switch Clip off/);
    } else {
      assert.deepStrictEqual(result.notes, [heard(36, 0, 1)]);
    }
  });
}
