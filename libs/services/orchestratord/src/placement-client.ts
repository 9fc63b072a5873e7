import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  SchedulerService,
  type ExplainResponse,
  type GetDecisionResponse,
  type JobSchema,
} from '@berth/contract'
import { createCoreClients, type CoreAddresses } from './core-clients.ts'

/** A job as core is asked about it. */
export type JobDraft = MessageInitShape<typeof JobSchema>

/** What core says of placement, as a port. Fails with `BerthError` only. */
export interface Placement {
  /** Where a job would go now; sends nothing anywhere. */
  explain(job: JobDraft, correlationId: string): Promise<ExplainResponse>
  /** What was decided for a job, by its id or its correlation id. Throws `DECISION_NOT_FOUND`. */
  decision(id: string, correlationId: string): Promise<GetDecisionResponse>
}

/** Asks the leader: it alone counts leases and decides. */
export const createPlacementClient = (cores: CoreAddresses): Placement & Disposable => {
  const clients = createCoreClients(SchedulerService, cores)
  return {
    explain: (job, correlationId) =>
      clients.ask((client) => client.explain({ job }, { correlationId })),
    decision: (id, correlationId) =>
      clients.ask((client) =>
        client.getDecision({ jobId: id, correlationId: id }, { correlationId }),
      ),
    [Symbol.dispose]: () => clients[Symbol.dispose](),
  }
}
