// Time for tests: it passes when the test says so.
'use strict'

class Clock {
  constructor () {
    this.now = 0
    this.waiting = []
    this.later = this.later.bind(this)
  }

  later (milliseconds, then) {
    const entry = { due: this.now + milliseconds, then }
    this.waiting.push(entry)
    return { cancel: () => { this.waiting = this.waiting.filter(one => one !== entry) } }
  }

  pass (milliseconds) {
    const end = this.now + milliseconds
    for (;;) {
      const due = this.waiting.filter(one => one.due <= end).sort((a, b) => a.due - b.due)[0]
      if (!due) break
      this.now = Math.max(this.now, due.due)
      this.waiting = this.waiting.filter(one => one !== due)
      due.then()
    }
    this.now = end
  }
}

module.exports = { Clock }
