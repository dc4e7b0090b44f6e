// connection.js finds a port for the answers and the server, in a small world of its own.
"use strict";

const assert = require("node:assert");
const { describe, test } = require("node:test");

const { KNOCK, FIRST_PORT, LAST_PORT } = require("../../max4live/src/connection");
const protocol = require("../../max4live/src/protocol");
const { SERVER, WELCOME, Server, Instance, world, connected } = require("./loopback");

describe("a port for the answers", () => {
  test("nothing is done before start", () => {
    const { clock, net } = world();
    const one = new Instance(net, "a");
    one.connection.heard("a-1");
    one.connection.heard("");
    one.connection.receive(WELCOME);
    one.connection.hello();
    one.connection.toPort(11300);
    one.connection.stop();
    clock.advance(60_000);
    assert.deepStrictEqual([one.log, one.told, clock.timers, one.connection.replyPort()], [[], [], [], 0]);
  });

  test("the first is taken if it is free, and named to the server", () => {
    const { server, one } = connected();
    assert.deepStrictEqual(one.states(), ["opening", "searching", "connected"]);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT);
    assert.deepStrictEqual(server.hellos(), [["/loopgen/hello", "Max for Live a", protocol.VERSION, FIRST_PORT]]);
  });

  test("there is none while it is being found", () => {
    const { net } = world();
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    assert.deepStrictEqual([one.connection.replyPort(), one.states()], [0, ["opening"]]);
  });

  test("64 instances find a port each and do not take each other's knocks for their own", () => {
    const { clock, net } = world();
    const server = new Server(net, SERVER);
    const all = Array.from({ length: LAST_PORT - FIRST_PORT + 1 }, (_, i) => new Instance(net, `t${i}`));
    all.forEach((one) => one.connection.start(SERVER));
    clock.advance(25_000);
    const found = all.map((one) => one.connection.replyPort());
    assert.strictEqual(new Set(found).size, all.length);
    assert.ok(found.every((port) => port >= FIRST_PORT && port <= LAST_PORT));
    assert.ok(all.every((one) => one.states().at(-1) === "connected"));
    assert.deepStrictEqual([...server.clients.values()].sort(), found.sort());
  });

  test("ports of other programs are passed over, in at most 300 ms each", () => {
    const { clock, net } = world();
    new Server(net, SERVER);
    [0, 1, 2].forEach((i) => net.hold(FIRST_PORT + i, () => {}));
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(3 * 300 + 50);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 3);
    assert.deepStrictEqual(one.states(), ["opening", "searching", "connected"]);
  });

  test("where all are held it goes round and round, until one is free", () => {
    const { clock, net } = world();
    new Server(net, SERVER);
    const other = () => {};
    for (let port = FIRST_PORT; port <= LAST_PORT; port += 1) net.hold(port, other);
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(60_000);
    assert.deepStrictEqual(one.states(), ["opening"]);
    assert.deepStrictEqual(one.sent("/loopgen/hello"), []);
    net.release(FIRST_PORT + 20, other);
    clock.advance(64 * 300 + 500);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 20);
  });

  test("a server that lies within the range is left its port", () => {
    const { clock, net } = world();
    new Server(net, FIRST_PORT);
    const one = new Instance(net, "a");
    one.connection.start(FIRST_PORT);
    clock.advance(1000);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 1);
    assert.ok(!one.log.some(([what, port]) => what !== "send" && what !== "toServer" && port === FIRST_PORT));
  });

  test("that is so, too, where the ports before it are held", () => {
    const { clock, net } = world();
    net.hold(FIRST_PORT, () => {});
    const server = new Server(net, FIRST_PORT + 1);
    const one = new Instance(net, "a");
    one.connection.start(FIRST_PORT + 1);
    clock.advance(1000);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 2);
    assert.deepStrictEqual(server.heard, server.hellos());
  });

  test("a server that is to come to the own port gets it", () => {
    const { clock, net, one } = connected();
    one.connection.toPort(FIRST_PORT);
    clock.advance(300);
    new Server(net, FIRST_PORT);
    clock.advance(2000);
    assert.deepStrictEqual(one.told.slice(3, 6), [["searching", null], ["opening", null], ["searching", null]]);
    assert.deepStrictEqual([one.connection.replyPort(), one.states().at(-1)], [FIRST_PORT + 1, "connected"]);
  });

  test("a knock that comes after its port was given up opens no other", () => {
    const { clock, net } = world();
    const one = new Instance(net, "a");
    net.delay = 350; // longer than a port is waited for
    one.connection.start(SERVER);
    clock.advance(2000);
    assert.deepStrictEqual(one.states(), ["opening"]);
    net.delay = 1;
    clock.advance(1000);
    assert.deepStrictEqual(one.states(), ["opening", "searching"]);
  });

  test("nor does one that Max had in its queue meanwhile", () => {
    const { clock, net } = world();
    const words = [];
    net.hold(FIRST_PORT, (atoms) => words.push(atoms[1]));
    net.hold(FIRST_PORT + 1, () => {});
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(350);
    one.connection.heard(words[0]);
    assert.deepStrictEqual([one.states(), one.port], [["opening"], FIRST_PORT + 1]);
  });

  test("a receiver that takes 150 ms to open its port is waited for", () => {
    const { clock, net } = world();
    const one = new Instance(net, "a");
    net.loses = () => clock.now < 150;
    one.connection.start(SERVER);
    clock.advance(300);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT);
  });

  test("one that is taken over while connected is given up for another", () => {
    const { clock, net, server, one } = connected();
    net.hold(FIRST_PORT + 1, () => {});
    net.holders.set(FIRST_PORT, () => {}); // as SO_REUSEADDR lets programs do on Windows
    clock.advance(17_000);
    assert.deepStrictEqual(one.states().slice(3), ["searching", "opening", "searching", "connected"]);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 2);
    assert.strictEqual(server.clients.get("a"), FIRST_PORT + 2);
  });

  test("is kept where only the knocks are lost, and a welcome comes", () => {
    const { clock, net, server, one } = connected();
    server.stop();
    clock.advance(14_800);
    const send = net.send;
    net.send = (port, atoms, source) => atoms[0] === KNOCK || send.call(net, port, atoms, source);
    server.start();
    clock.advance(5000);
    assert.ok(one.log.filter(([what]) => what === "knock").length > 1);
    assert.deepStrictEqual(one.states().slice(3), ["searching", "connected"]);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT);
  });

  test("is not named to the server before it is found", () => {
    const { clock, net } = world();
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(100);
    for (let port = FIRST_PORT; port < FIRST_PORT + 9; port += 1) net.holders.set(port, () => {});
    clock.advance(60_000);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 9);
    const ports = one.sent("/loopgen/hello").map((hello) => hello[5]);
    assert.deepStrictEqual(new Set(ports), new Set([FIRST_PORT, FIRST_PORT + 9]));
  });

  test("one that is taken over while there is no server is given up too", () => {
    const { clock, net } = world();
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(2500);
    net.holders.set(FIRST_PORT, () => {});
    clock.advance(10_000);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 1);
    assert.deepStrictEqual(one.states(), ["opening", "searching", "opening", "searching"]);
  });
});

describe("the server", () => {
  test("is asked for each second until it is there, then every 5 s", () => {
    const { clock, net } = world();
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(10_500);
    assert.strictEqual(one.sent("/loopgen/hello").length, 11);
    assert.deepStrictEqual(one.states(), ["opening", "searching"]);
    assert.strictEqual(one.told[1][1], null);
    const server = new Server(net, SERVER);
    clock.advance(1000);
    assert.deepStrictEqual(one.told.at(-1), ["connected", WELCOME]);
    clock.advance(60_000);
    assert.strictEqual(server.hellos().length, 1 + 12);
    assert.strictEqual(one.told.length, 3);
  });

  test("is there in spite of one answer that was lost", () => {
    const { clock, net, one } = connected();
    clock.advance(2000);
    net.loses = () => clock.now < 8000;
    clock.advance(30_000);
    assert.deepStrictEqual(one.states(), ["opening", "searching", "connected"]);
  });

  test("is gone after two, and what it last said is kept", () => {
    const { clock, server, one } = connected();
    server.stop();
    clock.advance(14_000);
    assert.deepStrictEqual(one.states().at(-1), "connected");
    clock.advance(2000);
    assert.deepStrictEqual(one.told.at(-1), ["searching", WELCOME]);
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT);
    server.start();
    clock.advance(1000);
    assert.deepStrictEqual(one.told.at(-1), ["connected", WELCOME]);
    assert.strictEqual(one.told.length, 5);
  });

  test("that was started anew and has forgotten its clients knows them again within 5 s", () => {
    const { clock, server, one } = connected();
    clock.advance(1000);
    server.stop();
    server.start();
    assert.strictEqual(server.clients.size, 0);
    clock.advance(5000);
    assert.deepStrictEqual([...server.clients], [["a", FIRST_PORT]]);
    assert.deepStrictEqual(one.states(), ["opening", "searching", "connected"]);
  });

  test("is heard of when it says something new, and only then", () => {
    const { clock, server, one } = connected();
    const said = ["starting", "ready", "working", "failed"].map((state) => ({ ...WELCOME, state }));
    said.push({ ...WELCOME, licence: "CC-BY-NC 4.0", engine: "musicgen:small" });
    said.forEach((welcome) => {
      server.welcome = welcome;
      clock.advance(10_000);
    });
    assert.deepStrictEqual(one.told.slice(3), said.map((welcome) => ["connected", welcome]));
  });

  test("may welcome twice", () => {
    const { one } = connected();
    one.connection.receive({ ...WELCOME });
    one.connection.receive({ ...WELCOME });
    assert.strictEqual(one.told.length, 3);
  });

  test("of another protocol is connected to, and the device sees which", () => {
    const { clock, net } = world();
    new Server(net, SERVER, { ...WELCOME, protocol: 7 });
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(100);
    assert.strictEqual(one.told.at(-1)[0], "connected");
    assert.strictEqual(one.told.at(-1)[1].protocol, 7);
  });

  test("welcomes; nothing else that it says makes it found", () => {
    const { clock, net } = world();
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    clock.advance(500);
    one.connection.receive({ kind: "ok", req: "" });
    one.connection.receive({ kind: "error", req: "", code: "busy", message: "", address: "" });
    assert.deepStrictEqual(one.states(), ["opening", "searching"]);
  });

  test("is asked at once on demand, and however often that is, it is not thought gone", () => {
    const { clock, net, server, one } = connected();
    const before = server.hellos().length;
    net.loses = () => true;
    for (let i = 0; i < 9; i += 1) one.connection.hello();
    assert.strictEqual(one.sent("/loopgen/hello").length, before + 9);
    net.loses = () => false;
    clock.advance(20_000);
    assert.deepStrictEqual(one.states(), ["opening", "searching", "connected"]);
    server.welcome = { ...WELCOME, state: "working" };
    one.connection.hello();
    clock.advance(10);
    assert.strictEqual(one.told.at(-1)[1].state, "working");
    clock.advance(20_000);
    assert.deepStrictEqual(one.states(), ["opening", "searching", "connected", "connected"]);
  });
});
