"use strict";

/*
 * Live's object model, as plain values.
 *
 * LiveAPI answers in lists of atoms, with ids that go stale, and each LiveAPI object that is made costs Live a little
 * for as long as the device is loaded (it watches all along its path). So there is one that is pointed at whatever is
 * asked about, and one more for each observer; nodes hold nothing but an id.
 */

/** A path as Live means it: older versions of Max put it into quotes. */
function bare(path) {
  return String(path === null || path === undefined ? "" : path).replace(/^"|"$/g, "").replace(/\s+$/, "");
}

/** What `get` means: the value alone, a list of several, undefined for none. No list at all means no object. */
function unwrapped(atoms) {
  if (!Array.isArray(atoms)) {
    return undefined;
  }
  return atoms.length > 1 ? atoms.slice() : atoms[0];
}

/** The ids in `["id", 3, "id", 0, "id", 7]`, without the zeros, which stand for nothing. */
function idsOf(atoms) {
  var ids = [];
  var i;
  if (Array.isArray(atoms)) {
    for (i = 0; i < atoms.length; i += 1) {
      if (atoms[i] !== "id" && Number(atoms[i])) {
        ids.push(Number(atoms[i]));
      }
    }
  }
  return ids;
}

/** One object of Live, by its id. A node whose object is gone reads as undefined and takes nothing. */
function Node(live, id) {
  this.live = live;
  this.id = id;
}

Object.defineProperty(Node.prototype, "path", {
  /** The canonical path at this moment: tracks and scenes move. Empty when the object is gone. */
  get: function () {
    var api = this.live.point(this.id);
    return api ? bare(api.path) : "";
  }
});

/** Whether the object is still there. An id outlives its object, a path does not. */
Node.prototype.alive = function () {
  return this.path !== "";
};

/** Whether Live's version has a property, child or function of this name; asking for one that it has not is posted. */
Node.prototype.has = function (name) {
  return this.live.knows(this, name);
};

Node.prototype.get = function (property) {
  var api = this.live.point(this.id);
  return api ? unwrapped(api.get(property)) : undefined;
};

/** A property that counts: 0 where there is none. Live answers booleans as 0 and 1. */
Node.prototype.number = function (property) {
  return Number(this.get(property)) || 0;
};

/** A property that is text: names of digits come back as numbers, and names of several words as lists. */
Node.prototype.text = function (property) {
  var value = this.get(property);
  if (value === undefined || value === null) {
    return "";
  }
  return Array.isArray(value) ? value.join(" ") : String(value);
};

Node.prototype.ref = function (property) {
  return this.refs(property)[0] || null;
};

Node.prototype.refs = function (property) {
  var live = this.live;
  var api = live.point(this.id);
  return idsOf(api ? api.get(property) : null).map(function (id) {
    return new Node(live, id);
  });
};

/** Ask Live to change a property. It may not: neither an error nor the answer tells, only reading it back does. */
Node.prototype.set = function (property, value) {
  var api = this.live.point(this.id);
  if (api) {
    api.set(property, value);
  }
};

/** Call a function; a refusal is no error here either. */
Node.prototype.call = function () {
  var api = this.live.point(this.id);
  var result = api ? api.call.apply(api, arguments) : undefined;
  return Array.isArray(result) ? unwrapped(result) : result;
};

/** The door to Live. `LiveAPI` is Max's constructor; nothing is made of it before the first question. */
function Live(LiveAPI) {
  if (!(this instanceof Live)) {
    return new Live(LiveAPI);
  }
  this.LiveAPI = LiveAPI;
  this.cursor = null;
  this.observers = [];
  this.known = {};
  this.numbers = null;
}

/** The one LiveAPI object, pointed at an id; null where there is nothing of that id. */
Live.prototype.point = function (id) {
  if (!this.cursor) {
    this.cursor = new this.LiveAPI(null, "live_set");
  }
  if (Number(this.cursor.id) !== id) {
    // The bare number: neither `goto` nor a path takes "id 5". An unknown id leaves the cursor where it was.
    this.cursor.id = id;
  }
  return Number(this.cursor.id) === id ? this.cursor : null;
};

/** What is at a path now, or null. The path must be one that Live's model has; the object at its end may be missing. */
Live.prototype.at = function (path) {
  var id;
  if (!this.cursor) {
    this.cursor = new this.LiveAPI(null, path);
  } else {
    this.cursor.goto(path);
  }
  id = Number(this.cursor.id);
  return id ? new Node(this, id) : null;
};

/** The object of an id, or null when it is gone. */
Live.prototype.node = function (id) {
  var node = new Node(this, Number(id));
  return Number(id) && node.alive() ? node : null;
};

Live.prototype.knows = function (node, name) {
  var api = this.point(node.id);
  var kind = api ? api.type + " " + bare(api.path).replace(/\d+/g, "") : ""; // all views are of type View
  if (api && !this.known.hasOwnProperty(kind)) {
    this.known[kind] = " " + String(api.info).replace(/\s+/g, " ") + " ";
  }
  return api !== null && new RegExp(" (property|child|children|function) " + name + " ").test(this.known[kind]);
};

/**
 * Call `fn` with the value of a property at once and whenever it changes, until `stop()`.
 * Live is telling its observers then: `fn` must neither read nor write Live, which would be refused or go in circles.
 */
Live.prototype.observe = function (path, property, fn) {
  var observers = this.observers;
  var stopped = false;
  var api = new this.LiveAPI(function (atoms) {
    // Other calls come too: when the object is made, with its id.
    if (!stopped && atoms[0] === property) {
      fn(atoms.length > 2 ? Array.prototype.slice.call(atoms, 1) : atoms[1]);
    }
  }, path);
  api.property = property;
  observers.push(api); // or it would be collected as garbage, and fall silent
  return {
    stop: function () {
      var at = observers.indexOf(api);
      stopped = true;
      if (at >= 0) {
        observers.splice(at, 1);
        api.property = "";
        api.id = 0;
      }
    }
  };
};

/** Live's version, `[12, 0, 5]`. */
Live.prototype.version = function () {
  var app;
  if (!this.numbers) {
    app = this.at("live_app");
    this.numbers = ["get_major_version", "get_minor_version", "get_bugfix_version"].map(function (name) {
      return Number(app && app.call(name)) || 0;
    });
  }
  return this.numbers.slice();
};

exports.Live = Live;
