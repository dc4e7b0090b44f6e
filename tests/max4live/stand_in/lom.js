"use strict";

/**
 * The part of the Live Object Model that a device like this one reaches: what each class has, of which type, whether it
 * can be set and observed, and since which Live.
 *
 * After Cycling '74's "Live Object Model" (docs.cycling74.com/apiref/lom). Names that are missing here are missing for
 * Max as well: Live keeps a list of what it shows to Max and answers everything else with "'Song' object has no
 * attribute ...", even where its own Python scripts can use it. `begin_undo_step` and `end_undo_step` are of that kind:
 * real, and not on the list that Live 12.0 has.
 *
 * A property reads "TYPE [set] [observe] [since N.N.N] [audio|midi]".
 */

const PROPERTIES = {
  Application: {
    open_dialog_count: "int observe",
    view: "object",
  },
  "Application.View": { focused_document_view: "string observe" },
  Song: {
    tempo: "float set observe",
    is_playing: "bool set observe",
    signature_numerator: "int set observe",
    signature_denominator: "int set observe",
    root_note: "int set observe",
    scale_name: "string set observe",
    // In the documentation from Live 12 on, and not on the list of Live 11: taken as Live 12's (inferred).
    scale_mode: "bool set observe since 12.0.0",
    scale_intervals: "list observe",
    current_song_time: "float set observe",
    song_length: "float observe",
    can_undo: "bool",
    can_redo: "bool",
    name: "string since 12.0.0",
    file_path: "string since 12.0.0",
    tracks: "list observe",
    visible_tracks: "list observe",
    return_tracks: "list observe",
    scenes: "list observe",
    master_track: "object",
    view: "object",
  },
  "Song.View": {
    detail_clip: "object set observe",
    // "highlighted_clip_slot ... get, set": the one view property that cannot be observed.
    highlighted_clip_slot: "object set",
    selected_track: "object set observe",
    selected_scene: "object set observe",
  },
  Track: {
    name: "string set observe",
    color: "color set observe",
    has_audio_input: "bool observe",
    has_audio_output: "bool observe",
    has_midi_input: "bool observe",
    has_midi_output: "bool observe",
    is_foldable: "bool",
    is_frozen: "bool observe",
    can_be_frozen: "bool",
    can_be_armed: "bool",
    is_grouped: "bool",
    is_visible: "bool",
    is_part_of_selection: "bool",
    arm: "bool set observe",
    mute: "bool set observe",
    solo: "bool set observe",
    playing_slot_index: "int observe",
    fired_slot_index: "int observe",
    group_track: "object",
    clip_slots: "list observe",
    arrangement_clips: "list observe",
    devices: "list observe",
  },
  ClipSlot: {
    clip: "object observe",
    has_clip: "bool observe",
    has_stop_button: "bool set observe",
    is_group_slot: "bool",
    is_playing: "bool",
    is_recording: "bool",
    is_triggered: "bool observe",
    controls_other_clips: "bool observe",
    playing_status: "int observe",
    will_record_on_start: "bool",
  },
  Scene: {
    name: "string set observe",
    color: "color set observe",
    is_empty: "bool",
    is_triggered: "bool observe",
    clip_slots: "list observe",
  },
  Clip: {
    name: "string set observe",
    color: "color set observe",
    muted: "bool set observe",
    is_audio_clip: "bool",
    is_midi_clip: "bool",
    is_arrangement_clip: "bool",
    is_playing: "bool set",
    is_recording: "bool observe",
    is_triggered: "bool",
    length: "float",
    looping: "bool set observe",
    loop_start: "float set observe",
    loop_end: "float set observe",
    start_marker: "float set observe",
    end_marker: "float set observe",
    position: "float set observe",
    start_time: "float observe",
    end_time: "float observe",
    signature_numerator: "int set observe",
    signature_denominator: "int set observe",
    // Observers of notes get a bang; there is nothing to get.
    notes: "bang observe midi",
    warping: "bool set observe audio",
    warp_mode: "int set observe audio",
    available_warp_modes: "list audio",
    warp_markers: "dict observe audio since 11.0.0",
    gain: "float set observe audio",
    pitch_coarse: "int set observe audio",
    pitch_fine: "float set observe audio",
    ram_mode: "bool set observe audio",
    file_path: "string observe audio",
    sample_length: "int audio",
    sample_rate: "float audio",
  },
  MaxDevice: {
    name: "string set observe",
    class_name: "string",
    class_display_name: "string",
    type: "int",
    is_active: "bool observe",
    parameters: "list observe",
  },
};

const FUNCTIONS = {
  Application: {
    get_major_version: "",
    get_minor_version: "",
    get_bugfix_version: "",
    get_version_string: "",
    get_document: "",
  },
  "Application.View": { focus_view: "", show_view: "" },
  Song: {
    create_scene: "writes",
    delete_scene: "writes",
    create_audio_track: "writes",
    create_midi_track: "writes",
    delete_track: "writes",
    start_playing: "writes",
    stop_playing: "writes",
    undo: "writes",
    redo: "writes",
    begin_undo_step: "hidden",
    end_undo_step: "hidden",
  },
  "Song.View": { select_device: "writes" },
  Track: { stop_all_clips: "writes", delete_clip: "writes" },
  ClipSlot: {
    create_clip: "writes",
    // "Given an absolute path to a valid audio file ...": from Live 12.0.5 on.
    create_audio_clip: "writes since 12.0.5",
    delete_clip: "writes",
    duplicate_clip_to: "writes",
    fire: "writes",
    stop: "writes",
  },
  Scene: { fire: "writes" },
  Clip: {
    get_notes_extended: "since 11.0.0",
    get_all_notes_extended: "since 11.1.0",
    add_new_notes: "writes since 11.0.0",
    add_warp_marker: "writes since 11.0.0",
    move_warp_marker: "writes since 11.0.0",
    remove_warp_marker: "writes since 11.0.0",
    crop: "writes",
    fire: "writes",
    stop: "writes",
  },
  MaxDevice: {},
};

/** -1, 0 or 1: how version `a` stands to version `b`, each as [major, minor, bugfix]. */
function compareVersions(a, b) {
  for (let index = 0; index < 3; index += 1) {
    const difference = (a[index] || 0) - (b[index] || 0);
    if (difference) {
      return Math.sign(difference);
    }
  }
  return 0;
}

function describe(text, version) {
  const words = text.split(" ").filter(Boolean);
  const since = words.indexOf("since");
  if (since >= 0 && compareVersions(version, words[since + 1].split(".").map(Number)) < 0) {
    return null;
  }
  return { type: words[0], has: (word) => words.includes(word) };
}

/** What Live shows of a property to Max: `{type, has(word)}`; null where that Live has no such property. */
function property(kind, name, version) {
  if (name === "canonical_parent") {
    return describe("object", version);
  }
  const text = (PROPERTIES[kind] || {})[name];
  return text === undefined ? null : describe(text, version);
}

/** The same for a function. */
function method(kind, name, version) {
  const text = (FUNCTIONS[kind] || {})[name];
  return text === undefined ? null : describe(text, version);
}

function names(kind) {
  return { properties: Object.keys(PROPERTIES[kind] || {}), functions: Object.keys(FUNCTIONS[kind] || {}) };
}

module.exports = { property, method, names, compareVersions };
