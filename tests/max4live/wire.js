// A Live set, the built device in it, and a server that says what it is told to: only the wire is real.
'use strict'
const dgram = require('node:dgram')
const { loopFile } = require('./loop_files')
const { Live } = require('./stand_in/live')
const max = require('./stand_in/max')
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

function done (req, variation = 1, variations = 1) {
  const file = loopFile({ beats: 4, bpm: 90.7 })
  return ['/loopgen/done', 'j' + req, req, file, 90.7, 1, 4, 1, 44100, 'clean', variation, variations, '90.7', '5', 'sketch', 'CC0-1.0']
}

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

module.exports = { set, opened, server, connected, done, placing, idle }
