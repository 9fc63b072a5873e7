export type { JobClass, JobOffer, WaitingJob } from './waiting-job.ts'
export {
  DEFAULT_ADMISSION_POLICY,
  countUnqueued,
  createAdmissionQueue,
  leave,
  offer,
  type Admission,
  type AdmissionPolicy,
  type AdmissionQueue,
  type Departure,
} from './admission-queue.ts'
export { depthAhead, depths, expire, inOrder, jobsAhead, promote } from './order.ts'
