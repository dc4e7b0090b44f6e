'use strict'
const assert = require('node:assert')
const { test } = require('node:test')
const state = require('../../max4live/src/state')

const SONG = { bpm: 127.9000015258789, num: 4, den: 4, root: 9, scale: 'Minor', scaleOn: true, playing: false }
const WELCOME = { protocol: 1, version: '0.1.0', state: 'ready', engine: 'sketch', licence: 'CC0-1.0' }

function ready (controls = {}, more = {}) {
  const one = state.initial()
  Object.assign(one.controls, { prompt: 'dub techno' }, controls)
  return Object.assign(one, { song: { ...SONG }, link: 'connected', welcome: { ...WELCOME } }, more)
}

function loop (more = {}) {
  return { path: '/l/a.wav', job: 'j', variation: 1, tempo: '127.9', seed: '41', engine: 'sketch', licence: 'CC0-1.0', summary: 'seam clean', ...more }
}

const asked = (one, seed = 7, melody = '') => Object.fromEntries(state.order(one, seed, melody))

test('an order holds what the set and the controls say, the tempo as exact text', () => {
  assert.deepStrictEqual(state.order(ready(), 7, ''), [
    ['prompt', 'dub techno'], ['tempo', '127.9'], ['num', 4], ['den', 4], ['bars', 4], ['variations', 1], ['seed', 7], ['key', 'Am']
  ])
  const all = asked(ready({ preset: 'uk-garage', engine: 'musicgen:medium', guidance: 5, temperature: 0.7, bars: 8, variations: 3 }), 9, 'clip-1')
  assert.deepStrictEqual(
    [all.preset, all.engine, all.guidance, all.temperature, all.bars, all.variations, all.seed, all.melody],
    ['uk-garage', 'musicgen:medium', 5, 0.7, 8, 3, 9, 'clip-1']
  )
})

test('what is left at its default is left to the preset and the server', () => {
  const order = asked(ready({ engine: state.AUTO, guidance: 3, temperature: 1 }))
  for (const name of ['engine', 'guidance', 'temperature', 'preset', 'melody']) assert.ok(!(name in order), name)
})

test('the key is followed only where both the device and the set say so, and where loopgen has a word for it', () => {
  assert.strictEqual(asked(ready()).key, 'Am')
  assert.ok(!('key' in asked(ready({ scale: 0 }))))
  assert.ok(!('key' in asked(ready({}, { song: { ...SONG, scaleOn: false } }))))
  assert.ok(!('key' in asked(ready({}, { song: { ...SONG, scale: 'Pelog Selisir' } }))))
})

test('a prompt of several lines becomes one', () => {
  assert.strictEqual(asked(ready({ prompt: ' dub\n\n techno,\train\r' })).prompt, 'dub techno, rain')
  assert.ok(!('prompt' in asked(ready({ prompt: ' \n', preset: 'x' }))))
})

test('what keeps from generating is said', () => {
  assert.strictEqual(state.hindrance(ready()), '')
  assert.match(state.hindrance(ready({}, { link: 'searching' })), /Run `loopgen serve`/)
  assert.match(state.hindrance(ready({}, { job: {} })), /being made/)
  assert.match(state.hindrance(ready({ prompt: ' ' })), /Type a prompt/)
  assert.strictEqual(state.hindrance(ready({ prompt: '', preset: 'x' })), '')
})

test('a locked seed is kept, another drawn; Again goes past all that were used', () => {
  assert.strictEqual(state.drawnSeed(ready({ seed: 12, lock: 1 }), 0.5), 12)
  assert.strictEqual(state.drawnSeed(ready({ seed: 12 }), 0.5), 5000000)
  assert.ok(state.drawnSeed(ready(), 0.999999999999) < 10000000)
  assert.strictEqual(state.nextSeed(ready({ seed: 12 })), 13)
  assert.strictEqual(state.nextSeed(ready({ seed: 12 }, { loops: [loop({ seed: '15' }), loop({ seed: '13' })] })), 16)
  assert.strictEqual(state.nextSeed(ready({ seed: 9999999 })), 0)
})

test('clips are called by their sound and tempo', () => {
  assert.strictEqual(state.sound(ready()), 'dub techno')
  assert.strictEqual(state.sound(ready({ prompt: '', preset: 'uk-garage' })), 'uk-garage')
  assert.strictEqual(state.sound(ready({ prompt: 'a very long prompt that goes on and on about the rain in the city' })), 'a very long prompt that goes on and on')
  assert.strictEqual(state.sound(ready({ prompt: 'x' + '\u{1f941}'.repeat(40) })), 'x' + '\u{1f941}'.repeat(19))
  assert.strictEqual(state.clipName(loop({ sound: 'dub', mark: '' })), 'dub 127.9')
  assert.strictEqual(state.clipName(loop({ sound: 'dub', mark: ' #2' })), 'dub 127.9 #2')
})

test('buttons are on where they can do something', () => {
  const on = one => Object.entries(state.view(one)).filter(([, what]) => what.active).map(([name]) => name).sort()
  const sampling = ['guidance', 'temperature']
  assert.deepStrictEqual(on(state.initial()), sampling)
  assert.deepStrictEqual(on(ready()), ['generate'])
  assert.deepStrictEqual(on(ready({ engine: 'musicgen' })), ['generate', ...sampling])
  assert.deepStrictEqual(on(ready({}, { link: 'searching', loops: [loop()] })), [])
  assert.deepStrictEqual(on(ready({}, { job: { fraction: 0.5, stage: 'x', isCancelled: false } })), ['cancel'])
  assert.deepStrictEqual(on(ready({}, { job: { fraction: 0.5, stage: 'x', isCancelled: true } })), [])
  assert.deepStrictEqual(on(ready({}, { loops: [loop()] })), ['again', 'copy', 'generate'])
  assert.deepStrictEqual(on(ready({}, { loops: [loop({ tempo: '128' })] })), ['again', 'copy', 'generate', 'retempo'])
})

test('the lines say what is going on', () => {
  const text = (name, one) => state.view(one)[name].text
  assert.match(text('detail', ready({}, { link: 'searching' })), /^Run `loopgen serve`/)
  assert.match(text('detail', ready({ port: 12000 }, { link: 'searching' })), /^Run `loopgen serve --port 12000`/)
  assert.strictEqual(text('link', ready({}, { link: 'searching' })), 'no server')
  assert.strictEqual(text('link', ready()), 'connected')
  assert.strictEqual(text('link', ready({}, { welcome: { ...WELCOME, state: 'starting' } })), 'starting')
  assert.match(text('detail', ready({}, { welcome: { ...WELCOME, protocol: 2 } })), /loopgen max4live install/)
  assert.strictEqual(text('status', ready({}, { job: { fraction: 0, stage: 'playing', isCancelled: false } })), 'playing')
  assert.strictEqual(text('status', ready({}, { job: { fraction: 0, stage: 'playing', isCancelled: true } })), 'cancelling')
  assert.match(text('status', ready({}, { link: 'searching', job: { fraction: 0, stage: 'playing', isCancelled: false } })), /^waiting for the server/)
  assert.strictEqual(text('facts', ready()), '127.9 BPM, 4/4, Am')
  assert.strictEqual(text('facts', ready({ melody: 1, scale: 0 }, { clip: 'Riff', song: { ...SONG, playing: true } })), '127.9 BPM, 4/4, clip Riff, playing')
  assert.strictEqual(text('facts', ready({ melody: 1, scale: 0 })), '127.9 BPM, 4/4, no MIDI clip')
  assert.strictEqual(text('licence', ready()), 'sketch: CC0-1.0')
  assert.strictEqual(text('licence', ready({}, { loops: [loop({ engine: 'musicgen:small', licence: 'CC-BY-NC-4.0' })] })), 'musicgen:small: CC-BY-NC-4.0')
  assert.strictEqual(state.view(ready({}, { job: { fraction: 0.456, stage: 'x' } })).progress.percent, 46)
})

test('menus hold what there is, and what the set was saved with', () => {
  const view = state.view(ready({ preset: 'gone', target: '2-Audio' }, { presets: ['a', 'b'], tracks: [{ id: 7, name: '1-Audio' }, { id: 8, name: '2-Audio' }, { id: 9, name: '2-Audio' }], engines: ['sketch'] }))
  assert.deepStrictEqual(view.preset, { items: ['No preset', 'a', 'b', 'gone'], at: 3 })
  assert.deepStrictEqual(view.target, { items: ['Highlighted slot', '1-Audio', '2-Audio', '2-Audio'], at: 2 })
  assert.deepStrictEqual(state.view(ready({}, { tracks: [{ id: 7, name: '' }], track: 7 })).target, { items: ['Highlighted slot', 'no name'], at: 1 })
  assert.deepStrictEqual(view.engine, { items: ['auto', 'sketch'], at: 0 })
})
