"use strict";

const { test } = require("node:test");
const assert = require("node:assert/strict");
const amxd = require("./stand_in/amxd");

const u32 = (value, big) => {
  const bytes = Buffer.alloc(4);
  return big ? (bytes.writeUInt32BE(value), bytes) : (bytes.writeUInt32LE(value), bytes);
};
const chunk = (tag, data) => Buffer.concat([Buffer.from(tag), u32(data.length), data]);
const field = (tag, data) => Buffer.concat([Buffer.from(tag), u32(data.length + 8, true), data]);

const PATCH = { patcher: { boxes: [], lines: [], project: { amxdtype: 1633771873 } } };
const TEXT = Buffer.from(JSON.stringify(PATCH) + "\n\0");

function device(content, kind = "aaaa", meta = 0) {
  return Buffer.concat([chunk("ampf", Buffer.from(kind)), chunk("meta", u32(meta)), chunk("ptch", content)]);
}

function entry(type, name, size, offset, flag) {
  const padded = Buffer.from(name + "\0".repeat(4 - (name.length % 4)));
  return field(
    "dire",
    Buffer.concat([
      field("type", Buffer.from(type)),
      field("fnam", padded),
      field("sz32", u32(size, true)),
      field("of32", u32(offset, true)),
      field("vers", u32(0, true)),
      field("flag", u32(flag, true)),
      field("mdat", u32(3850070400, true)),
    ]),
  );
}

function frozen({ flags = [0x11, 0], sizes = {} } = {}) {
  const script = Buffer.from("var a = 1;\n");
  const footer = 16 + TEXT.length + script.length;
  const head = Buffer.concat([Buffer.from("mx@c"), u32(16, true), u32(0), u32(footer, true)]);
  const entries = [
    entry("JSON", "Loopgen.amxd", TEXT.length, 16, flags[0]),
    entry("TEXT", "logic.js", sizes.script ?? script.length, 16 + TEXT.length, flags[1]),
  ];
  return Buffer.concat([head, TEXT, script, field("dlst", Buffer.concat(entries))]);
}

test("a device that is being worked on: its patch alone", () => {
  assert.deepEqual(amxd.parse(device(TEXT)), { kind: "audio", frozen: false, patch: PATCH, files: {} });
  assert.equal(amxd.parse(device(TEXT, "mmmm", 1)).kind, "midi");
});

test("a frozen device: its patch and its files", () => {
  assert.deepEqual(amxd.parse(device(frozen(), "aaaa", 7)), {
    kind: "audio",
    frozen: true,
    patch: PATCH,
    files: { "logic.js": "var a = 1;\n" },
  });
});

test("what Max would not open is refused, and why is said", () => {
  const broken = [
    [device(TEXT, "bbbb"), /the type "bbbb"/],
    [device(TEXT.subarray(0, -1)), /does not end with a NUL/],
    [device(Buffer.from("{no json\n\0")), /is no JSON/],
    [device(TEXT).subarray(0, -1), /reaches past the end/],
    [Buffer.concat([device(TEXT), Buffer.from("xx")]), /a chunk's head is cut off/],
    [chunk("ampf", Buffer.from("aaaa")), /one of ampf, meta, ptch is missing/],
    [device(frozen({ flags: [0, 0] })), /not exactly one entry is the device itself/],
    [device(frozen({ flags: [0x11, 0x11] })), /not exactly one entry is the device itself/],
    [device(frozen({ sizes: { script: 10000 } })), /logic.js reaches past the files/],
    [device(frozen().subarray(0, -3)), /directory reaches past the end/],
  ];
  for (const [bytes, words] of broken) {
    assert.throws(() => amxd.parse(bytes), words);
  }
});

test("the built device opens", { skip: !process.env.LOOPGEN_AMXD && "no device was built" }, () => {
  const built = amxd.read(process.env.LOOPGEN_AMXD);
  assert.equal(built.kind, "audio");
  assert.ok(built.patch.patcher.boxes.length > 0);
  const scripts = built.patch.patcher.boxes.map(({ box }) => /^js (\S+)/.exec(box.text || "")).filter(Boolean);
  assert.ok(scripts.length > 0);
  scripts.forEach(([, name]) => assert.ok(built.files[name], `${name} is inside`));
});
