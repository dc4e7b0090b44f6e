"use strict";

/**
 * `LiveAPI` as Max's [js] has it, over the stand-in's set.
 *
 * Documented (Cycling '74, "LiveAPI"): the constructor's forms, `id` being text, `path` being in double quotes and
 * `unquotedpath` not, `mode`, `property`, `get` giving arrays, ids as "id" and a number. Read in Live 12's own half of
 * it (_MxDCore): how arguments are parsed, what is checked in which order, every text of a refusal below, and that a
 * refusal is printed: nothing is thrown.
 */

const lom = require("./lom");
const { Refusal } = require("./objects");
const { resolve, pathOf } = require("./live_paths");
const { parse, atomsOf, describe, missing, onlyFor, checked } = require("./live_atoms");

const NOT_READY = "Live API is not initialized, use live.thisdevice to determine when initialization is complete";
const IN_NOTIFICATION = "Changes cannot be triggered by notifications. You will need to defer your response.";

/** LiveAPI's class for one device; `host` is {post, ready, device, and optional: array, call, error}. */
function liveApiFor(live, host) {
  const array = host.array || ((list) => list);
  const run = host.call || ((callback, args) => callback(args));
  const handles = (host.handles = host.handles || new Set());

  function say(message, what) {
    live.refused.push({ message, what });
    host.post(`jsliveapi: ${message}`);
    if (live.refusals === "throw") {
      throw host.error ? host.error(message) : new Error(message);
    }
  }

  function mayWrite() {
    if (live.notifying) {
      throw new Refusal(IN_NOTIFICATION);
    }
  }

  class LiveAPI {
    #object = null;
    #path = [];
    #callback = null;
    #property = "";
    #mode = 0;
    #handle = null;

    constructor(...args) {
      // Older scripts give `this.patcher` first: "still supported, but no longer necessary".
      if (args.length && args[0] !== null && typeof args[0] === "object" && !Array.isArray(args[0])) {
        args.shift();
      }
      if (args.length && (args[0] === null || args[0] === undefined || typeof args[0] === "function")) {
        this.#callback = args.shift() || null;
      }
      if (!host.ready()) {
        // "You cannot use the LiveAPI object in JavaScript global code": the object is made and refers to nothing.
        say(NOT_READY, "new LiveAPI");
        return;
      }
      if (this.#callback) {
        this.#watch();
      }
      if (args.length) {
        this.#aim(args[0]);
      }
    }

    #watch() {
      this.#handle = {
        watches: (object, names) => object === this.#object && names.includes(this.#listened),
        notify: () => this.#tellValue(),
        moved: () => this.#moved(),
      };
      live.observers.add(this.#handle);
      handles.add(this.#handle);
    }

    get #listened() {
      return this.#property === "clip" ? "has_clip" : this.#property; // so in Live's code: "clip" is watched as that
    }

    get #current() {
      return this.#object && !this.#object.gone ? this.#object : null;
    }

    /** Calls back. The first call may come at once (`firstCall`), those after a change always come later. */
    #tell(args, first) {
      if (!this.#handle || !live.observers.has(this.#handle)) {
        return;
      }
      const call = () => live.observers.has(this.#handle) && run(this.#callback, array(args));
      if (first && live.firstCall === "immediate") {
        live.during(call);
      } else {
        live.notify(call);
      }
    }

    #tellValue(first = false) {
      const known = describe(live, this.#current, this.#property);
      if (known) {
        const bang = known.type === "bang" || known.type === "dict";
        this.#tell([this.#property, ...(bang ? ["bang"] : atomsOf(live, this.#current[this.#property]))], first);
      }
    }

    #aim(target) {
      const text = Array.isArray(target) ? target.join(" ") : String(target);
      const id = /^\s*(?:id\s+)?(\d+)\s*$/.exec(text);
      if (id) {
        this.#toId(Number(id[1]));
        return;
      }
      const path = text.trim().replace(/^"+|"+$/g, "");
      const parts = path.split(" ").filter(Boolean);
      if (parts.length && !["live_app", "live_set", "this_device", "control_surfaces"].includes(parts[0])) {
        say("set path: invalid path", path);
        return;
      }
      this.#follow(parts);
    }

    #toId(id) {
      const object = id === 0 ? null : live.byId(id);
      if (object === undefined) {
        say("set id: invalid id", String(id));
        return;
      }
      this.#path = object ? pathOf(live, object) : [];
      this.#point(object);
    }

    #follow(parts) {
      this.#path = parts;
      this.#point(resolve(live, host, parts, (message) => say(message, parts.join(" "))));
    }

    #point(object) {
      this.#object = object;
      this.#tell(["id", live.idOf(object)], true);
      if (this.#property) {
        this.#listen();
      }
    }

    #moved() {
      const now = this.#mode === 1 ? resolve(live, host, this.#path, () => {}) : this.#current;
      if (now === this.#object) {
        return;
      }
      this.#object = now;
      this.#tell(["id", live.idOf(now)], false);
      this.#tellValue();
    }

    #listen() {
      const known = describe(live, this.#current, this.#property);
      if (known && !known.has("observe")) {
        say("property cannot be listened to", this.#property);
      } else if (known) {
        this.#tellValue(true);
      } // a property that is not there is passed over in silence
    }

    get id() {
      return String(live.idOf(this.#current));
    }

    set id(target) {
      this.#aim(Array.isArray(target) ? target : `id ${String(target).replace(/^id\s+/, "")}`);
    }

    get path() {
      const path = this.unquotedpath;
      return path && `"${path}"`;
    }

    set path(target) {
      this.#aim(target);
    }

    get unquotedpath() {
      return this.#current ? pathOf(live, this.#current).join(" ") : "";
    }

    get type() {
      return this.#current ? this.#current.kind.split(".").pop() : "unknown";
    }

    get mode() {
      return this.#mode;
    }

    /** 0 follows the object, 1 what is at the path. */
    set mode(mode) {
      this.#mode = Number(mode);
    }

    get property() {
      return this.#property;
    }

    set property(name) {
      this.#property = name ? String(name) : "";
      if (this.#handle && this.#property) {
        this.#listen();
      }
    }

    get children() {
      const object = this.#current;
      const all = object ? lom.names(object.kind).properties : [];
      return array(all.filter((name) => /^(object|list)$/.test((describe(live, object, name) || {}).type)));
    }

    get info() {
      const object = this.#current;
      if (!object) {
        return "No object";
      }
      const { properties, functions } = lom.names(object.kind);
      const shown = properties
        .filter((name) => describe(live, object, name))
        .map((name) => `property ${name} ${describe(live, object, name).type}`);
      const called = functions.filter((name) => this.#method(object, name)).map((name) => `function ${name}`);
      return [`id ${this.id}`, `type ${this.type}`, ...shown, ...called, "done"].join("\n");
    }

    #method(object, name) {
      const known = lom.method(object.kind, name, live.version);
      return known && (known.type !== "hidden" || live.showsUndoSteps) ? known : null;
    }

    /** Runs what Live may refuse; the refusal goes to the console, and `instead` comes back. */
    #try(what, instead, action) {
      try {
        return action();
      } catch (error) {
        if (!(error instanceof Refusal)) {
          throw error;
        }
        say(error.message, what);
        return instead;
      }
    }

    get(name) {
      const object = this.#current;
      if (!object) {
        say("get: no valid object set", `get ${name}`);
        return 1; // measured under [v8]: no array
      }
      return this.#try(`get ${name}`, 1, () => {
        const known = describe(live, object, name);
        if (!known || known.type === "bang") {
          throw missing(object, name);
        }
        onlyFor(object, known, name);
        return array(atomsOf(live, object[name]));
      });
    }

    getstring(name) {
      const value = this.get(name);
      return value === 1 ? "" : value.join(" ");
    }

    getcount(name) {
      const object = this.#current;
      const list = object && describe(live, object, name) ? object[name] : null;
      if (list === null || list === undefined) {
        say("getcount: invalid property name", `getcount ${name}`);
        return 0;
      }
      return Array.isArray(list) ? list.length : -1;
    }

    goto(path) {
      const parts = String(path)
        .trim()
        .replace(/^"+|"+$/g, "")
        .split(" ")
        .filter(Boolean);
      let at = this.#current ? pathOf(live, this.#current) : [...this.#path];
      parts.forEach((part) => {
        if (part === "up") {
          at = at.slice(0, -1);
        } else {
          at = ["live_app", "live_set", "this_device", "control_surfaces"].includes(part) ? [part] : [...at, part];
        }
      });
      this.#follow(at);
    }

    set(name, ...values) {
      const object = this.#current;
      const what = `set ${name} ${values.join(" ")}`;
      if (!object) {
        say("set: no valid object set", what);
        return;
      }
      this.#try(what, undefined, () => {
        const value = checked(live, object, String(name), parse(live, values));
        mayWrite();
        object.put(String(name), value);
        live.undo.wrote();
      });
    }

    call(name, ...args) {
      const object = this.#current;
      if (!object) {
        say(`call ${[name, ...args].join(" ")}: no valid object set`, `call ${name}`);
        return null;
      }
      const result = this.#try(`call ${name}`, undefined, () => this.#invoke(object, String(name), args));
      if (result === undefined) {
        return null; // what comes back from a call that failed is inferred
      }
      const list = atomsOf(live, result);
      return list.length === 1 ? list[0] : array(list);
    }

    #invoke(object, name, args) {
      const values = parse(live, args);
      const known = this.#method(object, name);
      if (!known || typeof object[name] !== "function") {
        throw missing(object, name);
      }
      const text = [name, ...values.map((value) => (value && value.kind ? `<${value.kind}>` : value))].join(" ");
      try {
        if (known.type === "writes") {
          mayWrite();
        }
        // A wrong number of arguments is a type error to Live. (`fire` has optional ones.)
        if (values.length !== object[name].length && name !== "fire") {
          throw new Refusal("the number of arguments", "type");
        }
        const result = object[name](...values);
        if (known.type === "writes") {
          live.undo.wrote();
        }
        return result === undefined ? null : result;
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind === "attribute") {
          throw error;
        }
        // Live's words reach Max for some kinds of exceptions only, always with what was called behind them.
        const words = { runtime: error.message, type: "Invalid arguments", value: "Invalid syntax" }[error.kind];
        throw new Refusal(`${words}: '${text}'`, error.kind);
      }
    }
  }

  return LiveAPI;
}

module.exports = { liveApiFor };
