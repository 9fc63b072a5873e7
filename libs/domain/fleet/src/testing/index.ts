export { hostSnapshot, poolSnapshot, type PoolDraft } from './snapshots.ts'
