"use strict";

/**
 * A stand-in for Max inside Live: opens a device's file, makes its objects, lays its cords, and lets a test press, type
 * and read what a person would.
 *
 * What happens when a device is opened: its objects are made (a [js]'s global code runs), load bangs go off, Live gives
 * the parameters their stored or initial values and they say them, Live's API becomes usable, [live.thisdevice] bangs.
 * `order: "bang first"` lets the bang come before the parameters, which a device should bear as well.
 */

const fs = require("node:fs");
const path = require("node:path");
const amxd = require("./amxd");
const { Live } = require("./live");
const { DEVICE, chosen } = require("./options");
const { Js } = require("./js_object");
const { OBJECTS, MessageBox, ThisDevice, Receive, atomsOf } = require("./max_objects");
const { UDP } = require("./udp_objects");
const { UI } = require("./ui_objects");

const HIDDEN = 2; // parameter_invisible: 0 automated and stored, 1 stored only, 2 hidden

class Device {
  constructor(file, options) {
    this.path = file;
    this.options = chosen("a device", DEVICE, options);
    this.console = [];
    this.faults = [];
    this.sent = [];
    this.objects = [];
    this.timers = new Set();
    this.hosts = [];
    this.isReady = false;
    this.isClosed = false;
    const device = amxd.read(file);
    this.kind = device.kind;
    // A device that is not frozen finds its scripts beside it.
    this.files = device.frozen ? device.files : filesBeside(file);
    this.live = this.options.live || new Live();
    const track = this.options.track ?? this.live.tracks[0] ?? this.live.addAudioTrack("");
    this.own = this.live.addDevice(track, path.basename(file, ".amxd"));
    this.build(device.patch.patcher);
    this.start();
  }

  build({ boxes, lines }) {
    const byId = new Map();
    for (const { box } of boxes) {
      const object = this.make(box);
      this.objects.push(object);
      byId.set(box.id, object);
    }
    for (const { patchline } of lines) {
      const [from, outlet] = patchline.source;
      const [to, inlet] = patchline.destination;
      const [source, object] = [byId.get(from), byId.get(to)];
      if (!source || !object || outlet >= source.box.numoutlets || inlet >= object.box.numinlets) {
        throw new Error(`a cord from ${from} ${outlet} to ${to} ${inlet}, where there is nothing`);
      }
      source.cords[outlet] = [...(source.cords[outlet] || []), { object, inlet }];
    }
    const [x, y] = [
      (cord) => cord.object.box.patching_rect[0] + cord.inlet,
      (cord) => cord.object.box.patching_rect[1],
    ];
    for (const object of this.objects) {
      object.cords.forEach((cords) => cords.sort((a, b) => x(b) - x(a) || y(b) - y(a)));
    }
  }

  make(box) {
    if (box.maxclass === "message") {
      return new MessageBox(this, box);
    }
    if (box.maxclass !== "newobj") {
      const kind = UI[box.maxclass];
      if (!kind) {
        throw new Error(`the stand-in has no ${box.maxclass} (box ${box.id})`);
      }
      return new kind(this, box);
    }
    const words = atomsOf(box.text);
    const end = words.findIndex((word) => typeof word === "string" && /^@./.test(word));
    const attributes = {};
    words.slice(end < 0 ? words.length : end).forEach((word, index, all) => {
      if (typeof word === "string" && word.startsWith("@")) {
        attributes[word.slice(1)] = all[index + 1];
      }
    });
    const [name, ...args] = end < 0 ? words : words.slice(0, end);
    const kind = { ...OBJECTS, ...UDP, js: Js }[name];
    if (!kind) {
      throw new Error(`the stand-in has no object ${name} (box ${box.id}: ${box.text})`);
    }
    return new kind(this, box, args, attributes);
  }

  start() {
    this.objects.forEach((object) => object.loaded());
    if (this.options.order === "bang first") {
      this.bang();
      this.restore(this.options.stored);
    } else {
      this.loadPreset(this.options.stored);
    }
  }

  bang() {
    this.isReady = true;
    this.objects.filter((object) => object instanceof ThisDevice).forEach((object) => object.ready());
  }

  /** A preset: values as `stored` has them. [live.thisdevice] bangs again "every time a new preset is loaded". */
  loadPreset(stored) {
    this.restore(stored);
    this.bang();
  }

  /** Stored values, else initial ones; a parameter that has neither keeps still. */
  restore(stored) {
    for (const object of this.objects.filter((one) => one.parameter && one.restore)) {
      const {
        parameter_longname: name,
        parameter_initial_enable: hasInitial,
        parameter_initial: initial,
      } = object.parameter;
      if (Object.hasOwn(stored, name) && object.parameter.parameter_invisible !== HIDDEN) {
        object.restore(stored[name]);
      } else if (hasInitial) {
        object.restore(initial);
      }
    }
  }

  // ------------------------------------------------------------------------------------------------ for objects

  post(line) {
    this.console.push(line);
  }

  later(ms, action) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, ms);
    this.timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.timers.delete(timer);
    };
  }

  /** [send] and `messnamed`. */
  send(name, message) {
    this.objects
      .filter((object) => object instanceof Receive && object.args[0] === name)
      .forEach((object) => object.take(0, message));
  }

  LiveAPI(js) {
    const host = {
      post: (line) => this.post(line),
      ready: () => this.isReady && !this.isClosed,
      device: this.own,
      array: (list) => js.array(list),
      error: (message) => js.newError(message),
      call: (callback, args) => js.guarded(() => callback.call(js.world, args)),
    };
    this.hosts.push(host);
    return this.live.apiFor(host);
  }

  /** A script's view of an object: Maxobj, as far as scripts of devices use it. */
  maxobj(object) {
    return {
      varname: object.box.varname || "",
      maxclass: object.box.maxclass === "newobj" ? object.label : object.box.maxclass,
      rect: object.box.patching_rect,
      valid: true,
      message: (...values) => object.take(0, values.flat()),
    };
  }

  named(varname) {
    const object = this.objects.find((one) => one.box.varname === varname);
    return object ? this.maxobj(object) : null;
  }

  // --------------------------------------------------------------------------------------------------- for tests

  find(varname) {
    const object = this.objects.find((one) => one.box.varname === varname);
    if (!object) {
      throw new Error(`the device has no object ${varname}`);
    }
    return object;
  }

  /** Does with an object what a person would; false where it takes no mouse. */
  touch(varname, how, ...given) {
    const object = this.find(varname);
    if (typeof object[how] !== "function") {
      throw new Error(`nobody can ${how} ${varname}, which is a ${object.label}`);
    }
    return object.untouchable ? false : object[how](...given);
  }

  click(varname) {
    return this.touch(varname, "click");
  }

  /** Types a text; `{enter: false}` leaves it at that. */
  type(varname, text, options) {
    return this.touch(varname, "type", text, options);
  }

  choose(varname, item) {
    return this.touch(varname, "choose", item);
  }

  turn(varname, value) {
    return this.touch(varname, "turn", value);
  }

  /** `{text, value, active, items}`, as far as the object has them. */
  shown(varname) {
    return this.find(varname).shown();
  }

  /** All that is shown, by name. */
  display() {
    const named = this.objects.filter((object) => object.box.varname && Object.keys(object.shown()).length);
    return Object.fromEntries(named.map((object) => [object.box.varname, object.shown()]));
  }

  /** What the Live set would keep: the parameters that are not hidden, by their long names. */
  stored() {
    const kept = this.objects.filter((object) => object.parameter && object.parameter.parameter_invisible !== HIDDEN);
    return Object.fromEntries(
      kept.map((object) => [object.parameter.parameter_longname, structuredClone(object.value ?? object.text)]),
    );
  }

  /** The port that the device listens on, if it has one. */
  get port() {
    const ear = this.objects.find((object) => object instanceof UDP.udpreceive);
    return ear && ear.socket ? ear.port : null;
  }

  /** Waits for something to be so; fails with the console and with what the device shows. */
  async until(predicate, what = "what was waited for", ms = 5000) {
    const end = Date.now() + ms;
    for (;;) {
      const found = predicate(this);
      if (found) {
        return found;
      }
      if (Date.now() > end) {
        throw new Error(`${what}: not within ${ms} ms\n${this.report()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  report() {
    const shown = Object.entries(this.display()).map(([name, item]) => `  ${name}: ${JSON.stringify(item)}`);
    const last = this.sent.slice(-8).map(({ port, atoms }) => `  ${port} ${JSON.stringify(atoms)}`);
    const faults = this.faults.map((fault) => (fault && fault.stack) || String(fault));
    return [
      "console:",
      ...this.console.map((line) => `  ${line}`),
      ...faults,
      "shown:",
      ...shown,
      "last sent:",
      ...last,
    ].join("\n");
  }

  /** The device is taken out of the set. */
  close() {
    if (this.isClosed) {
      return;
    }
    this.objects.filter((object) => object instanceof Js).forEach((object) => object.closed());
    this.isClosed = true;
    this.objects.filter((object) => !(object instanceof Js)).forEach((object) => object.closed());
    this.timers.forEach((timer) => clearTimeout(timer));
    this.hosts.forEach((host) => (host.handles || []).forEach((handle) => this.live.observers.delete(handle)));
    const { devices } = this.own.canonical_parent;
    devices.splice(devices.indexOf(this.own), 1);
    this.own.delete();
  }
}

function filesBeside(file) {
  const folder = path.dirname(file);
  const scripts = fs.readdirSync(folder).filter((name) => name.endsWith(".js"));
  return Object.fromEntries(scripts.map((name) => [name, fs.readFileSync(path.join(folder, name), "utf8")]));
}

/** Opens a device; `options` as options.js has them. */
function open(file, options = {}) {
  return new Device(String(file), options);
}

module.exports = { open };
