import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ContainerRuntimeClient } from 'testcontainers'
import type { BaseImages } from './base-images.ts'

export const root = join(import.meta.dirname, '../../..')

/** The tag under which the tests build, beside whatever a person has built. */
export const TAG = 'test'

/** Our images by the names of the compose file. */
export const IMAGES = [
  { name: 'berth/orchestratord', dockerfile: 'apps/orchestratord/Dockerfile' },
  { name: 'berth/orchestrator-core', dockerfile: 'apps/orchestrator-core/Dockerfile' },
  {
    name: 'berth/pool-managerd-embedded',
    dockerfile: 'apps/pool-managerd/Dockerfile',
    target: 'embedded',
  },
] as const

const RUNTIME_DIR = '.berth/embedded-engine'
const MODEL = '.berth/models/berth-tiny.gguf'

/** Builds the images from the Dockerfiles, around the bundles of dist/. */
export const buildImages = async (
  engine: ContainerRuntimeClient,
  bases: BaseImages,
): Promise<void> => {
  if (!existsSync(join(root, 'dist/.built'))) throw new Error('Run first: node tools/build.ts')
  await mkdir(join(root, '.berth/models'), { recursive: true })
  if (!existsSync(join(root, RUNTIME_DIR, 'installed')))
    await runTool('install-embedded-runtime.ts', RUNTIME_DIR)
  if (!existsSync(join(root, MODEL))) await runTool('make-tiny-gguf.ts', '--out', MODEL)
  for (const image of IMAGES) await build(engine, image, bases.BERTH_NODE_IMAGE)
}

type Image = (typeof IMAGES)[number]

const build = async (
  { container: { dockerode } }: ContainerRuntimeClient,
  image: Image,
  NODE_IMAGE: string,
): Promise<void> => {
  const { name, dockerfile, ...target } = image
  const buildargs = { NODE_IMAGE, BUNDLE: 'prebuilt' }
  // Version 2 is BuildKit: it builds only the stages it needs.
  const options = { t: `${name}:${TAG}`, dockerfile, buildargs, version: '2', ...target } as const
  const output = await dockerode.buildImage(await packContext(image), options)
  await new Promise<void>((resolve, reject) => {
    dockerode.modem.followProgress(output, (broken, events: BuildEvent[]) => {
      const problem = broken?.message ?? events.find(({ error }) => error !== undefined)?.error
      if (problem === undefined) resolve()
      else reject(new Error(`${dockerfile} does not build: ${problem}`))
    })
  })
}

interface BuildEvent {
  readonly error?: string
}

/** A tar of only what a prebuilt image takes: the whole tree would take half a minute. */
const packContext = async (image: Image): Promise<NodeJS.ReadableStream> => {
  const dist = await readdir(join(root, 'dist'))
  const bundles = dist.filter((file) => file.endsWith('.js')).map((file) => `dist/${file}`)
  const engine = 'target' in image ? [RUNTIME_DIR, MODEL] : []
  const argv = ['-C', root, '-c', image.dockerfile, ...bundles, ...engine]
  return spawn('tar', argv, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout
}

const runTool = (tool: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, [join('tools', tool), ...args], { cwd: root })
