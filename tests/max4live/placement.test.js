"use strict";

const test = require("node:test");
const assert = require("node:assert");

const { loopFile } = require("./loop_files");
const { later, pass, come, studio, assertLoops } = require("./studio");
const placement = require("../../max4live/src/placement");
const song = require("../../max4live/src/song");

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
