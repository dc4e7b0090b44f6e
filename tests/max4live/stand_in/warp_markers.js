"use strict";

/**
 * The warp markers of an audio clip: where in the file (seconds) which beat is.
 *
 * The last one cannot be seen in Live: it says the tempo of what comes after the last marker that can. A new clip has
 * one marker at 0 and the hidden one a thirty-second of a beat later.
 */

const { Refusal } = require("./objects");

const HIDDEN_AFTER = 1 / 32;
const SAME = 1e-6;

class WarpMarkers {
  constructor(seconds, beats) {
    this.seconds = seconds;
    this.visible = [{ sample_time: 0, beat_time: 0 }];
    this.lastTempo = (beats * 60) / seconds;
  }

  get hidden() {
    const last = this.visible[this.visible.length - 1];
    return {
      sample_time: last.sample_time + (HIDDEN_AFTER * 60) / this.lastTempo,
      beat_time: last.beat_time + HIDDEN_AFTER,
    };
  }

  list() {
    return [...this.visible, this.hidden].map((marker) => ({ ...marker }));
  }

  along(from, to, value) {
    const all = this.list();
    let index = 0;
    while (index < all.length - 2 && value > all[index + 1][from]) {
      index += 1;
    }
    const [a, b] = [all[index], all[index + 1]];
    return a[to] + ((value - a[from]) * (b[to] - a[to])) / (b[from] - a[from]);
  }

  beatAt(seconds) {
    return this.along("sample_time", "beat_time", seconds);
  }

  secondsAt(beat) {
    return this.along("beat_time", "sample_time", beat);
  }

  /**
   * "The sample time must lie within the range [0, s]", between its neighbours', and the tempos beside it within
   * "[5, 999]"; `sample_time` is in seconds, and may be left out. The words of the refusals are inferred.
   */
  check(markers) {
    markers.forEach((marker, index) => {
      if (marker.sample_time < -SAME || marker.sample_time > this.seconds + SAME) {
        throw new Refusal("The sample time of the warp marker is out of range");
      }
      if (index === 0) {
        return;
      }
      const before = markers[index - 1];
      const [beats, seconds] = [marker.beat_time - before.beat_time, marker.sample_time - before.sample_time];
      if (!(beats > SAME && seconds > SAME)) {
        throw new Refusal("Warp markers cannot pass each other");
      }
      const tempo = (beats * 60) / seconds;
      if (tempo < 5 - SAME || tempo > 999 + SAME) {
        throw new Refusal("The tempo between warp markers must be within 5 and 999 BPM");
      }
    });
    this.visible = markers;
  }

  add(given) {
    const unknown = Object.keys(given).filter((key) => key !== "beat_time" && key !== "sample_time");
    if (unknown.length || typeof given.beat_time !== "number") {
      throw new Refusal("A warp marker has a beat_time and may have a sample_time");
    }
    const marker = { sample_time: this.secondsAt(given.beat_time), ...given };
    this.check([...this.visible, marker].sort((a, b) => a.beat_time - b.beat_time));
  }

  find(beat) {
    const index = this.visible.findIndex((marker) => Math.abs(marker.beat_time - beat) < SAME);
    if (index < 0) {
      throw new Refusal("The specified warp marker doesn't exist"); // read in a running Live
    }
    return index;
  }

  move(beat, distance) {
    if (Math.abs(this.hidden.beat_time - beat) < SAME) {
      throw new Refusal("The shadow marker can't be moved."); // read in a running Live
    }
    const index = this.find(beat);
    this.check(
      this.visible.map((marker, at) => (at === index ? { ...marker, beat_time: marker.beat_time + distance } : marker)),
    );
  }

  remove(beat) {
    const index = this.find(beat);
    if (this.visible.length === 1) {
      throw new Refusal("The last warp marker cannot be removed");
    }
    this.visible = this.visible.filter((_, at) => at !== index);
  }
}

module.exports = { WarpMarkers };
