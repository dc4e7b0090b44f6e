// connection.js and protocol.js against the real server, over real sockets that do as [udpsend] and [udpreceive] do.
"use strict";

const assert = require("node:assert");
const dgram = require("node:dgram");
const { once } = require("node:events");
const { existsSync } = require("node:fs");
const { after, describe, test } = require("node:test");
const { setTimeout: sleep } = require("node:timers/promises");

const { Connection, KNOCK, FIRST_PORT, LAST_PORT } = require("../../max4live/src/connection");
const protocol = require("../../max4live/src/protocol");
const osc = require("./stand_in/osc");

const HOST = "127.0.0.1";
const SERVER = Number(process.env.LOOPGEN_PORT);
const SEED = 4294967200; // more than the 31 bits of OSC's i, and than the 24 of its f
const HASTE = 4; // times that the connection's clock is faster than the world's
const DEADLINE = 60_000;

const opened = [];
after(() => opened.forEach((one) => one.close()));

async function until(holds, what) {
  const deadline = Date.now() + DEADLINE;
  for (;;) {
    const found = holds();
    if (found) return found;
    assert.ok(Date.now() < deadline, `not within ${DEADLINE / 1000} s: ${what}`);
    await sleep(5);
  }
}

/** A socket on a port (0: any), or null where it is held. */
async function bound(port) {
  const socket = dgram.createSocket("udp4");
  socket.bind(port, HOST);
  try {
    await once(socket, "listening");
  } catch {
    socket.close();
    return null;
  }
  opened.push({ close: () => { try { socket.close(); } catch { /* twice */ } } });
  return socket;
}

/** A device's connection: [udpreceive] says nothing of a port that it does not get, [udpsend] sends from a new port
 * whenever it is told where to. */
class Instance {
  constructor(token) {
    Object.assign(this, { told: [], got: [], ear: null, out: null, server: 0, timers: new Set() });
    const sender = dgram.createSocket("udp4");
    this.knocker = sender;
    const ports = {
      token,
      later: (ms, fn) => {
        const timer = setTimeout(() => {
          this.timers.delete(timer);
          fn();
        }, ms / HASTE);
        this.timers.add(timer);
        return { cancel: () => { clearTimeout(timer); this.timers.delete(timer); } };
      },
      send: (atoms) => this.send(atoms),
      toServer: (port) => {
        if (this.out) this.out.close();
        this.out = dgram.createSocket("udp4");
        this.server = port;
      },
      knock: (port, atoms) => sender.send(osc.encode(atoms), port, HOST),
      listen: (port) => this.listen(port),
    };
    this.connection = new Connection(ports, { changed: (state, welcome) => this.told.push([state, welcome]) });
    opened.push(this);
  }

  send(atoms) {
    this.out.send(osc.encode(atoms), this.server, HOST);
  }

  listen(port) {
    if (this.ear) this.ear.close();
    const ear = dgram.createSocket("udp4");
    this.ear = ear;
    ear.on("error", () => { if (this.ear === ear) this.ear = null; });
    ear.on("message", (datagram) => {
      const atoms = osc.decode(datagram);
      const message = protocol.read(atoms);
      if (atoms[0] === KNOCK) this.connection.heard(atoms[1]);
      else if (message) {
        this.got.push(message);
        this.connection.receive(message);
      }
    });
    ear.bind(port, HOST);
  }

  get state() {
    return this.told.length ? this.told.at(-1)[0] : "";
  }

  /** The first message of such a kind that belongs to a request; it is taken out of those that came. */
  async answer(key, ...kinds) {
    const isIt = (message) => kinds.includes(message.kind) && [message.req, message.id, message.job].includes(key);
    const at = await until(() => this.got.findIndex(isIt) + 1, `${kinds} to ${key}`);
    return this.got.splice(at - 1, 1)[0];
  }

  close() {
    this.connection.stop();
    assert.strictEqual(this.timers.size, 0);
    [this.ear, this.out, this.knocker].forEach((socket) => {
      try { if (socket) socket.close(); } catch { /* twice */ }
    });
    this.ear = null;
  }
}

/** Passes on what it gets, as long as it is open: a server that can be made to disappear. */
class Relay {
  async open(port = 0) {
    this.socket = await bound(port);
    assert.ok(this.socket);
    this.port = this.socket.address().port;
    this.onward = dgram.createSocket("udp4");
    this.socket.on("message", (datagram) => this.onward.send(datagram, SERVER, HOST));
    opened.push(this);
    return this;
  }

  close() {
    if (!this.socket) return;
    this.socket.close();
    this.onward.close();
    this.socket = null;
  }
}

async function connected(token, port = SERVER) {
  const one = new Instance(token);
  one.connection.start(port);
  await until(() => one.state === "connected", `${token} is connected`);
  return one;
}

describe("the connection", () => {
  test("two instances find two ports, each gets a welcome and its own answers", async () => {
    const all = await Promise.all([connected("one"), connected("two")]);
    const ports = all.map((one) => one.connection.replyPort());
    assert.notStrictEqual(ports[0], ports[1]);
    for (const [i, one] of all.entries()) {
      assert.ok(ports[i] >= FIRST_PORT && ports[i] <= LAST_PORT);
      const [, welcome] = one.told.at(-1);
      assert.strictEqual(welcome.protocol, protocol.VERSION);
      assert.strictEqual(welcome.output_root, process.env.LOOPGEN_OUTPUT);
      one.send(protocol.presetList(`presets-${i}`));
      one.send(protocol.engineList(`engines-${i}`));
    }
    for (const [i, one] of all.entries()) {
      const preset = await one.answer(`presets-${i}`, "preset_item");
      assert.ok(preset.total > 0 && preset.name.length > 0);
      const engine = await one.answer(`engines-${i}`, "engine_item");
      assert.ok(engine.total > 0 && engine.licence.length > 0);
    }
    assert.ok(all.every((one, i) => !one.got.some((message) => message.req && message.req.endsWith(`-${1 - i}`))));
    all.forEach((one) => one.close());
  });

  test("ports that other programs hold are passed over", async () => {
    const others = await Promise.all([0, 1, 2].map((i) => bound(FIRST_PORT + i)));
    const one = await connected("three");
    const held = [0, 1, 2].filter((i) => others[i]).map((i) => FIRST_PORT + i); // the rest, other tests hold
    assert.ok(!held.includes(one.connection.replyPort()));
    one.close();
    others.forEach((socket) => { if (socket) socket.close(); });
  });

  test("a server that disappears is missed, looked for, and found when it is back", async () => {
    const relay = await new Relay().open();
    const one = await connected("four", relay.port);
    relay.close();
    await until(() => one.state === "searching", "the server is missed");
    assert.strictEqual(one.told.at(-1)[1].protocol, protocol.VERSION);
    const again = await new Relay().open(relay.port);
    await until(() => one.state === "connected", "the server is back");
    one.close();
    again.close();
  });

  test("a server that comes later, and one at another port, are found", async () => {
    const probe = await bound(0);
    const { port } = probe.address();
    probe.close();
    const one = new Instance("five");
    one.connection.start(port);
    await until(() => one.state === "searching", "an own port");
    const relay = await new Relay().open(port);
    await until(() => one.state === "connected", "the server has come");
    one.connection.toPort(SERVER);
    assert.deepStrictEqual(one.told.at(-1), ["searching", null]);
    await until(() => one.state === "connected", "the other port");
    one.send(protocol.presetList("r1"));
    await one.answer("r1", "preset_item"); // answers come here although [udpsend] has another port now
    one.close();
    relay.close();
  });

  test("a server that has forgotten its clients knows them again", async () => {
    const one = await connected("six");
    one.send(protocol.bye()); // as if it had been started anew
    one.send(protocol.presetList("lost"));
    one.connection.hello();
    one.send(protocol.presetList("r1"));
    await one.answer("r1", "preset_item");
    one.send(protocol.bye());
    const before = one.got.length;
    await until(() => one.got.slice(before).some((message) => message.kind === "welcome"), "the next hello");
    one.send(protocol.presetList("r2"));
    await one.answer("r2", "preset_item");
    assert.strictEqual(one.state, "connected");
    one.close();
  });

  test("a port that another program takes over is given up", async () => {
    const one = await connected("seven");
    const port = one.connection.replyPort();
    one.ear.close();
    one.ear = null;
    const thief = await bound(port);
    await until(() => one.state === "connected" && one.connection.replyPort() !== port, "another port");
    one.send(protocol.engineList("r1"));
    await one.answer("r1", "engine_item");
    one.close();
    if (thief) thief.close();
  });
});

describe("the protocol", () => {
  const clip = {
    length: 32,
    notes: Array.from({ length: 100 }, (_, i) => (
      { pitch: 48 + (i % 24), start: i * 0.3, duration: 0.25, velocity: 64.5 + (i % 60) }
    )),
  };

  test("a melody of 100 notes arrives, and a part that was lost goes again", async () => {
    const one = await connected("eight");
    protocol.melody("clip-1", clip).forEach((atoms) => one.send(atoms));
    assert.strictEqual((await one.answer("clip-1", "melody_ok")).count, 100);
    const messages = protocol.melody("clip-2", clip);
    [...messages.slice(0, 2), ...messages.slice(3)].forEach((atoms) => one.send(atoms));
    const error = await one.answer("clip-2", "error");
    assert.deepStrictEqual([error.code, /^offset 32 /.test(error.message)], ["melody_incomplete", true]);
    protocol.melodyFrom("clip-2", clip, 32).forEach((atoms) => one.send(atoms));
    assert.strictEqual((await one.answer("clip-2", "melody_ok")).count, 100);
    one.close();
  });

  test("a loop is made of exactly what was asked, then laid on another tempo, and both are asked after", async () => {
    const one = await connected("nine");
    protocol.melody("clip-1", clip).forEach((atoms) => one.send(atoms));
    await one.answer("clip-1", "melody_ok");
    one.send(protocol.generate("r1", [
      ["prompt", "Bässe, \"wide\"\n🎹 dub"], ["tempo", protocol.bpmText(Math.fround(127.91))], ["bars", 1], ["num", 7],
      ["den", 8], ["seed", SEED], ["guidance", Math.fround(3.7)], ["melody", "clip-1"],
    ]));
    const { job } = await one.answer("r1", "accepted");
    const done = await one.answer("r1", "done", "error");
    one.send(protocol.ack(job, 1));
    assert.deepStrictEqual([done.kind, done.tempo, done.beats, done.bars], ["done", "127.91", 3.5, 1]);
    const take = Number(done.seed) - SEED; // the first take that became a loop
    assert.ok(take >= 0 && take < 16, done.seed);
    assert.ok(existsSync(done.path));
    one.send(protocol.retempo("r2", done.path, Math.fround(60.23)));
    const again = await one.answer("r2", "done", "error");
    assert.deepStrictEqual([again.kind, again.tempo, again.beats], ["done", "60.23", 3.5]);
    one.send(protocol.job("r3", job));
    assert.strictEqual((await one.answer("r3", "done")).path, done.path);
    one.send(protocol.cancel(job));
    assert.strictEqual((await one.answer(job, "done")).path, done.path);
    one.close();
  });

  test("what cannot be served comes back with its request and a code", async () => {
    const one = await connected("ten");
    one.send(protocol.job("r1", "no such job"));
    assert.strictEqual((await one.answer("r1", "error")).code, "unknown_job");
    one.send(protocol.generate("r2", [["tempo", "12"]]));
    assert.strictEqual((await one.answer("r2", "error")).code, "invalid_request");
    one.send(protocol.generate("r3", [["prompt", "a"], ["engine", "none such"]]));
    assert.strictEqual((await one.answer("r3", "error")).code, "engine_unavailable");
    one.send(protocol.copy("r4", "no such job", 1));
    assert.strictEqual((await one.answer("r4", "error")).code, "unknown_job");
    one.send(protocol.subscribe("state"));
    assert.strictEqual((await one.answer("", "value")).name, "state");
    one.close();
  });
});
