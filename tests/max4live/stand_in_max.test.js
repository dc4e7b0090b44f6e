"use strict";

const { test } = require("node:test");
const assert = require("node:assert/strict");
const dgram = require("node:dgram");
const { device, script, parameter, log, LISTENER, MADE } = require("./stand_in/by_hand");
const { Live } = require("./stand_in/live");
const max = require("./stand_in/max");
const osc = require("./stand_in/osc");

test("one outlet speaks from right to left, and so does a trigger", () => {
  const opened = script(
    LISTENER,
    {
      source: { maxclass: "message", text: "go" },
      first: "prepend first",
      second: "prepend second",
      order: "t generate b l 3",
    },
    [
      "source 0 > first 0",
      "source 0 > second 0",
      "source 0 > order 0",
      "first 0 > logic 0",
      "second 0 > logic 0",
      "order 0 > logic 0",
      "order 1 > logic 0",
      "order 2 > logic 0",
      "order 3 > logic 0",
    ],
  );
  opened.click("source");
  assert.deepEqual(log(opened), [
    ["bang"],
    ["msg_int", 3],
    ["go"],
    ["bang"],
    ["generate"],
    ["second", "go"],
    ["first", "go"],
  ]);
});

test("route, prepend and their kin", () => {
  const opened = script(
    LISTENER,
    {
      route: "route text 5",
      pass: "routepass a",
      sel: "sel x",
      app: "append z",
      sym: "tosymbol",
      from: "fromsymbol",
      change: "change",
    },
    ["route", "pass", "sel", "app", "sym", "from", "change"].flatMap((name) =>
      [0, 1, 2].map((outlet) => `${name} ${outlet} > logic 0`),
    ),
  );
  const say = (name, ...message) => opened.find(name).take(0, message);
  say("route", "text", "dub techno");
  say("route", "text");
  say("route", 5, 6);
  say("route", "other", 1);
  say("pass", "a", 1);
  say("sel", "x");
  say("sel", "y");
  say("app", "a");
  say("sym", "a", 1);
  say("from", "set 4 x");
  say("change", 1);
  say("change", 1);
  assert.deepEqual(log(opened).slice(1), [
    ["dub techno"],
    ["bang"],
    ["msg_int", 6],
    ["other", 1],
    ["a", 1],
    ["bang"],
    ["y"],
    ["a", "z"],
    ["a 1"],
    ["set", 4, "x"],
    ["msg_int", 1],
  ]);
});

test("an object that is told what it does not know says so; one that is not known is an error", () => {
  const opened = script(LISTENER, {
    text: { maxclass: "comment" },
    menu: { maxclass: "umenu", items: ["a"] },
    box: { maxclass: "live.numbox" },
  });
  opened.find("text").take(0, ["sett", "x"]);
  opened.find("menu").take(0, ["active", 0]);
  opened.find("menu").take(0, ["setsymbol", "b"]);
  opened.find("box").take(0, ["clear"]);
  opened.find("box").take(0, ["active", 0]);
  assert.deepEqual(opened.console, [
    'comment: doesn\'t understand "sett"',
    'umenu: doesn\'t understand "active"',
    'umenu: no item "b" among ["a"]',
    'live.numbox: doesn\'t understand "clear"',
  ]);
  assert.throws(() => device({ a: "prnt" }), /no object prnt/);
  assert.throws(() => device({ a: { maxclass: "live.knob" } }), /no live\.knob/);
  assert.throws(() => device({ a: "t b" }, ["a 5 > a 0"]), /a cord from obj-1 5/);
  assert.throws(() => device({ a: "js other.js" }), /no file of this name/);
  assert.throws(() => device({}, [], { click: "twice" }), /a device has no option click; it has live, stored/);
});

test("what is shown: set by a script by name, without a word back", () => {
  const opened = script(
    `
    ${LISTENER}
    var patch = this.patcher;
    function show() {
      patch.getnamed("status").message("set", "two words");
      patch.getnamed("menu").message("clear");
      patch.getnamed("menu").message("append", "one two");
      patch.getnamed("menu").message("append", "three");
      patch.getnamed("menu").message("setsymbol", "three");
      patch.getnamed("number").message("set", 99);
      patch.getnamed("text").message("set", "typed, 4");
      patch.getnamed("go").message("active", 0);
      log.push([String(patch.getnamed("nobody")), patch.getnamed("menu").maxclass]);
    }
  `,
    {
      status: { maxclass: "live.comment", text: "-" },
      menu: { maxclass: "umenu", items: ["x", "y", ",", "z"] },
      number: {
        maxclass: "live.numbox",
        ...parameter("Number", { parameter_type: 1, parameter_mmin: 1, parameter_mmax: 8 }),
      },
      text: { maxclass: "textedit", keymode: 1, outputmode: 1 },
      go: { maxclass: "live.text", mode: 0, text: "Go" },
    },
    ["menu 1 > logic 0", "number 0 > logic 0", "text 0 > logic 0", "go 0 > logic 0"],
  );
  assert.deepEqual(opened.shown("menu").items, ["x y", "z"]);
  opened.find("logic").take(0, ["show"]);
  assert.deepEqual(opened.shown("status"), { text: "two words" });
  assert.deepEqual(opened.shown("menu"), { text: "three", value: 1, items: ["one two", "three"] });
  assert.deepEqual(opened.shown("number"), { value: 8, text: "8", active: 1 });
  assert.deepEqual(opened.shown("text"), { text: "typed, 4" });
  assert.equal(opened.shown("go").active, 0);
  assert.deepEqual(log(opened), [["bang"], ["null", "umenu"]]);
  assert.deepEqual(opened.console, []);
});

const CONTROLS = {
  go: { maxclass: "live.text", mode: 0, text: "Go", ...parameter("Go", { parameter_type: 2, parameter_invisible: 2 }) },
  lock: {
    maxclass: "live.text",
    mode: 1,
    text: "Lock",
    texton: "Locked",
    ...parameter("Lock", { parameter_type: 2, parameter_initial: [0], parameter_initial_enable: 1 }),
  },
  bars: {
    maxclass: "live.menu",
    ...parameter("Bars", {
      parameter_type: 2,
      parameter_enum: ["1", "2", "4"],
      parameter_initial: [2],
      parameter_initial_enable: 1,
    }),
  },
  heat: {
    maxclass: "live.numbox",
    ...parameter("Heat", {
      parameter_type: 0,
      parameter_mmin: 0,
      parameter_mmax: 2,
      parameter_initial: [1],
      parameter_initial_enable: 1,
    }),
  },
  menu: { maxclass: "umenu", items: ["one two", ",", "three"] },
  text: { maxclass: "textedit", keymode: 1, outputmode: 1 },
};
const TO = ["bars", "heat", "lock"].map((name) => [`${name}_to`, `prepend ${name}`]);
const CONTROL_CORDS = [
  "bars 1 > bars_to 0",
  "heat 0 > heat_to 0",
  "lock 0 > lock_to 0",
  "go 0 > logic 0",
  "menu 1 > logic 0",
  "text 0 > logic 0",
  ...["bars", "heat", "lock"].map((name) => `${name}_to 0 > logic 0`),
];

function controls(options) {
  return script(LISTENER, { ...CONTROLS, ...Object.fromEntries(TO) }, CONTROL_CORDS, options);
}

test("a person's hand: clicks, choices, turns, typing", () => {
  const opened = controls();
  const said = () => log(opened).slice(4);
  assert.deepEqual(
    [
      opened.click("go"),
      opened.click("lock"),
      opened.choose("bars", 1),
      opened.turn("heat", 0.7),
      opened.choose("menu", "one two"),
      opened.type("text", "dub, 4"),
    ],
    Array(6).fill(true),
  );
  opened.type("text", "half", { enter: false });
  assert.deepEqual(said(), [
    ["bang"],
    ["lock", 1],
    ["bars", "1"],
    ["heat", Math.fround(0.7)],
    ["one two"],
    ["text", "dub, 4"],
  ]);
  assert.deepEqual(opened.shown("lock"), { value: 1, text: "Locked", active: 1 });
  opened.turn("heat", 99);
  assert.equal(opened.shown("heat").value, 2);
  assert.throws(() => opened.choose("menu", "four"), /has no item "four"; it has \["one two","three"\]/);
  assert.throws(() => opened.click("menu"), /nobody can click menu, which is a umenu/);
  assert.throws(() => opened.click("nobody"), /no object nobody/);
});

test("what is inactive takes no mouse; a click may come twice, a menu's text in words", () => {
  const opened = controls({ clicks: "twice", menuText: "words" });
  opened.click("go");
  opened.choose("menu", "one two");
  assert.deepEqual(log(opened).slice(4), [["bang"], ["bang"], ["one", "two"]]);
  opened.find("go").take(0, ["active", 0]);
  opened.find("heat").take(0, ["active", 0]);
  assert.deepEqual([opened.click("go"), opened.turn("heat", 0)], [false, false]);
  assert.equal(log(opened).length, 7);
});

test("opened: parameters say their initial or stored values, then the device bangs; or the other way round", () => {
  assert.deepEqual(log(controls()), [["lock", 0], ["bars", "4"], ["heat", 1], ["bang"]]);
  const stored = { Lock: 1, Bars: 0, Heat: 1.5, Go: 1 };
  const opened = controls({ stored });
  assert.deepEqual(log(opened), [["lock", 1], ["bars", "1"], ["heat", 1.5], ["bang"]]);
  assert.deepEqual(opened.stored(), { Lock: 1, Bars: 0, Heat: 1.5 });
  assert.deepEqual(log(controls({ order: "bang first" })), [["bang"], ["lock", 0], ["bars", "4"], ["heat", 1]]);
  opened.loadPreset({ Bars: 1 });
  assert.deepEqual(log(opened).slice(4), [["lock", 0], ["bars", "2"], ["heat", 1], ["bang"]]);
});

test("a pattr keeps a list with the set; with @thru 0 it speaks when restored and when banged only", () => {
  const boxes = {
    memory: {
      maxclass: "newobj",
      text: "pattr memory @thru 0",
      ...parameter("Memory", {
        parameter_type: 3,
        parameter_invisible: 1,
        parameter_initial: ["memory", "-"],
        parameter_initial_enable: 1,
      }),
    },
  };
  const first = script(LISTENER, boxes, ["memory 0 > logic 0"]);
  first.find("memory").take(0, ["memory", "dub techno", "-"]);
  assert.deepEqual(log(first), [["memory", "-"], ["bang"]]);
  first.find("memory").take(0, ["bang"]);
  assert.deepEqual(log(first).at(-1), ["memory", "dub techno", "-"]);
  const second = script(LISTENER, boxes, ["memory 0 > logic 0"], { stored: first.stored() });
  assert.deepEqual(log(second), [["memory", "dub techno", "-"], ["bang"]]);
  const echo = script(LISTENER, { memory: "pattr memory" }, ["memory 0 > logic 0"]);
  echo.find("memory").take(0, ["x", 1]);
  assert.deepEqual(log(echo).at(-1), ["x", 1]);
});

function server() {
  return new Promise((resolve) => {
    const socket = dgram.createSocket("udp4");
    const heard = [];
    socket.on("message", (bytes) => heard.push(osc.decode(bytes)));
    socket.bind(0, "127.0.0.1", () => resolve({ socket, heard, port: socket.address().port }));
  });
}

const UDP = `
  ${LISTENER}
  function to(port) { outlet(0, "port", port); }
  function say() { outlet(0, arrayfromargs(arguments)); }
  function hear(port) { outlet(1, "port", port); }
  function notifydeleted() { outlet(0, "/bye"); }
`;

function talker(options) {
  return script(
    UDP,
    { out: "udpsend 127.0.0.1 9", ear: "udpreceive @quiet 1 @defer 1" },
    ["logic 0 > out 0", "logic 1 > ear 0", "ear 0 > logic 0"],
    options,
  );
}

test("messages go over real sockets, and a good-bye still goes when the device is closed", async () => {
  const other = await server();
  const opened = talker();
  const say = (...message) => opened.find("logic").take(0, message);
  say("to", other.port);
  say("say", "/hello", "two words", 1, 60.23, "");
  await opened.until(() => other.heard.length === 1, "the message");
  assert.deepEqual(other.heard[0], ["/hello", "two words", 1, Math.fround(60.23), ""]);
  const free = (await server()).socket;
  const port = free.address().port;
  await new Promise((resolve) => free.close(resolve));
  say("hear", port);
  await opened.until(() => opened.port === port, "the port");
  other.socket.send(osc.encode(["/loopgen/ok", "r 1", 3, 0.5]), port, "127.0.0.1");
  await opened.until(() => log(opened).length > 1, "the answer");
  assert.deepEqual(log(opened).at(-1), ["/loopgen/ok", "r 1", 3, 0.5]);
  other.socket.send(Buffer.from("no osc"), port, "127.0.0.1");
  await opened.until(() => opened.console.length, "a complaint");
  assert.match(opened.console[0], /^udpreceive: /);
  opened.close();
  await opened.until(() => other.heard.length === 2, "the good-bye");
  assert.deepEqual(other.heard[1], ["/bye"]);
  other.socket.close();
});

test("a port that is taken: nothing is heard, and nothing or a line is said", async () => {
  const other = await server();
  const quiet = talker();
  quiet.find("logic").take(0, ["hear", other.port]);
  const loud = script(UDP, { ear: "udpreceive" }, ["logic 1 > ear 0", "ear 0 > logic 0"], { portTaken: "post" });
  loud.find("logic").take(0, ["hear", other.port]);
  await loud.until(() => loud.console.length, "the line");
  assert.deepEqual(loud.console, [`udpreceive: port ${other.port} is taken`]);
  await quiet.until(() => quiet.port === null, "no port");
  assert.deepEqual(quiet.console, []);
  await new Promise((resolve) => other.socket.close(resolve));
  quiet.find("logic").take(0, ["hear", other.port]);
  await quiet.until(() => quiet.port === other.port, "the port, once it is free");
});

test("waiting in vain says what was waited for, the console and what is shown", async () => {
  const opened = script('function bang() { post("here I am"); }', { status: { maxclass: "comment", text: "idle" } });
  await assert.rejects(
    opened.until(() => false, "the end of the world", 20),
    (error) =>
      ["the end of the world: not within 20 ms", "here I am", 'status: {"text":"idle"}'].every((part) =>
        error.message.includes(part),
      ),
  );
  assert.equal(await opened.until(() => "found"), "found");
});

test(
  "the built device opens twice in one set without a line in the console",
  { skip: !process.env.LOOPGEN_AMXD && "no device was built" },
  async () => {
    const live = new Live();
    live.addAudioTrack("Loops");
    const opened = ["parameters first", "bang first"].map((order) =>
      max.open(process.env.LOOPGEN_AMXD, { live, order }),
    );
    MADE.push(...opened);
    for (const one of opened) {
      await one.until(() => /120/.test(one.shown("facts").text), "the set's tempo in the display");
      assert.deepEqual(one.console, []);
      assert.deepEqual(one.faults, []);
    }
  },
);
