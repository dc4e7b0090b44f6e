// The built device, its patch and all, in a Live set of the stand-in's, against the real server: from what is typed and
// pressed to clips in slots.
'use strict'
const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { Live } = require('./stand_in/live')
const max = require('./stand_in/max')

const AMXD = process.env.LOOPGEN_AMXD
const PORT = Number(process.env.LOOPGEN_PORT)
const OUTPUT = process.env.LOOPGEN_OUTPUT

const RIFF = {
  name: 'Riff',
  length: 8,
  notes: [0, 2, 4, 6].map((start, at) => ({ pitch: [69, 72, 76, 74][at], start_time: start, duration: 1.5, velocity: 100, mute: 0 }))
}

function set (options = {}) {
  const live = new Live({ version: [12, 1, 0], tempo: 127.9, ...options })
  live.addMidiTrack('1-MIDI')
  live.addAudioTrack('2-Audio')
  live.addAudioTrack('3-Audio')
  return live
}

async function opened (t, live, more = {}) {
  const device = max.open(AMXD, { live, track: 1, ...more })
  t.after(() => device.close())
  device.turn('port', PORT)
  await device.until(() => device.shown('generate').active, 'connected to the server')
  await device.until(() => device.shown('engine').items.includes('sketch'), 'the engines')
  return device
}

// The sidecar of a clip's file: what the server was asked for.
function asked (clip) {
  return JSON.parse(fs.readFileSync(clip.file_path.replace(/\.wav$/, '.json'), 'utf8')).request
}

function generate (device, prompt, bars = '2') {
  device.choose('engine', 'sketch')
  device.choose('bars', bars)
  device.type('prompt', prompt)
  device.click('generate')
}

const placed = (live, track, scene) => live.tracks[track].slots[scene].clip

async function finished (device) {
  await device.until(() => !device.shown('cancel').active && device.shown('generate').active, 'the job has ended', 60000)
}

async function close (device) {
  assert.deepStrictEqual(device.console, [])
  await device.close()
}

test('from a clip with notes to an audio clip of the right length in the highlighted slot', async t => {
  const live = set({ root: 9, scale: 'Minor', scaleMode: true, undoSteps: true })
  const clip = live.addMidiClip(0, 0, RIFF)
  live.showInDetail(clip)
  live.select(1, 2)
  const device = await opened(t, live)
  device.turn('melody', 1)
  const before = live.undoSteps
  generate(device, 'dub techno, rolling bass')
  await device.until(() => placed(live, 1, 2) && /^placed on 2-Audio, scene 3/.test(device.shown('status').text), 'a clip in the slot', 60000)
  await finished(device)
  const made = placed(live, 1, 2)
  assert.strictEqual(made.length, 8)
  assert.deepStrictEqual([made.warping, made.looping, made.warp_mode, made.loop, made.markers], [1, 1, 0, [0, 8], [0, 8]])
  assert.strictEqual(made.name, 'dub techno, rolling bass 127.9')
  assert.ok(made.file_path.startsWith(fs.realpathSync(OUTPUT)))
  assert.strictEqual(live.undoSteps, before + 1)
  const request = asked(made)
  assert.deepStrictEqual([request.bpm, request.bars, request.meter, request.engine], ['127.9', 2, '4/4', 'sketch'])
  assert.strictEqual(request.melody.length, 4)
  assert.deepStrictEqual(request.melody.map(note => note[1]), [69, 72, 76, 74])
  assert.strictEqual(String(request.seed), String(device.shown('seed').value))
  assert.match(device.shown('detail').text, /seed \d+/)
  assert.strictEqual(device.shown('licence').text, 'sketch: CC0-1.0')
  await close(device)
})

test('variations go to the slots that follow, past what is taken', async t => {
  const live = set()
  live.addMidiClip(0, 0, RIFF)
  live.select(2, 0)
  const device = await opened(t, live)
  device.turn('variations', 3)
  generate(device, 'house, rhodes', '1')
  await finished(device)
  await device.until(() => [0, 1, 2].every(scene => placed(live, 2, scene)?.looping), 'three clips')
  assert.deepStrictEqual([0, 1, 2].map(scene => placed(live, 2, scene).length), [4, 4, 4])
  assert.strictEqual(new Set([0, 1, 2].map(scene => placed(live, 2, scene).file_path)).size, 3)
  device.click('again')
  await device.until(() => device.shown('cancel').active, 'it goes on')
  await finished(device)
  await device.until(() => placed(live, 2, 5)?.looping, 'three more')
  const seeds = [0, 1, 2, 3, 4, 5].map(scene => JSON.parse(fs.readFileSync(placed(live, 2, scene).file_path.replace(/wav$/, 'json'), 'utf8')).seed)
  assert.strictEqual(new Set(seeds).size, 6)
  await close(device)
})

test('60.23 BPM, 7/8, a scale, a preset, a locked seed: all of it arrives', async t => {
  const live = set({ tempo: 60.22999954223633, signature: [7, 8], root: 2, scale: 'Dorian', scaleMode: true })
  live.select(1, 0)
  const device = await opened(t, live)
  await device.until(() => device.shown('preset').items.length > 5, 'the presets')
  assert.match(device.shown('facts').text, /^60\.23 BPM, 7\/8, D dorian/)
  device.turn('seed', 4711)
  device.turn('lock', 1)
  device.choose('preset', 'uk-garage')
  generate(device, 'rainy', '2')
  await finished(device)
  await device.until(() => placed(live, 1, 0)?.looping, 'a clip')
  const request = asked(placed(live, 1, 0))
  assert.deepStrictEqual([request.bpm, request.meter, request.key, request.seed, request.prompt], ['60.23', '7/8', 'D dorian', 4711, 'rainy'])
  assert.strictEqual(placed(live, 1, 0).length, 7)
  assert.strictEqual(device.shown('seed').value, 4711)
  await close(device)
})

test('another tempo: the same take is laid on it, into the next free slot', async t => {
  const live = set()
  live.select(1, 0)
  const device = await opened(t, live)
  generate(device, 'lo-fi hip-hop', '2')
  await finished(device)
  await device.until(() => placed(live, 1, 0)?.looping, 'a clip')
  assert.ok(!device.shown('retempo').active)
  live.setTempo(131.5)
  await device.until(() => device.shown('retempo').active, 'retempo can be pressed')
  device.click('retempo')
  await device.until(() => placed(live, 1, 1)?.looping, 'a second clip', 60000)
  await finished(device)
  const [first, second] = [placed(live, 1, 0), placed(live, 1, 1)]
  assert.strictEqual(second.length, 8)
  assert.match(path.basename(second.file_path), /131\.5bpm/)
  assert.strictEqual(second.name, 'lo-fi hip-hop 131.5')
  assert.strictEqual(first.name, 'lo-fi hip-hop 127.9')
  assert.ok(!device.shown('retempo').active)
  await close(device)
})

test('an older Live is told so; the path is shown, and the server asked to put it on the clipboard', async t => {
  const live = set({ version: [12, 0, 4] })
  live.select(1, 0)
  const device = await opened(t, live)
  generate(device, 'house', '1')
  await device.until(() => /^Live 12\.0\.4 /.test(device.shown('detail').text), 'a reason', 60000)
  assert.match(device.shown('status').text, /^not placed/)
  assert.ok(fs.existsSync(/ (\/.*\.wav)$/.exec(device.shown('detail').text)[1]))
  assert.strictEqual(placed(live, 1, 0), null)
  await finished(device)
  device.click('copy')
  await device.until(() => /^last loop/.test(device.shown('status').text), 'the path again')
  await close(device)
})

test('a wrong guess of the tempo is mended', async t => {
  for (const guess of [2, 0.5, 1.07]) {
    const live = set({ warp: { guess } })
    live.select(1, 0)
    const device = await opened(t, live)
    generate(device, 'house', '1')
    await device.until(() => /mended|placed/.test(device.shown('detail').text), 'mended', 60000)
    await finished(device)
    assert.strictEqual(placed(live, 1, 0).length, 4)
    assert.deepStrictEqual([placed(live, 1, 0).warping, placed(live, 1, 0).looping], [1, 1])
    await close(device)
  }
})

test('cancelled: nothing is placed, and the next one is made', async t => {
  const live = set()
  live.select(1, 0)
  const device = await opened(t, live)
  device.turn('variations', 8)
  generate(device, 'ambient', '32')
  await device.until(() => device.shown('progress').value > 0, 'it has begun', 60000)
  device.click('cancel')
  await device.until(() => device.shown('status').text === 'cancelled', 'cancelled', 60000)
  assert.strictEqual(device.shown('progress').value, 0)
  device.turn('variations', 1)
  generate(device, 'house', '1')
  await finished(device)
  await device.until(() => live.tracks[1].slots.some(slot => slot.clip?.length === 4 && slot.clip.looping), 'the next one')
  await close(device)
})

test('several devices in one set work at once', async t => {
  const live = set()
  const devices = [await opened(t, live), await opened(t, live, { track: 2 }), await opened(t, live, { track: 2 })]
  devices.forEach((device, at) => {
    device.choose('target', at === 0 ? '2-Audio' : '3-Audio')
    generate(device, ['house', 'trap', 'reggae'][at], '1')
  })
  for (const device of devices) await finished(device)
  await devices[0].until(() => placed(live, 1, 0)?.looping && placed(live, 2, 0)?.looping && placed(live, 2, 1)?.looping, 'three clips')
  assert.strictEqual(placed(live, 1, 0).name, 'house 127.9')
  assert.deepStrictEqual([0, 1].map(scene => placed(live, 2, scene).name).sort(), ['reggae 127.9', 'trap 127.9'])
  for (const device of devices) await close(device)
})

test('what was typed comes back with the set', async t => {
  const live = set()
  const device = await opened(t, live)
  device.type('prompt', 'dub techno, "rainy", 4/4')
  device.choose('engine', 'sketch')
  await device.until(() => device.shown('preset').items.length > 5, 'the presets')
  device.choose('preset', 'uk-garage')
  device.choose('bars', '8')
  device.turn('seed', 77)
  const stored = device.stored()
  await close(device)
  const again = await opened(t, live, { stored })
  await again.until(() => again.shown('preset').items.length > 5, 'the presets')
  assert.strictEqual(again.shown('prompt').text, 'dub techno, "rainy", 4/4')
  assert.deepStrictEqual(['preset', 'engine', 'bars'].map(name => again.shown(name).text), ['uk-garage', 'sketch', '8'])
  assert.strictEqual(again.shown('seed').value, 77)
  await close(again)
})

test('what the server refuses is said in its words', async t => {
  const live = set()
  live.select(1, 0)
  const device = await opened(t, live)
  device.choose('engine', 'auto')
  generate(device, 'x'.repeat(2500), '1')
  await device.until(() => /prompt.*2000 characters/.test(device.shown('detail').text), 'the reason')
  await new Promise(resolve => setTimeout(resolve, 400)) // what comes sooner is the same click
  generate(device, ' ', '1')
  assert.match(device.shown('detail').text, /Type a prompt/)
  await close(device)
})
