"use strict";

const test = require("node:test");
const assert = require("node:assert");

const { Refusal } = require("./stand_in/live");
const { loopFile } = require("./loop_files");
const { later, pass, come, studio, assertLoops } = require("./studio");
const { Live } = require("../../max4live/src/live");
const placement = require("../../max4live/src/placement");
const song = require("../../max4live/src/song");

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
