"use strict";

/** The objects of a Live set, apart from clips: what each holds and what Live does and refuses when it is changed. */

/**
 * Something that Live refuses, in Live's words. How Max tells it depends on the kind of exception that it is inside
 * Live: "runtime" and "attribute" keep their words, of "value" and "type" only "Invalid syntax" and "Invalid
 * arguments" are left.
 */
class Refusal extends Error {
  constructor(message, kind = "runtime") {
    super(message);
    this.kind = kind;
  }
}

class LomObject {
  constructor(live, kind, parent) {
    this.live = live;
    this.kind = kind;
    this.canonical_parent = parent;
    this.gone = false;
  }

  /** The object's id for Max: given when it is first asked for, never given again. */
  get id() {
    return this.live.idOf(this);
  }

  /** What LiveAPI's `set` does once the value's type has been found right. */
  put(name, value) {
    const plain = (one) => (typeof one === "boolean" ? Number(one) : one); // Max knows no truths but 1 and 0
    if (plain(this[name]) !== plain(value)) {
      this[name] = plain(value);
      this.live.changed(this, name);
    }
  }

  delete() {
    this.gone = true;
  }
}

/** The seventy colours of Live's chooser: "the nearest color from the ... color chooser is taken". */
const PALETTE = (
  "ff94a6 ffa529 cc9927 f7f47c bffb00 1aff2f 25ffa8 5cffe8 8bc5ff 5480e4 92a7ff d86ce4 e553a0 ffffff " +
  "ff3636 f66c03 99724b fff034 87ff67 3dc300 00bfaf 19e9ff 10a4ee 007dc0 886ce4 b677c6 ff39d4 d0d0d0 " +
  "e2675a ffa374 d3ad71 edffae d2e498 bad074 9bc48d d4fde1 cdf1f8 b9c1e3 cdbbe4 ae98e5 e5dce1 a9a9a9 " +
  "c6928b b78256 99836a bfba69 a6be00 7db04d 88c2ba 9bb3c4 85a5c2 8393cc a595b5 bf9fbe bc7196 7b7b7b " +
  "af3333 a95131 724f41 dbc300 85961f 539f31 0a9c8e 236384 1a2f96 2f52a2 624bad a34bad cc2e6e 3c3c3c"
)
  .split(" ")
  .map((text) => parseInt(text, 16));

function nearestColor(value) {
  const parts = (color) => [color >> 16, (color >> 8) & 255, color & 255];
  const distance = (color) => parts(color).reduce((sum, part, index) => sum + (part - parts(value)[index]) ** 2, 0);
  return PALETTE.reduce((best, color) => (distance(color) < distance(best) ? color : best));
}

class Application extends LomObject {
  constructor(live) {
    super(live, "Application", null);
    this.open_dialog_count = 0;
    this.view = new LomObject(live, "Application.View", this);
    this.view.focused_document_view = "Session";
    this.view.focus_view = () => null;
    this.view.show_view = () => null;
  }

  get_major_version() {
    return this.live.version[0];
  }

  get_minor_version() {
    return this.live.version[1] || 0;
  }

  get_bugfix_version() {
    return this.live.version[2] || 0;
  }

  get_version_string() {
    const [major, minor, bugfix] = this.live.version;
    return bugfix ? `${major}.${minor}.${bugfix}` : `${major}.${minor}`;
  }

  get_document() {
    return this.live.song;
  }
}

class Song extends LomObject {
  constructor(live, options) {
    super(live, "Song", null);
    Object.assign(this, {
      tempo: Math.fround(options.tempo),
      is_playing: false,
      signature_numerator: options.signature[0],
      signature_denominator: options.signature[1],
      root_note: options.root,
      scale_name: options.scale,
      scale_mode: options.scaleMode,
      scale_intervals: [0, 2, 4, 5, 7, 9, 11],
      current_song_time: 0,
      song_length: 0,
      can_redo: false,
      name: "",
      file_path: "",
      tracks: [],
      return_tracks: [],
      scenes: [],
    });
    this.view = new SongView(live, this);
  }

  get visible_tracks() {
    return this.tracks;
  }

  get can_undo() {
    return this.live.undoSteps > 0;
  }

  put(name, value) {
    if (name === "tempo") {
      // "Current tempo of the Live Set in BPM, 20.0 ... 999.0"; that others are refused, not bent, is inferred.
      if (value < 20 || value > 999) {
        throw new Refusal("Tempo is out of range");
      }
      super.put(name, Math.fround(value)); // a C float inside Live: 60.23 reads as 60.2299995...
      return;
    }
    super.put(name, value);
  }

  create_scene(index) {
    return this.live.insertScene(index);
  }

  delete_scene(index) {
    this.live.removeScene(index);
    return null;
  }

  create_audio_track(index) {
    return this.live.insertTrack("audio", "", index);
  }

  create_midi_track(index) {
    return this.live.insertTrack("midi", "", index);
  }

  delete_track(index) {
    this.live.deleteTrack(index);
    return null;
  }

  start_playing() {
    this.put("is_playing", true);
    return null;
  }

  stop_playing() {
    this.put("is_playing", false);
    return null;
  }

  begin_undo_step() {
    this.live.undo.begin();
    return null;
  }

  end_undo_step() {
    this.live.undo.end();
    return null;
  }
}

class SongView extends LomObject {
  constructor(live, song) {
    super(live, "Song.View", song);
    this.detail_clip = null;
    this.selected_track = null;
    this.selected_scene = null;
  }

  /** "The slot highlighted in the Session View", by the selected track and scene; none on return and main tracks. */
  get highlighted_clip_slot() {
    const track = this.selected_track;
    const scene = this.live.song.scenes.indexOf(this.selected_scene);
    return (track && track.clip_slots && track.clip_slots[scene]) || null;
  }

  put(name, value) {
    if (name === "highlighted_clip_slot") {
      this.put("selected_track", value.canonical_parent);
      this.put("selected_scene", this.live.song.scenes[value.canonical_parent.clip_slots.indexOf(value)]);
      return;
    }
    super.put(name, value);
  }

  select_device() {
    return null;
  }
}

class Scene extends LomObject {
  constructor(live, name) {
    super(live, "Scene", live.song);
    this.name = name;
    this.color = 0xffffff;
    this.is_triggered = false;
  }

  get clip_slots() {
    const index = this.live.song.scenes.indexOf(this);
    return this.live.song.tracks.map((track) => track.clip_slots[index]);
  }

  get is_empty() {
    return this.clip_slots.every((slot) => !slot.clip);
  }

  fire() {
    return null;
  }
}

class Track extends LomObject {
  /** `type` is audio, midi, group or return. */
  constructor(live, type, name) {
    super(live, "Track", live.song);
    const clips = type === "audio" || type === "midi";
    Object.assign(this, {
      trackType: type,
      name,
      color: 0x10a4ee,
      // Live says 1 for audio tracks; that group tracks say 1 as well is inferred, and why is_foldable must be asked.
      has_audio_input: type === "audio" || type === "group",
      has_audio_output: type !== "midi",
      has_midi_input: type === "midi",
      has_midi_output: type === "midi",
      is_foldable: type === "group",
      is_frozen: false,
      can_be_frozen: clips,
      can_be_armed: clips,
      is_visible: true,
      arm: false,
      mute: false,
      solo: false,
      playing_slot_index: -1,
      fired_slot_index: -1,
      group_track: null,
      devices: [],
      arrangement_clips: [],
    });
    // Return tracks have no slots; a group track's are there and stay empty.
    this.clip_slots = type === "return" ? [] : live.song.scenes.map(() => new ClipSlot(live, this));
  }

  get slots() {
    return this.clip_slots;
  }

  get is_grouped() {
    return this.group_track !== null;
  }

  get is_part_of_selection() {
    return this.live.song.view.selected_track === this;
  }

  stop_all_clips() {
    return null;
  }

  delete_clip(clip) {
    if (!clip || clip.canonical_parent.canonical_parent !== this) {
      throw new Refusal("The clip is not on this track");
    }
    return clip.canonical_parent.delete_clip();
  }

  delete() {
    super.delete();
    this.clip_slots.forEach((slot) => slot.delete());
    this.devices.forEach((device) => device.delete());
  }
}

class Device extends LomObject {
  constructor(live, track, name) {
    super(live, "MaxDevice", track);
    this.name = name;
    this.class_name = "MxDeviceAudioEffect";
    this.class_display_name = "Max Audio Effect";
    this.type = 2; // "0 = undefined, 1 = instrument, 2 = audio effect, 4 = midi effect"
    this.is_active = true;
    this.parameters = [];
  }
}

class ClipSlot extends LomObject {
  constructor(live, track) {
    super(live, "ClipSlot", track);
    Object.assign(this, {
      clip: null,
      has_stop_button: true,
      is_playing: false,
      is_recording: false,
      is_triggered: false,
      controls_other_clips: false,
      playing_status: 0,
      will_record_on_start: false,
    });
  }

  get has_clip() {
    return this.clip !== null;
  }

  get is_group_slot() {
    return this.canonical_parent.trackType === "group";
  }

  hold(clip) {
    this.clip = clip;
    this.live.changed(this, "has_clip", "clip");
    this.live.moved();
    return clip;
  }

  create_clip(length) {
    if (!(length > 0)) {
      throw new Refusal("The length of the clip must be greater than 0");
    }
    this.mustTake("midi");
    return this.hold(this.live.clips.midi(this, length));
  }

  /** The words were read in a running Live 12.4, except those about a slot that is not empty, which are inferred. */
  create_audio_clip(path) {
    this.mustTake("audio");
    if (!/^(\/|[A-Za-z]:[\\/])/.test(String(path))) {
      throw new Refusal("Please provide an absolute path", "value");
    }
    const clip = this.live.clips.audio(this, String(path));
    if (!clip) {
      throw new Refusal("The provided path does not appear to point to a valid audio file", "value");
    }
    return this.hold(clip);
  }

  mustTake(type) {
    const track = this.canonical_parent;
    if (track.trackType !== type) {
      const [clips, tracks] = type === "audio" ? ["Audio", "audio"] : ["MIDI", "MIDI"];
      throw new Refusal(`${clips} clips can only be created on ${tracks} tracks`);
    }
    if (track.is_frozen) {
      throw new Refusal("Clips cannot be created on frozen tracks");
    }
    if (this.clip) {
      throw new Refusal("The clip slot already has a clip");
    }
  }

  delete_clip() {
    if (!this.clip) {
      throw new Refusal("The clip slot has no clip");
    }
    const clip = this.clip;
    this.clip = null;
    clip.delete();
    this.live.changed(this, "has_clip", "clip");
    this.live.moved();
    return null;
  }

  delete() {
    super.delete();
    if (this.clip) {
      this.clip.delete();
    }
  }

  fire() {
    return null;
  }

  stop() {
    return null;
  }
}

module.exports = { Application, Song, Scene, Track, Device, ClipSlot, LomObject, Refusal, nearestColor };
