import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { ImageName, type ContainerRuntimeClient } from 'testcontainers'

/** The images that ours stand on, by the names of the compose file's variables. */
export interface BaseImages {
  readonly BERTH_NODE_IMAGE: string
  readonly BERTH_NATS_IMAGE: string
}

const OFFICIAL: BaseImages = {
  BERTH_NODE_IMAGE: 'node:24-bookworm-slim',
  BERTH_NATS_IMAGE: 'nats:2.10-alpine',
}
const LOCAL = { repo: 'berth-local/base', tag: process.versions.node }
const PULL_TIMEOUT_MS = 120_000
const MAKE_TIMEOUT_MS = 180_000

/**
 * The official images; where no registry can be reached, one of Debian's packages, the Node that
 * runs this and the nats-server of PATH, which stands in for both. Rejects when neither works.
 */
export const findBaseImages = async (engine: ContainerRuntimeClient): Promise<BaseImages> => {
  const local = `${LOCAL.repo}:${LOCAL.tag}`
  const standIn = { BERTH_NODE_IMAGE: local, BERTH_NATS_IMAGE: local }
  const names = Object.values(OFFICIAL) as string[]
  if (await hasAll(engine, names)) return OFFICIAL
  if (await hasAll(engine, [local])) return standIn
  if (await pullAll(engine, names)) return OFFICIAL
  await makeLocal(engine)
  return standIn
}

const hasAll = async (engine: ContainerRuntimeClient, names: readonly string[]) => {
  const found = await Promise.all(
    names.map((name) => engine.image.exists(ImageName.fromString(name))),
  )
  return found.every(Boolean)
}

const pullAll = async (engine: ContainerRuntimeClient, names: readonly string[]) => {
  const pulls = Promise.all(
    names.map((name) =>
      engine.image.pull(ImageName.fromString(name), { force: false, platform: undefined }),
    ),
  )
  const deadline = AbortSignal.timeout(PULL_TIMEOUT_MS)
  const late = once(deadline, 'abort').then(() => false)
  return Promise.race([late, pulls.then(() => true).catch(() => false)])
}

/**
 * mmdebstrap needs neither Docker nor, where user namespaces are open, root. busybox's wget is
 * what the health check of the NATS image calls.
 */
const makeLocal = async (engine: ContainerRuntimeClient): Promise<void> => {
  const natsServer = execFileSync('sh', ['-c', 'command -v nats-server'], { encoding: 'utf8' })
  const hooks = [
    `upload ${process.execPath} /usr/local/bin/node`,
    `upload ${natsServer.trim()} /usr/local/bin/nats-server`,
    'chmod 755 "$1/usr/local/bin/node" "$1/usr/local/bin/nats-server"',
    'ln -s /bin/busybox "$1/usr/local/bin/wget"',
  ]
  const child = spawn(
    'mmdebstrap',
    [
      ...['--variant=essential', '--include=tini,busybox,libstdc++6', '--dpkgopt=force-unsafe-io'],
      ...hooks.map((hook) => `--customize-hook=${hook}`),
      ...['bookworm', '-'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], signal: AbortSignal.timeout(MAKE_TIMEOUT_MS) },
  )
  const said: string[] = []
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()))
  const ended = once(child, 'exit') as Promise<[number | null]>
  const changes = ['ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']
  const answer = await engine.container.dockerode.importImage(child.stdout, { ...LOCAL, changes })
  answer.resume()
  const [code] = await ended
  await once(answer, 'close')
  if (code !== 0) throw new Error(`mmdebstrap ended with ${code}: ${said.join('').slice(-2_000)}`)
}
