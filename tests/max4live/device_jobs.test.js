// From an order to its clips, and what may come between: a slow server, other tracks, other names, a loop without a place.
'use strict'
const assert = require('node:assert')
const { test } = require('node:test')
const { set, opened, connected, done, placing, idle } = require('./wire')

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
