"use strict";

/**
 * [udpsend] and [udpreceive] on real sockets, at 127.0.0.1.
 *
 * Documented: `port` and `host`, `@quiet` ("status notifications to the Max Console are suppressed"), `@defer`. One
 * object can hold a port; the second gets nothing. Whether it says so in the console depends on version and system (the
 * device's option `portTaken`), and the words are inferred.
 */

const dgram = require("node:dgram");
const osc = require("./osc");
const { MaxObject } = require("./max_object");

class UdpSend extends MaxObject {
  constructor(...given) {
    super(...given);
    [this.host = "127.0.0.1", this.port = 0] = this.args;
    this.pending = 0;
  }

  methods() {
    return {
      port: (port) => (this.port = port),
      host: (host) => (this.host = host),
      anything: (...message) => this.transmit(message),
    };
  }

  transmit(message) {
    const atoms = typeof message[0] === "string" ? message : ["list", ...message];
    this.device.sent.push({ port: this.port, atoms });
    if (!this.socket) {
      this.socket = dgram.createSocket("udp4");
      this.socket.on("error", () => undefined); // a port that nobody holds: UDP does not say
    }
    this.pending += 1;
    this.socket.send(osc.encode(atoms), this.port, this.host, () => {
      this.pending -= 1;
      this.end();
    });
  }

  closed() {
    this.isOver = true;
    this.end();
  }

  /** The last message, a good-bye as a rule, still goes out. */
  end() {
    if (this.isOver && this.socket && !this.pending) {
      this.socket.close();
      this.socket = null;
    }
  }
}

class UdpReceive extends MaxObject {
  loaded() {
    if (this.args.length) {
      this.listen(this.args[0]);
    }
  }

  methods() {
    return {
      port: (port) => this.listen(port),
      maxqueuesize: () => undefined,
      quiet: (on) => (this.attributes.quiet = on),
    };
  }

  listen(port) {
    this.release();
    const socket = dgram.createSocket("udp4");
    this.socket = socket;
    this.port = port;
    socket.on("error", () => {
      this.release(socket);
      if (this.device.options.portTaken === "post" && !this.attributes.quiet) {
        this.device.post(`udpreceive: port ${port} is taken`);
      }
    });
    socket.on("message", (datagram) => this.device.later(0, () => this.hear(datagram, socket)));
    socket.bind({ address: "127.0.0.1", port, exclusive: true }, () => {
      if (!this.attributes.quiet) {
        this.device.post(`udpreceive: listening on port ${port}`);
      }
    });
  }

  hear(datagram, socket) {
    if (socket !== this.socket) {
      return;
    }
    let messages;
    try {
      messages = osc.decodeAll(datagram);
    } catch (error) {
      this.device.post(`udpreceive: ${error.message}`);
      return;
    }
    messages.forEach((message) => this.send(0, message));
  }

  release(socket = this.socket) {
    if (socket) {
      socket.close();
    }
    if (socket === this.socket) {
      this.socket = null;
    }
  }

  closed() {
    this.release();
  }
}

module.exports = { UDP: { udpsend: UdpSend, udpreceive: UdpReceive } };
