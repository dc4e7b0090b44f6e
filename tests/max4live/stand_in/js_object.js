"use strict";

/**
 * Max's [js]: a script in a context of its own, called by the messages that come in.
 *
 * Documented (Cycling '74, "JavaScript in Max: Basic Techniques", "jsthis", "Task"): the function of the message's name
 * is called, `msg_int`, `msg_float` and `list` for bare numbers and lists, `anything` where there is none, with
 * `messagename` and `inlet` set; `outlet` takes single values or an array; numbers that are whole leave as ints. Global
 * code runs while the object is made: LiveAPI is no use there.
 */

const vm = require("node:vm");
const es5 = require("./es5");
const { MaxObject } = require("./max_object");

/** Set on the global object by Max, not by the script: no message calls them. */
const OWN = new Set(
  (
    "arrayfromargs assist autowatch box cpost error inlet inlets jsarguments LiveAPI max messagename messnamed " +
    "outlet outlets outlettypes patcher post setinletassist setoutletassist Task"
  ).split(" "),
);

class Js extends MaxObject {
  constructor(device, box, args) {
    super(device, box, args);
    [this.file] = args;
    const source = device.files[this.file];
    if (source === undefined) {
      throw new Error(
        `[js ${this.file}]: the device has no file of this name; it has ${Object.keys(device.files).join(", ")}`,
      );
    }
    this.parser = es5.checkSyntax(source, this.file);
    this.tasks = new Set();
    this.context = es5.createContext();
    this.world = vm.runInContext("this", this.context);
    this.newArray = vm.runInContext("(function () { return []; })", this.context);
    this.newError = vm.runInContext("(function (message) { return new Error(message); })", this.context);
    Object.assign(this.world, this.globals(args));
    const script = new vm.Script(source, { filename: this.file });
    this.guarded(() => script.runInContext(this.context));
    this.own = Object.getOwnPropertyNames(this.world).filter((name) => !OWN.has(name));
  }

  array(list) {
    const array = this.newArray();
    list.forEach((item) => array.push(item));
    return array;
  }

  /** Runs code of the script; what it throws is a line in the console. */
  guarded(action) {
    try {
      return action();
    } catch (fault) {
      const where = /:(\d+):\d+/.exec(String((fault && fault.stack) || ""));
      this.device.post(`js: ${this.file}: Javascript ${String(fault)}, line ${where ? where[1] : "?"}`);
      this.device.faults.push(fault);
      return undefined;
    }
  }

  call(name, args) {
    return this.guarded(() => this.world[name].apply(this.world, args));
  }

  has(name) {
    return this.own.includes(name) && typeof this.world[name] === "function" && !this.world[name].local;
  }

  receive(inlet, message) {
    const [first, ...rest] = message;
    const isName = typeof first === "string";
    const named = isName ? first : message.length > 1 ? "list" : Number.isInteger(first) ? "msg_int" : "msg_float";
    const args = isName ? rest : message;
    const name = [named, named === "msg_int" ? "msg_float" : named, "anything"].find((one) => this.has(one));
    if (!name) {
      this.device.post(`js: ${this.file}: no function ${isName ? first : named}`);
      return;
    }
    const before = [this.world.messagename, this.world.inlet];
    this.world.messagename = named;
    this.world.inlet = inlet;
    this.call(name, args);
    [this.world.messagename, this.world.inlet] = before;
  }

  loaded() {
    if (this.has("loadbang")) {
      this.call("loadbang", []);
    }
  }

  closed() {
    if (this.has("notifydeleted")) {
      this.call("notifydeleted", []);
    }
    [...this.tasks].forEach((task) => task.cancel());
    this.isClosed = true;
  }

  globals(args) {
    const text = (items) =>
      items
        .map((item) => (Array.isArray(item) ? item.join(" ") : String(item)))
        .join(" ")
        .replace(/\n$/, "");
    const say = (items) => this.device.post(`js: ${text(items)}`);
    const outlet = (number, ...values) => this.outlet(number, values);
    // Taken through `apply` or `call`, Max's own functions have brought Live down (read in a crash's report).
    for (const way of ["apply", "call"]) {
      Object.defineProperty(outlet, way, {
        value: () => {
          throw this.newError(`outlet.${way}: Max's own functions are called, never applied`);
        },
      });
    }
    return {
      LiveAPI: this.device.LiveAPI(this),
      Task: taskOf(this),
      arrayfromargs: (...items) =>
        this.array(items.flatMap((item) => (typeof item === "object" ? Array.from(item) : [item]))),
      autowatch: 0,
      box: this.device.maxobj(this),
      cpost: () => undefined,
      error: (...items) => say(items),
      inlet: 0,
      inlets: 1,
      jsarguments: this.array(args),
      max: { version: "8.6.5", time: 0, os: "linux", isplugin: true },
      messagename: "",
      messnamed: (name, ...values) => this.device.send(name, values.flat()),
      outlet,
      outlets: 1,
      patcher: { getnamed: (name) => this.device.named(name), box: null, name: "Loopgen", filepath: this.device.path },
      post: (...items) => say(items),
      setinletassist: () => undefined,
      setoutletassist: () => undefined,
    };
  }

  outlet(number, values) {
    const atoms = values
      .flatMap((value) => (Array.isArray(value) ? value : [value]))
      .map((value) => (typeof value === "boolean" ? Number(value) : value));
    const wrong = atoms.find((atom) => typeof atom !== "string" && !(typeof atom === "number" && !Number.isNaN(atom)));
    if (!(number >= 0 && number < this.world.outlets)) {
      this.device.post(`js: ${this.file}: bad outlet index ${number}`);
    } else if (!atoms.length || wrong !== undefined || atoms.includes(undefined)) {
      // Max would send words like "undefined" on; here that is an error, as nobody can mean it.
      this.device.post(`js: ${this.file}: outlet ${number}: ${String(wrong)} is no atom in ${JSON.stringify(atoms)}`);
    } else {
      this.send(number, atoms);
    }
  }
}

/** The constructor `Task` of one [js]. */
function taskOf(js) {
  return class Task {
    constructor(callback, target, ...args) {
      this.function = callback;
      this.object = target || js.world;
      this.arguments = js.array(args.flat());
      this.interval = 500;
      this.running = 0;
      this.iterations = 0;
      Object.defineProperty(this, "timer", { value: null, writable: true });
    }

    execute() {
      js.guarded(() => this.function.apply(this.object, this.arguments));
    }

    /** "Run the task once, with a delay" in milliseconds. */
    schedule(delay = 0) {
      this.start(delay, 1);
    }

    /** "Repeat the execution of a task", for ever or so many times. */
    repeat(count = -1, delay = this.interval) {
      this.start(delay, count);
    }

    start(delay, count) {
      this.cancel();
      if (js.isClosed) {
        return;
      }
      js.tasks.add(this);
      this.running = 1;
      this.timer = setTimeout(
        () => {
          this.iterations += 1;
          if (count === 1) {
            this.cancel();
          } else {
            this.start(this.interval, count < 0 ? count : count - 1);
          }
          this.execute();
        },
        Math.max(0, Number(delay) || 0),
      );
    }

    cancel() {
      clearTimeout(this.timer);
      js.tasks.delete(this);
      this.running = 0;
    }

    freepeer() {
      this.cancel();
    }
  };
}

module.exports = { Js };
