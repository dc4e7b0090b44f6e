// Loops that sound: each an AudioBufferSourceNode that turns around exactly the loop's samples, at their own rate.
//
// The first loop sets the clock: where beat 1 was, and how many frames its bars have. Whatever joins begins on a bar
// line of that clock, and has as many frames as the clock has in the same number of quarters, so that nothing drifts,
// however long it plays: where two lengths are no multiples of each other, several turns become one buffer.

const LEAD_SECONDS = 0.06; // between now and the first sample: time for the audio thread to hear of it
const BUFFER_SECONDS = 600; // of one loop at most
const CENT = 2 ** (1 / 1200);

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

// How many turns of a loop, in how many frames, stay with the clock for ever; units are sixteenths of a whole note.
export function turnsBeside(clock, units, rate) {
  const common = (clock.units / gcd(clock.units, units)) * units;
  const frames = clock.frames * (common / clock.units);
  return frames <= BUFFER_SECONDS * rate ? { turns: common / units, frames } : { turns: 1, frames: Math.round((clock.frames * units) / clock.units) };
}

// The first frame, from `now` on, where a bar of the clock begins.
export function nextBar(clock, now) {
  const bar = clock.frames / clock.bars;
  const count = Math.max(0, Math.ceil((now - clock.start) / bar - 1e-9));
  return clock.start + Math.round(count * bar);
}

export class Player extends EventTarget {
  constructor(fetchSound, makeContext = (options) => new AudioContext(options)) {
    super();
    this.fetchSound = fetchSound;
    this.makeContext = makeContext;
    this.voices = new Map();
    this.context = null;
    this.clock = null;
    this.sync = false;
    this.tempo = null; // as text, exact; the first loop's where none is chosen
    this.volume = 0.8;
  }

  state(id) {
    return this.voices.get(id)?.state ?? "silent";
  }

  // Where in the loop we are, 0 to 1.
  phase(id) {
    const voice = this.voices.get(id);
    if (!voice || voice.state !== "playing") return null;
    const heard = (this.context.currentTime - (this.context.outputLatency || 0)) * this.context.sampleRate - voice.start;
    return heard < 0 ? 0 : ((heard / voice.frames) * voice.turns) % 1;
  }

  toggle(loop) {
    return this.voices.has(loop.id) ? this.stop(loop.id) : this.play(loop);
  }

  async play(loop) {
    if (!this.sync) this.stopAll();
    if (this.sync && !this.tempo && loop.tempo) this.setOwnTempo(loop);
    const voice = { loop, state: "loading" };
    this.voices.set(loop.id, voice);
    this.changed();
    const before = this.joining;
    let joined;
    this.joining = new Promise((done) => (joined = done));
    if (this.sync) await before; // the first sets the clock of the next, however soon that is asked for
    try {
      if (this.voices.get(loop.id) !== voice) return;
      await this.listen(loop.rate);
      const sound = await this.sound(loop, this.clock);
      if (this.voices.get(loop.id) !== voice) return; // stopped meanwhile
      this.begin(voice, sound, this.clock ? nextBar(this.clock, this.soon()) : this.soon());
    } catch (error) {
      if (this.voices.get(loop.id) === voice) this.voices.delete(loop.id);
      this.dispatchEvent(new CustomEvent("refused", { detail: { loop, error } }));
    } finally {
      joined();
    }
    this.changed();
  }

  stop(id) {
    const voice = this.voices.get(id);
    if (!voice) return;
    this.voices.delete(id);
    this.silence(voice, this.context?.currentTime ?? 0, 0.006);
    if (!this.voices.size) this.clock = null;
    this.changed();
  }

  stopAll() {
    for (const id of [...this.voices.keys()]) this.stop(id);
  }

  setVolume(volume) {
    this.volume = volume;
    this.master?.gain.setTargetAtTime(volume, this.context.currentTime, 0.01);
  }

  setSync(sync) {
    this.sync = sync;
    if (!sync && this.voices.size > 1) for (const id of [...this.voices.keys()].slice(0, -1)) this.stop(id);
    if (sync) {
      const first = this.voices.values().next().value;
      if (!this.tempo && first?.loop.tempo) this.setOwnTempo(first.loop);
      else if (first) return this.retime();
    }
    this.changed();
  }

  setTempo(tempo) {
    this.tempo = tempo || null;
    this.changed();
    return this.sync && this.voices.size ? this.retime() : undefined;
  }

  setOwnTempo(loop) {
    this.tempo = loop.tempo;
    this.changed();
  }

  // All that plays onto the chosen tempo: laid anew meanwhile, changed over together on the next bar.
  async retime() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const voices = [...this.voices.values()].filter((voice) => voice.state === "playing");
    if (!voices.length) return;
    try {
      let clock = null;
      const fresh = [];
      for (const voice of voices) {
        const sound = await this.sound(voice.loop, clock);
        clock ??= this.clockOf(voice.loop, sound, 0);
        fresh.push([voice, sound]);
        if (turn !== this.turn) return; // another tempo was chosen meanwhile
      }
      const when = this.clock ? nextBar(this.clock, this.soon()) : this.soon();
      this.clock = null;
      for (const [voice, sound] of fresh) {
        if (this.voices.get(voice.loop.id) !== voice) continue;
        this.silence(voice, when / this.context.sampleRate, 0);
        const next = { loop: voice.loop, state: "loading" };
        this.voices.set(voice.loop.id, next);
        this.begin(next, sound, when);
      }
    } catch (error) {
      this.dispatchEvent(new CustomEvent("refused", { detail: { loop: voices[0].loop, error } }));
    }
    this.changed();
  }

  // -- the way to the speakers ------------------------------------------------------------------------------------------

  soon() {
    return Math.ceil((this.context.currentTime + LEAD_SECONDS) * this.context.sampleRate);
  }

  // A context at the loop's own rate, where nothing else sounds: its samples are played as they are.
  async listen(rate) {
    const alone = [...this.voices.values()].every((voice) => voice.state === "loading");
    if (this.context && this.context.sampleRate !== rate && alone) {
      this.context.close();
      this.context = null;
    }
    if (!this.context) {
      try {
        this.context = this.makeContext({ sampleRate: rate, latencyHint: "interactive" });
      } catch {
        this.context = this.makeContext({}); // a rate that this browser does not play
      }
      this.master = this.context.createGain();
      this.master.gain.value = this.volume;
      this.master.connect(this.context.destination);
    }
    if (this.context.state === "suspended") await this.context.resume();
  }

  async sound(loop, clock) {
    const wanted = {};
    if (loop.rate !== this.context.sampleRate) wanted.rate = this.context.sampleRate;
    if (this.sync && this.tempo && loop.units) {
      wanted.bpm = this.tempo;
      if (clock) Object.assign(wanted, turnsBeside(clock, loop.units, this.context.sampleRate));
    } else if (this.sync && this.tempo) {
      throw new Error("Its tempo or its bars are not known: it can be played alone only.");
    }
    const sound = await this.fetchSound(loop.id, wanted);
    const buffer = this.context.createBuffer(sound.channels.length, sound.frames, sound.rate);
    sound.channels.forEach((samples, place) => buffer.copyToChannel(samples, place));
    return { buffer, frames: sound.frames, turns: wanted.turns ?? 1 };
  }

  clockOf(loop, sound, start) {
    return loop.units ? { start, frames: sound.frames / sound.turns, units: loop.units, bars: loop.bars } : null;
  }

  begin(voice, sound, start) {
    const source = this.context.createBufferSource();
    source.buffer = sound.buffer;
    source.loop = true;
    const gain = this.context.createGain();
    source.connect(gain).connect(this.master);
    source.start(start / this.context.sampleRate);
    Object.assign(voice, { source, gain, start, frames: sound.frames, turns: sound.turns, state: "playing" });
    this.clock ??= this.clockOf(voice.loop, sound, start);
  }

  // A few milliseconds of fade where it ends anywhere; none on a bar line, where the next one begins.
  silence(voice, when, fade) {
    if (!voice.source) return;
    if (fade) voice.gain.gain.setTargetAtTime(0, when, fade);
    voice.source.stop(when + 8 * fade);
    voice.source.onended = () => voice.gain.disconnect();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

export const isNear = (a, b) => a / b < CENT && b / a < CENT;
