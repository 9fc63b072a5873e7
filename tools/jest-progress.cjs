const { writeFileSync } = require('node:fs')

const OPEN_AFTER_MS = 3_000

/**
 * Tells `./berth test` which files run, and, when the tests are over and the process does not end,
 * what keeps it: `BERTH_TEST_PROGRESS` names the file that is rewritten at each change.
 */
module.exports = class JestProgress {
  #path = process.env.BERTH_TEST_PROGRESS
  #running = new Set()

  onTestFileStart({ path }) {
    this.#running.add(path)
    this.#write({ open: [] })
  }

  onTestFileResult({ path }) {
    this.#running.delete(path)
    this.#write({ open: [] })
  }

  onRunComplete() {
    // It does not hold the process itself: in one that can end it never fires.
    setTimeout(() => this.#write({ open: openResources() }), OPEN_AFTER_MS).unref()
  }

  #write({ open }) {
    if (this.#path) writeFileSync(this.#path, JSON.stringify({ running: [...this.#running], open }))
  }
}

const openResources = () => {
  const handles = process._getActiveHandles().filter(({ fd }) => !(fd <= 2))
  const timers = process.getActiveResourcesInfo().filter((kind) => /Timeout|Immediate/.test(kind))
  return [...handles.map(describe), ...timers]
}

const describe = (handle) => {
  const facts = {
    pid: handle.pid,
    program: handle.spawnargs?.join(' '),
    listensAt: handle.address?.()?.port ?? undefined,
    connectedTo: handle.remotePort,
    socket: handle.path ?? handle._pipeName,
  }
  const known = Object.entries(facts).filter(([, value]) => value !== undefined)
  return [handle.constructor.name, ...known.map(([key, value]) => `${key}=${value}`)].join(' ')
}
