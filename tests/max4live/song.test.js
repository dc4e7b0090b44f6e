"use strict";

const test = require("node:test");
const assert = require("node:assert");

const { Live: Set } = require("./stand_in/live");
const { Live } = require("../../max4live/src/live");
const song = require("../../max4live/src/song");

const KEYS = [
  [0, "Major", "C"], [9, "Minor", "Am"], [6, "Minor", "F#m"], [10, "Major", "Bb"], [2, "Dorian", "D dorian"],
  [4, "Phrygian", "E phrygian"], [3, "Harmonic Minor", "Eb harmonic minor"], [8, "Melodic Minor", "G# melodic minor"],
  [0, "Hirajoshi", ""], [0, "Minor Pentatonic", ""], [0, "", ""], [0, "constructor", ""], [12, "Major", ""],
  [-1, "Minor", ""], [undefined, "Major", ""],
];

for (const [root, scale, expected] of KEYS) {
  test(`the key of ${root} ${scale} is "${expected}"`, () => {
    assert.strictEqual(song.key(root, scale), expected);
  });
}

// --------------------------------------------------------------------------------------------------- in a set

function studio(options) {
  const set = new Set(options);
  return { set, live: new Live(set.LiveAPI) };
}

test("what the set is like", () => {
  const { set, live } = studio({ tempo: 127.5, signature: [7, 8], root: 9, scale: "Minor", scaleMode: true });
  const expected = { bpm: 127.5, num: 7, den: 8, root: 9, scale: "Minor", scaleOn: true, playing: false };
  assert.deepStrictEqual(song.read(live), expected);
  set.play();
  set.setScale(0, "Harmonic Minor", false);
  const changed = { root: 0, scale: "Harmonic Minor", scaleOn: false, playing: true };
  assert.deepStrictEqual(song.read(live), { ...expected, ...changed });
  assert.deepStrictEqual(set.console, []);
});

test("a Live without a switch for the scale has it on, and nothing is posted", async () => {
  const { set, live } = studio({ version: [11, 3, 13] });
  assert.strictEqual(song.read(live).scaleOn, true);
  const watch = song.watch(live, () => {});
  await set.idle();
  assert.strictEqual(set.observers.size, 7);
  watch.stop();
  assert.deepStrictEqual(set.console, []);
});

const CHANGES = {
  tempo: (set) => set.setTempo(93),
  signature_numerator: (set) => set.setSignature(3, 4),
  signature_denominator: (set) => set.setSignature(4, 8),
  root_note: (set) => set.setScale(3, "Major", false),
  scale_name: (set) => set.setScale(0, "Dorian", false),
  scale_mode: (set) => set.setScale(0, "Major", true),
  is_playing: (set) => set.play(),
  detail_clip: (set) => set.showInDetail(set.addMidiClip(0, 0)),
};

for (const [property, change] of Object.entries(CHANGES)) {
  test(`a change of ${property} is told, and no longer when the watch is stopped`, async () => {
    const { set, live } = studio();
    set.addMidiTrack("Keys");
    const told = [];
    const watch = song.watch(live, (name) => told.push(name));
    await set.idle();
    assert.deepStrictEqual([...told].sort(), Object.keys(CHANGES).sort(), "each is told once at first");
    told.length = 0;
    change(set);
    await set.idle();
    assert.deepStrictEqual(told, [property]);
    watch.stop();
    set.setTempo(55);
    await set.idle();
    assert.deepStrictEqual(told, [property]);
    assert.deepStrictEqual(set.console, []);
  });
}

test("nothing is read or written while Live tells", async () => {
  const { set } = studio();
  const asked = [];
  class Watched extends set.LiveAPI {
    get(name) {
      if (set.notifying) {
        asked.push(name);
      }
      return super.get(name);
    }
  }
  const watch = song.watch(new Live(Watched), () => {});
  set.setTempo(99);
  await set.idle();
  watch.stop();
  assert.deepStrictEqual(asked, []);
});
