import { beforeAll, describe, expect, it } from '@jest/globals'
import type { ContainerRuntimeClient } from 'testcontainers'
import { findBaseImages } from './support/base-images.ts'
import { buildImages, IMAGES, TAG } from './support/build-images.ts'
import { findDocker } from './support/docker.ts'

const docker = await findDocker()
const MEBIBYTE = 1_048_576

if (docker.kind === 'missing') {
  describe.skip(`images (skipped: ${docker.reason})`, () => {
    it.each(IMAGES)('$name', () => undefined)
  })
} else {
  const { engine } = docker
  const docks = engine.container.dockerode
  const names = IMAGES.map(({ name }) => ({ name: `${name}:${TAG}` }))

  describe('images', () => {
    let bases: Awaited<ReturnType<typeof findBaseImages>>
    beforeAll(async () => {
      bases = await findBaseImages(engine)
      await buildImages(engine, bases)
    }, 420_000)

    it.each(names)('$name runs as nobody, under an init, and says how it is', async ({ name }) => {
      const { Config } = await docks.getImage(name).inspect()
      expect(Config.User).toBe('10001:10001')
      expect(Config.Entrypoint?.slice(0, 3)).toEqual(['tini', '--', 'node'])
      expect(Config.Env).toContain('NODE_ENV=production')
      expect(Config.Healthcheck).toBeDefined()
    })

    it.each([
      ['berth/orchestratord', 40],
      ['berth/orchestrator-core', 40],
      // llama.cpp and its bindings.
      ['berth/pool-managerd-embedded', 100],
    ])('%s adds less than %d MiB to its base', async (name, limit) => {
      const added =
        (await sizeOf(engine, `${name}:${TAG}`)) - (await sizeOf(engine, bases.BERTH_NODE_IMAGE))
      expect(added).toBeGreaterThan(0)
      expect(added / MEBIBYTE).toBeLessThan(limit)
    })

    it('refuse to serve a network unauthenticated, and say what to do', async () => {
      const refusals = await Promise.all(
        ['berth/orchestratord', 'berth/orchestrator-core'].map((name) =>
          runToEnd(engine, `${name}:${TAG}`),
        ),
      )
      for (const { code, output } of refusals) {
        expect(output).toContain('BERTH_INSECURE=true')
        expect(code).toBe(78)
      }
    }, 30_000)
  })
}

const sizeOf = async ({ container }: ContainerRuntimeClient, name: string) =>
  (await container.dockerode.getImage(name).inspect()).Size

const runToEnd = async ({ container }: ContainerRuntimeClient, image: string) => {
  const created = await container.dockerode.createContainer({
    Image: image,
    HostConfig: { NetworkMode: 'none' },
  })
  try {
    await created.start()
    const { StatusCode: code } = (await created.wait()) as { StatusCode: number }
    const output = (await created.logs({ stdout: true, stderr: true })).toString('utf8')
    return { code, output }
  } finally {
    await created.remove({ force: true })
  }
}
