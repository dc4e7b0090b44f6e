"use strict";

/** Small devices written by hand, for the tests of the stand-in of Max. */

const { test } = require("node:test");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const max = require("./max");

/** The devices of a test: closed when it ends. */
const MADE = [];
const FOLDER = fs.mkdtempSync(path.join(os.tmpdir(), "loopgen-max-"));
test.afterEach(() => {
  while (MADE.length) {
    MADE.pop().close();
  }
});
process.on("exit", () => fs.rmSync(FOLDER, { recursive: true, force: true }));

/** The fields of a box that is a parameter of Live's. */
function parameter(longname, details) {
  return { saved_attribute_attributes: { valueof: { parameter_longname: longname, ...details } } };
}

/**
 * A device of boxes and cords. A box is a text ("prepend foo") or the fields of one; its name is its varname. Boxes lie
 * beside each other from left to right in the order given.
 */
function device(boxes, cords = [], { script = "", ...options } = {}) {
  const names = Object.keys(boxes);
  const made = names.map((name, index) => {
    const given = typeof boxes[name] === "string" ? { maxclass: "newobj", text: boxes[name] } : boxes[name];
    const box = {
      id: `obj-${index + 1}`,
      varname: name,
      numinlets: 2,
      numoutlets: 4,
      patching_rect: [index * 50, 0, 40, 20],
    };
    return { box: { ...box, ...given } };
  });
  const lines = cords.map((text) => {
    const [, from, outlet, to, inlet] = /^(\S+) (\d+) > (\S+) (\d+)$/.exec(text);
    const id = (name) => `obj-${names.indexOf(name) + 1}`;
    return { patchline: { source: [id(from), Number(outlet)], destination: [id(to), Number(inlet)] } };
  });
  const folder = fs.mkdtempSync(path.join(FOLDER, "device-"));
  fs.writeFileSync(path.join(folder, "logic.js"), script);
  const chunk = (tag, data) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    return Buffer.concat([Buffer.from(tag), size, data]);
  };
  const patch = Buffer.from(JSON.stringify({ patcher: { boxes: made, lines } }) + "\n\0");
  const file = path.join(folder, "Test.amxd");
  fs.writeFileSync(
    file,
    Buffer.concat([chunk("ampf", Buffer.from("aaaa")), chunk("meta", Buffer.alloc(4)), chunk("ptch", patch)]),
  );
  const opened = max.open(file, options);
  MADE.push(opened);
  return opened;
}

/** A [js] that writes down in `log` what comes in. */
const LISTENER = `
  "use strict";
  var log = [];
  this.outlets = 4;
  function anything() { log.push([messagename].concat(arrayfromargs(arguments))); }
  function msg_int(value) { log.push(["msg_int", value]); }
  function msg_float(value) { log.push(["msg_float", value]); }
  function list() { log.push(["list"].concat(arrayfromargs(arguments))); }
`;

/** What a LISTENER wrote down. */
function log(opened) {
  return JSON.parse(JSON.stringify(opened.find("logic").world.log));
}

/** A device with a [js] that [live.thisdevice] bangs, and whatever else is given. */
function script(source, boxes = {}, cords = [], options = {}) {
  return device({ ready: "live.thisdevice", logic: "js logic.js", ...boxes }, ["ready 0 > logic 0", ...cords], {
    script: source,
    ...options,
  });
}

module.exports = { device, script, parameter, log, LISTENER, MADE };
