// Everything is pressed, typed, chosen and deleted at random, while the server answers, errs and keeps silent at random:
// nothing is thrown, and in the end the device makes loops as ever.
'use strict'
const assert = require('node:assert')
const dgram = require('node:dgram')
const { test } = require('node:test')
const { Live } = require('./stand_in/live')
const { loopFile } = require('./loop_files')
const max = require('./stand_in/max')
const osc = require('./stand_in/osc')

const AMXD = process.env.LOOPGEN_AMXD
const FILE = loopFile({ beats: 4, bpm: 120 })
const STEPS = 1000
const NAMES = ['bang', 'list', '1-Audio', '2-Audio', '', '7', 'set', 'a, b; $1', '\u00fcml\u00e4ut']

// Numbers that look random and are the same each time (mulberry32).
function dice (seed) {
  let state = seed
  const roll = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return { roll, pick: list => list[Math.floor(roll() * list.length)] }
}

const done = (req, variation, variations) => [
  '/loopgen/done', 'j' + req, req, FILE, 120, 1, 4, 1, 44100, 'clean', variation, variations, '120', '5', 'sketch', 'CC0-1.0'
]

// What a server may say to an order, right or wrong, in time or not.
const ANSWERS = {
  loop: req => [['/loopgen/accepted', req, 'j' + req, 0], ['/loopgen/progress', 'j' + req, 0.5, 'playing'], done(req, 1, 1)],
  loops: req => [['/loopgen/accepted', req, 'j' + req, 2], done(req, 2, 2), done(req, 2, 2), done(req, 1, 2)],
  half: req => [['/loopgen/accepted', req, 'j' + req, 0], done(req, 1, 3), ['/loopgen/error', req, 'worker_died', 'it crashed', '/loopgen/generate']],
  begun: req => [['/loopgen/accepted', req, 'j' + req, 0], ['/loopgen/progress', 'j' + req, 0.1, 'playing']],
  error: req => [['/loopgen/error', req, 'busy', 'too much', '/loopgen/generate']],
  cancelled: req => [['/loopgen/cancelled', 'j' + req, req]],
  odd: req => [['/loopgen/progress', 'none', 0.5, 'x'], ['/loopgen/done', req], ['/loopgen/nothing'], ['/loopgen/error', '', 'internal', 'x', '']],
  silence: () => []
}

async function server (t, { roll, pick }) {
  const socket = dgram.createSocket('udp4')
  const wire = { isKind: false }
  let reply = 0
  await new Promise(resolve => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => socket.close())
  const say = atoms => socket.send(osc.encode(atoms), reply, '127.0.0.1')
  socket.on('message', data => {
    const [address, first, , port] = osc.decode(data)
    const chance = wire.isKind ? 0 : roll()
    if (address === '/loopgen/hello') {
      reply = port
      say(['/loopgen/welcome', '0.1.0', 1, 8192, '/out', 'sketch', 'ready', 'CC0-1.0'])
    } else if (address === '/loopgen/preset/list' && chance < 0.7) {
      say(['/loopgen/preset/item', first, 1, 2, 'bang'])
      say(['/loopgen/preset/item', first, 2, 2, '12'])
    } else if (address === '/loopgen/engine/list' && chance < 0.7) {
      say(['/loopgen/engine/item', first, 1, 1, 'sketch', 'CC0-1.0'])
    } else if (address === '/loopgen/melody/end' && chance < 0.7) {
      say(['/loopgen/melody/ok', first, 1])
    } else if (['/loopgen/generate', '/loopgen/retempo'].includes(address)) {
      ANSWERS[wire.isKind ? 'loop' : pick(Object.keys(ANSWERS))](first).forEach(say)
    } else if (address === '/loopgen/job' && chance < 0.7) {
      say(['/loopgen/error', first, 'unknown_job', 'no job', address])
    } else if (address === '/loopgen/cancel' && chance < 0.7) {
      say(['/loopgen/cancelled', first, first.slice(1)])
    } else if (address === '/loopgen/copy') {
      say(chance < 0.5 ? ['/loopgen/ok', first] : ['/loopgen/error', first, 'no_clipboard', 'x', address])
    }
  })
  wire.port = socket.address().port
  return wire
}

// What a person, Live and the patch may do at any moment; a press comes even where the button is off.
function deeds (live, device, { roll, pick }) {
  const some = list => list.length > 0 && pick(list)
  const number = most => Math.floor(roll() * most)
  return [
    ...['generate', 'cancel', 'again', 'retempo', 'copy', 'generate', 'cancel'].map(name => () => device.find(name).methods().bang()),
    () => device.type('prompt', pick(['dub', 'bang', '', '\u00fc'.repeat(3000), 'a\nb', '12'])),
    () => device.turn(pick(['preset', 'engine', 'target']), number(6)),
    () => device.turn(pick(['lock', 'melody', 'scale']), number(2)),
    () => device.turn('variations', 1 + number(8)),
    () => device.turn('seed', number(9999999)),
    () => device.bang(), // a preset of the device was loaded
    () => live.setTempo(60 + number(120)),
    () => live.setSignature(pick([3, 4, 7]), pick([4, 8])),
    () => live.tracks.length < 8 && live.addAudioTrack(pick(NAMES)),
    () => live.tracks.length > 3 && live.deleteTrack(live.tracks[2 + number(live.tracks.length - 2)]),
    () => live.rename(pick(live.tracks), pick(NAMES)),
    () => live.freeze(live.tracks[1], roll() < 0.3),
    () => live.select(number(live.tracks.length), number(live.scenes.length)),
    () => live.showInDetail(some(live.tracks[0].clip_slots.map(slot => slot.clip).filter(Boolean)) || null),
    () => {
      const slot = pick(live.tracks.flatMap(track => track.clip_slots))
      if (slot.clip && !live.tracks[0].clip_slots.includes(slot)) live.deleteClip(slot.canonical_parent, slot.canonical_parent.clip_slots.indexOf(slot))
    }
  ]
}

for (const seed of [1, 2]) {
  test(`whatever is pressed in whatever order (${seed}), nothing is thrown and the next loop is made`, { timeout: 120000 }, async t => {
    const chance = dice(seed)
    const wire = await server(t, chance)
    const live = new Live()
    live.addMidiTrack('1-MIDI')
    live.addAudioTrack('2-Audio')
    live.addMidiClip(0, 0, { name: 'Riff', length: 4, notes: [{ pitch: 60, start: 0, duration: 1, velocity: 100 }] })
    const device = max.open(AMXD, { live, track: 1 })
    t.after(() => device.close())
    device.turn('port', wire.port)
    await device.until(() => device.shown('generate').active, 'connected')
    const all = deeds(live, device, chance)
    for (let step = 0; step < STEPS; step += 1) {
      chance.pick(all)()
      if (step % 3 === 0) await new Promise(resolve => setTimeout(resolve, 10))
      assert.deepStrictEqual([device.console, device.faults], [[], []], `step ${step}`)
    }
    wire.isKind = true
    const last = live.addAudioTrack('The last')
    device.turn('melody', 0)
    device.type('prompt', 'the end')
    await device.until(() => {
      if (device.shown('cancel').active) device.click('cancel')
      return device.shown('generate').active && device.shown('target').items.includes('The last')
    }, 'what went on has ended', 30000)
    device.choose('target', 'The last')
    await new Promise(resolve => setTimeout(resolve, 350))
    device.click('generate')
    await device.until(() => last.clip_slots.some(slot => slot.clip?.name === 'the end 120' && slot.clip.looping), 'the last loop', 30000)
    assert.deepStrictEqual([device.console, device.faults], [[], []])
  })
}
