"use strict";

/** Clips: regions and their order, notes, and audio clips with Live's warping, that comes a moment after the clip. */

const { LomObject, Refusal } = require("./objects");
const { WarpMarkers } = require("./warp_markers");
const audioFile = require("./audio_file");

class Clip extends LomObject {
  constructor(live, slot, length, looping) {
    super(live, "Clip", slot);
    this.loop = [0, length];
    this.markers = [0, length];
    Object.assign(this, {
      name: "",
      color: 0xffa529,
      muted: 0,
      looping: Number(looping),
      is_playing: false,
      is_recording: false,
      is_triggered: false,
      is_arrangement_clip: false,
      signature_numerator: live.song.signature_numerator,
      signature_denominator: live.song.signature_denominator,
      start_time: 0,
    });
  }

  get is_midi_clip() {
    return !this.is_audio_clip;
  }

  /** "For looped clips: loop start. For unlooped clips: clip start"; the same for the end. */
  get region() {
    return this.looping ? this.loop : this.markers;
  }

  get loop_start() {
    return this.region[0];
  }

  get loop_end() {
    return this.region[1];
  }

  get start_marker() {
    return this.markers[0];
  }

  get end_marker() {
    return this.markers[1];
  }

  get position() {
    return this.loop_start;
  }

  get end_time() {
    return this.loop_end;
  }

  get length() {
    return this.loop_end - this.loop_start;
  }

  put(name, value) {
    switch (name) {
      case "loop_start":
        // Read in a running Live 12.4: refused, not bent, and the value stays as it was.
        this.move(this.region, 0, value, "Cannot set LoopStart behind LoopEnd", name);
        break;
      case "loop_end":
        this.move(this.region, 1, value, "Cannot set LoopEnd before LoopStart", name);
        break;
      case "start_marker":
        // Read in Live 12.4: without a loop "the start_marker setter is ignored". The words of both are inferred from
        // the documentation: "Cannot be set behind the end marker", "Cannot be set before the start marker".
        if (this.looping) {
          this.move(this.markers, 0, value, "Cannot set StartMarker behind EndMarker", name);
        }
        break;
      case "end_marker":
        this.move(this.markers, 1, value, "Cannot set EndMarker before StartMarker", name);
        break;
      case "position":
        this.region.splice(0, 2, value, value + this.length); // "preserves the loop length"
        this.live.changed(this, "position", "loop_start", "loop_end");
        break;
      case "looping":
        super.put(name, value);
        break;
      default:
        super.put(name, value);
    }
  }

  move(range, end, value, refusal, name) {
    if (end === 0 ? value >= range[1] : value <= range[0]) {
      throw new Refusal(refusal);
    }
    range[end] = value;
    this.live.changed(this, name);
  }

  delete() {
    super.delete();
    if (this.live.song.view.detail_clip === this) {
      this.live.song.view.put("detail_clip", null);
    }
  }

  crop() {
    this.markers = [...this.region];
    return null;
  }

  fire() {
    return null;
  }

  stop() {
    return null;
  }
}

const NOTE = { velocity: 100, mute: 0, probability: 1, velocity_deviation: 0, release_velocity: 64 };

class MidiClip extends Clip {
  constructor(live, slot, length) {
    super(live, slot, length, true);
    this.is_audio_clip = false;
    this.notes = [];
    this.nextNote = 1;
  }

  addNotes(notes) {
    const ids = notes.map((note) => {
      const whole = {
        note_id: this.nextNote,
        pitch: note.pitch,
        start_time: note.start_time,
        duration: note.duration,
        ...NOTE,
        ...note,
      };
      whole.note_id = this.nextNote;
      whole.mute = Number(Boolean(whole.mute));
      this.nextNote += 1;
      this.notes.push(whole);
      return whole.note_id;
    });
    this.live.changed(this, "notes");
    return ids;
  }

  add_new_notes(text) {
    const notes = dictionary(text).notes;
    if (!Array.isArray(notes)) {
      throw new Refusal("The main key in the dictionary must be 'notes'");
    }
    return this.addNotes(notes);
  }

  /**
   * "Returns a dictionary of notes that have their start times in the given area": a note that began before it and
   * still sounds is not among them. Absolute clip time; the order is not promised, so it is not by time here. Spans
   * that are not positive, and pitches that MIDI does not have, are refused (the words are inferred).
   */
  get_notes_extended(fromPitch, pitchSpan, fromTime, timeSpan) {
    if (![fromPitch, pitchSpan].every(Number.isInteger) || ![fromTime, timeSpan].every(Number.isFinite)) {
      throw new Refusal("from_pitch, pitch_span, from_time, time_span", "type");
    }
    if (fromPitch < 0 || pitchSpan < 1 || fromPitch + pitchSpan > 128) {
      throw new Refusal("Invalid pitch span", "value");
    }
    if (timeSpan <= 0) {
      throw new Refusal("Invalid time span", "value");
    }
    const inside = (note) =>
      note.pitch >= fromPitch &&
      note.pitch < fromPitch + pitchSpan &&
      note.start_time >= fromTime &&
      note.start_time < fromTime + timeSpan;
    return JSON.stringify({ notes: [...this.notes].reverse().filter(inside) });
  }

  get_all_notes_extended() {
    return JSON.stringify({ notes: [...this.notes].reverse() });
  }
}

/** What a script gave for a dictionary: LiveAPI hands it to Live as JSON. */
function dictionary(text) {
  try {
    const value = JSON.parse(text);
    if (value && typeof value === "object") {
      return value;
    }
  } catch {
    // said below
  }
  throw new Refusal("Malformatted dictionary argument", "value");
}

class AudioClip extends Clip {
  /**
   * A new clip is there at once; its tempo and with it its length in beats come a moment later, when Live has looked
   * at the file. That is inferred from scripts that wait before they set the loop; how long, and how wrong the guess
   * is, the test says (`warp` of Live's options).
   */
  constructor(live, slot, path, file) {
    const seconds = file.frames / file.rate;
    const beats = (seconds * live.song.tempo) / 60;
    super(live, slot, beats, false);
    this.is_audio_clip = true;
    this.seconds = seconds;
    this.edited = false;
    Object.assign(this, {
      name: path.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, ""),
      file_path: path,
      sample_length: file.frames,
      sample_rate: file.rate,
      warping: Number(live.warp.warped),
      warp_mode: live.warp.mode,
      available_warp_modes: [0, 1, 2, 3, 4, 6],
      gain: 0.4,
      pitch_coarse: 0,
      pitch_fine: 0,
      ram_mode: false,
    });
    this.warp = new WarpMarkers(seconds, beats);
    this.span(this.warping ? beats : seconds);
    live.later(live.warp.settle, () => this.settle(beats));
  }

  get warp_markers() {
    return { warp_markers: this.warp.list() };
  }

  /** The tempo that Live takes the file to have, once it has looked at it. */
  settle(beats) {
    if (this.gone || this.edited) {
      return;
    }
    const whole = Math.abs(beats - Math.round(beats)) < 0.02 ? Math.round(beats) : beats;
    this.warp = new WarpMarkers(this.seconds, whole * this.live.warp.guess);
    if (this.warping) {
      this.span(whole * this.live.warp.guess);
    }
    this.live.changed(this, "warp_markers", "loop_start", "loop_end", "end_marker");
  }

  span(length) {
    this.loop = [0, length];
    this.markers = [0, length];
  }

  put(name, value) {
    switch (name) {
      case "warping":
        if (Boolean(value) !== Boolean(this.warping)) {
          const turn = value ? (seconds) => this.warp.beatAt(seconds) : (beats) => this.warp.secondsAt(beats);
          this.loop = this.loop.map(turn);
          this.markers = this.markers.map(turn);
          this.looping = value ? this.looping : 0;
        }
        super.put(name, value);
        break;
      case "looping":
        if (value && !this.warping) {
          throw new Refusal("Unwarped audio cannot be looped"); // the documentation's words
        }
        super.put(name, value);
        break;
      case "warp_mode":
        if (!this.available_warp_modes.includes(value)) {
          throw new Refusal("Invalid warp mode");
        }
        super.put(name, value);
        break;
      case "gain":
        if (value < 0 || value > 1) {
          throw new Refusal("Gain is out of range"); // read in Live 12.4
        }
        super.put(name, value);
        break;
      default:
        super.put(name, value);
    }
  }

  editWarp(edit) {
    if (!this.warping) {
      throw new Refusal("Only available for warped Audio Clips");
    }
    edit(this.warp);
    this.edited = true;
    this.live.changed(this, "warp_markers");
    return null;
  }

  add_warp_marker(text) {
    return this.editWarp((warp) => warp.add(dictionary(text)));
  }

  move_warp_marker(beat, distance) {
    return this.editWarp((warp) => warp.move(beat, distance));
  }

  remove_warp_marker(beat) {
    return this.editWarp((warp) => warp.remove(beat));
  }
}

/** Makers of clips for the slots of one Live set. */
function clipsOf(live) {
  return {
    midi: (slot, length) => new MidiClip(live, slot, length),
    audio(slot, path) {
      const file = audioFile.measure(path);
      return file && new AudioClip(live, slot, path, file);
    },
  };
}

module.exports = { clipsOf, MidiClip, AudioClip };
