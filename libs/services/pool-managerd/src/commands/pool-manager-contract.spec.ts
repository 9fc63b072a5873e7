import { describe, expect, it } from '@jest/globals'
import { LoadProgressSchema, PoolManagerService } from '@berth/contract'

/** What seed 001 asks of an engine's manager, by the name it has here. */
const ASKED: Readonly<Record<string, keyof typeof PoolManagerService.method>> = {
  EnsureHealthy: 'ensureHealthy',
  GetState: 'getStatus',
  Start: 'start',
  Stop: 'stop',
  LoadModel: 'loadModel',
  LoadModelStream: 'watchOperation',
  GetLoadedModels: 'listLoadedModels',
  Restart: 'restart',
}

describe('the commands of a pool', () => {
  it('[001-TC-1, 003-FR-001] are the same for every engine, each with a request and a response of its own', () => {
    for (const name of Object.values(ASKED)) {
      const { input, output, methodKind } = PoolManagerService.method[name]
      expect([input.name, output.name]).toEqual([
        expect.stringMatching(/Request$/),
        expect.stringMatching(/Response$/),
      ])
      expect(methodKind).toBe(name === 'watchOperation' ? 'server_streaming' : 'unary')
    }
  })

  it('[001-API-6, 003-TC-03] tell the progress of a load with every field of the seed', () => {
    const fields = LoadProgressSchema.fields.map(({ name }) => name)
    for (const name of [
      ...['model_id', 'progress_percent', 'bytes_downloaded', 'total_bytes', 'phase'],
      ...['is_progress_known', 'started_at_ms', 'completed_at_ms', 'eta_ms'],
    ])
      expect(fields).toContain(name)
  })
})
