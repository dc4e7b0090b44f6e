// connection.js in a small world of its own: a clock that is wound by hand, ports of which each has one owner, a server.
"use strict";

const assert = require("node:assert");
const { describe, test } = require("node:test");

const { Connection, KNOCK, FIRST_PORT, LAST_PORT } = require("../../max4live/src/connection");
const protocol = require("../../max4live/src/protocol");

const SERVER = 11200;
const WELCOME = { kind: "welcome", version: "0.1.0", protocol: 1, max_bytes: 8192, output_root: "/music", engine: "auto",
  state: "ready", licence: "MIT" };

/** Time that passes when told to. `lateness()` is how late the next timer is, as Max's are when Live is busy. */
class Clock {
  constructor() {
    this.now = 0;
    this.timers = [];
    this.lateness = () => 0;
    this.canCancel = true;
  }

  later(ms, fn) {
    const timer = { due: this.now + ms + this.lateness(), fn };
    this.timers.push(timer);
    return { cancel: () => { if (this.canCancel) this.timers = this.timers.filter((other) => other !== timer); } };
  }

  advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = Math.min(...this.timers.map((timer) => timer.due));
      if (!(due <= end)) break;
      const next = this.timers.find((timer) => timer.due === due);
      this.timers.splice(this.timers.indexOf(next), 1);
      this.now = Math.max(this.now, due);
      next.fn();
    }
    this.now = end;
  }
}

/** Loopback: datagrams take `delay` ms to whoever holds the port by then; null: they are there before send returns. */
class Net {
  constructor(clock) {
    this.clock = clock;
    this.holders = new Map();
    this.delay = 1;
    this.loses = () => false;
  }

  hold(port, receive) {
    if (this.holders.has(port)) return false;
    this.holders.set(port, receive);
    return true;
  }

  release(port, receive) {
    if (this.holders.get(port) === receive) this.holders.delete(port);
  }

  send(port, atoms, source) {
    const arrive = () => {
      const receive = this.holders.get(port);
      if (receive) receive(atoms, source);
    };
    if (this.loses()) return;
    if (this.delay === null) arrive();
    else this.wire(arrive);
  }

  // Datagrams under way are no timers of the device's.
  wire(arrive) {
    this.clock.timers.push({ due: this.clock.now + this.delay, fn: arrive, isWire: true });
  }
}

/** A server that welcomes whoever says hello, at the port that was named. */
class Server {
  constructor(net, port, welcome = WELCOME) {
    Object.assign(this, { net, port, welcome, heard: [], clients: new Map() });
    this.receive = (atoms, source) => {
      this.heard.push(atoms);
      if (atoms[0] === "/loopgen/hello") {
        this.clients.set(source, atoms[3]);
        const names = protocol.REPLIES.welcome.arguments.map(([name]) => name);
        net.send(atoms[3], ["/loopgen/welcome", ...names.map((name) => this.welcome[name])], "server");
      } else if (atoms[0] === "/loopgen/bye") {
        this.clients.delete(source);
      }
    };
    this.start();
  }

  start() {
    assert.ok(this.net.hold(this.port, this.receive));
  }

  stop() {
    this.net.release(this.port, this.receive);
    this.clients.clear();
  }

  hellos() {
    return this.heard.filter((atoms) => atoms[0] === "/loopgen/hello");
  }
}

/** A connection with a [udpreceive] and two [udpsend], as the patch has them. */
class Instance {
  constructor(net, token, changed = () => {}) {
    this.log = [];
    this.told = [];
    this.port = 0;
    let server = 0;
    const receive = (atoms) => {
      const message = protocol.read(atoms);
      if (atoms[0] === KNOCK) this.connection.heard(atoms[1]);
      else if (message) this.connection.receive(message);
    };
    const ports = {
      token,
      later: (ms, fn) => net.clock.later(ms, fn),
      send: (atoms) => {
        this.log.push(["send", server, ...atoms]);
        net.send(server, atoms, token);
      },
      toServer: (port) => {
        this.log.push(["toServer", port]);
        server = port;
      },
      knock: (port, atoms) => {
        this.log.push(["knock", port]);
        net.send(port, atoms, `${token}'s knock`);
      },
      listen: (port) => {
        this.log.push(["listen", port]);
        net.release(this.port, receive);
        this.port = port;
        net.hold(port, receive);
      },
    };
    this.connection = new Connection(ports, {
      changed: (state, welcome) => {
        this.told.push([state, welcome]);
        changed(this.connection, state);
      },
    });
  }

  states() {
    return this.told.map(([state]) => state);
  }

  sent(address) {
    return this.log.filter(([what, , name]) => what === "send" && name === address);
  }
}

function world() {
  const clock = new Clock();
  return { clock, net: new Net(clock) };
}

function connected(token = "a") {
  const { clock, net } = world();
  const server = new Server(net, SERVER);
  const one = new Instance(net, token);
  one.connection.start(SERVER);
  clock.advance(100);
  assert.strictEqual(one.states().at(-1), "connected");
  return { clock, net, server, one };
}

const TIMERS = (clock) => clock.timers.filter((timer) => !timer.isWire);

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
        if (canCancel) assert.deepStrictEqual(TIMERS(clock), []);
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
          assert.ok(TIMERS(clock).length <= 2);
          if (name === "stop") {
            assert.deepStrictEqual([TIMERS(clock), one.states().at(-1)], [[], state]);
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
        assert.ok(TIMERS(clock).length <= 4);
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
      assert.deepStrictEqual(TIMERS(clock), []);
    }
  });
});
