import type { JobId, ModelId } from '@berth/kernel'
import { tenantWeight, type AdmissionPolicy } from '../admission-policy.ts'
import { BELIEVED_TOKENS } from '../service-note.ts'
import type { JobClass, JobOffer } from '../waiting-job.ts'

/** A job of the plain queue. */
export interface PlainJob extends JobOffer<null> {
  line: JobClass
  orderMs: number
  sequence: number
}

interface Account {
  counter: number
  claimed: number
  running: number
}

interface PlainModel {
  readonly accounts: Record<JobClass, Map<string, Account>>
  readonly counters: Record<JobClass, number>
  readonly claimed: Record<JobClass, number>
  readonly served: Record<JobClass, Account | undefined>
  lastLine: JobClass
}

/**
 * What the queue promises, written down as plainly as it can be: one list, searched from end to
 * end. The queue is held against it.
 */
export interface PlainQueue {
  readonly policy: AdmissionPolicy
  readonly models: Map<ModelId, PlainModel>
  jobs: PlainJob[]
  sequence: number
}

export const createPlainQueue = (policy: AdmissionPolicy): PlainQueue => ({
  ...{ policy, models: new Map(), jobs: [], sequence: 0 },
})

export const findPlain = ({ jobs }: PlainQueue, jobId: JobId): PlainJob | undefined =>
  jobs.find((job) => job.jobId === jobId)

export const addPlain = (queue: PlainQueue, offer: JobOffer<null>): void => {
  const { jobClass: line, arrivedAtMs: orderMs } = offer
  accountOf(queue, { ...offer, line })
  queue.sequence += 1
  queue.jobs.push({ ...offer, line, orderMs, sequence: queue.sequence })
}

export const takeOutPlain = (queue: PlainQueue, job: PlainJob): void => {
  queue.jobs = queue.jobs.filter((other) => other !== job)
  tidy(queue, job)
}

/** Charges and takes out a job; what is returned ends its service. */
export const servePlain = (queue: PlainQueue, job: PlainJob): ((tokens: number) => void) => {
  const { modelId, line, costTokens } = job
  const account = accountOf(queue, job)
  const model = modelOf(queue, modelId)
  const weight = tenantWeight(queue.policy, job.tenant)
  const classWeight = queue.policy.priorityWeights?.[line] ?? 1
  const claimed = Math.max(0, costTokens - BELIEVED_TOKENS)
  account.counter += costTokens / weight
  account.claimed += claimed / weight
  account.running += 1
  model.counters[line] += costTokens / classWeight
  model.claimed[line] += claimed / classWeight
  model.served[line] = account
  model.lastLine = line
  takeOutPlain(queue, job)
  return (tokens) => {
    account.counter += (tokens - costTokens) / weight
    account.claimed -= claimed / weight
    account.running -= 1
    model.claimed[line] -= claimed / classWeight
    model.counters[line] += (tokens - costTokens) / classWeight
    tidy(queue, { ...job, line })
  }
}

export const promotePlain = (queue: PlainQueue, now: number): void => {
  const due = (job: PlainJob) => job.arrivedAtMs + queue.policy.promoteAfterMs
  const promoted = queue.jobs.filter((job) => job.line === 'batch' && due(job) <= now)
  for (const job of promoted.sort(byAge)) {
    takeOutPlain(queue, job)
    accountOf(queue, { ...job, line: 'interactive' })
    queue.jobs.push(Object.assign(job, { line: 'interactive', orderMs: due(job) }))
  }
}

/** The jobs of a model as they will be served, each charged before the next is chosen. */
export const plainOrder = (queue: PlainQueue, modelId: ModelId): JobId[] => {
  const model = queue.models.get(modelId)
  if (!model) return []
  const counters = { ...model.counters }
  const shares = { interactive: sharesOf(model, 'interactive'), batch: sharesOf(model, 'batch') }
  const order: JobId[] = []
  let left = queue.jobs.filter((job) => job.modelId === modelId).sort(byAge)
  while (left.length > 0) {
    const line = nextLine(queue.policy, left, counters)
    const waiting = left.filter((job) => job.line === line)
    const least = Math.min(...waiting.map(({ tenant }) => shares[line].get(tenant)!))
    const job = waiting.find(({ tenant }) => shares[line].get(tenant) === least)!
    left = left.filter((other) => other !== job)
    counters[line] += job.costTokens / (queue.policy.priorityWeights?.[line] ?? 1)
    shares[line].set(job.tenant, least + job.costTokens / tenantWeight(queue.policy, job.tenant))
    order.push(job.jobId)
  }
  return order
}

type Place = Pick<PlainJob, 'modelId' | 'line' | 'tenant'>

const byAge = (a: PlainJob, b: PlainJob) => a.orderMs - b.orderMs || a.sequence - b.sequence

const sharesOf = ({ accounts }: PlainModel, line: JobClass) =>
  new Map([...accounts[line]].map(([tenant, { counter }]) => [tenant, counter]))

const nextLine = (
  { priorityWeights }: AdmissionPolicy,
  left: readonly PlainJob[],
  counters: Readonly<Record<JobClass, number>>,
): JobClass => {
  const lines = new Set(left.map(({ line }) => line))
  if (lines.size === 1) return left[0]!.line
  return priorityWeights && counters.batch < counters.interactive ? 'batch' : 'interactive'
}

const inLine = ({ jobs }: PlainQueue, { modelId, line }: Omit<Place, 'tenant'>) =>
  jobs.filter((job) => job.modelId === modelId && job.line === line)

const ofTenant = (queue: PlainQueue, place: Place) =>
  inLine(queue, place).filter(({ tenant }) => tenant === place.tenant)

const modelOf = ({ models }: PlainQueue, modelId: ModelId): PlainModel => {
  const model = models.get(modelId) ?? {
    accounts: { interactive: new Map(), batch: new Map() },
    counters: { interactive: 0, batch: 0 },
    claimed: { interactive: 0, batch: 0 },
    served: { interactive: undefined, batch: undefined },
    lastLine: 'interactive',
  }
  models.set(modelId, model)
  return model
}

const floorOf = (queue: PlainQueue, place: Place): number => {
  const { accounts, served } = modelOf(queue, place.modelId)
  const surely = (account?: Account) => (account ? account.counter - account.claimed : 0)
  const counters = inLine(queue, place).map(({ tenant }) =>
    surely(accounts[place.line].get(tenant)),
  )
  return counters.length > 0 ? Math.min(...counters) : surely(served[place.line])
}

/** The account of a tenant, and of its class, lifted as whoever did not wait is lifted. */
const accountOf = (queue: PlainQueue, place: Place): Account => {
  const { modelId, line, tenant } = place
  const model = modelOf(queue, modelId)
  const other = line === 'interactive' ? 'batch' : 'interactive'
  const isAlone = inLine(queue, { modelId, line: other }).length === 0 && model.lastLine === line
  if (inLine(queue, place).length === 0 && !isAlone) {
    const floor = model.counters[other] - model.claimed[other]
    model.counters[line] = Math.max(model.counters[line], floor)
  }
  const account = model.accounts[line].get(tenant) ?? { counter: 0, claimed: 0, running: 0 }
  if (ofTenant(queue, place).length === 0) {
    account.counter = Math.max(account.counter, floorOf(queue, place))
  }
  model.accounts[line].set(tenant, account)
  return account
}

/** Forgets a tenant that owes nothing, and a model that is quiet. */
const tidy = (queue: PlainQueue, place: Place): void => {
  const { modelId, line, tenant } = place
  const { accounts } = modelOf(queue, modelId)
  const account = accounts[line].get(tenant)!
  const isIdle = account.running === 0 && ofTenant(queue, place).length === 0
  if (isIdle && account.counter <= floorOf(queue, place)) accounts[line].delete(tenant)
  const everyone = [...accounts.interactive.values(), ...accounts.batch.values()]
  const isQuiet = everyone.every(({ running }) => running === 0)
  if (isQuiet && !queue.jobs.some((job) => job.modelId === modelId)) queue.models.delete(modelId)
}
