// The built device in a Live set, without a server: what it says, and what Max and Live are known to do otherwise.
'use strict'
const assert = require('node:assert')
const dgram = require('node:dgram')
const { test } = require('node:test')
const { Live } = require('./stand_in/live')
const max = require('./stand_in/max')
const { loopFile } = require('./loop_files')
const osc = require('./stand_in/osc')

const AMXD = process.env.LOOPGEN_AMXD

function set (options = {}) {
  const live = new Live({ tempo: 90.7, ...options })
  live.addMidiTrack('1-MIDI')
  live.addAudioTrack('2-Audio')
  live.addAudioTrack('3-Audio')
  live.select(1, 0)
  return live
}

function opened (t, live, more = {}) {
  const device = max.open(AMXD, { live, track: 1, ...more })
  t.after(() => device.close())
  return device
}

// A server that says what it is told to: only the wire is real.
async function server (t, answer) {
  const socket = dgram.createSocket('udp4')
  const heard = []
  let reply = 0
  await new Promise(resolve => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => socket.close())
  const say = (...atoms) => socket.send(osc.encode(atoms), reply, '127.0.0.1')
  socket.on('message', data => {
    const atoms = osc.decode(data)
    heard.push(atoms)
    if (atoms[0] === '/loopgen/hello') {
      reply = atoms[3]
      say('/loopgen/welcome', '0.1.0', 1, 8192, '/out', 'sketch', 'ready', 'CC0-1.0')
    } else if (atoms[0] === '/loopgen/preset/list') {
      say('/loopgen/preset/item', atoms[1], 0, 0, '')
    } else if (atoms[0] === '/loopgen/engine/list') {
      say('/loopgen/engine/item', atoms[1], 1, 1, 'sketch', 'CC0-1.0')
    } else if (answer) {
      answer(atoms, say)
    }
  })
  return { port: socket.address().port, heard, of: address => heard.filter(atoms => atoms[0] === address) }
}

async function connected (t, live, answer, more) {
  const wire = await server(t, answer)
  const device = opened(t, live, more)
  device.turn('port', wire.port)
  await device.until(() => device.shown('generate').active && device.shown('engine').items.includes('sketch'), 'connected')
  return { device, wire }
}

const idle = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

test('without a server it says what to run, and reads the set', async t => {
  const live = set({ root: 9, scale: 'Minor', scaleMode: true })
  const device = opened(t, live)
  device.turn('port', (await server(t)).port + 1) // nobody is there
  await device.until(() => device.shown('link').text === 'no server', 'no server')
  assert.strictEqual(device.shown('status').text, 'loopgen is not running')
  assert.match(device.shown('detail').text, /^Run `loopgen serve --port \d+`/)
  assert.strictEqual(device.shown('facts').text, '90.7 BPM, 4/4, Am')
  live.setTempo(60.22999954223633)
  live.setSignature(7, 8)
  live.play()
  await device.until(() => device.shown('facts').text === '60.23 BPM, 7/8, Am, playing', 'what the set says now')
  device.turn('scale', 0)
  await device.until(() => device.shown('facts').text === '60.23 BPM, 7/8, playing', 'no key')
  assert.deepStrictEqual(['generate', 'cancel', 'again', 'retempo', 'copy'].filter(name => device.shown(name).active), [])
  assert.deepStrictEqual(device.console, [])
})

test('tracks come and go in its menu', async t => {
  const live = set()
  const device = opened(t, live)
  await device.until(() => device.shown('target').items.length === 3, 'the tracks')
  assert.deepStrictEqual(device.shown('target').items, ['Highlighted slot', '2-Audio', '3-Audio'])
  live.addAudioTrack('4-Audio')
  await device.until(() => device.shown('target').items.includes('4-Audio'), 'the new track')
  device.choose('target', '4-Audio')
  live.deleteTrack('3-Audio')
  await device.until(() => !device.shown('target').items.includes('3-Audio'), 'the track is gone')
  assert.strictEqual(device.shown('target').text, '4-Audio')
  assert.deepStrictEqual(device.console, [])
})

function done (req, variation = 1, variations = 1) {
  const file = loopFile({ beats: 4, bpm: 90.7 })
  return ['/loopgen/done', 'j' + req, req, file, 90.7, 1, 4, 1, 44100, 'clean', variation, variations, '90.7', '5', 'sketch', 'CC0-1.0']
}

// The clip slots of a track that hold a clip, and the order that put it there: the server makes a loop at once.
async function placing (t, live, target, before = () => {}, more = {}) {
  const made = await connected(t, live, async (atoms, say) => {
    if (atoms[0] === '/loopgen/generate') {
      say('/loopgen/accepted', atoms[1], 'j' + atoms[1], 0)
      await before(say, atoms)
      say(...done(atoms[1]))
    }
  }, more)
  made.device.type('prompt', 'dub')
  if (target) made.device.choose('target', target)
  return made
}

test('the track that was chosen stays the chosen one, whatever it is called by then', async t => {
  const live = set()
  const { device } = await placing(t, live, '2-Audio')
  const [, chosen] = live.tracks
  live.insertTrack('audio', '2-Audio', 0) // Live counts anew the names that it gave itself
  live.rename(chosen, '3-Audio')
  await device.until(() => device.shown('target').items.length === 4, 'the new track')
  await device.until(() => device.shown('target').text === '3-Audio', 'its new name')
  device.click('generate')
  await device.until(() => chosen.clip_slots[0].clip?.looping, 'a clip on the chosen track')
  const again = opened(t, live, { stored: device.stored() })
  await again.until(() => again.shown('target').text === '3-Audio', 'kept under its new name')
  live.rename(live.tracks[3], '2-Audio')
  live.deleteTrack(chosen)
  await idle(450)
  device.click('generate')
  await device.until(() => /"3-Audio" has been deleted/.test(device.shown('detail').text), 'the reason')
  assert.deepStrictEqual(live.tracks.flatMap(track => track.clip_slots.filter(slot => slot.clip)), [])
  assert.deepStrictEqual(device.console, [])
})

test('names that Max knows, numbers, names that are there twice: the chosen track gets the loop', async t => {
  const names = ['bang', 'list', 'int', 'clear', '2', '007', '1.50', 'a,  b; "c"', '\u00fcml\u00e4ut \u{1f941}', 'Twice', 'Twice', '/loopgen/done', '-']
  const live = set()
  const tracks = names.map(name => live.addAudioTrack(name))
  const { device } = await placing(t, live)
  await device.until(() => device.shown('target').items.length === 3 + names.length, 'the tracks')
  for (const [at, track] of tracks.entries()) {
    device.turn('target', 3 + at)
    device.click('generate')
    await device.until(() => track.clip_slots[0].clip, names[at])
    assert.strictEqual(device.shown('target').value, 3 + at)
    await device.until(() => /^placed on/.test(device.shown('status').text) && device.shown('generate').active, 'placed')
    await idle(300)
  }
  assert.deepStrictEqual(tracks.map(track => track.clip_slots.filter(slot => slot.clip).length), names.map(() => 1))
  assert.deepStrictEqual(device.console, [])
})

test('a loop is called as it was ordered, whatever is typed while it is made', async t => {
  const live = set()
  const { device } = await placing(t, live, '2-Audio', () => idle(100))
  device.click('generate')
  await idle(50)
  device.type('prompt', 'something else')
  await device.until(() => live.tracks[1].clip_slots[0].clip?.name === 'dub 90.7', 'the name')
})

test('the track is deleted while its loop is made: what is highlighted by then gets it', async t => {
  const live = set()
  const { device } = await placing(t, live, undefined, () => idle(150))
  device.click('generate')
  await idle(50)
  const other = live.tracks[2]
  live.deleteTrack('2-Audio')
  live.select(other, 3)
  await device.until(() => other.clip_slots[3].clip?.looping, 'the clip')
  assert.deepStrictEqual(device.console, [])
})

test('no audio track to place it on: said at once, and what is highlighted when the loop comes gets it', async t => {
  const live = set()
  live.select(0, 0)
  const { device } = await placing(t, live, undefined, () => idle(150), { track: 0 })
  device.click('generate')
  await device.until(() => /No audio track to place/.test(device.shown('detail').text), 'what is missing')
  assert.ok(device.shown('cancel').active)
  live.select(1, 2)
  await device.until(() => live.tracks[1].clip_slots[2].clip?.looping, 'the clip')
})

test('what did not come of a job is said, also after the last loop has been placed', async t => {
  const live = set()
  const { device } = await connected(t, live, (atoms, say) => {
    if (atoms[0] === '/loopgen/generate') {
      say('/loopgen/accepted', atoms[1], 'j' + atoms[1], 0)
      say(...done(atoms[1], 1, 2))
      say('/loopgen/error', atoms[1], 'worker_died', 'the worker crashed', '/loopgen/generate')
    }
  })
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => device.shown('status').text === 'not every loop was made', 'the job has ended')
  await device.until(() => /^placed on/.test(device.shown('status').text), 'placed')
  assert.strictEqual(device.shown('detail').text, 'the worker crashed')
})

test('a server that was slow to answer has its loop placed all the same', async t => {
  const live = set()
  let late
  const { device } = await connected(t, live, (atoms, say) => {
    late = atoms[0] === '/loopgen/generate' ? () => say(...done(atoms[1])) : late
  })
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => /does not answer/.test(device.shown('detail').text), 'given up', 10000)
  late()
  await device.until(() => /^placed on/.test(device.shown('status').text), 'placed')
  assert.match(device.shown('detail').text, /^clean, seed 5/)
  assert.strictEqual(live.tracks[1].clip_slots[0].clip.looping, 1)
})

test('before an order a server that was started anew learns where the answers go', async t => {
  const { device, wire } = await connected(t, set())
  const before = wire.of('/loopgen/hello').length
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => wire.of('/loopgen/generate').length > 0, 'the order')
  assert.strictEqual(wire.of('/loopgen/hello').length, before + 1)
})

test('Copy Path copies the path that was shown last', async t => {
  const { device, wire } = await connected(t, set(), (atoms, say) => {
    if (atoms[0] === '/loopgen/generate') [1, 2].forEach(variation => say(...done(atoms[1], variation, 2)))
    if (atoms[0] === '/loopgen/copy') say('/loopgen/ok', atoms[1])
  })
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => /scene 2$/.test(device.shown('status').text) && device.shown('copy').active, 'placed')
  device.click('copy')
  await device.until(() => device.shown('status').text === 'last loop, its path is copied', 'copied')
  assert.strictEqual(wire.of('/loopgen/copy')[0][3], 2)
})

test('what comes in by the network presses no button and calls no function', async t => {
  let server
  const { device, wire } = await connected(t, set(), (atoms, say) => { server = say })
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => server, 'the order')
  const before = device.display()
  for (const message of [['cancel'], ['prompt', 'mine'], ['port', 9], ['show', 'licence', 'set', 'mine'], ['anything'], ['init'], ['heard', '/loopgen/done'], ['list', 1]]) server(...message)
  await idle(200)
  assert.deepStrictEqual(device.display(), before)
  assert.strictEqual(wire.of('/loopgen/cancel').length, 0)
  assert.deepStrictEqual(device.console, [])
})

test('a fault in the device is said, and the next order goes through', async t => {
  const live = set()
  let isBroken = false
  const apiFor = live.apiFor.bind(live)
  live.apiFor = host => class extends apiFor(host) {
    get (...args) {
      if (isBroken) throw new Error('Live is beside itself')
      return super.get(...args)
    }
  }
  const { device, wire } = await connected(t, live)
  device.type('prompt', 'dub')
  isBroken = true
  device.click('generate')
  assert.strictEqual(device.shown('status').text, 'something went wrong')
  assert.match(device.shown('detail').text, /Live is beside itself/)
  isBroken = false
  await idle(350)
  device.click('generate')
  await device.until(() => wire.of('/loopgen/generate').length === 1, 'the order')
})

test('a path that is not copied is not said to be', async t => {
  const live = set({ version: [12, 0, 4] })
  const { device } = await connected(t, live, (atoms, say) => {
    if (atoms[0] === '/loopgen/generate') say(...done(atoms[1]))
    if (atoms[0] === '/loopgen/copy') say('/loopgen/error', atoms[1], 'no_clipboard', 'there is no clipboard', atoms[0])
  })
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => device.shown('status').text === 'not placed, and its path not copied', 'said')
  assert.match(device.shown('detail').text, /^Live 12\.0\.4 .*\.wav$/)
})

test('a large set is not asked for its tracks when the tempo moves, nor oftener than can be seen', async t => {
  const live = set()
  for (let at = 0; at < 200; at += 1) live.addAudioTrack(`Track ${at}`)
  let asked = 0
  const apiFor = live.apiFor.bind(live)
  live.apiFor = host => class extends apiFor(host) {
    get (...args) {
      asked += 1
      return super.get(...args)
    }
  }
  const device = opened(t, live)
  await device.until(() => device.shown('target').items.length === 203, 'the tracks')
  await idle(250)
  asked = 0
  for (let at = 0; at < 100; at += 1) {
    live.setTempo(100 + at / 10)
    await idle(2)
  }
  await device.until(() => /^109\.9 BPM/.test(device.shown('facts').text), 'the last tempo')
  assert.ok(asked < 100, `asked ${asked} times`)
})

test('a clip that cannot be followed is said, and nothing is asked for', async t => {
  const live = set()
  const { device, wire } = await connected(t, live)
  device.type('prompt', 'dub')
  device.turn('melody', 1)
  await device.until(() => /no MIDI clip/.test(device.shown('facts').text), 'no clip')
  device.click('generate')
  assert.strictEqual(device.shown('status').text, 'no melody')
  assert.match(device.shown('detail').text, /Select one, or switch Clip off/)
  live.addMidiClip(0, 3, { name: 'Empty', length: 4, notes: [] })
  live.showInDetail(live.tracks[0].slots[3].clip)
  await device.until(() => /clip Empty/.test(device.shown('facts').text), 'the clip')
  await idle(350)
  device.click('generate')
  assert.match(device.shown('detail').text, /"Empty" has no notes/)
  await idle(100)
  assert.deepStrictEqual(wire.of('/loopgen/generate'), [])
  assert.ok(device.shown('generate').active)
  assert.deepStrictEqual(device.console, [])
})

// What Max and Live have been seen to do in one version or another.
for (const [what, options, quirks] of [
  ['as usual', {}, {}],
  ['live.thisdevice first', {}, { order: 'bang first' }],
  ['every click twice', {}, { clicks: 'twice' }],
  ['menus that say words', {}, { menuText: 'words' }],
  ['observers that call at once', { firstCall: 'immediate' }, {}],
  ['refusals that are thrown', { refusals: 'throw' }, {}],
  ['texts that fall apart', { text: 'split' }, {}],
  ['a console that tells of taken ports', {}, { portTaken: 'post' }]
]) {
  test(`an order is the same with ${what}`, async t => {
    const live = set({ root: 2, scale: 'Dorian', scaleMode: true, ...options })
    live.addMidiClip(0, 0, { name: 'Two words', length: 4, notes: [{ pitch: 60, start: 0, duration: 1, velocity: 100 }] })
    live.showInDetail(live.tracks[0].slots[0].clip)
    const { device, wire } = await connected(t, live, (atoms, say) => {
      if (atoms[0] === '/loopgen/melody/end') say('/loopgen/melody/ok', atoms[1], atoms[2])
      if (atoms[0] === '/loopgen/generate') say('/loopgen/error', atoms[1], 'busy', 'enough for this test', atoms[0])
    }, quirks)
    device.turn('melody', 1)
    device.choose('target', '3-Audio')
    device.type('prompt', 'dub techno, "rainy"; 4/4', { enter: false })
    device.click('generate')
    await device.until(() => device.shown('status').text === 'no loop', 'the answer')
    assert.strictEqual(device.shown('detail').text, 'enough for this test')
    await idle(50)
    assert.strictEqual(wire.of('/loopgen/generate').length, 1)
    const order = wire.of('/loopgen/generate')[0].slice(2)
    const pairs = Object.fromEntries(order.flatMap((one, at) => at % 2 ? [] : [[one, order[at + 1]]]))
    assert.deepStrictEqual({ ...pairs, seed: 0, melody: '' }, {
      prompt: 'dub techno, "rainy"; 4/4', tempo: '90.7', num: 4, den: 4, bars: 4, variations: 1, seed: 0, key: 'D dorian', melody: ''
    })
    assert.strictEqual(pairs.seed, device.shown('seed').value)
    assert.deepStrictEqual(wire.of('/loopgen/melody/notes')[0].slice(2), [0, 60, 0, 1, 100])
    assert.deepStrictEqual(device.console, [])
  })
}

test('lost messages are sent again: the clip, the order, the cancel', async t => {
  const live = set()
  live.addMidiClip(0, 0, { name: 'Riff', length: 4, notes: [{ pitch: 60, start: 0, duration: 1, velocity: 100 }] })
  live.showInDetail(live.tracks[0].slots[0].clip)
  const seen = {}
  const { device, wire } = await connected(t, live, (atoms, say) => {
    seen[atoms[0]] = (seen[atoms[0]] || 0) + 1
    if (seen[atoms[0]] < 2) return // the first of each is lost
    if (atoms[0] === '/loopgen/melody/end') say('/loopgen/melody/ok', atoms[1], atoms[2])
    if (atoms[0] === '/loopgen/generate') say('/loopgen/accepted', atoms[1], 'j1', 0)
    if (atoms[0] === '/loopgen/cancel') say('/loopgen/cancelled', 'j1', 'x')
  })
  device.turn('melody', 1)
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => device.shown('status').text === 'starting', 'accepted', 10000)
  device.click('cancel')
  assert.strictEqual(device.shown('status').text, 'cancelling')
  await device.until(() => device.shown('status').text === 'cancelled', 'cancelled', 10000)
  assert.deepStrictEqual(wire.of('/loopgen/generate')[0], wire.of('/loopgen/generate')[1])
  assert.ok(device.shown('generate').active && !device.shown('cancel').active)
})

test('a server of another version is said to be one', async t => {
  const socket = dgram.createSocket('udp4')
  await new Promise(resolve => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => socket.close())
  socket.on('message', data => {
    const atoms = osc.decode(data)
    if (atoms[0] === '/loopgen/hello') {
      socket.send(osc.encode(['/loopgen/welcome', '9.0', 2, 8192, '/out', 'sketch', 'ready', 'CC0-1.0']), atoms[3], '127.0.0.1')
    }
  })
  const device = opened(t, set())
  device.turn('port', socket.address().port)
  await device.until(() => device.shown('link').text === 'other version', 'said')
  assert.match(device.shown('detail').text, /loopgen max4live install/)
})

test('removed from the set it falls silent', async t => {
  const { device, wire } = await connected(t, set(), (atoms, say) => {
    if (atoms[0] === '/loopgen/generate') say('/loopgen/accepted', atoms[1], 'j1', 0)
  })
  device.type('prompt', 'dub')
  device.click('generate')
  await device.until(() => device.shown('status').text === 'starting', 'accepted')
  device.close()
  await idle(50)
  const before = wire.heard.length
  assert.strictEqual(wire.heard[before - 1][0], '/loopgen/bye')
  await idle(6500)
  assert.strictEqual(wire.heard.length, before)
  assert.deepStrictEqual(device.console, [])
})
