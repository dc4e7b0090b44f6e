"use strict";

/** The objects that are typed into boxes, by name. After their reference pages (docs.cycling74.com/reference). */

const { MaxObject } = require("./max_object");

/** Numbers and symbols of a box's text or a message box, as Max reads them. */
function atomsOf(text) {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => {
    const word = match[1] !== undefined ? match[1] : match[2];
    return match[1] === undefined && /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word) ? Number(word) : word;
  });
}

/** A message without its first atom: a bang when nothing is left. */
function rest(message) {
  return message.length > 1 ? message.slice(1) : ["bang"];
}

class Prepend extends MaxObject {
  methods() {
    return { anything: (...message) => this.send(0, [...this.args, ...message]) };
  }
}

class Append extends MaxObject {
  methods() {
    return { anything: (...message) => this.send(0, [...(message[0] === "bang" ? [] : message), ...this.args]) };
  }
}

/** "If the first item of the message is the same as one of the arguments, the rest of the message is sent out." */
class Route extends MaxObject {
  methods() {
    return {
      anything: (...message) => {
        const at = this.args.indexOf(message[0]);
        this.send(at < 0 ? this.args.length : at, at < 0 ? message : this.found(message));
      },
    };
  }

  found(message) {
    return rest(message);
  }
}

class RoutePass extends Route {
  found(message) {
    return message;
  }
}

class Select extends MaxObject {
  methods() {
    return {
      anything: (...message) => {
        const at = message.length === 1 ? this.args.indexOf(message[0]) : -1;
        this.send(at < 0 ? this.args.length : at, at < 0 ? message : ["bang"]);
      },
    };
  }
}

/** Sends its input on, from its right outlet to its left, each in the form that its argument names, or a constant. */
class Trigger extends MaxObject {
  methods() {
    return {
      anything: (...message) => {
        for (let outlet = this.args.length - 1; outlet >= 0; outlet -= 1) {
          this.send(outlet, this.form(this.args[outlet], message));
        }
      },
    };
  }

  form(kind, message) {
    const [first] = message;
    const number = typeof first === "number" ? first : 0;
    switch (kind) {
      case "b":
      case "bang":
        return ["bang"];
      case "i":
      case "int":
        return [Math.trunc(number)];
      case "f":
      case "float":
        return [number];
      case "s":
      case "symbol":
        return [typeof first === "string" ? first : ""];
      case "l":
      case "list":
      case "a":
      case "anything":
        return message;
      default:
        return [kind];
    }
  }
}

class Defer extends MaxObject {
  methods() {
    return { anything: (...message) => this.device.later(0, () => this.send(0, message)) };
  }
}

class Delay extends MaxObject {
  methods(inlet) {
    const set = (ms) => {
      this.args = [ms];
    };
    return inlet === 1
      ? { int: set, float: set }
      : { bang: () => this.start(), int: (ms) => (set(ms), this.start()), stop: () => this.stop() };
  }

  start() {
    this.stop();
    this.stop = this.device.later(this.args[0] || 0, () => this.send(0, ["bang"]));
  }

  stop() {}
}

class LoadBang extends MaxObject {
  methods() {
    return { bang: () => this.loaded(), loadbang: () => this.loaded() };
  }

  loaded() {
    this.send(0, this.args.length ? this.args : ["bang"]);
  }
}

class Change extends MaxObject {
  methods() {
    const take = (value) => {
      if (value !== this.last) {
        this.last = value;
        this.send(0, [value]);
      }
    };
    return { int: take, float: take, set: (value) => (this.last = value) };
  }
}

class Gate extends MaxObject {
  methods(inlet) {
    if (inlet === 0) {
      return { int: (open) => (this.open = open), bang: () => this.send(0, [this.open || 0]) };
    }
    return { anything: (...message) => (this.open ? this.send(this.open - 1, message) : undefined) };
  }
}

class NumberBox extends MaxObject {
  methods(inlet) {
    const round = this.box.text.startsWith("i") ? Math.trunc : Number;
    const keep = (value) => (this.value = round(value));
    if (inlet === 1) {
      return { float: keep };
    }
    return { float: (value) => this.send(0, [keep(value)]), bang: () => this.send(0, [this.value || 0]), set: keep };
  }
}

class ToSymbol extends MaxObject {
  methods() {
    return { anything: (...message) => this.send(0, [message.join(" ")]) };
  }
}

class FromSymbol extends MaxObject {
  methods() {
    return { anything: (...message) => this.send(0, atomsOf(message.join(" "))) };
  }
}

class Send extends MaxObject {
  methods() {
    return { anything: (...message) => this.device.send(this.args[0], message) };
  }
}

class Receive extends MaxObject {
  methods() {
    return { anything: (...message) => this.send(0, message) };
  }
}

/** Sound goes through unheard here; messages have no business in it. */
class Sound extends MaxObject {}

/** "A bang is automatically sent from the left outlet when the device is opened and completely initialized." */
class ThisDevice extends MaxObject {
  methods() {
    return { bang: () => this.ready() };
  }

  ready() {
    this.send(1, [1]); // on
    this.send(0, ["bang"]);
  }
}

class Banks extends MaxObject {}

/**
 * Keeps any data, here as a parameter of Live's ("blob"). A bang makes it speak; what it is given is kept, and with
 * `thru` (as it comes) also sent on. Its own words are commands, not data.
 */
class Pattr extends MaxObject {
  methods() {
    return {
      bang: () => this.output(),
      init: () => this.restore(this.parameter.parameter_initial),
      clear: () => (this.value = null),
      getvalueof: () => this.output(),
      anything: (...message) => {
        this.value = message;
        if (this.attributes.thru !== 0) {
          this.output();
        }
      },
    };
  }

  output() {
    if (this.value) {
      this.send(0, [...this.value]);
    }
  }

  restore(value) {
    this.value = [...value];
    this.output();
  }
}

/** A message box: sends its text; `set` replaces it, $1 to $9 stand for what comes in, a comma parts messages. */
class MessageBox extends MaxObject {
  methods() {
    return {
      set: (...message) => (this.box.text = message.join(" ")),
      anything: (...message) => this.speak(message),
    };
  }

  speak(message) {
    const given = message[0] === "bang" ? [] : message;
    for (const part of this.box.text.split(",")) {
      const atoms = atomsOf(part).map((atom) => {
        const place = /^\$([1-9])$/.exec(atom);
        return place ? (given[place[1] - 1] ?? 0) : atom;
      });
      if (atoms.length) {
        this.send(0, atoms);
      }
    }
  }

  click() {
    this.speak(["bang"]);
    return true;
  }
}

const OBJECTS = {
  prepend: Prepend,
  append: Append,
  route: Route,
  routepass: RoutePass,
  select: Select,
  sel: Select,
  trigger: Trigger,
  t: Trigger,
  defer: Defer,
  deferlow: Defer,
  delay: Delay,
  del: Delay,
  loadbang: LoadBang,
  loadmess: LoadBang,
  change: Change,
  gate: Gate,
  int: NumberBox,
  i: NumberBox,
  float: NumberBox,
  f: NumberBox,
  tosymbol: ToSymbol,
  fromsymbol: FromSymbol,
  send: Send,
  s: Send,
  receive: Receive,
  r: Receive,
  pattr: Pattr,
  "plugin~": Sound,
  "plugout~": Sound,
  "live.thisdevice": ThisDevice,
  "live.banks": Banks,
};

module.exports = { OBJECTS, MessageBox, ThisDevice, Receive, atomsOf };
