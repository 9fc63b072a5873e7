export type { JobClass, JobOffer, WaitingJob } from './waiting-job.ts'
export {
  admissionPolicy,
  DEFAULT_ADMISSION_POLICY,
  tenantWeight,
  type AdmissionPolicy,
  type AdmissionVerdict,
  type QueueState,
} from './admission-policy.ts'
export {
  countRejected,
  createAdmissionQueue,
  dequeue,
  enqueue,
  leave,
  offer,
  type Admission,
  type AdmissionQueue,
  type Departure,
  type OfferTerms,
} from './admission-queue.ts'
export { candidates } from './candidates.ts'
export {
  depthAhead,
  depthOf,
  depths,
  expire,
  inOrder,
  isWaitedFor,
  jobsAhead,
  jobsAheadOf,
  modelsWaitedFor,
  oldestMs,
  promote,
} from './order.ts'
export { endService, serve, serveAtOnce, type Passing, type ServiceNote } from './service-note.ts'
export {
  add,
  BUDGET_KINDS,
  isLimited,
  isNothing,
  NOTHING,
  subtract,
  toWhole,
  type Amounts,
  type Budget,
  type BudgetKind,
  type BudgetOwner,
} from './budget.ts'
export {
  beginStoring,
  createAccount,
  endStoring,
  forget,
  lacks,
  leftOf,
  rebase,
  roll,
  settle,
  type BudgetAccount,
  type Settlement,
  type Tally,
} from './budget-account.ts'
export { costMicrosOf, toPrice, type Price } from './budget-price.ts'
export {
  countAnyhow,
  countRequest,
  createRequestRate,
  uncountRequest,
  type RequestRate,
} from './budget-rate.ts'
export {
  closeCharge,
  openCharge,
  remainingOf,
  reopenCharge,
  type Charge,
  type Opening,
} from './charge.ts'
export {
  beginSession,
  DEFAULT_SESSION_POLICY,
  expireSessions,
  findSession,
  sessionKey,
  useSession,
  type ClientSession,
  type SessionPolicy,
} from './session.ts'
export { createSessionTable, type SessionTable } from './session-table.ts'
