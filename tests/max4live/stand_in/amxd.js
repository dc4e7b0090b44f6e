"use strict";

/**
 * Reads a Max for Live device from its bytes, by the format alone.
 *
 * Flat chunks, each a four-letter tag and a little-endian length: `ampf` the type of device, `meta` its version,
 * `ptch` the patch: as JSON with a closing NUL in a device that is being worked on; with everything it needs, behind
 * `mx@c` and big-endian, in a frozen one.
 */

const fs = require("node:fs");

const KINDS = { aaaa: "audio", mmmm: "midi", iiii: "instrument" };

function need(condition, words) {
  if (!condition) {
    throw new Error(`not a device that Max would open: ${words}`);
  }
}

function chunks(data) {
  const found = {};
  let at = 0;
  while (at < data.length) {
    need(at + 8 <= data.length, "a chunk's head is cut off");
    const tag = data.toString("latin1", at, at + 4);
    const size = data.readUInt32LE(at + 4);
    need(at + 8 + size <= data.length, `chunk ${tag} of ${size} bytes reaches past the end`);
    found[tag] = data.subarray(at + 8, at + 8 + size);
    at += 8 + size;
  }
  return found;
}

/** The fields of one `dire` entry: name, size, offset, flag. */
function entry(data) {
  const fields = {};
  let at = 0;
  while (at + 8 <= data.length) {
    const tag = data.toString("latin1", at, at + 4);
    const size = data.readUInt32BE(at + 4);
    need(size >= 8 && at + size <= data.length, `directory field ${tag} has the size ${size}`);
    fields[tag] = data.subarray(at + 8, at + size);
    at += size;
  }
  for (const tag of ["type", "fnam", "sz32", "of32"]) {
    need(fields[tag], `a directory entry without ${tag}`);
  }
  return {
    type: fields.type.toString("latin1"),
    name: fields.fnam.toString("utf8").replace(/\0+$/, ""),
    size: fields.sz32.readUInt32BE(),
    offset: fields.of32.readUInt32BE(),
    flag: fields.flag ? fields.flag.readUInt32BE() : 0,
  };
}

function directory(bytes) {
  need(bytes.readUInt32BE(4) === 16, "the head of mx@c is not 16 bytes long");
  const footer = Number(bytes.readBigUInt64BE(8));
  need(
    footer + 8 <= bytes.length && bytes.toString("latin1", footer, footer + 4) === "dlst",
    "no directory where the head says",
  );
  const end = footer + bytes.readUInt32BE(footer + 4);
  need(end <= bytes.length, "the directory reaches past the end");
  const entries = [];
  for (let at = footer + 8; at < end;) {
    need(bytes.toString("latin1", at, at + 4) === "dire", "something else than entries in the directory");
    const size = bytes.readUInt32BE(at + 4);
    need(size >= 8 && at + size <= end, "an entry reaches past the directory");
    entries.push(entry(bytes.subarray(at + 8, at + size)));
    at += size;
  }
  return entries.map((item) => {
    need(item.offset + item.size <= footer, `${item.name} reaches past the files`);
    return { ...item, data: bytes.subarray(item.offset, item.offset + item.size) };
  });
}

function json(data, name) {
  try {
    return JSON.parse(data.toString("utf8").replace(/\0+$/, ""));
  } catch (error) {
    throw new Error(`not a device that Max would open: ${name} is no JSON: ${error.message}`);
  }
}

/** What a device holds: `{kind, frozen, patch, files: {name: text}}`. */
function parse(data) {
  const found = chunks(data);
  need(found.ampf && found.meta && found.ptch, "one of ampf, meta, ptch is missing");
  const code = found.ampf.toString("latin1");
  need(KINDS[code], `the type ${JSON.stringify(code)}`);
  if (found.ptch.toString("latin1", 0, 4) !== "mx@c") {
    need(found.ptch[found.ptch.length - 1] === 0, "the patch does not end with a NUL");
    return { kind: KINDS[code], frozen: false, patch: json(found.ptch, "the patch"), files: {} };
  }
  const entries = directory(found.ptch);
  const own = entries.filter((item) => item.flag & 0x10);
  need(own.length === 1 && own[0].type === "JSON", "not exactly one entry is the device itself");
  const files = {};
  for (const item of entries) {
    if (item !== own[0]) {
      files[item.name] = item.data.toString("utf8");
    }
  }
  return { kind: KINDS[code], frozen: true, patch: json(own[0].data, own[0].name), files };
}

function read(path) {
  return parse(fs.readFileSync(path));
}

module.exports = { read, parse };
