"use strict";

/**
 * JavaScript as Max's [js] has it: the engine of 2011 (SpiderMonkey 1.8.5), that is ECMAScript 5.
 *
 * A new context keeps what ES5 has and loses everything later, so that a script that leans on it fails here as it would
 * in Max; later syntax is found by a parser, before anything runs.
 */

const vm = require("node:vm");
const { spawnSync } = require("node:child_process");

const FUNCTION = "length name prototype arguments caller constructor toString";

/**
 * ECMAScript 5's own properties, by object; globals first. What Max's engine has beyond them is not relied on.
 * (RegExp's `flags` and its kin are newer, but V8's own `replace` reads them, as it reads Error's `stackTraceLimit`.)
 */
const KEPT = {
  "": `
    Object Function Array String Boolean Number Date RegExp Error EvalError RangeError ReferenceError SyntaxError
    TypeError URIError Math JSON NaN Infinity undefined eval parseInt parseFloat isNaN isFinite decodeURI
    decodeURIComponent encodeURI encodeURIComponent escape unescape
  `,
  Object: `
    getPrototypeOf getOwnPropertyDescriptor getOwnPropertyNames create defineProperty defineProperties seal freeze
    preventExtensions isSealed isFrozen isExtensible keys
  `,
  "Object.prototype": `
    toLocaleString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable __proto__ __defineGetter__
    __defineSetter__ __lookupGetter__ __lookupSetter__
  `,
  Function: "",
  "Function.prototype": "apply call bind",
  Array: "isArray",
  "Array.prototype": `
    toLocaleString concat join pop push reverse shift slice sort splice unshift indexOf lastIndexOf every some
    forEach map filter reduce reduceRight
  `,
  String: "fromCharCode",
  "String.prototype": `
    valueOf charAt charCodeAt concat indexOf lastIndexOf localeCompare match replace search slice split substr
    substring toLowerCase toLocaleLowerCase toUpperCase toLocaleUpperCase trim
  `,
  Boolean: "",
  "Boolean.prototype": "valueOf",
  Number: "MAX_VALUE MIN_VALUE NaN NEGATIVE_INFINITY POSITIVE_INFINITY",
  "Number.prototype": "toLocaleString valueOf toFixed toExponential toPrecision",
  Date: "parse UTC now",
  RegExp: "",
  "RegExp.prototype": `
    exec test source global ignoreCase multiline lastIndex flags hasIndices sticky unicode dotAll unicodeSets
  `,
  Error: "stackTraceLimit",
  "Error.prototype": "message",
  Math: `
    E LN10 LN2 LOG2E LOG10E PI SQRT1_2 SQRT2 abs acos asin atan atan2 ceil cos exp floor log max min pow random
    round sin sqrt tan
  `,
  JSON: "parse stringify",
};

/**
 * Runs in the context: takes away what is not in `kept`. Properties under symbols stay, because `replace`, `split` and
 * others are made of them; without `Symbol` no script reaches one.
 */
function strip(kept) {
  const all = Object.getOwnPropertyNames;
  const remove = Reflect.deleteProperty;
  const world = this;
  // Number.EPSILON and two others cannot be deleted: a constructor without them takes Number's place.
  const Original = world.Number;
  const Number = function Number(value) {
    const number = arguments.length ? Original(value) : 0;
    return this instanceof Number ? new Original(number) : number;
  };
  kept.Number.forEach((key) => {
    const known = Object.getOwnPropertyDescriptor(Original, key);
    if (known && typeof known.value === "number" && key !== "length") {
      Object.defineProperty(Number, key, known);
    }
  });
  Number.prototype = Original.prototype;
  Number.prototype.constructor = Number;
  world.Number = Number;
  const objects = Object.keys(kept).map((path) => [
    path,
    path.split(".").reduce((at, key) => (key ? at[key] : at), world),
  ]);
  for (const [path, object] of objects) {
    for (const key of all(object)) {
      if (!kept[path].includes(key)) {
        remove(object, key);
      }
    }
  }
}

/** A context with nothing newer than ES5. */
function createContext() {
  const context = vm.createContext({});
  const kept = {};
  for (const [path, names] of Object.entries(KEPT)) {
    kept[path] = `${names} ${path === "" ? "" : FUNCTION}`.split(/\s+/).filter(Boolean);
  }
  vm.runInContext(`(${strip.toString()})`, context).call(vm.runInContext("this", context), kept);
  return context;
}

// Node's own copy of the parser, for machines without the program.
const OWN_PARSER = `
  const acorn = require("internal/deps/acorn/acorn/dist/acorn");
  try { acorn.parse(require("fs").readFileSync(0, "utf8"), { ecmaVersion: 5 }); }
  catch (error) { console.error(error.message); process.exit(1); }
`;

/**
 * Throws a SyntaxError where a script is not ES5. Returns which parser looked: "acorn" (the program), "node" (the copy
 * inside Node), or null if there is neither; then nothing was checked, and a warning says so.
 */
function checkSyntax(source, name) {
  if (!passed.has(source)) {
    passed.set(source, parsedBy(source, name));
  }
  return passed.get(source);
}

const passed = new Map(); // a test opens the same device many times

function parsedBy(source, name) {
  const parsers = [
    ["acorn", "acorn", ["--ecma5", "--silent"], (result) => result.error && result.error.code === "ENOENT"],
    [
      "node",
      process.execPath,
      ["--expose-internals", "-e", OWN_PARSER],
      (result) => /Cannot find module|bad option/.test(result.stderr),
    ],
  ];
  for (const [parser, command, args, isMissing] of parsers) {
    const result = spawnSync(command, args, { input: source, encoding: "utf8" });
    if (isMissing(result)) {
      continue;
    }
    if (result.status !== 0) {
      throw new SyntaxError(`${name} is not ES5: ${result.stderr.trim()}`);
    }
    return parser;
  }
  process.emitWarning(`${name}: no parser (acorn) to look for syntax newer than ES5; install Debian's node-acorn`);
  return null;
}

module.exports = { createContext, checkSyntax };
