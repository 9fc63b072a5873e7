import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { promisify } from 'node:util'
import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { StoredModel } from './model-store.ts'
import { createTestStore } from './testing/index.ts'

const PULL = join(import.meta.dirname, './testing/pull.ts')
const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) process.stderr.write('SKIPPED model-store tls: there is no openssl\n')
const suite = hasOpenssl ? describe : describe.skip

let folder: string
let server: Server
let host: string

suite('a source that is asked over TLS', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-tls-'))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
        ...['-keyout', key, '-out', cert],
      ],
      { stdio: 'pipe' },
    )
    server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) =>
      response.end('GGUF over TLS'),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    host = `localhost:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })

  it('is believed when its certificate is', async () => {
    const args = [PULL, join(folder, 'store'), `https://${host}/tiny.gguf`, host]
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') }
    const { stdout } = await promisify(execFile)(execPath, args, { env })
    const model = JSON.parse(stdout) as StoredModel
    expect(readFileSync(model.path, 'utf8')).toBe('GGUF over TLS')
  })

  it('is not believed when nobody vouches for it', async () => {
    const store = await createTestStore([], {
      egress: { privateHosts: [host], hasDefaults: false },
      retry: { maxFailures: 0, firstDelayMs: 1 },
    })
    const refusal = store.ensurePresent(`https://${host}/tiny.gguf`, { want: 'gguf' })
    await expect(refusal).rejects.toMatchObject({
      reason: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('self-signed certificate'),
    })
    await store.dispose()
  })
})
