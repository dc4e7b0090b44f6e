"use strict";

/** Paths like "live_set tracks 0 clip_slots 3 clip": to the object, and from an object to its canonical path. */

const lom = require("./lom");

/** The object at a path; null where there is none. What Live prints about a path goes to `say`. */
function resolve(live, host, parts, say) {
  if (!parts.length) {
    return null;
  }
  if (parts[0] === "this_device" && !host.device) {
    say("The this_device root is only available inside a Max for Live device");
    return null;
  }
  const roots = { live_app: live.app, live_set: live.song, this_device: host.device };
  let at = roots[parts[0]];
  for (const part of parts.slice(1)) {
    if (at === null || at === undefined) {
      return null;
    }
    if (/^\d+$/.test(part)) {
      at = Array.isArray(at) ? at[Number(part)] : null;
      continue;
    }
    const known = at.kind && lom.property(at.kind, part, live.version);
    if (!known) {
      return null;
    }
    if (known.type !== "object" && known.type !== "list") {
      say(`component '${part}' is not an object`);
      return null;
    }
    at = at[part];
  }
  return at && at.kind && !at.gone ? at : null;
}

/** The canonical path, in parts. */
function pathOf(live, object) {
  if (object === live.app) {
    return ["live_app"];
  }
  if (object === live.song) {
    return ["live_set"];
  }
  const parent = object.canonical_parent;
  const lists = { Scene: "scenes", Track: "tracks", ClipSlot: "clip_slots", MaxDevice: "devices" };
  const list = lists[object.kind];
  if (object === live.song.master_track) {
    return ["live_set", "master_track"];
  }
  const own = list ? [list, String(parent[list].indexOf(object))] : [object.kind === "Clip" ? "clip" : "view"];
  return [...pathOf(live, parent), ...own];
}

module.exports = { resolve, pathOf };
