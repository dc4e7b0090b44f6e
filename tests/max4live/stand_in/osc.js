"use strict";

/**
 * OSC 1.0 as Max's [udpsend] writes it and [udpreceive] reads it.
 *
 * A Max message is an array of atoms, the first being its name. A JavaScript number that is whole leaves `js` as an
 * int, any other as a float; [udpsend] has 32 bits for either (OSC's types i and f) and writes symbols as s.
 */

const INT_MAX = 2 ** 31;

/** A number that is to leave as a float although it is whole, as `3.` does from a number box. */
class Float {
  constructor(value) {
    this.value = value;
  }
}

function padded(text) {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.includes(0)) {
    throw new TypeError("a symbol with a NUL cannot be sent");
  }
  return Buffer.concat([bytes, Buffer.alloc(4 - (bytes.length % 4))]);
}

function int(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function float(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
}

function encodeAtom(atom) {
  if (atom instanceof Float) {
    return ["f", float(atom.value)];
  }
  if (typeof atom === "string") {
    return ["s", padded(atom)];
  }
  if (typeof atom === "number" && Number.isInteger(atom) && atom >= -INT_MAX && atom < INT_MAX) {
    return ["i", int(atom)];
  }
  if (typeof atom === "number" && !Number.isNaN(atom)) {
    return ["f", float(atom)];
  }
  throw new TypeError(`no atom of Max: ${String(atom)} (${typeof atom})`);
}

/** The datagram of a message: address, type tags, arguments. */
function encode(atoms) {
  const [address, ...args] = atoms;
  if (typeof address !== "string") {
    throw new TypeError(`a message that is sent begins with its name, not ${String(address)}`);
  }
  const parts = args.map(encodeAtom);
  return Buffer.concat([
    padded(address),
    padded("," + parts.map((part) => part[0]).join("")),
    ...parts.map((part) => part[1]),
  ]);
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(size) {
    if (this.at + size > this.bytes.length) {
      throw new RangeError("the datagram ends too early");
    }
    const part = this.bytes.subarray(this.at, this.at + size);
    this.at += size;
    return part;
  }

  string() {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) {
      throw new RangeError("a string without its end");
    }
    const text = this.bytes.toString("utf8", this.at, end);
    this.take(end - this.at + 4 - ((end - this.at) % 4));
    return text;
  }

  atom(tag) {
    switch (tag) {
      case "i":
        return this.take(4).readInt32BE();
      case "f":
        return this.take(4).readFloatBE();
      case "s":
      case "S":
        return this.string();
      case "d":
        return this.take(8).readDoubleBE();
      case "h":
        return Number(this.take(8).readBigInt64BE());
      case "T":
        return 1;
      case "F":
        return 0;
      default:
        throw new RangeError(`a type that Max does not take: ${tag}`);
    }
  }
}

/** Every message of a datagram, bundles opened. */
function decodeAll(datagram) {
  const reader = new Reader(datagram);
  const address = reader.string();
  if (address === "#bundle") {
    reader.take(8);
    const messages = [];
    while (reader.at < datagram.length) {
      messages.push(...decodeAll(reader.take(reader.take(4).readInt32BE())));
    }
    return messages;
  }
  const tags = reader.at < datagram.length ? reader.string() : ",";
  if (!tags.startsWith(",")) {
    throw new RangeError("arguments without type tags");
  }
  return [[address, ...[...tags.slice(1)].map((tag) => reader.atom(tag))]];
}

/** The atoms of the datagram's first message, as [udpreceive] gives them. */
function decode(datagram) {
  return decodeAll(datagram)[0];
}

module.exports = { encode, decode, decodeAll, Float };
