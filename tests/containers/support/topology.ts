import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { until } from '@berth/test-support'
import type { ContainerRuntimeClient } from 'testcontainers'
import type { BaseImages } from './base-images.ts'
import { root, TAG } from './build-images.ts'
import type { FoundDocker } from './docker.ts'

const run = promisify(execFile)
const PREFIX = 'berthtest'
const COMPOSE_TIMEOUT_MS = 180_000

/** The services of docker-compose.yml in containers of their own project. */
export interface Topology extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` of gateway-a and gateway-b. */
  readonly gateways: readonly [string, string]
  /** Brings everything up that is not, as `files` say; a service whose file changed is replaced. */
  up(...files: readonly string[]): Promise<void>
  container(service: string): Promise<Container>
  /** Runs a program in a service and resolves with what it printed. */
  exec(service: string, argv: readonly string[]): Promise<string>
  /** SIGKILL for the processes whose command line fits a pattern of the shell. */
  kill(service: string, pattern: string): Promise<void>
  /** SIGTERM, the grace period of the file, and a new start. */
  restart(service: string): Promise<void>
  cutOff(service: string): Promise<void>
  heal(service: string): Promise<void>
  /** Resolves when the service's own check passes. */
  isHealthy(service: string): Promise<void>
  /** What a service has logged, for the report of a failure. */
  logs(service: string): Promise<string>
}

type Dockerode = ContainerRuntimeClient['container']['dockerode']
type Container = ReturnType<ContainerRuntimeClient['container']['getById']>
type Docker = Extract<FoundDocker, { kind: 'found' }>

/** Disposing ends every container and deletes the volumes and the network. */
export const createTopology = async (docker: Docker, bases: BaseImages): Promise<Topology> => {
  const project = `${PREFIX}${process.pid}`
  const [portA, portB] = [await freePort(), await freePort()]
  const env = {
    ...process.env,
    ...bases,
    COMPOSE_PROJECT_NAME: project,
    BERTH_TAG: TAG,
    BERTH_GATEWAY_A_PORT: String(portA),
    BERTH_GATEWAY_B_PORT: String(portB),
  }
  const { engine } = docker
  const { dockerode } = engine.container

  const compose = async (files: readonly string[], ...args: string[]) => {
    const [program, ...before] = docker.compose
    const all = [...before, ...files.flatMap((file) => ['-f', file]), ...args]
    return run(program, all, { cwd: root, env, timeout: COMPOSE_TIMEOUT_MS })
  }
  const down = (name: string) =>
    compose(['docker-compose.yml'], '-p', name, 'down', '--volumes', '--timeout', '1')
  for (const left of await abandoned(dockerode)) await down(left)
  const container = async (service: string) => {
    const label = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`]
    const [found] = await dockerode.listContainers({ all: true, filters: { label } })
    if (!found) throw new Error(`There is no container of ${service}`)
    return dockerode.getContainer(found.Id)
  }
  const exec = async (service: string, argv: readonly string[]) => {
    const { output, exitCode } = await engine.container.exec(await container(service), [...argv])
    if (exitCode !== 0) throw new Error(`${argv.join(' ')} in ${service}: ${exitCode} ${output}`)
    return output
  }
  const network = async () => {
    const name = (await dockerode.listNetworks({ filters: { name: [project] } }))[0]
    if (!name) throw new Error('There is no network')
    return dockerode.getNetwork(name.Id)
  }
  return {
    gateways: [`http://127.0.0.1:${portA}`, `http://127.0.0.1:${portB}`],
    up: async (...files) => {
      await compose(['docker-compose.yml', ...files], 'up', '--detach', '--no-build')
    },
    container,
    exec,
    kill: async (service, pattern) => {
      const killed = await exec(service, ['sh', '-c', KILL, 'kill', pattern])
      if (killed.trim() === '') throw new Error(`${pattern} does not run in ${service}`)
    },
    restart: async (service) => {
      await compose(['docker-compose.yml'], 'restart', service)
    },
    cutOff: async (service) => {
      await (await network()).disconnect({ Container: (await container(service)).id })
    },
    heal: async (service) => {
      const Container = (await container(service)).id
      await (await network()).connect({ Container, EndpointConfig: { Aliases: [service] } })
    },
    isHealthy: async (service) => {
      await until(
        `${service} is healthy`,
        async () => (await (await container(service)).inspect()).State.Health?.Status === 'healthy',
        60_000,
      )
    },
    logs: async (service) => {
      const { stdout } = await compose(['docker-compose.yml'], 'logs', '--no-color', service)
      return stdout
    },
    [Symbol.asyncDispose]: async () => {
      await down(project)
    },
  }
}

/** Projects of test runs that were killed before they could clean up. */
const abandoned = async (dockerode: Dockerode): Promise<string[]> => {
  const label = ['com.docker.compose.project']
  const containers = await dockerode.listContainers({ all: true, filters: { label } })
  const projects = new Set(containers.map(({ Labels }) => Labels[label[0]!] ?? ''))
  return [...projects].filter((name) => {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : 0
    return pid > 0 && !existsSync(`/proc/${pid}`)
  })
}

/** Prints the pids it kills. The init, whose command line holds that of its child, is process 1. */
const KILL = `for dir in /proc/[0-9]*; do
  pid=\${dir#/proc/}
  [ "$pid" = 1 ] || [ "$pid" = $$ ] && continue
  case "$(tr '\\0' ' ' < "$dir/cmdline" 2>/dev/null)" in
    $1) kill -KILL "$pid" && echo "$pid" ;;
  esac
done`

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
