// protocol.js against vectors.json, which is made from the server's own tables: same atoms, same bytes, same values.
"use strict";

const assert = require("node:assert");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { describe, test } = require("node:test");

const protocol = require("../../max4live/src/protocol");
const { Sending } = require("../../max4live/src/melodies");
const osc = require("./stand_in/osc");

const vectors = JSON.parse(readFileSync(join(__dirname, "vectors.json"), "utf8"));
const OTHERS = ["VERSION", "PORT", "NOTES_A_MESSAGE", "KEYS", "REPLIES", "read", "bpmText"];

describe("the protocol's tables", () => {
  test("numbers and keys are the server's", () => {
    assert.strictEqual(protocol.VERSION, vectors.protocol);
    assert.strictEqual(protocol.PORT, vectors.port);
    assert.strictEqual(protocol.NOTES_A_MESSAGE, vectors.notes_a_message);
    assert.deepStrictEqual(protocol.KEYS, vectors.keys);
  });

  test("replies are the server's: kinds, addresses, names, types and their order", () => {
    assert.deepStrictEqual(protocol.REPLIES, vectors.replies);
  });

  test("no argument is called kind, which names the reply itself", () => {
    const names = Object.values(vectors.replies).flatMap((reply) => reply.arguments.map(([name]) => name));
    assert.ok(!names.includes("kind"));
  });
});

describe("what the device sends", () => {
  test("every builder has vectors", () => {
    const builders = Object.keys(protocol).filter((name) => !OTHERS.includes(name));
    assert.deepStrictEqual(builders.sort(), [...new Set(vectors.sent.map((vector) => vector.build))].sort());
  });

  vectors.sent.forEach((vector, number) => {
    test(`${number} ${vector.build}: ${JSON.stringify(vector.given).slice(0, 70)}`, () => {
      const built = protocol[vector.build](...vector.given);
      const messages = Array.isArray(built[0]) ? built : [built];
      assert.deepStrictEqual(messages, vector.messages);
      assert.deepStrictEqual(messages.map((atoms) => osc.encode(atoms).toString("hex")), vector.datagrams);
    });
  });

  test("a key that generate does not take is a fault", () => {
    assert.throws(() => protocol.generate("r1", [["bpm", "120"]]), /generate takes no bpm/);
  });

  test("building leaves the clip as it was", () => {
    const clip = { length: 4, notes: [{ pitch: 60, start: 0, duration: 1, velocity: 99.5 }] };
    const before = structuredClone(clip);
    protocol.melody("clip-1", clip);
    assert.deepStrictEqual(clip, before);
  });
});

describe("what the device gets", () => {
  vectors.received.forEach((vector, number) => {
    const { kind, code = "" } = vector.read;
    test(`${number} ${kind} ${code}`, () => {
      const atoms = osc.decode(Buffer.from(vector.datagram, "hex"));
      assert.deepStrictEqual(atoms, vector.atoms);
      assert.deepStrictEqual(protocol.read(atoms), vector.read);
      assert.deepStrictEqual(protocol.read([...atoms, "of a later server", 1]), vector.read);
      assert.strictEqual(protocol.read(atoms.slice(0, -1)), null);
      assert.strictEqual(protocol.read([atoms[0]]), null);
    });
  });

  test("what is no reply is none", () => {
    const others = [[], [""], ["/loopgen/hello", "a", 1, 0], ["/loopgen/knock", "a"], ["constructor"], ["toString", 1],
      ["/loopgen/constructor", "a"], ["/loopgen/melody_ok", "a", 1], ["welcome", "a", 1, 1, "a", "a", "a", "a"]];
    others.forEach((atoms) => assert.strictEqual(protocol.read(atoms), null, JSON.stringify(atoms)));
  });

  test("a word where a number belongs makes it none; digits where text belongs are text", () => {
    assert.strictEqual(protocol.read(["/loopgen/accepted", "r1", "5f0c21aa", "first"]), null);
    assert.deepStrictEqual(protocol.read(["/loopgen/accepted", "r1", 12345678, 0]),
      { kind: "accepted", req: "r1", job: "12345678", position: 0 });
  });
});

describe("a clip that lost notes on its way", () => {
  const clip = vectors.sent.find((vector) => vector.build === "melodyFrom").given[1];
  vectors.missing.forEach(({ text, offset }) => {
    test(`goes again from where the server says: ${text}`, () => {
      const sent = [];
      const ports = { send: (atoms) => sent.push(atoms), later: () => ({ cancel() {} }) };
      const sending = new Sending(ports, "clip-1", clip, () => assert.fail("it has not arrived"));
      sending.start();
      sent.length = 0;
      const error = protocol.read(["/loopgen/error", "clip-1", "melody_incomplete", text, "/loopgen/melody/end"]);
      assert.ok(sending.receive(error));
      assert.deepStrictEqual(sent, protocol.melodyFrom("clip-1", clip, offset));
    });
  });
});

describe("tempo as text", () => {
  vectors.tempos.forEach(({ value, text }) => {
    test(`${value} is ${text}`, () => assert.strictEqual(protocol.bpmText(value), text));
  });

  test("every hundredth that Live shows, from 20 to 999, comes back from its 32-bit float", () => {
    for (let hundredths = 2000; hundredths <= 99900; hundredths += 1) {
      const shown = hundredths / 100;
      assert.strictEqual(protocol.bpmText(Math.fround(shown)), String(shown));
    }
  });

  test("any 32-bit float comes back whole, in no more digits than it needs", () => {
    let state = 1;
    for (let i = 0; i < 20000; i += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const tempo = Math.fround(20 + (state / 2 ** 32) * 979);
      const text = protocol.bpmText(tempo);
      const places = (text.split(".")[1] || "").length;
      assert.strictEqual(Math.fround(Number(text)), tempo);
      assert.ok(places === 0 || Math.fround(Number(tempo.toFixed(places - 1))) !== tempo, text);
    }
  });
});
