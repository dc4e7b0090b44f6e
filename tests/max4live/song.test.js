"use strict";

const test = require("node:test");
const assert = require("node:assert");

const song = require("../../max4live/src/song.js");

const KEYS = [
  [0, "Major", "C"], [9, "Minor", "Am"], [6, "Minor", "F#m"], [10, "Major", "Bb"], [2, "Dorian", "D dorian"],
  [4, "Phrygian", "E phrygian"], [3, "Harmonic Minor", "Eb harmonic minor"], [8, "Melodic Minor", "G# melodic minor"],
  [0, "Hirajoshi", ""], [0, "Minor Pentatonic", ""], [0, "", ""], [0, "constructor", ""], [12, "Major", ""], [-1, "Minor", ""],
  [undefined, "Major", ""],
];

for (const [root, scale, expected] of KEYS) {
  test(`the key of ${root} ${scale} is "${expected}"`, () => {
    assert.strictEqual(song.key(root, scale), expected);
  });
}
