"use strict";

const { test } = require("node:test");
const assert = require("node:assert/strict");
const osc = require("./stand_in/osc");

const hex = (text) => Buffer.from(text.replace(/\s/g, ""), "hex");

test("a message is written byte for byte as OSC 1.0 has it", () => {
  const expected = hex(`2f6f7363 696c6c61 746f722f 342f6672 65717565 6e637900 2c660000 43dc0000`);
  assert.deepEqual(osc.encode(["/oscillator/4/frequency", new osc.Float(440)]), expected);
  assert.deepEqual(
    osc.encode(["/foo", 1000, -1, "hello", 1.234, new osc.Float(5.678)]),
    hex(`2f666f6f 00000000 2c696973 66660000 000003e8 ffffffff 68656c6c 6f000000 3f9df3b6 40b5b22d`),
  );
});

test("whole numbers leave as ints, others as floats of 32 bits, too large ones as floats", () => {
  assert.deepEqual(osc.decode(osc.encode(["/n", 3, 3.5, 127.9, 2 ** 31])), ["/n", 3, 3.5, Math.fround(127.9), 2 ** 31]);
  assert.equal(osc.encode(["/n", 3]).toString("latin1", 4, 6), ",i");
  assert.equal(osc.encode(["/n", 2 ** 31]).toString("latin1", 4, 6), ",f");
  assert.equal(osc.encode(["/n", -(2 ** 31)]).toString("latin1", 4, 6), ",i");
});

test("text of any length and alphabet comes back, padded to whole words", () => {
  for (const text of ["", "a", "abc", "abcd", "Bläser, レゲエ, 🎹", "x".repeat(2000)]) {
    const bytes = osc.encode(["/t", text]);
    assert.equal(bytes.length % 4, 0);
    assert.deepEqual(osc.decode(bytes), ["/t", text]);
  }
});

test("what is no atom cannot be sent", () => {
  for (const atom of [undefined, null, NaN, {}, true]) {
    assert.throws(() => osc.encode(["/t", atom]), TypeError);
  }
  assert.throws(() => osc.encode([5]), /begins with its name/);
});

test("answers of a server are read: 64 bits, truth, bundles within bundles", () => {
  const double = Buffer.alloc(8);
  double.writeDoubleBE(60.23);
  assert.deepEqual(osc.decode(Buffer.concat([hex("2f610000 2c646854 46000000"), double, hex("0000000000000007")])), [
    "/a",
    60.23,
    7,
    1,
    0,
  ]);
  const [one, two] = [osc.encode(["/one", 1]), osc.encode(["/two"])];
  const size = (bytes) => hex(bytes.length.toString(16).padStart(8, "0"));
  const head = Buffer.from("#bundle\0\0\0\0\0\0\0\0\x01", "latin1");
  const inner = Buffer.concat([head, size(two), two]);
  assert.deepEqual(osc.decodeAll(Buffer.concat([head, size(one), one, size(inner), inner])), [["/one", 1], ["/two"]]);
});

test("datagrams that are cut off or of unknown types are refused", () => {
  const whole = osc.encode(["/foo", 1, "text"]);
  for (let length = 1; length < whole.length; length += 1) {
    if (length !== 8) {
      assert.throws(() => osc.decode(whole.subarray(0, length)), RangeError, `${length} bytes`);
    }
  }
  assert.throws(() => osc.decode(hex("2f610000 2c5b0000")), /a type that Max does not take/);
});
