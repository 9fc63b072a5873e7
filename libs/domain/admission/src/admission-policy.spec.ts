import { describe, expect, it } from '@jest/globals'
import { admissionPolicy, type AdmissionVerdict, type QueueState } from './admission-policy.ts'

const CAPACITY = 8
const EMPTY: QueueState = {
  jobClass: 'interactive',
  waiting: { interactive: 0, batch: 0 },
  tenantWaiting: 0,
  tenantShare: 1,
  hasVictim: false,
  isReadmitted: false,
  predictedStartMs: 1_234.2,
}
const accept: AdmissionVerdict = { kind: 'accept', hasToEvict: false }
const evict: AdmissionVerdict = { kind: 'accept', hasToEvict: true }
const refuse = (policyLabel: 'reject' | 'drop-lru' | 'tenant-share'): AdmissionVerdict => ({
  ...{ kind: 'reject', policyLabel, retryAfterMs: 1_235 },
})

describe('[004-05a, 004-24a3] the policy of admission', () => {
  it.each<[string, Partial<QueueState>, 'reject' | 'drop-lru', AdmissionVerdict]>([
    ['takes the first', {}, 'reject', accept],
    ['takes the last', { waiting: { interactive: 7, batch: 8 } }, 'reject', accept],
    ['refuses one more', { waiting: { interactive: 8, batch: 0 } }, 'reject', refuse('reject')],
    [
      'counts each class for itself',
      { jobClass: 'batch', waiting: { interactive: 8, batch: 7 } },
      'reject',
      accept,
    ],
    [
      'never evicts under reject',
      { waiting: { interactive: 8, batch: 8 }, hasVictim: true },
      'reject',
      refuse('reject'),
    ],
    [
      'drops a batch job for an interactive one',
      { waiting: { interactive: 8, batch: 1 }, hasVictim: true },
      'drop-lru',
      evict,
    ],
    [
      'drops a batch job for another',
      { jobClass: 'batch', waiting: { interactive: 0, batch: 8 }, hasVictim: true },
      'drop-lru',
      evict,
    ],
    [
      'refuses under drop-lru when there is no batch job to drop',
      { waiting: { interactive: 8, batch: 0 } },
      'drop-lru',
      refuse('drop-lru'),
    ],
    [
      'takes from batch jobs what interactive ones hold of their room',
      { jobClass: 'batch', waiting: { interactive: 10, batch: 6 } },
      'drop-lru',
      refuse('drop-lru'),
    ],
    [
      'does not refuse who was admitted before',
      { waiting: { interactive: 15, batch: 0 }, isReadmitted: true, tenantShare: 0.1 },
      'reject',
      accept,
    ],
    [
      'refuses even them at twice the room',
      { waiting: { interactive: 16, batch: 0 }, isReadmitted: true },
      'reject',
      refuse('reject'),
    ],
    [
      'keeps the last quarter for others',
      { waiting: { interactive: 6, batch: 0 }, tenantWaiting: 4, tenantShare: 0.5 },
      'reject',
      refuse('tenant-share'),
    ],
    [
      'lets a tenant above its share have the other three',
      { waiting: { interactive: 5, batch: 0 }, tenantWaiting: 5, tenantShare: 0.5 },
      'reject',
      accept,
    ],
    [
      'lets a tenant below its share into the last quarter',
      { waiting: { interactive: 7, batch: 0 }, tenantWaiting: 3, tenantShare: 0.5 },
      'reject',
      accept,
    ],
    [
      'drops nobody for a tenant above its share',
      {
        ...{ waiting: { interactive: 8, batch: 8 }, hasVictim: true },
        ...{ tenantWaiting: 8, tenantShare: 0.5 },
      },
      'drop-lru',
      refuse('tenant-share'),
    ],
  ])('%s', (_, state, fullPolicy, verdict) => {
    expect(admissionPolicy({ ...EMPTY, ...state }, CAPACITY, fullPolicy)).toEqual(verdict)
  })
})
