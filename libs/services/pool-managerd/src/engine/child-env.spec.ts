import { expect, it } from '@jest/globals'
import { childEnv } from './child-env.ts'

it("an engine sees the allow-list and its plan, not the agent's secrets", () => {
  const agentEnv = {
    PATH: '/bin',
    HOME: '/root',
    BERTH_LEASE_MASTER_KEY: 'secret',
    NATS_PASSWORD: 'secret',
    VLLM_PORT: '1',
    NODE_OPTIONS: '--inspect',
  }
  expect(childEnv(agentEnv, { BERTH_ENGINE_API_KEY: 'k' }, 'i-1')).toEqual({
    PATH: '/bin',
    HOME: '/root',
    BERTH_ENGINE_API_KEY: 'k',
    BERTH_INSTANCE_ID: 'i-1',
  })
})
