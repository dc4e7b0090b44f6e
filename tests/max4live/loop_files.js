"use strict";

/** Audio files for the stand-in to make clips of: silence, as many beats long as a loop of loopgen's would be. */

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

/** A folder that is there until the process ends, with a name that a script could split. */
const FOLDER = fs.mkdtempSync(path.join(os.tmpdir(), "loopgen loops "));
process.on("exit", () => fs.rmSync(FOLDER, { recursive: true, force: true }));

/** The path of a new mono 16-bit WAV file of so many beats at a tempo, to the nearest frame. */
function loopFile({ name = "loop", beats = 16, bpm = 120, rate = 44100 } = {}) {
  const frames = Math.round((beats * 60 * rate) / bpm);
  const bytes = Buffer.alloc(44 + 2 * frames);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(36 + 2 * frames, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); // PCM
  bytes.writeUInt16LE(1, 22); // one channel
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(2 * rate, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(2 * frames, 40);
  const file = path.join(FOLDER, `${name} ${fs.readdirSync(FOLDER).length}.wav`);
  fs.writeFileSync(file, bytes);
  return file;
}

module.exports = { loopFile, FOLDER };
