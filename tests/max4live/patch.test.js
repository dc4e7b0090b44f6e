"use strict";

/** What the patch alone has to see to: what is typed and chosen is kept with the Live set and comes back with it. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const max = require("./stand_in/max");

function open(t, options) {
  const device = max.open(process.env.LOOPGEN_AMXD, options);
  t.after(() => device.close());
  return device;
}

/** The device as it is after its set was saved and opened again. */
function reopened(t, device, options) {
  const stored = device.stored();
  device.close();
  return open(t, { ...options, stored });
}

for (const order of ["parameters first", "bang first"]) {
  test(`settings come back with the set, ${order}`, (t) => {
    const device = open(t, { order });
    device.type("prompt", "dub techno, rolling bass");
    device.choose("bars", "16");
    device.turn("seed", 3481207);
    device.click("lock");
    device.turn("guidance", 4.5);
    const again = reopened(t, device, { order });
    assert.equal(again.shown("prompt").text, "dub techno, rolling bass");
    assert.equal(again.shown("bars").text, "16");
    assert.equal(again.shown("seed").value, 3481207);
    assert.equal(again.shown("lock").value, 1);
    assert.equal(again.shown("guidance").value, 4.5);
    assert.deepEqual([again.console, again.faults], [[], []]);
  });
}

// Words that [route], [pattr] or [prepend] could take for something else, and numbers.
for (const prompt of ["bang", "list", "int", "bang bang", "text", "name", "init", "clear", "set", "808", "1.50", "a; b, c", 'say "yes"', "$1", "-"]) {
  test(`the prompt ${prompt} is kept as it was typed`, (t) => {
    const device = open(t);
    device.type("prompt", prompt);
    const again = reopened(t, device);
    assert.equal(again.shown("prompt").text, prompt);
  });
}

test("what is kept survives being written down as plain words", (t) => {
  const device = open(t);
  device.type("prompt", '  "808", a\\b; $1 50% + [ü] \u{1F941}');
  const words = device.stored().Memory;
  assert.equal(words.length, 5);
  for (const word of words.slice(1)) {
    assert.match(word, /^=[\w.!~*'()%+-]*$/);
  }
  assert.deepEqual(words, words.join(" ").split(" "));
  assert.equal(reopened(t, device).shown("prompt").text, device.shown("prompt").text);
});

test("a prompt that was taken away stays away", (t) => {
  const device = open(t);
  device.type("prompt", "house");
  device.type("prompt", "");
  assert.equal(reopened(t, device).shown("prompt").text, "");
});

test("a new device says nothing on the console and keeps its initial values", (t) => {
  const device = open(t);
  assert.deepEqual(device.stored().Memory, ["memory", "=", "=", "=", "="]);
  assert.equal(device.shown("bars").text, "4");
  assert.equal(device.shown("scale").value, 1);
  assert.equal(device.shown("port").value, 11200);
  assert.deepEqual([device.console, device.faults], [[], []]);
});

test("buttons and the bar are no part of what the set keeps", (t) => {
  const kept = Object.keys(open(t).stored()).sort();
  const automated = ["Bars", "Follow Clip", "Follow Scale", "Guidance", "Lock Seed", "Temperature", "Variations"];
  assert.deepEqual(kept, [...automated, "Memory", "Seed", "Server Port"].sort());
});
