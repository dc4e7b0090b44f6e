"use strict";

/** What all objects of a patch have in common: messages in, messages out, parameters. */

const numbersOf = (message) => message.every((atom) => typeof atom === "number");

class MaxObject {
  constructor(device, box, args = [], attributes = {}) {
    this.device = device;
    this.box = box;
    this.args = args;
    this.attributes = attributes;
    this.cords = [];
    this.parameter = ((box.saved_attribute_attributes || {}).valueof || {}).parameter_longname
      ? box.saved_attribute_attributes.valueof
      : null;
  }

  get label() {
    return this.box.maxclass === "newobj" ? this.box.text.split(" ")[0] : this.box.maxclass;
  }

  /** A message to all that an outlet leads to, in Max's order: from right to left, from bottom to top. */
  send(outlet, message) {
    (this.cords[outlet] || []).forEach(({ object, inlet }) => object.take(inlet, message));
  }

  take(inlet, message) {
    if (!this.device.isClosed) {
      this.receive(inlet, message);
    }
  }

  /** Finds the method for a message, as Max does by its selector. */
  receive(inlet, message) {
    const methods = this.methods(inlet);
    const [first] = message;
    const selector =
      typeof first === "string" ? first : message.length > 1 ? "list" : Number.isInteger(first) ? "int" : "float";
    const args = typeof first === "string" ? message.slice(1) : message;
    if (Object.hasOwn(methods, selector)) {
      methods[selector](...args);
    } else if (selector === "float" && methods.int) {
      methods.int(Math.trunc(args[0]));
    } else if (selector === "int" && methods.float) {
      methods.float(...args);
    } else if (selector === "list" && numbersOf(args) && (methods.int || methods.float)) {
      this.receive(inlet, [args[0]]); // a list to an object that takes numbers: its first
    } else if (methods.anything) {
      methods.anything(...message);
    } else {
      this.misunderstood(selector);
    }
  }

  misunderstood(selector) {
    this.device.post(`${this.label}: doesn't understand "${selector}"`);
  }

  methods() {
    return {};
  }

  /** All objects are there and connected. */
  loaded() {}

  closed() {}

  /** What a person sees of it. */
  shown() {
    return {};
  }
}

module.exports = { MaxObject };
