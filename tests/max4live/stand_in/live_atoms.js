"use strict";

/**
 * Values between a script and the set.
 *
 * What a script gives to LiveAPI's `set` and `call`, as it arrives at Live:
 * Max sends one line of text, which Live takes apart again: numbers, "id" followed by a number, text in double quotes
 * or up to the next space. Whether Max puts the quotes around text with spaces has been found both ways; see `text`
 * of Live's options.
 */

const lom = require("./lom");
const { Refusal, nearestColor } = require("./objects");

function pieces(text) {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map((match) =>
    match[1] !== undefined ? match[1] : /^-?\d+(\.\d*)?$/.test(match[2]) ? Number(match[2]) : match[2],
  );
}

function flat(live, value) {
  if (Array.isArray(value)) {
    return value.flatMap((item) => flat(live, item));
  }
  if (typeof value === "boolean") {
    return [Number(value)];
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) {
      throw new Refusal(`set: invalid value`, "attribute");
    }
    return [value];
  }
  if (typeof value === "string") {
    const id = /^id (\d+)$/.exec(value);
    if (id) {
      return ["id", Number(id[1])];
    }
    return live.text === "split" ? pieces(value) : [value];
  }
  if (value && typeof value === "object") {
    return [JSON.stringify(value)]; // a dictionary
  }
  throw new Refusal(`Invalid syntax: '${String(value)}'`, "attribute");
}

/** The values that Live gets: numbers, text, and objects in place of their ids. */
function parse(live, values) {
  const found = [];
  for (const atom of values.flatMap((value) => flat(live, value))) {
    if (typeof atom === "number" && found[found.length - 1] === "id") {
      const object = atom === 0 ? null : live.byId(atom);
      if (object === undefined) {
        throw new Refusal("Invalid id", "attribute");
      }
      found[found.length - 1] = object;
    } else {
      found.push(atom);
    }
  }
  return found;
}

/** A value of the set as atoms. Text that is a number comes out as one: on its way it was a message to be read. */
function atomsOf(live, value) {
  if (value === null || value === undefined) {
    return ["id", 0];
  }
  if (Array.isArray(value)) {
    return value.flatMap((item) => atomsOf(live, item));
  }
  switch (typeof value) {
    case "boolean":
      return [Number(value)];
    case "string":
      return [/^-?\d+(\.\d*)?$/.test(value) ? Number(value) : value];
    case "number":
      return [value];
    default:
      return value.kind ? ["id", live.idOf(value)] : [JSON.stringify(value)];
  }
}

/** What this Live shows of an object's property; null for nothing. */
function describe(live, object, name) {
  return (object && lom.property(object.kind, name, live.version)) || null;
}

function className(object) {
  return object.kind.split(".").pop();
}

function missing(object, name) {
  return new Refusal(`'${className(object)}' object has no attribute '${name}'`, "attribute");
}

/** "Available for audio clips only" and the like; in which words it is said is inferred. */
function onlyFor(object, known, name) {
  if (object.kind === "Clip" && known.has(object.is_audio_clip ? "midi" : "audio")) {
    throw new Refusal(`'${name}' is only available for ${known.has("audio") ? "audio" : "MIDI"} clips`);
  }
}

/** The value that a property can be set to, from what came with `set`; refuses like Live, by the property's type. */
function checked(live, object, name, values) {
  const known = describe(live, object, name);
  const value = values[0];
  const wrong = (words) => new Refusal(words, "attribute");
  if (!known) {
    throw missing(object, name);
  }
  if (/^(list|dict|bang)$/.test(known.type)) {
    throw wrong("set: unsupported property type");
  }
  if (known.type === "object" && !(value && value.kind)) {
    throw wrong(value === null ? "set: type mismatch" : "set: no valid object id");
  }
  if (/^(int|bool|color)$/.test(known.type) && !Number.isInteger(value)) {
    throw wrong("set: invalid value");
  }
  if (
    (known.type === "float" && typeof value !== "number") ||
    (known.type === "string" && !/^(string|number)$/.test(typeof value))
  ) {
    throw wrong("set: type mismatch");
  }
  if (!known.has("set")) {
    throw wrong(`property of '${className(object)}' object has no setter`);
  }
  onlyFor(object, known, name);
  const turn = { bool: Boolean, string: String, color: nearestColor }[known.type];
  return turn ? turn(value) : value;
}

module.exports = { parse, atomsOf, describe, missing, onlyFor, checked };
