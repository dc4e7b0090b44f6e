// A small world for connections: a clock that is wound by hand, ports of which each has one holder, a server.
"use strict";

const assert = require("node:assert");

const { Connection, KNOCK } = require("../../max4live/src/connection");
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

/** What the devices have still to do: all timers but the datagrams under way. */
function pending(clock) {
  return clock.timers.filter((timer) => !timer.isWire);
}

module.exports = { SERVER, WELCOME, Server, Instance, world, connected, pending };
