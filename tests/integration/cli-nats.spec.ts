import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createRunFolder, type RunFolder } from './src/berth-command.ts'

jest.setTimeout(60_000)

let folder: RunFolder
let programs = ''

/** A system whose only programs are those the test puts there. */
beforeEach(() => {
  folder = createRunFolder()
  programs = join(folder.path, 'programs')
  mkdirSync(programs)
  put('sudo', '[ "$1" = -n ] && shift; exec env "$@"')
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

const put = (name: string, script: string) => {
  writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(programs, name), 0o755)
}
const up = () =>
  folder.berth(['up', '--engine', 'sim', '--port', '0'], { env: { BERTH_PROGRAM_PATH: programs } })

/** What a package would put there. */
const REAL = 'PATH="$PATH:/usr/sbin" exec nats-server "$@"'
const INSTALLS = `case "$*" in
  *install*nats-server*) printf '#!/bin/sh\\n${REAL}\\n' > "$0.new"
    chmod 755 "$0.new"; mv "$0.new" "$(dirname "$0")/nats-server" ;;
esac`

describe('./berth up without nats-server', () => {
  it('installs it with the package manager, says so, and goes on', async () => {
    put('apt-get', INSTALLS)
    const command = up()
    await command.saw('pools ready')
    expect(command.output()).toMatch(/nats-server is not installed; running: .*apt-get install/)
    expect(command.output()).toContain('Installing nats-server')
  })

  it('says why when the package manager fails', async () => {
    put('apt-get', 'echo "E: Unable to locate package nats-server"; exit 100')
    const { code, stderr } = await up().ended
    expect(stderr).toContain('E: Unable to locate package nats-server')
    expect(stderr).toContain('Install nats-server by hand')
    expect(code).toBe(5)
  })

  it('ends the package manager when it is interrupted', async () => {
    put('apt-get', 'exec sleep 300')
    const command = up()
    await command.saw('Installing nats-server ...')
    command.signal('SIGINT')
    expect((await command.ended).code).toBe(130)
    expect(folder.processes()).toEqual([])
  })

  it('uses the image where only docker answers', async () => {
    put('docker', `[ "$1" = info ] && exit 0; echo "$@" > "$0.args"; exit 125`)
    const { code, stdout, stderr } = await up().ended
    expect(stdout).toContain('using the nats image with docker')
    expect(stderr).toContain('nats ended while starting')
    expect(code).toBe(1)
  })
})
