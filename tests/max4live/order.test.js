'use strict'
const assert = require('node:assert')
const { test } = require('node:test')
const { Clock } = require('./clock')
const { Order } = require('../../max4live/src/order')
const { ServerList } = require('../../max4live/src/lists')
const { Sending } = require('../../max4live/src/melodies')
const protocol = require('../../max4live/src/protocol')

function begun () {
  const clock = new Clock()
  const sent = []
  const told = []
  const order = new Order(
    { send: atoms => sent.push(atoms), later: clock.later },
    protocol.generate('r1', [['prompt', 'dub']]),
    {
      progress: (fraction, stage) => told.push([fraction, stage]),
      loop: done => told.push(['loop', done.variation]),
      ended: problem => told.push(['ended', problem])
    }
  )
  order.start()
  return { clock, sent, told, order }
}

const accepted = { kind: 'accepted', req: 'r1', job: 'j1', position: 0 }
const done = (variation, variations) => ({ kind: 'done', req: 'r1', job: 'j1', variation, variations })

test('a request is followed to its last loop, and each is acknowledged', () => {
  const { clock, sent, told, order } = begun()
  assert.deepStrictEqual(sent, [['/loopgen/generate', 'r1', 'prompt', 'dub']])
  for (const reply of [accepted, { kind: 'progress', job: 'j1', fraction: 0.5, stage: 'playing' }, done(1, 2), done(2, 2)]) {
    assert.ok(order.receive(reply))
  }
  assert.deepStrictEqual(told, [[0, 'starting'], [0.5, 'playing'], ['loop', 1], ['loop', 2], ['ended', '']])
  assert.deepStrictEqual(sent.slice(1), [['/loopgen/ack', 'j1', 1], ['/loopgen/ack', 'j1', 2]])
  clock.pass(60000)
  assert.strictEqual(sent.length, 3)
})

test('answers to others are not its own', () => {
  const { told, order } = begun()
  order.receive(accepted)
  assert.ok(!order.receive({ kind: 'accepted', req: 'r2', job: 'j2', position: 0 }))
  assert.ok(!order.receive({ kind: 'progress', job: 'j2', fraction: 0.5, stage: 'playing' }))
  assert.ok(!order.receive({ kind: 'error', req: '', code: 'internal', message: 'x', address: '/a' }))
  assert.strictEqual(told.length, 1)
})

test('a loop that comes twice is delivered once and acknowledged twice, also after the end', () => {
  const { sent, told, order } = begun()
  order.receive(accepted)
  order.receive(done(1, 2))
  order.receive(done(1, 2))
  order.receive(done(2, 2))
  order.receive(done(2, 2))
  assert.deepStrictEqual(told.filter(one => one[0] === 'loop'), [['loop', 1], ['loop', 2]])
  assert.deepStrictEqual(told.filter(one => one[0] === 'ended').length, 1)
  assert.strictEqual(sent.filter(atoms => atoms[0] === '/loopgen/ack').length, 4)
})

test('it is sent again while nobody answers, and ends with words', () => {
  const { clock, sent, told } = begun()
  clock.pass(60000)
  assert.strictEqual(sent.length, 4)
  assert.strictEqual(told.length, 1)
  assert.match(told[0][1], /does not answer.*loopgen serve/)
})

test('a loop that comes after the order was given up is delivered, one that was cancelled is not', () => {
  const { clock, sent, told, order } = begun()
  clock.pass(60000)
  order.receive(accepted)
  order.receive(done(1, 1))
  order.receive(done(1, 1))
  assert.deepStrictEqual(told.slice(1), [['loop', 1]])
  assert.deepStrictEqual(sent.slice(4), [['/loopgen/ack', 'j1', 1], ['/loopgen/ack', 'j1', 1]])
  const cancelled = begun()
  cancelled.order.cancel()
  cancelled.clock.pass(60000)
  cancelled.order.receive(done(1, 1))
  assert.deepStrictEqual(cancelled.told.filter(one => one[0] === 'loop'), [])
  assert.strictEqual(cancelled.clock.waiting.length, 0)
})

test('a request that the server cannot read ends with its words', () => {
  const { told, order } = begun()
  order.receive({ kind: 'error', req: '', code: 'too_large', message: 'a datagram above 8192 bytes', address: '' })
  assert.deepStrictEqual(told, [['ended', 'a datagram above 8192 bytes']])
})

test('a job that falls silent is asked for, and one that the server does not know ends', () => {
  const { clock, sent, told, order } = begun()
  order.receive(accepted)
  clock.pass(11000)
  assert.deepStrictEqual(sent.slice(1), [['/loopgen/job', 'r1', 'j1'], ['/loopgen/job', 'r1', 'j1']])
  order.receive({ kind: 'error', req: 'r1', code: 'unknown_job', message: 'there is no job j1', address: '/loopgen/job' })
  assert.match(told.pop()[1], /started anew and has forgotten the job/)
  clock.pass(60000)
  assert.strictEqual(sent.length, 3)
})

test('a job that waits says for how many', () => {
  const { told, order } = begun()
  order.receive({ ...accepted, position: 2 })
  assert.deepStrictEqual(told, [[0, 'waiting, 2 before it']])
})

test('cancelled before there is a job, it is cancelled as soon as there is one', () => {
  const { clock, sent, told, order } = begun()
  order.cancel()
  assert.strictEqual(sent.length, 1)
  order.receive(accepted)
  assert.deepStrictEqual(sent.pop(), ['/loopgen/cancel', 'j1'])
  clock.pass(1500)
  assert.deepStrictEqual(sent.pop(), ['/loopgen/cancel', 'j1'])
  order.receive({ kind: 'cancelled', job: 'j1', req: 'r1' })
  assert.deepStrictEqual(told, [['ended', '']])
})

test('a cancel of a job that is gone ends it too, and one that nobody answers', () => {
  const gone = begun()
  gone.order.receive(accepted)
  gone.order.cancel()
  gone.order.receive({ kind: 'error', req: 'j1', code: 'unknown_job', message: 'there is no job', address: '/loopgen/cancel' })
  assert.strictEqual(gone.told.pop()[0], 'ended')
  const deaf = begun()
  deaf.order.receive(accepted)
  deaf.order.cancel()
  deaf.clock.pass(60000)
  assert.deepStrictEqual(deaf.told.pop(), ['ended', ''])
})

test('cancelled by somebody else, it says so', () => {
  const { told, order } = begun()
  order.receive(accepted)
  order.receive({ kind: 'cancelled', job: 'j1', req: 'r1' })
  assert.match(told.pop()[1], /by the server, or by another client/)
})

test('too late a cancel: the loop is delivered all the same', () => {
  const { told, order } = begun()
  order.receive(accepted)
  order.cancel()
  order.receive(done(1, 1))
  assert.deepStrictEqual(told.slice(1), [['loop', 1], ['ended', '']])
})

test('back in touch, it asks for its job, or once more for itself', () => {
  const { sent, order } = begun()
  order.reconnected()
  assert.deepStrictEqual(sent[1], sent[0])
  order.receive(accepted)
  order.reconnected()
  assert.deepStrictEqual(sent[2], ['/loopgen/job', 'r1', 'j1'])
})

test('dropped, it says and sends nothing any more', () => {
  const { clock, sent, told, order } = begun()
  order.drop()
  clock.pass(60000)
  assert.deepStrictEqual([sent.length, told.length, clock.waiting.length], [1, 0, 0])
})

test('a list is whole when each item is there, in whatever order', () => {
  const clock = new Clock()
  const sent = []
  const lists = []
  const list = new ServerList(
    { send: atoms => sent.push(atoms), later: clock.later }, protocol.presetList, 'preset_item', items => lists.push(items.map(one => one.name))
  )
  const item = (number, name, req = 'p1') => ({ kind: 'preset_item', req, number, total: 3, name })
  list.refresh('p1')
  assert.ok(list.receive(item(3, 'c')))
  assert.ok(list.receive(item(1, 'a')))
  assert.ok(!list.receive(item(2, 'x', 'other')))
  assert.deepStrictEqual(lists, [])
  clock.pass(1000) // the second was lost: all of it again
  assert.deepStrictEqual(sent, [['/loopgen/preset/list', 'p1'], ['/loopgen/preset/list', 'p1']])
  for (const one of [item(1, 'a'), item(2, 'b'), item(3, 'c')]) list.receive(one)
  assert.deepStrictEqual(lists, [['a', 'b', 'c']])
  clock.pass(60000)
  assert.strictEqual(sent.length, 2)
  list.refresh('p2')
  list.receive({ kind: 'preset_item', req: 'p2', number: 0, total: 0, name: '' })
  assert.deepStrictEqual(lists.pop(), [])
  list.refresh('p3')
  clock.pass(60000)
  assert.strictEqual(sent.length, 3 + 4) // four tries, then silence
  assert.strictEqual(clock.waiting.length, 0)
})

const CLIP = { length: 4, notes: Array.from({ length: 70 }, (_, at) => ({ pitch: 60, start: at / 20, duration: 0.05, velocity: 100 })) }

function sending () {
  const clock = new Clock()
  const sent = []
  const ends = []
  const one = new Sending({ send: atoms => sent.push(atoms), later: clock.later }, 'm', CLIP, problem => ends.push(problem))
  one.start()
  return { clock, sent, ends, one }
}

test('a clip is sent in pieces, and what is missing again', () => {
  const { clock, sent, ends, one } = sending()
  assert.deepStrictEqual(sent.map(atoms => atoms[0].slice(16)), ['begin', 'notes', 'notes', 'notes', 'end'])
  assert.ok(one.receive({ kind: 'error', req: 'm', code: 'melody_incomplete', message: 'offset 32 is missing, 38 of 70', address: '/a' }))
  assert.deepStrictEqual(sent.slice(5).map(atoms => [atoms[0].slice(16), atoms[2]]), [['notes', 32], ['notes', 64], ['end', 70]])
  assert.ok(one.receive({ kind: 'melody_ok', id: 'm', count: 70 }))
  assert.ok(!one.receive({ kind: 'melody_ok', id: 'm', count: 70 }))
  assert.deepStrictEqual(ends, [''])
  clock.pass(60000)
  assert.strictEqual(sent.length, 8)
})

test('a clip whose beginning was lost is sent again; one that cannot be used, or that nobody takes, ends with words', () => {
  const lost = sending()
  lost.one.receive({ kind: 'error', req: 'm', code: 'melody_unknown', message: 'x', address: '/a' })
  assert.strictEqual(lost.sent.length, 10)
  lost.clock.pass(60000)
  assert.strictEqual(lost.sent.length, 20)
  assert.match(lost.ends[0], /loopgen serve/)
  const unusable = sending()
  unusable.one.receive({ kind: 'error', req: 'm', code: 'invalid_request', message: 'no note that sounds', address: '/a' })
  assert.deepStrictEqual(unusable.ends, ['no note that sounds'])
  assert.strictEqual(unusable.clock.waiting.length, 0)
})
