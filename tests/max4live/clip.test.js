"use strict";

const test = require("node:test");
const assert = require("node:assert");

const clip = require("../../max4live/src/clip.js");

function note(pitch, start_time, duration, more = {}) {
  return { note_id: 1, pitch, start_time, duration, velocity: 100, mute: 0, probability: 1, velocity_deviation: 0, ...more };
}

function heard(pitch, start, duration, velocity = 100) {
  return { pitch, start, duration, velocity };
}

const MELODIES = {
  "a plain riff": [[note(60, 0, 1), note(64, 1, 0.5)], 0, 4, [heard(60, 0, 1), heard(64, 1, 0.5)]],
  "times are from the region's start": [[note(60, 8, 1), note(62, 9.25, 1)], 8, 12, [heard(60, 0, 1), heard(62, 1.25, 1)]],
  "a region before 1.1.1": [[note(60, -2, 1)], -4, 0, [heard(60, 2, 1)]],
  "what begins before is cut to what sounds inside": [[note(60, 3, 3)], 4, 8, [heard(60, 0, 2)]],
  "what ends before, or just then, is not there": [[note(60, 0, 2), note(62, 3, 1)], 4, 8, []],
  "what reaches past the end is cut": [[note(60, 7, 4)], 4, 8, [heard(60, 3, 1)]],
  "what begins at the end or after is not there": [[note(60, 8, 1), note(62, 11, 1)], 4, 8, []],
  "a drone through all of it": [[note(48, 0, 100)], 4, 8, [heard(48, 0, 4)]],
  "deactivated notes": [[note(60, 0, 1, { mute: 1 }), note(62, 1, 1, { mute: true }), note(64, 2, 1)], 0, 4, [heard(64, 2, 1)]],
  "chance": [
    [note(60, 0, 1, { probability: 0 }), note(62, 1, 1, { probability: 0.5 }), note(64, 2, 1, { probability: undefined })],
    0, 4, [heard(62, 1, 1), heard(64, 2, 1)],
  ],
  "velocities are whole, from 1 to 127": [
    [note(60, 0, 1, { velocity: 0 }), note(61, 0, 1, { velocity: 0.4 }), note(62, 0, 1, { velocity: 63.5 }), note(63, 0, 1, { velocity: 127 })],
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
