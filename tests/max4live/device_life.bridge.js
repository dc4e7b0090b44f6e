// The built device and a server that comes and goes: a process of its own, which is started after the device, killed in
// the middle of a job, and started again.
'use strict'
const assert = require('node:assert')
const { spawn } = require('node:child_process')
const dgram = require('node:dgram')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { Live } = require('./stand_in/live')
const max = require('./stand_in/max')
const osc = require('./stand_in/osc')

const AMXD = process.env.LOOPGEN_AMXD
const PYTHON = process.env.LOOPGEN_PYTHON
const OUTPUT = path.join(process.env.LOOPGEN_OUTPUT, 'life')

const LONG = 60000 // milliseconds: a server takes some seconds to start on a machine that is busy

// Ports below those that systems give away, and apart from those that other tests may have taken a moment ago.
let port = 20000 + (process.pid % 10000)

// `loopgen serve`; kill() leaves it no time to say anything.
function serve (t, at) {
  const server = spawn(PYTHON, ['-m', 'loopgen', 'serve', '--plain', '--engine', 'sketch', '--port', String(at), '--output', OUTPUT], {
    stdio: ['ignore', 'pipe', 'pipe'], detached: process.platform !== 'win32'
  })
  const ended = new Promise(resolve => server.on('exit', resolve))
  const said = []
  for (const stream of [server.stdout, server.stderr]) stream.on('data', text => said.push(text))
  async function kill () {
    if (server.exitCode !== null || server.signalCode !== null) return
    try {
      process.kill(-server.pid, 'SIGKILL') // with its worker
    } catch {
      server.kill('SIGKILL')
    }
    await ended
  }
  t.after(kill)
  t.after(() => t.diagnostic(`the server at ${at}:\n${said.join('')}`)) // seen where the test fails
  return { kill }
}

function opened (t) {
  port += 1
  const live = new Live({ version: [12, 1, 0], tempo: 127.9 })
  live.addMidiTrack('1-MIDI')
  live.addAudioTrack('2-Audio')
  live.addScene()
  live.select(1, 0)
  const device = max.open(AMXD, { live, track: 1 })
  t.after(() => device.close())
  device.turn('port', port)
  return { live, device, slots: live.tracks[1].slots }
}

// Waits until the server at a port answers, sooner than the device asks anew whether it is there.
async function answering (port) {
  const socket = dgram.createSocket('udp4')
  const answered = new Promise(resolve => socket.once('message', resolve))
  const asking = setInterval(() => socket.send(osc.encode(['/loopgen/ping', '']), port, '127.0.0.1'), 50)
  await answered
  clearInterval(asking)
  socket.close()
}

const connected = device => device.until(() => device.shown('generate').active && device.shown('link').text !== 'no server', 'connected', LONG)

function generate (device, prompt, bars) {
  device.type('prompt', prompt)
  device.choose('bars', bars)
  device.click('generate')
}

const idle = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

test('the server starts after the device, is killed in the middle of a job, and comes back', { timeout: 4 * LONG }, async t => {
  const { live, device, slots } = opened(t)
  await device.until(() => device.shown('status').text === 'loopgen is not running', 'no server')
  device.click('generate') // it is off, and nothing comes of it
  const first = serve(t, port)
  await connected(device)
  await device.until(() => device.shown('preset').items.length > 5 && device.shown('engine').items.includes('sketch'), 'the menus', LONG)

  device.turn('variations', 8)
  generate(device, 'ambient', '32')
  await device.until(() => device.shown('progress').value > 0, 'a job', LONG)
  await first.kill()
  await device.until(() => device.shown('status').text === 'waiting for the server', 'it is missed', LONG)
  assert.match(device.shown('detail').text, /Run `loopgen serve --port \d+`/)
  assert.ok(device.shown('cancel').active && !device.shown('generate').active)
  const had = slots.filter(slot => slot.clip).length

  serve(t, port)
  await device.until(() => /started anew and has forgotten/.test(device.shown('detail').text), 'the job is gone', LONG)
  await connected(device)
  device.turn('variations', 1)
  generate(device, 'house', '1')
  await device.until(() => slots.some(slot => slot.clip?.name === 'house 127.9' && slot.clip.looping), 'a clip', LONG)
  assert.strictEqual(slots.filter(slot => slot.clip).length, had + 1)
  assert.strictEqual(live.tracks[1].slots.find(slot => slot.clip?.name === 'house 127.9').clip.length, 4)
  assert.deepStrictEqual(device.console, [])
})

test('a server that was started anew between two orders is told where the answers go, and what it no longer has is said', { timeout: 4 * LONG }, async t => {
  const { live, device, slots } = opened(t)
  const first = serve(t, port)
  await connected(device)
  generate(device, 'house', '1')
  await device.until(() => slots[0].clip?.looping && device.shown('generate').active, 'a clip', LONG)
  await device.until(() => /^placed on/.test(device.shown('status').text), 'placed', LONG)
  await first.kill()
  device.click('copy')
  await device.until(() => /not copied$/.test(device.shown('status').text), 'nobody copied it')
  serve(t, port)
  await answering(port)
  fs.rmSync(OUTPUT, { recursive: true, force: true }) // loops and takes are gone
  live.setTempo(131)
  await device.until(() => device.shown('retempo').active, 'retempo can be pressed', LONG)
  device.click('retempo')
  await device.until(() => device.shown('status').text === 'no loop', 'the reason', LONG)
  assert.match(device.shown('detail').text, /\S/)
  assert.doesNotMatch(device.shown('detail').text, /does not answer|was stopped/)
  await idle(350)
  device.click('again')
  await device.until(() => slots[1].clip?.looping, 'another clip', LONG)
  assert.strictEqual(slots[1].clip.name, 'house 131')
  assert.deepStrictEqual(device.console, [])
})

test('removed in the middle of a job the device leaves nothing behind', { timeout: 2 * LONG }, async t => {
  const { device, slots } = opened(t)
  serve(t, port)
  await connected(device)
  generate(device, 'ambient', '32')
  await device.until(() => device.shown('cancel').active, 'a job', LONG)
  device.close()
  await idle(1500)
  assert.deepStrictEqual(slots.filter(slot => slot.clip), [])
  assert.deepStrictEqual([device.console, device.faults], [[], []])
})

test('cancelled while the server is gone, the job ends', { timeout: 2 * LONG }, async t => {
  const { device } = opened(t)
  const server = serve(t, port)
  await connected(device)
  device.turn('variations', 8)
  generate(device, 'ambient', '32')
  await device.until(() => device.shown('progress').value > 0, 'a job', LONG)
  await server.kill()
  device.click('cancel')
  await device.until(() => device.shown('status').text !== 'cancelling' && !device.shown('cancel').active, 'it has ended', LONG)
  await device.until(() => device.shown('status').text === 'loopgen is not running', 'no server', LONG)
  assert.deepStrictEqual(device.console, [])
})
