"use strict";

const { test } = require("node:test");
const assert = require("node:assert/strict");
const vm = require("node:vm");
const { script, log, LISTENER } = require("./stand_in/by_hand");
const es5 = require("./stand_in/es5");
const { Live } = require("./stand_in/live");

test("a script calls nothing that came after ES5", () => {
  const context = es5.createContext();
  const missing = (expression) => vm.runInContext(`typeof ${expression}`, context) === "undefined";
  const words = (text) => text.trim().split(/\s+/);
  const later = `
    Promise Map Set WeakMap Symbol Proxy Reflect Uint8Array ArrayBuffer BigInt globalThis console setTimeout require
    process module WebAssembly Intl Array.from Array.of [].find [].findIndex [].includes [].fill [].flat [].at
    [].keys [].entries ''.includes ''.startsWith ''.endsWith ''.repeat ''.padStart ''.trimStart ''.codePointAt
    ''.matchAll ''.replaceAll ''.at String.raw String.fromCodePoint Object.assign Object.entries Object.values
    Object.is Object.fromEntries Object.groupBy Number.isInteger Number.isFinite Number.isNaN Number.EPSILON
    Number.MAX_SAFE_INTEGER Number.parseFloat Math.trunc Math.sign Math.fround Math.log2 Math.hypot Math.cbrt
    JSON.rawJSON Error.captureStackTrace
  `;
  for (const name of words(later)) {
    assert.ok(missing(name), `${name} is there`);
  }
  const there = `
    parseInt isNaN [].map [].reduce [].indexOf Array.isArray ''.trim ''.substr ''.replace Object.keys Object.create
    Object.freeze (function(){}).bind Date.now Math.floor JSON.stringify
  `;
  for (const name of words(there)) {
    assert.ok(!missing(name), `${name} is missing`);
  }
  const calculations = {
    '"a, b;c".split(/[,;] ?/).join("|")': "a|b|c",
    '"abc".replace(/B/i, function (x) { return x + x; })': "abbc",
    '/x/g.test("x") + "1".concat([2, 3].concat([4]))': "true12,3,4",
    "new Date(0).toISOString()": "1970-01-01T00:00:00.000Z",
    "Object.prototype.toString.call([])": "[object Array]",
    "(function () { return typeof this; })()": "object",
    "String(new TypeError('x'))": "TypeError: x",
    "[Number('3'), Number(), typeof new Number(3), (3).toFixed(1), Number.MAX_VALUE > 1].join()": "3,0,object,3.0,true",
    "new Number(3) instanceof Number": true,
  };
  for (const [expression, value] of Object.entries(calculations)) {
    assert.equal(vm.runInContext(expression, context), value, expression);
  }
});

test("newer syntax is found before anything runs", () => {
  assert.match(
    String(es5.checkSyntax("var a = function () { return { get b() { return 1; } }; };", "a.js")),
    /^(acorn|node)$/,
  );
  for (const source of [
    "let a = 1;",
    "const a = 1;",
    "var f = () => 1;",
    "class A {}",
    "var s = `t`;",
    "for (var x of y) {}",
    "function f(a = 1) {}",
    "var {a} = b;",
    "f(...a);",
    "var a = 2 ** 3;",
    "/a/u;",
    "a?.b;",
    "f(a,);",
  ]) {
    assert.throws(() => es5.checkSyntax(source, "a.js"), SyntaxError, source);
  }
  assert.throws(() => script("var a = 1;\nvar f = () => a;"), /logic\.js is not ES5/);
});

test("messages call the function of their name, else `anything`; numbers and lists have their own", () => {
  const opened = script(`${LISTENER} function named(a, b) { log.push(["own", a, b, messagename, inlet]); }`);
  const say = (...message) => opened.find("logic").take(1, message);
  say("bars", 4);
  say("named", "two words", 0.5);
  say(5);
  say(5.5);
  say(1, 2.5, "x");
  say("/loopgen/done", "a b", 3);
  assert.deepEqual(log(opened), [
    ["bang"],
    ["bars", 4],
    ["own", "two words", 0.5, "named", 1],
    ["msg_int", 5],
    ["msg_float", 5.5],
    ["list", 1, 2.5, "x"],
    ["/loopgen/done", "a b", 3],
  ]);
  assert.deepEqual(opened.console, []);
});

test("a message that no function takes, a fault, and `post` are lines in the console", () => {
  const opened = script(
    `function bang() {}  function fail() { return undefined_name; }
     function say() { post("a", 1, "\\n"); error("b\\n"); }`,
  );
  ["nothing", "fail", "say", "toString", "post"].forEach((name) => opened.find("logic").take(0, [name]));
  assert.deepEqual(
    opened.console.map((line) => line.trim()),
    [
      "js: logic.js: no function nothing",
      "js: logic.js: Javascript ReferenceError: undefined_name is not defined, line 1",
      "js: a 1",
      "js: b",
      "js: logic.js: no function toString",
      "js: logic.js: no function post",
    ],
  );
});

test("outlets: single values or an array; whole numbers, floats, text; nothing else", () => {
  const source = `
    this.outlets = 2;
    function bang() { outlet(0, "port", 5); outlet(1, ["a b", 1.5]); outlet(0, 7); outlet(1, true); }
    function wrong() { outlet(2, 1); outlet(0, undefined); outlet(0); outlet(0, {}); outlet(0, NaN); }
    function applied() { outlet.apply(this, [0, 1]); }
  `;
  const both = script(
    source,
    { left: "prepend left", right: "prepend right", set: "prepend set", shown: { maxclass: "comment" } },
    ["logic 0 > left 0", "logic 1 > right 0", "left 0 > set 0", "right 0 > set 0", "set 0 > shown 0"],
  );
  assert.deepEqual(both.shown("shown"), { text: "right 1" });
  both.find("logic").take(0, ["wrong"]);
  assert.equal(both.console.length, 5);
  assert.match(both.console[0], /bad outlet index 2/);
  both.console.length = 0;
  both.find("logic").take(0, ["applied"]);
  assert.match(both.console[0], /never applied/);
});

test("tasks: once, again and again, cancelled, and over when the device goes", async () => {
  const opened = script(`
    var log = [];
    function tick(word) { log.push([word]); }
    var once = new Task(tick, this, "once");
    var often = new Task(tick, this, ["often"]);
    var never = new Task(tick, this, "never");
    var fault = new Task(function () { throw new Error("in a task"); });
    function bang() {
      once.schedule(5);
      often.interval = 5;
      often.repeat(3);
      never.schedule(5);
      never.cancel();
      fault.schedule(0);
      log.push([once.running]);
    }
    function later() { new Task(tick, this, "late").schedule(20); }
  `);
  await opened.until(() => log(opened).length === 5, "four ticks");
  assert.deepEqual(log(opened).sort(), [[1], ["often"], ["often"], ["often"], ["once"]]);
  assert.match(opened.console[0], /Javascript Error: in a task/);
  opened.find("logic").take(0, ["later"]);
  opened.close();
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(log(opened).length, 5);
});

test("Live's API: not in global code, from the bang on, and without a throw", async () => {
  const live = new Live({ tempo: 127.5 });
  const opened = script(
    `
    "use strict";
    var log = [];
    var early = new LiveAPI("live_set");
    log.push([early.id]);
    function bang() {
      var song = new LiveAPI(function (args) { log.push(args); }, "live_set");
      song.property = "tempo";
      log.push([new LiveAPI("this_device").unquotedpath, song.get("tempo") instanceof Array, song.get("nothing")]);
    }
  `,
    {},
    [],
    { live },
  );
  await live.idle();
  assert.deepEqual(log(opened), [
    ["0"],
    ["live_set tracks 0 devices 0", true, 1],
    ["id", live.song.id],
    ["tempo", 127.5],
  ]);
  assert.match(opened.console[0], /Live API is not initialized/);
  assert.match(opened.console[1], /no attribute 'nothing'/);
  opened.close();
  live.setTempo(90);
  await live.idle();
  assert.equal(log(opened).length, 4, "a device that is gone is told nothing");
  assert.deepEqual(live.tracks[0].devices, []);
});
