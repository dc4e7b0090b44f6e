"use strict";

/**
 * What the user sees and touches, by the class of the box. After the reference pages: which outlet says what, which
 * messages make an object speak (a number does, `set` does not), and that an inactive one takes no mouse. Values of
 * Live's parameters are C floats, so that 0.7 comes out of a number box as 0.699999988.
 */

const { MaxObject } = require("./max_object");

/** Attributes that boxes take as messages; nothing comes of them here. */
const LOOKS = new RegExp(
  "^(hidden|ignoreclick|annotation|annotation_name|hint|fontsize|fontname|fontface|text(on)?|.*color|" +
    "presentation|presentation_rect|patching_rect|border|rounded)$",
);

class Box extends MaxObject {
  misunderstood(selector) {
    if (!LOOKS.test(selector)) {
      super.misunderstood(selector);
    }
  }

  get untouchable() {
    return Boolean(this.box.ignoreclick);
  }
}

/** comment and live.comment. */
class Comment extends Box {
  constructor(...given) {
    super(...given);
    this.text = this.box.text || "";
  }

  methods() {
    return {
      set: (...words) => (this.text = words.join(" ")),
      append: (...words) => (this.text += words.join(" ")),
      clear: () => (this.text = ""),
    };
  }

  shown() {
    return { text: this.text };
  }
}

class TextEdit extends Box {
  constructor(...given) {
    super(...given);
    this.text = this.box.text || "";
  }

  methods() {
    return {
      set: (...words) => (this.text = words.join(" ")),
      append: (...words) => (this.text = [this.text, ...words].filter((word) => word !== "").join(" ")),
      clear: () => (this.text = ""),
      bang: () => this.output(),
      select: () => undefined,
    };
  }

  /** "text" and what was typed: as words, or with `outputmode` as one symbol. */
  output() {
    const words = this.box.outputmode ? [this.text] : this.text.split(/\s+/).filter(Boolean);
    this.send(0, ["text", ...(this.text === "" ? [] : words)]);
  }

  /** `enter`: the key that hands the text over where `keymode` says so; elsewhere it would begin a line. */
  type(text, { enter = true } = {}) {
    this.text = text;
    if (enter && this.box.keymode) {
      this.output();
    }
    return true;
  }

  restore(value) {
    this.text = [].concat(value).join(" ");
    this.output();
  }

  shown() {
    return { text: this.text };
  }
}

class UMenu extends Box {
  constructor(...given) {
    super(...given);
    // In a patch the items' words stand in one list, with commas between the items.
    const words = this.box.items || [];
    this.items = words.length
      ? words
          .join("\n")
          .split("\n,\n")
          .map((item) => item.replaceAll("\n", " "))
      : [];
    this.value = 0;
  }

  methods() {
    const number = (index) => this.pick(index, true);
    return {
      int: number,
      float: (index) => number(Math.trunc(index)),
      bang: () => this.output(),
      set: (index) => this.pick(index, false),
      symbol: (...words) => this.pickText(words.join(" "), true),
      setsymbol: (...words) => this.pickText(words.join(" "), false),
      append: (...words) => this.items.push(words.join(" ")),
      clear: () => {
        this.items = [];
        this.value = 0;
      },
      delete: (index) => this.items.splice(index, 1),
      count: () => this.send(2, ["count", this.items.length]),
      enableitem: () => undefined,
      checkitem: () => undefined,
      clearchecks: () => undefined,
    };
  }

  pick(index, speak) {
    this.value = Math.max(0, Math.min(index, this.items.length - 1));
    if (speak) {
      this.output();
    }
  }

  /** A text that is no item: Max keeps still and shows what it showed; here it is an error, as nobody can mean it. */
  pickText(text, speak) {
    const index = this.items.indexOf(text);
    if (index < 0) {
      this.device.post(`umenu: no item "${text}" among ${JSON.stringify(this.items)}`);
      return;
    }
    this.pick(index, speak);
  }

  /** The index, and before it the text: one symbol, or with the device's option `menuText: "words"` one atom a word. */
  output() {
    if (this.items.length) {
      const text = this.items[this.value];
      this.send(1, this.device.options.menuText === "words" ? text.split(/\s+/) : [text]);
      this.send(0, [this.value]);
    }
  }

  choose(item) {
    if (!this.items.includes(item)) {
      throw new Error(
        `the menu ${this.box.varname} has no item ${JSON.stringify(item)}; it has ${JSON.stringify(this.items)}`,
      );
    }
    return this.turn(this.items.indexOf(item));
  }

  /** Chooses by number: an item may be there twice. */
  turn(index) {
    this.pick(index, true);
    return true;
  }

  shown() {
    return { text: this.items[this.value] ?? "", value: this.value, items: [...this.items] };
  }
}

/** live.numbox, live.dial, live.slider, and what all of Live's controls share. */
class LiveNumber extends Box {
  constructor(...given) {
    super(...given);
    this.active = 1;
    const { parameter_mmin: low = 0, parameter_mmax: high = this.kind === 1 ? 127 : 1 } = this.parameter || {};
    [this.low, this.high] = [low, high];
    this.value = this.fit(0);
  }

  /** 0 float, 1 int, 2 enum, 3 blob. */
  get kind() {
    return (this.parameter && this.parameter.parameter_type) || 0;
  }

  get untouchable() {
    return super.untouchable || !this.active;
  }

  fit(value) {
    const inside = Math.max(this.low, Math.min(this.high, value));
    return this.kind === 0 ? Math.fround(inside) : Math.trunc(inside);
  }

  methods() {
    const take = (value) => this.turn(value);
    return {
      int: take,
      float: take,
      assign: take,
      bang: () => this.output(),
      outputvalue: () => this.output(),
      init: () => this.parameter && this.restore(this.parameter.parameter_initial),
      set: (value) => (this.value = this.fit(Number(value))),
      active: (on) => (this.active = on ? 1 : 0),
    };
  }

  output() {
    this.send(1, [(this.value - this.low) / (this.high - this.low || 1)]);
    this.send(0, [this.value]);
  }

  turn(value) {
    this.value = this.fit(Number(value));
    this.output();
    return true;
  }

  restore(value) {
    this.turn([].concat(value)[0]);
  }

  shown() {
    return { value: this.value, text: String(this.value), active: this.active };
  }
}

class LiveMenu extends LiveNumber {
  constructor(...given) {
    super(...given);
    this.items = (this.parameter && this.parameter.parameter_enum) || [];
    [this.low, this.high] = [0, this.items.length - 1];
  }

  methods() {
    const by =
      (action) =>
      (...words) => {
        const index = this.items.indexOf(words.join(" "));
        if (index < 0) {
          this.device.post(`live.menu: no item "${words.join(" ")}"`);
        } else {
          action(index);
        }
      };
    return {
      ...super.methods(),
      symbol: by((index) => this.turn(index)),
      setsymbol: by((index) => (this.value = index)),
    };
  }

  output() {
    this.send(2, [this.value / Math.max(1, this.high)]);
    // An item like "4" was typed as text: it leaves as a symbol (inferred; a number would do the same to the script).
    this.send(1, [this.items[this.value]]);
    this.send(0, [this.value]);
  }

  choose(item) {
    const index = this.items.indexOf(String(item));
    if (index < 0) {
      throw new Error(
        `the menu ${this.box.varname} has no item ${JSON.stringify(item)}; it has ${JSON.stringify(this.items)}`,
      );
    }
    return this.turn(index);
  }

  shown() {
    return { ...super.shown(), text: this.items[this.value], items: [...this.items] };
  }
}

/** live.text: a switch (`mode` 1) says 0 or 1; a button bangs, in some versions twice a click (the option `clicks`). */
class LiveText extends LiveNumber {
  constructor(...given) {
    super(...given);
    [this.low, this.high] = [0, 1];
    this.isSwitch = this.box.mode !== 0; // a live.text is a switch unless it is told otherwise
    this.value = 0;
  }

  methods() {
    const toggle = () => (this.isSwitch ? this.turn(1 - this.value) : this.output());
    return { ...super.methods(), bang: toggle };
  }

  output() {
    this.send(1, [(this.value && this.box.texton) || this.box.text || ""]);
    this.send(0, this.isSwitch ? [this.value] : ["bang"]);
  }

  click() {
    const times = this.isSwitch || this.device.options.clicks !== "twice" ? 1 : 2;
    for (let time = 0; time < times; time += 1) {
      this.methods().bang();
    }
    return true;
  }

  restore(value) {
    if (this.isSwitch) {
      super.restore(value);
    }
  }

  shown() {
    return { value: this.value, text: (this.value && this.box.texton) || this.box.text || "", active: this.active };
  }
}

class LiveToggle extends LiveText {
  constructor(...given) {
    super(...given);
    this.isSwitch = true;
  }

  output() {
    this.send(0, [this.value]);
  }
}

class Button extends Box {
  methods() {
    return { set: () => undefined, anything: () => this.send(0, ["bang"]) };
  }

  click() {
    this.send(0, ["bang"]);
    return true;
  }
}

class Static extends Box {}

const UI = {
  comment: Comment,
  "live.comment": Comment,
  textedit: TextEdit,
  umenu: UMenu,
  "live.numbox": LiveNumber,
  "live.dial": LiveNumber,
  "live.slider": LiveNumber,
  "live.menu": LiveMenu,
  "live.tab": LiveMenu,
  "live.text": LiveText,
  "live.toggle": LiveToggle,
  "live.button": Button,
  button: Button,
  panel: Static,
  fpic: Static,
  "live.line": Static,
};

module.exports = { UI };
