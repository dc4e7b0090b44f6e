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
  return { live, at };
}

const slotPath = (track, scene) => `live_set tracks ${track} clip_slots ${scene}`;

test("audio clips: where Live refuses them, in its words", () => {
  const file = wav(2);
  const { live, at } = set();
  live.addGroupTrack("Group");
  const create = (track, scene, given = file) => at(slotPath(track, scene)).call("create_audio_clip", given);
  assert.equal(create(1, 0), null);
  assert.equal(create(2, 0), null);
  assert.equal(create(0, 0, "loops/a.wav"), null);
  assert.equal(create(0, 0, "/no/such.wav"), null);
  assert.equal(create(0, 0, __filename), null);
  live.freeze(0);
  assert.equal(create(0, 0), null);
  live.freeze(0, false);
  assert.deepEqual(create(0, 0), ["id", live.tracks[0].slots[0].clip.id]);
  assert.equal(create(0, 0), null);
  assert.deepEqual(
    live.console.map((line) => line.replace("jsliveapi: ", "").replace(file, "FILE")),
    [
      "Audio clips can only be created on audio tracks: 'create_audio_clip FILE'",
      "Audio clips can only be created on audio tracks: 'create_audio_clip FILE'",
      "Invalid syntax: 'create_audio_clip loops/a.wav'",
      "Invalid syntax: 'create_audio_clip /no/such.wav'",
      `Invalid syntax: 'create_audio_clip ${__filename}'`,
      "Clips cannot be created on frozen tracks: 'create_audio_clip FILE'",
      "The clip slot already has a clip: 'create_audio_clip FILE'",
    ],
  );
  const old = set({ version: [12, 0, 4] });
  assert.equal(old.at(slotPath(0, 0)).call("create_audio_clip", file), null);
  assert.deepEqual(old.live.console, ["jsliveapi: 'ClipSlot' object has no attribute 'create_audio_clip'"]);
});

test("refusals can be made to throw", () => {
  const { live, at } = set({ refusals: "throw" });
  assert.throws(() => at("live_set").get("tempi"), /has no attribute 'tempi'/);
  assert.equal(live.console.length, 1);
});

test("an audio clip's tempo and length come a moment after it", async () => {
  const { live, at } = set({ tempo: 120, warp: { guess: 2, settle: 20 } });
  at(slotPath(0, 0)).call("create_audio_clip", wav(2));
  const { clip } = live.tracks[0].slots[0];
  const api = at(`${slotPath(0, 0)} clip`);
  assert.match(api.get("name")[0], /^loop \d+$/);
  assert.deepEqual(api.get("warping"), [1]);
  assert.deepEqual(api.get("length"), [4]);
  await live.idle();
  assert.equal(clip.length, 8);
  assert.deepEqual(api.get("sample_length"), [88200]);
  assert.deepEqual(JSON.parse(api.get("warp_markers")[0]).warp_markers, [
    { sample_time: 0, beat_time: 0 },
    { sample_time: (60 / 240) * (1 / 32), beat_time: 1 / 32 },
  ]);
});

test("a good guess is whole beats; a clip that was left unwarped is in seconds", async () => {
  const near = set({ tempo: 127.9 });
  near.at(slotPath(0, 0)).call("create_audio_clip", wav((16 * 60) / 127.9));
  await near.live.idle();
  assert.equal(near.live.tracks[0].slots[0].clip.length, 16);
  const plain = set({ warp: { warped: false } });
  plain.at(slotPath(0, 0)).call("create_audio_clip", wav(2));
  await plain.live.idle();
  const clip = plain.at(`${slotPath(0, 0)} clip`);
  assert.deepEqual([clip.get("loop_end"), clip.get("warping")], [[2], [0]]);
  clip.set("looping", 1);
  assert.deepEqual(clip.get("looping"), [0]);
  assert.deepEqual(plain.live.console, ["jsliveapi: Unwarped audio cannot be looped"]);
  clip.set("warping", 1);
  clip.set("looping", 1);
  assert.deepEqual([clip.get("loop_end")[0], clip.get("looping")[0]], [4, 1]);
});

test("loop and markers keep their order", async () => {
  const { live, at } = set();
  at(slotPath(0, 0)).call("create_audio_clip", wav(2));
  await live.idle();
  const clip = at(`${slotPath(0, 0)} clip`);
  clip.set("start_marker", 1); // without a loop: ignored
  assert.deepEqual(clip.get("start_marker"), [0]);
  clip.set("looping", 1);
  clip.set("loop_start", 4);
  clip.set("loop_end", 0);
  clip.set("start_marker", 4);
  clip.set("end_marker", 0);
  assert.deepEqual(
    ["loop_start", "loop_end", "start_marker", "end_marker"].map((name) => clip.get(name)[0]),
    [0, 4, 0, 4],
  );
  assert.deepEqual(
    live.console.map((line) => line.replace("jsliveapi: ", "")),
    [
      "Cannot set LoopStart behind LoopEnd",
      "Cannot set LoopEnd before LoopStart",
      "Cannot set StartMarker behind EndMarker",
      "Cannot set EndMarker before StartMarker",
    ],
  );
  clip.set("loop_end", 8); // past the file's end
  clip.set("loop_start", 4);
  assert.deepEqual([clip.get("length"), clip.get("end_marker")], [[4], [4]]);
  clip.set("position", 1);
  assert.deepEqual([clip.get("loop_start"), clip.get("loop_end")], [[1], [5]]);
});

test("warp markers set the tempo, within their limits", async () => {
  const { live, at } = set({ warp: { guess: 2 } });
  at(slotPath(0, 0)).call("create_audio_clip", wav(2));
  await live.idle();
  const clip = at(`${slotPath(0, 0)} clip`);
  const markers = () => JSON.parse(clip.get("warp_markers")[0]).warp_markers;
  clip.call("add_warp_marker", { sample_time: 2, beat_time: 4 });
  assert.deepEqual(markers().slice(0, 2), [
    { sample_time: 0, beat_time: 0 },
    { sample_time: 2, beat_time: 4 },
  ]);
  assert.equal(live.tracks[0].slots[0].clip.warp.beatAt(1), 2);
  assert.deepEqual(live.console, []);
  const refused = [
    [["add_warp_marker", { sample_time: 2.1, beat_time: 5 }], /out of range/],
    [["add_warp_marker", { sample_time: 1, beat_time: 5 }], /cannot pass each other/],
    [["add_warp_marker", { sample_time: 0.001, beat_time: 3 }], /within 5 and 999/],
    [["add_warp_marker", { seconds: 1, beat_time: 2 }], /has a beat_time/],
    [["move_warp_marker", 4 + 1 / 32, 1], /The shadow marker can't be moved\./],
    [["remove_warp_marker", 3], /The specified warp marker doesn't exist/],
  ];
  for (const [args, words] of refused) {
    clip.call(...args);
    assert.match(live.console.pop(), words);
  }
  clip.call("move_warp_marker", 4, -1);
  assert.equal(markers()[1].beat_time, 3);
  clip.call("add_warp_marker", { beat_time: 1.5 });
  assert.deepEqual(markers()[1], { sample_time: 1, beat_time: 1.5 });
  clip.call("remove_warp_marker", 1.5);
  clip.call("remove_warp_marker", 3);
  clip.call("remove_warp_marker", 0);
  assert.match(live.console.pop(), /last warp marker cannot be removed/);
  const old = set({ version: [10, 1, 0] });
  old.live.addMidiClip(1, 0);
  old.at(`${slotPath(1, 0)} clip`).call("add_warp_marker", {});
  assert.deepEqual(old.live.console, ["jsliveapi: 'Clip' object has no attribute 'add_warp_marker'"]);
});

test("what only audio or MIDI clips have", () => {
  const { live, at } = set();
  live.addMidiClip(1, 0);
  live.addAudioClip(0, 0, wav(2));
  assert.equal(at(`${slotPath(1, 0)} clip`).get("warping"), 1);
  assert.equal(at(`${slotPath(0, 0)} clip`).call("get_notes_extended", 0, 128, 0, 4), null);
  assert.deepEqual(live.console, [
    "jsliveapi: 'warping' is only available for audio clips",
    "jsliveapi: 'Clip' object has no attribute 'get_notes_extended'",
  ]);
});

test("notes are given by their beginnings, as JSON text", () => {
  const { live, at } = set();
  const notes = [
    { pitch: 60, start: -1, duration: 2 },
    { pitch: 62, start: 0, duration: 1, velocity: 90 },
    { pitch: 64, start: 3.999, duration: 1, mute: true },
    { pitch: 127, start: 4, duration: 1 },
  ];
  live.addMidiClip(1, 0, { name: "Riff", length: 4, notes });
  const clip = at(`${slotPath(1, 0)} clip`);
  const text = clip.call("get_notes_extended", 0, 128, 0, 4);
  assert.equal(typeof text, "string");
  const found = JSON.parse(text).notes.sort((a, b) => a.start_time - b.start_time);
  assert.deepEqual(found, [
    {
      note_id: 2,
      pitch: 62,
      start_time: 0,
      duration: 1,
      velocity: 90,
      mute: 0,
      probability: 1,
      velocity_deviation: 0,
      release_velocity: 64,
    },
    {
      note_id: 3,
      pitch: 64,
      start_time: 3.999,
      duration: 1,
      velocity: 100,
      mute: 1,
      probability: 1,
      velocity_deviation: 0,
      release_velocity: 64,
    },
  ]);
  const count = (...args) => JSON.parse(clip.call("get_notes_extended", ...args)).notes.length;
  assert.equal(count(0, 127, -10, 20), 3, "a span of 127 misses the highest pitch");
  assert.deepEqual(live.console, []);
  clip.call("get_notes_extended", 0, 129, 0, 4);
  clip.call("get_notes_extended", 0, 128, 0, 0);
  clip.call("get_notes_extended", 0, 128);
  assert.deepEqual(
    live.console.map((line) => line.replace("jsliveapi: ", "")),
    [
      "Invalid syntax: 'get_notes_extended 0 129 0 4'",
      "Invalid syntax: 'get_notes_extended 0 128 0 0'",
      "Invalid arguments: 'get_notes_extended 0 128'",
    ],
  );
});
