"use strict";

const test = require("node:test");
const assert = require("node:assert");

const { Live: Set, Refusal } = require("./stand_in/live");
const { loopFile } = require("./loop_files");
const { Live } = require("../../max4live/src/live");
const placement = require("../../max4live/src/placement");
const song = require("../../max4live/src/song");

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

test("the tracks that take loops are the audio tracks, but for groups and frozen ones", () => {
  const { set, live } = studio();
  set.addGroupTrack("All", ["Drums"]);
  set.addAudioTrack("808");
  const expected = ["Drums", "Bass", "808"].map((name) => ({ id: set.trackOf(name).id, name }));
  assert.deepStrictEqual(placement.tracks(live), expected);
  set.freeze("Bass");
  assert.deepStrictEqual(placement.tracks(live).map(({ name }) => name), ["Drums", "808"]);
  assert.deepStrictEqual(set.console, []);
});

const SLOTS = [
  [[], 0, -1], [[false], 0, 0], [[true], 0, -1], [[true, false, false], 0, 1], [[false, true, false], 1, 2],
  [[false, true, true], 1, -1], [[false, false], 5, -1], [[false], -1, 0],
];

for (const [taken, from, expected] of SLOTS) {
  test(`of slots taken ${JSON.stringify(taken)}, from ${from} on, ${expected} is chosen`, () => {
    assert.strictEqual(placement.choose(taken, from), expected);
  });
}

test("a loop goes into the highlighted slot", () => {
  const { set, aim } = studio();
  set.select("Bass", 2);
  assert.deepStrictEqual(aim(), { track: set.tracks[2].id, scene: 2, words: "Bass, scene 3" });
});

test("a highlighted slot that is taken: the next empty one below is told", () => {
  const { set, aim } = studio();
  set.addAudioClip("Drums", 1, loopFile());
  set.addAudioClip("Drums", 2, loopFile());
  set.select("Drums", 1);
  assert.deepStrictEqual(aim(), { track: set.tracks[0].id, scene: 1, words: "Drums, scene 4" });
  set.addAudioClip("Drums", 3, loopFile());
  assert.strictEqual(aim().words, "Drums, a new scene");
});

for (const rest of ["", " devices 0", " devices 1 chains 0 devices 2"]) {
  const own = `live_set tracks 2${rest}`;
  test(`a highlighted MIDI slot: the track of the device at ${own} is taken`, () => {
    const { set, aim } = studio();
    set.select("Keys", 3);
    assert.deepStrictEqual(aim({ own }), { track: set.tracks[2].id, scene: 3, words: "Bass, scene 4" });
  });
}

test("no slot is highlighted on the main track: the device's own track, in the selected scene", () => {
  const { set, aim } = studio();
  set.select("Drums", 2);
  set.view.put("selected_track", set.song.master_track);
  const expected = { track: set.tracks[0].id, scene: 2, words: "Drums, scene 3" };
  assert.deepStrictEqual(aim({ own: "live_set tracks 0" }), expected);
});

for (const place of ["", "return_tracks 0 devices 0", "master_track", "tracks 1", "tracks 9"]) {
  const own = place && `live_set ${place}`;
  test(`a highlighted MIDI slot and a device at "${own}": there is nowhere to go`, () => {
    const { set, aim } = studio();
    set.select("Keys", 0);
    assert.match(aim({ own }).problem, /No audio track.*Highlight a slot/);
    assert.deepStrictEqual(set.console, []);
  });
}

test("a track chosen by name gets the loop in the highlighted slot's row", () => {
  const { set, aim } = studio();
  set.select("Keys", 1);
  assert.deepStrictEqual(aim({ track: "Bass" }), { track: set.tracks[2].id, scene: 1, words: "Bass, scene 2" });
});

test("a name of digits is a name", () => {
  const { set, aim } = studio();
  set.addAudioTrack("808");
  assert.strictEqual(aim({ track: "808" }).track, set.tracks[3].id);
});

const UNFIT = [
  ["Keys", /no audio track "Keys"/],
  ["Vocals", /no audio track "Vocals"/],
  ["Bass", /"Bass" is frozen/],
];

test("of two tracks of one name, one that is not frozen is taken", () => {
  const { set, aim } = studio();
  const second = set.addAudioTrack("Bass");
  assert.strictEqual(aim({ track: "Bass" }).track, set.tracks[2].id);
  set.freeze(2);
  assert.strictEqual(aim({ track: "Bass" }).track, second.id);
});

for (const [track, problem] of UNFIT) {
  test(`nothing can be placed on ${track}`, () => {
    const { set, aim } = studio();
    set.freeze("Bass");
    assert.match(aim({ track }).problem, problem);
  });
}

test("a highlighted slot of a frozen track is not replaced by another track", () => {
  const { set, aim } = studio();
  set.freeze("Drums");
  assert.match(aim({ own: "live_set tracks 2" }).problem, /"Drums" is frozen. Unfreeze/);
});

// --------------------------------------------------------------------------------------------------------- placing

test("a loop becomes a clip that loops in time, with its name and colour", async () => {
  const { set, aim, place } = studio();
  const result = await place(aim(), { name: "dub techno, rolling bass 120" });
  const { clip } = set.tracks[0].slots[0];
  const expected = { placed: true, track: "Drums", scene: 1, repaired: false, clip: clip.id, warning: "" };
  assert.deepStrictEqual(result, expected);
  assertLoops(clip, 16);
  assert.strictEqual(clip.name, "dub techno, rolling bass 120");
  assert.strictEqual(clip.color, 0x10a4ee);
  assert.deepStrictEqual(set.console, []);
});

const GUESSES = {
  "double": [{ guess: 2 }, {}],
  "half": [{ guess: 0.5 }, {}],
  "a little too long": [{ guess: 1.013 }, {}],
  "a little too short": [{ guess: 0.97 }, {}],
  "five times too long": [{ guess: 5 }, {}],
  "double, and late": [{ guess: 2, settle: 150 }, {}],
};

for (const [name, [warp]] of Object.entries(GUESSES)) {
  for (const [beats, bpm] of [[16, "120"], [32, "127.9"], [3.5, "93.21"], [7, "174"]]) {
    test(`Live's guess is ${name}, ${beats} beats at ${bpm}: repaired`, async () => {
      const { set, aim, place } = studio({ warp, tempo: Number(bpm) });
      const result = await place(aim(), { beats, bpm });
      assert.strictEqual(result.placed, true, result.reason);
      assert.strictEqual(result.repaired, true);
      assertLoops(set.tracks[0].slots[0].clip, beats);
    });
  }
}

const ALIKE = {
  "warped in Complex": { warp: { mode: 4 } },
  "not warped": { warp: { warped: false } },
  "not warped, and late": { warp: { warped: false, settle: 100 } },
  "LiveAPI calls back at once": { firstCall: "immediate" },
  "refusals are thrown": { refusals: "throw" },
  "Live 12.0.5": { version: [12, 0, 5] },
  "Live 13": { version: [13, 0, 0] },
};

for (const [name, options] of Object.entries(ALIKE)) {
  test(`the clip is the same when ${name}`, async () => {
    const { set, aim, place } = studio(options);
    const result = await place(aim());
    assert.strictEqual(result.placed, true, result.reason);
    assert.strictEqual(result.repaired, false);
    assertLoops(set.tracks[0].slots[0].clip, 16);
  });
}

test("the tempo may have changed while the loop was made", async () => {
  const { set, aim, place } = studio();
  const goal = aim();
  set.setTempo(141.5);
  assert.strictEqual((await place(goal)).placed, true);
  assertLoops(set.tracks[0].slots[0].clip, 16);
});

test("markers that Live has put into the file are taken out or straightened", async () => {
  const { set, aim, start } = studio();
  const placed = start(aim());
  await pass(60);
  const { clip } = set.tracks[0].slots[0];
  for (const [beat_time, sample_time] of [[4.1, 2], [9, 4.1], [15.5, 8]]) {
    clip.add_warp_marker(JSON.stringify({ beat_time, sample_time }));
  }
  const result = await come(placed);
  assert.strictEqual(result.placed, true, result.reason);
  assert.strictEqual(result.repaired, true);
  assertLoops(clip, 16);
  assert.strictEqual(clip.warp.visible.length, 2);
});

test("while Live has yet to switch warping on, positions are seconds, and none is set", async () => {
  const { set, aim, start } = studio({ warp: { warped: false } });
  const placed = start(aim());
  await pass(5);
  const { clip } = set.tracks[0].slots[0];
  clip.warping = false; // as it is in Live, which defers it
  clip.looping = false;
  clip.loop = [0, clip.seconds];
  clip.markers = [0, clip.seconds];
  const put = clip.put.bind(clip);
  const early = [];
  clip.put = (name, value) => {
    if (name === "warping") {
      later(120, () => put(name, value));
    } else if (name === "looping") {
      put(name, clip.warping && value);
    } else {
      early.push(...(clip.warping ? [] : [name]));
      put(name, value);
    }
  };
  assert.strictEqual((await come(placed)).placed, true);
  assertLoops(clip, 16);
  assert.deepStrictEqual(early, []);
});

test("what was right is looked at again after each repair: Live may change its mind twice", async () => {
  const { set, aim, start } = studio({ warp: { settle: 100, guess: 2 } });
  const placed = start(aim());
  await pass(500);
  const { clip } = set.tracks[0].slots[0];
  assert.strictEqual(clip.warp.visible.length, 2, "repaired once");
  clip.warp.visible = [{ sample_time: 0, beat_time: 0 }];
  await pass(100);
  assert.strictEqual((await come(placed)).placed, true);
  assertLoops(clip, 16);
});

for (const refusals of ["post", "throw"]) {
  test(`names and paths of several words survive where Live would split them (${refusals})`, async () => {
    const { set, aim, place } = studio({ text: "split", refusals });
    const result = await place(aim(), { name: "dub techno 120 #2" });
    assert.strictEqual(result.placed, true, result.reason);
    assert.strictEqual(set.tracks[0].slots[0].clip.name, "dub techno 120 #2");
    assertLoops(set.tracks[0].slots[0].clip, 16);
  });
}

test("a length that is only nearly right is set right: it would drift", async () => {
  const { set, aim, place } = studio({ tempo: 32.565 });
  assert.strictEqual((await place(aim(), { beats: 3.5, bpm: "32.565" })).placed, true);
  assertLoops(set.tracks[0].slots[0].clip, 3.5);
});

test("a long file is given the time that Live takes to analyse it", async () => {
  const { set, aim, place } = studio({ warp: { guess: 2, settle: 900 } });
  const result = await place(aim(), { beats: 128 });
  assert.deepStrictEqual([result.placed, result.repaired], [true, true]);
  assertLoops(set.tracks[0].slots[0].clip, 128);
});

const PATHS = [
  ["C:\\Users\\me\\Music\\loop.wav", "C:/Users/me/Music/loop.wav"],
  ["\\\\nas\\loops\\loop.wav", "//nas/loops/loop.wav"],
  ["/Users/me/a\\b.wav", "/Users/me/a\\b.wav"],
];

for (const [path, asked] of PATHS) {
  test(`Live is asked for ${path} as ${asked}`, async () => {
    const { set, aim, place } = studio();
    const heard = [];
    set.clips.audio = (slot, file) => {
      heard.push(file);
      return null;
    };
    set.tracks[0].slots[0].create_audio_clip = (file) => set.clips.audio(null, file);
    assert.strictEqual((await place(aim(), { path })).code, "refused");
    assert.deepStrictEqual(heard, [asked]);
  });
}

test("what Live's parser could not bear is not in a name", async () => {
  const { set, aim, place } = studio();
  await place(aim(), { name: ' a "fat"\n\\ bass ' });
  assert.strictEqual(set.tracks[0].slots[0].clip.name, "a  fat  bass");
});

test("a loop without a name or colour keeps Live's", async () => {
  const { set, aim, place } = studio();
  const path = loopFile({ name: "mine" });
  assert.strictEqual((await place(aim(), { path, name: "", colour: undefined })).placed, true);
  assert.match(set.tracks[0].slots[0].clip.name, /^mine /);
});

test("a burst of variations fills the slots that follow, in order, and never one twice", async () => {
  const { set, aim, place } = studio({ scenes: 3, warp: { guess: 2 } });
  set.addAudioClip("Drums", 1, loopFile());
  const goal = aim();
  const results = await Promise.all([1, 2, 3, 4].map((n) => place(goal, { name: `take ${n}` })));
  assert.deepStrictEqual(results.map((result) => result.scene), [1, 3, 4, 5]);
  assert.deepStrictEqual(
    [0, 2, 3, 4].map((scene) => set.tracks[0].slots[scene].clip.name),
    ["take 1", "take 2", "take 3", "take 4"],
  );
  assert.strictEqual(set.scenes.length, 5);
  [0, 2, 3, 4].forEach((scene) => assertLoops(set.tracks[0].slots[scene].clip, 16));
});

test("two devices place into one set at once", async () => {
  const { set, aim, place } = studio();
  const other = new placement.Placer(new Live(set.LiveAPI), later);
  const goal = aim();
  const loop = { path: loopFile({ beats: 8 }), beats: 8, name: "other" };
  const foreign = come(new Promise((resolve) => other.place(goal, loop, resolve)));
  const results = await Promise.all([place(goal), foreign, place(goal)]);
  assert.deepStrictEqual(results.map((result) => result.scene).sort(), [1, 2, 3]);
  results.forEach(({ scene }) => {
    const { clip } = set.tracks[0].slots[scene - 1];
    assertLoops(clip, clip.name === "other" ? 8 : 16);
  });
});

test("tracks and scenes may move while a clip settles", async () => {
  const { set, aim, start } = studio({ warp: { guess: 2, settle: 100 } });
  set.select("Bass", 1);
  const placed = start(aim());
  await pass(70);
  set.deleteTrack("Drums");
  set.insertScene(0);
  const result = await come(placed);
  assert.deepStrictEqual([result.placed, result.track, result.scene], [true, "Bass", 3]);
  assertLoops(set.trackOf("Bass").slots[2].clip, 16);
});

test("a set that Live lets have no more scenes: an empty slot above is taken", async () => {
  const { set, aim, place } = studio({ scenes: 2 });
  set.addAudioClip("Drums", 1, loopFile());
  set.select("Drums", 1);
  set.insertScene = () => {
    throw new Refusal("No more scenes");
  };
  assert.strictEqual((await place(aim())).scene, 1);
});

test("a full track in such a set is said to be full", async () => {
  const { set, aim, place } = studio({ scenes: 1 });
  set.addAudioClip("Drums", 0, loopFile());
  set.insertScene = () => {
    throw new Refusal("No more scenes");
  };
  const result = await place(aim());
  assert.deepStrictEqual([result.placed, result.code], [false, "no_slot"]);
});

// ------------------------------------------------------------------------------------------------- what is refused

/** What is the matter: [options of Live, code, reason, what happens between pressing Generate and the loop]. */
const REFUSALS = {
  "Live 12.0.4": [{ version: [12, 0, 4] }, "live_too_old", /^Live 12\.0\.4 cannot .* 12\.0\.5 can\. Drag the file/],
  "Live 11.3.13": [{ version: [11, 3, 13] }, "live_too_old", /^Live 11\.3\.13 cannot/],
  "the track was deleted": [{}, "track_gone", /no longer there/, (set) => set.deleteTrack("Drums")],
  "the track was frozen": [{}, "track_frozen", /"Drums" is frozen/, (set) => set.freeze("Drums")],
  "the track is of MIDI": [{}, "not_audio", /"Keys" takes no audio/, (set, goal) => (goal.track = set.tracks[1].id)],
  "the file is gone": [{}, "refused", /did not take the file/, (set, goal, loop) => (loop.path = "/no/loop.wav")],
  "the path is relative": [{}, "refused", /did not take the file/, (set, goal, loop) => (loop.path = "loop.wav")],
};

for (const refusals of ["post", "throw"]) {
  for (const [name, [options, code, reason, change = () => {}]] of Object.entries(REFUSALS)) {
    test(`not placed, and the set as it was: ${name} (${refusals})`, async () => {
      const { set, aim, place } = studio({ ...options, refusals });
      const goal = aim();
      const loop = { path: loopFile() };
      change(set, goal, loop);
      const before = set.snapshot();
      const result = await place(goal, loop);
      assert.deepStrictEqual([result.placed, result.code, result.path], [false, code, loop.path]);
      assert.match(result.reason, code === "refused" && refusals === "throw" ? /Live said: .*Drag the file/ : reason);
      assert.match(result.reason, /Drag the file into a slot\.$/);
      assert.deepStrictEqual(set.snapshot(), before);
    });
  }
}

/** From now on the clip takes no warp markers. */
function noMarkers(clip) {
  clip.editWarp = () => {
    throw new Refusal("No");
  };
}

for (const file of ["/nowhere/loop.wav", null]) {
  test(`a scene that was added for a loop that ${file ? "Live refuses" : "does not settle"} goes again`, async () => {
    const { set, aim, start } = studio({ scenes: 1, warp: { guess: 2 } });
    set.addAudioClip("Drums", 0, loopFile());
    await come(set.idle());
    const before = set.snapshot();
    const placed = start(aim(), file ? { path: file } : {});
    if (!file) {
      await pass(10);
      noMarkers(set.tracks[0].slots[1].clip);
    }
    assert.strictEqual((await come(placed)).placed, false);
    assert.deepStrictEqual(set.snapshot(), before);
  });
}

test("Live takes no warp markers: the clip goes, and the reason says how long Live takes the file for", async () => {
  const { set, aim, start } = studio({ warp: { guess: 2 } });
  const before = set.snapshot();
  const placed = start(aim());
  await pass(10);
  noMarkers(set.tracks[0].slots[0].clip);
  const result = await come(placed);
  assert.deepStrictEqual([result.placed, result.code], [false, "warp"]);
  assert.match(result.reason, /for 32 beats instead of 16 beats/);
  assert.deepStrictEqual(set.snapshot(), before);
});

for (const [guess, warning] of [[1, /^$/], [2, /32 beats instead of 16 beats/]]) {
  test(`a Live that does not tell its markers, with a guess of ${guess}`, async () => {
    const { set, aim, start } = studio({ warp: { guess } });
    const placed = start(aim());
    await pass(5);
    Object.defineProperty(set.tracks[0].slots[0].clip, "warp_markers", { value: { warp_markers: [] } });
    const result = await come(placed);
    assert.strictEqual(result.placed, true, result.reason);
    assert.match(result.warning, warning);
    assert.strictEqual(set.tracks[0].slots[0].clip.length, 16);
  });
}

test("a clip that is removed while it settles is not missed, and the next is placed", async () => {
  const { set, aim, start } = studio({ warp: { settle: 200, guess: 2 } });
  const goal = aim();
  const before = set.snapshot();
  const first = start(goal);
  const second = start({ ...goal, track: set.tracks[2].id });
  await pass(60);
  set.deleteClip("Drums", 0);
  const result = await come(first);
  assert.deepStrictEqual([result.placed, result.code], [false, "clip_gone"]);
  assert.deepStrictEqual(set.snapshot().tracks[0], before.tracks[0]);
  assert.strictEqual((await come(second)).track, "Bass");
});

test("stopped, it writes no more and tells nobody", async () => {
  const { set, aim, placer } = studio({ undoSteps: true });
  const goal = aim();
  const told = [];
  const loop = { path: loopFile(), beats: 16, name: "loop" };
  placer.place(goal, loop, (result) => told.push(result));
  placer.place(goal, loop, (result) => told.push(result));
  await pass(20);
  placer.stop();
  await come(set.idle());
  const before = set.snapshot();
  await pass(400);
  assert.deepStrictEqual(told, []);
  assert.deepStrictEqual(set.snapshot(), before);
  assert.strictEqual(set.undo.depth, 0);
});

test("asked for inside a notification, it writes outside of it", async () => {
  const { set, live, aim, place } = studio();
  const goal = aim();
  let placed = null;
  await come(set.idle());
  const watch = song.watch(live, (property) => {
    if (property === "tempo" && !placed && set.song.tempo === 140) {
      placed = place(goal);
    }
  });
  set.setTempo(140);
  await come(set.idle());
  assert.strictEqual((await placed).placed, true);
  watch.stop();
  assert.deepStrictEqual(set.console, []);
});

test("a fault in who is told does not stop the next, and is not hidden", async () => {
  const { aim, live } = studio();
  const faults = [];
  const placer = new placement.Placer(live, (ms, run) =>
    later(ms, () => {
      try {
        run();
      } catch (fault) {
        faults.push(fault.message);
      }
    }),
  );
  const goal = aim();
  placer.place(goal, { path: loopFile(), beats: 16, name: "one" }, () => {
    throw new Error("told badly");
  });
  const two = { path: loopFile(), beats: 16, name: "two" };
  const second = await come(new Promise((resolve) => placer.place(goal, two, resolve)));
  assert.deepStrictEqual([second.placed, second.scene], [true, 2]);
  assert.deepStrictEqual(faults, ["told badly"]);
});

// ------------------------------------------------------------------------------------------------------------ undo

test("one undo step where Live lets Max join its writes, also for one that has to be repaired", async () => {
  for (const warp of [{}, { guess: 2 }, { warped: false }]) {
    const { set, aim, place } = studio({ undoSteps: true, warp });
    const before = set.undoSteps;
    assert.strictEqual((await place(aim())).placed, true);
    assert.strictEqual(set.undoSteps - before, 1);
    assert.strictEqual(set.undo.depth, 0);
  }
});

test("elsewhere each is a step, so only what is needed is written: clip, name, colour, loop", async () => {
  const { set, aim, place } = studio();
  const before = set.undoSteps;
  assert.strictEqual((await place(aim())).placed, true);
  assert.strictEqual(set.undoSteps - before, 4);
});
