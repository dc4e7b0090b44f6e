// The built device in a Live set, without a server: what it says, and what Max and Live are known to do otherwise.
'use strict'
const assert = require('node:assert')
const dgram = require('node:dgram')
const { test } = require('node:test')
const osc = require('./stand_in/osc')
const { set, opened, server, connected, idle } = require('./wire')

// A server that says what it is told to: only the wire is real.

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

// The clip slots of a track that hold a clip, and the order that put it there: the server makes a loop at once.

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
