import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { getContainerRuntimeClient, type ContainerRuntimeClient } from 'testcontainers'

const run = promisify(execFile)

/** A Docker engine and the compose program, or why there is none. */
export type FoundDocker =
  | {
      readonly kind: 'found'
      readonly engine: ContainerRuntimeClient
      /** What stands before the arguments of compose: `docker compose`, or `docker-compose`. */
      readonly compose: readonly [string, ...string[]]
    }
  | { readonly kind: 'missing'; readonly reason: string }

/** Looks where testcontainers looks: DOCKER_HOST, the usual sockets, the rootless ones. */
export const findDocker = async (): Promise<FoundDocker> => {
  const engine = await getContainerRuntimeClient().catch(() => undefined)
  if (!engine) return missing('no Docker engine answers')
  for (const compose of [['docker', 'compose'], ['docker-compose']] as const) {
    const [program, ...args] = compose
    const works = await run(program, [...args, 'version']).then(
      () => true,
      () => false,
    )
    if (works) return { kind: 'found', engine, compose: [...compose] }
  }
  return missing('neither `docker compose` nor `docker-compose` is installed')
}

/** jest does not name the tests of a file that skips them all, so this says it. */
const missing = (reason: string): FoundDocker => {
  process.stderr.write(`Tests in containers are skipped: ${reason}.\n`)
  return { kind: 'missing', reason }
}
