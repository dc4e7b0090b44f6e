"use strict";

/**
 * A stand-in for Ableton Live as a Max for Live device meets it: a set with tracks, scenes, slots and clips, ids,
 * observers, refusals and warping, built and watched by tests, and used by a device through `LiveAPI` alone.
 *
 * Sources. Documented: Cycling '74's "Live Object Model" and "LiveAPI". Read in Live: what Live 12's own code does
 * between Max and the set (_MxDCore in its MIDI Remote Scripts), and what others measured in a running Live 12.4 and
 * published, refusals word by word. Whatever is neither says "inferred" where it stands.
 */

const { clipsOf } = require("./clips");
const { LIVE, WARP, chosen } = require("./options");
const { liveApiFor } = require("./live_api");
const { Application, Song, Scene, Track, Device, ClipSlot, Refusal } = require("./objects");

/** Undo steps: each write is one, unless a script brackets several. */
class Undo {
  constructor() {
    this.steps = 0;
    this.depth = 0;
    this.dirty = false;
  }

  wrote() {
    if (this.depth) {
      this.dirty = true;
    } else {
      this.steps += 1;
    }
  }

  begin() {
    this.depth = 1;
  }

  /** "Live does not record empty undo steps"; an end without a beginning does nothing. */
  end() {
    this.steps += this.dirty ? 1 : 0;
    this.depth = 0;
    this.dirty = false;
  }
}

class Live {
  constructor(options = {}) {
    const { scenes, undoSteps, warp, ...rest } = chosen("Live", LIVE, options);
    Object.assign(this, rest, { warp: chosen("warp", WARP, warp), showsUndoSteps: undoSteps });
    this.undo = new Undo();
    this.console = [];
    this.refused = [];
    this.notifying = false;
    this.ids = new Map();
    this.objects = new Map();
    this.observers = new Set();
    this.queue = [];
    this.timers = new Set();
    this.clips = clipsOf(this);
    this.app = new Application(this);
    this.song = new Song(this, this);
    for (let index = 0; index < scenes; index += 1) {
      this.song.scenes.push(new Scene(this, ""));
    }
    this.song.master_track = new Track(this, "return", "Main");
    this.song.view.selected_track = this.song.master_track;
    this.song.view.selected_scene = this.song.scenes[0];
    this.LiveAPI = this.apiFor({ post: (line) => this.console.push(line), ready: () => true, device: null });
  }

  /** LiveAPI for one device: `{post(line), ready(), device}`. */
  apiFor(host) {
    return liveApiFor(this, host);
  }

  // ----------------------------------------------------------------------------------------------- plain views

  get tracks() {
    return this.song.tracks;
  }

  get scenes() {
    return this.song.scenes;
  }

  get view() {
    return this.song.view;
  }

  get undoSteps() {
    return this.undo.steps;
  }

  /** The set as plain data, to hold two moments against each other. */
  snapshot() {
    const clip = (item) =>
      item && {
        name: item.name,
        color: item.color,
        audio: item.is_audio_clip,
        file: item.file_path,
        looping: item.looping,
        loop: [...item.loop],
        markers: [...item.markers],
        warping: item.warping,
        warpMode: item.warp_mode,
      };
    return {
      tempo: this.song.tempo,
      scenes: this.scenes.map((scene) => scene.name),
      tracks: this.tracks.map((track) => ({
        name: track.name,
        type: track.trackType,
        clips: track.slots.map((slot) => clip(slot.clip)),
      })),
      selected: [this.tracks.indexOf(this.view.selected_track), this.scenes.indexOf(this.view.selected_scene)],
      shown: this.view.detail_clip && this.view.detail_clip.name,
    };
  }

  // -------------------------------------------------------------------------------------- what a person does in Live

  addAudioTrack(name) {
    return this.insertTrack("audio", name, -1);
  }

  addMidiTrack(name) {
    return this.insertTrack("midi", name, -1);
  }

  addGroupTrack(name, members = []) {
    const group = this.insertTrack("group", name, members.length ? this.tracks.indexOf(this.trackOf(members[0])) : -1);
    members.forEach((member) => {
      this.trackOf(member).group_track = group;
    });
    return group;
  }

  addDevice(track, name = "Loopgen") {
    const device = new Device(this, this.trackOf(track), name);
    device.canonical_parent.devices.push(device);
    this.changed(device.canonical_parent, "devices");
    return device;
  }

  addScene(name = "") {
    const scene = this.insertScene(-1);
    scene.name = name;
    return scene;
  }

  /** `details`: name, length, notes ({pitch, start, duration, velocity, mute}), looping, loop, markers. */
  addMidiClip(track, scene, details = {}) {
    const slot = this.slotOf(track, scene);
    const clip = slot.create_clip(details.length || 4);
    const { name = "", looping = true, loop = clip.loop, markers = clip.markers } = details;
    Object.assign(clip, { name, looping: Number(looping), loop: [...loop], markers: [...markers] });
    clip.addNotes((details.notes || []).map(({ start, start_time = start, ...note }) => ({ start_time, ...note })));
    return clip;
  }

  addAudioClip(track, scene, path) {
    return this.slotOf(track, scene).create_audio_clip(path);
  }

  select(track, scene) {
    this.view.put("selected_track", this.trackOf(track));
    this.view.put("selected_scene", this.scenes[this.sceneIndex(scene)]);
  }

  showInDetail(clip) {
    this.view.put("detail_clip", clip);
  }

  setTempo(tempo) {
    this.song.put("tempo", tempo);
  }

  setSignature(numerator, denominator) {
    this.song.put("signature_numerator", numerator);
    this.song.put("signature_denominator", denominator);
  }

  setScale(root, name, on = true) {
    this.song.put("root_note", root);
    this.song.put("scale_name", name);
    this.song.put("scale_mode", on);
  }

  play(on = true) {
    this.song.put("is_playing", on);
  }

  freeze(track, on = true) {
    this.trackOf(track).put("is_frozen", on);
  }

  rename(object, name) {
    object.put("name", name);
  }

  deleteTrack(track) {
    const gone = this.trackOf(track);
    const index = this.tracks.indexOf(gone);
    this.tracks.splice(index, 1);
    gone.delete();
    if (this.view.selected_track === gone) {
      this.view.put("selected_track", this.tracks[Math.min(index, this.tracks.length - 1)] || this.song.master_track);
    }
    this.changed(this.song, "tracks", "visible_tracks");
    this.moved();
  }

  deleteClip(track, scene) {
    this.slotOf(track, scene).delete_clip();
  }

  // ------------------------------------------------------------------------------------------------------ structure

  trackOf(track) {
    const found =
      typeof track === "number"
        ? this.tracks[track]
        : typeof track === "string"
          ? this.tracks.find((one) => one.name === track)
          : track;
    if (!found) {
      throw new Error(`the set has no track ${track}; it has ${this.tracks.map((one) => one.name).join(", ")}`);
    }
    return found;
  }

  sceneIndex(scene) {
    return typeof scene === "number" ? scene : this.scenes.indexOf(scene);
  }

  slotOf(track, scene) {
    return this.trackOf(track).clip_slots[this.sceneIndex(scene)];
  }

  insertTrack(type, name, index) {
    const at = this.place(index, this.tracks.length);
    const track = new Track(this, type, name || `${at + 1}-${type === "midi" ? "MIDI" : "Audio"}`);
    this.tracks.splice(at, 0, track);
    if (this.view.selected_track === this.song.master_track) {
      this.view.put("selected_track", track);
    }
    this.changed(this.song, "tracks", "visible_tracks");
    this.moved();
    return track;
  }

  insertScene(index) {
    const at = this.place(index, this.scenes.length);
    const scene = new Scene(this, "");
    this.scenes.splice(at, 0, scene);
    for (const track of this.tracks) {
      track.clip_slots.splice(at, 0, new ClipSlot(this, track));
      this.changed(track, "clip_slots");
    }
    this.changed(this.song, "scenes");
    this.moved();
    return scene;
  }

  removeScene(index) {
    if (this.scenes.length < 2) {
      throw new Refusal("The last scene cannot be deleted");
    }
    if (!(index >= 0 && index < this.scenes.length)) {
      throw new Refusal("Invalid scene index", "value");
    }
    const [scene] = this.scenes.splice(index, 1);
    scene.delete();
    for (const track of this.tracks) {
      track.clip_slots.splice(index, 1)[0].delete();
      this.changed(track, "clip_slots");
    }
    if (this.view.selected_scene === scene) {
      this.view.put("selected_scene", this.scenes[Math.min(index, this.scenes.length - 1)]);
    }
    this.changed(this.song, "scenes");
    this.moved();
  }

  /** "It is only valid between 0 and len(...). Using an index of -1 will add ... at the end of the list." */
  place(index, length) {
    if (index === -1) {
      return length;
    }
    if (!Number.isInteger(index) || index < 0 || index > length) {
      throw new Refusal("Invalid index", "value");
    }
    return index;
  }

  // -------------------------------------------------------------------------------------- ids, observers and time

  idOf(object) {
    if (object === null || object === undefined || object.gone) {
      return 0;
    }
    if (!this.ids.has(object)) {
      const id = this.ids.size + 1;
      this.ids.set(object, id);
      this.objects.set(id, object);
    }
    return this.ids.get(object);
  }

  /** The object of an id; null for one that is gone, undefined for an id that never was. */
  byId(id) {
    const object = this.objects.get(id);
    return object && object.gone ? null : object;
  }

  /** Tells the observers of an object's properties; they are called later, in the order of the changes. */
  changed(object, ...names) {
    for (const observer of [...this.observers]) {
      if (observer.watches(object, names)) {
        observer.notify();
      }
    }
  }

  /** Something was put in or taken out: who follows a path, or an object that went, is told. */
  moved() {
    for (const observer of [...this.observers]) {
      observer.moved();
    }
  }

  /** Calls a script back as Live does: later, one after the other, and with writing forbidden meanwhile. */
  notify(callback) {
    this.queue.push(callback);
    if (this.queue.length === 1) {
      setImmediate(() => this.flush());
    }
  }

  flush() {
    const callbacks = this.queue;
    this.queue = [];
    callbacks.forEach((callback) => this.during(callback));
  }

  during(callback) {
    const before = this.notifying;
    this.notifying = true;
    try {
      callback();
    } finally {
      this.notifying = before;
    }
  }

  later(ms, action) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, ms);
    this.timers.add(timer);
  }

  /** When nothing of Live's own is outstanding any more: callbacks told, files looked at. */
  async idle() {
    do {
      await new Promise((resolve) => setTimeout(resolve, 5));
    } while (this.queue.length || this.timers.size);
  }
}

module.exports = { Live, Refusal };
