"use strict";

/** A set to place loops in, and time that passes when it is told to. */

const test = require("node:test");
const assert = require("node:assert");

const { Live: Set } = require("./stand_in/live");
const { loopFile } = require("./loop_files");
const { Live } = require("../../max4live/src/live");
const placement = require("../../max4live/src/placement");

test.mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate"] });

function later(ms, run) {
  const timer = setTimeout(run, ms);
  return { cancel: () => clearTimeout(timer) };
}

/** Let so many milliseconds pass, for Live and the device alike. */
async function pass(ms) {
  for (let passed = 0; passed < ms; passed += 5) {
    await null;
    test.mock.timers.tick(5);
  }
}

/** What a promise comes to, while time goes on. */
async function come(promise) {
  let pending = true;
  const ended = promise.finally(() => {
    pending = false;
  });
  for (let waited = 0; pending; waited += 5) {
    assert.ok(waited < 20000, "it does not end");
    await pass(5);
  }
  return ended;
}

/** A set with a drum track, a MIDI track and a bass track, and the means to place loops in it. */
function studio(options = {}) {
  const set = new Set({ scenes: 4, ...options });
  set.addAudioTrack("Drums");
  set.addMidiTrack("Keys");
  set.addAudioTrack("Bass");
  set.select(0, 0);
  const live = new Live(set.LiveAPI);
  const placer = new placement.Placer(live, later);

  /** Begin to place a loop; it goes on as time passes. */
  function start(aim, loop = {}) {
    const whole = { beats: 16, bpm: "120", name: "dub techno 120", colour: 0x10a4ee, seed: 1, ...loop };
    whole.path ??= loopFile({ beats: whole.beats, bpm: Number(whole.bpm) });
    return new Promise((resolve) => placer.place(aim, whole, resolve));
  }

  return {
    set,
    live,
    placer,
    aim: (wish = {}) => placement.aim(live, { track: "", own: "", ...wish }),
    start,
    place: (...args) => come(start(...args)),
  };
}

/** That a clip of the stand-in plays its whole file, on the grid, as a loop of so many beats. */
function assertLoops(clip, beats) {
  assert.deepStrictEqual(clip.loop, [0, beats]);
  assert.deepStrictEqual(clip.markers, [0, beats]);
  assert.strictEqual(clip.length, beats);
  assert.ok(clip.warping && clip.looping);
  assert.strictEqual(clip.warp_mode, 0);
  for (const part of [0, 0.25, 0.5, 1]) {
    assert.ok(Math.abs(clip.warp.beatAt(part * clip.seconds) - part * beats) < 0.001, JSON.stringify(clip.warp.list()));
  }
}

// ------------------------------------------------------------------------------------------------- tracks and slots

module.exports = { later, pass, come, studio, assertLoops };
