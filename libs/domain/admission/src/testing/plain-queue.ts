import type { JobId, ModelId } from '@berth/kernel'
import { tenantWeight, type AdmissionPolicy } from '../admission-policy.ts'
import type { JobClass, JobOffer } from '../waiting-job.ts'

/** A job of the plain queue. */
export interface PlainJob extends JobOffer<null> {
  line: JobClass
  orderMs: number
  sequence: number
}

interface Account {
  counter: number
  running: number
}

interface PlainModel {
  readonly accounts: Record<JobClass, Map<string, Account>>
  readonly counters: Record<JobClass, number>
  readonly served: Record<JobClass, Account | undefined>
  lastLine: JobClass
}

/**
 * What the queue promises, written down as plainly as it can be: one list, searched from end to
 * end. The queue is held against it.
 */
export const createPlainQueue = (policy: AdmissionPolicy) => {
  let jobs: PlainJob[] = []
  let sequence = 0
  const models = new Map<ModelId, PlainModel>()
  const modelOf = (modelId: ModelId): PlainModel => {
    const model = models.get(modelId) ?? {
      accounts: { interactive: new Map(), batch: new Map() },
      counters: { interactive: 0, batch: 0 },
      served: { interactive: undefined, batch: undefined },
      lastLine: 'interactive',
    }
    models.set(modelId, model)
    return model
  }
  const inLine = (modelId: ModelId, line: JobClass, tenant?: string) =>
    jobs
      .filter((job) => job.modelId === modelId && job.line === line)
      .filter((job) => tenant === undefined || job.tenant === tenant)
      .sort((a, b) => a.orderMs - b.orderMs || a.sequence - b.sequence)
  const floorOf = (modelId: ModelId, line: JobClass): number => {
    const { accounts, served } = modelOf(modelId)
    const waiting = inLine(modelId, line).map(({ tenant }) => accounts[line].get(tenant)!.counter)
    return waiting.length > 0 ? Math.min(...waiting) : (served[line]?.counter ?? 0)
  }
  const accountOf = (modelId: ModelId, line: JobClass, tenant: string): Account => {
    const model = modelOf(modelId)
    const other = line === 'interactive' ? 'batch' : 'interactive'
    const isAlone = inLine(modelId, other).length === 0 && model.lastLine === line
    if (inLine(modelId, line).length === 0 && !isAlone) {
      model.counters[line] = Math.max(model.counters[line], model.counters[other])
    }
    const account = model.accounts[line].get(tenant) ?? { counter: 0, running: 0 }
    if (inLine(modelId, line, tenant).length === 0) {
      account.counter = Math.max(account.counter, floorOf(modelId, line))
    }
    model.accounts[line].set(tenant, account)
    return account
  }
  const tidy = (modelId: ModelId, line: JobClass, tenant: string) => {
    const { accounts } = modelOf(modelId)
    const account = accounts[line].get(tenant)!
    const isIdle = account.running === 0 && inLine(modelId, line, tenant).length === 0
    if (isIdle && account.counter <= floorOf(modelId, line)) accounts[line].delete(tenant)
    const isRunning = [...accounts.interactive.values(), ...accounts.batch.values()].some(
      ({ running }) => running > 0,
    )
    if (!isRunning && !jobs.some((job) => job.modelId === modelId)) models.delete(modelId)
  }
  const takeOut = (job: PlainJob) => {
    jobs = jobs.filter((other) => other !== job)
    tidy(job.modelId, job.line, job.tenant)
  }

  return {
    find: (jobId: JobId) => jobs.find((job) => job.jobId === jobId),
    jobs: () => jobs,
    add: (offer: JobOffer<null>) => {
      sequence += 1
      const { jobClass: line, arrivedAtMs: orderMs } = offer
      accountOf(offer.modelId, line, offer.tenant)
      jobs.push({ ...offer, line, orderMs, sequence })
    },
    takeOut,
    /** Charges and takes out a job; what is returned ends its service. */
    serve: (job: PlainJob) => {
      const { modelId, line, tenant, costTokens } = job
      const model = modelOf(modelId)
      const account = accountOf(modelId, line, tenant)
      const weight = tenantWeight(policy, tenant)
      const classWeight = policy.priorityWeights?.[line] ?? 1
      account.counter += costTokens / weight
      account.running += 1
      model.counters[line] += costTokens / classWeight
      model.served[line] = account
      model.lastLine = line
      takeOut(job)
      return (tokens: number) => {
        account.counter += (tokens - costTokens) / weight
        account.running -= 1
        model.counters[line] += (tokens - costTokens) / classWeight
        tidy(modelId, line, tenant)
      }
    },
    promote: (now: number) => {
      const due = (job: PlainJob) => job.arrivedAtMs + policy.promoteAfterMs
      const promoted = jobs.filter((job) => job.line === 'batch' && due(job) <= now)
      promoted.sort((a, b) => a.orderMs - b.orderMs || a.sequence - b.sequence)
      for (const job of promoted) {
        takeOut(job)
        accountOf(job.modelId, 'interactive', job.tenant)
        Object.assign(job, { line: 'interactive', orderMs: due(job) })
        jobs.push(job)
      }
    },
    /** The jobs of a model as they will be served, each charged before the next is chosen. */
    order: (modelId: ModelId): JobId[] => {
      if (!models.has(modelId)) return []
      const model = modelOf(modelId)
      const counters = { ...model.counters }
      const lines = { interactive: inLine(modelId, 'interactive'), batch: inLine(modelId, 'batch') }
      const accounts = {
        interactive: new Map([...model.accounts.interactive].map(([t, a]) => [t, a.counter])),
        batch: new Map([...model.accounts.batch].map(([t, a]) => [t, a.counter])),
      }
      const order: JobId[] = []
      while (lines.interactive.length + lines.batch.length > 0) {
        const isBatch =
          lines.interactive.length === 0 ||
          (lines.batch.length > 0 &&
            policy.priorityWeights !== undefined &&
            counters.batch < counters.interactive)
        const line = isBatch ? 'batch' : 'interactive'
        const heads = [...new Set(lines[line].map(({ tenant }) => tenant))].map((tenant) =>
          lines[line].find((job) => job.tenant === tenant)!,
        )
        const least = Math.min(...heads.map(({ tenant }) => accounts[line].get(tenant)!))
        const job = lines[line].find(
          (other) => heads.includes(other) && accounts[line].get(other.tenant) === least,
        )!
        lines[line].splice(lines[line].indexOf(job), 1)
        counters[line] += job.costTokens / (policy.priorityWeights?.[line] ?? 1)
        accounts[line].set(job.tenant, least + job.costTokens / tenantWeight(policy, job.tenant))
        order.push(job.jobId)
      }
      return order
    },
  }
}
