import { describe, expect, it } from '@jest/globals'
import { readPaths } from './paths.ts'
import { planServices } from './service-plan.ts'

const ports = {
  gateway: 1,
  nats: 2,
  coreGrpc: 3,
  coreHttp: 4,
  agentGrpc: 5,
  agentIngress: 6,
  agentHttp: 7,
}
const paths = readPaths({ BERTH_ROOT: '/opt/berth', BERTH_RUN_DIR: '/tmp/x' })
const plan = (kind: 'program' | 'docker') =>
  planServices({ paths, ports, nats: { kind, path: `/bin/${kind}` }, poolsFile: '/p.yaml' })

describe('the services of a fleet', () => {
  it('start with what the others need', () => {
    expect(plan('program').map(({ name }) => name)).toEqual([
      'nats',
      'orchestrator-core',
      'pool-managerd',
      'orchestratord',
    ])
  })

  it('stop within ten seconds together', () => {
    const sumMs = plan('program').reduce((sum, { stopTimeoutMs }) => sum + stopTimeoutMs, 0)
    expect(sumMs).toBeLessThan(10_000)
  })

  it('bind NATS to loopback, as a program and as a container', () => {
    expect(plan('program')[0]?.argv.join(' ')).toBe(
      '/bin/program --addr 127.0.0.1 --port 2 --jetstream --store_dir /tmp/x/nats',
    )
    expect(plan('docker')[0]?.argv).toContain('127.0.0.1:2:4222')
  })

  it('tell core, agent and gateway the ports of each other', () => {
    const [, core, agent, gateway] = plan('program').map(({ argv }) => argv.join(' '))
    expect(core).toContain('--grpc-port 3 --http-port 4 --nats-url nats://127.0.0.1:2')
    expect(agent).toContain('--grpc-port 5 --ingress-port 6 --http-port 7')
    expect(gateway).toContain('--http-port 1 --core-addresses 127.0.0.1:3')
  })
})
