// connection.js when servers change, when it is stopped, and whatever else happens.
"use strict";

const assert = require("node:assert");
const { describe, test } = require("node:test");

const { FIRST_PORT } = require("../../max4live/src/connection");
const { SERVER, WELCOME, Server, Instance, world, connected, pending } = require("./loopback");

describe("another server port", () => {
  test("is asked after a bye to the old one", () => {
    const { clock, net, server, one } = connected();
    const other = new Server(net, 11300, { ...WELCOME, version: "0.2.0" });
    one.connection.toPort(11300);
    assert.deepStrictEqual(one.told.at(-1), ["searching", null]);
    clock.advance(500);
    assert.strictEqual(one.told.at(-1)[1].version, "0.2.0");
    assert.deepStrictEqual([server.clients.size, other.clients.get("a")], [0, FIRST_PORT]);
  });

  test("is asked at once on demand", () => {
    const { clock, net, one } = connected();
    new Server(net, 11300);
    one.connection.toPort(11300);
    one.connection.hello();
    clock.advance(10);
    assert.strictEqual(one.states().at(-1), "connected");
  });

  test("is not found by a late welcome of the old one", () => {
    const { clock, net, one } = connected();
    net.delay = 60;
    one.connection.hello();
    one.connection.toPort(11300);
    clock.advance(5000);
    assert.deepStrictEqual(one.told.at(-1), ["searching", null]);
  });

  test("that is dialled passes through many, which are not asked", () => {
    const { clock, one } = connected();
    for (let port = 11201; port <= 11300; port += 1) {
      one.connection.toPort(port);
      clock.advance(10);
    }
    clock.advance(900);
    assert.deepStrictEqual(new Set(one.sent("/loopgen/hello").map(([, port]) => port)), new Set([11200, 11300]));
    assert.strictEqual(one.connection.replyPort(), FIRST_PORT);
  });

  test("given while a port for the answers is being found is the one that is asked", () => {
    const { clock, net } = world();
    new Server(net, 11300);
    const one = new Instance(net, "a");
    one.connection.start(SERVER);
    one.connection.toPort(11300);
    clock.advance(1000);
    assert.strictEqual(one.states().at(-1), "connected");
  });

  test("makes what the old one said void, even while the own port is lost", () => {
    const { clock, net, one } = connected();
    for (let port = FIRST_PORT; port < FIRST_PORT + 20; port += 1) net.holders.set(port, () => {});
    clock.advance(17_000);
    assert.deepStrictEqual(one.told.at(-1), ["opening", WELCOME]);
    one.connection.toPort(11300);
    assert.deepStrictEqual(one.told.at(-1), ["opening", null]);
  });

  test("given before start counts only with start; the same again is nothing", () => {
    const { one } = connected();
    const before = one.log.length;
    one.connection.toPort(SERVER);
    one.connection.start(SERVER);
    assert.strictEqual(one.log.length, before);
  });
});

describe("stop", () => {
  const moments = [0, 1, 2, 50, 99, 150, 250, 320, 1100, 5500, 12_000, 16_000, 16_150, 21_500];
  for (const canCancel of [true, false]) {
    for (const moment of moments) {
      test(`${moment} ms after start${canCancel ? "" : ", with a clock that fires what was cancelled"}`, () => {
        const { clock, net } = world();
        clock.canCancel = canCancel;
        const server = new Server(net, SERVER);
        net.hold(FIRST_PORT, () => {});
        const one = new Instance(net, "a");
        one.connection.start(SERVER);
        clock.advance(Math.min(moment, 6000));
        if (moment > 6000) server.stop();
        clock.advance(Math.max(0, moment - 6000));
        const greeted = one.connection.replyPort() > 0;
        one.connection.stop();
        const [told, log] = [one.told.length, one.log.length];
        assert.strictEqual(one.log.at(-1).includes("/loopgen/bye"), greeted);
        if (canCancel) assert.deepStrictEqual(pending(clock), []);
        clock.advance(30_000); // welcomes and knocks that were under way arrive
        one.connection.receive(WELCOME);
        one.connection.stop();
        one.connection.hello();
        assert.deepStrictEqual([one.told.length, one.log.length], [told, log]);
        assert.strictEqual(one.connection.replyPort(), 0);
        assert.strictEqual(server.clients.size, 0);
      });
    }
  }

  test("and start again", () => {
    const { clock, server, one } = connected();
    one.connection.stop();
    clock.advance(10);
    one.connection.start(SERVER);
    clock.advance(100);
    assert.deepStrictEqual(one.states().slice(3), ["opening", "searching", "connected"]);
    assert.strictEqual(server.clients.size, 1);
  });
});

describe("whatever happens", () => {
  for (const state of ["opening", "searching", "connected"]) {
    for (const [name, act] of Object.entries({
      stop: (connection) => connection.stop(),
      toPort: (connection) => connection.toPort(11300),
      "toPort, the own": (connection) => connection.toPort(FIRST_PORT),
      hello: (connection) => connection.hello(),
    })) {
      for (const delay of [1, null]) {
        test(`${name} called when told ${state}, ${delay ? "on a wire" : "where datagrams arrive at once"}`, () => {
          const { clock, net } = world();
          net.delay = delay;
          new Server(net, SERVER);
          new Server(net, 11300);
          let acted = false;
          const one = new Instance(net, "a", (connection, told) => {
            if (told === state && !acted) {
              acted = true;
              act(connection);
            }
          });
          one.connection.start(SERVER);
          clock.advance(3000);
          assert.ok(acted);
          assert.ok(pending(clock).length <= 2);
          if (name === "stop") {
            assert.deepStrictEqual([pending(clock), one.states().at(-1)], [[], state]);
          } else if (name === "toPort, the own") {
            assert.strictEqual(one.connection.replyPort(), FIRST_PORT + 1);
          } else {
            assert.strictEqual(one.states().at(-1), "connected");
          }
        });
      }
    }
  }

  test("two instances find their way through losses, late clocks, thieves and servers that come and go", () => {
    let state = 42;
    const random = (below) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 200; round += 1) {
      const { clock, net } = world();
      const servers = [new Server(net, SERVER), new Server(net, FIRST_PORT + 2)];
      const all = [new Instance(net, "a"), new Instance(net, "b")];
      clock.lateness = () => (random(4) ? 0 : random(3000));
      net.loses = () => random(5) === 0;
      all.forEach((one) => one.connection.start(SERVER));
      for (let step = 0; step < 30; step += 1) {
        const one = all[random(2)];
        const server = servers[random(2)];
        const acts = [
          () => one.connection.toPort(server.port),
          () => one.connection.hello(),
          () => one.connection.stop(),
          () => one.connection.start(server.port),
          () => server.stop(),
          () => net.holders.has(server.port) || server.start(),
          () => one.connection.receive(WELCOME),
          () => { if (one.port && one.port !== server.port) net.holders.set(one.port, () => {}); },
        ];
        acts[random(acts.length)]();
        clock.advance(random(4000));
        assert.ok(pending(clock).length <= 4);
      }
      clock.lateness = () => 0;
      net.loses = () => false;
      servers.forEach((server) => net.holders.set(server.port, server.receive));
      all.forEach((one, i) => one.connection.start(servers[i].port));
      clock.advance(60_000);
      all.forEach((one, i) => {
        assert.strictEqual(one.states().at(-1), "connected", `round ${round}`);
        assert.strictEqual(servers[i].clients.get(i ? "b" : "a"), one.connection.replyPort(), `round ${round}`);
      });
      all.forEach((one) => one.connection.stop());
      assert.deepStrictEqual(pending(clock), []);
    }
  });
});
