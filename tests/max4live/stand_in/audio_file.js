"use strict";

/** How long an audio file is: as much of WAV and FLAC as Live needs to make a clip of one. */

const fs = require("node:fs");

function wav(bytes) {
  let format = null;
  for (let at = 12; at + 8 <= bytes.length;) {
    const tag = bytes.toString("latin1", at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    if (tag === "fmt ") {
      format = { rate: bytes.readUInt32LE(at + 12), frameBytes: bytes.readUInt16LE(at + 20) };
    }
    if (tag === "data") {
      const there = Math.min(size, bytes.length - at - 8);
      return format && format.frameBytes ? { rate: format.rate, frames: Math.floor(there / format.frameBytes) } : null;
    }
    at += 8 + size + (size % 2);
  }
  return null;
}

function flac(bytes) {
  if (bytes.length < 26) {
    return null;
  }
  const packed = bytes.readBigUInt64BE(18);
  return { rate: Number(packed >> 44n), frames: Number(packed & 0xfffffffffn) };
}

/** `{rate, frames}` of an audio file; null for what is none, or is not there. */
function measure(path) {
  let bytes;
  try {
    bytes = fs.readFileSync(path);
  } catch {
    return null;
  }
  const head = bytes.toString("latin1", 0, 12);
  const found =
    head.startsWith("RIFF") && head.endsWith("WAVE") ? wav(bytes) : head.startsWith("fLaC") ? flac(bytes) : null;
  return found && found.frames > 0 && found.rate > 0 ? found : null;
}

module.exports = { measure };
